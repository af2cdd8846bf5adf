"""mlx.optimizers, run in float32 on the CPU."""

from collections.abc import Callable, Mapping
from typing import Any

import mlx.core as mx
import mlx.optimizers
import numpy as np
from mlx.utils import tree_map

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release
from arrayopt.conformance.adapters.assembly import Assembly, Way, public
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.reports.scripts.apis import MLX

NAMES = {
    "learning_rate": "lr",
    "alpha": "rho",  # RMSprop
    "beta_1": "beta1", "decay_rate": "-beta2_power",  # Adafactor
    "ns_steps": "ns_steps",  # Muon
}  # fmt: skip
"""Options of mlx -> fields."""


REASONS = {"MultiOptimizer": "takes other optimizers, one for each part of a model"}
"""Why an optimizer cannot be driven with gradients."""


class Session:
    """An optimizer and its parameters, in the precision of the arrays.

    They are one level down, since mlx keeps the state of a leaf beside "step" and "learning_rate".
    """

    rate: Callable[[float], Any] | None = None

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        with mx.stream(mx.cpu):
            self.params = {"leaves": {k: _mlx(p) for k, p in params.items()}}
            self.optimizer = options.make(hyper, instead=self.rate)
            self.optimizer.init(self.params)

    def step(self, grads: Arrays) -> Arrays:
        """Take a step; leaves without a gradient stay as they are."""
        with mx.stream(mx.cpu):
            moved = self.update({"leaves": {k: _mlx(g) for k, g in grads.items()}})
            self.params = {"leaves": {**self.params["leaves"], **moved["leaves"]}}
            mx.eval(self.params, self.optimizer.state)
            return {k: _array(p) for k, p in self.params["leaves"].items()}

    def update(self, gradients: Any) -> Any:
        """Return the new parameters of the leaves that have gradients."""
        return self.optimizer.apply_gradients(gradients, self.params)

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


class Compiled(Session):
    """Compiles the step."""

    compiled: Callable[..., Any] | None = None

    def update(self, gradients: Any) -> Any:
        """Take a compiled step, which reads and writes the state of the optimizer."""
        if self.compiled is None:
            held = [self.optimizer.state]
            self.compiled = mx.compile(self.optimizer.apply_gradients, inputs=held, outputs=held)
        return self.compiled(gradients, self.params)

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters, which are constants of what was compiled."""
        super().set(**hyper)
        self.compiled = None

    def load(self, state: tuple[Any, Any]) -> None:
        """Go on from a state that `save` returned."""
        super().load(state)
        self.compiled = None


class Scheduled(Session):
    """Gives the optimizer a schedule that is constant until it is told otherwise."""

    def rate(self, lr: float) -> Callable[[Any], Any]:
        """Return the schedule."""
        self.current = lr
        return lambda step: mx.array(self.current, dtype=mx.float32)

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters; the rate is that of the schedule."""
        self.current = hyper.get("lr", self.current)
        super().set(**{k: x for k, x in hyper.items() if k != "lr"})


WAYS = {
    "mx.compile": Way(Compiled),
    "learning rate as a schedule": Way(Scheduled, suits=lambda options: "lr" in options.fields),
}
"""Code paths that mlx documents to compute the same."""
ASSEMBLY = Assembly(
    Session,
    release("mlx"),
    NAMES,
    dtype="float32",
    dtypes=("bfloat16", "float16", "float64"),
    ways=WAYS,
    missing=True,
    api=lambda options: MLX,
)


def _copied(tree: Any) -> Any:
    with mx.stream(mx.cpu):
        return tree_map(mx.array, tree)


def _mlx(array: np.ndarray) -> Any:
    """Return an array of mlx in the same precision; by itself mlx makes float32 of float64."""
    return mx.array(array, dtype=getattr(mx, array.dtype.name))


def _array(x: Any) -> np.ndarray:
    return np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x)


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a subclass of mlx.optimizers.Optimizer, or a function that returns one.

    Parameters
    ----------
    target : callable
        ``target(**options)``.
    **fixed
        Options that are held, under mlx' names.
    """
    return ASSEMBLY.candidate(target, named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find the optimizers of mlx: every subclass of the base class."""
    base = mlx.optimizers.Optimizer
    classes = public(mlx.optimizers, lambda x: isinstance(x, type) and issubclass(x, base) and x is not base)
    return exported("mlx.optimizers", classes, ASSEMBLY, reasons=REASONS)


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
