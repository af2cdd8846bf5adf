"""Accumulate: hand numbers, the rule on mean gradients, and precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.accumulate import Accumulate
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.clip import Clip
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import assert_displacements, follow

ADAM = Adam(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05, weight_decay=0.2)


def test_six_calls_by_hand():
    path = follow(Accumulate(rule=SGD(lr=0.5), k=3), np.array([1.0]), np.array([[1.0], [2], [6], [3], [0], [-9]]))
    # means 3 and -2: 1 - .5 * 3 = -.5, then -.5 + .5 * 2 = .5
    np.testing.assert_allclose(np.ravel(path), [1, 1, -0.5, -0.5, -0.5, 0.5], rtol=1e-15)


@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 1000))
def test_every_kth_call_is_a_step_on_the_mean_and_the_others_are_rest(k, steps, seed):
    rng = np.random.default_rng(seed)
    gradients, p0 = rng.normal(size=(steps, k, 3)), rng.normal(size=3)
    path = follow(Accumulate(rule=ADAM, k=k), p0, gradients.reshape(-1, 3))
    means = follow(ADAM, p0, gradients.mean(axis=1))
    assert_displacements(path[k - 1 :: k], means, p0, rel=1e-13)
    for t, p in enumerate(path, 1):
        if t % k:
            np.testing.assert_array_equal(p, path[t - 2] if t > 1 else p0)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_equal_gradients_and_a_power_of_two_give_the_very_bits_of_the_rule(k):
    gradients = np.random.default_rng(0).normal(size=(3, 4))
    path = follow(Accumulate(rule=ADAM, k=k), np.ones(4), np.repeat(gradients, k, axis=0))
    np.testing.assert_array_equal(path[k - 1 :: k], follow(ADAM, np.ones(4), gradients))


def test_schedules_of_the_rule_count_its_own_steps():
    path = follow(Accumulate(rule=SGD(lr=lambda t: 10.0**t), k=2), np.zeros(1), [np.array([-1.0])] * 4)
    np.testing.assert_allclose(np.ravel(path), [0, 10, 10, 110])


def test_the_state_of_the_rule_rests_within_a_group():
    rule, p = Accumulate(rule=ADAM, k=3), np.ones(2)
    params, state = rule.update(p, rule.init(p), p)
    assert rule.inner(state).t == 0
    np.testing.assert_array_equal(rule.inner(state).slots["m"][""], [0, 0])
    np.testing.assert_allclose(state.slots["accumulate.mean"][""], [1 / 3, 1 / 3])
    for _ in range(2):
        params, state = rule.update(p, state, params)
    np.testing.assert_array_equal(state.slots["accumulate.mean"][""], [0, 0])


def test_groups_of_groups_are_one_large_group_when_both_are_means():
    gradients = np.random.default_rng(0).normal(size=(6, 3))
    nested = follow(Accumulate(rule=Accumulate(rule=ADAM, k=3), k=2), np.ones(3), gradients)
    assert_displacements(nested, follow(Accumulate(rule=ADAM, k=6), np.ones(3), gradients), np.ones(3))


def test_clipping_outside_clips_every_micro_batch_and_inside_their_mean():
    gradients = [np.array([3.0, 0.0]), np.array([0.0, 1.0])]
    outside = follow(Clip(rule=Accumulate(rule=SGD(lr=1.0), k=2), form="exact"), np.zeros(2), gradients)
    inside = follow(Accumulate(rule=Clip(rule=SGD(lr=1.0), form="exact"), k=2), np.zeros(2), gradients)
    np.testing.assert_allclose(outside[-1], [-0.5, -0.5], rtol=1e-15)
    np.testing.assert_allclose(inside[-1], -np.array([1.5, 0.5]) / np.hypot(1.5, 0.5), rtol=1e-15)


def test_the_mean_of_large_float16_gradients_does_not_overflow_and_small_ones_are_not_lost():
    large, small = np.full(1, 60000.0, np.float16), np.full(1, 0.25, np.float16)
    seen = follow(Accumulate(rule=SGD(lr=1.0), k=4), np.zeros(1, np.float16), [large] * 4)[-1]
    assert seen == -60000
    # 600 and seven quarters: in float16 600.25 rounds to 600, so that none of the quarters would count
    seen = follow(
        Accumulate(rule=SGD(lr=8.0), k=8), np.zeros(1, np.float16), [600 * np.ones(1, np.float16), *[small] * 7]
    )[-1]
    assert seen == -np.float16(601.75)
