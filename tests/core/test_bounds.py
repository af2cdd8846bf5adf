"""Bounds as they are given, and the projected gradient."""

import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds

from arrayopt import to_numpy
from arrayopt.core.bounds import projected_gradient, read_bounds
from arrayopt.errors import OptionError

INF = math.inf


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [
        ([(0, 1), (-2, 3)], [0, -2], [1, 3]),
        ([(None, 1), (-2, None)], [-INF, -2], [1, INF]),
        (np.asarray([[0.0, 1.0], [-INF, INF]]), [0, -INF], [1, INF]),
        (Bounds([0, 1], [2, 3]), [0, 1], [2, 3]),
        (Bounds(0, INF), [0, 0], [INF, INF]),
        (Bounds([[0, 1]], 2), [0, 1], [2, 2]),
        ([(1, 1), (0, 0)], [1, 0], [1, 0]),
    ],
)
def test_what_scipy_takes_is_taken(given, low, high):
    got = read_bounds(given, 2)
    assert [x.tolist() for x in got] == [low, high]
    assert all(x.dtype == np.float64 and x.flags.writeable for x in got)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([(0, 1)], "2 pairs, got 1"),
        ([(0, 1, 2), (0, 1)], r"pairs \(lower, upper\)"),
        (3, r"pairs \(lower, upper\)"),
        ([("a", 1), (0, 1)], r"pairs \(lower, upper\)"),
        ([(0, 1), (2, 1)], "variable 1 has the lower bound 2.0 and the upper bound 1.0"),
        ([(math.nan, 1), (0, 1)], "variable 0 has the lower bound nan"),
        (Bounds([0, 1, 2], [3, 4, 5]), "one number or 2 of them"),
    ],
)
def test_what_is_no_bounds_is_refused(given, says):
    with pytest.raises(OptionError, match=says):
        read_bounds(given, 2)


@given(st.integers(0, 10**6))
def test_projected_gradient_is_the_step_to_the_projection(seed):
    rng = np.random.default_rng(seed)
    low = rng.standard_normal(6)
    high = low + rng.choice([0.0, 1.0, INF], 6)
    x = np.minimum(low + rng.choice([0.0, 0.3, 1.0], 6), high)
    g = rng.standard_normal(6)
    expected = x - np.clip(x - g, low, high)
    np.testing.assert_allclose(projected_gradient((low, high), x, g), expected, rtol=1e-12, atol=1e-15)


def test_without_a_box_it_is_the_gradient():
    g = array_api_strict.asarray([1.0, -2.0])
    assert projected_gradient(None, g, g) is g


def test_other_libraries():
    make = array_api_strict.asarray
    out = projected_gradient((make([0.0, 0.0]), make([1.0, 1.0])), make([0.0, 0.5]), make([3.0, -3.0]))
    assert to_numpy(out).tolist() == [0.0, -0.5]
