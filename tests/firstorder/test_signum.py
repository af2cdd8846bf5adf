"""Signum: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.signum import Signum
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import literals
from tests.firstorder.hand import signum as hand

EXAGGERATED = dict(lr=0.1, momentum=0.6)

HAND = [
    [1.4, -1.9, 0.15],
    [1.3, -2.0, 0.05],
]


def test_two_steps_by_hand():
    assert_displacements(follow(Signum(**EXAGGERATED), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


def random_walk(steps=7):
    rng = np.random.default_rng(0)
    return rng.normal(size=(steps, 5)), rng.normal(size=5)


def means(gradients, mu):
    """The running mean of every step as a sum over g_1..g_t; asserts that rounding decides no sign."""
    rows = [(1 - mu) * mu ** np.arange(t - 1, -1, -1.0) @ gradients[:t] for t in range(1, len(gradients) + 1)]
    assert np.min(np.abs(rows)) > 1e-6
    return np.array(rows)


def test_closed_sums_over_the_history():
    gradients, p0 = random_walk()
    u = np.sign(means(gradients, 0.6))
    keep = 1 - 0.1 * 0.5
    expected = [keep**t * p0 - 0.1 * keep ** np.arange(t - 1, -1, -1.0) @ u[:t] for t in range(1, 8)]
    actual = follow(Signum(**EXAGGERATED, weight_decay=0.5), p0, gradients)
    assert_displacements(actual, expected, p0, rel=1e-14)


@pytest.mark.parametrize("decay", ["l2", "decoupled", "in_update"])
@pytest.mark.parametrize("mu", [0.0, 0.3, 0.6, 0.95])
def test_the_heavy_ball_has_the_signs_of_the_running_mean(mu, decay):
    gradients, p0 = random_walk(30)
    means(gradients, mu)
    rule = Signum(lr=0.1, momentum=mu, weight_decay=0.3, decay=decay)
    ball = follow(rule.replace(form="heavy_ball"), p0, gradients)
    np.testing.assert_array_equal(ball, follow(rule, p0, gradients))


@given(st.floats(1e-6, 1e6))
def test_loss_scaling_by_other_numbers_changes_nothing_either(scale):
    gradients, p0 = random_walk()
    means(gradients, 0.6)
    rule = Signum(**EXAGGERATED)
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule, p0, gradients * scale))


def test_a_coordinate_that_never_had_a_gradient_stays():
    gradients, p0 = random_walk()
    gradients[:, 2] = 0.0
    path = np.array(follow(Signum(**EXAGGERATED), p0, gradients))
    np.testing.assert_array_equal(path[:, 2], p0[2])


@pytest.mark.parametrize("lr", [0.3, 0.01])
def test_with_a_constant_rate_it_stalls_at_a_distance_of_about_the_rate(lr):
    rule, p = Signum(lr=lr, momentum=0.9), np.array([1.0 + lr / 3])
    state, distances = rule.init(p), []
    for _ in range(1000):
        p, state = rule.update(p, state, p)
        distances.append(abs(p[0]))
    # The memory of 1 / (1 - momentum) steps carries it that many rates beyond the optimum, and back.
    assert lr < max(distances[-200:]) < 10 * lr
