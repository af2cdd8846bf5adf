import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import OptionError
from arrayopt.theory import (
    abel_bound,
    abel_sum,
    best_constant_rate,
    best_inverse_sqrt_rate,
    inverse_sqrt_sum,
    project_ball,
    projected_sgd,
    regret_bound,
)
from tests.theory.elsewhere import moved, on_other_libraries


def absolute(seed, d=3, steps=30):
    """|<a_t, x> - b_t|, of slope at most |a_t|."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((steps, d)), rng.standard_normal(steps)

    def fun(t, x):
        away = a[t - 1] @ x - b[t - 1]
        return abs(away), np.sign(away) * a[t - 1]

    return fun, float(np.linalg.norm(a, axis=1).max()), rng


@given(st.integers(0, 10**6), st.booleans())
def test_the_ledger_of_a_run(seed, projected):
    fun, steepness, rng = absolute(seed)
    rates = np.sort(rng.random(30) + 0.01)[::-1]
    x0, star = project_ball(rng.standard_normal((2, 3)))
    ledger = projected_sgd(fun, x0, rates, star, project_ball if projected else None)
    assert ledger.regret <= ledger.finer_bound() + 1e-12 <= ledger.bound() + 2e-12
    assert ledger.bound() <= ledger.bound(max(2.0, ledger.diameter), steepness) + 1e-12
    left, right = ledger.abel
    assert left <= right + 1e-9
    slack = ledger.step_slack
    assert np.all(slack >= -1e-10)
    if not projected:  # an equality then
        np.testing.assert_allclose(slack, 0, atol=1e-10)
    assert np.all(ledger.products >= ledger.losses - ledger.comparator_losses - 1e-12)
    # the books by hand, from the definition
    x = x0
    for t, rate in enumerate(rates, 1):
        loss, g = fun(t, x)
        assert ledger.losses[t - 1] == loss
        assert ledger.distances[t - 1] == pytest.approx(float(np.linalg.norm(x - star)), rel=1e-14)
        x = x - rate * g
        x = project_ball(x) if projected else x
    np.testing.assert_array_equal(ledger.x, x)


def test_rates_that_grow_break_the_bound():
    rates = [1e-6] * 99 + [1.0]
    x0, star = np.ones(1), np.zeros(1)
    ledger = projected_sgd(lambda t, x: (x[0], np.ones(1)), x0, rates, star, lambda x: np.clip(x, 0, 1))
    assert round(ledger.regret, 5) == 0.99995
    assert round(ledger.bound(1.0, 1.0), 4) == 0.0100


@given(st.floats(0.1, 10), st.floats(0.1, 10), st.integers(1, 200))
def test_best_rates(diameter, steepness, steps):
    rate, value = best_constant_rate(diameter, steepness, steps)
    assert value == pytest.approx(regret_bound([rate] * steps, diameter, steepness), rel=1e-12)
    for factor in (0.9, 1.1):
        assert regret_bound([factor * rate] * steps, diameter, steepness) > value
    alpha, worse = best_inverse_sqrt_rate(diameter, steepness, steps)
    assert worse == pytest.approx(math.sqrt(2) * value)

    def bound(alpha):
        return diameter**2 / (2 * alpha * math.sqrt(steps)) + steepness**2 * alpha / math.sqrt(steps)

    assert worse == pytest.approx(bound(alpha), rel=1e-12)
    assert min(bound(0.9 * alpha), bound(1.1 * alpha)) > worse
    assert regret_bound([alpha / math.sqrt(t) for t in range(1, steps + 1)], diameter, steepness) < worse


def test_sums():
    assert inverse_sqrt_sum(1) == 2 * math.sqrt(1) - 1
    assert all(inverse_sqrt_sum(T) < 2 * math.sqrt(T) - 1 for T in (2, 3, 10, 1000))
    assert inverse_sqrt_sum(0) == 0
    a, rates = [0.3, 1.0, 0.2, 0.9], [0.4, 0.3, 0.1]
    assert abel_sum(a, rates) == pytest.approx(-0.7 / 0.8 + 0.8 / 0.6 - 0.7 / 0.2)
    assert abel_bound(1.0, rates) == pytest.approx(5.0)
    assert regret_bound([0.5, 0.25], 2.0, [1.0, 3.0]) == pytest.approx(4 / (4 * 0.25) + (0.5 + 0.25 * 9) / 4)


def test_extremes():
    assert regret_bound([1e-300], 0.0, 0.0) == 0
    assert regret_bound([5e-324], 1.0, 1.0) == math.inf
    ledger = projected_sgd(lambda t, x: (0, 0 * x), np.zeros(0), [1.0], np.zeros(0))
    assert ledger.regret == 0 == ledger.bound()


@on_other_libraries
def test_other_libraries(xp):
    target = np.asarray([1.0, -2.0])

    def run(xp):
        y = moved(xp, target) if xp is not np else target

        def fun(t, x):
            away = x - y
            return (away * away).sum() if xp is np else xp.sum(away * away), 2 * away

        return projected_sgd(fun, 0 * y, [0.1] * 5, y / 2, project_ball)

    here, there = run(np), run(xp)
    np.testing.assert_allclose(there.distances, here.distances, rtol=1e-14)
    np.testing.assert_allclose(there.losses, here.losses, rtol=1e-14)
    assert there.regret == pytest.approx(here.regret, rel=1e-13)


def test_refusals():
    for rates in ([], [0.0], [0.1, -1.0], [math.inf]):
        with pytest.raises(OptionError, match="rates: expected at least one rate, all finite and > 0"):
            regret_bound(rates, 1.0, 1.0)
    with pytest.raises(OptionError, match="steepness: expected one number or 2"):
        regret_bound([0.1, 0.1], 1.0, [1.0])
    with pytest.raises(OptionError, match="squares: expected one more than there are rates, 2"):
        abel_sum([1.0], [0.1])
