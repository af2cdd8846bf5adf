"""Line searches: which step along a direction to accept, as generators of trials; one driver evaluates them.

A rule of acceptance is a frozen dataclass whose `trials` is a generator: it yields a step length, is sent phi(a) and
phi'(a), where phi(a) = f(x + a d), and returns the length it accepts, which must be one that it has tried. The driver
keeps what it evaluated, so an accepted point is never evaluated again.
"""

import math
from abc import abstractmethod
from collections.abc import Generator
from dataclasses import dataclass

from arrayopt.backend import Array
from arrayopt.core.method import Status, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.core.options import Checked

Trials = Generator[float, tuple[float, float], float]


class NoStep(Exception):
    """Raised by a rule that found no acceptable step; says why."""


@dataclass(frozen=True)
class Line:
    """What a rule may know before its first trial.

    Attributes
    ----------
    f, slope : float
        phi(0) and phi'(0) < 0.
    scale : float
        C_k, a running mean of |f| over the run (Hager and Zhang).
    eps : float
        The distance from 1 to the next number of the dtype.
    """

    f: float
    slope: float
    scale: float
    eps: float


@dataclass(frozen=True, kw_only=True)
class LineSearch(Checked):
    """A rule of acceptance."""

    slopes = True
    """Whether it needs phi'(a) at its trials."""

    @abstractmethod
    def trials(self, line: Line, a: float) -> Trials:
        """Yield step lengths from the first one `a` on, and return the accepted one.

        A trial that is not finite is sent as (inf, nan).

        Raises
        ------
        NoStep
            When there is none.
        """


class Search:
    """The driver: a rule on an objective, through one run of a method."""

    DECAY = 0.7

    def __init__(self, rule: LineSearch, objective: Objective) -> None:
        self.rule, self.objective = rule, objective
        self._weight, self.scale = 0.0, 0.0

    def __call__(self, point: Point, d: Array, slope: float, first: float) -> Point:
        """Return the accepted point along d; its `step` is the length.

        Raises
        ------
        Stop
            If there is none: at the floor of precision where the gradient is small, else as a failed search.
        """
        objective, kept = self.objective, {}
        self._weight = 1.0 + self._weight * self.DECAY
        self.scale += (abs(point.f) - self.scale) / self._weight
        line = Line(point.f, slope, self.scale, objective.eps)
        trials = self.rule.trials(line, first)
        allowed = point.f + max(1e-6, 4 * objective.eps) * self.scale  # what no rule accepts beyond need not be kept
        try:
            a = next(trials)
            while True:
                new = objective.at(point.x + a * d, d if self.rule.slopes else None)
                new.step = a
                if not new.finite:
                    a = trials.send((math.inf, math.nan))
                    continue
                if new.f <= allowed:
                    kept[a] = new
                a = trials.send((new.f, new.slope))
        except StopIteration as accepted:
            found: Point = kept[accepted.value]
            return found
        except NoStep as why:
            small = point.gmax <= math.sqrt(objective.eps) * (1 + abs(point.f))
            raise Stop(Status.PRECISION_FLOOR if small else Status.LINE_SEARCH, str(why)) from None
