"""AdaBelief: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adabelief import AdaBelief
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.common.updates import final_state, updates, weights
from tests.firstorder.hand import adabelief as hand
from tests.firstorder.hand import literals

EXAGGERATED = dict(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05)
HAND = [
    [1.4210229348911807338, -1.8796666720015365532, 0.10185185185185185185],
    [1.4160220650924746324, -1.967909831289524829, -0.035974988064734938479],
]

seeds = st.integers(0, 2**32 - 1)
ULP = 2.0**-52


def test_two_steps_by_hand():
    assert_displacements(follow(AdaBelief(**EXAGGERATED), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


@pytest.mark.parametrize("eps_in_v", [True, False])
def test_closed_sums_over_the_history(eps_in_v):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    m = np.array([weights(0.6, t) @ gradients[:t] for t in range(1, 8)])
    theta, expected = p0, []
    for t in range(1, 8):
        w = weights(0.8, t)
        added = (0.02 + (0.05 if eps_in_v else 0.0)) * w.sum() / 0.2  # the sum of 0.8^(t - i)
        v = w @ (gradients[:t] - m[:t]) ** 2 + added
        theta = theta - 0.1 * m[t - 1] / (1 - 0.6**t) / (np.sqrt(v / w.sum()) + 0.05)
        expected.append(theta)
    rule = AdaBelief(**EXAGGERATED, eps_root=0.02, eps_in_v=eps_in_v)
    assert_displacements(follow(rule, p0, gradients), expected, p0, rel=1e-13)


@given(seeds, st.floats(0.1, 0.99), st.sampled_from([0.0, 0.5, 0.999]))
def test_the_first_step_is_the_sign_over_beta1_as_eps_goes_to_zero(seed, beta1, beta2):
    gradients = np.random.default_rng(seed).normal(size=(1, 4)) * 10.0 ** np.array([-9, -3, 3, 9])
    found = updates(AdaBelief(lr=0.5, beta1=beta1, beta2=beta2, eps=0.0), gradients)
    # g - m cancels to beta1 g, and 1 - beta2 has as many digits less as beta2 has nines
    np.testing.assert_allclose(found, 0.5 * np.sign(gradients) / beta1, rtol=1e-12)


@given(seeds, st.floats(0.0, 0.999))
def test_eps_in_the_recursion_is_a_constant_under_the_corrected_root(seed, beta2):
    gradients = np.random.default_rng(seed).normal(size=(8, 4))
    rule = AdaBelief(lr=1.0, beta1=0.6, beta2=beta2, eps_in_v=False)
    recursion = rule.replace(eps=0.0, eps_root=0.05)
    under = rule.replace(eps=0.05 / (1 - beta2), eps_place="root_corrected")
    np.testing.assert_allclose(updates(recursion, gradients), updates(under, gradients), rtol=1e-11, atol=1e-14)


@given(seeds)
def test_eps_in_v_is_an_eps_root_of_its_own(seed):
    gradients = np.random.default_rng(seed).normal(size=(5, 4))
    np.testing.assert_array_equal(
        updates(AdaBelief(**EXAGGERATED), gradients),
        updates(AdaBelief(**EXAGGERATED, eps_root=0.05, eps_in_v=False), gradients),
    )


@given(st.floats(0.1, 0.95), st.floats(0.0, 0.99), st.integers(1, 12))
def test_the_variance_of_a_constant_gradient_decays(beta1, beta2, steps):
    gradients = np.full((steps, 1), 3.0)
    v = final_state(AdaBelief(beta1=beta1, beta2=beta2, eps=0.0), gradients).slots["v"][""]
    expected = weights(beta2, steps) @ (3.0 * beta1 ** np.arange(1, steps + 1)) ** 2
    # g - m is left with ulp(g) beside g beta1^t
    np.testing.assert_allclose(v, [expected], rtol=1e-12, atol=9 * 12 * ULP)


def test_around_a_point_of_a_quadratic_it_estimates_the_squared_rows_of_the_hessian():
    # parameters scattered by s about a point: the gradients have covariance s^2 H^2 whatever their mean, and the
    # surprise, beta1 (g - m_before), has variance beta1^2 (1 + (1 - beta1) / (1 + beta1)) = 2 beta1^2 / (1 + beta1)
    rng = np.random.default_rng(4)
    copies, steps, s, beta1 = 20_000, 60, 0.3, 0.6
    hessian = np.array([[2.0, -1.0, 0.5], [-1.0, 1.0, 0.0], [0.5, 0.0, -3.0]])
    mean = np.array([[1.0], [-2.0], [0.5]])
    rule = AdaBelief(beta1=beta1, beta2=0.8, eps=0.0)
    state = rule.init(np.zeros((3, copies)))
    for _ in range(steps):
        g = mean + s * hessian @ rng.normal(size=(3, copies))
        _, state = rule.update(g, state, np.zeros((3, copies)))
    estimate = state.slots["v"][""].mean(axis=1) / (1 - 0.8**steps)
    rows = s**2 * np.sum(hessian**2, axis=1)
    # the mean of squares of normals over the copies has relative error sqrt(2 / copies) at most; five of them
    np.testing.assert_allclose(estimate, 2 * beta1**2 / (1 + beta1) * rows, rtol=5 * np.sqrt(2 / copies))
    assert np.all(rows[:2] > 1.2 * s**2 * np.diag(hessian)[:2] ** 2)  # not the diagonal
