r"""Cosines of vectors, of their blocks, and of what is left of them without the mean (Pearson's correlation).

With the cosines :math:`c_i` of the blocks and the vectors :math:`a, b` of the norms of the blocks,

.. math:: \cos(x, y) = \frac{\sum_i c_i a_i b_i}{\|a\| \|b\|}, \qquad
          \cos(a, b) \min_i c_i \le \cos(x, y) \le \cos(a, b) \max_i c_i

so that blocks which all agree promise nothing for the whole: :math:`\cos(a, b)` may be as close to 0 as one likes.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from arrayopt.backend import Array, namespace
from arrayopt.core.arguments import reals
from arrayopt.core.orthogonal.precision import at_least_single
from arrayopt.errors import LeafError, OptionError
from arrayopt.theory.norms import size_and_unit, vector_norm

__all__ = [
    "BlockCosines",
    "Simpson",
    "block_cosines",
    "cosine",
    "cosine_bounds",
    "cosine_of_blocks",
    "first_order_change",
    "pearson",
    "simpson",
]


class BlockCosines(NamedTuple):
    """Cosines of blocks, NaN where a block is zero, and the norms of the blocks of x and of y: shape (..., K) each."""

    cosines: Array
    x_norms: Array
    y_norms: Array


class Simpson(NamedTuple):
    """Correlations within each group, shape (..., K), and of all together."""

    within: Array
    pooled: Array


def cosine(x: Array, y: Array, *, axis: int = -1) -> Array:
    r"""Return the cosine of the angle between vectors.

    .. math:: \cos(x, y) = \langle x, y \rangle / (\|x\| \|y\|)

    Parameters
    ----------
    x, y : array
        Real floating-point numbers, of one shape or shapes that broadcast.
    axis : int
        That of the vectors.

    Returns
    -------
    array
        In [-1, 1], 1 exactly for y = x. NaN for a vector of zeros, or of nothing. Infinite entries are beyond all
        finite ones, and alike.

    Raises
    ------
    LeafError
        If x or y holds other numbers.

    References
    ----------
    kexue.fm/archives/9931.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(cosine(np.asarray([1.0, 1.0]), np.asarray([1.0, 2.0]))) * math.sqrt(10), 12)
    3.0
    >>> float(cosine(np.asarray([1e308, 1e308]), np.asarray([1e-320, 1e-320])))
    1.0
    """
    xp = reals(x=x, y=y)
    _, u = size_and_unit(xp, at_least_single(xp, x), axis)
    _, v = size_and_unit(xp, at_least_single(xp, y), axis)
    uu, vv, uv = (xp.sum(z, axis=axis) for z in (u * u, v * v, u * v))
    both = xp.sqrt(uu * vv)
    found = xp.where(both > 0, uv / xp.where(both > 0, both, 1.0), math.nan)
    return xp.astype(xp.clip(found, -1.0, 1.0), xp.result_type(x, y), copy=False)


def pearson(x: Array, y: Array, *, axis: int = -1) -> Array:
    r"""Return Pearson's correlation: the cosine of x and y less their means.

    .. math:: r = \cos(x - \bar x, y - \bar y)

    Parameters
    ----------
    x, y : array
        Real floating-point numbers, of one shape or shapes that broadcast.
    axis : int
        That of the samples.

    Returns
    -------
    array
        In [-1, 1]; NaN where x or y is constant, empty or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.asarray([0.0, 1.0, 2.0])
    >>> float(pearson(x, 3 * x + 10)), float(pearson(x, np.full(3, 0.1)))
    (1.0, nan)
    """
    reals(x=x, y=y)
    return cosine(_centred(x, axis), _centred(y, axis), axis=axis)


def _centred(x: Array, axis: int) -> Array:
    """Return x less its mean, up to a factor; exactly 0 for a constant, and NaN for what is not finite."""
    xp = reals(x=x)
    if x.shape[axis] == 0:
        return x
    own, x = x.dtype, at_least_single(xp, x)
    finite = xp.all(xp.isfinite(x), axis=axis, keepdims=True)
    x = xp.where(finite, x, 0.0)
    # half of large numbers, which is exact, so that no difference overflows
    top = xp.max(xp.abs(x), axis=axis, keepdims=True)
    x = x * xp.where(top > 1, 0.5 * xp.ones_like(top), xp.ones_like(top))
    _, x = size_and_unit(xp, x - _first(x, axis), axis)
    x = x - xp.mean(x, axis=axis, keepdims=True)
    return xp.astype(xp.where(finite, x, math.nan), own, copy=False)


def _first(x: Array, axis: int) -> Array:
    """Return the first element along an axis, kept."""
    axis = axis % x.ndim
    return x[(slice(None),) * axis + (slice(0, 1), ...)]


def block_cosines(x: Array, y: Array, sizes: Sequence[int]) -> BlockCosines:
    """Return the cosines of corresponding blocks of vectors, and the norms of the blocks.

    Parameters
    ----------
    x, y : array, shape (..., n)
        Real floating-point numbers.
    sizes : sequence of int
        How long each block is, at least 1; their sum is n.

    Raises
    ------
    OptionError
        If the blocks do not make up the vectors.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.asarray([1.0, 1.0]), np.asarray([1.0, 2.0])
    >>> block_cosines(x, y, [1, 1]).cosines
    array([1., 1.])
    """
    xp = reals(x=x, y=y)
    if x.shape[-1] != y.shape[-1]:
        raise LeafError(f"y: expected vectors as long as those of x, {x.shape[-1]}, got {y.shape[-1]}")
    if any(k < 1 for k in sizes) or sum(sizes) != x.shape[-1]:
        raise OptionError(f"sizes: expected lengths of at least 1 that add up to {x.shape[-1]}, got {list(sizes)}")
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    parts = [(x[..., e - k : e], y[..., e - k : e]) for k, e in zip(sizes, ends, strict=True)]
    return BlockCosines(
        xp.stack([cosine(u, v) for u, v in parts], axis=-1),
        xp.stack([vector_norm(xp, u) for u, _ in parts], axis=-1),
        xp.stack([vector_norm(xp, v) for _, v in parts], axis=-1),
    )


def cosine_of_blocks(blocks: BlockCosines) -> Array:
    r"""Return the cosine of the whole vectors from what is known of their blocks.

    .. math:: \cos(x, y) = \frac{\sum_i c_i a_i b_i}{\|a\| \|b\|}

    Blocks of zeros, whose cosine is NaN, have no weight.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.asarray([3.0, 4.0, 12.0]), np.asarray([4.0, 3.0, -12.0])
    >>> float(cosine_of_blocks(block_cosines(x, y, [2, 1])) - cosine(x, y))
    0.0
    """
    c, a, b = blocks
    xp = reals(cosines=c, x_norms=a, y_norms=b)
    _, u = size_and_unit(xp, at_least_single(xp, a))
    _, v = size_and_unit(xp, at_least_single(xp, b))
    known = xp.astype(xp.where(xp.isnan(c), xp.zeros_like(c), c), u.dtype, copy=False)
    both = xp.sqrt(xp.sum(u * u, axis=-1) * xp.sum(v * v, axis=-1))
    found = xp.sum(known * u * v, axis=-1) / xp.where(both > 0, both, 1.0)
    return xp.astype(xp.where(both > 0, found, math.nan), c.dtype, copy=False)


def cosine_bounds(blocks: BlockCosines) -> tuple[Array, Array]:
    r"""Return the least and the greatest cosine of vectors whose blocks have given norms and the range of cosines.

    .. math:: s \min_i c_i \le \cos(x, y) \le s \max_i c_i, \qquad s = \cos(a, b) \in [0, 1]

    over the blocks that are not zero. The upper bound is attained if and only if all blocks of positive weight share
    one cosine. Without s they hold only as :math:`\min(0, \min c_i)` and :math:`\max(0, \max c_i)`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.asarray([1.0, 1.0]), np.asarray([1.0, 2.0])
    >>> [round(float(z) * math.sqrt(10), 12) for z in cosine_bounds(block_cosines(x, y, [1, 1]))]
    [3.0, 3.0]
    """
    c, a, b = blocks
    xp = reals(cosines=c, x_norms=a, y_norms=b)
    s, none = cosine(a, b), xp.isnan(c)
    low = xp.min(xp.where(none, xp.full_like(c, math.inf), c), axis=-1)
    high = xp.max(xp.where(none, xp.full_like(c, -math.inf), c), axis=-1)
    some = ~xp.all(none, axis=-1)
    nothing = xp.full_like(s, math.nan)  # no block has a weight: the cosine is 0, or undefined
    nothing = xp.where(s == 0, xp.zeros_like(s), nothing)
    return (
        xp.where(some, s * xp.where(some, low, xp.ones_like(low)), nothing),
        xp.where(some, s * xp.where(some, high, xp.ones_like(high)), nothing),
    )


def first_order_change(update: Array, gradient: Array, lr: float) -> Array:
    r"""Return how a loss changes, to first order, by a step of -lr along an update.

    .. math:: L(\theta - \eta u) - L(\theta) \approx -\eta \|u\| \|g\| \cos(u, g)

    Examples
    --------
    >>> import numpy as np
    >>> float(first_order_change(np.asarray([1.0, 0.0]), np.asarray([3.0, 4.0]), 0.5))
    -1.5
    """
    xp = reals(update=update, gradient=gradient)
    return -lr * xp.sum(update * gradient, axis=-1)


def simpson(xs: Sequence[Array], ys: Sequence[Array]) -> Simpson:
    """Return the correlations within groups and of all groups together, which may have opposite signs.

    Every group is centred by its own mean, the whole by its own (Simpson's paradox).

    Parameters
    ----------
    xs, ys : sequence of arrays, shape (..., n_i) each
        The samples of each group.

    Raises
    ------
    OptionError
        If there is no group, or x and y have different numbers of them.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.asarray([0.0, 1.0, 2.0]), np.asarray([5.0, 6.0, 7.0])
    >>> found = simpson([a, b], [a + 10, b - 6])
    >>> found.within, round(float(found.pooled), 4)
    (array([1., 1.]), -0.8947)
    """
    if len(xs) != len(ys) or not xs:
        raise OptionError(f"xs, ys: expected as many groups of x as of y, at least one, got {len(xs)} and {len(ys)}")
    xp = namespace(*xs, *ys)
    within = xp.stack([pearson(x, y) for x, y in zip(xs, ys, strict=True)], axis=-1)
    return Simpson(within, pearson(xp.concat(list(xs), axis=-1), xp.concat(list(ys), axis=-1)))
