import math

import mpmath
import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

import arrayopt
from arrayopt.errors import OptionError
from arrayopt.theory import (
    truncated_normal,
    truncated_normal_std,
    truncated_normal_variance,
)


@pytest.mark.parametrize("cut", [1e-200, 1e-3, 0.5, 1, 2, 2.9999, 3.0001, 5, 8, 39, 41, 1e300, math.inf])
def test_the_variance_is_a_quotient_of_integrals(cut):
    found = truncated_normal_variance(cut)
    if cut == 1e-200:
        assert found == 0  # its true value, 3e-401, is out of range
    elif cut > 30:
        assert found == 1
    else:
        with mpmath.workdps(40):
            k = mpmath.mpf(cut)
            exact = 1 - 2 * k * mpmath.npdf(k) / mpmath.erf(k / mpmath.sqrt(2))
        assert found == pytest.approx(float(exact), rel=2e-15)


@pytest.mark.parametrize("cut", [0.3, 1.0, 2.0, 6.0])
def test_draws_follow_the_law(cut):
    x = truncated_normal(20_000, nominal=2.0, cut=cut, mean=1.0, rng=0)
    assert np.abs(x - 1).max() <= 2 * cut
    assert kstest((x - 1) / 2, truncnorm(-cut, cut).cdf).pvalue > 1e-3
    y = truncated_normal((100, 200), std=2.0, cut=cut, rng=1)
    assert y.shape == (100, 200)
    assert float(y.std()) == pytest.approx(2, rel=0.02)


def test_types_and_libraries():
    assert truncated_normal(0, nominal=1.0).shape == (0,)
    assert truncated_normal((), nominal=1.0, rng=0).shape == ()
    assert truncated_normal((2, 0), nominal=1.0).shape == (2, 0)
    assert not truncated_normal(3, std=0.0, rng=0).any()
    here = truncated_normal(4, nominal=1.0, dtype="float32", rng=0)
    assert here.dtype == np.float32
    np.testing.assert_array_equal(here, truncated_normal(4, nominal=1.0, dtype="float32", rng=0))
    with arrayopt.use("array_api_strict"):
        there = truncated_normal(4, nominal=1.0, dtype="float32", rng=0)
    assert type(there).__module__.startswith("array_api_strict")
    np.testing.assert_array_equal(arrayopt.to_numpy(there), here)


def test_refusals():
    for arguments in ({}, {"nominal": 1.0, "std": 1.0}):
        with pytest.raises(OptionError, match="nominal, std: expected one of the two"):
            truncated_normal(3, **arguments)
    for cut in (0.0, -1.0, math.nan):
        with pytest.raises(OptionError, match="cut: expected a number > 0"):
            truncated_normal_std(1.0, cut)
        with pytest.raises(OptionError, match="cut: expected a number > 0"):
            truncated_normal(3, nominal=1.0, cut=cut)
    with pytest.raises(OptionError, match="nominal: expected a finite number >= 0"):
        truncated_normal_std(-1.0)
    with pytest.raises(OptionError, match='dtype: expected "float16"'):
        truncated_normal(3, nominal=1.0, dtype="int32")
