"""Which array library to use: functions given arrays follow them, functions that create arrays ask `use`.

Nothing heavy is imported here: a library is imported only when it is asked for by name,
or is there already because its arrays are.
"""

import contextlib
import importlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from arrayopt.errors import BackendError

Array = Any  # any array-API array; there is no common static type for NumPy, CuPy, torch and jax
Namespace = Any

BACKENDS = {
    "numpy": "array_api_compat.numpy",
    "cupy": "array_api_compat.cupy",
    "array_api_strict": "array_api_strict",
}

_current: ContextVar[str | None] = ContextVar("arrayopt_backend", default=None)


def is_array(x: object) -> bool:
    """Tell whether `x` is an array of a library that arrayopt can compute with (NumPy scalars are not)."""
    return is_array_api_obj(x) and not isinstance(x, np.generic)


def namespace(*arrays: Array) -> Namespace:
    """Return the array-API namespace that all `arrays` belong to.

    Raises
    ------
    BackendError
        If there is no array among them, or they come from different libraries.
    """
    try:
        return array_namespace(*arrays)
    except TypeError as error:
        kinds = sorted({type(a).__module__.split(".")[0] + "." + type(a).__name__ for a in arrays})
        raise BackendError(
            f"expected arrays of one library, got {', '.join(kinds) or 'none'}; "
            "convert them first, for example with cupy.asarray or arrayopt.to_numpy"
        ) from error


def to_numpy(x: Array) -> np.ndarray:
    """Copy an array of any library to a NumPy array on the host (a NumPy array is returned as it is)."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "get") and type(x).__module__.startswith("cupy"):
        return np.asarray(x.get())
    if hasattr(x, "detach"):  # torch: leave the graph, come to the host; NumPy has no bfloat16 of its own
        x = x.detach().cpu()
        if str(x.dtype) == "torch.bfloat16":
            import ml_dtypes

            return np.asarray(x.float().numpy().astype(ml_dtypes.bfloat16))
    if type(x).__module__.startswith("array_api_strict"):
        import array_api_strict

        x = array_api_strict.from_dlpack(x, device=array_api_strict.Device("CPU_DEVICE"))
    return np.asarray(x)


def fetch(xp: Namespace, *numbers: Array) -> list[float]:
    """Bring 0-d arrays to the host, in one transfer; what is there already stays."""
    if all(isinstance(x, (float, np.generic, np.ndarray)) for x in numbers):
        return [float(x) for x in numbers]
    away = [x for x in numbers if not isinstance(x, (float, np.generic))]
    held = iter(to_numpy(xp.stack([xp.reshape(x, ()) for x in away])).tolist())
    return [float(x) if isinstance(x, (float, np.generic)) else next(held) for x in numbers]


def default() -> Namespace:
    """Return the namespace in which functions without array arguments create arrays.

    It is what `use` says, else the environment variable ``ARRAYOPT_BACKEND``, else NumPy.
    """
    return _load(_current.get() or os.environ.get("ARRAYOPT_BACKEND", "numpy"))


@contextlib.contextmanager
def use(name: str) -> Iterator[Namespace]:
    """Create arrays in the library `name` ("numpy", "cupy" or "array_api_strict") inside a ``with`` block.

    Raises
    ------
    BackendError
        If the name is unknown, the library is not installed, or it has no device to run on.

    Examples
    --------
    >>> import arrayopt
    >>> with arrayopt.use("numpy") as xp:
    ...     xp.zeros(2)
    array([0., 0.])
    """
    xp = _load(name)
    token = _current.set(name)
    try:
        yield xp
    finally:
        _current.reset(token)


def _load(name: str) -> Namespace:
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}; expected one of {', '.join(BACKENDS)}")
    try:
        if name == "cupy":
            _require_device()
        return importlib.import_module(BACKENDS[name])
    except ImportError as error:
        hint = "arrayopt[cuda12] or arrayopt[cuda13]" if name == "cupy" else name
        raise BackendError(f"backend {name!r} is not installed; install {hint}") from error


def _require_device() -> None:
    import cupy  # imports without a device, so ask

    if not cupy.cuda.is_available():
        raise BackendError(
            "backend 'cupy' was asked for, but cupy finds no CUDA device; check `nvidia-smi`, or use backend 'numpy'"
        )
