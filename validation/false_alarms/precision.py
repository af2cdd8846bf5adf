"""The precisions in which an order of operations is run, and a bfloat16 array that rounds after every operation.

NumPy turns a bfloat16 array of ml_dtypes that meets a Python number into float32. `Half` does as torch and JAX do
without fusion: numbers are read in float32, an operation is computed in float32, and its result is rounded.
"""

from typing import Any

import ml_dtypes
import numpy as np

PRECISIONS = ("float64", "float32", "bfloat16", "bfloat16 in float32")
"""The last one keeps parameters and state in bfloat16 and rounds once a step, as fused kernels do."""


class Half(np.ndarray):
    """A bfloat16 array. Sums and products of matrices accumulate in float32 and are rounded once."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        wide = (x.view(np.ndarray).astype(np.float32) if isinstance(x, Half) else x for x in inputs)
        result = np.asarray(getattr(ufunc, method)(*wide, **options))
        if result.dtype == bool:
            return result
        rounded = half(result)
        if out is None:
            return rounded
        out[0].view(np.ndarray)[...] = rounded.view(np.ndarray)
        return out[0]


def half(x: np.ndarray) -> Half:
    """Round an array to bfloat16."""
    return np.asarray(x).astype(ml_dtypes.bfloat16).view(Half)


def dtype_in(precision: str) -> str:
    """Return the dtype of the arrays that a candidate is handed."""
    return precision.partition(" ")[0]


def wide(x: np.ndarray) -> np.ndarray:
    """Return an array in float64, for LAPACK."""
    return np.asarray(x).astype(np.float64)


def single(x: np.ndarray) -> np.ndarray:
    """Return a bfloat16 array in float32, any other as it is."""
    return x.view(np.ndarray).astype(np.float32) if x.dtype == ml_dtypes.bfloat16 else x


def as_in(x: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Round an array to the precision of another."""
    return half(x) if isinstance(like, Half) else np.asarray(x).astype(like.dtype)
