"""NAdam: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.core.state import State
from arrayopt.firstorder.nadam import NAdam
from arrayopt.firstorder.nesterov import Nesterov
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.common.updates import updates, weights
from tests.firstorder.hand import literals
from tests.firstorder.hand import nadam as hand

EXAGGERATED = dict(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05)
HAND = [
    [1.3965476885697995636, -1.8916213880255043047, 0.13897800724563855602],
    [1.4390600904069679071, -2.0005678246186976528, 0.072477141563806897844],
]

seeds = st.integers(0, 2**32 - 1)
ULP = 2.0**-52


def test_two_steps_by_hand():
    assert_displacements(follow(NAdam(**EXAGGERATED, momentum_decay=0.5), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


@pytest.mark.parametrize("schedule", ["dozat", "constant", "simple"])
def test_closed_sums_over_the_history(schedule):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    mu = 0.6 * (1 - 0.5 * 0.96 ** (np.arange(1, 9) * 0.5)) if schedule == "dozat" else np.full(8, 0.6)
    theta, expected = p0, []
    for t in range(1, 8):
        g, w = gradients[:t], weights(0.8, t)
        m = weights(0.6, t) @ g
        ahead = 1 - np.prod(mu[: t if schedule == "simple" else t + 1])
        u = mu[t] * m / ahead + (1 - mu[t - 1]) * g[-1] / (1 - np.prod(mu[:t]))
        theta = theta - 0.1 * u / (np.sqrt(w @ g**2 / w.sum()) + 0.05)
        expected.append(theta)
    rule = NAdam(**EXAGGERATED, momentum_decay=0.5, schedule=schedule)
    assert_displacements(follow(rule, p0, gradients), expected, p0, rel=1e-13)


@given(seeds)
def test_constant_is_dozat_for_a_momentum_that_has_risen_at_once(seed):
    gradients = np.random.default_rng(seed).normal(size=(8, 4))
    dozat = updates(NAdam(**EXAGGERATED, momentum_decay=1e6), gradients)
    np.testing.assert_allclose(
        dozat, updates(NAdam(**EXAGGERATED, schedule="constant"), gradients), rtol=0, atol=64 * ULP
    )


def test_dozat_at_momentum_decay_zero_keeps_half_of_beta1_and_is_not_constant():
    gradients = np.random.default_rng(0).normal(size=(8, 4))
    dozat = updates(NAdam(**EXAGGERATED, momentum_decay=0.0), gradients)
    constant = updates(NAdam(**EXAGGERATED, schedule="constant"), gradients)
    assert np.max(np.abs(dozat - constant)) > 0.01


@given(seeds, st.floats(0.0, 0.99), st.floats(0.125, 8.0))
def test_for_gradients_of_one_magnitude_constant_is_bias_corrected_nesterov(seed, beta1, c):
    gradients = c * np.random.default_rng(seed).choice([-1.0, 1.0], size=(8, 4))
    adaptive = NAdam(lr=0.1, beta1=beta1, beta2=0.8, eps=0.0, schedule="constant")
    nesterov = Nesterov(lr=0.1 / c, momentum=beta1, form="bias_corrected")
    np.testing.assert_allclose(updates(adaptive, gradients), updates(nesterov, gradients), rtol=0, atol=1e-13)


@given(seeds, st.floats(0.0, 0.9), st.floats(0.125, 8.0))
def test_for_gradients_of_one_magnitude_simple_is_damped_nesterov_over_one_correction(seed, beta1, c):
    gradients = c * np.random.default_rng(seed).choice([-1.0, 1.0], size=(8, 4))
    adaptive = NAdam(lr=0.1, beta1=beta1, beta2=0.8, eps=0.0, schedule="simple")
    nesterov = Nesterov(lr=lambda t: 0.1 / c / (1 - beta1**t), momentum=beta1, form="damped")
    np.testing.assert_allclose(updates(adaptive, gradients), updates(nesterov, gradients), rtol=0, atol=1e-13)


@given(seeds, st.floats(0.0, 0.99))
def test_the_first_constant_step_is_longer_than_the_sign_by_beta1_over_one_plus_beta1(seed, beta1):
    gradients = np.random.default_rng(seed).normal(size=(1, 4))
    found = updates(NAdam(lr=1.0, beta1=beta1, eps=0.0, schedule="constant"), gradients)
    np.testing.assert_allclose(found, np.sign(gradients) * (1 + beta1 / (1 + beta1)), rtol=1e-12)


@given(seeds, st.integers(1, 40))
def test_a_step_depends_on_t_alone_not_on_the_steps_that_were_asked_for_before(seed, t):
    g = np.random.default_rng(seed).normal(size=4)
    state = State(t, {"m": {"": 0.5 * g}, "v": {"": 2 * g * g}})
    fresh, used = NAdam(**EXAGGERATED), NAdam(**EXAGGERATED)
    updates(used, np.ones((60, 4)))
    np.testing.assert_array_equal(updates(fresh, [g], state), updates(used, [g], state))


def test_the_product_takes_beta1_of_every_step():
    beta1 = [0.5, 0.25, 0.75, 0.5, 0.9]
    rule = NAdam(beta1=lambda t: beta1[t - 1], momentum_decay=0.5, lr=1.0, eps=0.0)
    gradients = np.array([[1.0], [-1.0], [1.0], [1.0]])
    mu = np.array(beta1) * (1 - 0.5 * 0.96 ** (np.arange(1, 6) * 0.5))
    m, expected = 0.0, []
    for t in range(1, 5):
        m = beta1[t - 1] * m + (1 - beta1[t - 1]) * gradients[t - 1]
        ahead, now = 1 - np.prod(mu[: t + 1]), 1 - np.prod(mu[:t])
        expected.append(mu[t] * m / ahead + (1 - mu[t - 1]) * gradients[t - 1] / now)
    np.testing.assert_allclose(updates(rule, gradients), expected, rtol=1e-12)


def test_the_product_costs_one_factor_a_step():
    asked = []

    def beta1(t):
        asked.append(t)
        return 0.9

    rule, p = NAdam(beta1=beta1), np.zeros(1)
    state = rule.init(p)
    counts = []
    for _ in range(50):
        before = len(asked)
        p, state = rule.update(np.ones(1), state, p)
        counts.append(len(asked) - before)
    assert counts[-1] == counts[1]


def test_the_product_vanishes_without_harm_after_very_many_steps():
    g = np.array([1.0, -2.0])
    state = State(10**5, {"m": {"": g.copy()}, "v": {"": g * g}})
    found = updates(NAdam(lr=1.0, eps=0.0, momentum_decay=1.0), [g], state)
    np.testing.assert_allclose(found, [[1.0, -1.0]], rtol=8 * ULP)


def test_the_product_is_kept_only_until_it_no_longer_shows():
    rule = NAdam(beta1=0.9)
    assert rule._product(10**9) == 0
    assert len(rule._products) < 1000
    assert rule._product(3) == rule._mu(1) * rule._mu(2) * rule._mu(3)


@given(seeds, st.sampled_from(["constant", "simple"]), st.floats(0.0, 10.0))
def test_only_dozat_reads_the_momentum_decay(seed, schedule, psi):
    gradients = np.random.default_rng(seed).normal(size=(4, 3))
    rule = NAdam(schedule=schedule)
    np.testing.assert_array_equal(updates(rule, gradients), updates(rule.replace(momentum_decay=psi), gradients))


@given(st.integers(-60, 60), st.sampled_from(["dozat", "constant", "simple"]))
def test_scaling_all_gradients_changes_nothing_at_eps_zero(k, schedule):
    gradients = np.random.default_rng(1).normal(size=(5, 4))
    rule = NAdam(eps=0.0, schedule=schedule)
    np.testing.assert_array_equal(updates(rule, gradients), updates(rule, gradients * 2.0**k))
