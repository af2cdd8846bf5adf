"""Derivatives by differences, and whether given ones agree with them.

A difference of function values has two errors: that of the step, and that of rounding the values divided by the step.
The steps here balance the two. A box is what x may not leave: pairs of the least and the greatest, or None.
"""

import math
from collections.abc import Callable

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, fetch, namespace, to_numpy
from arrayopt.errors import OptionError

Box = tuple[Array, Array] | None
Value = Callable[[Array], float]


def forward_gradient(value: Value, x: Array, f: float, box: Box = None) -> Array:
    r"""Return the gradient by forward differences, n more evaluations.

    .. math:: g_i \approx \frac{f(x + h_i e_i) - f(x)}{h_i}, \qquad h_i = \pm\sqrt{\epsilon} \max(1, |x_i|)

    Parameters
    ----------
    value : callable
        The function, of arrays like x to host numbers.
    x : array, shape (n,)
    f : float
        The value at x.
    box : pair of arrays, shape (n,), or None
        Steps turn round, or are shorter, where the box would not hold them.

    Examples
    --------
    >>> forward_gradient(lambda x: float(x @ x), np.array([1.0, 2.0]), 5.0).round(6)
    array([2., 4.])
    """
    xp, root = namespace(x), math.sqrt(float(namespace(x).finfo(x.dtype).eps))
    found, where, index = [], to_numpy(x), np.arange(x.shape[0])
    sides = None if box is None else [to_numpy(side) for side in box]
    for i in index:
        at = float(where[i])
        h = root * max(1.0, abs(at)) * (-1.0 if at < 0 else 1.0)
        if sides is not None:
            h = _fitting(h, float(sides[0][i]) - at, float(sides[1][i]) - at)
        moved = within(box, xp.where(xp.asarray(index == i, device=device(x)), x + h, x))
        h = float(to_numpy(moved)[i]) - at  # what the dtype made of it
        # Where the bounds meet h is 0: whatever the derivative is, x cannot move.
        found.append((value(moved) - f) / h if h else 0.0)
    return xp.asarray(found, dtype=x.dtype, device=device(x))


def curvature(gradient: Callable[[Array], Array], x: Array, g: Array, v: Array, exact: bool) -> Array:
    """Return the Hessian at x times v: the forward difference of the gradient along v.

    Parameters
    ----------
    gradient : callable
    x, g, v : array, shape (n,)
        The point, the gradient there, and the direction.
    exact : bool
        Whether the gradient is a derivative. One that is itself a difference has errors of sqrt(eps), for which
        sqrt(eps) would be too short a step.
    """
    xp, eps = namespace(x), float(namespace(x).finfo(x.dtype).eps)
    size, far = fetch(xp, xp.max(xp.abs(v)), xp.max(xp.abs(x)))
    if size == 0.0:
        return v
    h = (math.sqrt(eps) if exact else eps**0.25) * max(1.0, far) / size
    return (gradient(x + h * v) - g) / h


def check_gradient(value: Value, x: Array, g: Array, box: Box = None) -> None:
    """Compare a gradient with central differences, coordinate by coordinate.

    Raises
    ------
    OptionError
        If they disagree beyond what differences can tell, with the first coordinate that does.
    """
    xp, eps = namespace(x), float(namespace(x).finfo(x.dtype).eps)
    root, index = eps ** (1 / 3), np.arange(x.shape[0])
    mine, where = to_numpy(g).astype(float), to_numpy(x)
    for i in index:
        h = root * max(1.0, abs(float(where[i])))
        mask = xp.asarray(index == i, device=device(x))
        ends = [within(box, xp.where(mask, x + s, x)) for s in (h, -h)]
        span = float(to_numpy(ends[0])[i]) - float(to_numpy(ends[1])[i])
        if span < h:  # bounds too near to each other to tell
            continue
        up, down = map(value, ends)
        found = (up - down) / span
        noise = 1e3 * (root * root * (1 + abs(found)) + eps * (abs(up) + abs(down)) / h)
        if not abs(found - mine[i]) <= noise:
            raise OptionError(
                f"jac: component {i} is {mine[i]:.9g} at x0, but differences of fun give {found:.9g}; "
                "correct it, or leave jac out to use differences"
            )


def inside(box: Box, x: Array) -> Array:
    """Return a point near x around which central differences have room, where the box leaves any."""
    if box is None:
        return x
    xp = namespace(x)
    far = float(xp.finfo(x.dtype).eps) ** (1 / 3) * xp.maximum(xp.abs(x), xp.ones_like(x))
    return xp.minimum(xp.maximum(x, box[0] + far), box[1] - far)


def within(box: Box, x: Array) -> Array:
    """Return the nearest point to x within a box."""
    if box is None:
        return x
    xp = namespace(x)
    return xp.minimum(xp.maximum(x, box[0]), box[1])


def _fitting(h: float, least: float, most: float) -> float:
    """Return a step like h in [least, most], where 0 is: turned round if it does not fit, or the longest there is."""
    if least <= h <= most:
        return h
    return -h if least <= -h <= most else max(least, most, key=abs)
