"""SignSGD: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arrayopt.firstorder.signsgd import SignSGD
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import literals
from tests.firstorder.hand import signsgd as hand

HAND = [
    [1.4, -1.9, 0.15],
    [1.5, -2.0, 0.05],
]

VECTORS = arrays(np.float64, 4, elements=st.floats(-1e100, 1e100))


def test_two_steps_by_hand():
    assert_displacements(follow(SignSGD(lr=0.1), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


def test_closed_sums_over_the_history():
    rng = np.random.default_rng(0)
    gradients, p0, keep = rng.normal(size=(7, 5)), rng.normal(size=5), 1 - 0.1 * 0.5
    expected = []
    for t in range(1, 8):
        ups, downs = ((s * gradients[:t] > 0) for s in (-1, 1))
        fading = keep ** np.arange(t - 1, -1, -1.0)
        expected.append(keep**t * p0 + 0.1 * fading @ (ups.astype(float) - downs))
    actual = follow(SignSGD(lr=0.1, weight_decay=0.5), p0, gradients)
    assert_displacements(actual, expected, p0, rel=1e-14)


@given(VECTORS)
def test_every_coordinate_moves_by_the_rate_or_not_at_all(g):
    (after,) = follow(SignSGD(lr=0.25), np.zeros(4), [g])
    np.testing.assert_array_equal(after, np.where(g > 0, -0.25, np.where(g < 0, 0.25, 0.0)))


@given(VECTORS, st.floats(1e-100, 1e100))
def test_loss_scaling_changes_nothing(g, scale):
    g = np.where(np.abs(g) < 1e-100, 0.0, g)  # what scaling by 1e-100 keeps from underflow
    (plain,), (scaled,) = (follow(SignSGD(), np.ones(4), [x]) for x in (g, g * scale))
    np.testing.assert_array_equal(plain, scaled)


def test_l2_counts_only_where_it_turns_a_sign():
    g, p0 = np.array([0.5, 0.5, 0.0]), np.array([1.0, -10.0, 1.0])
    rule = SignSGD(lr=0.1, weight_decay=0.1)
    (after,) = follow(rule.replace(decay="l2"), p0, [g])
    np.testing.assert_allclose(after, p0 - 0.1 * np.array([1.0, -1.0, 1.0]))
    (after,) = follow(rule, p0, [g])
    np.testing.assert_allclose(after, 0.99 * p0 - 0.1 * np.array([1.0, 1.0, 0.0]))
