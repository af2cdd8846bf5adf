"""What functions of arrays and numbers do with their arguments: check them, and give results back as these came."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace, default, is_array, namespace
from arrayopt.core.orthogonal.precision import widest
from arrayopt.core.trees import dtype_name
from arrayopt.errors import BackendError, LeafError, OptionError

Back = Callable[[Array], Any]


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


def elementwise(**values: Any) -> tuple[Namespace, list[Array], Back]:
    """Return how to compute a function of numbers: a namespace, the values in float64, and the way back.

    The way back makes a float if all are numbers, and otherwise gives the dtype of the first array that holds
    floating-point numbers, or float64 where all hold integers.

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
        elif not is_number(x):
            raise LeafError(f"{name}: expected a real number or an array, got a {type(x).__name__}")
    floating = [x for x in arrays.values() if xp.isdtype(x.dtype, "real floating")]
    wide = widest(xp, next(iter(arrays.values()))).dtype if arrays else xp.float64
    own = floating[0].dtype if floating else wide
    where = device(next(iter(arrays.values()))) if arrays else None
    read = [
        widest(xp, x) if name in arrays else xp.full((), number(x), dtype=wide, device=where)
        for name, x in values.items()
    ]
    return xp, read, lambda result: xp.astype(result, own, copy=False) if arrays else float(result)


def is_number(x: Any) -> bool:
    """Tell whether something is a real number; a truth value is none."""
    return isinstance(x, (int, float, np.floating, np.integer)) and not isinstance(x, bool)


def number(x: Any) -> float:
    """Return a number as a float, infinite where it is an integer beyond all finite ones."""
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def require(name: str, expected: str, good: Array, xp: Namespace, x: Any) -> None:
    """Raise an OptionError unless all are good."""
    if not bool(xp.all(good)):
        raise OptionError(f"{name}: expected {expected}, got {'an array with another' if is_array(x) else repr(x)}")


def check_number(name: str, value: Any, expected: str, good: Callable[[float], bool]) -> float:
    """Return a number as a float, if it is one that will do."""
    if not (is_number(value) and good(number(value))):
        raise OptionError(f"{name}: expected {expected}, got {value!r}")
    return float(value)


def positive(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a number as a float, if it is finite and greater than 0, or 0 if `zero`."""
    expected = f"a finite number {'>=' if zero else '>'} 0"
    return check_number(name, value, expected, lambda x: x < math.inf and (x > 0 or (zero and x == 0)))


def check_size(name: str, size: Any, least: int = 1) -> int:
    """Return a count, if it is an integer of at least `least`."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < least:
        raise OptionError(f"{name}: expected an integer >= {least}, got {size!r}")
    return int(size)


def create(values: np.ndarray, dtype: str) -> Array:
    """Bring numbers that were drawn on the host to the array library in use."""
    xp = default()
    if dtype not in ("float16", "float32", "float64"):
        raise OptionError(f'dtype: expected "float16", "float32" or "float64", got {dtype!r}')
    if not hasattr(xp, dtype):
        raise BackendError(f"dtype: {xp.__name__} has no {dtype}")
    return xp.asarray(np.array(values, dtype=dtype, order="C"))
