"""RAdam: six steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

from arrayopt.core.state import State
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.radam import RAdam, length
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.common.updates import final_state, updates, weights
from tests.firstorder.hand import literals
from tests.firstorder.hand import radam as hand

EXAGGERATED = dict(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05)
HAND = [
    [1.45, -1.9, 0.05],
    [1.446875, -2.05, -0.0875],
    [1.4198341836734693878, -2.0724489795918367347, -0.25688775510204081633],
    [1.4167091836734693878, -2.2224489795918367347, -0.39438775510204081633],
    [1.4102643254542075381, -2.2250321138022917227, -0.40667411018699504932],
    [1.4078705575415519042, -2.2458531768571072675, -0.43550929978235349077],
]

seeds = st.integers(0, 2**32 - 1)
ULP = 2.0**-52


def test_six_steps_by_hand():
    assert_displacements(follow(RAdam(**EXAGGERATED), P0, np.tile(GRADIENTS, (3, 1))), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.six_steps())] == HAND


@pytest.mark.parametrize("threshold", [4, 5])
@pytest.mark.parametrize("below", ["momentum", "skip"])
def test_closed_sums_over_the_history(threshold, below):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(10, 5)), rng.normal(size=5)
    theta, expected = p0, []
    for t in range(1, 11):
        w1, w2 = weights(0.6, t), weights(0.8, t)
        m_hat, v_hat = w1 @ gradients[:t] / w1.sum(), w2 @ gradients[:t] ** 2 / w2.sum()
        rho = 1 + 2 * w2 @ np.arange(t - 1, -1, -1.0) / w2.sum()
        if rho > threshold:
            r = np.sqrt((rho - 4) * (rho - 2) * 9 / (5 * 7 * rho))
            theta = theta - 0.1 * r * m_hat / (np.sqrt(v_hat) + 0.05)
        elif below == "momentum":
            theta = theta - 0.1 * m_hat
        expected.append(theta)
    rule = RAdam(**EXAGGERATED, threshold=threshold, below=below)
    assert_displacements(follow(rule, p0, gradients), expected, p0, rel=1e-13)


def of_the_paper(beta2, t):
    """rho_t by the paper's formula, to 60 digits."""
    with mp.workdps(60):
        b = mpf(beta2)
        return 2 / (1 - b) - 1 - 2 * t * b**t / (1 - b**t)


@given(st.floats(0.0, 1 - 1e-6), st.integers(1, 64))
def test_the_length_of_a_short_history_is_right_to_the_last_digits(beta2, t):
    expected = of_the_paper(beta2, t)
    # two sums of up to 64 positive terms
    assert abs(length(beta2, t) - expected) <= 2 * t * ULP * expected


@given(st.floats(0.0, 0.9999), st.integers(65, 10**6))
def test_the_length_of_a_long_history_is_right_to_ten_digits(beta2, t):
    expected = of_the_paper(beta2, t)
    assert abs(length(beta2, t) - expected) <= 1e-10 * expected


def test_the_papers_formula_loses_digits_where_the_sum_does_not():
    beta2, t = 0.99999, 5
    naive = 2 / (1 - beta2) - 1 - 2 * t * beta2**t / (1 - beta2**t)
    assert abs(naive - of_the_paper(beta2, t)) > 1e-8
    assert abs(length(beta2, t) - of_the_paper(beta2, t)) < 1e-14


@given(st.floats(0.01, 0.9999), st.integers(1, 200))
def test_the_length_grows_from_one_below_both_its_limit_and_the_number_of_gradients(beta2, t):
    now, then = length(beta2, t), length(beta2, t + 1)
    assert length(beta2, 1) == 1
    assert now <= then * (1 + 1e-10)
    assert now <= min(t, 2 / (1 - beta2) - 1) * (1 + 1e-10)


def test_thresholds_4_and_5_differ_at_the_fifth_step_alone_for_the_default_beta2():
    gradients = np.random.default_rng(0).normal(size=(50, 4))
    four, five = updates(RAdam(threshold=4), gradients), updates(RAdam(threshold=5), gradients)
    assert [t for t in range(1, 51) if np.any(four[t - 1] != five[t - 1])] == [5]
    assert 4.99 < length(0.999, 5) < 5


@given(seeds, st.sampled_from([(0.6, 4), (2 / 3, 5)]))
def test_the_second_moment_is_never_used_where_its_window_stays_short(seed, case):
    beta2, threshold = case
    gradients = np.random.default_rng(seed).normal(size=(100, 2))
    rule = RAdam(beta1=0.6, beta2=beta2, threshold=threshold)
    momentum = [weights(0.6, t) @ gradients[:t] / (1 - 0.6**t) for t in range(1, 101)]
    np.testing.assert_allclose(updates(rule, gradients), 1e-3 * np.array(momentum), rtol=1e-10, atol=1e-17)


@given(seeds, st.floats(1e-3, 1e3))
def test_below_the_threshold_a_step_scales_with_the_gradients_and_above_it_does_not(seed, c):
    gradients = np.random.default_rng(seed).normal(size=(8, 4))
    rule = RAdam(eps=0.0)
    a, b = updates(rule, gradients), updates(rule, c * gradients)
    np.testing.assert_allclose(b[:4], c * a[:4], rtol=1e-9, atol=1e-13 * c)
    np.testing.assert_allclose(b[4:], a[4:], rtol=1e-9, atol=1e-13)


def test_the_rectified_step_grows_into_adams():
    gradients = np.random.default_rng(1).normal(size=(3000, 2))
    ratio = updates(RAdam(beta2=0.99), gradients) / updates(Adam(beta2=0.99), gradients)
    r = ratio[4:, 0]
    np.testing.assert_allclose(ratio[4:, 1], r, rtol=1e-9)
    assert np.all(np.diff(r) > -1e-9)
    assert 0 < r[0] < 0.1
    assert abs(r[-1] - 1) < 1e-9


def test_in_the_limit_of_many_steps_it_is_adam():
    g = np.array([0.5, -2.0])
    state = State(10**6, {"m": {"": 0.5 * g}, "v": {"": 2 * g * g}})
    np.testing.assert_allclose(updates(RAdam(), [g], state), updates(Adam(), [g], state), rtol=4 * ULP)


@given(seeds, st.sampled_from(["l2", "decoupled", "in_update"]))
def test_a_skipped_step_leaves_the_parameter_without_decay_and_moves_the_means(seed, decay):
    rng = np.random.default_rng(seed)
    gradients, p0 = rng.normal(size=(6, 4)), rng.normal(size=4)
    rule = RAdam(below="skip", weight_decay=0.5, decay=decay)
    path = follow(rule, p0, gradients)
    for p in path[:4]:
        np.testing.assert_array_equal(p, p0)
    assert np.all(path[4] != p0)
    means = final_state(rule.replace(weight_decay=0.0), gradients[:4]).slots
    np.testing.assert_array_equal(means["v"][""], final_state(Adam(), gradients[:4]).slots["v"][""])


@given(st.integers(-60, 60))
def test_scaling_all_gradients_changes_no_rectified_step_at_eps_zero(k):
    gradients = np.random.default_rng(1).normal(size=(8, 4))
    rule = RAdam(eps=0.0, below="skip")
    np.testing.assert_array_equal(updates(rule, gradients), updates(rule, gradients * 2.0**k))
