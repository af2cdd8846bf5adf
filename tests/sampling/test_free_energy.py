"""Free energies: the ends, quadrature, other libraries; what they are is in `arrayopt.claims.free_energies`."""

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
    empirical_free_energy,
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
def test_of_values_it_is_the_least_at_no_heat_and_the_mean_at_infinite_heat(f):
    slack = 1e-13 * (1 + np.abs(f).max())
    assert float(empirical_free_energy(f, 0.0)) == f.min()
    assert float(empirical_free_energy(f, math.inf)) == pytest.approx(f.mean(), abs=slack)
    near = float(empirical_free_energy(f, 1e9))
    assert near == pytest.approx(f.mean(), abs=slack + 1e-9 * np.var(f))  # mean - var / (2 alpha)


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
