"""Bounds on variables as `minimize` takes them: SciPy's `Bounds`, or pairs with None for no bound."""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.errors import OptionError


def read_bounds(bounds: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds of n variables, float64 on the host; infinite where there is none.

    Parameters
    ----------
    bounds : scipy.optimize.Bounds, or sequence of n pairs
        ``(lower, upper)`` a variable, None or an infinity for no bound; a `Bounds` may hold one number for all.
    n : int
        The number of variables, in the order in which x0 is laid out as a vector.

    Raises
    ------
    OptionError
        If they are no bounds of n variables, or a lower one is above its upper one.

    Examples
    --------
    >>> read_bounds([(0, None), (-1, 1)], 2)
    (array([ 0., -1.]), array([inf,  1.]))
    """
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        low, high = _numbers(bounds.lb, n), _numbers(bounds.ub, n)
    else:
        try:
            pairs = [(lower, upper) for lower, upper in bounds]
            if len(pairs) != n:
                raise OptionError(f"bounds: expected one pair a variable, {n} pairs, got {len(pairs)}")
            low = np.asarray([-math.inf if a is None else float(a) for a, _ in pairs])
            high = np.asarray([math.inf if b is None else float(b) for _, b in pairs])
        except (TypeError, ValueError) as error:
            if isinstance(error, OptionError):
                raise
            raise OptionError(
                f"bounds: expected a scipy.optimize.Bounds or pairs (lower, upper), None for no bound, got {bounds!r}"
            ) from error
    for i in np.flatnonzero(~(low <= high)).tolist():
        raise OptionError(f"bounds: variable {i} has the lower bound {low[i]} and the upper bound {high[i]}")
    return low, high


def projected_gradient(box: tuple[Array, Array] | None, x: Array, g: Array) -> Array:
    r"""Return :math:`x - P(x - g)`, which is zero where x minimises to first order within a box; without one, g.

    Parameters
    ----------
    box : pair of arrays, shape (n,), or None
        The least and the greatest x, which x itself is between.
    x, g : array, shape (n,)
    """
    if box is None:
        return g
    xp = namespace(x, g)
    return xp.where(g < 0.0, xp.maximum(g, x - box[1]), xp.minimum(g, x - box[0]))


def _numbers(side: Any, n: int) -> np.ndarray:
    try:
        return np.array(np.broadcast_to(np.asarray(side, dtype=np.float64).reshape(-1), (n,)))
    except (TypeError, ValueError) as error:
        raise OptionError(f"bounds: expected one number or {n} of them, got {side!r}") from error
