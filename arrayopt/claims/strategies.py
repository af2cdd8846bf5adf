"""Hypothesis strategies of domains: an example is the numbers in [0, 1] of an instance, and shrinks with them."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from arrayopt.claims.claim import Claim
from arrayopt.claims.domain import instance, length, structure_of

UNIT = st.floats(0.0, 1.0)


@st.composite
def instances(draw: Any, claim: Claim) -> dict[str, Any]:
    """Draw an instance of the domain of a claim."""
    structural = sum(element.structural for element in claim.domain.values())
    head = [draw(UNIT) for _ in range(structural)]
    size = length(claim.domain, structure_of(claim.domain, np.asarray(head)))
    rest = draw(st.lists(UNIT, min_size=size - structural, max_size=size - structural))
    return instance(claim.domain, np.asarray([*head, *rest], dtype=np.float64))
