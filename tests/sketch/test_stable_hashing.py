import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from arrayopt.errors import BackendError, LeafError, OptionError
from arrayopt.sketch import draw_stable_hash, stable_collision, stable_hash
from tests.sketch.elsewhere import assert_same, away, on_other_libraries

DENSITY = {
    1: lambda t: 2 / (math.pi * (1 + t * t)),
    2: lambda t: math.sqrt(2 / math.pi) * math.exp(-t * t / 2),
}


def exact(r, p):
    """To 60 digits."""
    with mpmath.workdps(400):
        r = mpmath.mpf(r)
        if p == 1:
            return 2 / mpmath.pi * mpmath.atan(r) - mpmath.log(1 + r * r) / (mpmath.pi * r)
        return mpmath.erf(r / mpmath.sqrt(2)) + mpmath.sqrt(2 / mpmath.pi) * mpmath.expm1(-r * r / 2) / r


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("c", [0.3, 1.0, 7.0])
def test_the_probability_is_the_integral_of_the_law_over_a_bin(p, c):
    # two numbers t apart share a bin of width w with probability (1 - t / w)+
    w = 2.5
    value, _ = integrate.quad(lambda t: DENSITY[p](t / c) / c * (1 - t / w), 0, w, epsabs=1e-14)
    assert stable_collision(c, w, p) == pytest.approx(value, rel=1e-12)


@given(st.floats(-150, 150), st.sampled_from([1, 2]))
def test_it_equals_high_precision_from_tiny_to_huge_widths(exponent, p):
    r = 10.0**exponent
    small = r / (math.pi if p == 1 else math.sqrt(2 * math.pi))
    expected = exact(r, p) if abs(exponent) < 100 else 1.0 if exponent > 0 else small
    assert stable_collision(1.0, r, p) == pytest.approx(float(expected), rel=2e-15)
    assert stable_collision(1 / r, 1.0, p) == pytest.approx(float(expected), rel=3e-15)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("distance", [0.5, 2.0, 10.0])
def test_hashes_collide_with_the_stated_probability(p, distance):
    rng = np.random.default_rng(7)
    x, step = rng.standard_normal(6), rng.standard_normal(6)
    y = x + distance * step / np.linalg.norm(step, p)
    directions, offsets = draw_stable_hash(40_000, 6, 3.0, p, rng=1)
    same = stable_hash(x, directions, offsets, 3.0) == stable_hash(y, directions, offsets, 3.0)
    assert stats.binomtest(int(same.sum()), 40_000, stable_collision(distance, 3.0, p)).pvalue > 1e-4


@given(st.floats(0, 1e6), st.floats(1e-3, 1e3), st.floats(1, 10), st.sampled_from([1, 2]))
def test_it_falls_with_the_distance(c, w, factor, p):
    near, far = stable_collision(c, w, p), stable_collision(c * factor, w, p)
    assert 0 <= far <= near * (1 + 1e-14) <= 1 + 2e-14


def test_bins_are_those_of_exact_arithmetic():
    directions, offsets = np.asarray([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]), np.asarray([0.0, 1.5, 0.5])
    x = np.asarray([[0.0, 0.0], [-0.1, 0.5], [4.0, 7.9]])
    expected = [[0, 0, 0], [-1, 1, -1], [2, 4, 0]]
    np.testing.assert_array_equal(stable_hash(x, directions, offsets, 2.0), expected)


def test_extremes():
    for p in (1, 2):
        assert stable_collision(0.0, 1.0, p) == 1.0
        assert stable_collision(math.inf, 1.0, p) == 0.0
        assert math.isnan(stable_collision(math.nan, 1.0, p))
        assert stable_collision(1e308, 1e-300, p) == 0.0
        assert stable_collision(1e-300, 1e308, p) == 1.0
        assert stable_collision(5e-324, 5e-324, p) == stable_collision(1.0, 1.0, p)
        assert stable_collision(1e308, 1e308, p) == stable_collision(1.0, 1.0, p)
        assert stable_collision(np.asarray([0.0, 2.0], np.float16), 1.0, p).dtype == np.float16
        assert stable_collision(np.zeros((0, 2)), 1.0, p).shape == (0, 2)
    directions, offsets = draw_stable_hash(4, 2, 1.0, rng=0)
    assert np.isnan(stable_hash(np.asarray([np.nan, 0.0]), directions, offsets, 1.0)).all()
    assert stable_hash(np.zeros((0, 2)), directions, offsets, 1.0).shape == (0, 4)
    large = stable_hash(np.asarray([1e300, 0.0]), directions, offsets, 1.0)
    assert (np.abs(large) > 1e290).all()  # no integer has wrapped


def test_drawing():
    for p, law in ((1, "cauchy"), (2, "norm")):
        directions, offsets = draw_stable_hash(500, 8, 4.0, p, rng=3)
        assert stats.kstest(directions.ravel(), law).pvalue > 1e-3
        assert stats.kstest(offsets / 4, "uniform").pvalue > 1e-3
    assert draw_stable_hash(2, 3, 1.0, rng=0, dtype="float32")[0].dtype == np.float32


@on_other_libraries
def test_other_libraries(xp):
    rng = np.random.default_rng(0)
    x, directions, offsets = rng.standard_normal((3, 4)), rng.standard_normal((9, 4)), rng.random(9)
    assert_same(xp, lambda *a: stable_hash(*a, 1.0), x, directions, offsets)
    assert_same(xp, lambda c: stable_collision(c, 2.0, 1), [0.0, 1e-9, 0.1, 3.0, 1e9, np.inf])
    if xp.__name__ == "array_api_strict":
        with pytest.raises(BackendError, match="erf: array_api_strict has no such function"):
            stable_collision(away(xp, np.ones(2)), 2.0)
    else:
        assert_same(xp, lambda c: stable_collision(c, 2.0), [0.0, 1e-9, 0.1, 3.0, 1e9, np.inf])


def test_what_is_refused():
    with pytest.raises(OptionError, match=r"distance: expected a number >= 0, got -1\.0"):
        stable_collision(-1.0, 1.0)
    with pytest.raises(OptionError, match=r"width: expected a finite number > 0, got 0\.0"):
        stable_collision(1.0, 0.0)
    with pytest.raises(OptionError, match=r"p: expected 1 \(Cauchy\) or 2 \(normal\), got 3"):
        stable_collision(1.0, 1.0, 3)
    with pytest.raises(OptionError, match="width: expected a finite number > 0, got inf"):
        draw_stable_hash(2, 3, math.inf)
    with pytest.raises(LeafError, match=r"offsets: expected 3, one a direction, got \(2,\)"):
        stable_hash(np.ones(2), np.ones((3, 2)), np.ones(2), 1.0)
