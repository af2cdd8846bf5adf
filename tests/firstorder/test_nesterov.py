"""Nesterov: steps by hand for every form, closed sums over the history, and its claims."""

import array_api_strict as xp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import LeafError
from arrayopt.firstorder.momentum import Momentum
from arrayopt.firstorder.nesterov import Nesterov
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import literals
from tests.firstorder.hand import nesterov as hand

EXAGGERATED = dict(lr=0.1, momentum=0.6)

HAND = {
    "reformulated": [
        [1.42, -1.84, -0.07],
        [1.442, -2.284, -0.302],
    ],
    "lookahead": [
        [1.45, -1.9, 0.05],
        [1.445, -2.14, -0.17],
    ],
    "damped": [
        [1.468, -1.936, 0.122],
        [1.4768, -2.1136, 0.0292],
    ],
    "once_applied": [
        [1.42, -1.84, -0.07],
        [1.442, -2.284, -0.302],
    ],
    "bias_corrected": [
        [1.43125, -1.8625, -0.025],
        [1.4453443877551020408, -2.1234693877551020408, -0.15484693877551020408],
    ],
}
HAND_ON_A_QUADRATIC = [
    [1.425, -1.6, 0.125],
    [1.311, -1.088, 0.025],
    [1.18047, -0.62464, -0.0175],
]
CURVATURES = np.array([0.5, 2.0, 5.0])


@pytest.mark.parametrize("lr_place", ["outside", "inside"])
@pytest.mark.parametrize("form", HAND)
def test_two_steps_by_hand(form, lr_place):
    rule = Nesterov(**EXAGGERATED, form=form, lr_place=lr_place)
    assert_displacements(follow(rule, P0, GRADIENTS), HAND[form], P0)


def test_three_steps_by_hand_with_gradients_where_the_original_wants_them():
    rule = Nesterov.preset("paper", **EXAGGERATED)
    path, _ = descend(rule, P0, lambda p: CURVATURES * p, steps=3)
    assert_displacements(path, HAND_ON_A_QUADRATIC, P0)


def test_the_script_prints_these_literals():
    numbers = {form: [[float(x) for x in row] for row in literals(hand.two_steps(form))] for form in hand.FORMS}
    assert numbers == HAND
    quadratic = [[float(x) for x in row] for row in literals(hand.three_steps_on_a_quadratic())]
    assert quadratic == HAND_ON_A_QUADRATIC


def descend(rule, p, gradient, steps):
    """Return the parameters after each step, and the points where the gradients were taken."""
    state, path, points = rule.init(p), [], []
    for _ in range(steps):
        points.append(rule.lookahead(p, state))
        p, state = rule.update(gradient(points[-1]), state, p)
        path.append(p)
    return path, points


def random_walk(steps=7):
    rng = np.random.default_rng(0)
    return rng.normal(size=(steps, 5)), rng.normal(size=5)


@pytest.mark.parametrize("lr_place", ["outside", "inside"])
def test_decay_inside_the_update_is_the_decoupled_one(lr_place):
    gradients, p0 = random_walk()
    rule = Nesterov(lr=lambda t: 0.1 / t, momentum=0.6, weight_decay=0.5, decay="decoupled", lr_place=lr_place)
    assert_displacements(follow(rule.replace(decay="in_update"), p0, gradients), follow(rule, p0, gradients), p0)


def closed_sums(form, gradients, p0, lr, mu, dampening=0.0):
    """The parameters from the history alone: the update of every step is a sum over g_1..g_t."""
    theta, path = p0, []
    for t in range(1, len(gradients) + 1):
        fading, g = mu ** np.arange(t - 1, -1, -1.0), gradients[t - 1]
        ball = (1 - dampening) * fading @ gradients[:t]
        mean = fading @ gradients[:t] / fading.sum() * (1 - mu**t)
        last = (1 - dampening) * fading[1:] @ gradients[: t - 1]
        u = {
            "reformulated": g + mu * ball,
            "lookahead": ball,
            "damped": (1 - mu) * g + mu * mean,
            "once_applied": (1 + mu) * ball - mu * last,
            "bias_corrected": mu * mean / (1 - mu ** (t + 1)) + (1 - mu) * g / (1 - mu**t),
        }
        theta = theta - lr * u[form]
        path.append(theta)
    return path


@pytest.mark.parametrize("dampening", [0.0, 0.3])
@pytest.mark.parametrize("form", HAND)
def test_closed_sums_over_the_history(form, dampening):
    gradients, p0 = random_walk()
    expected = closed_sums(form, gradients, p0, 0.1, 0.6, dampening)
    actual = follow(Nesterov(**EXAGGERATED, form=form, dampening=dampening), p0, gradients)
    assert_displacements(actual, expected, p0, rel=1e-14)


def nonlinear(p):
    return p**3 - 2 * p + np.roll(p, 1)  # of no convex function, and no gradient at all


@given(st.floats(0.0, 0.95), st.floats(1e-3, 0.1), st.sampled_from(["outside", "inside"]))
def test_reformulated_goes_through_the_points_where_lookahead_takes_its_gradients(mu, lr, place):
    p0 = np.array([0.5, -1.0, 0.25, 1.5])
    rule = Nesterov(lr=lr, momentum=mu, lr_place=place)
    path, _ = descend(rule, p0, nonlinear, steps=12)
    _, points = descend(rule.replace(form="lookahead"), p0, nonlinear, steps=13)
    np.testing.assert_array_equal(points[0], p0)
    assert_displacements(points[1:], path, p0, rel=1e-12)


@given(st.floats(0.0, 0.95), st.sampled_from(["outside", "inside"]), st.booleans())
def test_once_applied_is_reformulated_while_nothing_is_dampened(mu, place, changing):
    gradients, p0 = random_walk()
    rule = Nesterov(lr=(lambda t: 0.1 / t) if changing else 0.1, momentum=mu, lr_place=place)
    actual = follow(rule.replace(form="once_applied"), p0, gradients)
    assert_displacements(actual, follow(rule, p0, gradients), p0, rel=1e-14)


def test_once_applied_dampens_the_gradient_of_the_step_too():
    gradients, p0 = random_walk(1)
    rule = Nesterov(**EXAGGERATED, dampening=0.5)
    (once,) = follow(rule.replace(form="once_applied"), p0, gradients)
    (reformulated,) = follow(rule, p0, gradients)
    assert_displacements([once], [p0 - 0.1 * (1 + 0.6) * 0.5 * gradients[0]], p0)
    assert_displacements([reformulated], [p0 - 0.1 * (1 + 0.6 * 0.5) * gradients[0]], p0)


def test_given_gradients_lookahead_is_the_heavy_ball():
    gradients, p0 = random_walk()
    actual = follow(Nesterov(**EXAGGERATED, form="lookahead"), p0, gradients)
    np.testing.assert_array_equal(actual, follow(Momentum(**EXAGGERATED), p0, gradients))


@given(st.floats(0.0, 0.95))
def test_damped_is_reformulated_at_the_rate_times_one_minus_mu(mu):
    gradients, p0 = random_walk()
    damped = follow(Nesterov(lr=0.1, momentum=mu, form="damped"), p0, gradients)
    reformulated = follow(Nesterov(lr=0.1 * (1 - mu), momentum=mu), p0, gradients)
    assert_displacements(damped, reformulated, p0, rel=1e-13)


def test_bias_correction_fades_and_leaves_damped():
    gradients, p0 = random_walk(45)
    rule = Nesterov(lr=0.1, momentum=0.4)
    moves = [np.diff(follow(rule.replace(form=f), p0, gradients), axis=0) for f in ("bias_corrected", "damped")]
    error = np.abs(moves[0] - moves[1]).max(1)
    assert error[0] > 1e-3
    # 0.4^40 < 2^-52: the corrections are 1 in float64, and the two differ by the roundings of p only.
    assert np.all(error[40:] <= 2.0**-50 * np.abs(p0).max() + 2.0**-50)


@pytest.mark.parametrize("form", ["damped", "reformulated"])
def test_the_rate_is_the_same_inside_and_outside_while_it_does_not_change(form):
    gradients, p0 = random_walk()
    rule = Nesterov(**EXAGGERATED, form=form, weight_decay=0.3, decay="decoupled")
    inside = follow(rule.replace(lr_place="inside"), p0, gradients)
    assert_displacements(inside, follow(rule, p0, gradients), p0)


def steps_to_a_thousandth(rule, curvature):
    p = np.ones(len(curvature))
    state, steps = rule.init(p), 0
    while np.abs(p).max() > 1e-3:
        p, state = rule.update(curvature * rule.lookahead(p, state), state, p)
        steps += 1
    return steps


@pytest.mark.parametrize("form", ["lookahead", "reformulated"])
def test_on_an_ill_conditioned_quadratic_it_needs_about_the_root_of_the_steps_of_sgd(form):
    curvature = np.array([1.0, 0.1, 0.0025])  # condition 400
    mu = (20 - 1) / (20 + 1)
    fast = steps_to_a_thousandth(Nesterov(lr=1.0, momentum=mu, form=form), curvature)

    p, slow = 1.0, 0
    while p > 1e-3:  # SGD at the rate 1 on the flattest coordinate
        p, slow = p * (1 - 0.0025), slow + 1
    assert slow > 2700
    assert fast < slow / 10


def test_the_point_ahead_is_where_the_velocity_leads_without_any_decay():
    p0, g = {"w": np.array([1.0, 2.0])}, {"w": np.array([0.5, -1.0])}
    for place, held in (("outside", 0.6 * 0.2), ("inside", 0.6 * 0.1)):  # the rate to come, the rate held in v
        rule = Nesterov(lr=lambda t: 0.1 * t, momentum=0.6, form="lookahead", lr_place=place, weight_decay=0.5,
                        decay="decoupled")  # fmt: skip
        p, state = rule.update(g, rule.init(p0), p0)
        np.testing.assert_allclose(rule.lookahead(p, state)["w"], p["w"] - held * g["w"], rtol=1e-15)


@pytest.mark.parametrize("form", [form for form in HAND if form != "lookahead"])
def test_the_other_forms_take_the_gradient_where_the_parameters_are(form):
    p, rule = np.ones(2), Nesterov(form=form)
    assert rule.lookahead(p, rule.init(p)) is p


def test_looking_ahead_changes_nothing_that_it_is_given():
    p = np.array([1.0, -2.0])
    rule = Nesterov(**EXAGGERATED, form="lookahead")
    p, state = rule.update(p, rule.init(p), p)
    before = p.copy(), state.slots["v"][""].copy(), state.t
    p.flags.writeable = state.slots["v"][""].flags.writeable = False
    rule.lookahead(p, state)
    np.testing.assert_array_equal(p, before[0])
    np.testing.assert_array_equal(state.slots["v"][""], before[1])
    assert state.t == before[2]


def test_looking_ahead_keeps_library_device_and_dtype():
    device = xp.Device("device1")
    p = xp.asarray([1.0, -2.0], dtype=xp.float32, device=device)
    rule = Nesterov(**EXAGGERATED, form="lookahead")
    p, state = rule.update(p, rule.init(p), p)
    ahead = rule.lookahead(p, state)
    assert (ahead.dtype, ahead.device, ahead.shape) == (xp.float32, device, (2,))


def test_looking_ahead_from_another_tree_names_the_leaf():
    rule = Nesterov(form="lookahead")
    state = rule.init({"a": np.ones(2)})
    with pytest.raises(LeafError, match="leaf 'b'"):
        rule.lookahead({"b": np.ones(2)}, state)
