"""Consensus-based optimisation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import minimize
from arrayopt.core.method import Status
from arrayopt.errors import OptionError
from arrayopt.sampling import Consensus, consensus_point, self_normalised_mean


@given(st.integers(1, 12), st.floats(0.05, 20), st.integers(0, 99))
def test_the_consensus_point_is_theta_plus_the_self_normalised_mean_with_equal_densities(n, alpha, seed):
    rng = np.random.default_rng(seed)
    x, theta, f = rng.normal(size=(n, 3)), rng.normal(size=3), rng.normal(size=n)
    w = np.exp(-f / alpha)
    np.testing.assert_allclose(consensus_point(x, f, alpha), (w @ x) / w.sum(), atol=1e-12)
    mean, _ = self_normalised_mean(x - theta, -f / alpha + 5.0)
    np.testing.assert_allclose(consensus_point(x, f, alpha), theta + mean, atol=1e-12)


@pytest.mark.parametrize("noise", ["anisotropic", "isotropic"])
def test_one_generation_by_hand(noise):
    from arrayopt.sampling.directions import directions_at

    method = Consensus(n=5, alpha=0.3, drift=0.8, diffusion=0.6, dt=0.05, noise=noise)
    state = method.init(np.array([1.0, -2.0]), seed=4)
    x = method.ask(state)
    f = (x**2).sum(-1)
    v = consensus_point(x, f, 0.3)
    z = directions_at(v, 5, "gaussian", 4, 1)
    size = x - v if noise == "anisotropic" else np.linalg.norm(x - v, axis=1, keepdims=True)
    expected = x - 0.8 * 0.05 * (x - v) + 0.6 * math.sqrt(0.05) * size * z
    after = method.tell(state, x, f)
    np.testing.assert_allclose(after.x, expected, rtol=1e-13)
    np.testing.assert_allclose(after.consensus, v, rtol=1e-14)


@pytest.mark.parametrize("noise", ["anisotropic", "isotropic"])
def test_around_a_consensus_at_rest_the_mean_square_changes_by_the_stated_factor(noise):
    n, d, drift, diffusion, dt = 40_000, 3, 0.9, 0.7, 0.1
    method = Consensus(n=n, drift=drift, diffusion=diffusion, dt=dt, noise=noise)
    state = method.init(np.zeros(d), seed=0)
    x = state.x.copy()
    x[0] = 0.0
    f = np.where(np.arange(n) == 0, 0.0, math.inf)  # all follow the first
    after = method.tell(state, x, f)
    assert not after.x[0].any()
    ratio = (after.x[1:] ** 2).sum(1) / (x[1:] ** 2).sum(1)
    law = (1 - drift * dt) ** 2 + diffusion**2 * dt * (d if noise == "isotropic" else 1)
    assert abs(ratio.mean() - law) < 4 * ratio.std() / math.sqrt(n)


def test_trap_isotropic_noise_does_not_contract_in_many_dimensions_and_anisotropic_noise_does():
    factor, n = {}, 4000
    for noise in ("anisotropic", "isotropic"):
        method = Consensus(n=n, noise=noise)  # 2 drift > diffusion^2, but not d diffusion^2
        x = method.init(np.zeros(20), seed=0).x
        x[0] = 0.0
        after = method.tell(method.init(np.zeros(20)), x, np.where(np.arange(n) == 0, 0.0, math.inf))
        factor[noise] = (after.x**2).sum() / (x**2).sum()
    assert factor["anisotropic"] < 1 < 2 < factor["isotropic"]  # by the law 0.91 and 2.81


def test_it_finds_the_least_of_many_minima_and_ends_when_all_have_met():
    def rastrigin(x):
        return (x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum(axis=-1)

    options = {"n": 200, "spread": 3.0, "alpha": 0.01, "diffusion": 1.2, "vectorized": True}
    for seed in range(3):
        result = minimize(rastrigin, [2.5, -3.1], method="consensus", options=options | {"seed": seed})
        assert result.status is Status.CONVERGED
        assert result.fun < 0.1  # the second least is 1


def test_a_step_that_overshoots_ever_farther_is_refused():
    with pytest.raises(OptionError, match=r"Consensus: drift \* dt must be < 2, .* got 3; lower dt"):
        Consensus(drift=6.0, dt=0.5)
    with pytest.raises(OptionError, match="Consensus: noise must be one of"):
        Consensus(noise="none")
