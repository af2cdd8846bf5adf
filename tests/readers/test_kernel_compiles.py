"""Every kernel that the dialects give compiles under NVRTC, without a device. All combinations: validation/kernels."""

import functools

import pytest

from arrayopt.firstorder import RULES, Adam, AdamW
from arrayopt.readers.kernel.source import KINDS, OPTIONS
from tests.common.rules import exaggerated
from validation.kernels.cases import each_value, sources
from validation.kernels.compiling import ARCHITECTURES, CannotCompile, compiled, compiled_as_cupy_does, missing, nvrtc

try:
    nvrtc()
except CannotCompile as reason:
    pytest.skip(f"no kernel was compiled: {reason}", allow_module_level=True)

both = pytest.mark.parametrize("architecture", ARCHITECTURES)


@functools.cache
def kernels(dtype):
    """In float32 every value of every dialect field; other dtypes differ in types and conversions only."""
    return sources(
        (rule for cls in RULES for rule in (each_value(cls) if dtype == "float32" else [exaggerated(cls)])), dtype
    )


@both
@pytest.mark.parametrize("dtype", KINDS)
def test_multi_tensor_kernels(dtype, architecture):
    texts = [s.many() for s in kernels(dtype) if not s.broadcasts]
    assert len(texts) > len(RULES)
    assert missing(texts, compiled((k.text for k in texts), architecture)) == []


@both
def test_numbers_in_a_table(architecture):
    texts = [s.many((0, 1)) for s in sources([exaggerated(Adam)], "float32")]
    assert all("n1 = varying[" in k.text for k in texts)
    assert missing(texts, compiled((k.text for k in texts), architecture)) == []


@both
def test_elementwise_kernels_in_the_text_that_cupy_makes(architecture):
    """All that broadcast, and one rule's that do not, in every dtype."""
    adam = [s.one for dtype in KINDS for s in sources([exaggerated(AdamW)], dtype)]
    broadcast = [s.one for dtype in KINDS for s in kernels(dtype) if s.broadcasts]
    assert len(broadcast) > len(KINDS)
    every = {k.name: k for k in (*adam, *broadcast)}.values()
    assert missing(every, compiled_as_cupy_does(every, architecture)) == []


def test_a_kernel_that_does_not_compile_is_noticed():
    with pytest.raises(AssertionError, match="undefined"):
        compiled(['extern "C" __global__ void run_x(float* x) { x[0] = nothing(x[1]); }'], "sm_80")


@pytest.mark.parametrize("dtype", KINDS)
def test_arithmetic_is_rounded_operation_by_operation(dtype):
    """No fused multiply-add, no approximate division or root, no small number flushed to zero."""
    module = nvrtc()
    (source,) = sources([exaggerated(Adam)], dtype)
    program = module.createProgram(source.many().text, "kernel.cu", (), ())
    module.compileProgram(program, (*OPTIONS, "--gpu-architecture=compute_90"))
    text = module.getPTX(program)
    text = text if isinstance(text, str) else text.decode()
    bits = 64 if dtype == "float64" else 32
    assert f"div.rn.f{bits}" in text
    assert f"sqrt.rn.f{bits}" in text
    assert not [wrong for wrong in ("fma.", "mad.f", ".approx", ".full", ".ftz") if wrong in text]
