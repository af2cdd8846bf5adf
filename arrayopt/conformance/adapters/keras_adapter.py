"""keras.optimizers, run in float32 on whichever backend keras has."""

import contextlib
import dataclasses
import functools
import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release
from arrayopt.conformance.adapters.assembly import Assembly, Way, public
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.reports.scripts import apis

NAMES = {
    "learning_rate": "lr", "beta_1": "beta1", "beta_2": "beta2", "epsilon": "eps",
    "initial_accumulator_value": "initial",  # Adagrad
    "beta_2_decay": "-beta2_power", "epsilon_1": "eps1", "epsilon_2": "eps2",  # Adafactor
    "ns_steps": "ns_steps",  # Muon
}  # fmt: skip
"""Options of keras -> fields."""


def _import() -> Any:
    """Import keras, on a backend that is installed.

    keras reads its backend once, from KERAS_BACKEND or else from its configuration file, where it writes
    "tensorflow" itself. If that is not there, jax, torch and NumPy are tried. The environment is left as it was.
    """
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND"):
        return importlib.import_module("keras")
    configured = "tensorflow"
    file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    with contextlib.suppress(OSError, ValueError):
        configured = json.loads(file.read_text()).get("backend", configured)
    usable = (b for b in (configured, "jax", "torch") if importlib.util.find_spec(b) is not None)
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = next(usable, "numpy")
    try:
        return importlib.import_module("keras")
    finally:
        if before is None:
            del os.environ["KERAS_BACKEND"]
        else:
            os.environ["KERAS_BACKEND"] = before


keras = _import()


WRAPPERS: Mapping[str, Callable[[Any], Any]] = {
    "LossScaleOptimizer": lambda inner: keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0),
    "MultiOptimizer": lambda inner: keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(inner)),
}
"""Optimizers around another one, which they leave as it is."""
REASONS = (
    {"LossScaleOptimizer": "runs on jax in a compiled training step only"} if keras.backend.backend() == "jax" else {}
)
"""Why an optimizer cannot be driven with gradients."""
INERT = (
    "use_ema", "ema_momentum", "ema_overwrite_frequency",  # average beside the steps
    "name", "exclude_embeddings",
)  # fmt: skip
"""Options that change no number of a step."""


class Session:
    """An optimizer and its variables, in the precision of the arrays."""

    rate: Callable[[float], Any] | None = None

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        self.names = list(params)
        self.variables = [keras.Variable(_tensor(p), dtype=p.dtype.name) for p in params.values()]
        self.optimizer = self.make()
        self.optimizer.build(self.variables)

    def make(self) -> Any:
        """Make the optimizer."""
        return self.options.make(self.hyper, instead=self.rate)

    def step(self, grads: Arrays) -> Arrays:
        """Take a step; an optimizer that scales the loss gets scaled gradients."""
        with _unwarned():
            scale = float(self.optimizer.scale_loss(1.0))
            handed = [_tensor(grads[k]) if k in grads else None for k in self.names]
            self.apply([g if g is None or scale == 1.0 else g * scale for g in handed])
        return {k: _array(v) for k, v in zip(self.names, self.variables, strict=True)}

    def apply(self, gradients: list[Any]) -> None:
        """Give the optimizer the gradients."""
        self.optimizer.apply(gradients, self.variables)

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters: the rate is a variable, all others are attributes."""
        self.hyper |= hyper
        for option, value in self.options.changed(hyper, self.hyper).items():
            setattr(self.optimizer, option, value)

    def save(self) -> list[np.ndarray]:
        """Return copies of parameters and state."""
        return [_array(v) for v in [*self.variables, *self.optimizer.variables]]

    def load(self, state: list[np.ndarray]) -> None:
        """Go on from a state that `save` returned."""
        for variable, value in zip([*self.variables, *self.optimizer.variables], state, strict=True):
            variable.assign(value)


class ApplyGradients(Session):
    """Hands over pairs of gradient and variable."""

    def apply(self, gradients: list[Any]) -> None:
        """Call the older method."""
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))


class Stateless(Session):
    """Calls the method without side effects, compiled where jax is the backend."""

    compiled: Callable[..., Any] | None = None

    def apply(self, gradients: list[Any]) -> None:
        """Take a step and write the results into the variables."""
        if self.compiled is None:
            self.compiled = self.optimizer.stateless_apply
            if keras.backend.backend() == "jax":
                import jax

                self.compiled = jax.jit(self.compiled)
        state = [v.value for v in self.optimizer.variables]
        params, state = self.compiled(state, gradients, [v.value for v in self.variables])
        for variable, value in zip([*self.variables, *self.optimizer.variables], [*params, *state], strict=True):
            variable.assign(value)


class Constant(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc, name-defined]
    """A schedule that is constant until it is told otherwise."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, step: Any) -> Any:
        """Return the rate at a step."""
        return keras.ops.convert_to_tensor(self.rate, dtype="float32")


class Scheduled(Session):
    """Gives the optimizer a schedule."""

    def rate(self, lr: float) -> Constant:
        """Return the schedule."""
        self.schedule = Constant(lr)
        return self.schedule

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters; the rate is that of the schedule."""
        self.schedule.rate = hyper.get("lr", self.schedule.rate)
        super().set(**{k: x for k, x in hyper.items() if k != "lr"})


class Unwrapped(Session):
    """Runs what a wrapper wraps, without it."""

    def make(self) -> Any:
        """Make the inner optimizer."""
        inner = dataclasses.replace(self.options, target=self.options.target.alone)  # type: ignore[attr-defined]
        return inner.make(self.hyper)


class Matrices(Session):
    """Takes no leaf of more than two axes: Muon gives it to Adam, and says so."""

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        if any(p.ndim > 2 for p in params.values()):
            raise ValueError("Muon of keras is for matrices: a leaf of more than two axes is left to Adam")
        super().__init__(options, params, hyper)


def _wraps(options: Options) -> bool:
    return hasattr(options.target, "alone")


WAYS = {
    "apply_gradients": Way(ApplyGradients),
    "stateless_apply": Way(Stateless),
    "learning rate as a schedule": Way(Scheduled, suits=lambda options: "lr" in options.fields),
    "use_ema=True": Way(Session, {"use_ema": True}),
    "without the wrapper": Way(Unwrapped, suits=_wraps),
}
"""Code paths that keras documents to compute the same."""
ASSEMBLY = Assembly(
    Session,
    f"{release('keras')} on {keras.backend.backend()}",
    NAMES,
    dtype="float32",
    # jax has no float64 unless the user asks for it
    dtypes=("bfloat16", "float16", "float64") if keras.backend.backend() == "torch" else ("bfloat16", "float16"),
    ways=WAYS,
    inert=INERT,
    api=lambda options: apis.keras(keras.backend.backend()),
    missing=True,
)


@contextlib.contextmanager
def _unwarned() -> Iterator[None]:
    """Hold back NumPy's warning that torch's ``__array__`` is that of NumPy 1, and keras' of missing gradients."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Gradients do not exist")
        yield


def _tensor(array: np.ndarray) -> Any:
    """Return a tensor: on torch, where tensors can be written to, on the memory of the array, else of a copy."""
    held = array if keras.backend.backend() == "torch" else array.copy()
    return keras.ops.convert_to_tensor(held, dtype=array.dtype.name)


def _array(variable: Any) -> np.ndarray:
    with _unwarned():
        return np.array(keras.ops.convert_to_numpy(variable.value))


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a subclass of keras.optimizers.Optimizer, or a function that returns one.

    Parameters
    ----------
    target : callable
        ``target(**options)``.
    **fixed
        Options that are held, under keras' names.
    """
    if not (isinstance(target, type) and issubclass(target, keras.optimizers.Muon)):
        return ASSEMBLY.candidate(target, named(target, fixed), fixed)
    held = {"epsilon": 1e-7, **fixed}  # is that of the Adam for vectors; the Newton-Schulz one is written in
    return dataclasses.replace(ASSEMBLY, session=Matrices).candidate(target, named(target, fixed), held)


def exports() -> list[Peer]:
    """Find the optimizers of keras; a wrapper has Adam inside."""
    return exported("keras.optimizers", found(), ASSEMBLY, reasons=REASONS)


def found() -> dict[str, Callable[..., Any]]:
    """Return every subclass of the base class."""
    base = keras.optimizers.Optimizer
    classes = public(keras.optimizers, lambda x: isinstance(x, type) and issubclass(x, base) and x is not base)
    return {name: _around(WRAPPERS[name]) if name in WRAPPERS else cls for name, cls in classes.items()}


def _around(wrap: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function with the signature of Adam that knows what it wraps."""

    @functools.wraps(keras.optimizers.Adam, updated=())
    def target(*args: Any, **kwargs: Any) -> Any:
        return wrap(keras.optimizers.Adam(*args, **kwargs))

    target.alone = keras.optimizers.Adam  # type: ignore[attr-defined]
    return target


def peers() -> list[Peer]:
    """List the optimizers of keras that arrayopt has a rule for."""
    rows = [
        Row("SGD", rules.SGD),
        Row("SGD", rules.Momentum, numbers={"momentum": 0.9}),
        Row("SGD", rules.Nesterov, {"nesterov": True}, {"momentum": 0.9}),
        Row("Adagrad", rules.Adagrad),
        Row("RMSprop", rules.RMSProp),
        Row("RMSprop", rules.RMSProp, {"centered": True}, dialect={"centered": True}),
        Row("RMSprop", rules.RMSProp, numbers={"momentum": 0.9}),
        Row("Adadelta", rules.Adadelta),
        Row("Adam", rules.Adam),
        Row("Adam", rules.Adam, {"amsgrad": True}, dialect={"amsgrad": "max_raw"}),
        Row("AdamW", rules.AdamW),
        Row("Adamax", rules.AdaMax),
        Row("Nadam", rules.NAdam),
        Row("Lion", rules.Lion),
        Row("Lamb", rules.LAMB),
        Row("Adafactor", rules.Adafactor),
        Row("Muon", rules.Muon),
        Row("Muon", rules.Muon, {"nesterov": False}, dialect={"nesterov": "none"}),
        Row("Muon", rules.Muon, {"rms_rate": None}, dialect={"scale": "none"}),
    ]
    return listed("keras", keras.optimizers, rows, NAMES, candidate)
