"""Guided search: a gradient for what has none."""

import math

import numpy as np
import pytest

from arrayopt import SGD, Adam, minimize
from arrayopt.backend import to_numpy
from arrayopt.errors import OptionError
from arrayopt.sampling import Guided, GuidedSearch
from tests.common.libraries import libraries

G, H = np.array([0.9, -0.7]), np.array([[2.0, 0.6], [0.6, 1.0]])


def quadratic(x):
    return x @ G + 0.5 * ((x @ H) * x).sum(-1)


def test_trap_with_the_densities_of_the_code_it_tends_to_something_else():
    found = Guided(n=100_000, alpha=0.5, sigma=0.7, density="unit", share=1.0).gradient(quadratic, np.zeros(2), rng=0)
    assert np.abs(found.gradient - np.linalg.solve(H, G)).max() > 0.05


def test_it_is_minus_the_weighted_mean_in_the_convex_hull_and_fun_is_called_once():
    calls = []

    def fun(x, c):
        calls.append(x.shape)
        return c * quadratic(x)

    x = np.array([1.0, 2.0])
    found = Guided().gradient(fun, x, G, 3.0, rng=1)
    assert calls == [(4, 2)]
    np.testing.assert_allclose(found.f, 3 * quadratic(x + found.steps))
    np.testing.assert_allclose(found.gradient, -(found.weights.weights @ found.steps), rtol=1e-14)
    assert (found.steps.min(0) <= -found.gradient).all()
    assert (-found.gradient <= found.steps.max(0)).all()
    one_by_one = Guided().gradient(lambda x, c: c * float(quadratic(x)), x, G, 3.0, rng=1, workers=map)
    np.testing.assert_allclose(one_by_one.gradient, found.gradient, rtol=1e-13)


def test_constants_in_the_objective_do_not_matter():
    a = Guided().gradient(quadratic, np.zeros(2), G, rng=1).gradient
    b = Guided().gradient(lambda x: quadratic(x) + 100.0, np.zeros(2), G, rng=1).gradient
    np.testing.assert_allclose(a, b, rtol=1e-11)


def test_any_first_order_rule_takes_it():
    x = np.array([1.0, 2.0])
    found = Guided(n=64, alpha=0.1).gradient(quadratic, x, rng=1)
    rule = SGD(lr=1.0)
    after, _ = rule.update(found.gradient, rule.init(x), x)
    np.testing.assert_array_equal(after, x - found.gradient)
    rule, state, rng = (adam := Adam(lr=0.1)), adam.init(x), np.random.default_rng(0)
    for _ in range(60):
        x, state = rule.update(Guided(alpha=0.05, sigma=0.3).gradient(quadratic, x, rng=rng).gradient, state, x)
    assert quadratic(x) < quadratic(np.array([1.0, 2.0])) - 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_million_dimensions_with_the_four_steps_of_the_paper(dtype):
    n = 1_000_000
    g = (1e-3 * np.random.default_rng(0).standard_normal(n)).astype(dtype)
    found = Guided(alpha=0.1, sigma=1e-3).gradient(lambda x: x.mean(-1), np.zeros(n, dtype), g, rng=0)
    assert found.gradient.dtype == dtype
    assert np.isfinite(found.gradient).all()
    assert found.weights.weights.sum() == pytest.approx(1, rel=1e-6)
    assert 1 <= found.weights.ess <= 4


def test_losses_that_are_nan_or_infinite_and_dimension_one():
    x = np.array([0.5])
    for f in ([math.nan] * 4, [math.inf] * 4, [math.nan, math.inf] * 2):
        found = Guided().gradient(lambda p, f=f: np.array(f), x, np.ones(1), rng=0)
        assert found.gradient == 0
        assert found.weights.ess == 0
    found = Guided().gradient(lambda p: np.array([math.nan, 1.0, math.inf, math.nan]), x, np.ones(1), rng=0)
    assert -found.gradient == found.steps[1]
    assert np.isfinite(Guided(n=1).gradient(lambda p: p[:, 0], x, rng=0).gradient).all()


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries(xp):
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    x, g = (xp.asarray(a, **where) for a in (np.array([1.0, 2.0]), G))
    found = Guided().gradient(lambda p: xp.sum(p * p, axis=-1), x, g, rng=1)
    expected = Guided().gradient(lambda p: (p * p).sum(-1), np.array([1.0, 2.0]), G, rng=1)
    assert found.gradient.device == x.device
    np.testing.assert_allclose(to_numpy(found.gradient), expected.gradient, rtol=1e-12)


def test_guided_search_minimises_what_has_no_gradient_by_that_of_a_surrogate():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 5))
    labels = np.sign(inputs @ np.array([1.0, -2.0, 0.5, 0.0, 1.0]))

    def errors(x):
        return (labels * (x @ inputs.T) <= 0).mean(axis=-1)

    def slope(x):
        return -((labels / (1 + np.exp(labels * (inputs @ x))))[:, None] * inputs).mean(0)

    start = np.array([-0.5, 1.0, 0.0, 0.3, 0.0])
    how = {"alpha": 0.02, "sigma": 0.3, "vectorized": True, "maxiter": 60}
    for more in ({}, {"optimizer": Adam(lr=0.1)}, {"scaling": "gradient", "sigma": 1.0}):
        result = minimize(errors, start, jac=slope, method="guided", options=how | more)
        assert errors(start) > 0.8
        assert result.fun < 0.1
        assert result.fun == errors(result.x)
        assert result.nfev == 1 + 5 * result.nit
    again = minimize(errors, start, jac=slope, method="guided", options=how | {"scaling": "gradient", "sigma": 1.0})
    np.testing.assert_array_equal(again.x, result.x)
    how = how | more | {"vectorized": False}
    points = minimize(lambda x: float(errors(x)), start, jac=slope, method="guided", options=how)
    np.testing.assert_allclose(points.x, result.x, rtol=1e-10)


def test_without_a_gradient_all_steps_are_noise_and_trees_go_to_the_optimizer():
    def fun(x):
        return float(np.floor(10 * np.abs(x["a"]).sum()) + (x["b"] ** 2).sum())

    x0 = {"a": np.ones(2), "b": np.ones((1, 2))}
    for optimizer in (None, Adam(lr=0.1)):
        how = {"n": 20, "alpha": 0.2, "optimizer": optimizer, "maxiter": 100}
        result = minimize(fun, x0, method="guided", options=how)
        assert result.fun < 6
        assert result.x["b"].shape == (1, 2)


def test_a_start_without_a_value_is_left():
    def fun(x):
        return math.nan if x[0] == 1.0 else float(x @ x)

    result = minimize(fun, np.array([1.0, 1.0]), method="guided", options={"maxiter": 20})
    assert math.isfinite(result.fun)
    assert np.isfinite(result.x).all()
    result = minimize(lambda x: math.nan, np.array([1.0, 1.0]), method="guided", options={"maxiter": 5})
    np.testing.assert_array_equal(result.x, [1.0, 1.0])


def test_what_is_refused():
    with pytest.raises(OptionError, match="GuidedSearch: optimizer must have init and update"):
        GuidedSearch(optimizer="adam")
    with pytest.raises(OptionError, match="Guided: alpha must be a finite number > 0"):
        Guided(alpha=0.0)
    with pytest.raises(OptionError, match="seed: expected an integer in"):
        minimize(quadratic, np.ones(2), method="guided", options={"seed": 2**64})
