"""mlx.optimizers, run in float32 on the CPU."""

from collections.abc import Callable, Mapping
from typing import Any

import mlx.core as mx
import mlx.optimizers
import numpy as np
from mlx.utils import tree_map

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, listed, named, release
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate

NAMES = {
    "learning_rate": "lr",
    "alpha": "rho",  # RMSprop
    "beta_1": "beta1", "decay_rate": "-beta2_power",  # Adafactor
    "ns_steps": "ns_steps",  # Muon
}  # fmt: skip
"""Options of mlx -> fields."""


class Session:
    """An optimizer and its parameters.

    They are one level down, since mlx keeps the state of a leaf beside "step" and "learning_rate".
    """

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        with mx.stream(mx.cpu):
            self.params = {"leaves": {k: mx.array(p) for k, p in params.items()}}
            self.optimizer = options.make(hyper)
            self.optimizer.init(self.params)

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        with mx.stream(mx.cpu):
            gradients = {"leaves": {k: mx.array(g) for k, g in grads.items()}}
            self.params = self.optimizer.apply_gradients(gradients, self.params)
            mx.eval(self.params, self.optimizer.state)
            return {k: np.array(p) for k, p in self.params["leaves"].items()}

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters, which are attributes."""
        self.hyper |= hyper
        for option, value in self.options.changed(hyper, self.hyper).items():
            setattr(self.optimizer, option, value)

    def save(self) -> tuple[Any, Any]:
        """Return copies of parameters and state."""
        return _copied(self.params), _copied(self.optimizer.state)

    def load(self, state: tuple[Any, Any]) -> None:
        """Go on from a state that `save` returned."""
        self.params, self.optimizer.state = _copied(state[0]), _copied(state[1])


def _copied(tree: Any) -> Any:
    return tree_map(mx.array, tree)


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a subclass of mlx.optimizers.Optimizer, or a function that returns one.

    Parameters
    ----------
    target : callable
        ``target(**options)``.
    **fixed
        Options that are held, under mlx' names.
    """
    options = Options(target, NAMES, fixed)

    def make(params: Arrays, **hyper: float) -> Session:
        return Session(options, params, hyper)

    return Candidate(named(target, fixed), make, options.fields, dtype="float32", source=release("mlx"))


def peers() -> list[Peer]:
    """List the optimizers of mlx that arrayopt has a rule for."""
    corrected = {"bias_correction": True}
    rows = [
        Row("SGD", rules.SGD),
        Row("SGD", rules.Momentum, numbers={"momentum": 0.9}),
        Row("SGD", rules.Momentum, numbers={"momentum": 0.9, "dampening": 0.1}),
        Row("SGD", rules.Nesterov, {"nesterov": True, "dampening": 0.0}, {"momentum": 0.9}),
        Row("Adagrad", rules.Adagrad),
        Row("RMSprop", rules.RMSProp),
        Row("AdaDelta", rules.Adadelta),
        Row("Adam", rules.Adam),
        Row("Adam", rules.Adam, corrected, dialect={"bias_correction": "both"}),
        Row("AdamW", rules.AdamW),
        Row("AdamW", rules.AdamW, corrected, dialect={"bias_correction": "both"}),
        Row("Adamax", rules.AdaMax),
        Row("Lion", rules.Lion),
        # learning_rate is not read while relative_step is on, which it is by default
        Row("Adafactor", rules.Adafactor, {"learning_rate": None}),
        Row("Adafactor", rules.Adafactor, {"relative_step": False}, {"lr": 0.01}, {"relative_step": False}),
        Row("Muon", rules.Muon),
        Row("Muon", rules.Muon, {"nesterov": False}, dialect={"nesterov": "none"}),
    ]
    return listed("mlx", mlx.optimizers, rows, NAMES, candidate)
