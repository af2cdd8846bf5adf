import itertools

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import OptionError, to_numpy
from arrayopt.core.logsumexp import softmax
from arrayopt.sampling.directions import draw_directions
from arrayopt.sampling.policy import (
    expected_reward,
    hard_reward_gradient,
    optimal_baseline,
    policy_gradient,
    reinforce,
    sample_policy,
    scores,
    second_moment,
)
from arrayopt.sampling.smoothing import score_gradient
from tests.sampling.designs import rademacher_design

SOME = settings(max_examples=25)
SEEDS = st.integers(0, 2**32)


def policy(seed, k):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(k), rng.standard_normal(k)


def cosine(a, b):
    return np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))


# Rearrangement -----------------------------------------------------------------------------------------

INTEGERS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=5)


@given(INTEGERS)
def test_rearrangement_similar_order_is_best_and_opposite_order_worst_whatever_the_signs(pairs):
    a, b = (sorted(side, reverse=True) for side in zip(*pairs, strict=True))
    every = [sum(x * y for x, y in zip(a, c, strict=True)) for c in itertools.permutations(b)]
    assert max(every) == sum(x * y for x, y in zip(a, b, strict=True))
    assert min(every) == sum(x * y for x, y in zip(a, reversed(b), strict=True))


def test_trap_among_all_probabilities_the_best_policy_takes_the_best_output_always():
    z, r = np.log(np.array([0.5, 0.3, 0.2])), np.array([3.0, 1.0, -1.0])  # similarly ordered
    permuted = [expected_reward(z[list(c)], r) for c in itertools.permutations(range(3))]
    assert expected_reward(z, r) == max(permuted)  # the best of the permutations
    assert expected_reward(z, r) < 2 < expected_reward(z, r, temperature=0.01) == pytest.approx(3.0)


# The gradient and its estimators -------------------------------------------------------------------------


@SOME
@given(SEEDS, st.integers(1, 6), st.floats(0.2, 5.0))
def test_policy_gradient_is_the_derivative_of_the_expected_reward(seed, k, temperature):
    z, r = policy(seed, k)
    h = 1e-5
    central = [
        (expected_reward(z + h * e, r, temperature) - expected_reward(z - h * e, r, temperature)) / (2 * h)
        for e in np.eye(k)
    ]
    assert np.abs(policy_gradient(z, r, temperature) - central).max() < 1e-8


@SOME
@given(SEEDS, st.integers(1, 6), st.floats(0.2, 5.0), st.floats(-10, 10))
def test_the_expectation_of_reinforce_is_the_exact_gradient_with_any_constant_baseline(seed, k, temperature, b):
    z, r = policy(seed, k)
    p = softmax(z, temperature=temperature)
    mean = sum(p[y] * reinforce(z, np.array([y]), r[[y]] - b, "none", temperature) for y in range(k))
    assert np.abs(mean - policy_gradient(z, r, temperature)).max() < 1e-14 * (1 + abs(b)) / temperature
    assert np.abs(sum(p[y] * scores(z, np.array([y]), temperature)[0] for y in range(k))).max() < 1e-14


@pytest.mark.parametrize("n", [2, 3])
def test_the_mean_of_the_sample_as_baseline_shrinks_the_expectation_leaving_one_out_does_not(n):
    z, r = policy(4, 3)
    y = np.array(list(itertools.product(range(3), repeat=n)))
    probability = softmax(z)[y].prod(axis=1)
    for baseline, factor in [("none", 1.0), ("mean", (n - 1) / n), ("leave_one_out", 1.0)]:
        every = np.array([reinforce(z, sample, r[sample], baseline) for sample in y])
        assert np.abs(probability @ every - factor * policy_gradient(z, r)).max() < 1e-15


@SOME
@given(SEEDS, st.integers(2, 6), st.floats(-3, 3))
def test_no_constant_baseline_has_less_variance_than_the_optimal_one(seed, k, b):
    z, r = policy(seed, k)
    best = float(optimal_baseline(z, r))
    p, s = softmax(z), scores(z, np.arange(k))
    assert best == pytest.approx(np.sum(p * r * (s**2).sum(axis=1)) / np.sum(p * (s**2).sum(axis=1)), abs=1e-12)
    least = float(second_moment(z, r, best))
    assert all(least <= float(second_moment(z, r, other)) + 1e-13 for other in (b, 0.0, float(expected_reward(z, r))))


@SOME
@given(SEEDS, st.integers(2, 6), st.floats(-2, 2))
def test_the_second_moment_is_that_of_the_estimator_by_enumeration(seed, k, b):
    z, r = policy(seed, k)
    p = softmax(z)
    each = [(reinforce(z, np.array([y]), r[[y]] - b) ** 2).sum() for y in range(k)]
    assert float(second_moment(z, r, b)) == pytest.approx(float(p @ each), rel=1e-12, abs=1e-15)


def test_trap_the_mean_reward_as_baseline_can_have_more_variance_than_none():
    # K = 5: the common output, whose score is short, has the reward; the rare ones, whose scores are long, pay b.
    z, r = np.log(np.array([0.9, 0.025, 0.025, 0.025, 0.025])), np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    none, mean = float(second_moment(z, r)), float(second_moment(z, r, expected_reward(z, r)))
    best = float(second_moment(z, r, optimal_baseline(z, r)))
    # |score|^2 is 1 - 2p + |p|^2: 0.0125 and 1.7625
    assert none == pytest.approx(0.9 * 0.0125)
    assert mean == pytest.approx(0.9 * 0.01 * 0.0125 + 0.1 * 0.81 * 1.7625)
    assert best < none < mean / 12


def test_of_two_outputs_the_mean_reward_may_hurt_as_well_but_not_for_even_odds():
    z, r = np.log(np.array([0.9, 0.1])), np.array([1.0, 0.0])
    assert second_moment(z, r) < second_moment(z, r, expected_reward(z, r))
    even = np.zeros(2)
    assert second_moment(even, r, 0.5) == (policy_gradient(even, r) ** 2).sum() < second_moment(even, r)  # no variance


def test_samples_of_one_mean_may_differ_in_variance_by_two_orders():
    narrow, wide = [4, 5, 6], [-10, 10, 15]
    assert np.mean(narrow) == np.mean(wide) == 5
    assert np.var(narrow) == pytest.approx(2 / 3)
    assert np.var(wide) == pytest.approx(350 / 3)  # 116.667


@pytest.mark.parametrize("baseline", ["none", "mean", "optimal", "leave_one_out"])
def test_sampled_estimates_are_right_in_the_mean_up_to_the_bias_of_the_baseline(baseline):
    z, r = policy(7, 4)
    n, draws = 20, 4000
    y = sample_policy(np.broadcast_to(z, (draws, 4)), n, rng=3)
    each = reinforce(np.broadcast_to(z, (draws, 4)), y, r[y], baseline)
    exact = policy_gradient(z, r)
    factor = (n - 1) / n if baseline == "mean" else 1.0
    # the optimal baseline of the sample is a ratio of means, whose bias is O(1/n): each sample weighs 1/n in it
    slack = np.abs(r).max() * 4 / n if baseline == "optimal" else 0.0
    assert np.all(np.abs(each.mean(axis=0) - factor * exact) < 4.5 * each.std(axis=0) / np.sqrt(draws) + slack)


# Gumbel ----------------------------------------------------------------------------------------------


@SOME
@given(SEEDS, st.integers(1, 5))
def test_gumbel_max_by_quadrature_is_the_softmax(seed, k):
    z = np.random.default_rng(seed).standard_normal(k)
    t = np.linspace(-12, 60, 7201)  # the trapezoid rule is exact to rounding for such integrands
    below = np.exp(-np.exp(-(t - z[:, None])))  # P(z_k + G_k < t)
    for y in range(k):
        density = np.exp(-(t - z[y])) * below[y]
        p = np.sum(density * np.delete(below, y, axis=0).prod(axis=0)) * (t[1] - t[0])
        assert p == pytest.approx(softmax(z)[y], abs=1e-12)


def test_samples_have_the_frequencies_of_the_softmax_and_the_hard_reward_is_j():
    z, r = policy(1, 5)
    n, temperature = 40_000, 0.7
    y = sample_policy(z, n, rng=5, temperature=temperature)
    p = softmax(z, temperature=temperature)
    assert np.all(np.abs(np.bincount(y, minlength=5) / n - p) < 4.5 * np.sqrt(p * (1 - p) / n))
    assert abs(r[y].mean() - expected_reward(z, r, temperature)) < 4.5 * r[y].std() / np.sqrt(n)


def test_several_samples_in_one_call_equal_the_same_samples_one_by_one():
    z = np.random.default_rng(0).standard_normal((3, 4))
    rng = np.random.default_rng(9)
    one_by_one = np.concatenate([sample_policy(z, 1, rng) for _ in range(6)], axis=-1)
    assert np.array_equal(sample_policy(z, 6, rng=9), one_by_one)


# Zeroth order and policy gradients ------------------------------------------------------------------------


def test_the_zeroth_order_gradient_of_j_at_a_temperature_tends_to_its_policy_gradient():
    z, r = policy(2, 3)
    u, temperature = rademacher_design(3), 0.8
    exact = policy_gradient(z, r, temperature)

    def error(sigma):
        f = expected_reward(z + sigma * u, np.broadcast_to(r, u.shape), temperature)
        return np.linalg.norm(score_gradient(f, u, sigma) - exact)

    assert error(0.01) < 1e-4
    assert error(0.02) / error(0.01) == pytest.approx(4.0, rel=0.01)


@SOME
@given(SEEDS, st.floats(0.05, 5.0))
def test_of_two_classes_the_exact_zeroth_order_gradient_of_the_hard_reward_by_quadrature(seed, sigma):
    from scipy.integrate import quad

    rng = np.random.default_rng(seed)
    w, x, r = rng.standard_normal((2, 3)), rng.standard_normal(3), rng.standard_normal(2)
    gap, size = (w[1] - w[0]) @ x, np.linalg.norm(x)
    # t = (u_1 - u_0).x / sqrt(2)|x| alone decides. Of u only the parts along x see it:
    # E[r u_k.x] / |x| = -+E[r t] / sqrt(2)
    switch = -gap / (np.sqrt(2) * sigma * size)

    def moment(t):
        return t * np.exp(-t * t / 2) / np.sqrt(2 * np.pi)

    below, above = quad(moment, -np.inf, switch)[0], quad(moment, switch, np.inf)[0]
    along = (r[0] * below + r[1] * above) / np.sqrt(2) / sigma
    expected = along * np.stack([-x, x]) / size
    assert np.abs(hard_reward_gradient(np.array(gap), x, r, sigma) - expected).max() < 1e-7


@SOME
@given(SEEDS, st.floats(0.05, 5.0))
def test_of_two_classes_zeroth_order_and_policy_gradient_are_parallel_for_every_sigma(seed, sigma):
    rng = np.random.default_rng(seed)
    w, x, r = rng.standard_normal((2, 3)), rng.standard_normal(3), rng.standard_normal(2)
    by_output = policy_gradient(w @ x, r)
    by_weights = by_output[:, None] * x
    s = 1 / (1 + np.exp(-(w[1] - w[0]) @ x))
    assert np.abs(by_weights - s * (1 - s) * (r[1] - r[0]) * np.stack([-x, x])).max() < 1e-14
    hard = hard_reward_gradient((w[1] - w[0]) @ x * np.ones(()), x, r, sigma)
    if np.abs(hard).max() > 1e-100:  # where the density has not underflowed
        assert abs(cosine(hard / np.abs(hard).max(), by_weights) - 1) < 1e-12


def test_of_two_classes_the_estimator_agrees_with_the_closed_form():
    n, sigma = 40_000, 0.7
    w, x, r = np.array([[0.2, -0.1], [0.4, 0.3]]), np.array([1.0, 0.5]), np.array([1.0, 0.0])
    u = draw_directions(n, 4, rng=11)
    moved = w + sigma * u.reshape(n, 2, 2)
    f = r[np.argmax(moved @ x, axis=-1)]
    exact = hard_reward_gradient(np.array((w[1] - w[0]) @ x), x, r, sigma).ravel()
    each = f[:, None] * u / sigma
    assert np.all(np.abs(score_gradient(f, u, sigma) - exact) < 4.5 * each.std(axis=0) / np.sqrt(n))


def test_trap_with_three_classes_they_are_not_parallel_for_any_sigma():
    from scipy.special import ndtr

    z, r = np.array([1.0, 0.0, -2.0]), np.array([0.0, 1.0, 3.0])
    t = np.linspace(-9, 9, 1801)
    density = np.exp(-t * t / 2) / np.sqrt(2 * np.pi) * (t[1] - t[0])

    def hard(sigma):  # dP(argmax = j)/dz, P_j = E prod_{i != j} Phi(t + (z_j - z_i) / sigma)
        g = np.zeros(3)
        for j in range(3):
            for i in {0, 1, 2} - {j}:
                (other,) = {0, 1, 2} - {i, j}
                slope = np.exp(-((t + (z[j] - z[i]) / sigma) ** 2) / 2) / np.sqrt(2 * np.pi)
                d = r[j] * np.sum(density * slope * ndtr(t + (z[j] - z[other]) / sigma)) / sigma
                g += d * (np.eye(3)[j] - np.eye(3)[i])
        return g

    soft = policy_gradient(z, r)
    found = [cosine(hard(sigma), soft) for sigma in (0.3, 0.5, 1.0, 1.5, 2.0, 4.0, 16.0)]
    assert max(found) < 0.999
    assert found[0] < 0.95 < found[2]  # and sigma matters


# Arrays and errors -----------------------------------------------------------------------------------------


def test_policies_keep_library_device_and_dtype():
    device = strict.Device("device1")
    z, r = (strict.asarray(a, dtype=strict.float32, device=device) for a in policy(0, 3))
    y = sample_policy(z, 5, rng=0, temperature=0.5)
    assert y.device == device
    assert np.array_equal(to_numpy(y), sample_policy(to_numpy(z), 5, rng=0, temperature=0.5))
    rewards = strict.take(r, y)
    every = [
        softmax(z, temperature=0.5),
        expected_reward(z, r, 0.5),
        policy_gradient(z, r, 0.5),
        optimal_baseline(z, r),
        second_moment(z, r, optimal_baseline(z, r)),
        *(reinforce(z, y, rewards, b) for b in ("none", "mean", "optimal", "leave_one_out")),
        hard_reward_gradient(z[0], r, r[:2], 0.5),
    ]
    assert all(a.dtype == strict.float32 and a.device == device for a in every)


def test_great_outputs_do_not_overflow_and_a_sure_policy_has_no_gradient():
    z, r = np.array([1e300, 0.0, -1e300]), np.array([1.0, 2.0, 3.0])
    assert softmax(z).tolist() == [1.0, 0.0, 0.0]
    assert np.all(policy_gradient(z, r) == 0)
    assert optimal_baseline(z, r) == 0


def test_a_temperature_must_be_positive():
    for temperature in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(OptionError, match="temperature must be a finite number > 0"):
            expected_reward(np.zeros(2), np.zeros(2), temperature)
