"""Adafactor: two steps by hand, closed sums over the history, and its claims (arXiv 1804.04235)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adafactor import MACHINE_EPS, Adafactor
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import adafactor as hand
from tests.firstorder.hand import literals

EXAGGERATED = dict(lr=0.8, beta2_power=0.6, eps1=0.05, clip_threshold=0.5)
EPS = np.finfo(float).eps

HAND_MATRIX = [
    [1.277195796039589293, -1.5197982038582633418, -0.24648442402036765138,
     -0.35625342016462358863, 0.76931851878981068551, -0.76149659736590941555],
    [1.326566802005028181, -1.9391117645816686621, -0.4667436237284244674,
     0.25275832093063256439, 0.76931851878981068551, -1.0162142374628753407],
]  # fmt: skip
HAND_VECTOR = [
    [0.94910825291067503973, -1.4110719500544072396, -0.34973497061298053275],
    [1.1922387499648273793, -1.8980481725518741731, -0.63349958139045904994],
]
MATRIX = np.array([P0, [0.5, 1.0, -1.0]])
MATRIX_GRADIENTS = np.array([[GRADIENTS[0], [1.0, 0.25, -0.5]], [GRADIENTS[1], [-2.0, 0.0, 0.75]]])


def random_matrices(seed, steps=5, shape=(4, 3)):
    rng = np.random.default_rng(seed)
    return rng.normal(scale=2, size=shape), rng.normal(size=(steps, *shape))


def rms(x):
    return np.sqrt(np.mean(x * x))


def test_two_steps_by_hand():
    expected = [np.reshape(row, (2, 3)) for row in HAND_MATRIX]
    assert_displacements(follow(Adafactor(**EXAGGERATED), MATRIX, MATRIX_GRADIENTS), expected, MATRIX)
    assert_displacements(follow(Adafactor(**EXAGGERATED), P0, GRADIENTS), HAND_VECTOR, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.matrix_steps())] == HAND_MATRIX
    assert [[float(x) for x in row] for row in literals(hand.vector_steps())] == HAND_VECTOR


@pytest.mark.parametrize("shape", [(4, 3), (5,)])
def test_closed_sums_over_the_history(shape):
    p0, gradients = random_matrices(0, 7, shape)
    squares, theta, path = gradients**2 + 0.05, p0, []
    for t in range(1, 8):
        beta2 = 1 - np.arange(1.0, t + 1) ** -0.6
        # the weight of g_s is 1 - beta2_s times all later beta2, which add up to one
        weights = np.array([(1 - beta2[s]) * np.prod(beta2[s + 1 :]) for s in range(t)])
        v = np.tensordot(weights, squares[:t], axes=1)
        if len(shape) == 2:
            v = v.sum(1, keepdims=True) * v.sum(0, keepdims=True) / v.sum()
        u = gradients[t - 1] / np.sqrt(v)
        theta = theta - min(0.8, t**-0.5) * rms(theta) * u / max(1, rms(u) / 0.5)
        path.append(theta)
    assert_displacements(follow(Adafactor(**EXAGGERATED), p0, gradients), path, p0)


# Claims ------------------------------------------------------------------------------------------


def test_the_state_of_a_matrix_is_one_row_and_one_column():
    state = Adafactor().init({"w": np.ones((50, 20)), "b": np.ones(20)})
    assert {s: {k: x.shape for k, x in leaves.items()} for s, leaves in state.slots.items()} == {
        "r": {"w": (50, 1)},
        "c": {"w": (1, 20)},
        "v": {"b": (20,)},
    }


@given(st.integers(0, 10**6))
def test_row_and_column_means_agree_on_the_mean_of_all(seed):
    p0, gradients = random_matrices(seed)
    rule, params = Adafactor(), p0
    state = rule.init(params)
    for g in gradients:
        params, state = rule.update(g, state, params)
    assert state.slots["r"][""].mean() == pytest.approx(state.slots["c"][""].mean(), rel=20 * EPS)


@given(st.integers(0, 10**6))
def test_factoring_is_exact_where_the_second_moment_has_rank_one(seed):
    rng = np.random.default_rng(seed)
    p0, outer = rng.normal(size=(4, 3)), np.outer(rng.uniform(0.1, 2, 4), rng.uniform(0.1, 2, 3))
    gradients = [s * outer * rng.choice([-1, 1], size=(4, 3)) for s in rng.uniform(0.1, 2, 5)]
    factored, whole = (follow(Adafactor(lr=0.1, eps1=0.0, factor_min=n), p0, gradients) for n in (0, 5))
    assert_displacements(factored, whole, p0)


@given(st.integers(-60, 60))
def test_scaling_all_gradients_changes_nothing_at_eps1_zero(k):
    p0, gradients = random_matrices(1)
    rule = Adafactor(eps1=0.0)
    # squares scale by a power of four, whose root is exact
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(rule, p0, gradients * 2.0**k))


@given(st.integers(-5, 60))
def test_scaling_a_parameter_scales_its_steps(k):
    p0, gradients = random_matrices(2)
    path = follow(Adafactor(lr=0.1), p0 * 2.0**k, gradients)
    np.testing.assert_array_equal(path, np.array(follow(Adafactor(lr=0.1), p0, gradients)) * 2.0**k)


@given(st.integers(0, 10**6))
def test_transposing_a_matrix_transposes_its_path(seed):
    p0, gradients = random_matrices(seed)
    there = follow(Adafactor(**EXAGGERATED), p0.T, gradients.transpose(0, 2, 1))
    assert_displacements([p.T for p in there], follow(Adafactor(**EXAGGERATED), p0, gradients), p0)


@given(st.integers(0, 10**6), st.floats(0.1, 1.0), st.floats(0.01, 3.0))
def test_the_relative_size_of_a_step_is_at_most_rate_times_threshold(seed, lr, threshold):
    p0, gradients = random_matrices(seed)
    path = [p0, *follow(Adafactor(lr=lr, clip_threshold=threshold), p0, gradients)]
    for t in range(1, 6):
        size = rms(path[t] - path[t - 1]) / rms(path[t - 1])
        assert size <= min(lr, t**-0.5) * threshold * (1 + 1e-12)


def test_a_leaf_of_zeros_moves_by_eps2():
    (after,) = follow(Adafactor(lr=0.5, eps2=0.25), np.zeros((2, 2)), [np.ones((2, 2))])
    np.testing.assert_array_equal(after, np.full((2, 2), -0.5 * 0.25))


def test_a_zero_row_and_a_zero_column_stay_finite_in_float32():
    p0, g = np.ones((2, 3), dtype="float32"), np.array([[0, 0, 0], [0, 1, 2]], dtype="float32")
    (after,) = follow(Adafactor(lr=0.5), p0, [g])
    np.testing.assert_array_equal(after == 1, g == 0)


def test_the_first_step_forgets_the_state_it_starts_from():
    p0, (g, *_) = random_matrices(3)
    rule = Adafactor()
    state = rule.init(p0)
    for x in (*state.slots["r"].values(), *state.slots["c"].values()):
        x += 7.0
    np.testing.assert_array_equal(rule.update(g, state, p0)[0], follow(rule, p0, [g])[0])


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0)])
def test_leaves_without_axes_or_entries(shape):
    p0 = np.full(shape, 2.0)
    (after,) = follow(Adafactor(lr=0.25), p0, [p0])
    np.testing.assert_array_equal(after, np.full(shape, 1.5))


# Dialects ----------------------------------------------------------------------------------------


def test_a_constant_rate_under_the_bound_of_the_relative_step_is_the_same():
    p0, gradients = random_matrices(4)
    a, b = (follow(Adafactor(lr=0.25, relative_step=r), p0, gradients) for r in (False, True))
    np.testing.assert_array_equal(a, b)
    a, b = (follow(Adafactor(lr=1.0, relative_step=r), p0, gradients) for r in (False, True))
    np.testing.assert_array_equal(a[0], b[0])
    np.testing.assert_allclose((a[1] - a[0]) / np.sqrt(2), b[1] - b[0], atol=8 * EPS * np.abs(a[:2]).max())


def test_machine_is_clamp_in_units_of_the_machine_epsilon():
    p0, gradients = random_matrices(5)
    machine = follow(Adafactor(eps1=1e12, eps1_place="machine"), p0, gradients)
    clamp = follow(Adafactor(eps1=1e12 * EPS, eps1_place="clamp"), p0, gradients)
    np.testing.assert_array_equal(machine, clamp)
    assert {np.dtype(d): 2.0 ** -np.finfo(d).nmant for d in ("float16", "float32", "float64")} == {
        np.dtype(d): e for d, e in MACHINE_EPS.items() if d != "bfloat16"
    }


def test_a_clamp_bounds_the_row_mean_and_the_root():
    p0, g = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1e-3, -1e-3], [1e-3, 1e-3]])
    rule = Adafactor(lr=0.5, eps1=0.01, eps1_place="clamp")
    (after,) = follow(rule, p0, [g])
    # the mean row mean 1e-6 becomes 0.01, so V is 1e-10, and its root 1e-5 becomes 0.01 again
    np.testing.assert_allclose(p0 - after, 0.5 * g / 0.01, rtol=1e-12)


def test_added_and_clamp_agree_where_gradients_are_large():
    p0, gradients = random_matrices(6)
    added, clamp = (follow(Adafactor(eps1_place=place), p0, gradients) for place in ("added", "clamp"))
    assert_displacements(added, clamp, p0)


def test_the_largest_axes_are_those_with_most_entries():
    rule = Adafactor(axes="largest")
    shapes = {s: x[""].shape for s, x in rule.init(np.ones((5, 2, 4))).slots.items()}
    assert shapes == {"r": (1, 2, 4), "c": (5, 2, 1)}
    p0, gradients = random_matrices(7, shape=(4, 5))
    np.testing.assert_array_equal(follow(rule, p0, gradients), follow(Adafactor(), p0, gradients))
    p0, gradients = random_matrices(7, shape=(5, 2, 4))
    moved = [x.transpose(0, 2, 1) for x in follow(rule, p0.transpose(0, 2, 1), gradients.transpose(0, 1, 3, 2))]
    assert_displacements(moved, follow(rule, p0, gradients), p0)


def test_small_matrices_are_not_factored():
    assert set(Adafactor(factor_min=4).init(np.ones((4, 3))).slots) == {"v"}
    assert set(Adafactor(factor_min=3).init(np.ones((4, 3))).slots) == {"r", "c"}


def test_momentum_of_scaled_and_unscaled_updates_agree_at_a_constant_rate():
    p0, gradients = random_matrices(8)
    fixed = dict(lr=0.1, relative_step=False, scale_parameter=False, beta1=0.5)
    a, b = (follow(Adafactor(momentum_of=m, **fixed), p0, gradients) for m in ("scaled", "unscaled"))
    assert_displacements(a, b, p0)
    relative = dict(lr=1.0, beta1=0.5)
    a, b = (follow(Adafactor(momentum_of=m, **relative), p0, gradients) for m in ("scaled", "unscaled"))
    assert np.max(np.abs(a[1] - b[1])) > 0.1


def test_the_bound_of_beta2_takes_effect_when_the_power_exceeds_it():
    p0, gradients = random_matrices(9)
    free, bounded = (follow(Adafactor(beta2_power=1.0, beta2_max=b), p0, gradients) for b in (1.0, 0.5))
    np.testing.assert_array_equal(free[:2], bounded[:2])  # beta2 = 0, 1/2
    assert (free[2] != bounded[2]).any()  # 2/3 against 1/2


def test_a_decay_in_the_update_has_the_relative_rate_and_no_momentum():
    p0 = np.array([3.0, -4.0])
    rule = Adafactor(lr=0.5, weight_decay=0.25, decay="in_update", beta1=0.9)
    (after,) = follow(rule, p0, [0 * p0])
    np.testing.assert_allclose(after, p0 * (1 - 0.5 * 12.5**0.5 * 0.25), rtol=4 * EPS)


def test_the_scale_may_be_measured_after_a_decoupled_decay():
    p0, g = np.array([3.0, -4.0]), np.array([1.0, 1.0])
    hyper = dict(lr=0.5, weight_decay=0.5)
    (before,) = follow(Adafactor(**hyper), p0, [g])
    (after,) = follow(Adafactor(rms_of="after_decay", **hyper), p0, [g])
    np.testing.assert_allclose(before, p0 * 0.75 - 0.5 * 12.5**0.5, rtol=4 * EPS)
    np.testing.assert_allclose(after, p0 * 0.75 - 0.5 * 0.75 * 12.5**0.5, rtol=4 * EPS)
    late = dict(decay_point="after", **hyper)
    np.testing.assert_array_equal(
        *(follow(Adafactor(rms_of=r, **late), p0, [g]) for r in ("before_decay", "after_decay"))
    )
