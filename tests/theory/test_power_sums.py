import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from arrayopt.errors import OptionError
from arrayopt.theory import (
    POWER_SUM_LIMIT,
    POWER_SUM_RATE,
    power_sum,
    power_sum_gap,
    power_sum_richardson,
    power_sum_term,
)
from tests.theory.elsewhere import assert_same, on_other_libraries


@pytest.mark.parametrize("n", [1, 2, 3, 10, 40, 57, 143, 500])
def test_the_sum_of_fractions(n):
    exact = sum(Fraction(k**n, n**n) for k in range(1, n + 1))
    assert power_sum(n) == pytest.approx(float(exact), rel=4e-16)
    with mpmath.workdps(40):
        limit = mpmath.e / (mpmath.e - 1)
        gap = limit - mpmath.mpf(exact.numerator) / exact.denominator
        assert power_sum_gap(n) == pytest.approx(float(gap), rel=1e-15)


def test_for_large_n_against_the_expansion():
    for n in (10**6, 10**9, 10**15):
        assert power_sum(n) + power_sum_gap(n) == pytest.approx(POWER_SUM_LIMIT, rel=2e-16)
    # the rate has an expansion in 1/n of its own
    errors = [n * power_sum_gap(n) - POWER_SUM_RATE for n in (10**3, 10**6, 10**9)]
    assert errors[0] / errors[1] == pytest.approx(1e3, rel=1e-2)
    assert errors[1] / errors[2] == pytest.approx(1e3, rel=1e-3)


def test_extremes_and_types():
    assert power_sum(math.inf) == POWER_SUM_LIMIT == power_sum(10**400)
    assert power_sum_gap(math.inf) < 1e-299
    assert type(power_sum(3)) is float
    assert power_sum(np.asarray([1, 2])).tolist() == [1, 1.25]
    for dtype in (np.float16, np.float32, np.float64):
        assert power_sum(np.asarray([1, 2], dtype)).dtype == dtype
    assert power_sum(np.zeros((0,))).shape == (0,)
    for n in (0, -1, 1.5, math.nan, np.asarray([1.0, 2.5])):
        with pytest.raises(OptionError, match="n: expected an integer of at least 1"):
            power_sum(n)


@on_other_libraries
def test_other_libraries(xp):
    n = np.asarray([[1, 2], [100, 10_000]])
    for f in (power_sum, power_sum_gap, power_sum_richardson, lambda n: power_sum_term(n, 3)):
        assert_same(xp, f, n)
