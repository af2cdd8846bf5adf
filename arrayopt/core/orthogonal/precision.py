"""The dtypes in which matrix helpers compute, and the attribute that bounds their errors."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from array_api_compat import is_jax_namespace

from arrayopt.backend import Array, Namespace
from arrayopt.core.trees import dtype_name

F = TypeVar("F", bound=Callable[..., Any])

UNITS = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Unit roundoffs."""


def with_error(bound: Callable[..., float]) -> Callable[[F], F]:
    """Give a helper ``f(xp, x, *numbers, **static)`` the attribute ``error``, from a bound for one matrix.

    It is called as ``f.error(x, *numbers, norm_of_error=e, unit=u, **static)``, with a NumPy array x, and bounds the
    Frobenius norm of the change of ``f(x)`` when x is wrong by at most `e` in the Frobenius norm and is stored in a
    dtype of unit roundoff `u` (default 0: exact arithmetic). Of a stack of matrices each has its own bound, in an
    array that broadcasts against x, as `e` must.
    """

    def error(x: Any, *numbers: Any, norm_of_error: Any = 0.0, **static: Any) -> Any:
        wide = np.asarray(x, dtype=np.float64)
        if wide.size == 0:
            return 0.0
        stack = (*wide.shape[:-2], 1, 1)
        given = np.broadcast_to(norm_of_error, stack).reshape(-1)
        found = [
            # no bound, rather than a singular value decomposition that fails
            bound(m, *numbers, norm_of_error=float(e), **static) if np.isfinite(m).all() else math.inf
            for m, e in zip(wide.reshape(-1, *wide.shape[-2:]), given, strict=True)
        ]
        return found[0] if wide.ndim == 2 else np.reshape(found, stack)

    def wrap(helper: F) -> F:
        setattr(helper, "error", error)  # noqa: B010
        return helper

    return wrap


def at_least_single(xp: Namespace, x: Array) -> Array:
    """Return float16 as float32: sums of squares leave the range of float16, and LAPACK knows no such dtype."""
    return xp.astype(x, xp.float32) if dtype_name(x) == "float16" else x


def widest(xp: Namespace, x: Array) -> Array:
    """Return `x` in float64, or as it is in JAX, which has no float64 unless told so."""
    return at_least_single(xp, x) if is_jax_namespace(xp) else xp.astype(x, xp.float64, copy=False)


def to_bfloat16(xp: Namespace, x: Array) -> Array:
    """Round float32 to the nearest bfloat16, ties to even, and keep it as float32.

    Arithmetic alone, since few array libraries have the dtype: adding a number 2^16 times as large as the leading bit
    of x leaves 8 bits of x. The leading bit is that of Rump, Ogita and Oishi, Accurate floating-point summation, part
    I (2008), algorithm 3.6. A compiler that contracts a * b - c into one operation breaks it.
    """
    q = (2.0**23 + 1) * x
    lead = xp.abs(q - (1 - 2.0**-24) * q)
    shift = (1.5 * 2.0**16) * lead
    return (x + shift) - shift


def finite_or_zero(xp: Namespace, x: Array) -> tuple[Array, Array]:
    """Tell which matrices are finite, and set the others to zero: LAPACK would raise, and one NaN spoils a matrix."""
    finite = xp.all(xp.isfinite(x), axis=(-2, -1), keepdims=True)
    return finite, xp.where(finite, x, 0.0)
