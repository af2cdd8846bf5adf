"""Trust-region methods: a quadratic model is minimised where it is trusted."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, final

from arrayopt.backend import fetch
from arrayopt.core.method import Method, Status, Stop
from arrayopt.core.objective import Objective, Point, at_floor
from arrayopt.core.options import Interval, Positive
from arrayopt.secondorder.truncated_cg import forced, products
from arrayopt.secondorder.trust_subproblems import Solver, cauchy, dogleg, exact, steihaug

POOR, GOOD = 0.25, 0.75
"""Shares of the promised decrease below which the radius shrinks, and above which it may grow."""
SHRINK, GROW = 0.25, 2.0
BLUR = 10.0
"""In units of the rounding of f: differences of values that say nothing."""
NOISE = 100.0
"""In units of `BLUR`: errors of f that sums of many terms have."""
MOST = 60
"""Steps from one point that may be rejected; the radius has shrunk by 4^60 then."""


@final
@dataclass(frozen=True, kw_only=True)
class TrustRegion(Method):
    r"""Trust-region Newton method.

    .. math:: p_k \approx \arg\min_{\|p\| \le \Delta_k} \; m_k(p) = g_k'p + \tfrac12 p' \nabla^2 f(x_k) p, \qquad
              r_k = \frac{f(x_k) - f(x_k + p_k)}{m_k(0) - m_k(p_k)}

    The step is taken if :math:`r_k > \eta`. If :math:`r_k < 1/4` the radius becomes a quarter of the step; if
    :math:`r_k > 3/4` and the step is on the boundary, it doubles.

    Parameters
    ----------
    subproblem : {"exact", "steihaug", "dogleg", "cauchy"}
        How :math:`p_k` is found, see `arrayopt.secondorder.trust_subproblems`. "exact" is the global minimiser, by
        eigenvalues; "steihaug" conjugate gradients, which need products with the Hessian only; "dogleg" a path to
        Newton's step, by Cholesky, where the Hessian is positive definite or shifted; "cauchy" is along the gradient.
    radius, max_radius : float
        The first radius, in units of x, and the largest.
    eta : float
        In [0, 1/4).

    Notes
    -----
    An iteration is a step that was taken. A trial point where f or its gradient is not finite is rejected.

    When the promised decrease is within rounding errors of f, the ratio says nothing: then a step is taken if the
    largest component of the gradient decreases, and else the run ends.

    With "exact" every limit point satisfies the second-order necessary conditions, so that it does not end at a
    saddle point that it does not start at.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, algorithm 4.1; Conn, Gould and Toint, Trust-Region Methods, 2000,
    section 17.4.2 on rounding.

    Examples
    --------
    >>> from arrayopt import minimize
    >>> from arrayopt.problems import rosenbrock
    >>> problem = rosenbrock(2)
    >>> result = minimize(problem.value, problem.start, jac=problem.gradient, hess=problem.hessian,
    ...                   method="trust_region")
    >>> result.x.round(6), result.status.name
    (array([1., 1.]), 'CONVERGED')
    """

    subproblem: Literal["exact", "steihaug", "dogleg", "cauchy"] = "exact"
    radius: Positive = 1.0
    max_radius: Positive = 1e10
    eta: Annotated[float, Interval(0.0, POOR)] = 0.15

    needs = ("hess", "hessp")

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Solve the subproblem in ever smaller balls until a step is taken."""
        point, radius = start, min(self.radius, self.max_radius)
        first = objective.dot(start.g, start.g) ** 0.5
        while True:
            solver = self._solver(objective, point, first)
            point, radius = self._taken(objective, point, solver, radius)
            yield point

    def _solver(self, objective: Objective, point: Point, first: float) -> Solver:
        g = point.g
        if self.subproblem in ("exact", "dogleg"):
            xp, H = objective.xp, objective.hessian(point)
            if not math.isfinite(fetch(xp, xp.max(xp.abs(H)))[0]):
                raise Stop(Status.NOT_FINITE, "The Hessian is not.")
            return exact(H, g) if self.subproblem == "exact" else dogleg(H, g)
        product = products(objective, point)
        if self.subproblem == "cauchy":
            return cauchy(product, g)
        return steihaug(product, g, forced(objective.dot(g, g) ** 0.5, first))

    def _taken(self, objective: Objective, point: Point, solver: Solver, radius: float) -> tuple[Point, float]:
        """Return the point of the first step that is taken, and the next radius."""
        blur = BLUR * objective.eps * abs(point.f)
        for _ in range(MOST):
            step = solver(radius)
            if step.end == "not finite" or not math.isfinite(step.promised):
                raise Stop(Status.NOT_FINITE, "The model of the objective is not.")
            new = objective.at(point.x + step.p)
            new.step = step.norm
            if new.f == -math.inf:
                raise Stop(Status.UNBOUNDED, "It is -inf at a trial step.")
            if step.promised <= blur:
                if new.f <= point.f + NOISE * blur and new.gmax < point.gmax:
                    return new, radius
                break
            ratio = (point.f - new.f + blur) / (step.promised + blur) if new.finite else -math.inf
            if ratio > self.eta and not math.isfinite(new.gmax):
                ratio = -math.inf
            if ratio < POOR:
                radius = SHRINK * step.norm
            elif ratio > GOOD and step.boundary:
                radius = min(GROW * radius, self.max_radius)
            if ratio > self.eta:
                return new, radius
        raise Stop(Status.PRECISION_FLOOR if at_floor(point) else Status.NO_PROGRESS)
