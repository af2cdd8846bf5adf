"""schedulefree: optimizers of torch that average instead of lowering the rate. arrayopt has no rule for them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import schedulefree

from arrayopt.conformance.adapters import Peer, exported, named, release, torch_adapter
from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.reports.scripts.apis import TORCH

ASSEMBLY = dataclasses.replace(
    torch_adapter.assembly(f"{release('schedulefree')} on {release('torch')}"),
    api=lambda options: dataclasses.replace(TORCH, make=(*TORCH.make, "optimizer.train()")),
)
CLOSURE = "evaluates the loss within a step (closure)"
REASONS = {
    "AdamWScheduleFreeClosure": CLOSURE,
    "RAdamScheduleFreeClosure": CLOSURE,
    "SGDScheduleFreeClosure": CLOSURE,
}
"""Why an optimizer cannot be driven with gradients."""


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt one of its classes or a subclass, as `torch_adapter` does."""
    return ASSEMBLY.candidate(target, named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find its optimizers."""
    return exported("schedulefree", torch_adapter.found(schedulefree), ASSEMBLY, reasons=REASONS)


def peers() -> list[Peer]:
    """Return nothing: no rule of arrayopt is held against them."""
    return []
