"""What the kernel reader needs of a device, and CuPy as one."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.errors import BackendError
from arrayopt.readers.kernel.source import OPTIONS, THREADS, Elementwise, Text


class Device(Protocol):
    """Arrays, memory and launches. Nothing here waits for the device."""

    xp: Namespace
    """Array functions for what no kernel does."""

    def owns(self, x: object) -> bool:
        """Tell whether `x` is an array of this device's library."""

    def current(self, x: Array) -> AbstractContextManager[Any]:
        """Return a context in which the device that holds `x` is the current one."""

    def address(self, x: Array) -> int:
        """Return the address of the first element."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Return a new array with any contents."""

    def upload(self, x: np.ndarray) -> Array:
        """Return a copy of a host array on the device."""

    def launch(self, kernel: Text, blocks: int, arguments: Sequence[Any]) -> None:
        """Launch a kernel for many leaves."""

    def launch_one(self, kernel: Elementwise, arguments: Sequence[Any]) -> None:
        """Launch a kernel for one leaf."""


class CuPy(Device):
    """CuPy's current device and stream; kernels are compiled by NVRTC when they are first launched, and cached."""

    def __init__(self) -> None:
        try:
            import array_api_compat.cupy
            import cupy
        except ImportError as error:
            raise BackendError(
                "engine 'cupy' is not installed; install arrayopt[cuda12] or arrayopt[cuda13]"
            ) from error
        if not cupy.cuda.is_available():
            raise BackendError(
                "engine 'cupy' was asked for, but cupy finds no CUDA device; check `nvidia-smi`, "
                "or use engine 'numpy' or 'numba'"
            )
        self.xp, self._cupy = array_api_compat.cupy, cupy
        self._kernels: dict[str, Any] = {}

    def owns(self, x: object) -> bool:
        """Tell whether `x` is a CuPy array."""
        return isinstance(x, self._cupy.ndarray)

    def current(self, x: Array) -> AbstractContextManager[Any]:
        """Return the device of `x`, which is a context."""
        device: AbstractContextManager[Any] = x.device
        return device

    def address(self, x: Array) -> int:
        """Return the address of the first element."""
        return int(x.data.ptr)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Return a new array, from CuPy's memory pool."""
        return self._cupy.empty(shape, dtype)

    def upload(self, x: np.ndarray) -> Array:
        """Copy through pinned memory, in the order of the stream."""
        return self._cupy.asarray(x)

    def launch(self, kernel: Text, blocks: int, arguments: Sequence[Any]) -> None:
        """Launch a RawKernel."""
        if kernel.name not in self._kernels:
            self._kernels[kernel.name] = self._cupy.RawKernel(kernel.text, kernel.name, options=OPTIONS)
        self._kernels[kernel.name]((blocks,), (THREADS,), tuple(arguments))

    def launch_one(self, kernel: Elementwise, arguments: Sequence[Any]) -> None:
        """Launch an ElementwiseKernel."""
        if kernel.name not in self._kernels:
            self._kernels[kernel.name] = self._cupy.ElementwiseKernel(
                kernel.inputs, kernel.outputs, kernel.operation, kernel.name,
                preamble=kernel.preamble, options=OPTIONS, no_return=True,
            )  # fmt: skip
        self._kernels[kernel.name](*arguments)
