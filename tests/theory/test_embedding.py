import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from arrayopt.errors import OptionError
from arrayopt.sampling import ball_log_mean, bessel_ratio
from arrayopt.theory import (
    EMBEDDING_CONSTANT,
    EMBEDDING_RATE,
    cosine_density,
    embedding_dimension,
    embedding_entropy,
    embedding_rule,
)
from tests.theory.elsewhere import assert_same, on_other_libraries


def exact(n):
    """The closed form with Bessel functions, to 40 digits."""
    with mpmath.workdps(40):
        n = mpmath.mpf(n)
        nu = n / 2 - 1
        low, high = mpmath.besseli(nu, n), mpmath.besseli(nu + 1, n)
        return mpmath.loggamma(n / 2) + nu * mpmath.log(2 / n) + mpmath.log(low) - n * high / low


def test_known_values():
    for n, h in {32: -7.77471, 64: -15.4734, 128: -30.8718, 512: -123.264}.items():
        assert embedding_entropy(n) == pytest.approx(h, rel=6e-6)
    assert round(EMBEDDING_RATE, 7) == -0.2406059
    assert round(EMBEDDING_CONSTANT, 5) == 8.31235
    assert round(2 / 0.24, 2) == 8.33  # the article's


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 13, 50, 200, 1000, 10**4])
def test_it_equals_40_digit_values(n):
    assert embedding_entropy(n) == pytest.approx(float(exact(n)), rel=2e-15)


@given(st.integers(1, 10**7))
def test_it_equals_the_closed_form_by_another_routine(n):
    expected = ball_log_mean(n, float(n), "sphere") - n * bessel_ratio(n, float(n), "sphere")
    assert embedding_entropy(n) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("n", [3, 6, 40])
def test_it_is_the_definition(n):
    mean, _ = integrate.quad(lambda c: cosine_density(c, n) * math.exp(n * c), -1, 1, epsabs=0)
    tilted, _ = integrate.quad(lambda c: cosine_density(c, n) * math.exp(n * c) * n * c, -1, 1, epsabs=0)
    assert embedding_entropy(n) == pytest.approx(math.log(mean) - tilted / mean, rel=1e-8)


def test_one_dimension_has_two_directions():
    assert embedding_entropy(1) == pytest.approx(math.log(math.cosh(1)) - math.tanh(1), rel=1e-15)


def test_the_limit_and_its_first_correction():
    offset = math.log((1 + math.sqrt(5)) / 2) - math.log(5) / 4 + 1 / math.sqrt(5) - 0.6
    for n in (10**4, 10**5, 10**6):
        assert abs(embedding_entropy(n) - (EMBEDDING_RATE * n + offset)) < 0.1 / n + 4e-16 * n
    # the two formulas meet
    below, above = embedding_entropy(10**9), embedding_entropy(10**9 + 1)
    assert above - below == pytest.approx(EMBEDDING_RATE, abs=3e-7)


def test_it_falls_with_n():
    h = embedding_entropy(np.arange(1, 2000))
    assert (np.diff(h) < -0.2).all()


def test_extremes():
    assert embedding_entropy(1e308) == pytest.approx(EMBEDDING_RATE * 1e308)
    assert embedding_entropy(math.inf) == -math.inf
    assert embedding_entropy(np.zeros((0, 2)) + 1).shape == (0, 2)
    assert embedding_entropy(np.asarray([32], np.float16)).dtype == np.float16
    assert embedding_entropy(np.asarray([32])).dtype == np.float64
    assert isinstance(embedding_entropy(32), float)
    assert (embedding_rule(1), embedding_rule(math.inf)) == (0.0, math.inf)


def test_known_dimensions():
    assert [round(embedding_rule(n, 8.33), 2) for n in (10**5, 5 * 10**6, 512)] == [95.9, 128.49, 51.97]
    assert embedding_dimension(512) == 52  # attention heads have 64


@given(st.integers(1, 10**40))
def test_the_dimension_is_the_least_that_will_do(n_items):
    n = embedding_dimension(n_items)
    need = 2 * math.log(n_items)
    assert need + embedding_entropy(n) < 0
    assert n == 1 or need + embedding_entropy(n - 1) >= 0
    assert -0.32 <= n - embedding_rule(float(n_items)) <= 1


@on_other_libraries
def test_other_libraries(xp):
    assert_same(xp, embedding_entropy, [1.0, 2.0, 50.0, 1e6, 1e10])
    assert_same(xp, embedding_rule, [1.0, 2.0, 1e6])


def test_what_is_refused():
    for n in (0, 2.5, math.nan):
        with pytest.raises(OptionError, match="n: expected an integer of at least 1"):
            embedding_entropy(n)
    with pytest.raises(OptionError, match="n_items: expected a number of at least 1"):
        embedding_rule(0.5)
    with pytest.raises(OptionError, match="constant: expected a finite number > 0"):
        embedding_rule(10, -1.0)
    for n in (0, 1.5):
        with pytest.raises(OptionError, match=f"embedding_dimension: n_items must be an integer >= 1, got {n}"):
            embedding_dimension(n)
