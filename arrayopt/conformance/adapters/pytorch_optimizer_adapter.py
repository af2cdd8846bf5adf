"""pytorch_optimizer: optimizers of torch."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytorch_optimizer
import torch

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, listed, release, torch_adapter
from arrayopt.conformance.candidate import Candidate

NAMES = {
    **torch_adapter.NAMES,
    "decay_rate": "-beta2_power",  # AdaFactor
    "matrix_eps": "eps",  # Shampoo
}
"""Options of pytorch_optimizer -> fields."""


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt one of its classes or a subclass, as `torch_adapter` does; Muon is told that every leaf is its own."""
    if isinstance(target, type) and issubclass(target, pytorch_optimizer.Muon):
        target = _for_matrices(target)
    adapted = torch_adapter.candidate(target, **fixed)
    return dataclasses.replace(adapted, source=f"{release('pytorch_optimizer')} on {adapted.source}")


def _for_matrices(target: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(target, updated=())
    def make(params: list[Any], **options: Any) -> Any:
        return target([{"params": params, "use_muon": True}], **options)

    return make


def peers() -> list[Peer]:
    """List the optimizers of pytorch_optimizer that arrayopt has a rule for, without those that are torch's own."""
    rows = [
        Row("SGDW", rules.SGD),
        Row("SGDW", rules.Momentum, numbers={"momentum": 0.9}),
        Row("SGDW", rules.Nesterov, {"nesterov": True, "dampening": 0.0}, {"momentum": 0.9}),
        Row("AdaDelta", rules.Adadelta),
        Row("AdaMax", rules.AdaMax),
        Row("RAdam", rules.RAdam),
        Row("RAdam", rules.RAdam, {"degenerated_to_sgd": True}, dialect={"below": "momentum"}),
        Row("AdaBelief", rules.AdaBelief),
        Row("SignSGD", rules.SignSGD, {"momentum": 0.0}),
        Row("SignSGD", rules.Signum),
        Row("Lion", rules.Lion),
        Row("Lion", rules.Lion, {"fixed_decay": True}, dialect={"decay_scale": "independent"}),
        Row("Tiger", rules.Tiger),
        Row("Muon", rules.Muon),
        Row("Muon", rules.Muon, {"nesterov": False}, dialect={"nesterov": "none"}),
        Row("Muon", rules.Muon, {"use_adjusted_lr": True}, dialect={"scale": "moonlight"}),
        Row("Shampoo", rules.Shampoo),
        Row("Amos", rules.Amos),
        Row("Lamb", rules.LAMB),
        # lr is not read while relative_step is on; its momentum is in bfloat16 by default
        Row("AdaFactor", rules.Adafactor, {"lr": None, "momentum_dtype": torch.float64}),
    ]
    return listed("pytorch_optimizer", pytorch_optimizer, rows, NAMES, candidate)
