"""Free energies: closed forms against quadrature, their limits, and that they increase with the temperature."""

import math

import array_api_strict
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arrayopt.backend import to_numpy
from arrayopt.errors import OptionError
from arrayopt.sampling import (
    BallStep,
    empirical_free_energy,
    gaussian_step,
    linear_on_ball,
    linear_under_gaussian,
    quadratic_under_gaussian,
)

VALUES = hnp.arrays(np.float64, st.integers(1, 10), elements=st.floats(-100, 100))
G, H = np.array([0.9, -0.7]), np.array([[2.0, 0.6], [0.6, 1.0]])


@given(VALUES, st.floats(1e-2, 1e6))
def test_of_values_it_equals_40_digits(f, alpha):
    with mpmath.workdps(40):
        mean = mpmath.fsum(mpmath.exp(-mpmath.mpf(x) / alpha) for x in f) / f.size
        expected = float(-alpha * mpmath.log(mean))
    room = 1e-13 * np.ptp(f) + 1e-38 * alpha
    assert float(empirical_free_energy(f, alpha)) == pytest.approx(expected, rel=1e-13, abs=room)


@given(VALUES)
def test_of_values_it_increases_with_alpha_from_the_least_value_to_the_mean(f):
    alphas = [0.0, 1e-3, 0.1, 1.0, 10.0, 1e4, 1e9, math.inf]
    found = np.array([float(empirical_free_energy(f, a)) for a in alphas])
    slack = 1e-13 * (1 + np.abs(f).max())
    assert (np.diff(found) >= -slack).all()
    assert found[0] == f.min()
    assert found[-1] == pytest.approx(f.mean(), abs=slack)
    assert found[-2] == pytest.approx(f.mean(), abs=slack + 1e-9 * np.var(f))  # mean - var / (2 alpha)


def test_of_values_that_are_infinite_and_with_weights():
    f = np.array([math.inf, 1.0, 2.0])
    assert float(empirical_free_energy(f, 1.0)) == pytest.approx(-math.log((math.exp(-1) + math.exp(-2)) / 3))
    assert float(empirical_free_energy(f, 1.0, np.array([0.0, 0.5, 0.5]))) < 1.5
    assert float(empirical_free_energy(np.array([-math.inf, 1.0]), 1.0)) == -math.inf
    assert float(empirical_free_energy(np.array([math.inf, math.inf]), 1.0)) == math.inf
    assert math.isnan(empirical_free_energy(np.array([math.nan, 1.0]), 1.0))
    tiny = np.array([1e-20, 1 - 1e-20])  # the least value hardly has a weight
    assert float(empirical_free_energy(np.array([0.0, 1000.0]), 1.0, tiny)) == pytest.approx(20 * math.log(10))


def ball_quadrature(g, alpha, radius):
    """In the plane, by polar coordinates."""
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    x, w = np.polynomial.legendre.leggauss(100)
    r, w = (x + 1) / 2 * radius, w * (x + 1) / 2
    l = (r[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], -1)) @ g
    least = l.min()
    return least - alpha * math.log((w[:, None] * np.exp((least - l) / alpha)).sum() / angle.size)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 5.0])
def test_linear_on_the_ball_equals_quadrature(alpha):
    assert float(linear_on_ball(G, alpha, 0.8)) == pytest.approx(ball_quadrature(G, alpha, 0.8), rel=1e-10)


@pytest.mark.parametrize("domain", ["ball", "sphere"])
@pytest.mark.parametrize("n", [1, 2, 5, 1000])
def test_linear_on_the_ball_increases_with_alpha_between_its_limits(n, domain):
    g, radius = np.linspace(1, 2, n), 0.7
    norm = float(np.linalg.norm(g))
    found = [float(linear_on_ball(g, a * norm, radius, domain)) for a in np.geomspace(1e-7, 1e7, 30)]
    assert (np.diff(found) > 0).all()
    assert found[0] == pytest.approx(-radius * norm, rel=1e-3)
    variance = radius**2 * norm**2 / (n + 2 if domain == "ball" else n)
    assert found[-1] == pytest.approx(-variance / (2 * 1e7 * norm), rel=1e-6)


@pytest.mark.parametrize("domain", ["ball", "sphere"])
def test_the_slope_of_the_free_energy_by_g_is_the_step(domain):
    alpha, radius, h = 0.4, 0.8, 1e-5
    slope = [
        float(linear_on_ball(G + h * e, alpha, radius, domain) - linear_on_ball(G - h * e, alpha, radius, domain))
        / (2 * h)
        for e in np.eye(2)
    ]
    rule = BallStep(alpha=alpha, radius=radius, domain=domain)
    np.testing.assert_allclose(rule.update(G, rule.init(G), np.zeros(2))[0], slope, rtol=1e-8)
    slope = [
        float(quadratic_under_gaussian(G + h * e, H, alpha, 0.9) - quadratic_under_gaussian(G - h * e, H, alpha, 0.9))
        / (2 * h)
        for e in np.eye(2)
    ]
    np.testing.assert_allclose(gaussian_step(G, H, alpha, 0.9).mean, slope, rtol=1e-8)


@pytest.mark.parametrize("alpha", [0.3, 2.0])
@pytest.mark.parametrize("B", [H, np.zeros((2, 2)), np.diag([1.0, -0.2])])
def test_under_a_gaussian_it_equals_gauss_hermite_quadrature(alpha, B):
    sigma = 0.6
    x, w = np.polynomial.hermite_e.hermegauss(90)
    d = sigma * np.stack(np.meshgrid(x, x, indexing="ij"), -1)
    l = d @ G + 0.5 * np.einsum("...i,ij,...j", d, B, d)
    expected = -alpha * math.log((np.outer(w, w) * np.exp(-l / alpha)).sum() / (2 * math.pi))
    assert float(quadratic_under_gaussian(G, B, alpha, sigma)) == pytest.approx(expected, rel=1e-9)
    if not B.any():
        assert float(linear_under_gaussian(G, alpha, sigma)) == pytest.approx(expected, rel=1e-9)


def test_a_quadratic_under_a_gaussian_increases_with_alpha_from_its_least_value_to_its_mean():
    sigma = 0.6
    found = [float(quadratic_under_gaussian(G, H, a, sigma)) for a in np.geomspace(1e-9, 1e9, 40)]
    assert (np.diff(found) > 0).all()
    assert found[0] == pytest.approx(-0.5 * G @ np.linalg.solve(H, G), abs=1e-7)
    assert found[-1] == pytest.approx(0.5 * sigma**2 * np.trace(H), rel=1e-8)


def test_array_api_strict_on_its_second_device():
    device = array_api_strict.Device("device1")
    g, B, f = (array_api_strict.asarray(x, device=device) for x in (G, H, np.array([1.0, 3.0])))
    for found, expected in (
        (linear_on_ball(g, 0.3, 0.5), linear_on_ball(G, 0.3, 0.5)),
        (linear_under_gaussian(g, 0.3, 0.5), linear_under_gaussian(G, 0.3, 0.5)),
        (quadratic_under_gaussian(g, B, 0.3, 0.5), quadratic_under_gaussian(G, H, 0.3, 0.5)),
        (empirical_free_energy(f, 0.3), empirical_free_energy(np.array([1.0, 3.0]), 0.3)),
    ):
        assert found.device == device
        assert float(to_numpy(found)) == pytest.approx(float(expected), rel=1e-13)


def test_what_is_refused():
    with pytest.raises(OptionError, match="alpha: expected a temperature >= 0, got -1"):
        empirical_free_energy(np.ones(2), -1.0)
    with pytest.raises(OptionError, match="radius: expected a finite number > 0"):
        linear_on_ball(G, 1.0, 0.0)
    with pytest.raises(OptionError, match="sigma: expected a finite number > 0"):
        linear_under_gaussian(G, 1.0, math.inf)
    with pytest.raises(OptionError, match="H: the lowest eigenvalue"):
        quadratic_under_gaussian(G, -H, 0.1, 2.0)
