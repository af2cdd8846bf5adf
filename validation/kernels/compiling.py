"""Kernel texts compiled by NVRTC, which needs no device."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from arrayopt.readers.kernel.source import OPTIONS, Elementwise, Text

ARCHITECTURES = ("sm_80", "sm_90")


class CannotCompile(Exception):
    """CuPy or NVRTC is not there; the text says what to install."""


def nvrtc() -> Any:
    """Return CuPy's binding of NVRTC."""
    try:
        import cupy

        cupy.cuda.nvrtc.getVersion()
    except ImportError as error:
        raise CannotCompile(f"cupy cannot be imported (install cupy-cuda13x): {error}") from error
    except Exception as error:  # of several kinds, by the release of CuPy
        raise CannotCompile(f"NVRTC cannot be loaded (install nvidia-cuda-nvrtc): {error}") from error
    return cupy.cuda.nvrtc


def compiled(texts: Iterable[str], architecture: str, options: Iterable[str] = (), head: str = "") -> bytes:
    """Compile texts in one go, each in a namespace of its own, since preambles repeat; return the binary."""
    module = nvrtc()
    spaces = (f"namespace kernel{n} {{\n{text}\n}}\n" for n, text in enumerate(texts))
    program = module.createProgram(head + "".join(spaces), "kernels.cu", (), ())
    try:
        module.compileProgram(program, (*OPTIONS, f"--gpu-architecture={architecture}", *options))
    except module.NVRTCError as error:
        raise AssertionError(f"{architecture}: {error}\n{module.getProgramLog(program)[:4000]}") from error
    binary: bytes = module.getCUBIN(program)
    module.destroyProgram(program)
    return binary


def missing(kernels: Iterable[Text | Elementwise], binary: bytes) -> list[str]:
    """The names of kernels that are not in a binary."""
    return [k.name for k in kernels if k.name.encode() not in binary]


def wrapped_by_cupy(kernel: Elementwise) -> str:
    """The text that CuPy itself makes of a body: for strided arrays of two axes, with indices of 32 bits."""
    import cupy
    from cupy._core import _carray, _kernel, _scalar

    array, indexer, number = 1, 2, 3  # _ArgKind in cupy/_core/_kernel.pxd
    given = cupy.ElementwiseKernel(
        kernel.inputs, kernel.outputs, kernel.operation, kernel.name, preamble=kernel.preamble, no_return=True
    )
    infos = []
    for p in given.params:
        if p.name == "_ind":
            infos.append(_kernel._ArgInfo(indexer, _carray.Indexer, None, 2, True, True))
        elif p.name.startswith("n"):
            infos.append(_kernel._ArgInfo(number, _scalar.CScalar, p.dtype, 0, True, True))
        else:
            infos.append(_kernel._ArgInfo(array, cupy.ndarray, p.dtype, 2, False, True))
    text: str = _kernel._get_elementwise_kernel_code(
        tuple(infos), _kernel._TypeMap(()), given.params, given.operation, given.name, given.preamble
    )
    return text


def compiled_as_cupy_does(kernels: Iterable[Elementwise], architecture: str) -> bytes:
    """Compile ElementwiseKernels with CuPy's own text and headers."""
    nvrtc()
    import cupy

    own = Path(cupy.__file__).parent / "_core" / "include"
    folders = (own, *(own / "cupy" / "_cccl" / name for name in ("libcudacxx", "thrust", "cub")))
    options = ("--std=c++17", "-DCUPY_JIT_MODE", *(f"-I{folder}" for folder in folders))
    return compiled(map(wrapped_by_cupy, kernels), architecture, options, "#include <cupy/carray.cuh>\n")
