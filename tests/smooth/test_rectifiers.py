"""Softplus, SquarePlus and the Gaussian ReLU: 40-digit values, extremes, array libraries; identities are claimed."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.backend import to_numpy
from arrayopt.errors import LeafError, OptionError
from arrayopt.smooth import (
    RELU,
    Gaussian,
    Logistic,
    StudentT2,
    gaussian_relu,
    mollify,
    softplus,
    squareplus,
    squareplus_derivative,
)
from tests.common.libraries import libraries

X = st.floats(-1e3, 1e3)
SCALES = st.floats(1e-2, 1e2)
INF, NAN = math.inf, math.nan
RAMPS = [softplus, gaussian_relu, squareplus]


def exact(f, x, scale):
    x, s = mpmath.mpf(x), mpmath.mpf(scale)
    if f is softplus:
        return s * mpmath.log1p(mpmath.exp(x / s))
    if f is squareplus:
        return (x + mpmath.sqrt(x * x + s)) / 2
    return x * mpmath.ncdf(x / s) + s * mpmath.npdf(x / s)


@pytest.mark.parametrize("f", RAMPS)
@given(x=X, scale=SCALES)
def test_it_equals_long_arithmetic_relatively(f, x, scale):
    with mpmath.workdps(60):
        expected = float(exact(f, x, scale))
    # a rounding of x / s is one of the exponent
    grown = 1 + (abs(x) / scale if f is softplus else (x / scale) ** 2 if f is gaussian_relu else 0)
    assert f(x, scale) == pytest.approx(expected, rel=3e-15 + 3e-16 * min(grown, 2000), abs=1e-305)


@given(X, SCALES)
def test_they_are_the_relu_smoothed_by_their_kernels(x, scale):
    for value, kernel in [
        (softplus(x, scale), Logistic(scale)),
        (gaussian_relu(x, scale), Gaussian(scale)),
        (squareplus(x, scale * scale), StudentT2(scale)),
    ]:
        assert value == pytest.approx(mollify(RELU, x, kernel), rel=4e-15)


def test_derivatives_of_squareplus_are_differences():
    x, h = np.linspace(-5, 5, 41), 1e-5
    slope = (squareplus(x + h, 2.0) - squareplus(x - h, 2.0)) / (2 * h)
    np.testing.assert_allclose(squareplus_derivative(x, 2.0), slope, rtol=1e-8)
    bend = (squareplus_derivative(x + h, 2.0) - squareplus_derivative(x - h, 2.0)) / (2 * h)
    np.testing.assert_allclose(squareplus_derivative(x, 2.0, order=2), bend, rtol=1e-7)


def test_no_cancellation_and_no_overflow_where_the_printed_formulas_have_them():
    assert squareplus(-1e9, 4.0) == pytest.approx(1e-9, rel=1e-15)  # as printed: 0
    assert squareplus(-1e200, 1.0) == pytest.approx(0.25e-200, rel=1e-15)  # x^2 overflows
    assert squareplus(-1.7e308, 4e300) == pytest.approx(1e300 / 1.7e308, rel=1e-15)  # twice |x| does
    assert squareplus(1e308, 1.0) == softplus(1e308) == gaussian_relu(1e308) == 1e308
    assert squareplus(np.float32([-1e30, 3e38]), 1.0).tolist() == pytest.approx([2.5e-31, 3e38])
    assert softplus(-740.0) == pytest.approx(math.exp(-740), rel=1e-3)  # subnormal
    assert gaussian_relu(-30.0) == pytest.approx(1.6334950208397e-199, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("f", RAMPS)
def test_extremes_and_dtype(f, dtype):
    top, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    x = np.asarray([-INF, -top, -tiny, tiny, top, INF, NAN], dtype)
    for scale in (1e-3, 1.0, 1e3):
        got = f(x, scale)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got[[0, 4, 5, 6]], np.asarray([0, top, INF, NAN], dtype))
        assert 0 <= got[1] < 1
        np.testing.assert_array_equal(got[2:4], f(np.zeros(2, dtype), scale))
        assert float(got[2]) == pytest.approx(f(0.0, scale), rel=float(np.finfo(dtype).eps))
    assert f(np.zeros((2, 0), dtype), 1.0).shape == (2, 0)


@pytest.mark.parametrize("f", RAMPS)
def test_scales_beyond_the_dtype_are_limits(f):
    x = np.float32([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(f(x, 1e-300), [0, 0, 3], atol=1e-37)
    assert (f(x, 1e300) > 1e37).all()
    assert squareplus(np.float32([0.0]), 1e-50).tolist() == pytest.approx([5e-26])


def test_squareplus_without_b_is_the_relu():
    x = np.asarray([-INF, -2.0, -5e-324, 0.0, 5e-324, 3.0, INF])
    np.testing.assert_array_equal(squareplus(x, 0.0), np.maximum(x, 0))
    np.testing.assert_array_equal(squareplus_derivative(x, 0), [0, 0, 0, 0.5, 1, 1, 1])
    np.testing.assert_array_equal(squareplus_derivative(x, 0, order=2), [0, 0, 0, INF, 0, 0, 0])
    assert math.isnan(squareplus(NAN, 0.0))
    assert squareplus(0.0, 5e-324) == pytest.approx(math.sqrt(5e-324) / 2)


@pytest.mark.parametrize("f", RAMPS)
def test_scales_broadcast(f):
    x, scales = np.asarray([[-1.0], [0.5]]), np.asarray([0.3, 1.0, 4.0])
    got = f(x, scales)
    assert got.shape == (2, 3)
    np.testing.assert_array_equal(got, [[f(a, s) for s in scales.tolist()] for a in x.ravel().tolist()])
    np.testing.assert_array_equal(f(0.5, scales), got[1])
    assert isinstance(f(2, 1), float)


def test_an_array_of_b_may_hold_zeros():
    b = np.asarray([0.0, 4.0])
    np.testing.assert_array_equal(squareplus(np.asarray([0.0, 0.0]), b), [0.0, 1.0])
    np.testing.assert_array_equal(squareplus_derivative(0.0, b, order=2), [INF, 0.25])


@pytest.mark.parametrize("xp", libraries("strict", "torch", "jax"))
def test_other_array_libraries_keep_dtype_and_device(xp):
    x = np.asarray([-30.0, -0.2, 0.0, 1.7, INF], np.float32)
    strict = xp.__name__ == "array_api_strict"
    made = xp.asarray(x, **({"device": xp.Device("device1")} if strict else {}))
    for f in [softplus, squareplus, squareplus_derivative] + [gaussian_relu] * (not strict):
        got = f(made, 0.5)
        assert type(got) is type(made)
        assert (got.dtype, got.device) == (made.dtype, made.device)
        np.testing.assert_allclose(to_numpy(got), f(x, 0.5), rtol=3e-5, atol=1e-37)  # jax has no subnormal numbers


def test_what_is_refused():
    with pytest.raises(OptionError, match="temperature: expected a finite number > 0, got 0"):
        softplus(1.0, 0)
    with pytest.raises(OptionError, match="sigma: expected a finite number > 0, got nan"):
        gaussian_relu(1.0, NAN)
    with pytest.raises(OptionError, match="b: expected a finite number >= 0, got -1"):
        squareplus(1.0, -1.0)
    with pytest.raises(LeafError, match="b: expected a number or an array, got a str"):
        squareplus(1.0, "4")
    with pytest.raises(LeafError, match="x: expected a number or an array, got a bool"):
        softplus(True)
    with pytest.raises(OptionError, match="order: expected 1 or 2, got 3"):
        squareplus_derivative(1.0, 1.0, order=3)
