"""Average: hand numbers, closed sums over the iterates, and what averages are for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.average import Average
from arrayopt.firstorder.clip import Clip
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import follow

FORMS = ("mean", "ema", "ema_from_start", "ema_debiased")


def averages(rule, p0, gradients):
    """The iterates and, after each step, their average."""
    params, state, path, found = p0, rule.init(p0), [], []
    for g in gradients:
        params, state = rule.update(g, state, params)
        path.append(params)
        found.append(rule.averaged(state, params))
    return path, found


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("mean", [2, 3, 5]),  # 2, (2 + 4) / 2, (2 + 4 + 9) / 3
        ("ema", [2, 2.5, 4.125]),  # 2, 2 + (4 - 2) / 4, 2.5 + (9 - 2.5) / 4
        ("ema_from_start", [1.25, 1.9375, 3.703125]),  # 1 + (2 - 1) / 4, ...
        ("ema_debiased", [2, 22 / 7, 210 / 37]),  # .25 * 2 / .25, .25 (.75 * 2 + 4) / .4375, ...
    ],
)
def test_three_steps_by_hand(form, expected):
    rule = Average(rule=SGD(lr=1.0), form=form, decay=0.75)
    path, found = averages(rule, np.array([1.0]), [np.array([g]) for g in (-1.0, -2.0, -5.0)])
    np.testing.assert_array_equal(np.ravel(path), [2, 4, 9])
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-15)


@pytest.mark.parametrize("form", FORMS)
@given(st.floats(0, 0.99), st.integers(0, 3), st.integers(0, 1000))
def test_closed_sums_over_the_iterates(form, decay, start, seed):
    rng = np.random.default_rng(seed)
    p0 = rng.normal(size=3)
    rule = Average(rule=SGD(lr=1.0), form=form, decay=decay, start=start)
    path, found = averages(rule, p0, rng.normal(size=(7, 3)))
    for t in range(1, 8):
        n = t - start
        if n < 1:
            np.testing.assert_array_equal(found[t - 1], path[t - 1])
            continue
        iterates = np.array([p0, *path])[start : t + 1]  # theta_start, ..., theta_t
        powers = decay ** np.arange(n, -1, -1.0)  # of theta_start, ..., theta_t
        weights = {
            "mean": np.r_[0, np.full(n, 1 / n)],
            "ema": np.r_[0, powers[1], (1 - decay) * powers[2:]],
            "ema_from_start": np.r_[powers[0], (1 - decay) * powers[1:]],
            "ema_debiased": np.r_[0, (1 - decay) * powers[1:] / (1 - decay**n)],
        }[form]
        assert weights.sum() == pytest.approx(1, rel=1e-13)
        np.testing.assert_allclose(found[t - 1], weights @ iterates, rtol=0, atol=1e-13 * np.abs(iterates).max())


@pytest.mark.parametrize("form", FORMS)
def test_the_rule_steps_as_if_nobody_averaged(form):
    rule = Adam(lr=0.1, beta1=0.6, beta2=0.8)
    gradients = np.random.default_rng(0).normal(size=(4, 3))
    path, _ = averages(Average(rule=rule, form=form), np.ones(3), gradients)
    np.testing.assert_array_equal(path, follow(rule, np.ones(3), gradients))


@given(st.floats(0, 0.999))
def test_the_debiased_mean_is_the_plain_one_as_the_decay_goes_to_one(decay):
    """At decay d both weigh n iterates, and the debiased weights differ from 1/n by at most about n (1 - d) / 2."""
    d = 1 - 1e-6 * (1 - decay)
    gradients = np.random.default_rng(0).normal(size=(6, 3))
    _, plain = averages(Average(rule=SGD(lr=1.0)), np.ones(3), gradients)
    _, debiased = averages(Average(rule=SGD(lr=1.0), form="ema_debiased", decay=d), np.ones(3), gradients)
    np.testing.assert_allclose(debiased, plain, atol=6 * (1 - d) * 10)


def test_before_any_step_the_average_is_the_parameter():
    params = {"w": np.ones(2, np.float16)}
    rule = Average(rule=SGD())
    np.testing.assert_array_equal(rule.averaged(rule.init(params), params)["w"], params["w"])


def test_the_average_inside_another_wrapper_is_read_through_it():
    inside = Average(rule=SGD(lr=1.0))
    rule, params = Clip(rule=inside, max_norm=1.0, form="exact"), np.zeros(1)
    state = rule.init(params)
    for _ in range(3):
        params, state = rule.update(np.array([-5.0]), state, params)
    assert inside.averaged(rule.inner(state), params).tolist() == [2.0]


def test_the_average_is_a_copy_of_the_state():
    rule, params = Average(rule=SGD(lr=1.0)), np.zeros(1)
    params, state = rule.update(np.ones(1), rule.init(params), params)
    rule.averaged(state, params)[...] = 7
    assert rule.averaged(state, params).tolist() == [-1.0]


def test_an_average_of_half_precision_sees_what_half_precision_would_absorb():
    rule, params = Average(rule=SGD(lr=1.0), form="ema", decay=0.9999), np.zeros(1, np.float16)
    params, state = rule.update(np.array([-1.0], np.float16), rule.init(params), params)
    for g in [-1.0, *[0.0] * 99]:
        params, state = rule.update(np.array([g], np.float16), state, params)
    assert params[0] == 2
    assert rule.averaged(state, params)[0] == np.float16(2 - 0.9999**100)  # each step is a tenth of the spacing at 1


def test_averaging_a_noisy_path_comes_nearer_than_its_last_iterate():
    rng = np.random.default_rng(0)
    last, mean = [], []
    for _ in range(50):
        rule, params = Average(rule=SGD(lr=0.5), start=20), np.ones(4)
        state = rule.init(params)
        for _ in range(200):
            params, state = rule.update(params + rng.normal(size=4), state, params)
        last.append(np.sum(params**2))
        mean.append(np.sum(rule.averaged(state, params) ** 2))
    # at rate r and curvature 1 the last iterate has variance r / (2 - r) = 1/3; the mean of n about 1 / n
    assert np.mean(last) == pytest.approx(4 / 3, rel=0.35)
    assert np.mean(mean) == pytest.approx(4 / 180, rel=0.35)
