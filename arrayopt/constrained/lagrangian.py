r"""What the methods with Lagrange multipliers share: points with multipliers, and how far they are from a solution.

The Lagrangian is :math:`L = f - \lambda^T c`, in which :math:`c = 0` or :math:`c \ge 0`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from array_api_compat import device

from arrayopt.backend import Array, fetch, is_array
from arrayopt.constrained.constraints import Constraints
from arrayopt.constrained.kkt import nearest_multipliers
from arrayopt.core.bounds import projected_gradient
from arrayopt.core.method import Method
from arrayopt.core.objective import Objective, Point
from arrayopt.errors import LeafError


class KKTPoint(Point):
    """A point with the constraints there and multipliers.

    Attributes
    ----------
    constraints : Constraints
    multipliers : array, shape (k,)
    c : array, shape (k,)
        The constraints' values.
    violation : float
        The largest modulus of a violated constraint.
    """

    __slots__ = ("_jacobian", "_residual", "c", "constraints", "multipliers", "violation")

    def __init__(self, point: Point, constraints: Constraints, multipliers: Array) -> None:
        super().__init__(point.objective, point.x, point.f)
        self.set_gradient(point.g, point.gmax, point.slope)
        self.step = point.step
        self.constraints, self.multipliers = constraints, multipliers
        self.c = constraints.values(point.x)
        self._jacobian: Array = None
        self._residual: Array = None
        self.violation = 0.0
        if constraints.k:
            xp = self.objective.xp
            (self.violation,) = fetch(xp, xp.max(xp.abs(constraints.violations(self.c))))

    def with_multipliers(self, multipliers: Array) -> "KKTPoint":
        """Return the same point with others."""
        new = KKTPoint.__new__(KKTPoint)
        for name in (*Point.__slots__, *KKTPoint.__slots__):
            setattr(new, name, getattr(self, name))
        new.multipliers, new._residual = multipliers, None
        return new

    @property
    def jacobian(self) -> Array:
        """The gradients of the constraints as rows, shape (k, n)."""
        if self._jacobian is None:
            self._jacobian = self.constraints.jacobian(self.x, self.c)
        return self._jacobian

    @property
    def finite(self) -> bool:
        """Whether f, the gradient and the constraints are finite."""
        return super().finite and math.isfinite(self.violation)

    @property
    def residual(self) -> Array:
        """The gradient of the Lagrangian in x, shape (n,)."""
        if self._residual is None:
            self._residual = self.g - self.multipliers @ self.jacobian
        return self._residual

    @property
    def gap(self) -> float:
        r"""The KKT residual, zero at a solution.

        .. math::
            \max(\|x - P(x - \nabla f + J^T \lambda)\|_\infty, \;
                 \max_{eq} |c_i|, \; \max_{ineq} |\min(c_i, \lambda_i)|)

        with P the projection on the bounds, where there are bounds.
        """
        xp = self.objective.xp
        parts = [xp.max(xp.abs(projected_gradient(self.objective.box, self.x, self.residual)))]
        if self.constraints.k:
            beside = xp.where(self.constraints.equal, self.c, xp.minimum(self.c, self.multipliers))
            parts.append(xp.max(xp.abs(beside)))
        found = fetch(xp, *parts)
        return math.nan if any(math.isnan(x) for x in found) else max(found)

    def least_violation(self, weights: Array = None) -> bool:
        r"""Tell whether nothing near violates the constraints less, though they are violated here.

        .. math:: \|J^T W v\| \max(1, \|x\|) \le \epsilon^{1/4} \, \|W^{1/2} v\|^2

        with v the violated constraints' values and W the squares of `weights`, ones by default; on the left there is
        the projected gradient where there are bounds. It does not depend on
        the scale of f, c or the weights. Near a point that meets the constraints the left side goes to zero as v and
        the right one as its square.
        """
        if not self.violation > 0.0:
            return False
        xp, v = self.objective.xp, self.constraints.violations(self.c)
        weighed = v if weights is None else v * (weights / xp.max(weights)) * (weights / xp.max(weights))
        fall = projected_gradient(self.objective.box, self.x, weighed @ self.jacobian)
        of_fall, of_v, of_x = fetch(xp, fall @ fall, v @ weighed, self.x @ self.x)
        cap: float = self.objective.eps**0.25 * of_v
        return math.sqrt(of_fall) * max(1.0, math.sqrt(of_x)) <= cap


@dataclass(frozen=True, kw_only=True)
class Lagrangian(Method):
    r"""A method that seeks a point and multipliers with :math:`\nabla f = \sum_i \lambda_i \nabla c_i`.

    Parameters
    ----------
    constraints : dict or sequence of dict
        See `Constraints`. `minimize` fills it in.
    multipliers : array or sequence of float, optional
        Where they start.

    Notes
    -----
    The result's `multipliers` are a vector in the order of the constraints, each with its components in order (SciPy's
    SLSQP has those of all equalities first). Their sign is that of :math:`L = f - \lambda^T c`, as SLSQP's: those of
    inequalities :math:`c \ge 0` are :math:`\ge 0`, and each is the derivative of the minimum by the right-hand side of
    its constraint, :math:`\lambda_i = \mathrm d f^* / \mathrm d b_i` for :math:`c_i(x) = b_i`. `constr_violation` is
    the largest violation. `gtol` bounds the KKT residual (`KKTPoint.gap`); `ftol` and `xtol` end a run only where the
    constraints are met and the multipliers rest, to half of the dtype's digits.
    """

    constraints: Any = ()
    multipliers: Any = None

    honours: ClassVar[tuple[str, ...]] = ("constraints",)

    def gap(self, point: Point) -> float:
        """Return the KKT residual."""
        return self.located(point).gap

    def may_rest(self, before: Point, new: Point) -> bool:
        """Tell whether the constraints are met and the multipliers at rest, to half of the digits."""
        here, there = self.located(before), self.located(new)
        xp, root = there.objective.xp, math.sqrt(there.objective.eps)
        if not there.constraints.k:
            return True
        moved = xp.max(xp.abs(there.multipliers - here.multipliers))
        moved, size = fetch(xp, moved, xp.max(xp.abs(there.multipliers)))
        return there.violation <= root and moved <= root * size

    def extras(self, point: Point) -> Mapping[str, Any]:
        """Return the multipliers and the largest violation."""
        if math.isnan(point.f):  # never evaluated
            return {}
        here = self.located(point)
        return {"multipliers": here.multipliers, "constr_violation": here.violation}

    def located(self, point: Point) -> KKTPoint:
        """Return a point with its constraints, and multipliers where it has none yet."""
        if isinstance(point, KKTPoint):
            return point
        constraints = Constraints(self.constraints, point.objective)
        if self.multipliers is not None:
            return KKTPoint(point, constraints, self._checked(constraints, point.objective))
        here = KKTPoint(point, constraints, point.objective.xp.zeros_like(constraints.values(point.x)))
        return here.with_multipliers(self.first_multipliers(here)) if here.finite else here

    def first_multipliers(self, point: KKTPoint) -> Array:
        """Return the multipliers at the start if none are given: those nearest to explaining the gradient."""
        return point.constraints.allowed(nearest_multipliers(point.jacobian, point.g))

    def _checked(self, constraints: Constraints, objective: Objective) -> Array:
        given, xp = self.multipliers, objective.xp
        like = {"dtype": objective.dtype, "device": device(objective.x0)}
        given = xp.astype(given, objective.dtype) if is_array(given) else xp.asarray(given, **like)
        if tuple(given.shape) != (constraints.k,):
            expected = f"one a constraint, shape {(constraints.k,)}"
            raise LeafError(f"multipliers: expected {expected}, got shape {tuple(given.shape)}")
        return constraints.allowed(given)
