"""keras.optimizers, run in float32 on whichever backend keras has."""

import contextlib
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
from arrayopt.conformance.adapters import Peer, Row, listed, named, release
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate

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


class Session:
    """An optimizer and its variables."""

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        self.names = list(params)
        self.variables = [keras.Variable(p, dtype="float32") for p in params.values()]
        self.optimizer = options.make(hyper)
        self.optimizer.build(self.variables)

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        with _unwarned():
            self.optimizer.apply([keras.ops.convert_to_tensor(grads[k]) for k in self.names], self.variables)
        return {k: _array(v) for k, v in zip(self.names, self.variables, strict=True)}

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


@contextlib.contextmanager
def _unwarned() -> Iterator[None]:
    """Hold back NumPy's warning that the ``__array__`` of torch's tensors, which keras calls, is that of NumPy 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


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
    held = dict(fixed)
    if isinstance(target, type) and issubclass(target, keras.optimizers.Muon):
        held.setdefault("epsilon", 1e-7)  # is that of the Adam for vectors; the Newton-Schulz one is written in
    options = Options(target, NAMES, held)

    def make(params: Arrays, **hyper: float) -> Session:
        return Session(options, params, hyper)

    source = f"{release('keras')} on {keras.backend.backend()}"
    return Candidate(named(target, fixed), make, options.fields, dtype="float32", source=source)


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
