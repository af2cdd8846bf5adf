"""Factorisations and solutions that answer None where there is none, the same for every array library."""

import contextlib
import importlib
import math
from typing import Any

from arrayopt.backend import Array, Namespace, fetch, namespace


def cholesky(A: Array) -> Array | None:
    r"""Return the lower triangular L with L L' = A, or None if A is not positive definite to working precision.

    Notes
    -----
    What is left of a diagonal element when its turn comes, :math:`l_{jj}^2`, is nothing but rounding errors if it is at
    most :math:`n \epsilon a_{jj}`. Such a matrix counts as singular, whether or not the errors happen to be positive;
    one that is badly scaled does not.

    Examples
    --------
    >>> import numpy as np
    >>> cholesky(np.array([[4.0, 0.0], [0.0, 9.0]]))
    array([[2., 0.],
           [0., 3.]])
    >>> cholesky(np.array([[1.0, 2.0], [2.0, 1.0]])) is None
    True
    """
    xp = namespace(A)
    with _raising(xp), _Failed() as failed:
        L = xp.linalg.cholesky(A)
    if failed:
        return None
    noise = A.shape[0] * float(xp.finfo(A.dtype).eps)
    left = xp.linalg.diagonal(L) ** 2 / xp.linalg.diagonal(A)
    return L if A.shape[0] == 0 or fetch(xp, xp.min(left))[0] > noise else None


def solve(A: Array, b: Array) -> Array | None:
    """Return the x with A x = b, a vector, or None if A is singular or x is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> solve(np.array([[1.0, 1.0], [1.0, 1.0]]), np.ones(2)) is None
    True
    """
    xp = namespace(A, b)
    with _raising(xp), _Failed() as failed:
        x = xp.linalg.solve(A, b)
    return None if failed or not _finite(xp, x) else x


def power_of_two(size: float) -> float:
    """Return the power of two that is at most `size` and more than half of it; 1 for 0.

    Dividing by it is exact, and what is divided no longer depends on units: a factorisation in floating point, which
    takes square roots and compares with thresholds, then has the same bits for A and for 2^k A.

    Examples
    --------
    >>> power_of_two(5.0), power_of_two(0.3)
    (4.0, 0.25)
    """
    return math.ldexp(1.0, math.frexp(size)[1] - 1) if size else 1.0


def _finite(xp: Namespace, x: Array) -> bool:
    # a sum of finite numbers that overflows is no better than an infinite one
    return math.isfinite(fetch(xp, xp.sum(xp.abs(x)))[0])


def _raising(xp: Namespace) -> contextlib.AbstractContextManager[Any]:
    """Make CuPy raise where a factorisation fails, as others do; by default it returns what there is."""
    if not xp.__name__.endswith("cupy"):
        return contextlib.nullcontext()
    manager: contextlib.AbstractContextManager[Any] = importlib.import_module("cupyx").errstate(linalg="raise")
    return manager


class _Failed:
    """Suppresses the error of a failed factorisation, which each library has a class of its own for; true after one."""

    def __init__(self) -> None:
        self._failed = False

    def __enter__(self) -> "_Failed":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._failed = kind is not None and any(c.__name__.lstrip("_") == "LinAlgError" for c in kind.__mro__)
        return self._failed

    def __bool__(self) -> bool:
        return self._failed
