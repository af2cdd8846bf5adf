import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from arrayopt.errors import LeafError, OptionError
from arrayopt.theory import angle_density, angle_variance, cosine_density
from tests.theory.elsewhere import assert_same, on_other_libraries


def test_known_variances():
    known = {3: 0.467401, 10: 0.110661, 20: 0.0525832, 100: 0.0101007, 200: 0.00502508, 1000: 0.001001}
    for n, v in known.items():
        assert angle_variance(n) == pytest.approx(v, rel=6e-6)
    assert angle_variance(1) == pytest.approx(math.pi**2 / 4, rel=4e-16)  # 0 or pi
    assert angle_variance(2) == pytest.approx(math.pi**2 / 12, rel=4e-16)  # uniform
    assert angle_variance(3) == pytest.approx(math.pi**2 / 4 - 2, rel=4e-16)


@given(st.integers(1, 10**12))
def test_the_variance_is_half_the_trigamma_function(n):
    with mpmath.workdps(30):
        expected = float(mpmath.psi(1, mpmath.mpf(n) / 2) / 2)
    assert angle_variance(n) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("n", [2, 3, 4, 7, 30, 500])
def test_the_variance_is_that_of_the_density(n):
    # trapezoidal in t, theta = pi / (1 + exp(-sinh t)): ends are approached so fast that no density is too steep
    t = np.linspace(-4.5, 4.5, 1401)
    share = 1 / (1 + np.exp(-np.sinh(t)))
    weight = (t[1] - t[0]) * math.pi * share * (1 - share) * np.cosh(t)
    mass = weight * angle_density(math.pi * share, n)
    assert mass.sum() == pytest.approx(1, rel=1e-12)
    assert (mass * (math.pi * share - math.pi / 2) ** 2).sum() == pytest.approx(angle_variance(n), rel=1e-11)


def test_how_it_falls():
    for n in (10, 1000, 10**6):
        v = angle_variance(n)
        assert 0 < 1 / (n - 1) - v <= 1 / (3 * n**3) * (1 + 5 / n) + 1e-16 / n
        # the article's 1 / (n - 2) is further off
        assert 1 / (n - 2) - v > 0.9 / n**2


@pytest.mark.parametrize("n", [2, 3, 4, 29, 30, 31, 1000, 10**6, 10**9])
def test_densities_are_normalised(n):
    with mpmath.workdps(40):
        half = mpmath.mpf(n) / 2
        size = float(mpmath.exp(mpmath.loggamma(half) - mpmath.loggamma(half - 0.5)) / mpmath.sqrt(mpmath.pi))
    assert angle_density(math.pi / 2, n) == pytest.approx(size, rel=5e-15)
    assert cosine_density(0.0, n) == pytest.approx(size, rel=5e-15)


@given(st.integers(2, 10**6), st.floats(0.1, math.pi - 0.1))
def test_the_two_densities_are_one(n, theta):
    expected = cosine_density(math.cos(theta), n) * math.sin(theta)
    assert angle_density(theta, n) == pytest.approx(expected, rel=1e-12 * n, abs=1e-300)


@given(st.integers(2, 10**6), st.floats(-5, 5))
def test_close_to_a_right_angle_no_digits_are_lost(n, z):
    offset = max(-1.5, min(1.5, z / math.sqrt(n)))  # within [0, pi]
    theta = math.pi / 2 + offset
    with mpmath.workdps(40):
        exact = mpmath.sin(mpmath.mpf(theta)) ** (n - 2)
    ratio = angle_density(theta, n) / angle_density(math.pi / 2, n)
    assert ratio == pytest.approx(float(exact), rel=2e-14)


@pytest.mark.parametrize("n", [3, 8])
def test_drawn_directions_have_the_density(n):
    x = np.random.default_rng(0).standard_normal((4000, n))
    cosines = x[:, 0] / np.linalg.norm(x, axis=1)
    edges = np.linspace(-1, 1, 9)
    cells = [integrate.quad(cosine_density, a, b, args=(n,))[0] for a, b in itertools.pairwise(edges)]
    assert stats.chisquare(np.histogram(cosines, edges)[0], 4000 * np.asarray(cells) / sum(cells)).pvalue > 1e-3
    assert np.arccos(cosines).var() == pytest.approx(angle_variance(n), rel=0.1)


def test_extremes():
    assert angle_variance(math.inf) == 0
    assert angle_variance(1e308) == pytest.approx(1e-308)
    for theta, two, three in [(0.0, 1 / math.pi, 0.0), (-0.1, 0.0, 0.0), (3.2, 0.0, 0.0), (1e308, 0.0, 0.0)]:
        assert angle_density(theta, 2) == pytest.approx(two)
        assert angle_density(theta, 3) == three
    assert [cosine_density(1.0, n) for n in (2, 3, 4)] == [math.inf, 0.5, 0.0]
    assert [cosine_density(c, 2) for c in (-1.0, 1.1, math.inf)] == [math.inf, 0.0, 0.0]
    for f in (angle_density, cosine_density):
        assert math.isnan(f(math.nan, 5))
        assert f(np.zeros((0, 2)), 5).shape == (0, 2)
        assert f(np.asarray([0.5], np.float16), 5).dtype == np.float16
        assert isinstance(f(0.5, 5), float)
    assert angle_density(0.1, 10**9) == 0.0
    assert angle_variance(np.asarray([2, 3])).dtype == np.float64


@on_other_libraries
def test_other_libraries(xp):
    assert_same(xp, angle_variance, [1.0, 2.0, 50.0, 1e6])
    assert_same(xp, lambda t: angle_density(t, 7), [-1.0, 0.0, 0.4, 2.0, 4.0])
    assert_same(xp, lambda c: cosine_density(c, 7), [-1.0, 0.0, 0.4, 2.0])


def test_what_is_refused():
    for n in (0, 2.5, -1):
        with pytest.raises(OptionError, match="n: expected an integer of at least 1"):
            angle_variance(n)
    for n in (1, 2.0):
        with pytest.raises(OptionError, match=f"angle_density: n must be an integer >= 2, got {n}"):
            angle_density(0.5, n)
    with pytest.raises(OptionError, match="cosine_density: n must be"):
        cosine_density(0.5, 1)
    with pytest.raises(LeafError, match="theta: expected a real number or an array"):
        angle_density("right", 3)
