"""Newton's method with directions from conjugate gradients: products with the Hessian, no factorisation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.core.method import Method, Status, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.secondorder.automatic import AUTOMATIC, search_or_automatic
from arrayopt.secondorder.line_search import LineSearch
from arrayopt.secondorder.newton import searched
from arrayopt.secondorder.truncated_cg import forced, products, steps_of_cg

POWERS = {"superlinear": 0.5, "quadratic": 1.0}


@final
@dataclass(frozen=True, kw_only=True)
class NewtonCG(Method):
    r"""Newton-CG, the truncated Newton method.

    .. math:: x_{k+1} = x_k + a_k d_k, \qquad \|\nabla^2 f(x_k) d_k + g_k\| \le \min\left(\tfrac12,
              \left(\|g_k\| / \|g_0\|\right)^q\right) \|g_k\|

    Conjugate gradients find :math:`d_k`. Along a direction of negative curvature they stop, and what is there is
    :math:`d_k`; or :math:`-g_k` if it is the first.

    Parameters
    ----------
    forcing : {"superlinear", "quadratic"}
        How fast it converges once the search accepts :math:`a_k = 1`: q = 1/2 for order 3/2, or q = 1 for order 2.
    line_search : LineSearch or str
        A rule, the name of one in `SEARCHES`, or "auto", as in `Newton`. The first trial is 1.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.1; for the forcing term see `forced`.
    """

    forcing: Literal["superlinear", "quadratic"] = "superlinear"
    line_search: LineSearch | str = AUTOMATIC

    needs = ("hessp",)

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Solve roughly, search."""
        search, point = search_or_automatic(self.line_search, objective), start
        dot = objective.dot
        norm = first = dot(start.g, start.g) ** 0.5
        while True:
            tolerance = forced(norm, first, POWERS[self.forcing])
            *_, last = steps_of_cg(products(objective, point), point.g, tolerance=tolerance)
            if last.end == "not finite":
                raise Stop(Status.NOT_FINITE, "A product with the Hessian is not.")
            point = searched(search, point, last.p)
            norm = dot(point.g, point.g) ** 0.5
            yield point
