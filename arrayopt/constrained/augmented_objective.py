"""The augmented Lagrangian as an objective, which any unconstrained method can minimise."""

from typing import Any, final

from arrayopt.backend import Array
from arrayopt.constrained.constraints import Constraints
from arrayopt.constrained.lagrangian import KKTPoint
from arrayopt.core.objective import Objective, Point


@final
class Augmented(Objective):
    r"""The augmented Lagrangian of Powell, Hestenes and Rockafellar at fixed multipliers, on vectors.

    .. math::
        L_\rho(x) = f(x) + \sum_i \frac{\rho_i}{2} \left[c_i(x) - \frac{\lambda_i}{\rho_i}\right]_-^2, \qquad
        \nabla L_\rho = \nabla f - J^T \mu, \qquad \mu_i = [\lambda_i - \rho_i c_i]_+

    less :math:`\sum_i \lambda_i^2 / (2 \rho_i)`, in which :math:`[\cdot]_-` and :math:`[\cdot]_+` are for inequalities
    and do nothing for equalities. Its evaluations are counted by the objective f, and stopped by f's limit.

    Parameters
    ----------
    outer : Objective
        f.
    constraints : Constraints
    multipliers, penalties : array, shape (k,)
        :math:`\lambda` and :math:`\rho`.
    x : array, shape (n,)
        Where it is to be minimised from.
    """

    def __init__(
        self, outer: Objective, constraints: Constraints, multipliers: Array, penalties: Array, x: Array
    ) -> None:
        super().__init__(self._both, x, jac=True)
        self.box = outer.box
        self.given = self.given | (outer.given & {"hess"})
        self.outer, self._constraints = outer, constraints
        self._multipliers, self._penalties = multipliers, penalties
        self._held: dict[int, tuple[Array, KKTPoint]] = {}
        self._latest: KKTPoint | None = None

    def at(self, x: Array, d: Array = None) -> Point:
        """Evaluate, and hold what was evaluated beneath."""
        point = super().at(x, d)
        assert self._latest is not None
        self._held[id(point.x)] = point.x, self._latest
        return point

    def beneath(self, point: Point) -> KKTPoint:
        r"""Return the objective's point with the constraints, and with :math:`\mu` as multipliers."""
        found = self._held.get(id(point.x))
        return found[1] if found is not None else self._evaluated(point.x)

    def forget_others(self, point: Point) -> None:
        """Hold on to one point only."""
        found = self._held.get(id(point.x))
        self._held = {} if found is None else {id(point.x): found}

    def hessian(self, point: Point) -> Array:
        """Return the Hessian; where an inequality's kink runs through the point, that of the side where c is larger."""
        if "hess" not in self.given:
            return super().hessian(point)
        under = self.beneath(point)
        j = under.jacobian
        active = self.xp.astype(self._constraints.equal | (under.multipliers > 0), j.dtype)
        curved = self.outer.hessian(under) - self._constraints.curved(under.x, under.multipliers)
        return curved + self.xp.matrix_transpose(j) @ ((active * self._penalties)[:, None] * j)

    def hessian_product(self, point: Point, v: Array) -> Array:
        """Return the Hessian times v."""
        return self.hessian(point) @ v if "hess" in self.given else super().hessian_product(point, v)

    def _evaluated(self, x: Array) -> KKTPoint:
        there = KKTPoint(self.outer.at(x), self._constraints, self._multipliers)
        return there.with_multipliers(self._constraints.allowed(self._multipliers - self._penalties * there.c))

    def _both(self, x: Array) -> tuple[Any, Array]:
        self._latest = there = self._evaluated(x)
        xp, c, of, by = self.xp, there.c, self._multipliers, self._penalties
        # The square without its constant of / by, in which digits of f would be lost.
        active = self._constraints.equal | (of - by * c > 0)
        terms = xp.where(active, c * (0.5 * by * c - of), -0.5 * of * of / by)
        return there.f + xp.sum(terms), there.residual
