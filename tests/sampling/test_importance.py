"""Importance weights: exact statements by enumeration, laws of the effective sample size, what the view becomes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from arrayopt.backend import to_numpy
from arrayopt.core.logsumexp import softmax
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling import (
    empirical_free_energy,
    gaussian_step,
    importance_gradient,
    importance_mean,
    normalised_weights,
    policy_gradient,
    score_gradient,
    self_normalised_mean,
    tempered_weights,
    weighted_mean,
)
from tests.common.libraries import libraries

INF, NAN = math.inf, math.nan
# A discrete world: everything about it can be enumerated.
F = np.array([0.3, -1.2, 2.0, 0.7])
X = np.array([[1.0, 0.0], [-2.0, 1.0], [0.5, 3.0], [0.0, -1.0]])
P = np.array([0.1, 0.4, 0.2, 0.3])
Q = np.array([0.4, 0.2, 0.3, 0.1])
VALUES = hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(-50, 50))


def every(n):
    """All n-tuples of samples, with their probabilities under q."""
    tuples = np.array(list(itertools.product(range(4), repeat=n)))
    return tuples, Q[tuples].prod(axis=1)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_plain_estimate_is_unbiased_and_its_mean_weight_is_one_by_enumeration(n):
    tuples, chance = every(n)
    found = importance_mean(F[tuples], np.log(P)[tuples], np.log(Q)[tuples])
    assert chance @ found.mean == pytest.approx(P @ F, abs=1e-14)
    assert chance @ found.mean_weight == pytest.approx(1, abs=1e-14)
    law = (Q @ (P * F / Q) ** 2 - (P @ F) ** 2) / n
    assert chance @ (found.mean - P @ F) ** 2 == pytest.approx(law, rel=1e-12)
    if n > 1:
        assert chance @ found.variance == pytest.approx(law, rel=1e-12)


def test_the_mean_weight_of_samples_tends_to_one():
    n, rng = 40_000, np.random.default_rng(0)
    drawn = rng.choice(4, p=Q, size=n)
    found = importance_mean(F[drawn], np.log(P)[drawn], np.log(Q)[drawn])
    spread = math.sqrt((Q @ (P / Q) ** 2 - 1) / n)
    assert abs(found.mean_weight - 1) < 4 * spread
    assert found.ess / n == pytest.approx(1 / (Q @ (P / Q) ** 2), rel=0.02)


def test_the_variance_is_zero_at_q_proportional_to_f_times_p():
    f = np.exp(F)
    best = f * P / (f @ P)
    tuples, _ = every(3)
    found = importance_mean(f[tuples], np.log(P)[tuples], np.log(best)[tuples])
    np.testing.assert_allclose(found.mean, f @ P, rtol=1e-14)
    assert found.variance.max() < 1e-28


def test_trap_a_sample_that_p_excludes_counts_as_zero_and_one_that_q_excludes_is_missed():
    with np.errstate(divide="ignore"):
        log_p, log_q = np.log([0.0, 1.0]), np.log([0.5, 0.5])
    f = np.array([INF, 3.0])
    w = importance_mean(np.where(np.isinf(f), 0.0, f), log_p, log_q)
    assert (w.weights == [0.0, 2.0]).all()
    assert w.mean == 3.0
    half = importance_mean(np.array([3.0, 3.0]), np.log([0.5, 0.5]), np.log([1.0, 1.0]))  # q sees one of two halves
    assert half.mean_weight == pytest.approx(0.5)


def test_the_gradient_through_the_parameters_of_p_is_kept_by_enumeration():
    z = np.array([0.2, -0.4, 1.0, 0.1])
    p = softmax(z)
    score = np.eye(4) - p  # of the logits
    tuples, chance = every(3)
    exact = p * (F - p @ F)
    for baseline in (0.0, p @ F, -7.3):
        found = importance_gradient(F[tuples], score[tuples], np.log(p)[tuples], np.log(Q)[tuples], baseline)
        np.testing.assert_allclose(chance @ found, exact, atol=1e-13)
    np.testing.assert_allclose(policy_gradient(z, F), exact, atol=1e-15)
    # TRAP: with p / q for a constant there is nothing left that depends on the parameters, though the mean does
    h = 1e-6
    moved = [importance_mean(F, np.log(softmax(z + h * e)), np.log(p)).weights @ (p * F) for e in np.eye(4)]
    np.testing.assert_allclose((np.array(moved) - p @ F) / h, exact, atol=1e-5)
    assert np.abs(exact).max() > 0.1


def test_self_normalised_weights_are_exact_in_the_limit_and_trap_without_q_the_mean_is_tilted():
    alpha, counts = 0.8, np.round(Q * 10).astype(int)
    drawn = np.repeat(np.arange(4), counts)  # a sample whose frequencies are q
    target = np.exp(-F / alpha)
    w = tempered_weights(F[drawn], alpha, np.log(Q)[drawn]).weights
    np.testing.assert_allclose(weighted_mean(w, X[drawn]), (target / target.sum()) @ X, rtol=1e-14)
    tilted = weighted_mean(tempered_weights(F[drawn], alpha).weights, X[drawn])
    np.testing.assert_allclose(tilted, (Q * target / (Q @ target)) @ X, rtol=1e-14)
    assert np.abs(tilted - (target / target.sum()) @ X).max() > 0.1
    prior = tempered_weights(F[drawn], alpha, np.log(Q)[drawn], np.log(P)[drawn]).weights
    np.testing.assert_allclose(weighted_mean(prior, X[drawn]), (P * target / (P @ target)) @ X, rtol=1e-14)


def test_trap_the_self_normalised_estimate_is_biased_in_one_over_n_by_enumeration():
    exact, ratio = P @ X, P / Q
    law = -Q @ (ratio[:, None] ** 2 * (X - exact))  # the leading term of the bias is this over n (Liu, 2001)
    bias = {}
    for n in (1, 2, 4):
        tuples, chance = every(n)
        means, _ = self_normalised_mean(X[tuples], np.log(ratio)[tuples])
        bias[n] = chance @ means - exact
    np.testing.assert_allclose(bias[1], Q @ X - exact, atol=1e-14)
    assert np.abs(bias[4]).max() > 0.2
    for n in (4, 16, 32, 64):  # by how often each of the four is drawn
        counts = np.array([(a, b, c, n - a - b - c) for a in range(n + 1) for b in range(n + 1 - a)
                           for c in range(n + 1 - a - b)])  # fmt: skip
        chance = np.exp(special.gammaln(n + 1) - special.gammaln(counts + 1).sum(1) + counts @ np.log(Q))
        w = counts * ratio
        found = chance @ ((w @ X) / w.sum(1, keepdims=True)) - exact
        np.testing.assert_allclose(found, bias.setdefault(n, found), atol=1e-12)
    left = {n: np.linalg.norm(n * b - law) for n, b in bias.items()}
    assert left[64] < 0.03 * np.linalg.norm(law)
    assert left[16] / left[32] == pytest.approx(2, rel=0.15)
    assert left[32] / left[64] == pytest.approx(2, rel=0.1)


@given(VALUES, st.floats(0.1, 10), st.floats(-100, 100))
def test_constants_do_not_matter_and_the_mean_is_in_the_convex_hull(f, alpha, c):
    log_q = np.linspace(-3, 2, f.size)
    w = tempered_weights(f, alpha, log_q)
    np.testing.assert_allclose(tempered_weights(f + c, alpha, log_q).weights, w.weights, atol=1e-11)
    np.testing.assert_allclose(tempered_weights(f, alpha, log_q + c).weights, w.weights, atol=1e-11)
    assert w.weights.sum() == pytest.approx(1, rel=1e-14)
    assert (w.weights >= 0).all()
    assert 1 - 1e-12 <= w.ess <= f.size * (1 + 1e-12)
    x = np.random.default_rng(0).normal(size=(f.size, 3))
    mean = weighted_mean(w.weights, x)
    assert ((x.min(0) - 1e-12 <= mean) & (mean <= x.max(0) + 1e-12)).all()


@given(VALUES, st.floats(0.05, 50))
def test_the_log_of_the_mean_weight_is_the_free_energy(f, alpha):
    found = -alpha * tempered_weights(f, alpha).log_mean
    assert float(found) == pytest.approx(float(empirical_free_energy(f, alpha)), abs=1e-12 * (1 + np.abs(f).max()))


def test_losses_that_are_infinite_or_nan():
    x = np.array([[1.0], [2.0], [NAN], [INF]])
    for f, expected in [
        ([0.0, 0.0, NAN, INF], [0.5, 0.5, 0, 0]),
        ([5.0, -INF, 1.0, -INF], [0, 0.5, 0, 0.5]),
        ([NAN, INF, NAN, INF], [0, 0, 0, 0]),
        ([1e308, -1e308, NAN, INF], [0, 1, 0, 0]),
    ]:
        with np.errstate(over="ignore"):
            w = tempered_weights(np.array(f), 1.0)
        np.testing.assert_array_equal(w.weights, expected)
        assert w.ess == (0 if not any(expected) else round(1 / np.square(expected).sum()))
    assert weighted_mean(np.array([0.0, 1.0, 0.0, 0.0]), x) == 2.0
    assert weighted_mean(np.zeros(4), x) == 0.0
    np.testing.assert_array_equal(normalised_weights(np.array([NAN, 0.0])).weights, [0, 1])


def test_weights_in_a_million_dimensions_of_log_densities_are_finite():
    w = tempered_weights(np.array([1.0, 2.0]), 1.0, np.array([-9e5, -9e5 - 1.0]))
    np.testing.assert_allclose(w.weights, 0.5, rtol=1e-9)


def test_linear_objective_under_a_gaussian_the_ess_tends_to_exp_minus_sigma_squared_g_squared_over_alpha_squared():
    n, sigma, alpha, g = 200_000, 0.5, 1.3, np.array([0.9, -1.1])
    d = sigma * np.random.default_rng(1).standard_normal((n, 2))
    found = tempered_weights(d @ g, alpha)
    s = sigma**2 * (g @ g) / alpha**2  # log w is normal with this variance
    # delta method on (mean w)^2 / mean w^2, with the moments of the log-normal
    m = [math.exp(k * k * s / 2) for k in range(5)]
    gradient = np.array([2 * m[1] / m[2], -(m[1] ** 2) / m[2] ** 2])
    covariance = np.array([[m[2] - m[1] ** 2, m[3] - m[1] * m[2]], [m[3] - m[1] * m[2], m[4] - m[2] ** 2]])
    spread = math.sqrt(gradient @ covariance @ gradient / n)
    assert abs(found.ess / n - math.exp(-s)) < 4 * spread
    mean = weighted_mean(found.weights, d)
    error = np.sqrt(weighted_mean(found.weights**2, (d - mean) ** 2))
    assert (np.abs(mean + sigma**2 / alpha * g) < 4 * error).all()


@pytest.mark.parametrize("alpha", [0.5, 3.0])
def test_quadratic_objective_under_a_gaussian_the_mean_is_that_of_levenberg_and_marquardt(alpha):
    rng, n, sigma = np.random.default_rng(2), 200_000, 0.7
    g, H = np.array([0.8, -0.5]), np.array([[2.0, 0.6], [0.6, 1.0]])
    d = sigma * rng.standard_normal((n, 2))
    w = tempered_weights(d @ g + 0.5 * ((d @ H) * d).sum(1), alpha).weights
    mean = weighted_mean(w, d)
    step = gaussian_step(g, H, alpha, sigma)
    error = np.sqrt(weighted_mean(w**2, (d - mean) ** 2))
    assert (np.abs(mean - step.mean) < 4 * error).all()
    second = (d - step.mean)[:, :, None] * (d - step.mean)[:, None, :]
    cov = (w[:, None, None] * second).sum(0)
    error = np.sqrt((w[:, None, None] ** 2 * (second - cov) ** 2).sum(0))
    assert (np.abs(cov - step.covariance) < 4 * error).all()


def test_hot_the_self_normalised_mean_is_a_step_of_the_evolution_strategy_with_the_mean_as_baseline():
    rng, n, sigma = np.random.default_rng(3), 30, 0.3
    u = rng.standard_normal((n, 4))
    d = sigma * u
    f = np.sin(3 * d).sum(1) + (d**2).sum(1)
    errors = []
    for alpha in (1e2, 2e2, 4e2, 8e2):
        mean = weighted_mean(tempered_weights(f, alpha).weights, d)
        es = d.mean(0) - sigma**2 / alpha * score_gradient(f, u, sigma, "mean")
        errors.append(np.abs(mean - es).max())
    assert np.allclose(np.divide(errors[:-1], errors[1:]), 4, rtol=0.05)  # O(alpha^-2)


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries(xp):
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    f, x = np.array([[0.5, INF, 2.0], [NAN, 0.0, 1.0]], np.float32), np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    there = xp.asarray(f, **where)
    w = tempered_weights(there, 0.7, xp.zeros_like(there))
    expected = tempered_weights(f, 0.7)
    for a, b in zip(w, expected, strict=True):
        assert type(a) is type(there)
        assert a.dtype == there.dtype
        np.testing.assert_allclose(to_numpy(a), b, rtol=1e-6)
    mean = weighted_mean(w.weights, xp.asarray(x, **where))
    np.testing.assert_allclose(to_numpy(mean), weighted_mean(expected.weights, x), rtol=1e-6)
    assert mean.device == there.device
    log = xp.asarray(np.log(np.float32([[0.5, 0.2, 0.3]])), **where)
    finite = xp.asarray(np.ones((1, 3), np.float32), **where)
    np.testing.assert_allclose(to_numpy(importance_mean(finite, log, log).mean), 1, rtol=1e-6)
    np.testing.assert_allclose(to_numpy(importance_gradient(finite, finite[..., None], log, log)), [[1]], rtol=1e-6)


def test_what_is_refused():
    for alpha in (0.0, -1.0, INF, NAN):
        with pytest.raises(OptionError, match="alpha: expected a finite temperature > 0"):
            tempered_weights(np.zeros(2), alpha)
    with pytest.raises(LeafError, match=r"log_w: expected the shape \(3,\) of the samples, got \(2,\)"):
        self_normalised_mean(np.zeros((3, 1)), np.zeros(2))
