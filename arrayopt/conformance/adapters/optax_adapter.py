"""optax: gradient transformations, run in float64."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, listed, named, release
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate

NAMES = {
    "learning_rate": "lr", "b1": "beta1", "b2": "beta2",
    "initial_accumulator_value": "initial", "initial_scale": "initial", "decay": "rho",  # adagrad, rmsprop
    "beta": "momentum",  # signum, muon
    "ns_steps": "ns_steps",  # muon
    "decay_rate": "beta2_power", "clipping_threshold": "clip_threshold", "weight_decay_rate": "weight_decay",
    "min_dim_size_to_factor": "factor_min",  # adafactor
}  # fmt: skip
"""Options of optax -> fields."""


@contextlib.contextmanager
def _float64() -> Iterator[None]:
    """Give jax float64 and let it compile nothing, as probes are short; outside of the context the user decides."""
    double = jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64()  # before jax 0.8
    with double, jax.disable_jit():
        yield


class Session:
    """A transformation and its state.

    The hyper-parameters live in the transformation and not in the state, so they are changed by making another
    one that goes on with the old state; this is what ``optax.inject_hyperparams`` does, without its float32.
    """

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        with _float64():
            self.transformation = options.make(hyper)
            self.params = {k: jnp.asarray(p) for k, p in params.items()}
            self.state = self.transformation.init(self.params)

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        with _float64():
            gradients = {k: jnp.asarray(g) for k, g in grads.items()}
            updates, self.state = self.transformation.update(gradients, self.state, self.params)
            self.params = optax.apply_updates(self.params, updates)
            return {k: np.array(p) for k, p in self.params.items()}

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters."""
        self.hyper |= hyper
        with _float64():
            self.transformation = self.options.make(self.hyper)

    def save(self) -> tuple[Any, Any]:
        """Return parameters and state, neither of which ever changes."""
        return self.params, self.state

    def load(self, state: tuple[Any, Any]) -> None:
        """Go on from a state that `save` returned."""
        self.params, self.state = state


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a function that returns an optax.GradientTransformation.

    Parameters
    ----------
    target : callable
        ``target(**options)``.
    **fixed
        Options that are held, under optax's names.
    """
    options = Options(target, NAMES, fixed)

    def make(params: Arrays, **hyper: float) -> Session:
        return Session(options, params, hyper)

    return Candidate(named(target, fixed), make, options.fields, source=release("optax"))


def peers() -> list[Peer]:
    """List the optimizers of optax that arrayopt has a rule for."""
    rows = [
        Row("sgd", rules.SGD),
        Row("sgd", rules.Momentum, numbers={"momentum": 0.9}),
        Row("sgd", rules.Nesterov, {"nesterov": True}, {"momentum": 0.9}),
        Row("adagrad", rules.Adagrad),
        Row("rmsprop", rules.RMSProp),
        Row("rmsprop", rules.RMSProp, {"centered": True}, dialect={"centered": True}),
        Row("rmsprop", rules.RMSProp, {"eps_in_sqrt": False}, dialect={"eps_place": "outside"}),
        Row("rmsprop", rules.RMSProp, {"bias_correction": True}, dialect={"bias_correction": True}),
        Row("rmsprop", rules.RMSProp, numbers={"momentum": 0.9}),
        Row("rmsprop", rules.RMSProp, {"initial_scale": 1.0}, dialect={"initial": 1.0}),
        Row("adadelta", rules.Adadelta),
        Row("adam", rules.Adam),
        Row("adam", rules.Adam, numbers={"eps_root": 1e-3}),
        Row("amsgrad", rules.Adam, dialect={"amsgrad": "max_corrected"}),
        Row("adamw", rules.AdamW),
        Row("adamax", rules.AdaMax),
        Row("adamaxw", rules.AdaMax, dialect={"decay": "decoupled", "weight_decay": 1e-4}),
        Row("nadam", rules.NAdam),
        Row("nadamw", rules.NAdam, dialect={"decay": "decoupled", "weight_decay": 1e-4}),
        Row("radam", rules.RAdam),
        Row("adabelief", rules.AdaBelief),
        Row("sign_sgd", rules.SignSGD),
        Row("signum", rules.Signum),
        Row("lion", rules.Lion),
        Row("lamb", rules.LAMB),
        Row("adafactor", rules.Adafactor, numbers={"lr": 0.01}),
        Row("adafactor", rules.Adafactor, numbers={"lr": 0.01, "factor_min": 2}),
    ]
    found = listed("optax", optax, rows, NAMES, candidate)
    muon = [
        Row("muon", rules.Muon),
        Row("muon", rules.Muon, {"nesterov": False}, dialect={"nesterov": "debiased"}),
    ]
    return found + listed("optax", optax.contrib, muon, NAMES, candidate)
