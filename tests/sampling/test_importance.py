"""Importance weights: no numbers, other libraries, the bias of several outcomes; see `arrayopt.claims.importance`."""

import itertools
import math

import numpy as np
import pytest
from scipy import special

from arrayopt.backend import to_numpy
from arrayopt.core.logsumexp import softmax
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling import (
    importance_gradient,
    importance_mean,
    normalised_weights,
    policy_gradient,
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


def every(n):
    """All n-tuples of samples, with their probabilities under q."""
    tuples = np.array(list(itertools.product(range(4), repeat=n)))
    return tuples, Q[tuples].prod(axis=1)


def test_trap_a_sample_that_p_excludes_counts_as_zero_and_one_that_q_excludes_is_missed():
    with np.errstate(divide="ignore"):
        log_p, log_q = np.log([0.0, 1.0]), np.log([0.5, 0.5])
    f = np.array([INF, 3.0])
    w = importance_mean(np.where(np.isinf(f), 0.0, f), log_p, log_q)
    assert (w.weights == [0.0, 2.0]).all()
    assert w.mean == 3.0
    half = importance_mean(np.array([3.0, 3.0]), np.log([0.5, 0.5]), np.log([1.0, 1.0]))  # q sees one of two halves
    assert half.mean_weight == pytest.approx(0.5)


def test_trap_with_p_over_q_for_a_constant_nothing_is_left_that_depends_on_the_parameters_though_the_mean_does():
    z = np.array([0.2, -0.4, 1.0, 0.1])
    p = softmax(z)
    exact = policy_gradient(z, F)
    h = 1e-6
    moved = [importance_mean(F, np.log(softmax(z + h * e)), np.log(p)).weights @ (p * F) for e in np.eye(4)]
    np.testing.assert_allclose((np.array(moved) - p @ F) / h, exact, atol=1e-5)
    assert np.abs(exact).max() > 0.1


def test_a_prior_stands_beside_the_exponential():
    alpha, counts = 0.8, np.round(Q * 10).astype(int)
    drawn = np.repeat(np.arange(4), counts)  # a sample whose frequencies are q
    target = np.exp(-F / alpha)
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
