"""Swish, GELU and other gates: 40-digit values, minima, limits."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from arrayopt.backend import to_numpy
from arrayopt.errors import OptionError
from arrayopt.smooth import Cauchy, Gaussian, Logistic, StudentT2, gate_minimum, gated, gelu, swish
from tests.common.libraries import libraries

INF, NAN = math.inf, math.nan
KERNELS = [Gaussian, Logistic, Cauchy, StudentT2]


@given(st.floats(-700, 700), st.floats(0.1, 10))
def test_they_equal_long_arithmetic_relatively(x, scale):
    with mpmath.workdps(60):
        z = mpmath.mpf(x)
        expected = float(z / (1 + mpmath.exp(-z / scale)))
        if abs(x) / scale < 35:
            normal = float(z * mpmath.erfc(-z / scale / mpmath.sqrt(2)) / 2)
            assert gelu(x, scale) == pytest.approx(normal, rel=2e-15 + 3e-16 * (x / scale) ** 2)
    assert swish(x, scale) == pytest.approx(expected, rel=2e-15 + 3e-16 * abs(x) / scale, abs=1e-300)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_gate_is_x_times_the_smoothed_step(kernel):
    x, k = np.linspace(-6, 6, 49), kernel(0.7)
    np.testing.assert_allclose(gated(x, k), x * k.cdf(x), rtol=4e-15, atol=1e-16)
    np.testing.assert_array_equal(gated(x, Logistic(0.7)), swish(x, 0.7))
    np.testing.assert_array_equal(gated(x, Gaussian(0.7)), gelu(x, 0.7))


@pytest.mark.parametrize("kernel", [Gaussian, Logistic, StudentT2])
def test_minima_are_those_of_a_search(kernel):
    at, value = gate_minimum(kernel(0.3))
    searched = optimize.minimize_scalar(lambda x: gated(x, kernel(0.3)), bounds=(-3, 0), options={"xatol": 1e-10})
    assert searched.x == pytest.approx(at, abs=1e-7)
    assert searched.fun == pytest.approx(value, rel=1e-14)
    unit = gate_minimum(kernel())
    assert (at, value) == pytest.approx((0.3 * unit.at, 0.3 * unit.value), rel=1e-15)


def test_closed_forms_of_minima():
    # swish: 1 + x + e^x = 0 by the function W of Lambert, and the minimum x + 1
    omega = float(mpmath.lambertw(mpmath.exp(-1)))
    assert gate_minimum(Logistic()) == pytest.approx((-1 - omega, -omega), rel=1e-15)
    # Student: u^4 + u^2 = 1
    assert gate_minimum(StudentT2()).at ** 2 == pytest.approx((math.sqrt(5) - 1) / 2, rel=1e-15)


def test_the_cauchy_gate_has_a_limit_and_no_minimum():
    with pytest.raises(OptionError, match="kernel: expected one of which x times its step has a minimum, got Cauchy"):
        gate_minimum(Cauchy(2.0))
    assert gated(-INF, Cauchy(2.0)) == pytest.approx(-2 / math.pi, rel=1e-15)
    assert gated(-1e308, Cauchy(1e-3)) == pytest.approx(-1e-3 / math.pi, rel=1e-15)
    assert np.all(np.diff(gated(np.linspace(-50, 50, 999), Cauchy())) > 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kernel", [Gaussian, Logistic, StudentT2])
def test_extremes_and_dtype(kernel, dtype):
    top, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    x = np.asarray([-INF, INF, NAN, top, 0.0, -tiny, -top], dtype)
    for scale in (1e-3, 1.0, 1e3):
        got = gated(x, kernel(scale))
        assert got.dtype == dtype
        np.testing.assert_array_equal(got[[0, 1, 2, 4]], np.asarray([0, INF, NAN, 0], dtype))
        assert float(got[3]) == pytest.approx(float(top), rel=1e-3)
        assert -tiny <= got[5] <= 0
        assert -300 * scale < float(got[6]) <= 0
    assert gated(np.zeros((0,), dtype), kernel()).shape == (0,)


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries_keep_dtype_and_device(xp):
    x = np.asarray([-30.0, -0.2, 0.0, 1.7, INF], np.float32)
    strict = xp.__name__ == "array_api_strict"
    made = xp.asarray(x, **({"device": xp.Device("device1")} if strict else {}))
    for f in [swish] + [gelu] * (not strict):
        got = f(made, 0.5)
        assert type(got) is type(made)
        assert (got.dtype, got.device) == (made.dtype, made.device)
        np.testing.assert_allclose(to_numpy(got), f(x, 0.5), rtol=3e-5, atol=1e-37)


def test_scales_beyond_the_dtype_are_limits():
    x = np.float32([-2.0, 0.0, 3.0])
    for f in (swish, gelu):
        np.testing.assert_allclose(f(x, 1e-300), [0, 0, 3], atol=1e-37)
        np.testing.assert_allclose(f(x, 1e300), x / 2, rtol=0.2)  # x over the scale is subnormal


def test_scales_broadcast():
    scales = np.asarray([0.3, 1.0])
    np.testing.assert_array_equal(
        swish(np.asarray([[-1.0], [2.0]]), scales), [[swish(a, s) for s in scales.tolist()] for a in (-1.0, 2.0)]
    )
    np.testing.assert_array_equal(gelu(-1.0, scales), [gelu(-1.0, s) for s in scales.tolist()])
