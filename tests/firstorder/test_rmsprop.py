"""RMSProp: two steps by hand, closed sums over the history, and its claims."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.rmsprop import RMSProp
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.common.updates import final_state, updates, weights
from tests.firstorder.hand import literals
from tests.firstorder.hand import rmsprop as hand

HAND = [
    [1.3172560023684431899, -1.7988791921519200307, 0.03823142545456655083],
    [1.40682039474233919, -2.0057757438760579618, -0.065233068753334106043],
]
HAND_GRAVES = [
    [1.3333333333333333333, -1.7817821097640076187, 0.0092282938284615984758],
    [1.3117653089756031531, -1.8734464285468532264, -0.26227584449133960135],
]

seeds = st.integers(0, 2**32 - 1)
ULP = 2.0**-52


def test_two_steps_by_hand():
    assert_displacements(follow(RMSProp(lr=0.1, rho=0.8, eps=0.05), P0, GRADIENTS), HAND, P0)


def test_two_centered_steps_with_momentum_by_hand():
    rule = RMSProp(lr=0.1, rho=0.8, eps=0.05, momentum=0.6, centered=True, eps_place="inside", lr_place="inside")
    assert_displacements(follow(rule, P0, GRADIENTS), HAND_GRAVES, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND
    assert [[float(x) for x in row] for row in literals(hand.two_steps_of_graves())] == HAND_GRAVES


def closed_sums(gradients, p0, rates, rho, eps, momentum, initial, place, centered, lr_place, corrected):
    """The parameters from the history alone: every running mean is one sum."""
    u, path = [], []
    for t in range(1, len(gradients) + 1):
        g, bc = gradients[:t], 1 - rho**t if corrected else 1.0
        s = (rho**t * initial + weights(rho, t) @ g**2) / bc
        if centered:
            s = s - (weights(rho, t) @ g / bc) ** 2
        u.append(g[-1] / (np.sqrt(s + eps) if place == "inside" else np.sqrt(s) + eps))
        step = 0.0
        for j in range(1, t + 1):
            inner = [momentum ** (j - i) * (rates[i - 1] if lr_place == "inside" else 1.0) for i in range(1, j + 1)]
            b = np.array(inner) @ np.array(u[:j])
            step = step + (b if lr_place == "inside" else rates[j - 1] * b)
        path.append(p0 - step)
    return path


@pytest.mark.parametrize(
    ("place", "centered", "lr_place", "corrected", "momentum"),
    list(itertools.product(["outside", "inside"], [False, True], ["outside", "inside"], [False, True], [0.0, 0.6])),
)
def test_closed_sums_over_the_history(place, centered, lr_place, corrected, momentum):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    rates = [0.1, 0.3, 0.02, 0.1, 0.0, 0.2, 0.1]
    numbers = dict(rho=0.8, eps=0.05, momentum=momentum, initial=0.5)
    rule = RMSProp(
        lr=lambda t: rates[t - 1],
        **numbers,
        eps_place=place,
        centered=centered,
        lr_place=lr_place,
        bias_correction=corrected,
    )
    expected = closed_sums(
        gradients, p0, rates, **numbers, place=place, centered=centered, lr_place=lr_place, corrected=corrected
    )
    assert_displacements(follow(rule, p0, gradients), expected, p0, rel=1e-13)


@given(st.floats(1.0, 1e6), st.integers(1, 20))
def test_v_forgets_a_burst_at_the_rate_rho(burst, steps):
    gradients = [np.array([burst]), *[np.array([0.0])] * steps]
    v = final_state(RMSProp(rho=0.5), gradients).slots["v"][""]
    np.testing.assert_array_equal(v, [0.5 * burst * burst * 0.5**steps])


def test_the_first_step_is_that_of_the_sign_over_the_root_of_one_minus_rho():
    gradients = np.array([[1e-3, -1.0, 1e3]])
    found = updates(RMSProp(lr=0.1, rho=0.99, eps=0.0), gradients)
    np.testing.assert_allclose(found, 0.1 * np.sign(gradients) / 0.1, rtol=1e-13)  # 1 - 0.99 has 2 digits less


@given(st.floats(1e-3, 1e3), st.integers(1, 30))
def test_bias_correction_makes_steps_of_a_constant_gradient_equal(g, steps):
    found = updates(RMSProp(lr=0.1, rho=0.9, eps=0.0, bias_correction=True), np.full((steps, 1), g))
    np.testing.assert_allclose(found, 0.1, rtol=1e-13)


@given(st.integers(-60, 60), st.sampled_from([(False, False), (False, True), (True, False)]))
def test_scaling_all_gradients_changes_nothing_at_eps_zero(k, dialect):
    centered, corrected = dialect
    gradients = np.random.default_rng(1).normal(size=(5, 4))
    rule = RMSProp(eps=0.0, momentum=0.5, centered=centered, bias_correction=corrected)
    np.testing.assert_array_equal(updates(rule, gradients), updates(rule, gradients * 2.0**k))


@given(seeds, st.booleans(), st.sampled_from(["l2", "decoupled", "in_update"]))
def test_the_rate_inside_the_momentum_is_the_rate_outside_at_a_constant_rate(seed, centered, decay):
    rng = np.random.default_rng(seed)
    gradients, p0 = rng.normal(size=(8, 4)), rng.normal(size=4)
    outside = RMSProp(lr=0.1, momentum=0.6, eps=0.05, centered=centered, weight_decay=0.2, decay=decay)
    inside = outside.replace(lr_place="inside")
    assert_displacements(follow(outside, p0, gradients), follow(inside, p0, gradients), p0, rel=1e-13)


def test_and_is_not_when_the_rate_changes():
    gradients = np.random.default_rng(0).normal(size=(3, 4))
    outside = RMSProp(lr=lambda t: 0.1 / t, momentum=0.6)
    inside = outside.replace(lr_place="inside")
    a, b = updates(outside, gradients), updates(inside, gradients)
    np.testing.assert_allclose(a[0], b[0], rtol=1e-15)
    assert np.max(np.abs(a[1] - b[1])) > 0.1 * np.max(np.abs(a[1]))


@given(seeds, st.floats(0.0, 0.99), st.integers(1, 20))
def test_the_centered_variance_is_not_negative_up_to_rounding(seed, rho, steps):
    gradients = np.random.default_rng(seed).normal(loc=1.0, size=(steps, 4))
    slots = final_state(RMSProp(rho=rho, eps=1.0, eps_place="inside", centered=True), gradients).slots
    v, mean = slots["v"][""], slots["mg"][""]
    assert np.all(v - mean * mean >= -8 * steps * ULP * v)


def test_rounding_can_make_the_centered_root_a_nan_once_gradients_repeat():
    gradients = np.tile(np.array([0.88, 0.22, 0.11, 0.97]), (400, 1))
    with np.errstate(invalid="ignore"):
        assert np.any(np.isnan(updates(RMSProp(rho=0.5, centered=True), gradients)))
    assert np.all(np.isfinite(updates(RMSProp(rho=0.5, centered=True, eps_place="inside"), gradients)))


@given(seeds)
def test_corrected_for_bias_the_first_centered_variance_is_zero(seed):
    g = np.random.default_rng(seed).normal(size=(1, 4))
    rule = RMSProp(lr=0.1, rho=0.8, eps=1.0, eps_place="inside", centered=True, bias_correction=True)
    # what rounding leaves of it is beside eps = 1, and halved by the root
    np.testing.assert_allclose(updates(rule, g), 0.1 * g, rtol=8 * ULP * max(1.0, np.max(g**2)))


def test_only_the_slots_that_are_needed():
    p = np.zeros(2)
    assert list(RMSProp().init(p).slots) == ["v"]
    assert list(RMSProp(centered=True).init(p).slots) == ["v", "mg"]
    assert list(RMSProp(momentum=0.5).init(p).slots) == ["v", "b"]
    assert list(RMSProp(momentum=lambda t: 0.0).init(p).slots) == ["v", "b"]


def test_centering_does_nothing_to_gradients_whose_running_mean_is_zero():
    # g_2 is such that rho (1 - rho) g_1 + (1 - rho) g_2 = 0
    gradients = np.array([[1.0, -4.0], [-0.5, 2.0]])
    rule = RMSProp(rho=0.5)
    np.testing.assert_array_equal(updates(rule, gradients)[1], updates(rule.replace(centered=True), gradients)[1])
