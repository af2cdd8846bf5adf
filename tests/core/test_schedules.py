"""Schedules: values at chosen steps, and the Amos forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import OptionError
from arrayopt.core.schedules import Constant, InverseSqrt, InverseTime, PiecewiseLinear, WarmupDecay, at


def test_a_number_is_its_own_schedule():
    assert at(0.5, 7) == 0.5
    assert at(Constant(0.5), 7) == 0.5


def test_piecewise_linear_starts_from_zero_unless_step_zero_is_given():
    warm = PiecewiseLinear(((10, 1.0), (20, 0.0)))
    assert [warm(t) for t in (0, 1, 5, 10, 15, 20, 1000)] == [0.0, 0.1, 0.5, 1.0, 0.5, 0.0, 0.0]
    assert PiecewiseLinear(((0, 2.0), (4, 0.0)))(1) == 1.5


@pytest.mark.parametrize("points", [(), ((5, 1.0), (5, 2.0)), ((5, 1.0), (3, 2.0)), ((-1, 1.0),)])
def test_piecewise_linear_refuses_steps_that_do_not_increase(points):
    with pytest.raises(OptionError, match="PiecewiseLinear"):
        PiecewiseLinear(points)


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_warmup_reaches_the_peak_and_decays_to_the_end(shape):
    rate = WarmupDecay(peak=2.0, warmup=4, total=12, end=0.5, shape=shape)
    assert [rate(t) for t in (1, 4, 12, 99)] == [0.5, 2.0, 0.5, 0.5]
    assert rate(8) == pytest.approx(1.25, rel=1e-15)  # half-way both shapes are at the mean
    assert WarmupDecay(peak=2.0, warmup=0, total=5)(0) == 2.0


def test_warmup_refuses_lengths_that_do_not_fit():
    with pytest.raises(OptionError, match="0 <= warmup < total"):
        WarmupDecay(peak=1.0, warmup=5, total=5)
    with pytest.raises(OptionError, match="'cosine' or 'linear'"):
        WarmupDecay(peak=1.0, warmup=0, total=5, shape="poly")


@given(st.integers(1, 10**6))
def test_the_sum_of_inverse_roots_is_below_two_roots(t):
    assert InverseSqrt(3.0)(t) == 3.0 / math.sqrt(t)


@given(st.floats(1e-6, 1e-1))
def test_half_lives_of_the_inverse_time_schedules(kappa):
    assert InverseTime(1.0, kappa, 1.0)(1 / kappa) == pytest.approx(0.5, rel=1e-12)
    assert InverseTime(1.0, kappa, 2.0)((math.sqrt(2) - 1) / kappa) == pytest.approx(0.5, rel=1e-12)
