"""Special functions that the array API standard lacks, each from the library that has it for an array."""

import importlib
from typing import Any

import array_api_compat as api

from arrayopt.backend import Array, namespace
from arrayopt.errors import BackendError

HOMES = (
    (api.is_numpy_array, "scipy.special"),
    (api.is_cupy_array, "cupyx.scipy.special"),
    (api.is_torch_array, "torch.special"),
    (api.is_jax_array, "jax.scipy.special"),
)


def special(name: str, x: Array) -> Array:
    """Return a special function of an array, elementwise and in its dtype.

    Parameters
    ----------
    name : str
        As SciPy calls it, such as "erfc".
    x : array
        Real floating-point numbers.

    Raises
    ------
    BackendError
        If the library of `x` has no such function.

    Examples
    --------
    >>> import numpy as np
    >>> special("erfc", np.asarray([0.0, 1.0], np.float32))
    array([1. , 0.1572992], dtype=float32)
    """
    home = next((module for belongs, module in HOMES if belongs(x)), None)
    found: Any = None if home is None else getattr(importlib.import_module(home), name, None)
    if found is None:
        library = type(x).__module__.partition(".")[0]
        raise BackendError(
            f"{name}: {library} has no such function; convert the array, for example by arrayopt.to_numpy"
        )
    return namespace(x).astype(found(x), x.dtype, copy=False)
