r"""Minimising a quadratic model in a ball, four ways: :math:`m(p) = g'p + \tfrac12 p'Hp`, :math:`\|p\| \le \Delta`.

Each function does the work that does not depend on the radius, and returns a function from the radius to the `Step`:
when a step is rejected, the next one is cheap.
"""

import math
from collections.abc import Callable

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, fetch, namespace, to_numpy
from arrayopt.secondorder.factors import power_of_two, solve
from arrayopt.secondorder.modified_cholesky import shift, shifted
from arrayopt.secondorder.truncated_cg import Step, steps_of_cg

Solver = Callable[[float], Step]

NOTHING = 1e-150
"""Components of g that are smaller than this share of the largest count as zero: their squares underflow."""
MOST = 100
"""Steps of Newton's method for lambda; about 6 are taken."""


def cauchy(product: Callable[[Array], Array], g: Array) -> Solver:
    r"""Return the minimiser of the model along -g: Cauchy's point.

    .. math:: p = -a g, \qquad a = \min\left(\frac{g'g}{g'Hg}, \frac{\Delta}{\|g\|}\right), \text{ the latter if }
              g'Hg \le 0

    Examples
    --------
    >>> import numpy as np
    >>> cauchy(lambda v: 2 * v, np.array([2.0, 0.0]))(10.0).p
    array([-1.,  0.])
    """
    xp = namespace(g)
    gg, curvature = fetch(xp, g @ g, g @ product(g))
    norm = math.sqrt(gg)

    def step(radius: float) -> Step:
        a, boundary = radius / norm, True
        if curvature > 0 and gg / curvature < a:
            a, boundary = gg / curvature, False
        return Step(-a * g, radius if boundary else a * norm, a * (gg - a * curvature / 2), boundary)

    return step


def dogleg(H: Array, g: Array) -> Solver:
    r"""Return the minimiser of the model on the path from 0 over Cauchy's point of the whole space to Newton's.

    There is such a path if H is positive definite. Where it is not, :math:`H + \tau I` of `shift` stands for it, in
    what is promised too; and if it is zero the step is `cauchy`'s.

    References
    ----------
    Powell, A hybrid method for nonlinear equations, 1970.

    Examples
    --------
    >>> import numpy as np
    >>> dogleg(np.eye(2), np.array([3.0, 4.0]))(1.0).p
    array([-0.6, -0.8])
    """
    xp = namespace(g)
    (size,) = fetch(xp, xp.max(xp.abs(H)))
    unit = power_of_two(size)
    tau = shift(H / unit) if size else 0.0
    B = shifted(H / unit, tau)
    short = cauchy(lambda v: (B @ v) * unit, g)
    newton = solve(B, g / -unit) if size else None
    if newton is None:
        return short
    bend = short(math.inf)
    leg = newton - bend.p
    whole, along, square, across = fetch(xp, newton @ newton, bend.p @ leg, leg @ leg, g @ newton)
    promised = -across / 2  # B newton = -g

    def step(radius: float) -> Step:
        if math.sqrt(whole) <= radius:
            return Step(newton, math.sqrt(whole), promised, False, tau * unit)
        if bend.norm >= radius or square == 0.0:
            return short(radius)
        room = radius * radius - bend.norm * bend.norm
        root = math.sqrt(along * along + square * room)
        t = min(1.0, room / (along + root) if along > 0 else (root - along) / square)
        # On the second leg the slope of the model rises to 0 at its end.
        return Step(bend.p + t * leg, radius, bend.promised + (promised - bend.promised) * t * (2 - t), True)

    return step


def steihaug(product: Callable[[Array], Array], g: Array, tolerance: float) -> Solver:
    """Return the last iterate of conjugate gradients in the ball; see `steps_of_cg`.

    Notes
    -----
    The iterates in a smaller ball are the same up to its boundary, so no product is taken twice.

    Examples
    --------
    >>> import numpy as np
    >>> steihaug(lambda v: v, np.array([3.0, 4.0]), 0.0)(10.0).p
    array([-3., -4.])
    """
    taken: list[Array] = []

    def step(radius: float) -> Step:
        again = iter(taken[:])

        def once(d: Array) -> Array:
            Hd = next(again, None)
            if Hd is None:
                Hd = product(d)
                taken.append(Hd)
            return Hd

        *_, last = steps_of_cg(once, g, radius, tolerance)
        return last

    return step


def exact(H: Array, g: Array) -> Solver:
    r"""Return the global minimiser of the model in the ball, which the conditions of Moré and Sorensen describe.

    .. math:: (H + \lambda I) p = -g, \qquad \lambda \ge 0, \qquad \lambda (\Delta - \|p\|) = 0, \qquad H + \lambda I
              \succeq 0

    Parameters
    ----------
    H : array, shape (n, n)
        Symmetric and finite; any eigenvalues.
    g : array, shape (n,)

    Notes
    -----
    One eigendecomposition serves all radii. In the basis of eigenvectors, with :math:`\mu = \lambda + \lambda_{min}`
    as the unknown, :math:`1/\|p(\mu)\| - 1/\Delta` is concave and increasing, and Newton's method climbs to its root
    from any lower bound. No digit of :math:`\mu` is lost however near :math:`-\lambda_{min}` lambda is. In the hard
    case g has no component along the lowest eigenvectors, and even :math:`\mu = 0` gives a p inside the ball: a
    multiple of such an eigenvector then takes it to the boundary.

    References
    ----------
    Moré and Sorensen, Computing a trust region step, 1983.

    Examples
    --------
    >>> import numpy as np
    >>> step = exact(np.diag([-1.0, 1.0]), np.array([0.0, 1.0]))(2.0)  # the hard case
    >>> np.abs(step.p), step.shift
    (array([1.93649167, 0.5       ]), 1.0)
    """
    xp = namespace(g)
    (size,) = fetch(xp, xp.max(xp.abs(H)))
    unit = power_of_two(size)
    eigenvalues, Q = xp.linalg.eigh(H / unit)
    values, parts = np.split(to_numpy(xp.concat([eigenvalues, (g / unit) @ Q])).astype(np.float64), 2)

    def step(radius: float) -> Step:
        c, shift, boundary = _in_eigenbasis(values, parts, radius)
        promised = -float(parts @ c + values @ (c * c) / 2) * unit
        norm = radius if boundary else math.sqrt(float(c @ c))
        p = Q @ xp.asarray(c, dtype=g.dtype, device=device(g))
        return Step(p, norm, promised, boundary, shift * unit)

    return step


def _in_eigenbasis(values: np.ndarray, parts: np.ndarray, radius: float) -> tuple[np.ndarray, float, bool]:
    """Return the minimiser for a diagonal H with these elements, in rising order; lambda; and if it is on the boundary.

    The unknown is mu = lambda + values[0].
    """
    lowest = float(values[0])
    if lowest > 0:
        c = -parts / values
        if c @ c <= radius * radius:
            return c, 0.0, False
    gaps, size = values - lowest, np.abs(parts)
    parts = np.where(size > NOTHING * np.max(size), parts, 0.0)

    def at(mu: float) -> tuple[np.ndarray, float]:
        c = np.divide(-parts, gaps + mu, out=np.zeros_like(parts), where=parts != 0)
        return c, math.sqrt(float(c @ c))

    if lowest <= 0 and not np.any(parts[gaps == 0]):  # perhaps the hard case
        c, norm = at(0.0)
        if norm <= radius:
            if lowest < 0:
                c[0] = math.sqrt((radius - norm) * (radius + norm))
            return c, -lowest, lowest < 0
    mu = max(lowest, 0.0, float(np.max(np.abs(parts) / radius - gaps)))
    for _ in range(MOST):
        c, norm = at(mu)
        rise = float(c * c @ np.divide(1.0, gaps + mu, out=np.zeros_like(c), where=c != 0))
        higher = mu + (norm * norm / rise) * ((norm - radius) / radius)
        if not higher > mu:
            break
        mu = higher
    return at(mu)[0], mu - lowest, True
