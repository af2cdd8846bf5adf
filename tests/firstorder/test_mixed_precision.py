"""MixedPrecision: the master copy, the scale and what overflows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import LeafError
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.clip import Clip
from arrayopt.firstorder.mixed_precision import MixedPrecision
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import follow

ADAM = Adam(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05, weight_decay=0.2)
HALF = np.float16


def test_a_static_scale_by_hand():
    rule = MixedPrecision(rule=SGD(lr=0.5), scale=4.0, dynamic=False)
    p = np.array([1.0, -2.0], HALF)
    params, state = rule.update(np.array([8.0, 2.0], HALF), rule.init(p), p)
    np.testing.assert_array_equal(params, np.array([0.0, -2.25], HALF))  # gradients 2 and 1/2
    assert rule.loss_scale(state) == 4
    np.testing.assert_array_equal(state.slots["mixed_precision.master"][""], np.array([0.0, -2.25], np.float32))


def test_the_dynamic_scale_by_hand():
    rule = MixedPrecision(rule=SGD(lr=0.5), scale=8.0, interval=2)
    params = np.zeros(1, HALF)
    state, scales = rule.init(params), []
    for overflow in [False, True, False, False, False, True, True, False, False]:
        scale = rule.loss_scale(state)
        g = np.array([np.inf if overflow else -scale], HALF)
        params, state = rule.update(g, state, params)
        scales.append(rule.loss_scale(state))
    # halved on overflow; doubled after two good steps in a row; an overflow starts the count anew
    assert scales == [8, 4, 4, 8, 8, 4, 2, 2, 4]
    assert rule.inner(state).t == 6
    assert params.tolist() == [3.0]


@given(st.integers(-6, 10), st.integers(0, 100))
def test_a_power_of_two_costs_no_rounding_while_nothing_over_or_underflows(k, seed):
    rng = np.random.default_rng(seed)
    gradients = (rng.integers(-64, 65, size=(4, 3)) / 32).astype(HALF)
    rule = MixedPrecision(rule=ADAM, scale=2.0**k, dynamic=False)
    p0 = rng.normal(size=3).astype(HALF)
    path = follow(rule, p0, gradients * HALF(2.0**k))
    wide = follow(ADAM, p0.astype(np.float32), gradients.astype(np.float32))
    np.testing.assert_array_equal(path, [x.astype(HALF) for x in wide])


def test_leaves_of_full_precision_are_unscaled_and_have_no_copy():
    params = {"half": np.ones(2, HALF), "single": np.ones(2, np.float32), "double": np.ones(2)}
    rule = MixedPrecision(rule=ADAM, scale=16.0)
    grads = {k: np.full_like(p, 8.0) for k, p in params.items()}
    after, state = rule.update(grads, rule.init(params), params)
    assert list(state.slots["mixed_precision.master"]) == ["half"]
    assert state.slots["m"]["half"].dtype == np.float32
    for k in ("single", "double"):
        expected, _ = ADAM.update(np.full_like(params[k], 0.5), ADAM.init(params[k]), params[k])
        np.testing.assert_array_equal(after[k], expected)
    np.testing.assert_array_equal(after["half"], after["single"].astype(HALF))


def test_without_half_precision_there_is_no_slot_for_a_copy():
    rule = MixedPrecision(rule=SGD(), scale=16.0)
    assert set(rule.init(np.ones(1)).slots) == {f"mixed_precision.{k}" for k in ("applied", "scale", "good")}


def test_an_overflow_in_one_leaf_skips_the_step_of_all():
    params = {"a": np.ones(2, HALF), "b": np.ones(2, np.float32)}
    rule = MixedPrecision(rule=ADAM)
    state = rule.init(params)
    after, new = rule.update({"a": np.array([1, np.inf], HALF), "b": np.ones(2, np.float32)}, state, params)
    assert all(np.array_equal(after[k], params[k]) for k in params)
    for slot in ("m", "v"):
        assert all(np.array_equal(new.slots[slot][k], state.slots[slot][k]) for k in params)
    assert rule.inner(new).t == 0
    assert rule.loss_scale(new) == 32768


def test_a_static_scale_skips_overflows_too_and_stays():
    rule, p = MixedPrecision(rule=ADAM, scale=16.0, dynamic=False), np.ones(1, HALF)
    after, state = rule.update(np.array([np.nan], HALF), rule.init(p), p)
    assert after.tolist() == [1.0]
    assert rule.loss_scale(state) == 16


@pytest.mark.parametrize("overflow", [False, True])
def test_the_scale_stays_in_the_normal_range_of_float32(overflow):
    rule = MixedPrecision(rule=SGD(), scale=2.0**-126 if overflow else 2.0**127, interval=1)
    p = np.ones(1, np.float32)
    _, state = rule.update(np.array([np.inf if overflow else 0.0], np.float32), rule.init(p), p)
    assert rule.loss_scale(state) == rule.scale


def test_without_a_master_copy_small_steps_are_absorbed():
    gradients = np.ones((16, 1), HALF)
    bare = follow(SGD(lr=2.0**-13), np.ones(1, HALF), gradients)
    mixed = follow(MixedPrecision(rule=SGD(lr=2.0**-13), scale=1.0, dynamic=False), np.ones(1, HALF), gradients)
    assert bare[-1][0] == 1
    assert mixed[-1][0] == 1 - 16 * 2.0**-13


def test_gradients_that_underflow_in_float16_are_saved_by_the_scale():
    true, p = 2.0**-26, np.zeros(1, HALF)  # under float16's smallest number, 2^-24
    for scale, moved in [(1.0, False), (1024.0, True)]:
        rule = MixedPrecision(rule=SGD(lr=2.0**20), scale=scale, dynamic=False)
        (after,) = follow(rule, p, [np.array([true * scale], HALF)])
        assert after[0] == (-(2.0**-6) if moved else 0)


def test_clipping_inside_sees_true_gradients():
    rule = MixedPrecision(rule=Clip(rule=SGD(lr=1.0), max_norm=1.0, form="exact"), scale=1024.0)
    p = np.zeros(2, HALF)
    after, _ = rule.update(np.array([0.5, 0.5], HALF) * HALF(1024), rule.init(p), p)
    np.testing.assert_array_equal(after, [-0.5, -0.5])


def test_an_epsilon_that_underflows_in_float16_is_allowed_inside():
    with pytest.raises(LeafError, match="MixedPrecision"):
        Adam().init(np.ones(1, HALF))
    MixedPrecision(rule=Adam()).init(np.ones(1, HALF))


def test_the_master_copy_is_the_truth():
    rule, p = MixedPrecision(rule=SGD(lr=0.5), scale=1.0), np.ones(1, HALF)
    after, _ = rule.update(np.ones(1, HALF), rule.init(p), np.full(1, 99.0, HALF))
    assert after.tolist() == [0.5]
