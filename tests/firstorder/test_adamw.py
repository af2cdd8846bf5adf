"""AdamW: two steps by hand, closed sums over the history, and the claims about it and the step it shares with Adam."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.core.state import State
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.adamw import AdamW
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.common.updates import final_state, updates, weights
from tests.firstorder.hand import adamw as hand
from tests.firstorder.hand import literals

EXAGGERATED = dict(beta1=0.6, beta2=0.8, eps=0.05)
HAND = [
    [1.1090909090909090909, -1.5047619047619047619, 0.10243902439024390244],
    [0.99456392601706905391, -1.3857542457542457542, 0.048614202533527127432],
]

seeds = st.integers(0, 2**32 - 1)
ULP = 2.0**-52


def halving(t):
    return 0.1 if t == 1 else 0.05


def test_two_steps_of_the_paper_by_hand():
    rule = AdamW.preset("paper", lr=halving, weight_decay=0.2, **EXAGGERATED)
    assert_displacements(follow(rule, P0, GRADIENTS), HAND, P0)


def test_decay_times_rate_is_the_papers_decay_divided_by_the_peak_rate():
    rule = AdamW(lr=halving, weight_decay=0.2 / 0.1, **EXAGGERATED)
    assert_displacements(follow(rule, P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


def draw(seed, steps=6, size=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(steps, size)), rng.normal(scale=2.0, size=size)


def test_closed_sums_over_the_history():
    gradients, p0 = draw(0, 7)
    theta, expected = p0, []
    for t in range(1, 8):
        w1, w2 = weights(0.6, t), weights(0.8, t)
        m_hat, v_hat = w1 @ gradients[:t] / w1.sum(), w2 @ gradients[:t] ** 2 / w2.sum()
        theta = theta * (1 - 0.1 * 0.2) - 0.1 * m_hat / (np.sqrt(v_hat) + 0.05)
        expected.append(theta)
    assert_displacements(follow(AdamW(lr=0.1, weight_decay=0.2, **EXAGGERATED), p0, gradients), expected, p0, rel=1e-13)


@given(seeds)
def test_decay_first_is_decay_in_the_update(seed):
    gradients, p0 = draw(seed)
    first = AdamW(lr=0.1, weight_decay=0.2, **EXAGGERATED)
    assert_displacements(
        follow(first, p0, gradients), follow(first.replace(decay="in_update"), p0, gradients), p0, rel=1e-13
    )


@given(seeds, st.floats(0.01, 0.5))
def test_decoupled_decay_shrinks_all_coordinates_alike_whatever_their_gradients(seed, decay):
    gradients, p0 = draw(seed, steps=1)
    gradients = gradients * np.array([1e-6, 1.0, 1e3, 1e6])
    (with_decay,) = follow(AdamW(lr=0.1, weight_decay=decay, eps=0.0), p0, gradients)
    (without,) = follow(AdamW(lr=0.1, weight_decay=0.0, eps=0.0), p0, gradients)
    np.testing.assert_allclose(without - with_decay, 0.1 * decay * p0, rtol=0, atol=4 * ULP * np.max(np.abs(p0) + 0.1))


@given(seeds)
def test_decay_through_the_gradient_is_divided_by_the_root_of_the_second_moment(seed):
    # once v is warm at g^2 and large beside the decay, an l2 term L p moves the parameter by lr L p / |g|
    rng = np.random.default_rng(seed)
    size = np.array([1e1, 1e2, 1e3, 1e4])
    p0, g = rng.uniform(1.0, 2.0, size=4), size
    state = State(10**12, {"m": {"": g.copy()}, "v": {"": g * g}})
    rule = Adam(lr=1.0, beta1=0.0, beta2=1 - 1e-9, eps=0.0)
    after, _ = rule.replace(weight_decay=1e-3).update(g, state, p0)
    plain, _ = rule.update(g, state, p0)
    np.testing.assert_allclose(plain - after, 1e-3 * p0 / size, rtol=1e-5)


@given(st.floats(0.0, 1.0), st.integers(1, 10))
def test_without_gradients_decay_is_geometric(decay, steps):
    p0 = np.array([1.5, -2.0])
    path = follow(AdamW(lr=0.25, weight_decay=decay), p0, np.zeros((steps, 2)))
    np.testing.assert_allclose(path[-1], p0 * (1 - 0.25 * decay) ** steps, rtol=2 * steps * ULP)


@given(seeds)
def test_decay_after_the_update_differs_by_the_square_of_the_rate(seed):
    gradients, p0 = draw(seed, steps=1)
    rule = AdamW(lr=0.1, weight_decay=0.2, **EXAGGERATED)
    (before,), (after,) = follow(rule, p0, gradients), follow(rule.replace(decay_point="after"), p0, gradients)
    (u,) = updates(rule.replace(lr=1.0), gradients)
    np.testing.assert_allclose(after - before, 0.1**2 * 0.2 * u, rtol=0, atol=8 * ULP * np.max(np.abs(p0) + 0.2))


# What Adam and AdamW share ---------------------------------------------------------------------


@given(seeds, st.sampled_from(["hat", "root_corrected", "root_raw", "both"]))
def test_every_place_of_eps_is_the_papers_at_eps_zero(seed, place):
    gradients, _ = draw(seed)
    rule = AdamW(eps=0.0)
    np.testing.assert_array_equal(updates(rule, gradients), updates(rule.replace(eps_place=place), gradients))


def test_hat_is_the_papers_in_the_limit_of_many_steps():
    g, far = np.array([0.01, -1.0]), 10**5  # 0.999^(10^5) is 4e-44: the correction is 1 exactly
    state = State(far, {"m": {"": 0.5 * g}, "v": {"": 2 * g * g}})
    rule = AdamW(eps=0.01)
    np.testing.assert_array_equal(updates(rule, [g], state), updates(rule.replace(eps_place="hat"), [g], state))


@pytest.mark.parametrize("t", [1, 2, 5])
def test_the_corrected_mean_of_stationary_gradients_is_unbiased(t):
    # at beta2 = 0 and |g| = 1 the divisor is 1 and the update the corrected mean; 10^5 copies, 5 standard errors
    n, up = 10**5, 0.7
    gradients = np.where(np.random.default_rng(3).random(size=(t, n)) < up, 1.0, -1.0)
    rule = AdamW(lr=1.0, beta1=0.9, beta2=0.0, eps=0.0)
    corrected = updates(rule, gradients)[-1]
    raw = updates(rule.replace(bias_correction="none"), gradients)[-1]
    mean, error = 2 * up - 1, 5 / np.sqrt(n)
    assert abs(corrected.mean() - mean) < error
    assert abs(raw.mean() - (1 - 0.9**t) * mean) < error
    assert abs(raw.mean() - mean) > error


@given(seeds, st.integers(2, 6))
def test_a_larger_beta2_averages_over_more_gradients(seed, steps):
    # the spread of the corrected weights is sum w^2 = (1 - b) (1 + b^t) / ((1 + b) (1 - b^t)), which falls with b
    gradients = np.zeros((steps, steps))
    np.fill_diagonal(gradients, 1.0)  # column i has its only gradient at step i, so v / bc2 shows the weight of g_i
    spreads = []
    for beta2 in (0.0, 0.5, 0.9, 0.999):
        v = final_state(AdamW(beta2=beta2), gradients).slots["v"][""]
        spreads.append(np.sum((v / (1 - beta2**steps)) ** 2))
        expected = (1 - beta2) * (1 + beta2**steps) / ((1 + beta2) * (1 - beta2**steps))
        np.testing.assert_allclose(spreads[-1], expected, rtol=1e-12)
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] >= 1 / steps


@given(seeds)
def test_both_amsgrads_do_nothing_while_the_corrected_second_moment_does_not_fall(seed):
    gradients = np.cumsum(np.random.default_rng(seed).uniform(0.1, 1.0, size=(6, 3)), axis=0)
    plain = updates(AdamW(), gradients)
    for amsgrad in ("max_raw", "max_corrected"):
        np.testing.assert_array_equal(updates(AdamW(amsgrad=amsgrad), gradients), plain)


def test_a_raw_second_moment_that_does_not_fall_is_not_enough_for_the_corrected_amsgrad():
    gradients = np.array([[1.0], [0.9]])
    v = [final_state(AdamW(), gradients[:t]).slots["v"][""] for t in (1, 2)]
    assert v[1] > v[0]
    plain = updates(AdamW(), gradients)[1]
    np.testing.assert_array_equal(updates(AdamW(amsgrad="max_raw"), gradients)[1], plain)
    assert updates(AdamW(amsgrad="max_corrected"), gradients)[1] < 0.99 * plain
