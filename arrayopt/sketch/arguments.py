"""What the functions of this package do with their arguments first, and with what they draw."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace, default, is_array, namespace
from arrayopt.core.orthogonal.precision import at_least_single
from arrayopt.core.trees import dtype_name
from arrayopt.errors import BackendError, LeafError, OptionError

Back = Callable[[Array], Any]


def enter(**values: Any) -> tuple[Namespace, list[Array], Back]:
    """Return a namespace, the values as arrays that broadcast, in float64, and what gives a result back as they came.

    A float comes of numbers alone; otherwise an array of the dtype of the first that holds floating-point numbers, or
    of float64 where all are integers.

    Raises
    ------
    LeafError
        If one is neither a real number nor an array of such.
    """
    arrays = {name: x for name, x in values.items() if is_array(x)}
    xp: Any = namespace(*arrays.values()) if arrays else namespace(np.zeros(()))
    for name, x in values.items():
        if name in arrays:
            if not xp.isdtype(x.dtype, ("real floating", "integral")):
                raise LeafError(f"{name}: expected real numbers, got the dtype {dtype_name(x)}; cast it")
        elif isinstance(x, (bool, np.bool)) or not isinstance(x, (int, float, np.floating, np.integer)):
            raise LeafError(f"{name}: expected a real number or an array, got a {type(x).__name__}")
    floating = [x for x in arrays.values() if xp.isdtype(x.dtype, "real floating")]
    own = floating[0].dtype if floating else xp.float64
    where = device(next(iter(arrays.values()))) if arrays else None
    read = [
        xp.astype(x, xp.float64, copy=False)
        if name in arrays
        else xp.full((), number(x), dtype=xp.float64, device=where)
        for name, x in values.items()
    ]
    return xp, read, lambda result: xp.astype(result, own, copy=False) if arrays else float(result)


def number(x: Any) -> float:
    """Return a number as a float, infinite where it is beyond all finite ones."""
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def require(name: str, expected: str, good: Array, xp: Namespace, x: Any) -> None:
    """Raise an OptionError unless all are good."""
    if not bool(xp.all(good)):
        raise OptionError(f"{name}: expected {expected}, got {'an array with another' if is_array(x) else repr(x)}")


def check_size(name: str, size: Any, least: int = 1) -> int:
    """Return a count, if it is an integer of at least `least`."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < least:
        raise OptionError(f"{name}: expected an integer >= {least}, got {size!r}")
    return int(size)


def check_number(name: str, value: Any, expected: str, good: Callable[[float], bool]) -> float:
    """Return a number, if it is one that will do."""
    real = isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)
    if not (real and good(value)):
        raise OptionError(f"{name}: expected {expected}, got {value!r}")
    return float(value)


def vectors(**values: Array) -> Namespace:
    """Return the namespace of arrays of real floating-point numbers with at least one axis.

    Raises
    ------
    LeafError
        If one is something else.
    """
    xp: Any = namespace(*values.values())
    for name, x in values.items():
        if not xp.isdtype(x.dtype, "real floating"):
            raise LeafError(f"{name}: expected real floating-point numbers, got the dtype {dtype_name(x)}; cast it")
        if x.ndim == 0:
            raise LeafError(f"{name}: expected vectors along the last axis, got an array without axes")
    return xp


def directed(xp: Namespace, x: Array, directions: Array) -> Array:
    """Return the inner products of vectors x, shape (..., m), with directions, shape (n, m), in float32 at least."""
    if directions.ndim != 2 or directions.shape[1] != x.shape[-1]:
        shapes = f"{tuple(directions.shape)} for vectors of {x.shape[-1]}"
        raise LeafError(f"directions: expected a matrix of shape (n, {x.shape[-1]}), got {shapes}")
    return xp.matmul(at_least_single(xp, x), xp.matrix_transpose(at_least_single(xp, directions)))


def create(values: np.ndarray, dtype: str) -> Array:
    """Bring numbers that were drawn on the host to the array library in use."""
    xp = default()
    if dtype not in ("float16", "float32", "float64"):
        raise OptionError(f'dtype: expected "float16", "float32" or "float64", got {dtype!r}')
    if not hasattr(xp, dtype):
        raise BackendError(f"dtype: {xp.__name__} has no {dtype}")
    return xp.asarray(values.astype(dtype, copy=False))
