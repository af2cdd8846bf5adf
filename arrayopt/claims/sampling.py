"""Deterministic sampling: the same instances every time, the corners of the domain first."""

import time

import numpy as np

from arrayopt.backend import Namespace
from arrayopt.claims.claim import Claim
from arrayopt.claims.domain import length, structure_of
from arrayopt.claims.finding import NOTHING, Finding
from arrayopt.core.random import generator

COUNT = 100
CORNERS = (0.5, 0.0, 1.0)


def sampled(claim: Claim, count: int = COUNT, xp: Namespace | None = None) -> Finding:
    """Measure a claim on `count` instances; one that is not searchable once, and one to be refuted on its witness too.

    Parameters
    ----------
    claim : Claim
    count : int
    xp : namespace, optional
        The array library that instances are moved to.
    """
    found, began = Finding(claim, "sampled"), time.perf_counter()
    try:
        if claim.witness is not None:
            found.look(claim.witness, xp)
        if not claim.searchable:
            if claim.witness is None:
                found.look({}, xp)
        else:
            for u in numbers(claim, count):
                found.look_at(u, xp)
    except Exception as error:  # a claim that cannot be computed is a finding, not the end of the others
        found.error = f"{type(error).__name__}: {error}"
    found.error = found.error or ("" if found.count else NOTHING)
    found.seconds = time.perf_counter() - began
    return found


def numbers(claim: Claim, count: int) -> list[np.ndarray]:
    """Return numbers in [0, 1] for `count` instances."""
    rng, found = generator(0), []
    structural = sum(element.structural for element in claim.domain.values())
    for k in range(count):
        head = rng.random(structural)
        size = length(claim.domain, structure_of(claim.domain, head))
        rest = rng.random(size - structural)
        if k < len(CORNERS):
            rest = np.full_like(rest, CORNERS[k])
        elif k % 4 == 3:  # near an edge or the middle, where things happen
            rest = np.where(rng.random(rest.size) < 0.5, rng.choice(CORNERS, rest.size), rest)
        found.append(np.concatenate([head, rest]))
    return found
