"""Lion: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.lion import Lion
from arrayopt.firstorder.recipes import lion_from_adamw
from arrayopt.firstorder.signum import Signum
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


@given(st.floats(0.0, 0.99), st.sampled_from([0.0, 0.3]))
def test_with_one_beta_it_is_signum(beta, weight_decay):
    gradients, p0 = random_walk()
    lion = Lion(lr=0.1, beta1=beta, beta2=beta, weight_decay=weight_decay)
    signum = Signum(lr=0.1, momentum=beta, weight_decay=weight_decay)
    np.testing.assert_array_equal(follow(lion, p0, gradients), follow(signum, p0, gradients))


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


@given(st.integers(-200, 200))
def test_loss_scaling_changes_nothing(k):
    gradients, p0 = random_walk()
    rule = Lion(**EXAGGERATED, weight_decay=0.3)
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule, p0, gradients * 2.0**k))


@given(st.floats(1e-6, 1e6))
def test_loss_scaling_by_other_numbers_changes_nothing_either(scale):
    gradients, p0 = random_walk()
    mixtures(gradients, 0.6, 0.8)
    rule = Lion(**EXAGGERATED, weight_decay=0.3)
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule, p0, gradients * scale))


@given(st.integers(0, 2**32), st.floats(0.0, 0.99), st.floats(0.0, 0.99))
def test_without_decay_every_coordinate_moves_by_the_rate_or_not_at_all(seed, beta1, beta2):
    # From zero and by a power of two, so that p is a whole number of steps and subtraction is exact.
    gradients = np.random.default_rng(seed).integers(-2, 3, size=(6, 4)).astype(float)
    path = np.array([np.zeros(4), *follow(Lion(lr=0.25, beta1=beta1, beta2=beta2), np.zeros(4), gradients)])
    assert set(np.abs(np.diff(path, axis=0)).ravel()) <= {0.0, 0.25}


def test_where_the_argument_is_zero_a_coordinate_rests():
    first, second = np.array([[1.0]]), np.array([[-0.5]])  # 0.5 * (0.5 * 1) - 0.5 * 0.5 = 0
    path = follow(Lion(lr=0.25, beta1=0.5, beta2=0.5), np.zeros((1, 1)), [first, second])
    np.testing.assert_array_equal(path[0], path[1])


def test_it_keeps_one_slot():
    assert list(Lion().init({"w": np.zeros(3)}).slots) == ["m"]


def test_the_mean_learns_of_the_gradient_after_it_was_used():
    # After g_1 = 1 the mean is 0.2; of g_2 = -0.28 the mixture 0.6 * 0.2 - 0.4 * 0.28 is positive, while a mean
    # that was updated first would be 0.104 and give 0.6 * 0.104 - 0.4 * 0.28 < 0.
    path = follow(Lion(**EXAGGERATED), np.zeros(1), [np.array([1.0]), np.array([-0.28])])
    np.testing.assert_allclose(path[-1], [-0.2])


def test_accumulation_cannot_be_folded_into_the_mean():
    # Two pairs of old mean and batch gradient that make the same new mean, but opposite updates: the sign of the
    # step cannot be had from one slot into which the batch was accumulated.
    beta1, beta2 = 0.9, 0.99
    rule, p = Lion(lr=1.0, beta1=beta1, beta2=beta2), np.zeros(1)
    outcomes = []
    for g in (-8.0, -9.5):
        old = (0.91 - (1 - beta2) * g) / beta2
        _, state = rule.update(np.array([old / (1 - beta2)]), rule.init(p), p)
        np.testing.assert_allclose(state.slots["m"][""], [old], rtol=1e-14)
        after, state = rule.update(np.array([g]), state, p)
        outcomes.append((float(after[0]), float(state.slots["m"][""][0])))
    (step_a, mean_a), (step_b, mean_b) = outcomes
    assert mean_a == pytest.approx(mean_b, rel=1e-12)
    assert step_a == -step_b != 0


def test_scaling_the_rate_down_and_the_decay_up_keeps_their_product():
    rate, decay = lion_from_adamw(3e-3, 0.1)
    p, rule = np.array([2.0]), Lion(lr=rate, weight_decay=decay)
    (after,) = follow(rule, p, [np.zeros(1)])  # a zero gradient leaves the decay alone
    np.testing.assert_allclose(after, p * (1 - 3e-3 * 0.1), rtol=1e-15)
