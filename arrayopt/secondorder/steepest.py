"""Steepest descent: along the negative gradient, which is the direction of steepest fall in the Euclidean norm."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from arrayopt.core.method import Method
from arrayopt.core.objective import Objective, Point
from arrayopt.secondorder.line_search import LineSearch, search_by


@final
@dataclass(frozen=True, kw_only=True)
class SteepestDescent(Method):
    r"""Steepest descent with a line search.

    .. math:: x_{k+1} = x_k - a_k \nabla f(x_k)

    Parameters
    ----------
    line_search : LineSearch or str
        How :math:`a_k` is found: a rule, or the name of one in `SEARCHES`. The first trial is twice the last step.
        With `Exact` successive gradients are orthogonal, and the path zigzags.

    Notes
    -----
    On a quadratic of condition k the error in the A-norm falls by at least :math:`((k-1)/(k+1))^2` a step with an
    exact search, and by no more from :math:`x_0 = (k, 1)` on diag(1, k).

    References
    ----------
    Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, 1847.
    """

    line_search: LineSearch | str = "armijo"

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Search along -g."""
        search, point = search_by(self.line_search, objective), start
        first = math.nan
        while True:
            g = point.g
            squared = objective.dot(g, g)
            first = 1 / math.sqrt(squared) if math.isnan(first) else 2 * first
            point = search(point, -g, -squared, first)
            first = point.step
            yield point
