"""Newton's method on the n + k equations of Lagrange."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from arrayopt.backend import Array, fetch
from arrayopt.constrained.kkt import kkt_step
from arrayopt.constrained.lagrangian import KKTPoint, Lagrangian
from arrayopt.core.method import Status, Stop
from arrayopt.core.objective import Objective, Point, at_floor
from arrayopt.errors import OptionError


@final
@dataclass(frozen=True, kw_only=True)
class KKTNewton(Lagrangian):
    r"""Newton's method for equality constraints, on x and the multipliers together.

    .. math::
        F(x, \lambda) = \begin{pmatrix} \nabla f - J^T \lambda \\ c \end{pmatrix} = 0, \qquad
        \begin{pmatrix} x \\ \lambda \end{pmatrix} \leftarrow \begin{pmatrix} x \\ \lambda \end{pmatrix}
        + a \begin{pmatrix} d \\ \lambda_+ - \lambda \end{pmatrix}

    with :math:`d, \lambda_+` of `kkt_step`. It seeks a stationary point of the Lagrangian, which may be a minimum, a
    maximum or a saddle of the constrained problem; near one it converges quadratically if F' is not singular.

    Parameters
    ----------
    damping : str
        "residual" halves a from 1 until :math:`\|F\|` falls, f in units of its first gradient; "none" takes a = 1.
    constraints : dict or sequence of dict
        Equalities; "hess" of a dictionary saves differences of Jacobians.
    multipliers : array or sequence of float, optional
        Where they start; by default least squares at x0.

    Raises
    ------
    OptionError
        If there is an inequality among the constraints.

    Notes
    -----
    Where the matrix is singular, as with constraints that depend on each other, the step is that of the
    pseudo-inverse. A run ends INFEASIBLE where it is stuck and no near point violates the constraints less.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2nd ed. 2006, section 18.1.
    """

    damping: Literal["residual", "none"] = "residual"

    needs: ClassVar[tuple[str, ...]] = ("hess",)

    C1 = 1e-4
    TRIALS = 40

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Solve the system and move."""
        point = self.located(start)
        if not point.constraints.all_equal:
            raise OptionError("KKTNewton takes equality constraints; for inequalities there is 'augmented_lagrangian'")
        scale = point.gmax or 1.0  # of f, so that multiplying f by a power of 2 changes no step
        while True:
            point = self._next(point, scale)
            yield point

    def _next(self, point: KKTPoint, scale: float) -> KKTPoint:
        w = point.objective.hessian(point) - point.constraints.curved(point.x, point.multipliers)
        singular = False
        for pseudo in (False, True):
            step = _solved(w, point, pseudo)
            if step is None:
                singular = True
                continue
            new = self._along(point, *step, scale)
            if new is not None:
                return new
        if point.least_violation():
            raise Stop(Status.INFEASIBLE, "No near point violates them less.")
        if at_floor(point, point.gap):
            raise Stop(Status.PRECISION_FLOOR)
        raise Stop(Status.SINGULAR if singular else Status.NO_PROGRESS)

    def _along(self, point: KKTPoint, d: Array, multipliers: Array, scale: float) -> KKTPoint | None:
        """Return the point that is reached along a step, None if there is none with a lesser residual."""
        pure, a = self.damping == "none", 1.0
        size = math.inf if pure else _size(point, scale)
        for _ in range(1 if pure else self.TRIALS):
            there = point.objective.at(point.x + a * d)
            if there.finite:
                mixed = multipliers if a == 1.0 else point.multipliers + a * (multipliers - point.multipliers)
                new = KKTPoint(there, point.constraints, mixed)
                new.step = a
                if pure or _size(new, scale) <= (1 - self.C1 * a) * size:
                    return new
            a /= 2
        return None


def _solved(w: Array, point: KKTPoint, pseudo: bool) -> tuple[Array, Array] | None:
    """Return the step in x and the new multipliers; None if the system has no solution that is finite."""
    try:
        d, multipliers = kkt_step(w, point.jacobian, point.g, point.c, pseudo)
    except (ValueError, RuntimeError):  # NumPy's LinAlgError is the one, torch's the other
        return None
    xp = point.objective.xp
    (largest,) = fetch(xp, xp.max(xp.abs(xp.concat([d, multipliers]))))
    return (d, multipliers) if math.isfinite(largest) else None


def _size(point: KKTPoint, scale: float) -> float:
    """Return the norm of F, with f in units of `scale`."""
    first, second = fetch(point.objective.xp, point.residual @ point.residual, point.c @ point.c)
    size = math.hypot(math.sqrt(first) / scale, math.sqrt(second))
    return size if math.isfinite(size) else math.inf
