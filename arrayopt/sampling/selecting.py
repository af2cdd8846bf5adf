"""Rows of populations by their numbers, and the best point so far."""

import math

from array_api_compat import device

from arrayopt.backend import Array, namespace


def rows(x: Array, index: Array) -> Array:
    """Return rows of populations: of x, shape (..., n, d), those that index, shape (..., k), names; (..., k, d).

    Examples
    --------
    >>> import numpy as np
    >>> rows(np.arange(8.0).reshape(2, 2, 2), np.array([[1], [0]])).tolist()
    [[[2.0, 3.0]], [[4.0, 5.0]]]
    """
    xp, (*runs, n, d) = namespace(x, index), x.shape
    first = n * xp.arange(math.prod(runs), dtype=index.dtype, device=device(x))
    every = xp.reshape(first, (*runs, 1)) + index
    return xp.reshape(xp.take(xp.reshape(x, (-1, d)), xp.reshape(every, (-1,)), axis=0), (*index.shape, d))


def best_so_far(x: Array, f: Array, best_x: Array, best_f: Array) -> tuple[Array, Array]:
    """Return the best point and its value after a generation x, shape (..., n, d), with values f; NaN is no value.

    The older one stays in a tie.
    """
    xp = namespace(x, f)
    f = xp.where(xp.isnan(f), xp.full_like(f, math.inf), f)
    here = rows(x, xp.argmin(f, axis=-1, keepdims=True))[..., 0, :]
    least = xp.min(f, axis=-1)
    better = least < best_f
    return xp.where(better[..., None], here, best_x), xp.where(better, least, best_f)
