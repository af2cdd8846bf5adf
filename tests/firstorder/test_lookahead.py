"""Lookahead: hand numbers, and its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.lookahead import Lookahead
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import assert_displacements, follow

ADAM = Adam(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05, weight_decay=0.2)


def test_five_steps_by_hand():
    path = follow(
        Lookahead(rule=SGD(lr=1.0), k=2, alpha=0.25), np.array([1.0]), np.array([[1.0], [3], [-1], [-2], [4]])
    )
    # 1 -> 0 -> -3, slow 1 + (-3 - 1) / 4 = 0; 0 -> 1 -> 3, slow 3/4; 3/4 - 4
    np.testing.assert_array_equal(np.ravel(path), [0, 0, 1, 0.75, -3.25])


def two_loops(rule, p0, gradients, k, alpha):
    """Algorithm 1 of the paper, an outer and an inner loop."""
    slow, state, path = p0, rule.init(p0), []
    for start in range(0, len(gradients), k):
        fast = slow
        for g in gradients[start : start + k]:
            fast, state = rule.update(g, state, fast)
            path.append(fast)
        if len(gradients) - start >= k:
            slow = path[-1] = slow + alpha * (fast - slow)
    return path


@given(st.integers(1, 5), st.floats(0, 1.5), st.integers(0, 1000))
def test_it_is_the_two_loops_of_the_paper(k, alpha, seed):
    rng = np.random.default_rng(seed)
    gradients, p0 = rng.normal(size=(8, 3)), rng.normal(size=3)
    path = follow(Lookahead(rule=ADAM, k=k, alpha=alpha), p0, gradients)
    assert_displacements(path, two_loops(ADAM, p0, gradients, k, alpha), p0)


@given(st.integers(1, 5), st.integers(0, 1000))
def test_alpha_one_changes_nothing_to_rounding(k, seed):
    rng = np.random.default_rng(seed)
    gradients, p0 = rng.normal(size=(6, 3)), rng.normal(size=3)
    assert_displacements(
        follow(Lookahead(rule=ADAM, k=k, alpha=1.0), p0, gradients), follow(ADAM, p0, gradients), p0, rel=1e-14
    )


@given(st.integers(1, 4))
def test_alpha_zero_returns_to_the_start_at_every_synchronisation(k):
    path = follow(Lookahead(rule=ADAM, k=k, alpha=0.0), np.ones(2), np.ones((3 * k, 2)))
    np.testing.assert_array_equal(path[k - 1 :: k], np.ones((3, 2)))


def test_the_state_of_the_rule_is_kept_or_starts_anew():
    gradients = np.random.default_rng(0).normal(size=(4, 3))
    keep = follow(Lookahead(rule=ADAM, k=2), np.ones(3), gradients)
    reset = follow(Lookahead(rule=ADAM, k=2, at_sync="reset"), np.ones(3), gradients)
    np.testing.assert_array_equal(keep[:2], reset[:2])
    np.testing.assert_array_equal(reset[2:3], follow(ADAM, reset[1], gradients[2:3]))
    assert np.abs(keep[2] - reset[2]).max() > 0.01
    rule = Lookahead(rule=ADAM, k=2, at_sync="reset")
    state = rule.init(np.ones(3))
    for expected in (1, 0, 1, 0):
        _, state = rule.update(np.ones(3), state, np.ones(3))
        assert rule.inner(state).t == expected


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_slow_parameters_of_half_precision_move_by_less_than_half_a_spacing(alpha):
    # each pair of steps goes 2^-9 down from 1; an eighth of alpha of it is under float16's spacing there, 2^-11
    rule, p = Lookahead(rule=SGD(lr=2.0**-10), k=2, alpha=alpha / 8), np.ones(1, np.float16)
    params, state = p, rule.init(p)
    for _ in range(32):
        params, state = rule.update(np.ones(1, np.float16), state, params)
    assert params[0] < 1
    assert state.slots["lookahead.slow"][""][0] == pytest.approx(1 - 16 * alpha / 8 * 2.0**-9, rel=0.02)
