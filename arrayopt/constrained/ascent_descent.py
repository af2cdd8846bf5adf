"""Descent in x and ascent in the multipliers, step by step: towards the saddle of the Lagrangian."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.backend import Array
from arrayopt.constrained.lagrangian import KKTPoint, Lagrangian
from arrayopt.core.method import Status, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.core.options import Rate, Tolerance
from arrayopt.core.schedules import at


@final
@dataclass(frozen=True, kw_only=True)
class AscentDescent(Lagrangian):
    r"""Gradient descent in x and ascent in the multipliers (Arrow, Hurwicz and Uzawa).

    .. math::
        x_{t+1} = x_t - \alpha \left(\nabla f(x_t) - J(x_t)^T \mu_t\right), \qquad
        \lambda_{t+1} = \left[\lambda_t - \beta\, c(x_t)\right]_+

    with :math:`\mu = \lambda - \rho c`, and :math:`[\cdot]_+` raising the multipliers of inequalities to zero; those
    of equalities may have any sign. L falls along its gradient in x and rises in the multipliers, for the solution is
    a saddle of it.

    Parameters
    ----------
    lr : float or schedule
        :math:`\alpha \ge 0`, in units of x per unit of gradient.
    lr_multipliers : float or schedule
        :math:`\beta \ge 0`.
    penalty : float
        :math:`\rho \ge 0`. Above zero it is the augmented Lagrangian that is descended, which also converges where
        f is convex along the constraints only.
    order : str
        "simultaneous" as above; "alternating" updates the multipliers at :math:`x_{t+1}`; "extragradient" takes
        both gradients at the point that a simultaneous step would reach, and evaluates twice.
    constraints : dict or sequence of dict
        Equalities and inequalities.
    multipliers : array or sequence of float, optional
        Where they start; zeros by default.

    Notes
    -----
    It converges linearly for a strongly convex f, affine constraints of full rank and rates that are small enough.
    For a linear f "simultaneous" spirals away from the saddle and "extragradient" towards it. A run ends INFEASIBLE
    after `PATIENCE` iterations at points near which nothing violates the constraints less.

    References
    ----------
    Arrow, Hurwicz and Uzawa, Studies in linear and non-linear programming, 1958; Korpelevich, The extragradient method
    for finding saddle points and other problems, 1976.
    """

    lr: Rate = 1e-2
    lr_multipliers: Rate = 1e-2
    penalty: Tolerance = 0.0
    order: Literal["simultaneous", "alternating", "extragradient"] = "simultaneous"

    PATIENCE = 100

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Step in x against the gradient of L, and in the multipliers along it."""
        point, t, stuck = self.located(start), 0, 0
        while True:
            t += 1
            alpha, beta = at(self.lr, t), at(self.lr_multipliers, t)
            source = point
            if self.order == "extragradient":
                source = self._stepped(point, point, alpha, point.multipliers - beta * point.c)
            new = self._stepped(point, source, alpha, point.multipliers - beta * source.c)
            if self.order == "alternating":
                new = new.with_multipliers(point.constraints.allowed(point.multipliers - beta * new.c))
            point = new
            point.step = alpha
            stuck = stuck + 1 if point.least_violation() else 0
            if stuck >= self.PATIENCE:
                raise Stop(Status.INFEASIBLE, "No near point violates them less.")
            yield point

    def first_multipliers(self, point: KKTPoint) -> Array:
        """Return zeros."""
        return point.multipliers

    def _stepped(self, point: KKTPoint, source: KKTPoint, alpha: float, multipliers: Array) -> KKTPoint:
        """Return where the gradient at `source` leads from `point`."""
        constraints = point.constraints
        slope = source.residual
        if self.penalty:
            shifted = constraints.allowed(source.multipliers - self.penalty * source.c)
            slope = source.g - shifted @ source.jacobian
        there = point.objective.at(point.x - alpha * slope)
        return KKTPoint(there, constraints, constraints.allowed(multipliers))
