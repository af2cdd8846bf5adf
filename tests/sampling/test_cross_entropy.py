"""The cross-entropy method."""

import numpy as np
import pytest

from arrayopt import minimize
from arrayopt.core.method import Status
from arrayopt.errors import OptionError
from arrayopt.sampling import CrossEntropy


def quadratic(x):
    return (np.arange(1, x.shape[-1] + 1) * (x - 1) ** 2).sum(axis=-1)


def test_one_generation_by_hand():
    method = CrossEntropy(n=10, elite=0.3, smoothing=0.7, smoothing_sigma=0.4, noise=0.01, sigma=2.0)
    state = method.init(np.array([1.0, -1.0]), seed=3)
    x = method.ask(state)
    f = quadratic(x)
    after = method.tell(state, x, f)
    best = x[np.argsort(f)[:3]]
    np.testing.assert_allclose(after.mean, 0.3 * state.mean + 0.7 * best.mean(0), rtol=1e-14)
    variance = 0.6 * 4.0 + 0.4 * (best.var(0) + 0.01)
    np.testing.assert_allclose(after.sigma, np.sqrt(variance), rtol=1e-14)
    np.testing.assert_array_equal(after.best_x, x[np.argmin(f)])


def test_without_smoothing_the_gaussian_is_the_nearest_to_the_elite_in_cross_entropy():
    method = CrossEntropy(n=30)
    state = method.init(np.zeros(3), seed=0)
    x = method.ask(state)
    f = quadratic(x)
    after = method.tell(state, x, f)
    best = x[np.argsort(f)[: method.elites]]

    def cross_entropy(m, s):
        return (np.log(s) + 0.5 * ((best - m) / s) ** 2).sum(1).mean()

    least, rng = cross_entropy(after.mean, after.sigma), np.random.default_rng(0)
    for _ in range(200):
        m, s = after.mean + 0.1 * rng.normal(size=3), after.sigma * np.exp(0.1 * rng.normal(size=3))
        assert cross_entropy(m, s) > least


def test_increasing_functions_of_the_objective_change_nothing():
    runs = []
    for f in (quadratic, lambda x: quadratic(x) ** 3 + 7):
        method = CrossEntropy()
        state = method.init(np.zeros(4), seed=1)
        for _ in range(8):
            x = method.ask(state)
            state = method.tell(state, x, f(x))
        runs.append(state.mean)
    np.testing.assert_array_equal(*runs)


def test_it_converges_and_ends_by_its_deviations():
    options = {"sigma": 2.0, "n": 100, "vectorized": True}
    result = minimize(quadratic, np.zeros(5), method="cross_entropy", options=options)
    assert result.status is Status.CONVERGED
    assert "No standard deviation is above tolx" in result.message
    np.testing.assert_allclose(result.x, 1, atol=1e-6)


def test_noise_keeps_it_from_ending_too_early():
    # a cliff of a start: the optimum is thirty deviations away
    options = {"n": 20, "elite": 0.1, "vectorized": True, "maxiter": 150}
    early = minimize(quadratic, np.full(5, -30.0), method="cross_entropy", options=options)
    noisy = minimize(quadratic, np.full(5, -30.0), method="cross_entropy", options=options | {"noise": 0.3})
    assert early.success
    assert early.fun > 1000 * noisy.fun


def test_an_elite_of_one_has_no_deviation():
    with pytest.raises(OptionError, match="CrossEntropy: elite must make at least 2 of n points"):
        CrossEntropy(n=10, elite=0.1)
    assert CrossEntropy(n=10, elite=0.1, noise=0.1).elites == 1
    assert CrossEntropy(n=10, elite=0.3).elites == 3
    with pytest.raises(OptionError, match="CrossEntropy: elite must be a number in"):
        CrossEntropy(elite=0.0)
    with pytest.raises(OptionError, match="CrossEntropy: n must be an integer >= 2"):
        CrossEntropy(n=1)
