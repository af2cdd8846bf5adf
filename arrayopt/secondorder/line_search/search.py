"""Line searches: which step along a direction to accept, as generators of trials; one driver evaluates them.

A rule of acceptance is a frozen dataclass whose `trials` is a generator: it yields a step length, is sent phi(a) and
phi'(a), where phi(a) = f(x + a d), and returns the length it accepts, which must be the last one that it tried or the
one of least value. The driver keeps these two points, so an accepted point is never evaluated again.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass

from arrayopt.backend import Array
from arrayopt.core.method import Status, Stop
from arrayopt.core.objective import Objective, Point, at_floor
from arrayopt.core.options import Checked

Trials = Generator[float, tuple[float, float], float]

NOT_FINITE = math.inf, math.nan
"""What a rule is sent for a trial whose value or slope is not finite."""
SHORTEN = 0.1
"""What the distance to such a trial is multiplied by for the next one (Hager and Zhang)."""


class NoStep(Exception):
    """Raised by a rule that found no acceptable step; says why."""


class Falling(NoStep):
    """Raised by a rule that found no acceptable step because the values fall and fall, however long the step."""


@dataclass(slots=True)
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
    curvature : callable or None
        Returns phi''(0) = d'Hd, where the objective was given second derivatives.
    """

    f: float
    slope: float
    scale: float
    eps: float
    curvature: Callable[[], float] | None = None


@dataclass(frozen=True, kw_only=True)
class LineSearch(Checked):
    """A rule of acceptance."""

    slopes = True
    """Whether it needs phi'(a) at its trials."""

    @abstractmethod
    def trials(self, line: Line, a: float) -> Trials:
        """Yield step lengths from the first one `a` on, and return the accepted one.

        A trial that is not finite is sent as (inf, nan): it was too long, and no later one is as long.

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
        self._curved = not objective.given.isdisjoint(("hess", "hessp"))

    def __call__(self, point: Point, d: Array, slope: float, first: float) -> Point:
        """Return the accepted point along d; its `step` is the length.

        Raises
        ------
        Stop
            If there is none: at the floor of precision where the gradient is small, else as a failed search; or
            because the objective falls without bound.
        """
        objective, x = self.objective, point.x
        self._weight = 1.0 + self._weight * self.DECAY
        self.scale += (abs(point.f) - self.scale) / self._weight
        line = Line(point.f, slope, self.scale, objective.eps)
        if self._curved:
            line.curvature = lambda: objective.dot(d, objective.hessian_product(point, d))
        along = d if self.rule.slopes else None
        trials = self.rule.trials(line, first)
        least = point
        try:
            a = next(trials)
            while True:
                new = objective.at(x + a * d, along)
                new.step = a
                if new.finite:
                    if new.f < least.f:
                        least = new
                    a = trials.send((new.f, new.slope))
                elif new.f == -math.inf:
                    raise Stop(Status.UNBOUNDED, "It is -inf at a trial step.")
                else:
                    a = trials.send(NOT_FINITE)
        except StopIteration as accepted:
            return new if new.step == accepted.value else least
        except NoStep as why:
            raise Stop(_status(why, point), str(why)) from None


def _status(why: NoStep, point: Point) -> Status:
    """Return how a run ends when a search from `point` found no step."""
    if isinstance(why, Falling):
        return Status.UNBOUNDED
    return Status.PRECISION_FLOOR if at_floor(point) else Status.LINE_SEARCH
