"""Margins: by how much numbers satisfy an inequality or an equality, and the sizes that they are held against."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from arrayopt.backend import Array, is_array, namespace, to_numpy


def slack(small: Any, large: Any, scale: Any = None) -> float:
    """Return the margin of small <= large: their difference over `scale`, by default the larger modulus (at least 1).

    Examples
    --------
    >>> slack(1.0, 3.0)
    0.6666666666666666
    """
    a, b = float(small), float(large)
    if a == b:  # infinite ones too
        return 0.0
    size = max(1.0, abs(a), abs(b)) if scale is None else float(scale)
    return (b - a) / size


def agreement(a: Any, b: Any, scale: Any = None) -> float:
    """Return the margin of a = b: minus the largest difference of their elements over `scale`.

    By default that is the largest modulus in either.

    Examples
    --------
    >>> agreement([1.0, 2.0], [1.0, 2.5])
    -0.2
    """
    a, b = host(a), host(b)
    if a.shape != b.shape:
        return -math.inf
    if a.size == 0 or bool(np.all(a == b)):
        return -0.0
    if a.dtype == object or b.dtype == object:  # exact numbers: equal or not
        return -math.inf
    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.where(a == b, 0.0, np.abs(a - b))
        size = max(np.max(np.abs(a)), np.max(np.abs(b))) if scale is None else float(scale)
        return -float(np.max(apart) / size) if size > 0 else -math.inf


def host(x: Any) -> np.ndarray:
    """Return an array, a number or a list as a NumPy array."""
    return np.asarray(to_numpy(x)) if is_array(x) else np.asarray(x)


def ulps(count: float) -> Callable[[Mapping[str, Any]], float]:
    """Return the tolerance of `count` distances from 1 to the next number, in the dtype that an instance names."""
    return lambda instance: count * float(np.finfo(instance.get("dtype", "float64")).eps)


def same(a: Sequence[Any], b: Sequence[Any], scale: Any = None) -> float:
    """Return the margin of two lists of arrays being one, by default relative to their largest number, or to 1."""
    if len(a) != len(b):
        return float("-inf")
    size = largest(*a, *b) if scale is None else scale
    return min(agreement(x, y, scale=size) for x, y in zip(a, b, strict=True))


def identical(*pairs: tuple[Any, Any]) -> float:
    """Return the margin of equalities that are exact: 0, or -1 if one fails."""
    for a, b in pairs:
        x, y = (host(v) for v in (a, b))
        if x.shape != y.shape or not bool(np.all(x == y)):
            return -1.0
    return 0.0


def largest(*arrays: Array) -> float:
    """Return the largest modulus in any of the arrays, at least 1."""
    return max(1.0, *(float(namespace(x).max(abs(x))) for x in arrays))


def norm(x: Array) -> float:
    """Return the Euclidean length of all entries."""
    return math.sqrt(float(namespace(x).sum(x * x)))
