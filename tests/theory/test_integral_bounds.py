import math

import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st

from arrayopt.errors import LeafError, OptionError
from arrayopt.theory import (
    best_gaussian,
    gaussian_integral_bound,
    integral_bound,
    integral_exact,
)
from tests.theory.elsewhere import assert_same, on_other_libraries

EPS = st.one_of(st.just(0.0), st.floats(1e-12, 1e300))


@pytest.mark.parametrize("eps", [1e-3, 0.02, 0.1, 0.3, 1.0, 7.0, 1e3, 1e20, 1e300])
def test_the_integral_is_a_bessel_function(eps):
    with mpmath.workdps(40):
        e = mpmath.mpf(eps)
        exact = mpmath.exp(1 / (8 * e)) * mpmath.besselk(mpmath.mpf(1) / 4, 1 / (8 * e)) / (2 * mpmath.sqrt(e))
        assert abs(integral_exact(eps) / exact - 1) < 1e-15
        p = best_gaussian(eps)
        bound = mpmath.sqrt(mpmath.pi / p) * mpmath.exp(
            (2 * mpmath.mpf(p) * (p - 1) - 3 * e) / (4 * mpmath.mpf(p) ** 2)
        )
        assert abs(integral_bound(eps) / bound - 1) < 1e-15


def test_small_eps_against_the_expansion():
    for eps in (0.0, 5e-324, 1e-300, 1e-9):
        assert integral_exact(eps) == pytest.approx(math.sqrt(math.pi) * (1 - 0.75 * eps), rel=4e-16)
        assert integral_bound(eps) == pytest.approx(math.sqrt(math.pi) * (1 - 0.75 * eps), rel=4e-16)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extremes(dtype):
    eps = np.asarray([0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max, math.inf, math.nan], dtype)
    for f in (integral_bound, integral_exact, best_gaussian, lambda e: gaussian_integral_bound(e, 1.0)):
        found = f(eps)
        assert found.dtype == dtype
        assert np.isnan(found[-1])
        assert not np.isnan(found[:-1]).any()
    assert integral_bound(eps)[3] == 0 == integral_exact(eps)[3]
    assert integral_bound(np.zeros((0, 2), dtype)).shape == (0, 2)
    for p in (5e-324, 1e-5, 1e308, math.inf):
        assert 0 <= gaussian_integral_bound(1.0, p) < 1e-100
    assert gaussian_integral_bound(1e308, 5e-324) == 0
    assert math.isnan(gaussian_integral_bound(1.0, math.nan))


def test_numbers_and_arrays():
    assert type(integral_bound(1)) is float
    assert type(integral_bound(np.float32(1))) is float
    assert integral_bound(np.arange(3)).dtype == np.float64
    assert integral_bound(np.asarray(1.0, np.float32)).dtype == np.float32
    with pytest.raises(LeafError, match="eps: expected a real number or an array, got a list"):
        integral_bound([1.0])


@on_other_libraries
def test_other_libraries(xp):
    for f in (integral_bound, integral_exact, best_gaussian, lambda e: gaussian_integral_bound(e, 0.7)):
        assert_same(xp, f, np.asarray([[0.0, 0.5], [3.0, 1e5]]))


def test_below_zero_the_integral_diverges():
    for eps in (-1e-300, np.asarray([1.0, -1.0]), -math.inf):
        for f in (integral_bound, integral_exact, best_gaussian):
            with pytest.raises(OptionError, match="eps: expected a number >= 0, since the integral diverges below"):
                f(eps)
    with pytest.raises(OptionError, match="p: expected a number > 0"):
        gaussian_integral_bound(1.0, 0.0)
