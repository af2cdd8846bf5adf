"""Methods that ask for populations as methods of `minimize`: each iteration is one generation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

from arrayopt.backend import fetch
from arrayopt.core.method import Method
from arrayopt.core.objective import Objective, Point
from arrayopt.core.population import Population


@final
@dataclass(frozen=True, kw_only=True)
class ByPopulation(Method):
    """Generations of a population method, on one run.

    Parameters
    ----------
    population : Population
    seed : int
        In [0, 2^64): the same seed gives the same run.
    vectorized : bool
        `fun` takes a whole population, an array of shape (n, d), and returns n values. False, it takes one point like
        x0.
    workers : map-like callable, optional
        ``workers(fun, points)`` returns the values in order, for a `fun` of one point.
    """

    population: Population
    seed: int = 0
    vectorized: bool = False
    workers: Any = None

    derivative_free: ClassVar[bool] = True

    def prepare(self, objective: Objective) -> None:
        """Tell the objective that x0, too, is asked for as a population."""
        objective.vectorized = self.vectorized

    def may_rest(self, before: Point, new: Point) -> bool:
        """Never by two generations alone: a better point may yet come; the population says when it has ended."""
        return False

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Ask, evaluate, tell; yield the best so far."""
        method, point = self.population, start
        state = method.init(start.x, seed=self.seed)
        while True:
            x = method.ask(state)
            state = method.tell(state, x, objective.population(x, self.vectorized, self.workers))
            (best,) = fetch(objective.xp, state.best_f)
            if not point.f <= best:  # so that a value replaces NaN
                point = Point(objective, state.best_x, best)
            yield point
            if end := method.stopped(state):
                raise end
