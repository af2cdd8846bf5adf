"""lion_pytorch: one optimizer of torch."""

from collections.abc import Callable
from typing import Any

import lion_pytorch

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, listed, torch_adapter
from arrayopt.conformance.candidate import Candidate


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt the class or a subclass of it, as in `torch_adapter`."""
    return torch_adapter.candidate(target, package="lion_pytorch", **fixed)


def peers() -> list[Peer]:
    """List its optimizer, with both scales of the decay."""
    relative = {"decoupled_weight_decay": True}
    rows = [Row("Lion", rules.Lion), Row("Lion", rules.Lion, relative, dialect={"decay_scale": "relative"})]
    return listed("lion_pytorch", lion_pytorch, rows, torch_adapter.NAMES, candidate)
