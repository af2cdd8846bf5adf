"""Model predictive path integral control, as a member of the family."""

import numpy as np
import pytest

from arrayopt import minimize
from arrayopt.errors import OptionError
from arrayopt.sampling import MPPI, gaussian_step, weighted_mean


def generation(method, mean, fun, seed=0):
    state = method.init(mean, seed=seed)
    x = method.ask(state)
    return state, x, fun(x)


def bumpy(x):
    return np.sin(3 * x).sum(-1) + (x**2).sum(-1)


def test_on_a_quadratic_one_generation_of_many_samples_is_levenberg_and_marquardts_step():
    g, H, alpha, sigma, m = np.array([0.9, -0.7]), np.array([[2.0, 0.6], [0.6, 1.0]]), 0.7, 0.8, np.array([0.2, 0.1])
    method = MPPI(n=100_000, temperature=alpha, sigma=sigma)
    state, x, f = generation(method, m, lambda x: x @ g + 0.5 * ((x @ H) * x).sum(-1))
    w = method.weights(state, x, f).weights
    expected = m + gaussian_step(g + H @ m, H, alpha, sigma).mean  # the prior moves along
    error = np.sqrt(weighted_mean(w**2, (x - expected) ** 2))
    assert (np.abs(method.tell(state, x, f).mean - expected) < 4 * error).all()
    # with the control cost the prior stays at 0, wherever the samples come from
    method = method.replace(control_cost=alpha)
    w = method.weights(state, x, f).weights
    expected = gaussian_step(g, H, alpha, sigma).mean
    error = np.sqrt(weighted_mean(w**2, (x - expected) ** 2))
    assert (np.abs(method.tell(state, x, f).mean - expected) < 4 * error).all()


def test_cold_it_takes_the_best_sample_and_hot_the_mean_of_all():
    for temperature in (1e-9, 1e9):
        method = MPPI(temperature=temperature)
        state, x, f = generation(method, np.zeros(2), bumpy)
        expected = x[np.argmin(f)] if temperature < 1 else x.mean(0)
        np.testing.assert_allclose(method.tell(state, x, f).mean, expected, rtol=1e-6, atol=1e-8)


def test_it_minimises_and_schedules_cool_it():
    options = {"sigma": lambda t: 0.5 / t, "temperature": lambda t: 1 / t**2, "vectorized": True, "maxiter": 100}
    result = minimize(lambda x: ((x - 1) ** 2).sum(-1), np.zeros(3), method="mppi", options=options)
    np.testing.assert_allclose(result.x, 1, atol=0.02)


def test_what_is_refused():
    with pytest.raises(OptionError, match="MPPI: temperature must be a finite number > 0"):
        MPPI(temperature=0.0)
    method = MPPI(sigma=lambda t: 0.5 - 0.5 * (t > 1))
    state, x, f = generation(method, np.zeros(2), bumpy)
    with pytest.raises(OptionError, match="MPPI at generation 2: sigma must be a finite number > 0, got 0"):
        method.tell(state, x, f)
