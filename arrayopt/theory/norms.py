"""Euclidean norms along an axis, right where squares leave the range of the dtype."""

from arrayopt.backend import Array, Namespace
from arrayopt.core.orthogonal.precision import at_least_single


def size_and_unit(xp: Namespace, x: Array, axis: int = -1) -> tuple[Array, Array]:
    """Return the greatest |x| along an axis, kept, and x divided by it, of which no square overflows or vanishes.

    Zero is left as it is. Infinite entries are beyond all finite ones: they become 1 or -1, and the others 0.
    """
    if x.shape[axis] == 0:
        return xp.sum(x, axis=axis, keepdims=True), x
    top = xp.max(xp.abs(x), axis=axis, keepdims=True)
    endless = xp.isinf(top)
    unit = x / xp.where(endless | (top == 0), xp.ones_like(top), top)
    return top, xp.where(endless, xp.where(xp.isinf(x), xp.sign(x), xp.zeros_like(x)), unit)


def vector_norm(xp: Namespace, x: Array, axis: int = -1, *, keepdims: bool = False) -> Array:
    """Return the Euclidean norm along an axis, right where squares leave the range of the dtype."""
    own = x.dtype
    top, unit = size_and_unit(xp, at_least_single(xp, x), axis)
    norm = top * xp.sqrt(xp.sum(unit * unit, axis=axis, keepdims=True))
    return xp.astype(norm if keepdims else xp.squeeze(norm, axis=axis), own, copy=False)
