"""The smooth floor: sum and Fourier series agree; integers, periods, ends."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.backend import to_numpy
from arrayopt.errors import OptionError
from arrayopt.smooth import Cauchy, Gaussian, Logistic, StudentT2, floor_series, smooth_floor
from tests.common.libraries import libraries

INF, NAN = math.inf, math.nan


def test_the_example_of_the_article():
    x = np.linspace(-8, 13, 200)
    expected = -6 + sum(1 / (1 + np.exp(-10 * (x - n))) for n in range(-5, 11))
    np.testing.assert_allclose(smooth_floor(x, Logistic(0.1)), expected, atol=1e-14)
    np.testing.assert_allclose(smooth_floor(np.asarray([-99.0, 99.0]), Logistic(0.1)), [-6, 10])


@pytest.mark.parametrize(
    "kernel", [Gaussian(0.1), Gaussian(0.3), Gaussian(1.0), Logistic(0.05), Logistic(0.1), Logistic(0.4)]
)
def test_sum_and_series_agree_well_between_the_ends(kernel):
    x = np.linspace(-2, 2, 201)
    np.testing.assert_allclose(smooth_floor(x, kernel, -30, 30), floor_series(x, kernel), atol=1e-14)


@pytest.mark.parametrize(("kernel", "rate"), [(Cauchy(0.2), 1), (StudentT2(0.2), 2)])
def test_heavy_tails_agree_by_symmetry_in_the_limit(kernel, rate):
    x, errors = np.linspace(-0.5, 0.5, 11), []
    for n in (100, 400):  # the step at 1/2 is the centre of symmetry of -n + 1 ... n
        found = smooth_floor(x + 0.5, kernel, 1 - n, n)
        errors.append(np.abs(found - floor_series(x + 0.5, kernel)).max())
    assert errors[0] < 2 * 0.2 / 100**rate
    assert errors[1] == pytest.approx(errors[0] / 4**rate, rel=0.05)


@given(st.integers(-1000, 1000), st.floats(0.01, 3))
def test_at_integers_it_is_half_a_step_below(k, scale):
    for kernel in (Gaussian(scale), Logistic(scale)):
        assert floor_series(float(k), kernel) == k - 0.5
    if scale < 0.2:
        assert smooth_floor(float(k % 5), Gaussian(scale)) == pytest.approx(k % 5 - 0.5, abs=1e-9)


@given(st.floats(0, 1), st.integers(-100, 100))
def test_it_has_a_period_and_increases(x, k):
    kernel = Logistic(0.05)
    assert floor_series(x + k, kernel) - k == pytest.approx(floor_series(x, kernel), abs=1e-12)
    assert floor_series(x + 0.01, kernel) > floor_series(x, kernel) - 1e-14


def test_a_sharp_kernel_gives_the_floor():
    x = np.asarray([-2.7, -0.2, 0.4, 3.9])
    np.testing.assert_allclose(smooth_floor(x, Gaussian(1e-3)), np.floor(x), atol=1e-15)
    np.testing.assert_allclose(floor_series(x, Gaussian(1e-2)), np.floor(x), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extremes_and_dtype(dtype):
    top = np.finfo(dtype).max
    x = np.asarray([-INF, -top, top, INF, NAN], dtype)
    cut, free = smooth_floor(x, Logistic(0.1), -2, 3), floor_series(x, Logistic(0.1))
    assert cut.dtype == free.dtype == dtype
    np.testing.assert_array_equal(cut, np.asarray([-3, -3, 3, 3, NAN], dtype))
    np.testing.assert_array_equal(free, x)
    assert floor_series(np.zeros((0, 2), dtype), Logistic()).shape == (0, 2)


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries_keep_dtype_and_device(xp):
    x = np.asarray([-3.3, -0.2, 0.0, 1.7, 9.0], np.float32)
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    made = xp.asarray(x, **where)
    for f in (smooth_floor, floor_series):
        got = f(made, Logistic(0.2))
        assert type(got) is type(made)
        assert (got.dtype, got.device) == (made.dtype, made.device)
        np.testing.assert_allclose(to_numpy(got), f(x, Logistic(0.2)), atol=3e-6)


def test_terms():
    assert floor_series(0.25, Gaussian(0.2), terms=0) == -0.25
    assert floor_series(0.25, Gaussian(0.2), terms=1) == pytest.approx(-0.25 + Gaussian(0.2).transform(1) / math.pi)
    with pytest.raises(OptionError, match="terms: expected an integer >= 0"):
        floor_series(0.25, Gaussian(), terms=-1)
    with pytest.raises(OptionError, match="so narrow a kernel"):
        floor_series(0.25, Gaussian(1e-9))
