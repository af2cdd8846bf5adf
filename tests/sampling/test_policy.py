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
    second_moment,
)
from arrayopt.sampling.smoothing import score_gradient

SOME = settings(max_examples=25)
SEEDS = st.integers(0, 2**32)


def policy(seed, k):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(k), rng.standard_normal(k)


@SOME
@given(SEEDS, st.integers(2, 6), st.floats(-2, 2))
def test_the_second_moment_is_that_of_the_estimator_by_enumeration(seed, k, b):
    z, r = policy(seed, k)
    p = softmax(z)
    each = [(reinforce(z, np.array([y]), r[[y]] - b) ** 2).sum() for y in range(k)]
    assert float(second_moment(z, r, b)) == pytest.approx(float(p @ each), rel=1e-12, abs=1e-15)


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


def test_several_samples_in_one_call_equal_the_same_samples_one_by_one():
    z = np.random.default_rng(0).standard_normal((3, 4))
    rng = np.random.default_rng(9)
    one_by_one = np.concatenate([sample_policy(z, 1, rng) for _ in range(6)], axis=-1)
    assert np.array_equal(sample_policy(z, 6, rng=9), one_by_one)


def test_of_two_classes_the_estimator_agrees_with_the_closed_form():
    n, sigma = 40_000, 0.7
    w, x, r = np.array([[0.2, -0.1], [0.4, 0.3]]), np.array([1.0, 0.5]), np.array([1.0, 0.0])
    u = draw_directions(n, 4, rng=11)
    moved = w + sigma * u.reshape(n, 2, 2)
    f = r[np.argmax(moved @ x, axis=-1)]
    exact = hard_reward_gradient(np.array((w[1] - w[0]) @ x), x, r, sigma).ravel()
    each = f[:, None] * u / sigma
    assert np.all(np.abs(score_gradient(f, u, sigma) - exact) < 4.5 * each.std(axis=0) / np.sqrt(n))


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
