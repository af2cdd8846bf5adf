"""The sampling view to second order: Newton and Levenberg-Marquardt as means, what the article states loosely."""

import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import minimize
from arrayopt.backend import to_numpy
from arrayopt.core.method import Status
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling import BallStep, gaussian_step, quadratic_log_partition

G = np.array([0.9, -0.7])
H = np.array([[2.0, 0.6], [0.6, 1.0]])
ALPHAS = [0.01, 0.3, 1.0, 7.0]


def on_a_grid(g, H, alpha, sigma=math.inf, centre=0.0, width=9.0, n=401):
    """Mass, mean and covariance of the density, by the trapezoidal rule, which is spectrally accurate."""
    damping = alpha / sigma**2
    scale = math.sqrt(alpha / np.linalg.eigvalsh(H + damping * np.eye(2))[0])
    middle = np.linalg.solve(H + damping * np.eye(2), damping * centre * np.ones(2) - g)
    side = np.linspace(-width * scale, width * scale, n)
    d = np.stack(np.meshgrid(side, side, indexing="ij"), -1) + middle
    l = d @ g + 0.5 * np.einsum("...i,ij,...j", d, H, d) + 0.5 * damping * ((d - centre) ** 2).sum(-1)
    p = np.exp(-(l - l.min()) / alpha)
    mass = p.sum()
    mean = (p[..., None] * d).sum((0, 1)) / mass
    off = d - mean
    covariance = np.einsum("ab,abi,abj->ij", p, off, off) / mass
    return math.log(mass * (side[1] - side[0]) ** 2) - l.min() / alpha, mean, covariance


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_mean_is_newtons_step_for_every_alpha_and_the_covariance_alpha_times_the_inverse(alpha):
    _, mean, covariance = on_a_grid(G, H, alpha)
    step = gaussian_step(G, H, alpha)
    np.testing.assert_allclose(step.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(step.covariance, covariance, rtol=1e-12)
    np.testing.assert_allclose(step.mean, -np.linalg.solve(H, G), rtol=1e-14)
    np.testing.assert_allclose(step.covariance, alpha * np.linalg.inv(H), rtol=1e-14)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("centre", [0.0, 0.4])
def test_with_a_gaussian_prior_it_is_levenberg_and_marquardt(alpha, centre):
    sigma = 0.8
    _, mean, covariance = on_a_grid(G, H, alpha, sigma, centre)
    step = gaussian_step(G, H, alpha, sigma, centre * np.ones(2))
    np.testing.assert_allclose(step.mean, mean, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(step.covariance, covariance, rtol=1e-11)
    damped = H + alpha / sigma**2 * np.eye(2)
    np.testing.assert_allclose(step.mean, np.linalg.solve(damped, alpha / sigma**2 * centre - G), rtol=1e-13)


@given(st.integers(1, 8), st.floats(0.05, 20), st.floats(0.1, 5))
def test_linear_with_a_prior_the_mean_is_gradient_descent_exactly(n, alpha, sigma):
    g = np.random.default_rng(n).normal(size=n)
    step = gaussian_step(g, np.zeros((n, n)), alpha, sigma)
    np.testing.assert_allclose(step.mean, -(sigma**2) / alpha * g, rtol=1e-13)
    np.testing.assert_allclose(step.covariance, sigma**2 * np.eye(n), rtol=1e-12, atol=1e-15)


@given(st.integers(1, 8), st.integers(0, 99))
def test_a_narrow_prior_is_a_short_step_along_minus_g_and_a_wide_one_newtons(n, seed):
    rng = np.random.default_rng(seed)
    A, g = rng.normal(size=(n, n)), rng.normal(size=n)
    B = A @ A.T + np.eye(n)
    np.testing.assert_allclose(gaussian_step(g, B, 1.0, 1e6).mean, -np.linalg.solve(B, g), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gaussian_step(g, B, 1.0, 1e-5).mean, -1e-10 * g, rtol=1e-7, atol=1e-16)


def test_trap_the_covariance_is_not_the_inverse_hessian_and_the_square_leaves_the_inverse():
    alpha = 0.3
    log_z, _, covariance = on_a_grid(G, H, alpha)
    assert np.abs(covariance - np.linalg.inv(H)).max() > 0.3
    volume = math.log(2 * math.pi * alpha) - 0.5 * math.log(np.linalg.det(H))
    assert log_z == pytest.approx(volume + 0.5 * G @ np.linalg.solve(H, G) / alpha, rel=1e-12)
    assert float(quadratic_log_partition(G, H, alpha)) == pytest.approx(log_z, rel=1e-12)
    assert abs(log_z - (volume + 0.5 * G @ H @ G / alpha)) > 0.1


def test_trap_as_alpha_grows_the_step_does_not_vanish_unless_the_domain_is_bounded():
    assert np.linalg.norm(gaussian_step(G, H, 1e9).mean + np.linalg.solve(H, G)) < 1e-14
    ball = BallStep(alpha=1e9, radius=1.0).update(G, BallStep().init(G), np.zeros(2))[0]
    assert np.linalg.norm(ball) < 1e-9


@pytest.mark.parametrize("lowest", [-1.0, 0.0])
def test_trap_an_indefinite_hessian_is_refused_with_the_reason_and_has_no_partition_function(lowest):
    B = np.diag([2.0, lowest])
    sizes = [8.0, 16.0, 32.0]  # integrals over growing intervals along the bad axis do not converge
    masses = []
    for s in sizes:
        d = np.linspace(-s, s, 4001)
        masses.append(np.exp(-0.5 * lowest * d**2).sum() * (d[1] - d[0]))
    assert masses[1] / masses[0] > 1.9
    assert masses[2] / masses[1] > 1.9
    with pytest.raises(OptionError, match=r"H: the lowest eigenvalue is .* cannot be normalised; give a prior"):
        gaussian_step(G, B, 1.0)
    with pytest.raises(OptionError, match="H: the lowest eigenvalue is"):
        quadratic_log_partition(G, B, 1.0)
    assert np.isfinite(gaussian_step(G, B, 1.0, 0.9).mean).all()  # alpha / sigma^2 = 1.23
    if lowest < 0:
        with pytest.raises(OptionError, match="a narrower prior"):
            gaussian_step(G, B, 1.0, 1.1)


def test_minimize_takes_newtons_step_and_refuses_where_newtons_would_climb():
    def saddle(x):
        return x[0] ** 2 - x[1] ** 2 + x[1] ** 4

    problem = dict(
        jac=lambda x: np.array([2 * x[0], -2 * x[1] + 4 * x[1] ** 3]),
        hess=lambda x: np.diag([2.0, -2 + 12 * x[1] ** 2]),
    )
    result = minimize(saddle, np.array([1.0, 0.1]), method="sampled_newton", **problem)
    assert result.status is Status.NEGATIVE_CURVATURE
    assert "lowest eigenvalue is -1.88" in result.message
    result = minimize(saddle, np.array([1.0, 0.1]), method="sampled_newton", options={"sigma": 0.5}, **problem)
    assert result.success
    np.testing.assert_allclose(np.abs(result.x), [0, math.sqrt(0.5)], atol=1e-5)


def test_array_api_strict_on_its_second_device_and_single_precision():
    device = array_api_strict.Device("device1")
    g, B = (array_api_strict.asarray(x, device=device) for x in (G, H))
    step = gaussian_step(g, B, 0.3, 0.8)
    assert step.mean.device == device
    np.testing.assert_allclose(to_numpy(step.covariance), gaussian_step(G, H, 0.3, 0.8).covariance, rtol=1e-13)
    assert gaussian_step(G.astype(np.float32), H.astype(np.float32), 0.3).covariance.dtype == np.float32


def test_what_is_refused():
    for name, value in (("alpha", 0.0), ("alpha", math.inf), ("sigma", -1.0), ("sigma", math.nan)):
        with pytest.raises(OptionError, match=f"{name}: expected a number > 0"):
            gaussian_step(G, H, **{"alpha": 1.0, name: value})
    with pytest.raises(LeafError, match=r"H: expected the shape \(d, d\)"):
        gaussian_step(G, H[0], 1.0)
    with pytest.raises(OptionError, match="SampledNewton: sigma must be a number > 0 or inf"):
        minimize(lambda x: x @ x, G, method="sampled_newton", options={"sigma": 0})
