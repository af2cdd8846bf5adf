"""Adagrad: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adagrad import Adagrad
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.common.updates import updates
from tests.firstorder.hand import adagrad as hand
from tests.firstorder.hand import literals

HAND = [
    [1.4090909090909090909, -1.9047619047619047619, 0.15243902439024390244],
    [1.4501406667017919477, -1.9981535824863872625, 0.10869579322466531922],
]

seeds = st.integers(0, 2**32 - 1)
ULP = 2.0**-52


def test_two_steps_by_hand():
    assert_displacements(follow(Adagrad(lr=0.1, eps=0.05), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


@pytest.mark.parametrize("place", ["outside", "inside"])
def test_closed_sums_over_the_history(place):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    rates = 0.1 / (1 + 0.3 * np.arange(7.0))
    sums = 0.4 + np.array([np.sum(gradients[:t] ** 2, axis=0) for t in range(1, 8)])
    roots = np.sqrt(sums) + 0.05 if place == "outside" else np.sqrt(sums + 0.05)
    expected = [p0 - np.sum((rates[:, None] * gradients / roots)[:t], axis=0) for t in range(1, 8)]
    actual = follow(Adagrad(lr=0.1, eps=0.05, initial=0.4, lr_decay=0.3, eps_place=place), p0, gradients)
    assert_displacements(actual, expected, p0, rel=1e-14)


@given(seeds, st.sampled_from(["outside", "inside"]), st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 2.0]))
def test_effective_rates_never_increase(seed, place, lr_decay, initial):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(12, 4)) * 10.0 ** rng.integers(-6, 7, size=(12, 4))
    rule = Adagrad(lr=0.1, eps=1e-8, eps_place=place, lr_decay=lr_decay, initial=initial)
    rates = updates(rule, gradients) / gradients
    # s is exactly monotone; two quotients, the root, a sum and a product are rounded on the way to a rate
    assert np.all(rates[1:] <= rates[:-1] * (1 + 10 * ULP))


@given(st.floats(1e-3, 1e3), st.integers(1, 30))
def test_the_rate_for_a_constant_gradient_falls_like_one_over_the_root_of_time(g, steps):
    found = updates(Adagrad(lr=0.1, eps=0.0), np.full((steps, 1), g))
    # the sum of t equal squares is off by t / 2 ulp at most
    np.testing.assert_allclose(found[:, 0], 0.1 / np.sqrt(np.arange(1, steps + 1)), rtol=(steps + 8) * ULP)


@given(seeds, st.floats(1e-6, 1.0))
def test_eps_inside_the_root_is_an_initial_sum(seed, eps):
    gradients = np.random.default_rng(seed).normal(size=(6, 4))
    inside = updates(Adagrad(eps=eps, eps_place="inside"), gradients)
    initial = updates(Adagrad(eps=0.0, initial=eps), gradients)
    np.testing.assert_allclose(inside, initial, rtol=10 * ULP)


@given(seeds, st.floats(0.0, 3.0))
def test_lr_decay_is_a_schedule_of_the_rate(seed, decay):
    gradients = np.random.default_rng(seed).normal(size=(6, 4))
    scheduled = Adagrad(lr=lambda t: 0.1 / (1 + (t - 1) * decay))
    np.testing.assert_array_equal(updates(Adagrad(lr=0.1, lr_decay=decay), gradients), updates(scheduled, gradients))


def test_a_zero_gradient_at_eps_zero_is_nan_unless_guarded():
    gradients = np.array([[0.0, 1.0], [0.0, -2.0], [3.0, 0.0]])
    with np.errstate(invalid="ignore"):
        assert np.isnan(updates(Adagrad(eps=0.0), gradients)[0, 0])
    guarded = updates(Adagrad(lr=1.0, eps=0.0, zero_guard=True), gradients)
    np.testing.assert_array_equal(guarded[:, 0], [0.0, 0.0, 1.0])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_guard_holds_a_coordinate_whose_square_underflows(dtype):
    tiny = np.array([np.finfo(dtype).smallest_subnormal], dtype=dtype)
    assert tiny * tiny == 0
    assert updates(Adagrad(eps=1e-3), [tiny])[0] > 0
    assert updates(Adagrad(eps=1e-3, zero_guard=True), [tiny])[0] == 0


@given(seeds)
def test_the_guard_changes_nothing_once_a_gradient_was_seen(seed):
    gradients = np.random.default_rng(seed).normal(size=(5, 4))
    gradients[1:, ::2] = 0.0
    np.testing.assert_array_equal(updates(Adagrad(zero_guard=True), gradients), updates(Adagrad(), gradients))
