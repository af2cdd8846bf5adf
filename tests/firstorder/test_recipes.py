"""Recipes: the numbers of the articles, and that the Amos schedules do what they were derived for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.core.schedules import InverseTime
from arrayopt.errors import OptionError
from arrayopt.firstorder.lion import Lion
from arrayopt.firstorder.recipes import (
    amos_schedules,
    half_life,
    initial_error,
    kappa_of_half_life,
    lion_betas,
    lion_from_adamw,
    sign_rates,
    tiger_beta,
)


@given(st.floats(1e-6, 1.0), st.floats(0.0, 1.0))
def test_lion_takes_a_tenth_of_the_rate_and_keeps_the_decay_per_step(lr, decay):
    ours = lion_from_adamw(lr, decay)
    assert ours.lr == lr / 10
    assert ours.lr * ours.weight_decay == pytest.approx(lr * decay, rel=1e-15)


@given(st.integers(1, 10**6), st.floats(1e-5, 1e-1))
def test_width_and_standard_deviation_say_the_same(d, alpha0):
    assert sign_rates(alpha0, d=d) == sign_rates(alpha0, sigma=1 / math.sqrt(d))


@given(st.floats(1e-4, 1.0), st.floats(1e-5, 1e-1))
def test_sign_rates_are_the_amos_schedules_at_the_start(sigma, alpha0):
    alpha, rho = amos_schedules(alpha0, sigma, p=0.1, cosine="falling")
    lr, decay = sign_rates(alpha0, sigma=sigma)
    assert alpha(0) == lr
    for t in (0, 10, 1000):
        assert rho(t) / alpha(t) == pytest.approx(decay, rel=1e-14)


def test_tigers_beta_is_the_mean_of_lions():
    assert (lion_betas("vision"), lion_betas("language")) == ((0.9, 0.99), (0.95, 0.98))
    assert lion_betas("vision") == (Lion().beta1, Lion().beta2)
    assert tiger_beta("vision") == pytest.approx(0.945, rel=1e-15)
    assert tiger_beta("language") == pytest.approx(0.965, rel=1e-15)


# The two Amos schedules ----------------------------------------------------------------------


@pytest.mark.parametrize("cosine", ["constant", "falling"])
@given(steps=st.floats(1.0, 1e6), alpha0=st.floats(1e-4, 1e-1))
def test_a_half_life_is_what_it_says(cosine, steps, alpha0):
    alpha, rho = amos_schedules(alpha0, half_life=steps, cosine=cosine)
    assert alpha(steps) / alpha(0) == pytest.approx(0.5, rel=1e-13)
    assert rho(steps) / rho(0) == pytest.approx(0.5, rel=1e-13)
    assert half_life(alpha) == half_life(rho) == pytest.approx(steps, rel=1e-13)


def test_the_cosines_of_a_half_life_are_those_of_the_article():
    steps, alpha0 = 1000.0, 1e-3
    constant, falling = (math.sqrt(2) - 1) / steps / alpha0, 1 / (2 * steps) / alpha0
    assert half_life(amos_schedules(alpha0, p=constant).alpha) == pytest.approx(steps)
    assert half_life(amos_schedules(alpha0, p=falling, cosine="falling").alpha) == pytest.approx(steps)
    assert kappa_of_half_life(steps, 2) == pytest.approx(alpha0 * constant)
    assert kappa_of_half_life(steps) == pytest.approx(2 * alpha0 * falling)
    assert half_life(InverseTime(1.0, 0.0)) == math.inf


class Descent:
    """Updates whose cosine to the error is given, as the derivation assumes."""

    k, alpha0, p = 2000, 5e-3, 0.1

    def __init__(self, cosine, length=7.3):
        rng = np.random.default_rng(0)
        self.theta, self.solution = rng.normal(size=(2, self.k))
        error = np.linalg.norm(self.theta - self.solution)
        alpha, rho = amos_schedules(self.alpha0, error / length, p=self.p, cosine=cosine)
        self.ratios, self.qs, self.steps = [], [], []
        for t in range(4001):
            e = self.theta - self.solution
            size = np.linalg.norm(e)
            self.ratios.append(size**2 / error**2)
            self.qs.append(self.theta @ e / size**2)
            cos = self.p if cosine == "constant" else self.p * size / error  # p_0 exp(-S_t)
            side = rng.normal(size=self.k)
            side -= side @ e / size**2 * e
            u = length * (cos * e / size + math.sqrt(1 - cos**2) * side / np.linalg.norm(side))
            self.steps.append(np.linalg.norm(alpha(t) * u) / (self.alpha0 * error))
            self.theta = self.theta - (alpha(t) * u + rho(t) * self.theta)


@pytest.fixture(scope="module", params=["constant", "falling"])
def descent(request):
    return request.param, Descent(request.param)


def test_the_squared_error_falls_as_the_schedule_does(descent):
    cosine, run = descent
    schedule = amos_schedules(1.0, p=run.p * run.alpha0, cosine=cosine).alpha
    for t in (1000, 2000, 4000):
        assert run.ratios[t] == pytest.approx(schedule(t), rel=0.06)
    if cosine == "constant":  # the article's numbers, from another sample
        assert [run.ratios[t] for t in (1000, 2000, 4000)] == pytest.approx([0.4498, 0.2560, 0.1165], rel=2e-3)


def test_the_norm_of_an_update_is_the_initial_error_times_the_schedule_whatever_the_direction_s(descent):
    cosine, run = descent
    schedule = amos_schedules(1.0, p=run.p * run.alpha0, cosine=cosine).alpha
    np.testing.assert_allclose(run.steps, [schedule(t) for t in range(4001)], rtol=1e-12)
    short = Descent(cosine, length=1e-3)
    np.testing.assert_allclose(short.steps, run.steps, rtol=1e-12)
    np.testing.assert_allclose(short.ratios, run.ratios, rtol=1e-9)


def test_the_alignment_q_starts_at_a_half_and_falls_below_zero_when_the_error_has_halved():
    # The article takes q = 1 throughout. From an independent start of the same norm it is 1/2, and once the error is
    # half of what it was (the schedule at 1/4, t = 2000) the decay no longer leads to the solution.
    run = Descent("constant")
    assert run.qs[0] == pytest.approx(0.5, abs=0.02)
    assert np.all(np.diff(run.qs[::500]) < 0)
    assert abs(run.qs[2000]) < 0.05
    assert run.qs[4000] == pytest.approx(-0.49, abs=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lion_from_adamw(0.0, 0.1), "lion_from_adamw: lr must be a finite number > 0, got 0.0"),
        (lambda: lion_from_adamw(0.1, -1.0), "weight_decay must be a finite number >= 0"),
        (lambda: lion_from_adamw(0.1, math.nan), "weight_decay must be a finite number >= 0"),
        (lambda: lion_betas("speech"), "task must be one of 'vision', 'language', got 'speech'"),
        (lambda: tiger_beta("speech"), "task must be one of 'vision', 'language', got 'speech'"),
        (lambda: sign_rates(1e-3), "give either d or sigma"),
        (lambda: sign_rates(1e-3, d=4, sigma=0.5), "give either d or sigma"),
        (lambda: sign_rates(1e-3, d=0), "d must be a finite number > 0"),
        (lambda: sign_rates(math.inf, d=4), "alpha0 must be a finite number > 0"),
        (lambda: initial_error(0, 1.0), "k must be a finite number > 0"),
        (lambda: amos_schedules(1e-3), "give either p or half_life"),
        (lambda: amos_schedules(1e-3, p=0.1, half_life=10), "give either p or half_life"),
        (lambda: amos_schedules(1e-3, p=1.5), r"p must be a cosine in \(0, 1\]"),
        (lambda: amos_schedules(1e-3, p=0.1, q=0.0), "q must be a finite number > 0"),
        (lambda: amos_schedules(1e-3, p=0.1, cosine="rising"), "cosine must be 'constant' or 'falling'"),
        (lambda: kappa_of_half_life(0.0), "steps must be a finite number > 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(call, message):
    with pytest.raises(OptionError, match=message):
        call()
