"""lion_pytorch: one optimizer of torch."""

from collections.abc import Callable
from typing import Any

import lion_pytorch

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release, torch_adapter
from arrayopt.conformance.candidate import Candidate

ASSEMBLY = torch_adapter.assembly(
    f"{release('lion_pytorch')} on {release('torch')}",
    inert=("use_triton",),  # the same in a kernel of Triton, which needs a GPU
)


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt the class or a subclass of it, as `torch_adapter` does."""
    return ASSEMBLY.candidate(target, named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find its optimizer."""
    return exported("lion_pytorch", torch_adapter.found(lion_pytorch), ASSEMBLY)


def peers() -> list[Peer]:
    """List its optimizer, with both scales of the decay."""
    relative = {"decoupled_weight_decay": True}
    rows = [
        Row("Lion", rules.Lion),
        Row("Lion", rules.Lion, relative, dialect={"decay_scale": "relative"}),
    ]
    return listed("lion_pytorch", lion_pytorch, rows, torch_adapter.NAMES, candidate)
