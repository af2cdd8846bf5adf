"""Evaluations as the outside counts them: one for each new point at which value and gradient are asked for."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from validation.problems.problem import Array, Problem

SMALL_GRADIENT = 1e-5
"""G: the largest component of the gradient is at most this times 1 + |f|."""


class Spent(Exception):
    """A limit was reached: "evaluations" or "time"."""


@dataclass
class Counter:
    """A problem as solvers call it, with limits, and a record of what they saw.

    Parameters
    ----------
    problem : Problem
    cap : int
        Evaluations after which `Spent` is raised.
    seconds : float
        Processor time after which `Spent` is raised.
    dtype : str
        What values, gradients and Hessians are rounded to.
    scale : int
        Everything is multiplied by 2**scale.
    gtol : float
        The tolerance whose first attainment is noted; it is scaled too.

    Attributes
    ----------
    evaluations, hessians : int
    falls : list of (int, float)
        The evaluations that were lower than all before, and their values.
    small, within : int or None
        The first evaluation with a small gradient (G), and the first with one within gtol.
    best : array
        Where the value was least.
    """

    problem: Problem
    cap: int
    seconds: float
    dtype: str = "float64"
    scale: int = 0
    gtol: float = 0.0
    clock: Callable[[], float] = time.process_time
    evaluations: int = 0
    hessians: int = 0
    falls: list[tuple[int, float]] = field(default_factory=list)
    small: int | None = None
    within: int | None = None

    def __post_init__(self) -> None:
        self.best = self.problem.x0
        self._factor = 2.0**self.scale
        self._end = self.clock() + self.seconds
        self._last: tuple[Array, tuple[Any, Array]] | None = None

    def __call__(self, x: Array) -> tuple[Any, Array]:
        """Return value and gradient; asked for the last point again, from memory."""
        if self._last is not None and np.array_equal(x, self._last[0]):
            return self._last[1]
        if self.evaluations >= self.cap:
            raise Spent("evaluations")
        self._check_time()
        self.evaluations += 1
        f, g = self.look(x)
        self._note(x, float(f), float(np.max(np.abs(g))))
        self._last = np.array(x), (f, g)
        return f, g

    def look(self, x: Array) -> tuple[Any, Array]:
        """Return value and gradient, not counted."""
        f, g = self.problem.value_and_gradient(np.asarray(x))
        with np.errstate(over="ignore", under="ignore"):
            dtype = np.dtype(self.dtype).type
            return dtype(f * self._factor), (g * self._factor).astype(dtype)

    def hessian(self, x: Array) -> Array:
        """Return the Hessian."""
        self._check_time()
        self.hessians += 1
        with np.errstate(over="ignore", under="ignore"):
            return (self.problem.hessian(np.asarray(x)) * self._factor).astype(self.dtype)

    @property
    def least(self) -> float:
        """The least value seen; infinite before there is a finite one."""
        return self.falls[-1][1] if self.falls else math.inf

    def tail(self, share: float) -> list[tuple[int, float]]:
        """Return the part of the record that F can depend on, whatever other solvers find.

        F asks for f <= b + share (f0 - b), which rises with b, the best value of all solvers; and b is at most ours.
        """
        if not self.falls:
            return []
        enough = threshold(self.falls[0][1], self.least, share)
        return [fall for fall in self.falls if fall[1] <= enough] or self.falls[-1:]

    def _check_time(self) -> None:
        if self.clock() > self._end:
            raise Spent("time")

    def _note(self, x: Array, f: float, gmax: float) -> None:
        if f < self.least:
            self.falls.append((self.evaluations, f))
            self.best = np.array(x)
        if self.small is None and gmax <= SMALL_GRADIENT * (self._factor + abs(f)):
            self.small = self.evaluations
        if self.within is None and gmax <= self.gtol:
            self.within = self.evaluations


def threshold(start: float, best: float, share: float) -> float:
    """Return the value that F asks for: `share` of the way from the best value back to that at the start."""
    return best + share * (start - best)
