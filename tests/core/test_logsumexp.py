"""The log of a sum of exponentials: exact values, bounds, infinities, array libraries."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from arrayopt.backend import to_numpy
from arrayopt.core.logsumexp import logsumexp, softmax
from arrayopt.errors import LeafError, OptionError
from tests.common.libraries import libraries

VECTORS = hnp.arrays(np.float64, st.integers(1, 9), elements=st.floats(-1e3, 1e3))
TEMPERATURES = st.floats(1e-3, 1e3)
INF, NAN = math.inf, math.nan


@given(VECTORS, TEMPERATURES, st.data())
def test_it_equals_30_digit_arithmetic(x, temperature, data):
    w = data.draw(hnp.arrays(np.float64, x.size, elements=st.floats(0.01, 10)))
    with mpmath.workdps(30):
        t = mpmath.mpf(temperature)
        parts = [mpmath.mpf(a) * mpmath.exp(mpmath.mpf(b) / t) for a, b in zip(w, x, strict=True)]
        total = mpmath.fsum(parts)
        expected, shares = t * mpmath.log(total), [float(p / total) for p in parts]
    size = np.abs(x).max() + temperature * 3
    assert float(logsumexp(x, weights=w, temperature=temperature)) == pytest.approx(float(expected), abs=4e-15 * size)
    # an exponent of y is wrong by y u, and so is the exponential, relatively
    relative = 1e-15 * (10 + np.ptp(x) / temperature)
    np.testing.assert_allclose(softmax(x, weights=w, temperature=temperature), shares, rtol=relative, atol=1e-300)


@given(VECTORS, TEMPERATURES)
def test_below_zero_the_temperature_gives_a_smooth_minimum(x, temperature):
    slack = 1e-12 * (1 + np.abs(x).max() + temperature)
    smooth_min = float(logsumexp(x, temperature=-temperature))
    assert x.min() - temperature * math.log(x.size) - slack <= smooth_min <= x.min()
    assert smooth_min == -float(logsumexp(-x, temperature=temperature))


@given(VECTORS, st.floats(-1e3, 1e3))
def test_a_constant_leaves_softmax(x, c):
    np.testing.assert_allclose(softmax(x + c), softmax(x), rtol=1e-11)


def test_softmax_is_the_gradient():
    x, h = np.array([0.3, -1.0, 2.0]), 1e-6
    for t in (0.5, 1.0, -2.0):
        slopes = [
            float(logsumexp(x + h * e, temperature=t) - logsumexp(x - h * e, temperature=t)) / (2 * h)
            for e in np.eye(3)
        ]
        np.testing.assert_allclose(softmax(x, temperature=t), slopes, atol=1e-9)


@pytest.mark.parametrize(
    ("x", "expected", "shares"),
    [
        ([INF, 0.0, INF], INF, [0.5, 0.0, 0.5]),
        ([INF, -INF, 1e308], INF, [1.0, 0.0, 0.0]),
        ([-INF, -INF], -INF, [0.0, 0.0]),
        ([-INF, 3.0], 3.0, [0.0, 1.0]),
        ([1e308, -1e308], 1e308, [1.0, 0.0]),
        ([NAN, 1.0], NAN, [NAN, NAN]),
        ([NAN, INF], NAN, [NAN, NAN]),
    ],
)
def test_infinities_and_nan_without_a_warning(x, expected, shares):
    with np.errstate(over="ignore"):  # 1e308 - -1e308
        np.testing.assert_equal(float(logsumexp(np.array(x))), expected)
        np.testing.assert_equal(softmax(np.array(x)), shares)


def test_huge_numbers_at_a_low_temperature_do_not_overflow():
    x = np.array([1e300, 1e300 * (1 - 1e-15)])
    with np.errstate(over="ignore"):
        assert float(logsumexp(x, temperature=1e-20)) == 1e300
        np.testing.assert_array_equal(softmax(x, temperature=1e-20), [1.0, 0.0])


def test_where_a_weight_is_zero_the_element_does_not_matter():
    x, w = np.array([NAN, INF, 2.0, 1.0]), np.array([0.0, 0.0, 1.0, 3.0])
    assert float(logsumexp(x, weights=w)) == pytest.approx(math.log(math.exp(2) + 3 * math.e), rel=1e-15)
    np.testing.assert_allclose(softmax(x, weights=w)[:2], 0.0)
    np.testing.assert_array_equal(softmax(x, weights=0 * w), np.zeros(4))
    assert float(logsumexp(x, weights=0 * w)) == -INF


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_are_those_of_scipy(axis, keepdims):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    expected = special.logsumexp(x, axis=axis, keepdims=keepdims)
    found = logsumexp(x, axis=axis, keepdims=keepdims)
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_allclose(softmax(x, axis=axis), special.softmax(x, axis=axis), rtol=1e-14)


def test_an_empty_sum_is_log_0():
    np.testing.assert_array_equal(logsumexp(np.zeros((2, 0))), [-INF, -INF])
    np.testing.assert_array_equal(logsumexp(np.zeros((2, 0)), temperature=-1.0), [INF, INF])
    assert softmax(np.zeros((2, 0))).shape == (2, 0)


@pytest.mark.parametrize("xp", libraries("strict", "torch", "jax"))
def test_other_array_libraries_keep_dtype_and_device(xp):
    x = np.array([[0.5, -INF, 2.0], [INF, 0.0, 1.0]], np.float32)
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    made = xp.asarray(x, **where)
    for f in (logsumexp, softmax):
        got = f(made, temperature=0.7, weights=xp.asarray(np.ones((2, 3), np.float32), **where))
        assert type(got) is type(made)
        assert (got.dtype, got.device) == (made.dtype, made.device)
        np.testing.assert_allclose(to_numpy(got), f(x, temperature=0.7), rtol=1e-6)


def test_what_is_refused():
    for t in (0.0, INF, NAN):
        with pytest.raises(OptionError, match="temperature: expected a finite number other than 0"):
            logsumexp(np.ones(2), temperature=t)
    with pytest.raises(LeafError, match="x: expected real floating-point numbers, got the dtype int64"):
        softmax(np.arange(3))
    with pytest.raises(OptionError, match="axis: expected axes of an array of 1, got 1"):
        logsumexp(np.ones(2), axis=1)


def test_a_tiny_weight_at_the_greatest_does_not_overflow():
    x, w = np.array([100.0, 0.0]), np.array([8e-315, 1.0])
    assert float(logsumexp(x, weights=w)) == pytest.approx(0.0, abs=1e-15)
    assert float(logsumexp(x / 10, weights=w)) == pytest.approx(0.0, abs=1e-15)
