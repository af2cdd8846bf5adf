"""Momentum: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest

from arrayopt.firstorder.momentum import Momentum
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


def test_a_rate_that_drops_to_zero_stops_the_ball_only_when_it_stands_outside():
    gradients, p0 = random_walk(2)
    rule = Momentum(lr=lambda t: 0.1 if t == 1 else 0.0, momentum=0.6)
    one, two = follow(rule, p0, gradients)
    np.testing.assert_array_equal(one, two)
    one, two = follow(rule.replace(lr_place="inside"), p0, gradients)
    assert_displacements([two - one], [-0.1 * 0.6 * gradients[0]], 0 * p0)


def test_the_first_step_is_the_same_where_nothing_is_dampened():
    gradients, p0 = random_walk()
    rule = Momentum(**EXAGGERATED)
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule.replace(first="gradient"), p0, gradients))


def test_decay_as_l2_enters_the_velocity_and_decoupled_decay_does_not():
    rule, p0 = Momentum(lr=0.5, momentum=0.6, weight_decay=0.2), np.array([1.0])
    _, state = rule.update(np.array([0.0]), rule.init(p0), p0)
    np.testing.assert_allclose(state.slots["v"][""], [0.2])
    rule = rule.replace(decay="decoupled")
    p, state = rule.update(np.array([0.0]), rule.init(p0), p0)
    np.testing.assert_array_equal(state.slots["v"][""], [0.0])
    np.testing.assert_allclose(p, [0.9])
