"""Amos: two steps by hand, closed forms over the history, and its claims (arXiv 2210.11693, archive 9344)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.amos import Amos, by_shape
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import amos as hand
from tests.firstorder.hand import literals

ZETA = dict(c_coef=0.6, d_coef=0.6)
EXAGGERATED = dict(lr=0.5, eta=0.75, eta_by="number", beta=0.8, **ZETA)
EPS = np.finfo(float).eps

HAND = [
    [0.9375, -1.375, -0.15625],
    [1.1186050966361264464, -1.5691547745290161366, -0.37380256956048530087],
]
HAND_REDUCED = [
    [1.1707633226215397898, -1.4665266452430795796, -0.34819670951384084082],
    [1.0617487799294940619, -1.8977881381583261082, -0.51139351811655158355],
]


def test_two_steps_by_hand():
    assert_displacements(follow(Amos(**EXAGGERATED), P0, GRADIENTS), HAND, P0)
    assert_displacements(follow(Amos(reduce="all", **EXAGGERATED), P0, GRADIENTS), HAND_REDUCED, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps(False))] == HAND
    assert [[float(x) for x in row] for row in literals(hand.two_steps(True))] == HAND_REDUCED


def test_closed_forms_over_the_history():
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 4, 3)), rng.normal(size=(4, 3))
    xi, eta, beta, zeta = 0.5, 0.75, 0.8, 0.6
    theta, path, gammas = p0, [], np.zeros((0, 1, 3))
    for t in range(1, 8):
        squares = np.mean(gradients[:t] ** 2, axis=1, keepdims=True)
        weights = beta ** np.arange(t - 1, -1, -1.0)
        v_hat = np.tensordot(weights / weights.sum(), squares, axes=1)
        b = np.prod(1 + gammas, axis=0) - 1  # no recursion: 1 + b multiplies by 1 + gamma
        gamma = xi**2 * squares[-1] / v_hat * (1 + zeta * xi**0.5 * b) ** -0.5
        pull = xi * eta * gradients[t - 1] / v_hat**0.5 + gamma / 2 * theta
        theta = theta - pull / (1 + zeta * (xi * eta) ** 0.5 * b)
        gammas = np.concatenate([gammas, gamma[None]])
        path.append(theta)
    assert_displacements(follow(Amos(reduce="first", **EXAGGERATED), p0, gradients), path, p0)


# Claims ------------------------------------------------------------------------------------------


@given(st.integers(-30, 30), st.sampled_from(["none", "all", "first", "last"]))
def test_scaling_all_gradients_changes_nothing(k, reduce):
    rng = np.random.default_rng(1)
    gradients, p0 = rng.normal(size=(5, 4, 3)), rng.normal(size=(4, 3))
    rule = Amos(reduce=reduce, momentum=0.5, **EXAGGERATED)
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule, p0, gradients * 2.0**k))


@given(st.floats(1e-3, 1), st.floats(1e-3, 10), st.integers(0, 10**6))
def test_the_first_step_from_zero_has_the_size_of_rate_times_scale(lr, eta, seed):
    g = np.random.default_rng(seed).normal(size=(3, 4))
    (after,) = follow(Amos(lr=lr, eta=eta, eta_by="number", reduce="all"), np.zeros((3, 4)), [g])
    assert np.sqrt(np.mean(after**2)) == pytest.approx(lr * eta, rel=20 * EPS / 1e-3)  # 1 - beta = 1e-3 is rounded
    (after,) = follow(Amos(lr=lr, eta=eta, eta_by="number"), np.zeros((3, 4)), [g])
    np.testing.assert_allclose(after, -lr * eta * np.sign(g), rtol=20 * EPS / 1e-3)


@given(st.integers(0, 10**6))
def test_b_only_grows_so_rate_and_decay_only_fall(seed):
    rng = np.random.default_rng(seed)
    rule, params = Amos(reduce="all", **EXAGGERATED), rng.normal(size=(3, 4))
    state, b = rule.init(params), [0.0]
    for g in rng.normal(size=(10, 3, 4)):
        params, state = rule.update(g, state, params)
        b.append(float(state.slots["b"][""][0, 0]))
    assert (np.diff(b) > 0).all()


@pytest.mark.parametrize("eta", [0.5, 2.0])
def test_under_pure_noise_the_entries_settle_at_the_target_scale(eta):
    # theta <- (1 - xi^2/2) theta -+ xi eta has the variance eta^2 / (1 - xi^2/4) in equilibrium, whatever it
    # starts from. Without falling rates (zero coefficients), 300 steps forget the start by 0.955^300 = 1e-6.
    rng, xi, n = np.random.default_rng(2), 0.3, 20_000
    rule = Amos(lr=xi, eta=eta, eta_by="number", c_coef=0.0, d_coef=0.0)
    last = follow(rule, np.full(n, 5 * eta), rng.choice([-1.0, 1.0], size=(300, n)))[-1]
    # standard error of a standard deviation: sigma / sqrt(2 n)
    expected = eta / (1 - xi**2 / 4) ** 0.5
    assert last.std() == pytest.approx(expected, abs=5 * expected / (2 * n) ** 0.5)


def test_the_target_scale_by_shape():
    assert [by_shape(s) for s in [(), (7,), (3, 8), (3, 4, 5)]] == [0.5, 0.5, 0.5, 0.5]
    assert by_shape((8, 2)) == 1.0
    p0, g = np.ones((3, 8)), np.random.default_rng(3).normal(size=(3, 8))
    np.testing.assert_array_equal(
        follow(Amos(lr=0.5, eta=3.0), p0, [g]), follow(Amos(lr=0.5, eta=1.5, eta_by="number"), p0, [g])
    )


@pytest.mark.parametrize(
    ("reduce", "shape"), [("none", (2, 3, 4)), ("all", (1, 1, 1)), ("first", (1, 3, 4)), ("last", (2, 3, 1))]
)
def test_reduced_axes_have_size_one_in_the_state(reduce, shape):
    state = Amos(reduce=reduce).init(np.zeros((2, 3, 4)))
    assert state.slots["v"][""].shape == state.slots["b"][""].shape == shape


@pytest.mark.parametrize("reduce", ["all", "first", "last"])
def test_where_squares_are_equal_reducing_changes_nothing(reduce):
    rng = np.random.default_rng(4)
    gradients, p0 = rng.choice([-2.0, 2.0], size=(5, 4, 3)), rng.normal(size=(4, 3))
    a, b = (follow(Amos(reduce=r, **EXAGGERATED), p0, gradients) for r in (reduce, "none"))
    np.testing.assert_array_equal(a, b)


# Dialects ----------------------------------------------------------------------------------------


def test_extra_l2_shrinks_where_it_is_added_and_lets_grow_where_it_is_subtracted():
    hyper = dict(extra_l2=0.5, **EXAGGERATED)
    (added,) = follow(Amos(**hyper), P0, [0 * P0])
    (subtracted,) = follow(Amos(extra_l2_form="subtracted", **hyper), P0, [0 * P0])
    np.testing.assert_array_equal(added, P0 * 0.5)
    np.testing.assert_array_equal(subtracted, P0 * 1.25)


def test_momentum_is_a_running_mean_of_whole_updates():
    plain = follow(Amos(**EXAGGERATED), P0, GRADIENTS[:1])
    averaged = follow(Amos(momentum=0.75, **EXAGGERATED), P0, [GRADIENTS[0], 0 * P0])
    np.testing.assert_allclose(averaged[0] - P0, 0.25 * (plain[0] - P0), rtol=8 * EPS)
    np.testing.assert_allclose(averaged[1] - averaged[0], 0.75 * (averaged[0] - P0), rtol=16 * EPS)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("eps", "eps_place"), [(2.0**-125, "max"), (1e-18, "added")])
def test_a_zero_gradient_moves_nothing_in_any_precision(dtype, eps, eps_place):
    p0 = np.array([1.5, -2.0, 0.25], dtype=dtype)
    path = follow(Amos(beta=0.5, eps=eps, eps_place=eps_place), p0, [np.zeros_like(p0)] * 20)
    np.testing.assert_array_equal(path, [p0] * 20)


def test_the_place_of_eps_is_seen_only_where_v_is_about_as_small():
    a, b = (follow(Amos(eps=1e-18, eps_place=place, **EXAGGERATED), P0, GRADIENTS) for place in ("max", "added"))
    assert_displacements(a, b, P0)
    tiny = GRADIENTS * 1e-9
    a, b = (follow(Amos(eps=1e-18, eps_place=place, **EXAGGERATED), P0, tiny) for place in ("max", "added"))
    assert np.max(np.abs(a[0] - b[0])) > 1e-2


def test_a_decay_in_the_update_stands_beside_the_scaled_gradient():
    (after,) = follow(Amos(weight_decay=0.5, decay="in_update", **EXAGGERATED), P0, [0 * P0])
    np.testing.assert_array_equal(after, P0 * (1 - 0.5 * 0.5))
