"""Lion: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.lion import Lion
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import lion as hand
from tests.firstorder.hand import literals

EXAGGERATED = dict(lr=0.1, beta1=0.6, beta2=0.8)

HAND = [
    [1.325, -1.8, 0.1375],
    [1.35875, -1.81, 0.030625],
]


def test_two_steps_by_hand():
    assert_displacements(follow(Lion(**EXAGGERATED, weight_decay=0.5), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


def random_walk(steps=7):
    rng = np.random.default_rng(0)
    return rng.normal(size=(steps, 5)), rng.normal(size=5)


def mixtures(gradients, beta1, beta2):
    """What the sign is taken of, as a sum over g_1..g_t; asserts that rounding decides no sign."""
    rows = []
    for t in range(1, len(gradients) + 1):
        past = (1 - beta2) * beta2 ** np.arange(t - 2, -1, -1.0)
        rows.append(np.append(beta1 * past, 1 - beta1) @ gradients[:t])
    assert np.min(np.abs(rows)) > 1e-6
    return np.array(rows)


def test_closed_sums_over_the_history():
    gradients, p0 = random_walk()
    u = np.sign(mixtures(gradients, 0.6, 0.8))
    assert np.any(u != np.sign(gradients))
    keep = 1 - 0.1 * 0.5
    expected = [keep**t * p0 - 0.1 * keep ** np.arange(t - 1, -1, -1.0) @ u[:t] for t in range(1, 8)]
    actual = follow(Lion(**EXAGGERATED, weight_decay=0.5), p0, gradients)
    assert_displacements(actual, expected, p0, rel=1e-14)


def test_the_defaults_are_the_papers():
    rule = Lion()
    assert (rule.lr, rule.beta1, rule.beta2, rule.weight_decay, rule.decay) == (1e-4, 0.9, 0.99, 0.0, "decoupled")


def test_decay_as_l2_is_a_gradient_like_any_other():
    gradients, p = random_walk()
    rule = Lion(**EXAGGERATED)
    state = coupled_state = rule.init(p)
    for g in gradients:
        coupled, coupled_state = rule.replace(weight_decay=0.5, decay="l2").update(g, coupled_state, p)
        p, state = rule.update(g + 0.5 * p, state, p)
        np.testing.assert_array_equal(coupled, p)
        np.testing.assert_array_equal(coupled_state.slots["m"][""], state.slots["m"][""])


def test_decay_inside_the_update_is_the_decoupled_one():
    gradients, p0 = random_walk()
    rule = Lion(**EXAGGERATED, weight_decay=0.5)
    assert_displacements(follow(rule.replace(decay="in_update"), p0, gradients), follow(rule, p0, gradients), p0)


@given(st.floats(1e-6, 1e6))
def test_loss_scaling_by_other_numbers_changes_nothing_either(scale):
    gradients, p0 = random_walk()
    mixtures(gradients, 0.6, 0.8)
    rule = Lion(**EXAGGERATED, weight_decay=0.3)
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule, p0, gradients * scale))


def test_it_keeps_one_slot():
    assert list(Lion().init({"w": np.zeros(3)}).slots) == ["m"]


def test_the_mean_learns_of_the_gradient_after_it_was_used():
    # After g_1 = 1 the mean is 0.2; of g_2 = -0.28 the mixture 0.6 * 0.2 - 0.4 * 0.28 is positive, while a mean
    # that was updated first would be 0.104 and give 0.6 * 0.104 - 0.4 * 0.28 < 0.
    path = follow(Lion(**EXAGGERATED), np.zeros(1), [np.array([1.0]), np.array([-0.28])])
    np.testing.assert_allclose(path[-1], [-0.2])
