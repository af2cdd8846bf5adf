r"""Conjugate gradients on a quadratic model, inside a ball: the inner loop of Newton-CG and of Steihaug's trust region.

The model is :math:`m(p) = g'p + \tfrac12 p'Hp`. H need not be positive definite, and only products with it are needed.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, NamedTuple

from arrayopt.backend import Array, fetch, namespace
from arrayopt.core.objective import Objective, Point

End = Literal["", "solved", "boundary", "negative curvature", "not finite"]


class Step(NamedTuple):
    """A step inside the ball.

    Attributes
    ----------
    p : array, shape (n,)
    norm : float
    promised : float
        m(0) - m(p), the decrease of the model.
    boundary : bool
        Whether the ball, and not the model, ends the step.
    shift : float
        The lambda >= 0 with (H + lambda I) p = -g, where the method finds one; else NaN.
    end : str
        Why conjugate gradients end here; "" while they do not.
    """

    p: Array
    norm: float
    promised: float
    boundary: bool
    shift: float = math.nan
    end: End = ""


def steps_of_cg(
    product: Callable[[Array], Array],
    g: Array,
    radius: float = math.inf,
    tolerance: float = 0.0,
    most: int | None = None,
) -> Iterator[Step]:
    r"""Yield the iterates of conjugate gradients for H p = -g from p = 0, until one ends them.

    It ends when :math:`\|Hp + g\| \le` `tolerance`; on the boundary, when the next iterate would leave the ball; or
    along a direction d of curvature :math:`d'Hd \le \epsilon \|d\| \|Hd\|`, on the boundary as well, or where it is
    if there is none. Each iterate is longer than the one before, and the model is less there.

    Parameters
    ----------
    product : callable
        v -> H v.
    g : array, shape (n,)
        Not 0.
    radius : float
        Of the ball.
    tolerance : float
        An absolute one, for the norm of the residual; at least :math:`\epsilon \|g\|` is used.
    most : int, optional
        Products; by default 20 n.

    References
    ----------
    Steihaug, The conjugate gradient method and trust regions in large scale optimization, 1983.
    Toint, Towards an efficient sparsity exploiting Newton method for minimization, 1981.

    Examples
    --------
    >>> import numpy as np
    >>> H, g = np.diag([1.0, 4.0]), np.array([-1.0, -4.0])
    >>> [step.p.round(3).tolist() for step in steps_of_cg(lambda v: H @ v, g)]
    [[0.262, 1.046], [1.0, 1.0]]
    """
    xp, n = namespace(g), int(g.shape[0])
    eps = float(xp.finfo(g.dtype).eps)
    p, r, d = xp.zeros_like(g), g, -g
    (rr,) = fetch(xp, r @ r)
    pp, promised, tolerance = 0.0, 0.0, max(tolerance, eps * math.sqrt(rr))
    for left in reversed(range(20 * n if most is None else most)):
        Hd = product(d)
        curvature, dd, pd, size = fetch(xp, d @ Hd, d @ d, p @ d, Hd @ Hd)
        if not math.isfinite(size):
            yield Step(p, math.sqrt(pp), promised, False, end="not finite")
            return
        curved = curvature > eps * math.sqrt(dd) * math.sqrt(size)
        a = rr / curvature if curved else math.inf
        if a == math.inf and radius == math.inf:
            yield Step(p, math.sqrt(pp), promised, False, end="negative curvature")
            return
        if a == math.inf or pp + a * (2 * pd + a * dd) >= radius * radius:
            a = _to_boundary(pp, pd, dd, radius)
            promised += a * (rr - a * curvature / 2)
            yield Step(p + a * d, radius, promised, True, end="boundary" if curved else "negative curvature")
            return
        p, r = p + a * d, r + a * Hd
        promised += a * rr / 2
        before, (rr, pp) = rr, fetch(xp, r @ r, p @ p)
        solved = math.sqrt(rr) <= tolerance or not left
        yield Step(p, math.sqrt(pp), promised, False, end="solved" if solved else "")
        if solved:
            return
        d = (rr / before) * d - r


def _to_boundary(pp: float, pd: float, dd: float, radius: float) -> float:
    """Return the a >= 0 with ||p + a d|| = radius, without cancellation."""
    room = max(0.0, radius * radius - pp)
    root = math.sqrt(pd * pd + dd * room)
    return room / (pd + root) if pd > 0 else (root - pd) / dd


def products(objective: Objective, point: Point) -> Callable[[Array], Array]:
    """Return the function that multiplies by the Hessian at a point; a Hessian that is given is evaluated once."""
    if "hess" in objective.given and "hessp" not in objective.given:
        H = objective.hessian(point)
        return lambda v: H @ v
    return partial(objective.hessian_product, point)


def forced(norm: float, first: float, power: float = 0.5) -> float:
    r"""Return how small the residual of an inexact Newton step has to be.

    .. math:: \min\left(\tfrac12, \left(\|g\| / \|g_0\|\right)^{power}\right) \|g\|

    Notes
    -----
    With power 1/2 convergence is superlinear of order 3/2, with 1 quadratic. The literature has :math:`\|g\|^{power}`,
    which depends on the units of f; over :math:`\|g_0\|` it does not.

    References
    ----------
    Dembo, Eisenstat and Steihaug, Inexact Newton methods, 1982.
    """
    return float(min(0.5, (norm / first) ** power) * norm)
