"""Newton's method: pure, damped, and with the Hessian made positive definite where it is not."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.backend import Array, fetch
from arrayopt.core.method import Method, Status, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.secondorder.automatic import AUTOMATIC, LineSearches, search_or_automatic, steepest
from arrayopt.secondorder.factors import power_of_two, solve
from arrayopt.secondorder.line_search import LineSearch
from arrayopt.secondorder.modified_cholesky import flipped, gill_murray_wright, identity, least_shift, shift, shifted

LESS = 0.25
"""Of a shift: what is tried first at the next point. So shifts follow the lowest eigenvalue where that is small."""


@final
@dataclass(frozen=True, kw_only=True)
class Newton(Method):
    r"""Newton's method.

    .. math:: x_{k+1} = x_k - a_k B_k^{-1} \nabla f(x_k), \qquad B_k \approx \nabla^2 f(x_k)

    Parameters
    ----------
    damping : {"line_search", "none"}
        How far: :math:`a_k` by `line_search`, whose first trial is 1, or 1 always.
    modification : {"shift", "gmw", "eigenvalues", "none"}
        What :math:`B_k` is: the Hessian with a multiple of I added, with a diagonal added, or with the moduli of its
        eigenvalues (see `arrayopt.secondorder.modified_cholesky`); or the Hessian. All are the Hessian itself where
        that is positive definite. After a shift, a quarter of it is tried first at the next point.
    line_search : LineSearch or str
        A rule, the name of one in `SEARCHES`, or "auto": Moré and Thuente's as long as it finds a step, and Hager and
        Zhang's then. When no step is found along the direction, the search goes along -g.

    Notes
    -----
    Quadratic convergence near a minimiser with a positive definite Hessian, where the search accepts :math:`a_k = 1`.
    On a convex quadratic one step is enough.

    With neither damping nor modification this is Newton's method for the roots of the gradient, as the textbooks have
    it: f may rise, iterates may cycle, and it goes to saddle points and maximisers as readily as to minimisers.

    A run ends as `SINGULAR` where a Hessian that is not modified has no inverse, and as `NEGATIVE_CURVATURE` where
    damping meets a direction that does not descend. A Hessian of zeros counts as :math:`\|g\| I`.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, sections 3.3 and 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import minimize
    >>> result = minimize(lambda x: (x**4 - x**2).sum(), [0.1, 2.0], jac=lambda x: 4 * x**3 - 2 * x,
    ...                   hess=lambda x: np.diag(12 * x**2 - 2), method="newton")
    >>> result.x.round(6), result.nit
    (array([0.707107, 0.707107]), 7)
    """

    damping: Literal["line_search", "none"] = "line_search"
    modification: Literal["shift", "gmw", "eigenvalues", "none"] = "shift"
    line_search: LineSearch | str = AUTOMATIC

    needs = ("hess",)

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Solve with the Hessian, step or search."""
        search, point = search_or_automatic(self.line_search, objective), start
        least = math.inf
        while True:
            d, tau = newton_direction(objective, point, self.modification, least)
            least = tau * LESS if tau else least
            if self.damping == "none":
                point = objective.at(point.x + d)
            elif self.modification == "none" and not objective.dot(point.g, d) < 0:
                raise Stop(Status.NEGATIVE_CURVATURE, "Newton's direction does not descend; set a modification.")
            else:
                point = searched(search, point, d)
            yield point


def searched(search: LineSearches, point: Point, d: Array) -> Point:
    """Return the point that a search along d accepts; along -g if d does not descend or the search finds no step.

    At the floor of precision no other direction helps, and the search's `Stop` passes.
    """
    objective = point.objective
    slope = objective.dot(point.g, d)
    if slope < 0:
        try:
            return search(point, d, slope, 1.0)
        except Stop as stop:
            if stop.status is not Status.LINE_SEARCH:
                raise
    return search(point, *steepest(objective, point.g))


def newton_direction(
    objective: Objective, point: Point, modification: str, least: float = math.inf
) -> tuple[Array, float]:
    """Return the solution of B d = -g, where B is the Hessian at a point, modified; and its shift if it is "shift".

    Raises
    ------
    Stop
        If the Hessian is not finite, or not modified and singular.
    """
    xp, H = objective.xp, objective.hessian(point)
    (size,) = fetch(xp, xp.max(xp.abs(H)))
    if not math.isfinite(size):
        raise Stop(Status.NOT_FINITE, "The Hessian is not.")
    if size == 0.0 and modification != "none":
        return point.g / -math.sqrt(objective.dot(point.g, point.g)), 0.0
    unit = power_of_two(size)
    B, b, tau = H / unit, point.g / -unit, 0.0
    if modification == "eigenvalues":
        eigenvalues, Q = flipped(B)
        return Q @ ((b @ Q) / eigenvalues), 0.0
    if modification == "shift":
        tau = shift(B, least / unit)
        B = shifted(B, tau)
    elif modification == "gmw":
        B = B + gill_murray_wright(B)[:, None] * identity(B)
    d = solve(B, b)
    if modification != "none" and (d is None or not objective.dot(b, d) > 0):  # B is positive definite but for rounding
        d = solve(shifted(B, least_shift(B)), b)
    if d is None:
        raise Stop(Status.SINGULAR, "It is the Hessian.")
    return d, tau * unit
