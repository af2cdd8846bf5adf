"""Line searches: rules of acceptance, one a file, and the driver that evaluates their trials."""

from collections.abc import Mapping

from arrayopt.core.objective import Objective
from arrayopt.errors import OptionError
from arrayopt.secondorder.line_search.armijo import Armijo
from arrayopt.secondorder.line_search.bisection import Bisection
from arrayopt.secondorder.line_search.exact import Exact
from arrayopt.secondorder.line_search.hager_zhang import HagerZhang
from arrayopt.secondorder.line_search.more_thuente import MoreThuente
from arrayopt.secondorder.line_search.search import Falling, Line, LineSearch, NoStep, Search, Trials
from arrayopt.secondorder.line_search.weak_wolfe import WeakWolfe

SEARCHES: Mapping[str, type[LineSearch]] = {
    "armijo": Armijo,
    "weak_wolfe": WeakWolfe,
    "more_thuente": MoreThuente,
    "hager_zhang": HagerZhang,
    "exact": Exact,
    "bisection": Bisection,
}
"""The rules by name."""


def search_by(rule: LineSearch | str, objective: Objective) -> Search:
    """Return the driver of a rule, or of the name of one, for a run on an objective.

    Raises
    ------
    OptionError
        If there is no such rule.
    """
    if isinstance(rule, str):
        if rule not in SEARCHES:
            raise OptionError(f"line_search: there is no {rule!r}; there are {', '.join(SEARCHES)}")
        rule = SEARCHES[rule]()
    if not isinstance(rule, LineSearch):
        raise OptionError(f"line_search: expected a LineSearch or a name, got a {type(rule).__name__}")
    return Search(rule, objective)


__all__ = [
    "SEARCHES",
    "Armijo",
    "Bisection",
    "Exact",
    "Falling",
    "HagerZhang",
    "Line",
    "LineSearch",
    "MoreThuente",
    "NoStep",
    "Search",
    "Trials",
    "WeakWolfe",
    "search_by",
]
