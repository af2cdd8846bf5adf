"""LAMB: two steps by hand, closed sums over the history, and its claims (arXiv 1904.00962, archive 7094)."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import OptionError
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.lamb import LAMB
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import lamb as hand
from tests.firstorder.hand import literals

EXAGGERATED = dict(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05, weight_decay=0.25)
EPS = np.finfo(float).eps
norm = np.linalg.norm

HAND = [
    [1.3532917323650908391, -1.8340644794217883743, 0.13139524791138522296],
    [1.2602671436119446334, -1.8727652694225405708, -0.073478450078393078198],
]


def test_two_steps_by_hand():
    assert_displacements(follow(LAMB(**EXAGGERATED), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


def test_closed_sums_over_the_history():
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    theta, path = p0, []
    for t in range(1, 8):
        w1, w2 = (beta ** np.arange(t - 1, -1, -1.0) for beta in (0.6, 0.8))
        m_hat, v_hat = w1 @ gradients[:t] / w1.sum(), w2 @ gradients[:t] ** 2 / w2.sum()
        u = m_hat / (np.sqrt(v_hat) + 0.05) + 0.25 * theta
        theta = theta - 0.1 * norm(theta) * u / norm(u)
        path.append(theta)
    assert_displacements(follow(LAMB(**EXAGGERATED), p0, gradients), path, p0)


# Claims ------------------------------------------------------------------------------------------


@given(st.floats(1e-3, 0.5), st.floats(0, 1), st.integers(0, 10**6), st.integers(1, 30))
def test_the_norm_of_a_step_is_the_rate_times_the_norm_of_the_parameter(lr, weight_decay, seed, n):
    rng = np.random.default_rng(seed)
    rule, p0 = LAMB(lr=lr, weight_decay=weight_decay), rng.normal(size=n)
    path = [p0, *follow(rule, p0, rng.normal(size=(3, n)))]
    for before, after in itertools.pairwise(path):
        # theta - step is rounded by half a spacing of theta, which is EPS / lr of the step
        assert norm(after - before) == pytest.approx(lr * norm(before), rel=EPS * (2 / lr + 2 * n + 8))


def test_a_step_is_that_of_adam_rescaled():
    g = [np.random.default_rng(1).normal(size=5)]
    p0 = np.random.default_rng(2).normal(size=5)
    (lamb,), (adam,) = follow(LAMB(lr=0.5), p0, g), follow(Adam(lr=0.5, eps=1e-6), p0, g)
    np.testing.assert_allclose((lamb - p0) / norm(lamb - p0), (adam - p0) / norm(adam - p0), rtol=1e-14)


@given(st.integers(-60, 60))
def test_scaling_all_gradients_changes_nothing_at_eps_zero(k):
    rng = np.random.default_rng(3)
    gradients, p0 = rng.normal(size=(5, 4)), rng.normal(size=4)
    rule = LAMB(eps=0.0, weight_decay=0.25)
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule, p0, gradients * 2.0**k))


def test_where_the_update_is_zero_nothing_moves():
    np.testing.assert_array_equal(follow(LAMB(lr=0.5), P0, [0 * P0]), [P0])


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_leaves_without_axes_or_entries(shape):
    p0 = np.full(shape, 2.0)
    (after,) = follow(LAMB(lr=0.25), p0, [p0])
    np.testing.assert_allclose(after, np.full(shape, 1.5), rtol=2 * EPS)


def test_a_large_float16_leaf_does_not_overflow():
    p0 = np.full(100_000, 2.0, dtype="float16")  # the sum of squares is 4e5
    (after,) = follow(LAMB(lr=0.25), p0, [p0])
    np.testing.assert_array_equal(after, np.full(100_000, 1.5, dtype="float16"))


# Dialects ----------------------------------------------------------------------------------------


def test_the_trust_ratio_cancels_bias_correction_without_decay_and_eps():
    hyper = dict(lr=0.1, beta1=0.6, beta2=0.8, eps=0.0)
    both, none = (follow(LAMB(bias_correction=b, **hyper), P0, GRADIENTS) for b in ("both", "none"))
    assert_displacements(both, none, P0)


def test_first_divides_the_rate_beyond_the_reach_of_the_ratio():
    path = [P0, *follow(LAMB(bias_correction="first", **EXAGGERATED), P0, GRADIENTS)]
    for t in (1, 2):
        step = norm(path[t] - path[t - 1]) / norm(path[t - 1])
        assert step == pytest.approx(0.1 / (1 - 0.6**t), rel=1e-14)


def test_with_decay_is_adam_without_decay_and_lamb_with_it():
    rule = LAMB(adapt="with_decay", **EXAGGERATED)
    np.testing.assert_array_equal(follow(rule, P0, GRADIENTS), follow(LAMB(**EXAGGERATED), P0, GRADIENTS))
    adam = Adam(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05)
    np.testing.assert_array_equal(follow(rule.replace(weight_decay=0.0), P0, GRADIENTS), follow(adam, P0, GRADIENTS))


def test_a_decoupled_decay_comes_before_the_norm_is_taken():
    (after,) = follow(LAMB(decay="decoupled", **EXAGGERATED), P0, GRADIENTS[:1])
    decayed = P0 * (1 - 0.1 * 0.25)
    assert norm(after - decayed) == pytest.approx(0.1 * norm(decayed), rel=1e-14)
    (late,) = follow(LAMB(decay="decoupled", decay_point="after", **EXAGGERATED), P0, GRADIENTS[:1])
    (none,) = follow(LAMB(**{**EXAGGERATED, "weight_decay": 0.0}), P0, GRADIENTS[:1])
    np.testing.assert_allclose(late, none * (1 - 0.1 * 0.25), rtol=4 * EPS)


@pytest.mark.parametrize(("clamp", "size"), [(10.0, 2.5), (2.5, 2.5), (1.5, 1.5)])
def test_the_clamp_bounds_the_norm_of_the_parameter(clamp, size):
    p0 = np.array([1.5, -2.0])
    (after,) = follow(LAMB(lr=0.1, clamp=clamp), p0, [np.array([3.0, 1.0])])
    assert norm(after - p0) == pytest.approx(0.1 * size, rel=1e-14)


def test_the_largest_ratio_bounds_the_step_by_that_of_adam():
    adam = follow(Adam(lr=0.1, eps=1e-6), 9 * P0, GRADIENTS[:1])
    np.testing.assert_array_equal(follow(LAMB(lr=0.1, max_ratio=1.0), 9 * P0, GRADIENTS[:1]), adam)
    small = LAMB(lr=0.1), LAMB(lr=0.1, max_ratio=1.0)
    np.testing.assert_array_equal(*(follow(rule, 0.1 * P0, GRADIENTS[:1]) for rule in small))


def test_eps_in_the_ratio_shortens_the_step():
    rule = LAMB(lr=0.1, eps=0.5, eps_in_ratio=True)
    (after,) = follow(rule, P0, GRADIENTS[:1])
    u = GRADIENTS[0] / (np.abs(GRADIENTS[0]) + 0.5)
    assert norm(after - P0) == pytest.approx(0.1 * norm(P0) * norm(u) / (norm(u) + 0.5), rel=1e-14)


@pytest.mark.parametrize("name", ["clamp", "max_ratio"])
@pytest.mark.parametrize("bound", [0, -1.0, float("nan")])
def test_bounds_are_checked(name, bound):
    with pytest.raises(OptionError, match=f"{name} must be None or a number > 0"):
        LAMB(**{name: bound})
