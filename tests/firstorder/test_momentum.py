"""Momentum: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.momentum import Momentum
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import literals
from tests.firstorder.hand import momentum as hand

EXAGGERATED = dict(lr=0.1, momentum=0.6)

HAND = [
    [1.45, -1.9, 0.05],
    [1.445, -2.14, -0.17],
]


@pytest.mark.parametrize("lr_place", ["outside", "inside"])
def test_two_steps_by_hand(lr_place):
    rule = Momentum(**EXAGGERATED, lr_place=lr_place)
    assert_displacements(follow(rule, P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


def random_walk(steps=7):
    rng = np.random.default_rng(0)
    return rng.normal(size=(steps, 5)), rng.normal(size=5)


@pytest.mark.parametrize("lr_place", ["outside", "inside"])
def test_decay_inside_the_update_is_the_decoupled_one(lr_place):
    gradients, p0 = random_walk()
    rule = Momentum(lr=lambda t: 0.1 / t, momentum=0.6, weight_decay=0.5, decay="decoupled", lr_place=lr_place)
    assert_displacements(follow(rule.replace(decay="in_update"), p0, gradients), follow(rule, p0, gradients), p0)


@pytest.mark.parametrize(("dampening", "first"), [(0.0, "zero"), (0.3, "zero"), (0.3, "gradient")])
def test_closed_sums_over_the_history(dampening, first):
    gradients, p0 = random_walk()
    lr, mu = EXAGGERATED.values()
    weight = np.full(len(gradients), 1 - dampening)
    weight[0] = 1.0 if first == "gradient" else weight[0]
    expected = []
    for t in range(1, len(gradients) + 1):
        reach = (1 - mu ** np.arange(t, 0, -1.0)) / (1 - mu)  # 1 + mu + ... over the steps that g_i still moves
        expected.append(p0 - lr * (weight[:t] * reach) @ gradients[:t])
    actual = follow(Momentum(**EXAGGERATED, dampening=dampening, first=first), p0, gradients)
    assert_displacements(actual, expected, p0, rel=1e-14)


@given(st.sampled_from(["heavy_ball", "ema"]), st.sampled_from(["outside", "inside"]), st.floats(0.0, 0.5))
def test_momentum_zero_is_sgd(form, lr_place, decay):
    gradients, p0 = random_walk()
    actual = follow(Momentum(lr=0.1, momentum=0.0, form=form, lr_place=lr_place, weight_decay=decay), p0, gradients)
    np.testing.assert_array_equal(actual, follow(SGD(lr=0.1, weight_decay=decay), p0, gradients))


@given(st.floats(0.0, 0.95), st.floats(1e-3, 1.0))
def test_the_heavy_ball_is_the_running_mean_at_the_rate_over_one_minus_mu(mu, lr):
    gradients, p0 = random_walk()
    ball = follow(Momentum(lr=lr, momentum=mu), p0, gradients)
    mean = follow(Momentum(lr=lr / (1 - mu), momentum=mu, form="ema"), p0, gradients)
    assert_displacements(mean, ball, p0, rel=1e-13)


@given(st.floats(0.0, 0.95))
def test_the_running_mean_is_the_ball_dampened_by_mu(mu):
    gradients, p0 = random_walk()
    ball = follow(Momentum(lr=0.1, momentum=mu, dampening=mu), p0, gradients)
    np.testing.assert_array_equal(follow(Momentum(lr=0.1, momentum=mu, form="ema"), p0, gradients), ball)


@pytest.mark.parametrize("decay", ["l2", "decoupled", "in_update"])
@pytest.mark.parametrize("form", ["heavy_ball", "ema"])
def test_the_rate_is_the_same_inside_and_outside_while_it_does_not_change(form, decay):
    gradients, p0 = random_walk()
    rule = Momentum(**EXAGGERATED, form=form, weight_decay=0.3, decay=decay)
    inside = follow(rule.replace(lr_place="inside"), p0, gradients)
    assert_displacements(inside, follow(rule, p0, gradients), p0)


def test_a_rate_that_drops_to_zero_stops_the_ball_only_when_it_stands_outside():
    gradients, p0 = random_walk(2)
    rule = Momentum(lr=lambda t: 0.1 if t == 1 else 0.0, momentum=0.6)
    one, two = follow(rule, p0, gradients)
    np.testing.assert_array_equal(one, two)
    one, two = follow(rule.replace(lr_place="inside"), p0, gradients)
    assert_displacements([two - one], [-0.1 * 0.6 * gradients[0]], 0 * p0)


@given(st.integers(1, 7))
def test_an_undamped_first_step_leaves_a_trace_that_fades_with_mu(t):
    gradients, p0 = random_walk(t)
    rule, velocities = Momentum(**EXAGGERATED, dampening=0.4), []
    for first in ("gradient", "zero"):
        p, state = p0, rule.init(p0)
        for g in gradients:
            p, state = rule.replace(first=first).update(g, state, p)
        velocities.append(state.slots["v"][""])
    expected = 0.6 ** (t - 1) * 0.4 * gradients[0]
    np.testing.assert_allclose(velocities[0] - velocities[1], expected, atol=1e-14)


def test_the_first_step_is_the_same_where_nothing_is_dampened():
    gradients, p0 = random_walk()
    rule = Momentum(**EXAGGERATED)
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule.replace(first="gradient"), p0, gradients))


def test_friction_spends_the_velocity_and_gradients_build_it_up():
    mu, g = 0.75, np.array([1.0])
    path = follow(Momentum(lr=1.0, momentum=mu), np.zeros(1), [g] * 60)
    np.testing.assert_allclose(path[-1] - path[-2], -g / (1 - mu), rtol=1e-7)  # mu^60 = 3e-8 is missing
    path = follow(Momentum(lr=1.0, momentum=mu), np.zeros(1), [g] + [0 * g] * 150)
    np.testing.assert_allclose(path[-1], -g / (1 - mu), rtol=1e-14)


def test_decay_as_l2_enters_the_velocity_and_decoupled_decay_does_not():
    rule, p0 = Momentum(lr=0.5, momentum=0.6, weight_decay=0.2), np.array([1.0])
    _, state = rule.update(np.array([0.0]), rule.init(p0), p0)
    np.testing.assert_allclose(state.slots["v"][""], [0.2])
    rule = rule.replace(decay="decoupled")
    p, state = rule.update(np.array([0.0]), rule.init(p0), p0)
    np.testing.assert_array_equal(state.slots["v"][""], [0.0])
    np.testing.assert_allclose(p, [0.9])
