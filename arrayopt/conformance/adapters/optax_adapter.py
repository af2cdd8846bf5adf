"""optax: gradient transformations, run in float64; in float32 if JAX_ENABLE_X64 is set to 0."""

import contextlib
import dataclasses
import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release
from arrayopt.conformance.adapters.assembly import Assembly, Way, public
from arrayopt.conformance.adapters.optax_muon_adapter import MATRICES, MUON
from arrayopt.conformance.adapters.optax_wrappers_adapter import around_adam
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.reports.scripts.apis import OPTAX, Api

NAMES = {
    "learning_rate": "lr", "b1": "beta1", "b2": "beta2",
    "initial_accumulator_value": "initial", "initial_scale": "initial", "decay": "rho",  # adagrad, rmsprop
    "beta": "momentum",  # signum, muon
    "ns_steps": "ns_steps",  # muon
    "decay_rate": "beta2_power", "clipping_threshold": "clip_threshold", "weight_decay_rate": "weight_decay",
    "min_dim_size_to_factor": "factor_min",  # adafactor
}  # fmt: skip
"""Options of optax -> fields."""
DOUBLE = os.environ.get("JAX_ENABLE_X64", "").lower() not in ("0", "n", "no", "f", "false", "off")
"""Whether jax is given float64: unless the user has switched it off."""
RATES = ("learning_rate", "max_learning_rate")
"""What tells an optimizer among the functions of optax."""
INNER = ("inner", "opt", "optimizer", "base_optimizer", "fast_optimizer", "tx", "transforms", "inner_factory")
"""What the first argument is called of one that wraps another."""
REASONS = {
    "dpsgd": "takes the gradient of every example",
    "lookahead": "takes pairs of parameters, fast and slow",
    "momo": "takes the value of the loss",
    "momo_adam": "takes the value of the loss",
    "polyak_sgd": "takes the value of the loss",
    "sophia": "estimates the Hessian's diagonal from the loss",
}
"""Why an optimizer cannot be driven with gradients."""
REQUIRED: Mapping[str, Mapping[str, Any]] = {
    "adafactor": {"min_dim_size_to_factor": 2},  # else it factors no matrix of a probe
    "lbfgs": {"linesearch": None},  # else it evaluates the loss
    "mechanize": {"base_optimizer": optax.sgd(0.1)},
    "noisy_sgd": {"key": 0},
    "sam": {"optimizer": optax.sgd(0.1), "adv_optimizer": optax.sgd(0.05, momentum=0.5)},
    "schedule_free": {"base_optimizer": optax.sgd(0.1)},
}
"""Options without which an optimizer cannot be made."""


@contextlib.contextmanager
def _precision(jit: bool = False) -> Iterator[None]:
    """Give jax float64, and say whether it compiles; outside of the context the user decides."""
    # before jax 0.8 it was elsewhere
    double = jax.enable_x64(DOUBLE) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64(DOUBLE)
    with double, jax.disable_jit(not jit):
        yield


class Session:
    """A transformation and its state, of which the step is compiled.

    The hyper-parameters are arguments of what is compiled: it is compiled once for all of them. Without float64 they
    would be single numbers there, and in some transformations Python decides by them: those run op by op.
    """

    jit = DOUBLE

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        with _precision():
            # a copy: jax might go on reading the memory of a NumPy array
            self.params = {k: jnp.array(p) for k, p in params.items()}
            self.state = self.transformation(options, self.hyper).init(self.params)

    @staticmethod
    def transformation(options: Options, hyper: Mapping[str, float]) -> Any:
        """Make the transformation."""
        return options.make(hyper)

    @classmethod
    def updated(cls, options: Options, hyper: Mapping[str, float], grads: Any, state: Any, params: Any) -> Any:
        """Return new parameters and state."""
        updates, state = cls.transformation(options, hyper).update(grads, state, params)
        return optax.apply_updates(params, updates), state

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        with _precision():
            given = {k: jnp.array(g) for k, g in grads.items()}
        self.params, self.state = self.update(given)
        return {k: np.array(p) for k, p in self.params.items()}

    def update(self, grads: Any) -> Any:
        """Return new parameters and state, compiled where that can be."""
        key = (type(self), self.options.target, tuple(self.options.fixed.items()), self.options.every)
        if self.jit and _COMPILED.get(key, True):
            if key not in _COMPILED:
                if len(_COMPILED) >= KEPT:
                    del _COMPILED[next(iter(_COMPILED))]
                _COMPILED[key] = jax.jit(functools.partial(self.updated, self.options))
            try:
                with _precision(jit=True):
                    return _COMPILED[key](self.hyper, grads, self.state, self.params)
            except jax.errors.JAXTypeError:  # it wants a number where there is a variable
                _COMPILED[key] = None
        with _precision():
            return self.updated(self.options, self.hyper, grads, self.state, self.params)

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters: of a transformation that is made again, or in the state if it keeps them there."""
        self.hyper |= hyper
        held = getattr(self.state, "hyperparams", {})
        with _precision():
            changed = self.options.changed(hyper, self.hyper)
            held.update({k: jnp.asarray(x, dtype=held[k].dtype) for k, x in changed.items() if k in held})

    def save(self) -> tuple[Any, Any]:
        """Return copies of parameters and state."""
        return _copied(self.params), _copied(self.state)

    def load(self, state: tuple[Any, Any]) -> None:
        """Go on from a state that `save` returned."""
        self.params, self.state = _copied(state[0]), _copied(state[1])


KEPT = 8
"""Compiled steps that are kept."""
_COMPILED: dict[Any, Any] = {}
"""Compiled steps; None where it cannot be compiled."""


def _copied(tree: Any) -> Any:
    with _precision():
        return jax.tree.map(lambda x: x.copy() if isinstance(x, (jax.Array, np.ndarray)) else x, tree)


class OpByOp(Session):
    """Compiles nothing."""

    jit = False


class Scheduled(Session):
    """Gives the optimizer a schedule that is constant."""

    @staticmethod
    def transformation(options: Options, hyper: Mapping[str, float]) -> Any:
        """Make the transformation."""
        return options.make(hyper, instead=lambda lr: lambda count: lr)


class Injected(Session):
    """Lets the hyper-parameters live in the state."""

    @staticmethod
    def transformation(options: Options, hyper: Mapping[str, float]) -> Any:
        """Make the transformation with all numbers injected."""
        static = set(options.signature) - {e.option for e in options.entries if e.place is None}
        injected = optax.inject_hyperparams(options.target, static_args=tuple(static))
        return injected(**options.arguments(hyper), **options.fixed)


class Unwrapped(Session):
    """Runs what a wrapper wraps, without it."""

    @staticmethod
    def transformation(options: Options, hyper: Mapping[str, float]) -> Any:
        """Make the inner transformation."""
        inner = dataclasses.replace(options, target=options.target.alone)  # type: ignore[attr-defined]
        return inner.make(hyper)


def _wraps(options: Options) -> bool:
    return hasattr(options.target, "alone")


def _takes_rate(options: Options) -> bool:
    return "lr" in options.fields and not _wraps(options)


def _takes_schedule(options: Options) -> bool:
    return _takes_rate(options) and "Callable" in str(options.parameters["learning_rate"])


WAYS = {
    "op by op": Way(OpByOp, suits=lambda options: DOUBLE),
    "learning rate as a schedule": Way(Scheduled, suits=_takes_schedule),
    "inject_hyperparams": Way(Injected, suits=_takes_rate),
    "without the wrapper": Way(Unwrapped, suits=_wraps),
}
"""Code paths that optax documents to compute the same."""
ASSEMBLY = Assembly(
    Session,
    release("optax") if DOUBLE else f"{release('optax')} without x64",
    NAMES,
    dtype="float64" if DOUBLE else "float32",
    dtypes=("float32", "bfloat16", "float16") if DOUBLE else ("bfloat16", "float16"),
    ways=WAYS,
    inert=("verbose",),
    api=lambda options: _api(options),
)


def _api(options: Options) -> Api:
    api = OPTAX if DOUBLE else dataclasses.replace(OPTAX, imports=OPTAX.imports[:2])
    make = f"optimizer = {{optimizer}}({{options}}, {MATRICES})"
    return dataclasses.replace(api, make=(make, *api.make[1:]), rate=(make,)) if options.target is MUON else api


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a function that returns an optax.GradientTransformation.

    Parameters
    ----------
    target : callable
        ``target(**options)``.
    **fixed
        Options that are held, under optax's names.
    """
    return ASSEMBLY.candidate(MUON if target is optax.contrib.muon else target, named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find the functions of optax and optax.contrib that take a learning rate, or another optimizer.

    Those called ``scale_by_`` are parts of optimizers.
    """
    return [
        peer
        for module in (optax, optax.contrib)
        for peer in exported(module.__name__, found(module), ASSEMBLY, REQUIRED, REASONS)
    ]


def found(module: Any) -> dict[str, Callable[..., Any]]:
    """Return the optimizers of a module; a wrapper has Adam inside."""
    targets = {}
    for name, target in public(module, callable).items():
        first = _arguments(target)
        if not (set(RATES) & set(first) or (first[:1] and first[0] in INNER)) or name.startswith("scale_by_"):
            continue
        targets[name] = around_adam(name) or target
    return targets


def _arguments(target: Any) -> list[str]:
    """Return the names of the arguments of a function, or of a class that is no record of state."""
    if isinstance(target, type) and issubclass(target, tuple):
        return []
    try:
        return list(inspect.signature(target).parameters)
    except (TypeError, ValueError):  # of a type alias there is none
        return []


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
    muon = [Row("muon", rules.Muon), Row("muon", rules.Muon, {"nesterov": False}, dialect={"nesterov": "debiased"})]
    found = listed("optax", optax, rows, NAMES, candidate)
    return found + listed("optax", optax.contrib, muon, NAMES, candidate)
