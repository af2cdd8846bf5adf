r"""Hashing of distances by p-stable laws: numbers of bins on random lines.

.. math:: h_i(x) = \lfloor (\langle a_i, x \rangle + b_i) / w \rfloor

with b uniform on [0, w). The entries of a are standard Cauchy (p = 1) or normal (p = 2): then
:math:`\langle a, x - y \rangle` has the law of :math:`\|x - y\|_p` times one entry, whatever x and y are.
"""

import math
from typing import Any

from arrayopt.backend import Array
from arrayopt.core.arguments import check_number, check_size, create, elementwise, require
from arrayopt.core.random import generator
from arrayopt.core.special import special
from arrayopt.errors import LeafError, OptionError
from arrayopt.sketch.vectors import directed, vectors

__all__ = ["draw_stable_hash", "stable_collision", "stable_hash"]

SMALL = 1e-4
"""Below this w / c two terms of the power series are exact, and no square vanishes."""
LARGE = 1e8


def draw_stable_hash(
    n: int, m: int, width: float, p: int = 2, *, rng: Any = None, dtype: str = "float64"
) -> tuple[Array, Array]:
    """Draw the lines of n hashes of vectors of m components, and where their bins begin.

    Parameters
    ----------
    n, m : int
        At least 1.
    width : float
        w > 0, the width of a bin.
    p : {1, 2}
        Which distance is hashed: the sum of absolute values, or the Euclidean one.
    rng : None, int, Generator, ...
        See `arrayopt.core.random.generator`.
    dtype : {"float64", "float32", "float16"}

    Returns
    -------
    tuple of arrays, shapes (n, m) and (n,)
        Directions and offsets, in the library in use.

    Examples
    --------
    >>> directions, offsets = draw_stable_hash(3, 5, 2.0, rng=0)
    >>> directions.shape, bool(((0 <= offsets) & (offsets < 2)).all())
    ((3, 5), True)
    """
    n, m, p = check_size("n", n), check_size("m", m), _check_p(p)
    width = _check_width(width)
    rng = generator(rng)
    directions = rng.standard_cauchy((n, m)) if p == 1 else rng.standard_normal((n, m))
    return create(directions, dtype), create(width * rng.random(n), dtype)


def stable_hash(x: Array, directions: Array, offsets: Array, width: float) -> Array:
    """Return the numbers of the bins.

    Parameters
    ----------
    x : array, shape (..., m)
        Real floating-point numbers.
    directions : array, shape (n, m)
    offsets : array, shape (n,)
    width : float
        As given to `draw_stable_hash`.

    Returns
    -------
    array, shape (..., n)
        Integers, kept as floating-point numbers of the dtype of x (float32 for float16), so that large ones do not
        wrap; not finite where the inner product is not.

    References
    ----------
    Datar, Immorlica, Indyk and Mirrokni, Locality-sensitive hashing scheme based on p-stable distributions, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> stable_hash(np.asarray([1.0, 3.0]), np.asarray([[1.0, 1.0], [0.0, -2.0]]), np.asarray([0.5, 1.0]), 2.0)
    array([ 2., -3.])
    """
    xp = vectors(x=x, directions=directions, offsets=offsets)
    if offsets.shape != (directions.shape[0],):
        raise LeafError(f"offsets: expected {directions.shape[0]}, one a direction, got {tuple(offsets.shape)}")
    found = directed(xp, x, directions)
    return xp.floor((found + xp.astype(offsets, found.dtype, copy=False)) / _check_width(width))


def stable_collision(distance: Any, width: Any, p: int = 2) -> Any:
    r"""Return the probability that two vectors fall into the same bin.

    With :math:`r = w / c`, the width over the distance,

    .. math:: p = 1: \quad \tfrac2\pi \arctan r - \frac{\log(1 + r^2)}{\pi r}, \qquad
              p = 2: \quad \operatorname{erf} \frac{r}{\sqrt 2} - \sqrt{\frac2\pi} \, \frac{1 - e^{-r^2/2}}{r}

    Parameters
    ----------
    distance : number or array
        :math:`c = \|x - y\|_p \ge 0`.
    width : number or array
        w > 0, of a shape that broadcasts with that of the distance.
    p : {1, 2}
        As for `draw_stable_hash`.

    Returns
    -------
    float or array
        A float for numbers, else an array of their dtype. It falls with the distance, from 1 at 0.

    Raises
    ------
    OptionError
        If a distance is negative, or a width not positive.
    BackendError
        For p = 2, if the library has no error function.

    References
    ----------
    Datar, Immorlica, Indyk and Mirrokni, Locality-sensitive hashing scheme based on p-stable distributions, 2004,
    section 3.2 (their 1 - 2 N(-r) is the error function).

    Examples
    --------
    >>> [round(stable_collision(c, 4.0), 6) for c in (0.0, 1.0, 2.0, 100.0)]
    [1.0, 0.800532, 0.609548, 0.015956]
    """
    p = _check_p(p)
    xp, (c, w), back = elementwise(distance=distance, width=width)
    require("distance", "a number >= 0", ~(c < 0), xp, distance)
    require("width", "a finite number > 0", (w > 0) & (w < math.inf), xp, width)
    unknown, far = xp.isnan(c), xp.isinf(c)
    c = xp.where(unknown | far, xp.ones_like(c), c)
    near = c <= w / LARGE  # where the quotient might overflow, too
    r = w / xp.where(near, w, c)
    small = r < SMALL
    middle = xp.where(small, xp.ones_like(r), r)
    big = xp.where(near, c, xp.zeros_like(c)) / w  # 1 / r
    if p == 1:
        series = r * (1 - r * r / 6) / math.pi
        found = (2 * xp.atan(middle) - xp.log1p(middle * middle) / middle) / math.pi
        limit = 1 - 2 * big * (1 - xp.log(xp.where(big > 0, big, xp.ones_like(big)))) / math.pi
    else:
        series = r * (1 - r * r / 12) / math.sqrt(2 * math.pi)
        found = special("erf", middle / math.sqrt(2))
        found = found + math.sqrt(2 / math.pi) * xp.expm1(-0.5 * middle * middle) / middle
        limit = 1 - math.sqrt(2 / math.pi) * big
    found = xp.where(near, limit, xp.where(small, series, found))
    found = xp.where(far, xp.zeros_like(found), found)
    return back(xp.where(unknown, xp.full_like(found, math.nan), found))


def _check_p(p: int) -> int:
    if p not in (1, 2):
        raise OptionError(f"p: expected 1 (Cauchy) or 2 (normal), got {p!r}")
    return p


def _check_width(width: float) -> float:
    return check_number("width", width, "a finite number > 0", lambda w: 0 < w < math.inf)
