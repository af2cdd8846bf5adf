"""A device that runs kernel texts on the CPU: compiled by g++, launched as loops over blocks and threads.

The texts are the ones that NVRTC gets. `__global__` is empty, the indices of block and thread are variables, and the
conversions of float16, which are PTX in the text, are the compiler's own.
"""

import contextlib
import ctypes
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import array_api_compat.numpy
import numpy as np

from arrayopt.readers.kernel.source import THREADS, Elementwise, Text

GXX = shutil.which("g++")
REASON = "g++ is not installed, so the kernels cannot be run on the CPU"
# Blocks are independent, but the compiler must not know that it is one thread that runs them all: no optimisation
# beyond -O1, and no contraction of a * b + c, as in the options for NVRTC.
FLAGS = ["-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-w"]

PRELUDE = """
#include <cmath>
#include <cstring>
#define __global__
#define __device__ static
#define __launch_bounds__(n)
struct Index { unsigned int x; };
static thread_local Index blockIdx, threadIdx;
using std::fabs; using std::sqrt; using std::exp; using std::log; using std::log1p; using std::expm1; using std::tanh;
static inline float __uint_as_float(unsigned int u) { float f; std::memcpy(&f, &u, 4); return f; }
static inline unsigned int __float_as_uint(float f) { unsigned int u; std::memcpy(&u, &f, 4); return u; }
static inline float widen(unsigned short b) { _Float16 h; std::memcpy(&h, &b, 2); return h; }
static inline unsigned short narrow(float f) { _Float16 h = f; unsigned short b; std::memcpy(&b, &h, 2); return b; }
"""
C_TYPES = {"float32": "float", "float64": "double", "uint16": "unsigned short", "bool": "bool"}


def entry_of_text(kernel: Text) -> str:
    """The kernel, and a function that launches it; in a namespace of its own, since preambles repeat."""
    arguments = ", ".join(f"*({kind}*)a[{k}]" for k, (kind, _) in enumerate(kernel.parameters))
    return f"""
namespace {kernel.name}_space {{
{kernel.text}
extern "C" void {kernel.name}_entry(long long blocks, long long threads, void** a) {{
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x)
      {kernel.name}({arguments});
}}
}}
"""


def parameters(kernel: Elementwise) -> list[tuple[str, str]]:
    return [(kind, name) for part in (kernel.inputs, kernel.outputs) for kind, name in map(str.split, part.split(", "))]


def entry_of_elementwise(kernel: Elementwise) -> str:
    """What CuPy wraps around a body: a loop over all indices, with a reference to each array's element."""
    lines, arrays = [], 0
    for k, (kind, name) in enumerate(parameters(kernel)):
        c = C_TYPES[kind]
        if name.startswith("n"):
            lines.append(f"const {c} {name} = *({c}*)a[{k}];")
        else:
            lines.append(f"{c} &{name} = *({c}*)((char*)a[{k}] + offset[{arrays}]);")
            arrays += 1
    return f"""
namespace {kernel.name}_space {{
{kernel.preamble}
extern "C" void {kernel.name}_entry(long long ndim, const long long* shape, const long long* strides, void** a) {{
  long long size = 1;
  for (int d = 0; d < ndim; ++d) size *= shape[d];
  for (long long n = 0; n < size; ++n) {{
    long long offset[{arrays}] = {{}}, rest = n;
    for (int d = ndim - 1; d >= 0; --d) {{
      for (int k = 0; k < {arrays}; ++k) offset[k] += rest % shape[d] * strides[k * ndim + d];
      rest /= shape[d];
    }}
    {" ".join(lines)}
    {kernel.operation}
  }}
}}
}}
"""


def compiled(kernels: Sequence[Text | Elementwise], folder: Path) -> ctypes.CDLL:
    """Compile all kernels in one go."""
    entries = [entry_of_text(k) if isinstance(k, Text) else entry_of_elementwise(k) for k in kernels]
    text = PRELUDE + "".join(entries)
    stem = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    stem.with_suffix(".cpp").write_text(text)
    command = [str(GXX), *FLAGS, str(stem.with_suffix(".cpp")), "-o", str(stem.with_suffix(".so"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return ctypes.CDLL(str(stem.with_suffix(".so")))


class Host:
    """NumPy arrays as a device. Without a library it only notes which kernels are launched."""

    xp = array_api_compat.numpy

    def __init__(self, library: ctypes.CDLL | None = None) -> None:
        self.library = library
        self.wanted: dict[str, Text | Elementwise] = {}
        self.launches: list[tuple[str, str, int]] = []
        self.uploads = 0

    def owns(self, x: object) -> bool:
        return isinstance(x, np.ndarray)

    def current(self, x: np.ndarray) -> Any:
        return contextlib.nullcontext()

    def address(self, x: np.ndarray) -> int:
        return x.ctypes.data

    def empty(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return np.full(shape, True if dtype == "bool" else np.nan, dtype)  # what is not written shows

    def upload(self, x: np.ndarray) -> np.ndarray:
        self.uploads += 1
        return x.copy()

    def launch(self, kernel: Text, blocks: int, arguments: Sequence[Any]) -> None:
        self.wanted[kernel.name] = kernel
        self.launches.append(("many", kernel.name, blocks))
        if self.library is None:
            return
        hold = [np.asarray(x.ctypes.data if isinstance(x, np.ndarray) else x) for x in arguments]
        assert len(hold) == len(kernel.parameters)
        for x, (kind, name) in zip(arguments, kernel.parameters, strict=True):
            expected = {"long long": "int64", "int": "int32", "float": "float32", "double": "float64"}
            assert str(x.dtype) == expected[kind.removeprefix("const ").rstrip("*")], name
        pointers = (ctypes.c_void_p * len(hold))(*(x.ctypes.data for x in hold))
        entry = getattr(self.library, f"{kernel.name}_entry")
        entry(ctypes.c_longlong(blocks), ctypes.c_longlong(THREADS), pointers)

    def launch_one(self, kernel: Elementwise, arguments: Sequence[Any]) -> None:
        self.wanted[kernel.name] = kernel
        self.launches.append(("one", kernel.name, 0))
        if self.library is None:
            return
        named = list(zip(parameters(kernel), arguments, strict=True))
        for (kind, name), x in named:
            assert str(x.dtype) == kind, name
        arrays = [x for (_, name), x in named if name.startswith("x")]
        shape = np.broadcast_shapes(*(x.shape for x in arrays))
        strides = np.array([np.broadcast_to(x, shape).strides for x in arrays], np.int64)
        hold = [x if isinstance(x, np.ndarray) else np.asarray(x) for x in arguments]
        pointers = (ctypes.c_void_p * len(hold))(*(x.ctypes.data for x in hold))
        sizes = np.array(shape, np.int64)
        entry = getattr(self.library, f"{kernel.name}_entry")
        entry(ctypes.c_longlong(len(shape)), ctypes.c_void_p(sizes.ctypes.data),
              ctypes.c_void_p(strides.ctypes.data), pointers)  # fmt: skip
