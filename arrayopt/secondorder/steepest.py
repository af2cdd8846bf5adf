"""Steepest descent: along the negative gradient, which is the direction of steepest fall in the Euclidean norm."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from arrayopt.core.method import Method
from arrayopt.core.objective import Objective, Point
from arrayopt.secondorder.automatic import steepest
from arrayopt.secondorder.line_search import LineSearch, search_by


@final
@dataclass(frozen=True, kw_only=True)
class SteepestDescent(Method):
    r"""Steepest descent with a line search.

    .. math:: x_{k+1} = x_k - a_k \nabla f(x_k)

    Parameters
    ----------
    line_search : LineSearch or str
        How :math:`a_k` is found: a rule, or the name of one in `SEARCHES`. The first trial is of length 1, and twice
        the last step later. With "exact" successive gradients are orthogonal, and the path zigzags.

    Notes
    -----
    On a quadratic of condition k an exact search makes f fall towards its least value by a factor of at most
    :math:`((k-1)/(k+1))^2` a step; from :math:`x_0 = (k, 1)` on diag(1, k) it is this factor at every step.

    References
    ----------
    Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, 1847.
    """

    line_search: LineSearch | str = "armijo"

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Search along -g."""
        search, point = search_by(self.line_search, objective), start
        d, slope, first = steepest(objective, point.g)
        while True:
            point = search(point, d, slope, first)
            yield point
            first = 2 * point.step
            d, slope, _unit = steepest(objective, point.g)
