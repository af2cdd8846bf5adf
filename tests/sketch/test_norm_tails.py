import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import LeafError, OptionError
from arrayopt.sketch import norm_log_bound, norm_log_tail
from tests.sketch.elsewhere import assert_same, on_other_libraries

INF, NAN = math.inf, math.nan


def exact(n, eps, side):
    """The log of the tail by the incomplete gamma function, to 40 digits."""
    with mpmath.workdps(40):
        a, eps = mpmath.mpf(n) / 2, mpmath.mpf(eps)
        if side == "upper":
            return mpmath.log(mpmath.gammainc(a, a * (1 + eps), mpmath.inf, regularized=True))
        return mpmath.log(mpmath.gammainc(a, 0, a * (1 - eps), regularized=True))


@pytest.mark.parametrize("side", ["upper", "lower"])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 21, 100, 10**4, 10**6])
def test_tails_equal_40_digit_values(n, side):
    for eps in (0.0, 1e-8, 1e-4, 0.01, 0.1, 0.5, 0.9, 0.999999, 1.5, 3.0, 40.0):
        if (side == "lower" and eps >= 1) or (n > 100 and eps > 1):  # mpmath takes long
            continue
        expected = exact(n, eps, side)
        assert abs(norm_log_tail(n, eps, side) - expected) < 3e-15 * max(1, abs(expected)), eps


@given(st.floats(0, 700))
def test_two_degrees_are_the_exponential_law(eps):
    assert norm_log_tail(2, eps, "upper") == pytest.approx(-(1 + eps), rel=4e-16 * 5)
    if eps < 1:
        assert norm_log_tail(2, eps, "lower") == pytest.approx(math.log(-math.expm1(eps - 1)), rel=2e-15, abs=2e-15)


@given(st.floats(1, 1e9), st.floats(0, 1))
def test_both_tails_are_the_sum_and_both_at_0_are_everything(n, eps):
    upper, lower = norm_log_tail(n, eps, "upper"), norm_log_tail(n, eps, "lower")
    assert norm_log_tail(n, eps) == pytest.approx(min(0.0, np.logaddexp(upper, lower)), abs=1e-15)
    assert -3e-15 < norm_log_tail(n, 0.0) <= 0


def test_large_numbers_of_rows_follow_the_normal_law_and_its_expansion():
    # n = 1e14, eps = 5 standard deviations; the first correction is of the order of 1 / sqrt(n)
    n = 1e14
    eps = 5 * math.sqrt(2 / n)
    normal = math.log(math.erfc(5 / math.sqrt(2)) / 2)
    for side in ("upper", "lower"):
        assert norm_log_tail(n, eps, side) == pytest.approx(normal, abs=1e-5)


def test_trap_the_articles_bound_is_false_for_large_eps():
    # the log of the exact upper tail, and -n eps^2 / 8
    for n, eps, tail, claimed in [(100, 2.0, -48.65, -50.0), (1000, 1.7, -357.93, -361.25)]:
        assert round(norm_log_tail(n, eps, "upper"), 2) == tail
        assert norm_log_bound(n, eps, side="upper") == pytest.approx(claimed)


def test_where_the_articles_bound_ends_to_hold_is_the_root_of_its_exponent():
    # the exact tail has the exponent of Chernoff's bound: for n to infinity it crosses -eps^2 / 8 there
    at = 1.62377
    for eps, sign in ((at - 1e-5, -1), (at + 1e-5, 1)):
        n = 1e12
        assert (
            math.copysign(1, norm_log_bound(n, eps, "chernoff", "upper") - norm_log_bound(n, eps, side="upper")) == sign
        )


def test_bounds_are_the_stated_ones():
    n, eps = 37, 0.3
    assert norm_log_bound(n, eps) == pytest.approx(math.log(2) - n * eps**2 / 8, rel=1e-15)
    assert norm_log_bound(n, eps, side="lower") == pytest.approx(-n * eps**2 / 8, rel=1e-15)
    rate = n * (eps**2 / 4 - eps**3 / 6)
    assert norm_log_bound(n, eps, "dasgupta_gupta", "upper") == pytest.approx(-rate, rel=1e-15)
    assert norm_log_bound(n, eps, "chernoff", "upper") == pytest.approx(n / 2 * (math.log(1.3) - 0.3), rel=1e-14)
    assert norm_log_bound(n, eps, "chernoff", "lower") == pytest.approx(n / 2 * (math.log(0.7) + 0.3), rel=1e-14)
    both = np.logaddexp(*(norm_log_bound(n, eps, "chernoff", s) for s in ("upper", "lower")))
    assert norm_log_bound(n, eps, "chernoff") == pytest.approx(both, rel=1e-15)


@given(st.floats(1e-300, 1), st.sampled_from([1, -1]))
def test_chernoff_does_not_cancel_at_small_eps(eps, sign):
    with mpmath.workdps(40):
        x = mpmath.mpf(eps) * sign
        if x == -1:
            return
        # below 1e-30 by the series, since 40 digits cancel
        expected = (mpmath.log(1 + x) - x) / 2 if eps > 1e-10 else -x * x / 4 + x**3 / 6
    got = norm_log_bound(1, eps, "chernoff", "upper" if sign > 0 else "lower")
    assert got == pytest.approx(float(expected), rel=3e-15, abs=1e-320)


def test_extremes():
    assert norm_log_tail(7, 1.0, "lower") == -INF
    assert norm_log_tail(7, INF) == -INF
    assert norm_log_tail(7, 1e308) == -INF
    assert norm_log_tail(7, 1e290) == pytest.approx(-3.5e290)
    assert norm_log_tail(1, 5e-324) == 0.0
    assert math.isnan(norm_log_tail(7, NAN))
    for bound in ("article", "chernoff"):
        assert norm_log_bound(10**6, 1e308, bound) == -INF
        assert math.isnan(norm_log_bound(7, NAN, bound))
    assert norm_log_tail(np.zeros((0, 3)) + 1, 0.1).shape == (0, 3)


def test_arrays_broadcast_and_keep_the_dtype():
    n, eps = np.asarray([[1], [100], [10**6]]), np.asarray([0.0, 0.1, 0.9, 2.0], np.float32)
    table = norm_log_tail(n, eps)
    assert (table.shape, table.dtype) == ((3, 4), np.float32)
    one_by_one = [[norm_log_tail(int(a), float(b)) for b in eps] for a in n[:, 0]]
    np.testing.assert_allclose(table, one_by_one, rtol=1e-7)
    assert norm_log_tail(10, np.asarray([0.5], np.float16)).dtype == np.float16
    assert isinstance(norm_log_tail(10, 0.5), float)
    many = norm_log_tail(50, np.linspace(0, 1, 20_001))  # more than a block
    np.testing.assert_array_equal(many[::5000], norm_log_tail(50, np.linspace(0, 1, 20_001)[::5000]).astype(float))


@on_other_libraries
def test_other_libraries(xp):
    assert_same(xp, lambda eps: norm_log_tail(50, eps), [0.0, 0.1, 0.9, 3.0], rtol=1e-5)
    assert_same(xp, lambda n: norm_log_bound(n, 0.2, "chernoff"), [1.0, 50.0], rtol=1e-5)


def test_what_is_refused():
    with pytest.raises(OptionError, match="n: expected a number of rows"):
        norm_log_tail(0, 0.1)
    with pytest.raises(OptionError, match=r"eps: expected a number >= 0, got -0\.1"):
        norm_log_tail(1, -0.1)
    with pytest.raises(OptionError, match="side: expected one of 'both'"):
        norm_log_tail(1, 0.1, "left")
    with pytest.raises(OptionError, match=r"eps: expected a number in \[0, 1\] for this bound"):
        norm_log_bound(1, 2.0, "dasgupta_gupta")
    with pytest.raises(OptionError, match="bound: expected one of"):
        norm_log_bound(1, 0.1, "markov")
    with pytest.raises(LeafError, match="eps: expected a real number or an array, got a str"):
        norm_log_tail(1, "0.1")
