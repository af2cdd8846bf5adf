"""SGD: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.core.schedules import InverseSqrt
from arrayopt.firstorder.minibatch import minibatches
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import literals
from tests.firstorder.hand import sgd as hand

HAND = [
    [1.45, -1.9, 0.05],
    [1.475, -2.2, -0.05],
]


def test_two_steps_by_hand():
    assert_displacements(follow(SGD(lr=0.1), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_closed_sums_over_the_history(decay):
    rng = np.random.default_rng(0)
    gradients, p0, lr, steps = rng.normal(size=(7, 5)), rng.normal(size=5), 0.1, np.arange(1, 8)
    keep = 1 - lr * decay
    expected = [keep**t * p0 - lr * sum(keep ** (t - i) * gradients[i - 1] for i in range(1, t + 1)) for t in steps]
    assert_displacements(follow(SGD(lr=lr, weight_decay=decay), p0, gradients), expected, p0, rel=1e-14)


@given(st.floats(1e-4, 1.0), st.floats(0.0, 1.0), st.integers(0, 2**32))
def test_weight_decay_is_one_thing_wherever_it_enters(lr, decay, seed):
    rng = np.random.default_rng(seed)
    gradients, p0 = rng.normal(size=(4, 3)), rng.normal(size=3)
    rule = SGD(lr=lr, weight_decay=decay)
    l2 = follow(rule, p0, gradients)
    np.testing.assert_array_equal(follow(rule.replace(decay="in_update"), p0, gradients), l2)
    # Ten roundings a step in the two together, of numbers below the sum of all that was ever added up.
    bound = 10 * 4 * 2.0**-53 * (np.abs(p0) + np.abs(gradients).sum(0) * 2)
    assert np.all(np.abs(follow(rule.replace(decay="decoupled"), p0, gradients)[-1] - l2[-1]) <= bound)


@given(st.integers(-60, 60))
def test_scaling_the_gradients_is_scaling_the_rate(k):
    gradients, p0 = np.random.default_rng(1).normal(size=(5, 4)), np.ones(4)
    scaled = follow(SGD(lr=0.1), p0, gradients * 2.0**k)
    np.testing.assert_array_equal(follow(SGD(lr=0.1 * 2.0**k), p0, gradients), scaled)


@given(st.floats(0.01, 1.99), st.integers(0, 2**32))
def test_it_descends_on_a_quadratic_at_rates_below_two_over_the_curvature(share, seed):
    rng = np.random.default_rng(seed)
    curvature, p = rng.uniform(0.1, 5.0, size=4), rng.normal(size=4)
    rule, losses = SGD(lr=share / curvature.max()), [np.sum(curvature * p**2)]
    state = rule.init(p)
    for _ in range(10):
        p, state = rule.update(curvature * p, state, p)
        losses.append(np.sum(curvature * p**2))
    assert np.all(np.diff(losses) <= 0)


def test_at_a_rate_above_two_over_the_curvature_it_climbs():
    p, rule = np.array([1.0]), SGD(lr=2.1)
    for _ in range(5):
        before, (p, _) = p, rule.update(p, rule.init(p), p)
        assert abs(p[0]) > abs(before[0])


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(3)
    x, solution = rng.normal(size=(400, 3)), np.array([1.0, -2.0, 0.5])
    return x, x @ solution + 0.1 * rng.normal(size=400)


def losses_of(rule, x, y, batch_size, epochs=1):
    p, rng = np.zeros(3), np.random.default_rng(4)
    state, losses = rule.init(p), [np.mean(y**2)]
    for _ in range(epochs):
        for xb, yb in minibatches(x, y, batch_size=batch_size, rng=rng):
            p, state = rule.update(2 * xb.T @ (xb @ p - yb) / len(xb), state, p)
            losses.append(np.mean((x @ p - y) ** 2))
    return np.array(losses)


def test_not_every_stochastic_step_descends_but_the_path_ends_near_the_optimum(regression):
    x, y = regression
    losses = losses_of(SGD(lr=0.02), x, y, batch_size=1)
    best = np.mean((x @ np.linalg.lstsq(x, y)[0] - y) ** 2)
    assert np.any(np.diff(losses) > 0)
    assert losses[-50:].max() < best + 0.01 * (losses[0] - best)


def test_one_sample_a_step_reaches_a_loss_before_all_samples_a_step_have_taken_one(regression):
    x, y = regression
    full = losses_of(SGD(lr=0.02), x, y, batch_size=400)
    single = losses_of(SGD(lr=0.02), x, y, batch_size=1)
    assert full.shape == (2,)
    assert np.argmax(single < full[1]) <= 5  # samples, where the full batch has looked at 400


def test_a_decaying_rate_comes_nearer_than_a_constant_one(regression):
    x, y = regression
    best = np.mean((x @ np.linalg.lstsq(x, y)[0] - y) ** 2)
    constant = losses_of(SGD(lr=0.1), x, y, batch_size=1, epochs=3)[-400:].mean() - best
    decaying = losses_of(SGD(lr=InverseSqrt(0.1)), x, y, batch_size=1, epochs=3)[-400:].mean() - best
    assert decaying < constant / 10
