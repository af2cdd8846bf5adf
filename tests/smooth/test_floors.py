"""The smooth floor and its Fourier series: heavy tails, extremes, array libraries; the rest is claimed."""

import math

import numpy as np
import pytest

from arrayopt.backend import to_numpy
from arrayopt.errors import OptionError
from arrayopt.smooth import Cauchy, Gaussian, Logistic, StudentT2, floor_series, smooth_floor
from tests.common.libraries import libraries

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(("kernel", "rate"), [(Cauchy(0.2), 1), (StudentT2(0.2), 2)])
def test_heavy_tails_agree_by_symmetry_in_the_limit(kernel, rate):
    x, errors = np.linspace(-0.5, 0.5, 11), []
    for n in (100, 400):  # the step at 1/2 is the centre of symmetry of -n + 1 ... n
        found = smooth_floor(x + 0.5, kernel, 1 - n, n)
        errors.append(np.abs(found - floor_series(x + 0.5, kernel)).max())
    assert errors[0] < 2 * 0.2 / 100**rate
    assert errors[1] == pytest.approx(errors[0] / 4**rate, rel=0.05)


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
