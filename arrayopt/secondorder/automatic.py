"""What quasi-Newton methods search a line with: one rule, or two where none is named, up to a longest step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from arrayopt.backend import Array
from arrayopt.core.method import Status, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.secondorder.line_search import Line, LineSearch, MoreThuente, Search, Trials, search_by
from arrayopt.secondorder.line_search.search import NOT_FINITE

AUTOMATIC = "auto"
"""The name that stands for two rules: those of More and Thuente, and of Hager and Zhang."""
PATIENCE = 20
"""How many searches in a row may lead to no new least value and no new least gradient."""
SINGLE = 1e-10
"""A dtype whose eps is above this has too few digits for Armijo's rule near a minimiser."""


class Stalled(Stop):
    """Ends a run whose steps lead nowhere."""


def no_step(stop: Stop) -> bool:
    """Tell whether a run stopped because its line search found no step, so that another direction may have one."""
    return stop.status in (Status.LINE_SEARCH, Status.PRECISION_FLOOR) and not isinstance(stop, Stalled)


def steepest(objective: Objective, g: Array) -> tuple[Array, float, float]:
    """Return the direction -g, its slope, and 1/|g| for the first trial: a step of length 1, whatever the scale of f.

    Raises
    ------
    Stop
        If the square of the gradient underflows.
    """
    squared = objective.dot(g, g)
    if squared == 0.0:
        raise Stop(Status.NO_PROGRESS, "The square of the gradient's length underflows to 0; scale the objective.")
    return -g, -squared, 1 / math.sqrt(squared)


@final
@dataclass(frozen=True, kw_only=True)
class Confined(LineSearch):
    """A rule on steps up to a longest one, which is accepted if the rule wants to go beyond and it decreases enough.

    Parameters
    ----------
    rule : LineSearch
    longest : float
        > 0.
    """

    rule: LineSearch
    longest: float

    C1 = 1e-4

    @property
    def slopes(self) -> bool:  # type: ignore[override]
        """Whether the rule needs slopes."""
        return self.rule.slopes

    def trials(self, line: Line, a: float) -> Trials:
        """Try what the rule tries, and the longest step in place of longer ones."""
        trials, longest = self.rule.trials(line, min(a, self.longest)), self.longest
        a, at_longest = next(trials), math.nan
        while True:
            if a > longest:
                if math.isnan(at_longest):
                    at_longest, _slope = yield longest
                if at_longest <= line.f + self.C1 * longest * line.slope:
                    return longest
                reply = NOT_FINITE
            else:
                reply = yield a
                if a == longest:
                    at_longest = reply[0]
            try:
                a = trials.send(reply)
            except StopIteration as accepted:
                found: float = accepted.value
                return found


class LineSearches:
    """The driver of the line searches of a run.

    With "auto" the strong Wolfe conditions, by the search of Moré and Thuente, until it finds no step; then those of
    Hager and Zhang. The former take fewer evaluations. But near a minimiser rounding errors in the values hide the
    decrease that they ask for, and the latter look at slopes. In single precision that is so from early on, and they
    are used from the start.

    What Hager and Zhang's conditions accept at the floor of precision are steps among rounding errors, without end. So
    a run stops when neither the value nor the gradient has come to a new least in `PATIENCE` searches.

    Parameters
    ----------
    rule : LineSearch or str
    objective : Objective
    gap : callable
        What measures the gradient at a point.
    """

    def __init__(
        self, rule: LineSearch | str, objective: Objective, gap: Callable[[Point], float] = lambda point: point.gmax
    ) -> None:
        self._gap, self._least, self._least_gap, self._waited = gap, math.inf, math.inf, 0
        rules: list[LineSearch | str] = [rule]
        if rule == AUTOMATIC:
            rules = ["hager_zhang"] if objective.eps > SINGLE else [MoreThuente(most=20), "hager_zhang"]
        self._left: list[Search] = [search_by(x, objective) for x in rules]

    def __call__(self, point: Point, d: Array, slope: float, first: float, longest: float = math.inf) -> Point:
        """Return the accepted point along d.

        Raises
        ------
        Stop
            As `Search` does; `Stalled` if there is no more progress.
        """
        new = self._search(point, d, slope, first, longest)
        if new.f < self._least:
            self._least, self._waited = new.f, 0
            return new
        gap = self._gap(new)
        if gap < self._least_gap:
            self._least_gap, self._waited = gap, 0
            return new
        self._waited += 1
        if self._waited >= PATIENCE:
            small = gap <= math.sqrt(new.objective.eps) * (1 + abs(new.f))
            raise Stalled(
                Status.PRECISION_FLOOR if small else Status.NO_PROGRESS,
                f"Neither the value nor the gradient has come to a new least in {PATIENCE} iterations.",
            )
        return new

    def _search(self, point: Point, d: Array, slope: float, first: float, longest: float) -> Point:
        while True:
            search = self._left[0]
            rule = search.rule
            if longest < math.inf:
                search.rule = Confined(rule=rule, longest=longest)
            try:
                return search(point, d, slope, first)
            except Stop as stop:
                # Twenty trials of the first rule are too few to call an objective unbounded.
                if len(self._left) == 1 or not (no_step(stop) or stop.status is Status.UNBOUNDED):
                    raise
            finally:
                search.rule = rule
            self._left.pop(0)


def search_or_automatic(
    rule: LineSearch | str, objective: Objective, gap: Callable[[Point], float] = lambda point: point.gmax
) -> LineSearches:
    """Return the driver of a rule, given as itself, by name, or as "auto"."""
    return LineSearches(rule, objective, gap)
