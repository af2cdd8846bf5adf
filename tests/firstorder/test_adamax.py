"""AdaMax: two steps by hand, closed forms over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adamax import AdaMax
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.common.updates import final_state, updates, weights
from tests.firstorder.hand import adamax as hand
from tests.firstorder.hand import literals

HAND = [[1.4, -1.9, 0.15], [1.3921875, -1.95, 0.0640625]]

seeds = st.integers(0, 2**32 - 1)
ULP = 2.0**-52


def test_two_steps_by_hand():
    assert_displacements(follow(AdaMax(lr=0.1, beta1=0.6, beta2=0.8), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


@pytest.mark.parametrize("place", ["none", "in_max", "outside"])
@pytest.mark.parametrize("correction", ["first", "none"])
def test_closed_forms_over_the_history(place, correction):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    theta, expected = p0, []
    for t in range(1, 8):
        w = weights(0.6, t)
        mean = w @ gradients[:t] / (w.sum() if correction == "first" else 1.0)
        magnitudes = np.abs(gradients[:t]) + (0.05 if place == "in_max" else 0.0)
        largest = np.max(magnitudes * 0.8 ** np.arange(t - 1, -1, -1.0)[:, None], axis=0)
        theta = theta - 0.1 * mean / (largest + (0.05 if place == "outside" else 0.0))
        expected.append(theta)
    rule = AdaMax(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05, eps_place=place, bias_correction=correction)
    assert_displacements(follow(rule, p0, gradients), expected, p0, rel=1e-13)


@given(seeds)
def test_the_first_step_is_the_sign(seed):
    gradients = np.random.default_rng(seed).normal(size=(1, 4)) * 10.0 ** np.array([-9, -3, 3, 9])
    np.testing.assert_allclose(updates(AdaMax(lr=0.5), gradients), 0.5 * np.sign(gradients), rtol=8 * ULP)


def bound(beta1, beta2, t):
    """The largest |update| / lr at step t: |g_i| is at most u_t / beta2^(t-i)."""
    q = beta1 / beta2
    return (1 - beta1) * (1 - q**t) / ((1 - beta1**t) * (1 - q))


@given(seeds, st.floats(0.0, 0.9), st.floats(0.91, 0.999))
def test_a_step_is_bounded(seed, beta1, beta2):
    rng = np.random.default_rng(seed)
    gradients = rng.choice([-1.0, 1.0], size=(10, 4)) * beta2 ** (np.arange(10.0)[:, None] * rng.uniform(0, 2))
    found = np.abs(updates(AdaMax(lr=1.0, beta1=beta1, beta2=beta2), gradients))
    for t in range(1, 11):
        assert np.all(found[t - 1] <= bound(beta1, beta2, t) * (1 + 64 * ULP))


def test_the_bound_is_attained_and_exceeds_the_papers():
    # arXiv 1412.6980, section 7.1, has |update| <= lr; gradients that fall by beta2 a step refute it
    gradients = 0.95 ** np.arange(20.0)[:, None]
    found = updates(AdaMax(lr=1.0, beta1=0.9, beta2=0.95), gradients)[:, 0]
    np.testing.assert_allclose(found, [bound(0.9, 0.95, t) for t in range(1, 21)], rtol=1e-13)
    assert found[0] <= 1
    assert np.all(found[1:] > 1)
    assert found[-1] > 1.4


@given(seeds, st.integers(1, 8))
def test_u_is_the_limit_of_the_norms_of_growing_power(seed, steps):
    gradients = np.random.default_rng(seed).uniform(0.1, 1.0, size=(steps, 1))
    u = final_state(AdaMax(beta2=0.8), gradients).slots["u"][""][0]
    decayed = gradients[:, 0] * 0.8 ** np.arange(steps - 1, -1, -1.0)
    p = 2000.0
    norm = np.max(decayed) * np.sum((decayed / np.max(decayed)) ** p) ** (1 / p)
    # between the maximum and steps^(1/p) times it
    assert u * (1 - 8 * steps * ULP) <= norm <= u * steps ** (1 / p) * (1 + 8 * steps * ULP)


@given(seeds, st.floats(1e-3, 1.0))
def test_eps_in_the_maximum_never_shortens_a_step_more_than_eps_outside(seed, eps):
    gradients = np.random.default_rng(seed).normal(size=(8, 4))
    rule = AdaMax(lr=1.0, beta2=0.8, eps=eps)
    none, in_max, outside = (
        np.abs(updates(rule.replace(eps_place=place), gradients)) for place in ("none", "in_max", "outside")
    )
    assert np.all(outside <= in_max * (1 + 32 * ULP))
    assert np.all(in_max <= none * (1 + 32 * ULP))


def test_the_places_of_eps_agree_while_gradients_do_not_shrink():
    gradients = np.cumsum(np.random.default_rng(0).uniform(size=(6, 4)), axis=0)
    rule = AdaMax(eps=0.5)
    np.testing.assert_array_equal(
        updates(rule.replace(eps_place="in_max"), gradients), updates(rule.replace(eps_place="outside"), gradients)
    )


def test_gradients_that_were_always_zero_are_nan_without_an_eps():
    zero = np.zeros((1, 1))
    with np.errstate(invalid="ignore"):
        assert np.isnan(updates(AdaMax(), zero)[0, 0])
    for place in ("in_max", "outside"):
        assert updates(AdaMax(eps_place=place), zero)[0, 0] == 0


@given(seeds)
def test_eps_is_not_read_without_a_place(seed):
    gradients = np.random.default_rng(seed).normal(size=(4, 3))
    np.testing.assert_array_equal(updates(AdaMax(eps=0.7), gradients), updates(AdaMax(eps=0.0), gradients))
