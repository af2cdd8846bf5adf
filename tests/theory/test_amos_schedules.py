import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from arrayopt.errors import OptionError
from arrayopt.theory import (
    aligned_direction,
    amos_decay,
    amos_rate_for_half_life,
    amos_rates,
    amos_recursion,
    decay_alignment,
    expected_scale,
    sign_schedule,
    simulate_amos,
)
from tests.theory.elsewhere import assert_same, on_other_libraries


def test_known_answers():
    # alpha0 p = 1e-3
    assert round(float(amos_recursion(1000, 1e-2, 0.1)[-1]), 6) == 0.249913
    assert amos_decay(1000, 1e-2, 0.1) == 0.25
    assert round(float(amos_recursion(1000, 1e-2, 0.1, "decaying")[-1]), 6) == 0.333211
    assert round(amos_decay(1000, 1e-2, 0.1, "decaying"), 6) == 0.333333
    sigma = math.sqrt(1 / 768)
    lr, _, decay = sign_schedule(0, 1.11e-3, sigma, 1e-3)
    assert round(sigma, 6) == 0.036084
    assert round(lr * 1e5, 3) == 4.005
    assert round(decay, 5) == 0.01538


@given(st.floats(1e-4, 0.5), st.floats(0.01, 1), st.sampled_from(["constant", "decaying"]))
def test_the_recursion_stays_below_the_closed_form(alpha0, p, cosine):
    steps = amos_recursion(200, alpha0, p, cosine)
    closed = amos_decay(np.arange(201), alpha0, p, cosine)
    assert np.all(steps <= closed * (1 + 1e-12))
    assert np.all(closed - steps <= alpha0 * p)


@pytest.mark.parametrize("cosine", ["constant", "decaying"])
def test_the_closed_form_solves_the_differential_equation(cosine):
    power = -1 if cosine == "constant" else -2
    solved = solve_ivp(lambda t, S: 0.02 * np.exp(power * S), (0, 300), [0.0], rtol=1e-10, atol=1e-12)
    assert math.exp(-2 * solved.y[0, -1]) == pytest.approx(amos_decay(300, 0.2, 0.1, cosine), rel=1e-7)


@given(st.floats(1, 1e6), st.floats(0.01, 1), st.sampled_from(["constant", "decaying"]))
def test_half_lives(half_life, p, cosine):
    alpha0 = amos_rate_for_half_life(half_life, p, cosine)
    assert amos_decay(half_life, alpha0, p, cosine) == pytest.approx(0.5, rel=1e-12)


def test_the_length_of_a_step_does_not_depend_on_the_update():
    for norm in (1e-10, 1.0, 1e10):
        lr, rho = amos_rates(50, 1e-3, 0.1, scale=3.0, update_norm=norm)
        assert lr * norm == pytest.approx(3e-3 * amos_decay(50, 1e-3, 0.1), rel=1e-14)
        assert rho == pytest.approx(0.5e-6 * amos_decay(50, 1e-3, 0.1), rel=1e-14)


def test_the_schedule_of_signs_is_that_of_any_update_of_their_length():
    t, alpha0, sigma, kappa, k = np.arange(100.0), 2e-3, 0.05, 1e-2, 768
    lr, rho, decay = sign_schedule(t, alpha0, sigma, kappa)
    np.testing.assert_allclose(lr, alpha0 * sigma / (kappa * t + 1), rtol=1e-14)
    np.testing.assert_allclose(rho, alpha0**2 / (2 * (kappa * t + 1)), rtol=1e-14)
    np.testing.assert_allclose(rho / lr, decay, rtol=1e-14)
    general = amos_rates(
        t, alpha0, kappa / (2 * alpha0), "decaying", scale=expected_scale(k, sigma), update_norm=math.sqrt(k)
    )
    np.testing.assert_allclose(general.lr, lr, rtol=1e-14)


def test_the_scale_of_normal_entries():
    x = 0.3 * np.random.default_rng(0).standard_normal(100_000)
    assert expected_scale(100_000, 0.3) == pytest.approx(float(np.linalg.norm(x)), rel=0.01)


@given(st.integers(2, 50), st.floats(-1, 1), st.integers(0, 10**6))
def test_directions_have_exactly_the_cosine(k, p, seed):
    epsilon = 10 * np.random.default_rng(seed).standard_normal(k)
    u = aligned_direction(epsilon, p, rng=seed + 1)
    assert u @ u == pytest.approx(1, rel=1e-12)
    assert u @ epsilon / np.linalg.norm(epsilon) == pytest.approx(p, abs=1e-12)


def test_simulation_follows_the_prediction():
    x = np.random.default_rng(0).standard_normal(2000)
    squares, q = simulate_amos(x, 0 * x, 5e-3, 0.1, 1000, rng=1)
    t = [100, 500, 1000]
    np.testing.assert_allclose(squares[t], amos_decay(np.asarray(t), 5e-3, 0.1), rtol=3e-3)
    np.testing.assert_allclose(q, 1, rtol=1e-12)


def test_decay_leads_away_from_an_optimum_that_is_not_zero():
    rng = np.random.default_rng(0)
    x, optimum = rng.standard_normal((2, 2000))
    squares, q = simulate_amos(x, optimum, 5e-3, 0.1, 4000, rng=1)
    t = [0, 1000, 2000, 4000]
    np.testing.assert_allclose(squares[t], [1, 0.4498, 0.2560, 0.1165], atol=5e-4)
    # 1/2 at first; 1 - (1 - q_0) / r while only the length of the distance shrinks, by r
    assert q[0] == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(q[t], 1 - (1 - q[0]) / np.sqrt(squares[t]), atol=0.03)
    assert q[4000] < -0.4
    e1, e2 = np.eye(2)
    for r in (1.0, 0.5, 0.25):  # theta = optimum + r (start - optimum)
        assert float(decay_alignment(e2 + r * (e1 - e2), e2)) == pytest.approx(1 - 1 / (2 * r), abs=1e-15)


def test_extremes():
    assert amos_decay(0, 1e-3, 1.0) == 1 == amos_decay(0, 1e-3, 1.0, "decaying")
    assert amos_decay(math.inf, 1e-3, 1.0) == 0 == amos_decay(1e308, 1e300, 1.0)
    assert math.isnan(amos_decay(math.nan, 1e-3, 1.0))
    for dtype in (np.float16, np.float32, np.float64):
        assert amos_decay(np.asarray([0, 10], dtype), 1e-3, 0.1).dtype == dtype
    assert amos_decay(np.zeros((0,)), 1e-3, 0.1).shape == (0,)
    assert amos_recursion(0, 1e-3, 0.1).tolist() == [1]


@on_other_libraries
def test_other_libraries(xp):
    t = np.asarray([0.0, 1.0, 1e4])
    for cosine in ("constant", "decaying"):
        assert_same(xp, lambda t, cosine=cosine: list(amos_rates(t, 1e-2, 0.1, cosine, scale=2.0)), t)
    assert_same(xp, lambda e: aligned_direction(e, 0.3, rng=0), t)
    assert_same(xp, decay_alignment, t, t[::-1].copy())
    assert_same(xp, lambda e: [z.tolist() for z in simulate_amos(e, 0 * e, 1e-2, 0.1, 10, rng=0)], t, rtol=1e-4)


def test_refusals():
    with pytest.raises(OptionError, match="alpha0: expected a finite number > 0"):
        amos_decay(1, 0.0, 0.1)
    with pytest.raises(OptionError, match="t: expected a step >= 0"):
        amos_decay(-1, 1e-3, 0.1)
    with pytest.raises(OptionError, match="cosine: expected"):
        amos_decay(1, 1e-3, 0.1, "rising")
    with pytest.raises(OptionError, match="q: expected a finite number > 0"):
        amos_rates(1, 1e-3, 0.1, q=0.0)
    with pytest.raises(OptionError, match=r"cosine: expected a number in \[-1, 1\]"):
        aligned_direction(np.ones(2), 1.5)
