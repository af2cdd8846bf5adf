"""What the functions of this package take: numbers or arrays, computed in float32 at least, returned as they came."""

from typing import Any

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace, is_array, namespace
from arrayopt.core.arguments import Back, is_number, positive, reals
from arrayopt.core.trees import dtype_name
from arrayopt.errors import LeafError


def enter(x: Any) -> tuple[Namespace, Array, Back]:
    """Return the namespace of x, x as an array to compute with, and what turns a result into what to return.

    Parameters
    ----------
    x : number or array
        A number is computed in float64 and gives a float; float16 is computed in float32.

    Raises
    ------
    LeafError
        If x is neither, or an array of other than real floating-point numbers.
    """
    xp, x, _, back = enter_scaled(x, 1.0, "scale")
    return xp, x, back


def enter_scaled(x: Any, scale: Any, name: str, *, zero: bool = False) -> tuple[Namespace, Array, Any, Back]:
    """Return what `enter` does, and a parameter that is a number or broadcasts with x, between the last two.

    Parameters
    ----------
    x : number or array
    scale : number or array
        A number is checked: finite and positive, or 0 if `zero`. An array is not: what is out of range gives NaN.
    name : str
        What the caller calls it.
    zero : bool
        Whether 0 is in range.
    """
    for what, value in (("x", x), (name, scale)):
        if is_array(value):
            reals(**{what: value})
        elif not is_number(value):
            raise LeafError(f"{what}: expected a number or an array, got a {type(value).__name__}")
    if not is_array(scale):
        scale = positive(name, scale, zero=zero)
    like = x if is_array(x) else scale if is_array(scale) else np.asarray(float(x))
    xp, own = namespace(like, *(a for a in (x, scale) if is_array(a))), like.dtype
    dtype = xp.float32 if dtype_name(like) == "float16" else own
    alone = not (is_array(x) or is_array(scale))
    x = xp.astype(x, dtype, copy=False) if is_array(x) else xp.full((), float(x), dtype=dtype, device=device(like))
    if is_array(scale):
        scale = xp.astype(scale, dtype, copy=False)

    def back(result: Array) -> Any:
        return float(result) if alone else xp.astype(result, own, copy=False)

    return xp, x, scale, back


def within(xp: Namespace, x: Array, scale: Any) -> Any:
    """Return a scale that the dtype of x can hold, for in float32 1e-300 is 0; an array is returned as it is."""
    if is_array(scale):
        return scale
    limits = xp.finfo(x.dtype)
    return min(max(scale, float(limits.smallest_normal)), float(limits.max))
