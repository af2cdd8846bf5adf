"""What functions of this package do with their arguments first, and how vectors of any size are measured."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import device
from array_api_compat import numpy as numpy_namespace

from arrayopt.backend import Array, Namespace, default, is_array, namespace
from arrayopt.core.orthogonal.precision import at_least_single, widest
from arrayopt.core.trees import dtype_name
from arrayopt.errors import LeafError, OptionError


def reals(**arrays: Array) -> Namespace:
    """Return the namespace of arrays given by name, which have to hold real floating-point numbers.

    Raises
    ------
    LeafError
        If one holds something else.
    """
    xp: Any = namespace(*arrays.values())
    for name, x in arrays.items():
        if not xp.isdtype(x.dtype, "real floating"):
            raise LeafError(f"{name}: expected real floating-point numbers, got the dtype {dtype_name(x)}; cast it")
    return xp


def elementwise(name: str, x: Any) -> tuple[Namespace, Array, Callable[[Array], Any]]:
    """Return how to compute a function of every number of x: a namespace, x in float64, and the way back.

    The way back makes a float of a number, and gives an array the dtype of x, or float64 if x holds integers.

    Raises
    ------
    LeafError
        If x is neither a real number nor an array of such.
    """
    if isinstance(x, (int, float, np.floating, np.integer)) and not isinstance(x, bool):
        try:
            number = float(x)
        except OverflowError:  # an integer of more than 308 digits
            number = math.inf if x > 0 else -math.inf
        return numpy_namespace, np.asarray(number), float
    if not is_array(x):
        raise LeafError(f"{name}: expected a real number or an array, got {type(x).__name__}")
    xp = namespace(x)
    if xp.isdtype(x.dtype, "integral"):
        return xp, xp.astype(x, xp.float64), lambda result: result
    reals(**{name: x})
    return xp, widest(xp, x), lambda result: xp.astype(result, x.dtype, copy=False)


def elementwise_pair(name: str, x: Any, other: str, y: Any) -> tuple[Namespace, Array, Array, Callable[[Array], Any]]:
    """Return the same for a function of two, of which one may be a number: the way back is that of x, if an array."""
    xp, x_, back = elementwise(name, x)
    of_y, y_, back_y = elementwise(other, y)
    if not is_array(x) and is_array(y):
        return of_y, of_y.asarray(float(x_), dtype=y_.dtype, device=device(y_)), y_, back_y
    if is_array(x) and not is_array(y):
        y_ = xp.asarray(float(y_), dtype=x_.dtype, device=device(x_))
    elif is_array(x):
        xp = namespace(x_, y_)
    return xp, x_, y_, back


def require(name: str, expected: str, good: Array, xp: Namespace, x: Any) -> None:
    """Raise an OptionError unless all are good."""
    if not bool(xp.all(good)):
        shown = x if isinstance(x, (int, float)) else "an array with another"
        raise OptionError(f"{name}: expected {expected}, got {shown}")


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


def non_negative(name: str, value: float) -> float:
    """Return a number that has to be finite and at least 0."""
    if not 0 <= value < math.inf:
        raise OptionError(f"{name}: expected a finite number >= 0, got {value!r}")
    return value


def make_array(x: np.ndarray, dtype: str) -> Array:
    """Return an array of the library that `arrayopt.use` says."""
    xp = default()
    kind = getattr(xp, dtype, None) if dtype.startswith("float") else None
    if kind is None:
        raise OptionError(f"dtype: expected the name of a real floating-point dtype, such as float32, got {dtype!r}")
    return xp.asarray(np.array(x, order="C"), dtype=kind)
