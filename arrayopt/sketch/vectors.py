"""Vectors along the last axis, and their inner products with directions."""

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import reals
from arrayopt.core.orthogonal.precision import at_least_single
from arrayopt.errors import LeafError


def vectors(**values: Array) -> Namespace:
    """Return the namespace of arrays of real floating-point numbers with at least one axis.

    Raises
    ------
    LeafError
        If one is something else.
    """
    xp = reals(**values)
    for name, x in values.items():
        if x.ndim == 0:
            raise LeafError(f"{name}: expected vectors along the last axis, got an array without axes")
    return xp


def directed(xp: Namespace, x: Array, directions: Array) -> Array:
    """Return the inner products of vectors x, shape (..., m), with directions, shape (n, m), in float32 at least."""
    if directions.ndim != 2 or directions.shape[1] != x.shape[-1]:
        shapes = f"{tuple(directions.shape)} for vectors of {x.shape[-1]}"
        raise LeafError(f"directions: expected a matrix of shape (n, {x.shape[-1]}), got {shapes}")
    return xp.matmul(at_least_single(xp, x), xp.matrix_transpose(at_least_single(xp, directions)))
