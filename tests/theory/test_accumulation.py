from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import OptionError
from arrayopt.theory import accumulated_momentum, hidden_momentum, spread_decay, spread_gap
from tests.theory.elsewhere import assert_same, on_other_libraries


@given(st.integers(1, 6), st.integers(1, 5), st.floats(0, 0.999), st.integers(0, 10**6))
def test_hidden_accumulation_is_exact_for_the_first_moment(k, updates, beta, seed):
    g = np.random.default_rng(seed).standard_normal((k * updates, 3))
    hidden, plain = hidden_momentum(g, k, beta), accumulated_momentum(g, k, beta)
    np.testing.assert_allclose(hidden, plain, rtol=1e-12, atol=1e-14)
    # and never too small for the second one
    v, true = hidden_momentum(g, k, beta, power=2), accumulated_momentum(g, k, beta, power=2)
    assert np.all(v >= true * (1 - 1e-12))
    np.testing.assert_allclose(hidden_momentum(np.repeat(g[:1], k, 0), k, beta, power=2)[0], (1 - beta) * g[0] ** 2)
    if k == 1:
        np.testing.assert_allclose(v, true, rtol=1e-14)


def test_pure_noise_makes_the_second_moment_k_times_too_large():
    g = np.random.default_rng(0).standard_normal((4 * 5000,))
    ratio = hidden_momentum(g, 4, 0.999, power=2)[-1] / accumulated_momentum(g, 4, 0.999, power=2)[-1]
    assert ratio == pytest.approx(4, rel=0.1)


def test_known_answers():
    assert [round(spread_gap(0.9, k), d) for k, d in ((2, 4), (4, 6), (16, 6))] == [0.0025, 0.003688, 0.004554]
    for k in (2, 4, 16):
        assert spread_gap(0.999, k) == pytest.approx((k - 1) / (2 * k) * 1e-6, rel=1e-3)


@given(st.floats(0, 0.9999999), st.integers(1, 200))
def test_the_gap_against_exact_fractions(beta, k):
    b = Fraction(beta)
    exact = (1 - (1 - b) / k) ** k - b
    assert exact >= 0
    assert spread_gap(beta, k) == pytest.approx(float(exact), rel=1e-12, abs=1e-300)


def test_extremes():
    assert spread_gap(0.5, 1) == 0
    assert spread_gap(0.9, 10**9) == pytest.approx(np.exp(-0.1) - 0.9, rel=1e-8)
    assert spread_gap(1 - 2**-53, 4) > 0
    assert spread_decay(0.9, 1) == pytest.approx(0.9)
    for dtype in (np.float16, np.float32, np.float64):
        assert hidden_momentum(np.ones((2, 0), dtype), 2, 0.5).shape == (1, 0)
        assert hidden_momentum(np.ones(2, dtype), 2, 0.5).dtype == dtype


@on_other_libraries
def test_other_libraries(xp):
    g = np.random.default_rng(0).standard_normal((6, 2))
    for f in (hidden_momentum, accumulated_momentum):
        assert_same(xp, lambda g, f=f: [f(g, 3, 0.9), f(g, 2, 0.9, power=2)], g)


def test_refusals():
    with pytest.raises(OptionError, match="gradients: expected a multiple of k = 2"):
        hidden_momentum(np.ones(3), 2, 0.5)
    with pytest.raises(OptionError, match="k, beta: expected"):
        spread_gap(1.0, 2)
    with pytest.raises(OptionError, match="k, beta: expected"):
        spread_decay(0.5, 0)
