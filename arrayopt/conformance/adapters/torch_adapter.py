"""torch.optim, and what every optimizer that derives from torch.optim.Optimizer shares."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, listed, named, release
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate

NAMES = {
    "alpha": "rho",  # RMSprop
    "initial_accumulator_value": "initial",  # Adagrad
    "beta2_decay": "-beta2_power", "d": "clip_threshold",  # Adafactor
    "ns_steps": "ns_steps",  # Muon
}  # fmt: skip
"""Options of torch -> fields."""


class Session:
    """An optimizer of torch on float64 tensors, which share the memory of the arrays that they come from."""

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        self.params = {k: torch.nn.Parameter(torch.from_numpy(p)) for k, p in params.items()}
        self.optimizer = options.make(hyper, list(self.params.values()))

    def step(self, grads: Arrays) -> Arrays:
        """Take a step; the optimizer may overwrite `grads`."""
        for k, p in self.params.items():
            p.grad = torch.from_numpy(grads[k])
        self.optimizer.step()
        return self._arrays()

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters in every group."""
        self.hyper |= hyper
        for group in self.optimizer.param_groups:
            group.update(self.options.changed(hyper, self.hyper))

    def save(self) -> tuple[Arrays, Any]:
        """Return copies of the parameters and of the state."""
        return self._arrays(), copy.deepcopy(self.optimizer.state_dict())

    def load(self, state: tuple[Arrays, Any]) -> None:
        """Go on from a state that `save` returned."""
        for k, p in self.params.items():
            p.data.copy_(torch.from_numpy(state[0][k]))
        self.optimizer.load_state_dict(state[1])

    def _arrays(self) -> Arrays:
        return {k: np.array(p.detach().cpu().numpy()) for k, p in self.params.items()}


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a subclass of torch.optim.Optimizer, or a function that returns one.

    Parameters
    ----------
    target : callable
        ``target(params, **options)``.
    **fixed
        Options that are held, under torch's names.
    """
    options = Options(target, NAMES, fixed)

    def make(params: Arrays, **hyper: float) -> Session:
        return Session(options, params, hyper)

    return Candidate(named(target, fixed), make, options.fields, source=release("torch"))


def peers() -> list[Peer]:
    """List the optimizers of torch.optim that arrayopt has a rule for."""
    rows = [
        Row("SGD", rules.SGD),
        Row("SGD", rules.Momentum, numbers={"momentum": 0.9}),
        Row("SGD", rules.Momentum, numbers={"momentum": 0.9, "dampening": 0.1}),
        # torch refuses dampening together with nesterov.
        Row("SGD", rules.Nesterov, {"nesterov": True, "dampening": 0.0}, {"momentum": 0.9}),
        Row("Adagrad", rules.Adagrad),
        Row("RMSprop", rules.RMSProp),
        Row("RMSprop", rules.RMSProp, {"centered": True}, dialect={"centered": True}),
        Row("RMSprop", rules.RMSProp, numbers={"momentum": 0.9}),
        Row("Adadelta", rules.Adadelta),
        Row("Adam", rules.Adam),
        Row("Adam", rules.Adam, {"amsgrad": True}, dialect={"amsgrad": "max_raw"}),
        Row("Adam", rules.AdamW, {"decoupled_weight_decay": True}, {"weight_decay": 0.01}),
        Row("AdamW", rules.AdamW),
        Row("AdamW", rules.AdamW, {"amsgrad": True}, dialect={"amsgrad": "max_raw"}),
        Row("Adamax", rules.AdaMax),
        Row("NAdam", rules.NAdam),
        Row("NAdam", rules.NAdam, {"decoupled_weight_decay": True}, dialect={"decay": "decoupled"}),
        Row("RAdam", rules.RAdam),
        Row("RAdam", rules.RAdam, {"decoupled_weight_decay": True}, dialect={"decay": "decoupled"}),
        Row("Adafactor", rules.Adafactor),
        Row("Muon", rules.Muon),
        Row("Muon", rules.Muon, {"nesterov": False}, dialect={"nesterov": "none"}),
        Row("Muon", rules.Muon, {"adjust_lr_fn": "match_rms_adamw"}, dialect={"scale": "moonlight"}),
    ]
    return listed("torch", torch.optim, rows, NAMES, candidate)
