"""The augmented Lagrangian as an objective, which any unconstrained method can minimise."""

from typing import Any, final

from arrayopt.backend import Array
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
    start : KKTPoint
        Where it is to be minimised from, with :math:`\lambda` and the constraints; f is not evaluated there again.
    penalties : array, shape (k,)
        :math:`\rho`.
    """

    def __init__(self, start: KKTPoint, penalties: Array) -> None:
        super().__init__(self._both, start.x, jac=True)
        self.outer, self._constraints = start.objective, start.constraints
        self.box = self.outer.box
        self.given = self.given | (self.outer.given & {"hess"})
        self._start, self._multipliers, self._penalties = start, start.multipliers, penalties
        self._held: dict[int, tuple[Array, KKTPoint]] = {}
        self._asked: Array = None
        self._latest = start

    def at(self, x: Array, d: Array = None) -> Point:
        """Evaluate, and hold what was evaluated beneath."""
        self._asked = x
        point = super().at(x, d)
        self._held[id(point.x)] = point.x, self._latest
        return point

    def beneath(self, point: Point) -> KKTPoint:
        r"""Return the objective's point with the constraints, and with :math:`\mu` as multipliers."""
        found = self._held.get(id(point.x))
        if found is None:
            self._asked = point.x
            return self._evaluated(point.x)
        return found[1]

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
        if self._asked is self._start.x:
            there = self._start
        else:
            there = KKTPoint(self.outer.at(x), self._constraints, self._multipliers)
        return there.with_multipliers(self._constraints.allowed(self._multipliers - self._penalties * there.c))

    def _both(self, x: Array) -> tuple[Any, Array]:
        self._latest = there = self._evaluated(x)
        xp, c, of, by = self.xp, there.c, self._multipliers, self._penalties
        # The square without its constant of / by, in which digits of f would be lost.
        active = self._constraints.equal | (of - by * c > 0)
        terms = xp.where(active, c * (0.5 * by * c - of), -0.5 * of * of / by)
        return there.f + xp.sum(terms), there.residual
