"""lion_pytorch: one optimizer of torch."""

import dataclasses
from collections.abc import Callable
from typing import Any

import lion_pytorch

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, listed, release, torch_adapter
from arrayopt.conformance.candidate import Candidate


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt the class or a subclass of it, as `torch_adapter` does."""
    adapted = torch_adapter.candidate(target, **fixed)
    return dataclasses.replace(adapted, source=f"{release('lion_pytorch')} on {adapted.source}")


def peers() -> list[Peer]:
    """List its optimizer, with both scales of the decay."""
    relative = {"decoupled_weight_decay": True}
    rows = [
        Row("Lion", rules.Lion),
        Row("Lion", rules.Lion, relative, dialect={"decay_scale": "relative"}),
    ]
    return listed("lion_pytorch", lion_pytorch, rows, torch_adapter.NAMES, candidate)
