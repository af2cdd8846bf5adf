"""autograd.misc.optimizers: functions that run a whole optimization, ``f(grad, x0, callback, num_iters, ...)``."""

import copy
import functools
import inspect
import queue
import threading
import weakref
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import autograd.misc.optimizers
import numpy as np

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release
from arrayopt.conformance.adapters.assembly import Assembly, public
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.reports.scripts.apis import AUTOGRAD

NAMES = {"step_size": "lr", "mass": "momentum", "gamma": "rho", "b1": "beta1", "b2": "beta2"}
"""Options of autograd -> fields."""


STEPS = 10**9
"""How many steps such a function is told to take: it is stopped before."""


class _Stop(Exception):
    """Ends a function that waits for another gradient."""


class Session:
    """A run in a thread of its own, which waits for its next gradient, since such a function cannot be resumed."""

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.params, self.hyper = options, copy.deepcopy(params), dict(hyper)
        self.history: list[Arrays] = []
        self._start()

    def _start(self) -> None:
        gradients: queue.SimpleQueue[Arrays | None] = queue.SimpleQueue()
        reached: queue.SimpleQueue[Arrays | BaseException] = queue.SimpleQueue()
        options, params, hyper = self.options, copy.deepcopy(self.params), self.hyper

        def gradient(x: Arrays, i: int) -> Arrays:
            reached.put({k: np.array(p) for k, p in x.items()})
            g = gradients.get()
            if g is None:
                raise _Stop
            return g

        def run() -> None:
            try:
                with np.errstate(all="ignore"):
                    options.make(hyper, gradient, params, None, STEPS)
            except BaseException as error:
                reached.put(error)

        # nothing here may hold the session, whose end is that of the thread
        weakref.finalize(self, gradients.put, None)
        threading.Thread(target=run, daemon=True).start()
        self._gradients, self._reached = gradients, reached
        self._wait()

    def _wait(self) -> Arrays:
        """Return the parameters at which the run asks for a gradient."""
        there = self._reached.get()
        if isinstance(there, BaseException):
            raise there
        return there

    def step(self, grads: Arrays) -> Arrays:
        """Take a step; what a function of autograd's returns is new each time, so a copy is handed over."""
        self.history.append(copy.deepcopy(grads))
        self._gradients.put(copy.deepcopy(grads))
        return self._wait()

    def save(self) -> tuple[Arrays, list[Arrays]]:
        """Return copies of the start and of all gradients so far."""
        return copy.deepcopy((self.params, self.history))

    def load(self, state: tuple[Arrays, list[Arrays]]) -> None:
        """Go on from a state that `save` returned, by taking all its steps again."""
        self._gradients.put(None)
        self.params, history = copy.deepcopy(state)
        self.history = []
        self._start()
        for g in history:
            self.step(g)


ASSEMBLY = Assembly(Session, release("autograd"), NAMES, api=lambda options: AUTOGRAD)


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a function with the arguments of autograd's.

    Parameters
    ----------
    target : callable
        ``target(grad, x0, callback, num_iters, **options)``; ``grad(x, i)`` is the gradient of step i.
    **fixed
        Options that are held, under autograd's names.
    """
    return ASSEMBLY.candidate(_shown(target), named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find the optimizers of autograd: the functions that start with a gradient."""
    every = public(autograd.misc.optimizers, inspect.isfunction)
    shown = {name: _shown(function) for name, function in every.items()}
    own = {name: f for name, f in shown.items() if next(iter(inspect.signature(f).parameters), "") == "grad"}
    return exported(autograd.misc.optimizers.__name__, own, ASSEMBLY)


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
