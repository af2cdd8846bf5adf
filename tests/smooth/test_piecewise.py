"""Piecewise polynomials: values, jumps and shifts, exactly; what they refuse."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import OptionError
from arrayopt.smooth import ABSOLUTE, HARD_TANH, RELU, STEP, PiecewisePolynomial, staircase
from arrayopt.smooth.polynomials import derivative, exact, shifted

INF, NAN = math.inf, math.nan
NUMBERS = st.integers(-20, 20).map(float)


def test_values():
    x = np.asarray([-INF, -2.0, -0.0, 0.5, 1.0, INF, NAN])
    np.testing.assert_array_equal(STEP(x), [0, 0, 1, 1, 1, 1, NAN])
    np.testing.assert_array_equal(RELU(x), [0, 0, 0, 0.5, 1, INF, NAN])
    np.testing.assert_array_equal(ABSOLUTE(x), np.abs(x))
    np.testing.assert_array_equal(HARD_TANH(x), np.clip(x, -1, 1))
    cubic = PiecewisePolynomial((), ((1, -1, 0, 2),))
    np.testing.assert_array_equal(cubic(x), [-INF, -13, 1, 0.75, 2, INF, NAN])
    assert RELU(np.float32([1.5])).dtype == np.float32
    assert RELU(2) == 2.0
    assert STEP(np.zeros((0, 2))).shape == (0, 2)


def test_a_staircase_is_the_floor_between_its_ends():
    x = np.linspace(-4, 5, 91)[:-1] + 1e-9
    np.testing.assert_array_equal(staircase(-3, 4)(x), np.floor(x))
    np.testing.assert_array_equal(staircase(-3, 4)(np.asarray([-99.0, 99.0])), [-4, 4])


@given(st.lists(NUMBERS, max_size=6), NUMBERS, NUMBERS)
def test_shifts_and_derivatives_are_exact(a, centre, x):
    def value(a, x):
        return sum((c * Fraction(x) ** k for k, c in enumerate(a)), Fraction(0))

    moved = shifted(exact(a), Fraction(centre))
    assert len(moved) == len(a)
    assert value(moved, x - centre) == value(exact(a), x)
    for k in range(len(a)):  # Taylor coefficients are derivatives
        assert value(derivative(exact(a), k), centre) == moved[k] * math.factorial(k)


def test_jumps_are_those_of_derivatives():
    f = PiecewisePolynomial((2.0,), ((1.0, 1.0), (0.0, 0.0, 3.0)))  # 1 + x, then 3 x^2
    assert f.jumps(0) == (12.0 - 3.0, 12.0 - 1.0, 6.0)
    assert STEP.jumps(0) == (1.0,)
    assert RELU.jumps(0) == (0.0, 1.0)
    assert PiecewisePolynomial((1.0,), ((5.0,), (5.0,))).jumps(0) == ()
    # 0.1 has no exact square, and still nothing is left of the difference but its own roundings
    assert PiecewisePolynomial((0.1,), ((0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 0.0))).jumps(0) == ()


def test_what_is_refused():
    for points in [(1.0, 1.0), (2.0, 1.0), (NAN,), (INF,)]:
        with pytest.raises(OptionError, match="breakpoints: expected finite numbers, each above the one before"):
            PiecewisePolynomial(points, ((),) * (len(points) + 1))
    with pytest.raises(OptionError, match="coefficients: expected 2 pieces, one more than breakpoints, got 1"):
        PiecewisePolynomial((0.0,), ((),))
    with pytest.raises(OptionError, match="coefficients: expected finite numbers"):
        PiecewisePolynomial((), ((INF,),))
    with pytest.raises(OptionError, match="expected sequences of finite numbers"):
        PiecewisePolynomial((), ("x",))
    with pytest.raises(OptionError, match="first <= last, got 3 and 1"):
        staircase(3, 1)
    with pytest.raises(OptionError, match="does not overflow"):
        PiecewisePolynomial((1e300,), ((), (0.0, 0.0, 1.0))).jumps(0)
