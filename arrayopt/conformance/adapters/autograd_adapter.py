"""autograd.misc.optimizers: functions that run a whole optimization, ``f(grad, x0, callback, num_iters, ...)``."""

import functools
import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import autograd.misc.optimizers

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, listed, named, release
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate

NAMES = {"step_size": "lr", "mass": "momentum", "gamma": "rho", "b1": "beta1", "b2": "beta2"}
"""Options of autograd -> fields."""


class Session:
    """A history of gradients.

    Such a function cannot be stopped and resumed, so every step runs it anew from the start, over all gradients so
    far. That costs the square of the number of steps, which is small in a probe.
    """

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.optimize, self.hyper, self.params = options, dict(hyper), params
        self.history: list[Arrays] = []

    def step(self, grads: Arrays) -> Arrays:
        """Take all steps so far and one more."""
        self.history.append(grads)
        params: Arrays = self.optimize.make(
            self.hyper, lambda x, i: self.history[i], self.params, None, len(self.history)
        )
        return params

    def save(self) -> list[Arrays]:
        """Return the history."""
        return list(self.history)

    def load(self, state: list[Arrays]) -> None:
        """Go on from a state that `save` returned."""
        self.history = list(state)


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a function with the arguments of autograd's.

    Parameters
    ----------
    target : callable
        ``target(grad, x0, callback, num_iters, **options)``; ``grad(x, i)`` is the gradient of step i.
    **fixed
        Options that are held, under autograd's names.
    """
    options = Options(_shown(target), NAMES, fixed)

    def make(params: Arrays, **hyper: float) -> Session:
        return Session(options, params, hyper)

    return Candidate(named(target, fixed), make, options.fields, source=release("autograd"))


def _shown(target: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its true signature, which autograd's decorator hides."""
    inner = inspect.getclosurevars(target).nonlocals.get("optimize") if inspect.isfunction(target) else None
    return target if inner is None else functools.wraps(inner)(functools.partial(target))


def peers() -> list[Peer]:
    """List the optimizers of autograd."""
    rows = [
        Row("sgd", rules.SGD, {"mass": 0.0}),
        Row("sgd", rules.Momentum),
        Row("rmsprop", rules.RMSProp),
        Row("adam", rules.Adam),
    ]
    names = {row.optimizer for row in rows}
    module = SimpleNamespace(
        __name__=autograd.misc.optimizers.__name__,
        **{name: _shown(getattr(autograd.misc.optimizers, name)) for name in names},
    )
    return listed("autograd", module, rows, NAMES, candidate)
