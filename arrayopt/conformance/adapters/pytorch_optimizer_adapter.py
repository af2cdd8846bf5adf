"""pytorch_optimizer: optimizers of torch."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytorch_optimizer
import torch

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release, torch_adapter
from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.reports.scripts.apis import TORCH

NAMES = {
    **torch_adapter.NAMES,
    "decay_rate": "-beta2_power",  # AdaFactor
    "matrix_eps": "eps",  # Shampoo
}
"""Options of pytorch_optimizer -> fields."""
MATRICES = dataclasses.replace(TORCH, params='[{"params": [p], "use_muon": p.ndim >= 2} for p in params]')
"""How a script uses an optimizer that is `_told` what is a matrix."""
ASSEMBLY = dataclasses.replace(
    torch_adapter.assembly(f"{release('pytorch_optimizer')} on {release('torch')}", NAMES),
    api=lambda options: MATRICES if hasattr(options.target, "__wrapped__") else torch_adapter.api(options),
)
CLOSURE = "evaluates the loss within a step (closure)"
HESSIAN = "differentiates the gradients a second time"
PROCESSES = "runs in several processes"
REASONS = {
    "AdaHessian": HESSIAN,
    "AdaLOMO": "updates during the backward pass",
    "AliG": CLOSURE,
    "BSAM": CLOSURE,
    "CPUOffloadOptimizer": "keeps its parameters on a GPU",
    "DeMo": PROCESSES,
    "DistributedMuon": PROCESSES,
    "FriendlySAM": CLOSURE,
    "GSAM": CLOSURE,
    "LBFGS": CLOSURE,
    "LOMO": "updates during the backward pass",
    "LookSAM": CLOSURE,
    "LoRARite": "takes pairs of matrices, of which the product is the weight",
    "PCGrad": "projects the gradients of several losses in the backward pass",
    "SAM": CLOSURE,
    "SophiaH": HESSIAN,
    "WSAM": CLOSURE,
}
"""Why an optimizer cannot be driven with gradients."""
REQUIRED = {"Ranger21": {"num_iterations": 100}}
"""Options without which an optimizer cannot be made."""
RANDOM = {
    "Gravity": "its first momentum",
    "Kron": "the steps in which it updates its preconditioner, and a direction for it",
    "Magma": "the leaves that it updates in a step",
}
"""What an optimizer that is random by design draws."""


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt one of its classes or a subclass, as `torch_adapter` does; those like Muon are told what is a matrix."""
    return ASSEMBLY.candidate(_told(target), named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find its optimizers; those of torch that it exports again are told so."""
    targets = torch_adapter.found(pytorch_optimizer)
    again = {k: f"is torch.optim.{k} itself" for k, x in targets.items() if x is getattr(torch.optim, k, None)}
    told = {k: _told(x) for k, x in targets.items()}
    return exported("pytorch_optimizer", told, ASSEMBLY, REQUIRED, REASONS | again, RANDOM)


def _told(target: Callable[..., Any]) -> Callable[..., Any]:
    """Let an optimizer that wants to know which parameters are matrices be told so, by their number of axes."""
    if not getattr(target, "__module__", "").startswith("pytorch_optimizer.optimizer.muon"):
        return target

    @functools.wraps(target, updated=())
    def make(params: list[Any], **options: Any) -> Any:
        groups = params if params and isinstance(params[0], dict) else [{"params": params}]
        parts = []
        for group in groups:
            for flag in (True, False):
                some = [p for p in group["params"] if ((p[1] if isinstance(p, tuple) else p).ndim >= 2) == flag]
                parts += [{**group, "params": some, "use_muon": flag}] if some else []
        return target(parts, **options)

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
        Row("RAdam", rules.RAdam, {"weight_decouple": False}, dialect={"decay": "l2"}),
        Row("AdaBelief", rules.AdaBelief),
        Row("AdaBelief", rules.AdaBelief, {"weight_decouple": False}, dialect={"decay": "l2"}),
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
        Row("Amos", rules.Amos, numbers={"extra_l2": 0.1}),
        Row("Lamb", rules.LAMB),
        # lr is not read while relative_step is on; its momentum is in bfloat16 by default
        Row("AdaFactor", rules.Adafactor, {"lr": None, "momentum_dtype": torch.float64}),
    ]
    return listed("pytorch_optimizer", pytorch_optimizer, rows, NAMES, candidate)
