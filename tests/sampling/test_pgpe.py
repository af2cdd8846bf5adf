import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import minimize
from arrayopt.core.method import Status
from arrayopt.core.population import values
from arrayopt.sampling.evolution import EvolutionStrategy
from arrayopt.sampling.pgpe import PGPE, pgpe_gradients
from tests.sampling.designs import gaussian_design

SOME = settings(max_examples=25)
SEEDS = st.integers(0, 2**32)


@SOME
@given(SEEDS, st.integers(1, 5), st.integers(1, 6))
def test_pgpe_is_the_score_function_estimator_of_its_gaussian_on_the_same_samples(seed, d, n):
    rng = np.random.default_rng(seed)
    sigma, u = rng.uniform(0.5, 2.0, d), rng.standard_normal((n, d))
    above, below = rng.standard_normal((2, n))
    f, moved = np.concatenate([above, below]), sigma * np.concatenate([u, -u])  # the action less the mean
    by_mean = (f[:, None] * moved / sigma**2).mean(axis=0)
    by_sigma = (f[:, None] * (moved**2 - sigma**2) / sigma**3).mean(axis=0)
    found = pgpe_gradients(above, below, u, sigma)
    assert np.abs(found[0] - by_mean).max() < 1e-13
    assert np.abs(found[1] - by_sigma).max() < 1e-13


@SOME
@given(SEEDS, st.integers(1, 3))
def test_on_a_quadratic_the_gradients_are_that_at_the_mean_and_the_diagonal_times_sigma(seed, d):
    rng = np.random.default_rng(seed)
    H = rng.standard_normal((d, d))
    H, b, mu, sigma, u = (
        H + H.T,
        rng.standard_normal(d),
        rng.standard_normal(d),
        rng.uniform(0.5, 2, d),
        gaussian_design(d),
    )

    def f(x):
        return 0.5 * np.einsum("...i,ij,...j", x, H, x) + x @ b

    # E f = f(mu) + sum H_ii sigma_i^2 / 2
    by_mean, by_sigma = pgpe_gradients(f(mu + sigma * u), f(mu - sigma * u), u, sigma)
    assert np.abs(by_mean - (H @ mu + b)).max() < 1e-11
    assert np.abs(by_sigma - np.diag(H) * sigma).max() < 1e-11


def test_with_fixed_deviations_it_is_an_evolution_strategy():
    def run(method):
        state = method.init(np.array([1.0, -2.0]))
        for _ in range(30):
            x = method.ask(state)
            state = method.tell(state, x, values(lambda x: (x**4).sum(axis=-1), x))
        return state.x

    pgpe, es = PGPE(n=5, sigma=0.3, lr=0.5, lr_sigma=0.0), EvolutionStrategy(n=5, sigma=0.3, lr=0.5 * 0.3**2)
    assert np.abs(run(pgpe) - run(es)).max() < 1e-14


def test_a_deviation_changes_by_no_more_than_the_limit_and_stays_positive():
    method = PGPE(n=3, lr_sigma=1e6, limit=0.25)
    state = method.init(np.zeros(4))
    for _ in range(20):
        x = method.ask(state)
        new = method.tell(state, x, values(lambda x: (x**2).sum(axis=-1), x))
        ratio = new.sigma / state.sigma
        assert np.all((ratio >= 0.75 - 1e-15) & (ratio <= 1.25 + 1e-15))
        state = new


def test_deviations_grow_where_there_is_more_to_find_farther_out_and_shrink_at_an_optimum():
    method = PGPE(n=50, lr=0.0)
    for sign in (1.0, -1.0):
        state = method.init(np.zeros(3))
        for _ in range(10):
            x = method.ask(state)
            state = method.tell(state, x, sign * values(lambda x: (x**2).sum(axis=-1), x))
        assert np.all(sign * (state.sigma - 0.1) < 0)


@pytest.mark.parametrize("seed", range(3))
def test_it_converges_and_says_so(seed):
    def ellipsoid(x):
        return (np.array([1.0, 10.0, 100.0]) * x**2).sum(axis=-1)

    result = minimize(ellipsoid, np.ones(3), method="pgpe", options={"seed": seed, "vectorized": True, "maxiter": 3000})
    assert result.status is Status.CONVERGED
    assert "tolx" in result.message
    assert result.fun < 1e-16
