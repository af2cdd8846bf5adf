"""The ratio of Bessel functions, against 40-digit arithmetic, quadrature and closed forms; the ball's partition."""

import math
from decimal import Decimal, localcontext

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from arrayopt.backend import to_numpy
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling import ball_log_mean, ball_log_partition, bessel_ratio
from arrayopt.sampling.expansions import debye_terms, ratio_terms
from tests.common.libraries import libraries

DIMENSIONS = [1, 2, 3, 7, 40, 79, 80, 81, 1000, 10**5, 10**7]
DOMAINS = ["ball", "sphere"]
WORST = 1e-15  # the target; 4.5e-16 was measured on a grid four times as dense


def exact_ratio(n, k, domain, digits=40):
    """The ratio to `digits` digits: the continued fraction, with as many terms as its contraction asks for."""
    k, twice = float(k), n if domain == "ball" else n - 2
    terms, forgotten, stride = 0, 0.0, max(1, int(0.02 * math.sqrt(k)))
    while forgotten < 2.31 * digits + 5:
        mu = twice / 2 + terms + 0.5
        forgotten += 2 * stride * math.log((mu + math.hypot(mu, k)) / k)
        terms += stride
    with localcontext() as context:
        context.prec = digits + 5
        k, top = Decimal(k), Decimal(twice) / 2 + terms + 1
        r = k / (top + (top * top + k * k).sqrt())
        for j in reversed(range(terms)):
            r = k / (twice + 2 * j + 2 + k * r)
        return r


def relative_errors(got, exact):
    return [abs(float(Decimal(float(g)) / e - 1)) for g, e in zip(got, exact, strict=True)]


def concentrations(n, top=1e8):
    edges = [n / 2, n, 2 * n, 39.9, 40.0, 40.1]
    k = np.concatenate([np.geomspace(1e-12, 1, 5), np.geomspace(1, 1e4, 17), [1e6, 1e8], edges])
    return np.unique(k[(k > 0) & (k <= top)])


def test_the_exact_values_are_those_of_mpmath():
    with mpmath.workdps(45):
        for n, k in [(1, 2.0), (3, 1e-5), (10, 1000.0), (200, 1e-3), (400, 300.0)]:
            for domain, nu in (("ball", mpmath.mpf(n) / 2), ("sphere", mpmath.mpf(n) / 2 - 1)):
                expected = mpmath.besseli(nu + 1, mpmath.mpf(k)) / mpmath.besseli(nu, mpmath.mpf(k))
                assert abs(mpmath.mpf(str(exact_ratio(n, k, domain))) / expected - 1) < 1e-39


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("n", DIMENSIONS)
def test_the_ratio_equals_40_digit_values_to_1e_15(n, domain):
    k = concentrations(n)
    assert max(relative_errors(bessel_ratio(n, k, domain), [exact_ratio(n, x, domain) for x in k])) < WORST


@pytest.mark.parametrize("n", [1, 3, 80, 10**7])
def test_the_ratio_in_single_precision(n):
    k = concentrations(n, 1e6).astype(np.float32)
    got = bessel_ratio(n, k)
    assert got.dtype == np.float32
    assert max(relative_errors(got, [exact_ratio(n, x, "ball", 20) for x in k])) < 3 * np.finfo(np.float32).eps


@pytest.mark.parametrize("n", [1, 2, 3, 7, 40, 200])
def test_the_ratio_equals_quadrature_of_the_density_on_the_ball(n):
    # the first coordinate u of the uniform distribution on the ball has the density (1 - u^2)^((n-1)/2)
    for k in (1e-3, 0.5, 3.0, 50.0):
        x, w = special.roots_legendre(400)
        u = np.sin(np.pi / 2 * x)  # so that the weight is smooth at both ends
        mass = w * np.cos(np.pi / 2 * x) ** n * np.exp(k * (u - 1))
        assert bessel_ratio(n, k) == pytest.approx((mass * u).sum() / mass.sum(), rel=1e-12 if k >= 0.5 else 1e-11)


@pytest.mark.parametrize("k", [1e-6, 0.1, 1.0, 20.0, 700.0])
def test_closed_forms_in_one_and_three_dimensions(k):
    with mpmath.workdps(50):
        k = mpmath.mpf(k)
        langevin = mpmath.coth(k) - 1 / k
        three = ((1 + 3 / k**2) * mpmath.tanh(k) - 3 / k) / (1 - mpmath.tanh(k) / k)
        assert bessel_ratio(1, float(k)) == pytest.approx(float(langevin), rel=1e-15)
        assert bessel_ratio(3, float(k)) == pytest.approx(float(three), rel=1e-15)
        assert bessel_ratio(3, float(k), "sphere") == pytest.approx(float(langevin), rel=1e-15)
        assert bessel_ratio(1, float(k), "sphere") == pytest.approx(float(mpmath.tanh(k)), rel=1e-15)


@pytest.mark.parametrize("n", [1, 5, 1000, 10**7])
def test_the_ends_of_the_range_of_k(n):
    assert (bessel_ratio(n, 0.0), bessel_ratio(n, math.inf)) == (0.0, 1.0)
    assert bessel_ratio(n, -3.0) == -bessel_ratio(n, 3.0)
    assert math.isnan(bessel_ratio(n, math.nan))
    assert (ball_log_mean(n, 0.0), ball_log_mean(n, math.inf)) == (0.0, math.inf)


def test_the_first_polynomials_of_the_expansions_are_the_known_ones():
    assert ratio_terms()[:3] == ((1.0,), (0.0, -0.5), (0.0, -0.5, 0.125, 0.625))
    assert debye_terms()[:2] == ((1 / 8, -5 / 24), (1 / 16, -3 / 8, 5 / 16))  # of log sum U_m; DLMF 10.41.10


def test_arrays_give_what_their_elements_give():
    n, k = np.asarray([[1.0], [90.0], [1e6]]), np.asarray([0.0, 1e-9, 3.0, 39.0, 41.0, 1e5])
    table = bessel_ratio(n, k)
    assert table.shape == (3, 6)
    assert (table == [[bessel_ratio(int(a), b) for b in k] for a in n[:, 0]]).all()
    means = ball_log_mean(n, k)
    np.testing.assert_allclose(means, [[ball_log_mean(int(a), b) for b in k] for a in n[:, 0]], rtol=1e-14)


@pytest.mark.parametrize("xp", libraries("strict", "torch", "jax"))
@pytest.mark.parametrize("f", [bessel_ratio, ball_log_mean])
def test_other_array_libraries(xp, f):
    k = np.asarray([0.0, 1e-3, 2.0, 60.0, 1e4], np.float32)
    made = xp.asarray(k)
    if xp.__name__ == "array_api_strict":
        made = xp.asarray(k, device=xp.Device("device1"))
    got = f(5, made)
    assert type(got) is type(made)
    assert got.dtype == made.dtype
    np.testing.assert_allclose(to_numpy(got), f(5, k), rtol=1e-6)


def test_half_precision_is_computed_in_single():
    k = np.asarray([1e-3, 2.0, 300.0], np.float16)
    assert bessel_ratio(4, k).dtype == np.float16
    np.testing.assert_array_equal(bessel_ratio(4, k), bessel_ratio(4, k.astype(np.float32)).astype(np.float16))


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("n", [1, 2, 3, 10, 79, 82, 1000, 10**6])
def test_the_mean_of_exponentials_equals_40_digit_values(n, domain):
    with mpmath.workdps(40):
        nu = mpmath.mpf(n) / 2 - (domain == "sphere")
        for k in (1e-9, 1e-3, 0.7, 5.0, 39.0, 300.0, 2000.0):
            expected = mpmath.log(mpmath.hyp0f1(nu + 1, mpmath.mpf(k) ** 2 / 4))
            assert ball_log_mean(n, k, domain) == pytest.approx(float(expected), rel=3e-15)


@given(st.integers(1, 10**7), st.floats(1e-3, 1e8), st.sampled_from(DOMAINS))
def test_the_ratio_is_the_derivative_of_the_mean_of_exponentials(n, k, domain):
    # by Gauss-Legendre between k and 1.1 k: an identity that needs no differences
    x, w = special.roots_legendre(12)
    integral = (w * bessel_ratio(n, k * (1.05 + 0.05 * x), domain)).sum() * 0.05 * k
    change = ball_log_mean(n, 1.1 * k, domain) - ball_log_mean(n, k, domain)
    assert change == pytest.approx(integral, rel=1e-12)


def test_what_is_refused():
    with pytest.raises(OptionError, match="domain: expected 'ball' or 'sphere', got 'cube'"):
        bessel_ratio(2, 1.0, "cube")
    for n in (0, -3, math.inf, math.nan):
        with pytest.raises(OptionError, match="n: expected a finite number of dimensions >= 1"):
            bessel_ratio(n, 1.0)
    with pytest.raises(LeafError, match="k: expected a number or an array, got a str"):
        bessel_ratio(2, "1")
    with pytest.raises(OptionError, match="radius: expected a finite number > 0"):
        ball_log_partition(2, 1.0, radius=0.0)
    with pytest.raises(LeafError, match="n: expected a number, got an array"):
        ball_log_partition(np.ones(2), 1.0)
