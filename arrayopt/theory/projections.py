r"""Euclidean projections :math:`\Pi(\varphi) = \arg\min_{\theta \in \Theta} \|\varphi - \theta\|`, and their lemma.

For a closed convex set, and every :math:`\theta` in it,

.. math:: \langle \Pi(\varphi) - \theta, \varphi - \Pi(\varphi) \rangle \ge 0, \qquad
          \|\varphi - \theta\|^2 \ge \|\Pi(\varphi) - \theta\|^2 + \|\varphi - \Pi(\varphi)\|^2

so that a projection comes no further from any point of the set. All act on the last axis and give the dtype of x.
"""

import math
from typing import Any

from arrayopt.backend import Array
from arrayopt.core.arguments import positive, reals
from arrayopt.core.orthogonal.precision import at_least_single
from arrayopt.errors import OptionError
from arrayopt.theory.norms import size_and_unit, vector_norm

__all__ = [
    "project_annulus",
    "project_ball",
    "project_box",
    "project_half_space",
    "project_simplex",
    "projection_lemma",
]


def project_ball(x: Array, radius: float = 1.0, center: Array | None = None) -> Array:
    r"""Project onto the ball :math:`\|\theta - c\| \le r`.

    .. math:: \Pi(\varphi) = c + (\varphi - c) \min(1, r / \|\varphi - c\|)

    Parameters
    ----------
    x : array, shape (..., d)
    radius : float
        :math:`r \ge 0`.
    center : array, optional
        c, 0 by default.

    Notes
    -----
    Infinite entries are beyond all finite ones, and alike. The diameter of the set is 2 r.

    Examples
    --------
    >>> import numpy as np
    >>> project_ball(np.asarray([3.0, 4.0])), project_ball(np.asarray([1e308, 0.0]), 2.0)
    (array([0.6, 0.8]), array([2., 0.]))
    """
    return project_annulus(x, 0.0, radius, center)


def project_annulus(x: Array, inner: float, outer: float, center: Array | None = None) -> Array:
    r"""Project onto the annulus :math:`r \le \|\theta - c\| \le R`: convex for r = 0 only, a sphere for r = R.

    Parameters
    ----------
    x : array, shape (..., d)
    inner, outer : float
        :math:`0 \le r \le R`, finite.
    center : array, optional
        c, 0 by default; it has no nearest point if r > 0, and goes to the one along the first axis.

    Raises
    ------
    OptionError
        If the radii are no such.

    Examples
    --------
    >>> import numpy as np
    >>> project_annulus(np.asarray([[0.3, 0.4], [0.0, 0.0]]), 1.0, 1.0)
    array([[0.6, 0.8],
           [1. , 0. ]])
    """
    if not 0 <= inner <= outer < math.inf:
        raise OptionError(f"radius: expected 0 <= inner <= outer, finite, got {inner!r} and {outer!r}")
    xp = reals(x=x) if center is None else reals(x=x, center=center)
    if x.shape[-1] == 0:
        return x
    given = at_least_single(xp, x)
    y = given if center is None else given - at_least_single(xp, center)
    top, unit = size_and_unit(xp, y)
    length = xp.sqrt(xp.sum(unit * unit, axis=-1, keepdims=True))
    nowhere = top == 0
    if inner > 0:  # somewhere on the sphere
        first = xp.cumulative_sum(xp.ones_like(y), axis=-1) == 1
        unit = xp.where(nowhere & first, xp.ones_like(unit), unit)
    direction = unit / xp.where(nowhere, xp.ones_like(length), length)
    # |y| against a radius, without forming top * length, which may overflow
    over, under = top > outer / xp.where(nowhere, 1.0, length), top < inner / xp.where(nowhere, 1.0, length)
    outside = xp.where(over, outer * direction, inner * direction)
    moved = outside if center is None else outside + at_least_single(xp, center)
    return xp.astype(xp.where((over | under) & ~xp.isnan(top), moved, given), x.dtype, copy=False)


def project_box(x: Array, lower: Any, upper: Any) -> Array:
    r"""Project onto the box :math:`l \le \theta \le u`.

    .. math:: \Pi(\varphi) = \min(\max(\varphi, l), u)

    Parameters
    ----------
    x : array
    lower, upper : number or array
        :math:`l \le u`, infinite where there is no bound.

    Raises
    ------
    OptionError
        If a lower bound is above its upper one.

    Notes
    -----
    The diameter of the set is :math:`\|u - l\|`.

    Examples
    --------
    >>> import numpy as np
    >>> project_box(np.asarray([-2.0, 0.5, np.inf]), -1.0, 1.0)
    array([-1. ,  0.5,  1. ])
    """
    xp = reals(x=x)
    sides = [
        xp.zeros_like(x) + (xp.astype(s, x.dtype, copy=False) if hasattr(s, "dtype") else float(s))
        for s in (lower, upper)
    ]
    if not bool(xp.all(sides[0] <= sides[1])):
        raise OptionError("lower, upper: expected lower <= upper in every coordinate, got one above the other")
    return xp.minimum(xp.maximum(x, sides[0]), sides[1])


def project_simplex(x: Array, total: float = 1.0) -> Array:
    r"""Project onto the simplex :math:`\theta \ge 0, \sum_i \theta_i = s`, by sorting.

    .. math:: \Pi(\varphi)_i = \max(\varphi_i - \tau, 0), \qquad \tau \text{ such that they add up to } s

    Parameters
    ----------
    x : array, shape (..., d)
        d at least 1.
    total : float
        :math:`s > 0`.

    Notes
    -----
    The greatest entries share the whole among themselves where they are infinite. The diameter is
    :math:`\sqrt 2 s` (0 for d = 1).

    References
    ----------
    Held, Wolfe and Crowder, Validation of subgradient optimization, 1974.

    Examples
    --------
    >>> import numpy as np
    >>> project_simplex(np.asarray([0.5, 0.75, -3.0])), project_simplex(np.asarray([1e308, -1e308]))
    (array([0.375, 0.625, 0.   ]), array([1., 0.]))
    """
    positive("total", total)
    xp = reals(x=x)
    if x.shape[-1] == 0:
        raise OptionError("x: expected vectors of at least one entry: the simplex of none is empty")
    own, x = x.dtype, at_least_single(xp, x)
    top = xp.max(x, axis=-1, keepdims=True)
    # what is more than the total below the top goes to zero; in halves, so that nothing overflows
    finite = xp.isfinite(top)
    safe = xp.where(xp.isinf(x), xp.zeros_like(x), x)
    level = xp.where(finite, top, xp.zeros_like(top))
    far = xp.where(finite, (0.5 * safe - 0.5 * level < -0.5 * total) | xp.isinf(x), x != top)
    y = xp.where(far | ~finite, xp.zeros_like(x), safe - xp.where(far, safe, level))
    y = xp.where(far, xp.full_like(x, -total), y)
    ranked = xp.sort(y, axis=-1, descending=True)
    count = xp.cumulative_sum(xp.ones_like(y), axis=-1)
    tau = (xp.cumulative_sum(ranked, axis=-1) - total) / count
    # tau of the longest beginning whose last entry is still above it: that tau is the greatest of all
    found = xp.maximum(y - xp.max(tau, axis=-1, keepdims=True), 0.0)
    return xp.astype(xp.where(xp.isnan(top), xp.full_like(found, math.nan), found), own, copy=False)


def project_half_space(x: Array, normal: Array, offset: float) -> Array:
    r"""Project onto the half-space :math:`\langle a, \theta \rangle \le b`.

    .. math:: \Pi(\varphi) = \varphi - \frac{\max(\langle a, \varphi \rangle - b, 0)}{\|a\|^2} a

    Parameters
    ----------
    x : array, shape (..., d)
        Finite; another gives NaN.
    normal : array, shape (..., d)
        a, not 0, finite.
    offset : float
        b, finite.

    Raises
    ------
    OptionError
        If the normal is 0 or not finite, or the offset not finite.

    Examples
    --------
    >>> import numpy as np
    >>> project_half_space(np.asarray([3.0, 5.0]), np.asarray([2.0, 0.0]), 2.0)
    array([1., 5.])
    """
    xp = reals(x=x, normal=normal)
    own, x = x.dtype, at_least_single(xp, x)
    if not math.isfinite(offset):
        raise OptionError(f"offset: expected a finite number, got {offset!r}")
    size, a = size_and_unit(xp, at_least_single(xp, normal))
    if not bool(xp.all(xp.isfinite(size) & (size > 0))):
        raise OptionError("normal: expected a finite vector other than 0")
    length = xp.sum(a * a, axis=-1, keepdims=True)
    finite = xp.all(xp.isfinite(x), axis=-1, keepdims=True)
    y = xp.where(finite, x, 0.0)
    scale, _ = size_and_unit(xp, y)
    # b / |a|, cut to the range of the dtype, in which every point is inside or nearly none
    far = offset / xp.maximum(size, 2 * abs(offset) / float(xp.finfo(x.dtype).max))
    scale = xp.maximum(scale, xp.abs(far))  # of the difference, whose parts may overflow
    scale = xp.where(scale > 0, scale, xp.ones_like(scale))
    excess = xp.sum(a * (y / scale), axis=-1, keepdims=True) - far / scale
    moved = y - (xp.maximum(excess, 0.0) / length * a) * scale
    return xp.astype(xp.where(finite, moved, math.nan), own, copy=False)


def projection_lemma(phi: Array, projected: Array, theta: Array) -> tuple[Array, Array]:
    r"""Return what the lemma calls non-negative, for a point, its projection and a point of the set.

    .. math:: \langle \Pi(\varphi) - \theta, \varphi - \Pi(\varphi) \rangle, \qquad
              \|\varphi - \theta\| - \sqrt{\|\Pi(\varphi) - \theta\|^2 + \|\varphi - \Pi(\varphi)\|^2}

    Of squares in place of norms the second would be twice the first.

    Examples
    --------
    >>> import numpy as np
    >>> phi = np.asarray([3.0, 4.0])
    >>> [round(float(z), 6) for z in projection_lemma(phi, project_ball(phi), np.zeros(2))]
    [4.0, 0.876894]
    """
    xp = reals(phi=phi, projected=projected, theta=theta)
    inside, moved = projected - theta, phi - projected
    sides = xp.stack([vector_norm(xp, inside), vector_norm(xp, moved)], axis=-1)
    return xp.sum(inside * moved, axis=-1), vector_norm(xp, phi - theta) - vector_norm(xp, sides)
