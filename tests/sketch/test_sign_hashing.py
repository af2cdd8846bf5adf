import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from arrayopt.errors import LeafError, OptionError
from arrayopt.sketch import (
    SIGN_COSINE_GAP,
    SIGN_COSINE_WORST,
    cosine_estimate,
    gaussian_projection,
    hash_agreement,
    sign_collision,
    sign_cosine,
    sign_hash,
)
from tests.sketch.elsewhere import assert_same, on_other_libraries

COSINES = st.floats(-1, 1)


def pair(cosine, m=7, seed=0):
    """Two unit vectors of m components with a given cosine."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((m, 2)))
    return q[:, 0], cosine * q[:, 0] + math.sqrt(1 - cosine**2) * q[:, 1]


@pytest.mark.parametrize("cosine", [-0.9, 0.0, 0.5, SIGN_COSINE_WORST, 0.999])
def test_hashes_collide_with_the_stated_probability(cosine):
    x, y = pair(cosine)
    directions = gaussian_projection(40_000, 7, rng=1)
    agree = int((sign_hash(x, directions) == sign_hash(y, directions)).sum())
    assert stats.binomtest(agree, 40_000, sign_collision(cosine)).pvalue > 1e-4


def test_trap_the_cosine_of_the_signs_is_not_the_cosine():
    x, y = pair(SIGN_COSINE_WORST)
    directions = gaussian_projection(100_000, 7, rng=2)  # more than there are dimensions
    signs = [np.sign(directions @ v) for v in (x, y)]
    plain = float(signs[0] @ signs[1] / 100_000)
    agreement = hash_agreement(sign_hash(x, directions), sign_hash(y, directions))
    assert cosine_estimate(agreement, corrected=False) == pytest.approx(plain, rel=1e-12)
    error = 5 / math.sqrt(100_000)
    assert abs(plain - sign_cosine(SIGN_COSINE_WORST)) < error
    assert plain < SIGN_COSINE_WORST - 0.21 + error
    assert abs(float(cosine_estimate(agreement)) - SIGN_COSINE_WORST) < error


def test_the_greatest_gap():
    assert (round(SIGN_COSINE_GAP, 7), round(SIGN_COSINE_WORST, 6)) == (0.2105137, 0.771178)
    assert round(math.acos(SIGN_COSINE_WORST), 4) == 0.6901
    found = optimize.minimize_scalar(lambda c: sign_cosine(c) - c, bounds=(0, 1), options={"xatol": 1e-9})
    assert found.x == pytest.approx(SIGN_COSINE_WORST, abs=1e-6)
    assert -found.fun == pytest.approx(SIGN_COSINE_GAP, rel=1e-12)


@given(COSINES)
def test_the_three_laws_are_one(c):
    q = sign_collision(c)
    # NumPy's vectorised arccos is right to 4 units in the last place, of at most pi; and one rounding of a share
    unit = 4 * math.ulp(math.pi) / math.pi + 2**-53
    assert 0 <= q <= 1
    assert q == pytest.approx(1 - math.acos(c) / math.pi, abs=unit)
    assert sign_cosine(c) == pytest.approx(cosine_estimate(q, corrected=False), abs=4 * unit)
    assert cosine_estimate(q) == pytest.approx(c, abs=math.pi * unit + 2**-52)
    assert sign_collision(-c) == pytest.approx(1 - q, abs=2 * unit)


@pytest.mark.parametrize("cosine", [-0.7, 0.3, 0.95])
def test_the_bias_of_the_corrected_estimate(cosine):
    # the exact mean over the binomial law of the agreement, for many bits
    n, q = 4000, sign_collision(cosine)
    k = np.arange(n + 1)
    mean = float((stats.binom.pmf(k, n, q) * cosine_estimate(k / n)).sum())
    first = -(math.pi**2) / (2 * n) * q * (1 - q) * cosine
    assert mean - cosine == pytest.approx(first, rel=0.01)


def test_lengths_do_not_matter_and_nothing_overflows():
    directions = gaussian_projection(100, 5, rng=0)
    x = np.asarray([0.3, -1.0, 0.7, 0.1, -0.2])
    bits = sign_hash(x, directions)
    for scale in (1e308, 1e-300, 5e-308):
        np.testing.assert_array_equal(sign_hash(scale * x, directions), bits)
    np.testing.assert_array_equal(sign_hash(-x, directions), ~bits)
    infinite = sign_hash(np.asarray([np.inf, 1.0, -np.inf, 1e308, 0.0]), directions)
    np.testing.assert_array_equal(infinite, sign_hash(np.asarray([1.0, 0.0, -1.0, 0.0, 0.0]), directions))
    assert sign_hash(np.zeros(5), directions).all()
    assert not sign_hash(np.full(5, np.nan), directions).any()
    assert sign_hash(x.astype(np.float16), directions.astype(np.float16)).dtype == bool


def test_shapes():
    directions = gaussian_projection(6, 3, rng=0)
    bits = sign_hash(np.ones((2, 4, 3)), directions)
    assert bits.shape == (2, 4, 6)
    assert hash_agreement(bits[:, :1], bits).shape == (2, 4)
    assert sign_hash(np.ones((0, 3)), directions).shape == (0, 6)
    assert sign_hash(np.ones((2, 0)), np.ones((6, 0))).all()
    assert np.isnan(hash_agreement(bits[..., :0], bits[..., :0])).all()


def test_kinds_of_numbers():
    for f in (sign_collision, sign_cosine, cosine_estimate):
        assert isinstance(f(0.5), float)
        assert math.isnan(f(math.nan))
        assert f(np.asarray([0.5, 1.0], np.float32)).dtype == np.float32
        assert f(np.asarray([0, 1])).dtype == np.float64
        assert f(np.zeros((0, 2))).shape == (0, 2)
    assert (cosine_estimate(0.0), cosine_estimate(0.5), cosine_estimate(1.0)) == (-1.0, 0.0, 1.0)
    assert sign_collision(5e-324) == 0.5


@on_other_libraries
def test_other_libraries(xp):
    rng = np.random.default_rng(0)
    x, directions = rng.standard_normal((3, 4)), rng.standard_normal((9, 4))
    assert_same(xp, sign_hash, x, directions)
    assert_same(xp, lambda x, d: sign_cosine(cosine_estimate(sign_collision(x / 9) * 1.0)), x, directions)


def test_what_is_refused():
    with pytest.raises(OptionError, match=r"cosine: expected a number in \[-1, 1\], got 1.5"):
        sign_collision(1.5)
    with pytest.raises(OptionError, match=r"agreement: expected a share in \[0, 1\], got an array with another"):
        cosine_estimate(np.asarray([0.5, -0.1]))
    with pytest.raises(LeafError, match=r"directions: expected a matrix of shape \(n, 3\), got \(2, 4\)"):
        sign_hash(np.ones(3), np.ones((2, 4)))
    with pytest.raises(LeafError, match="x: expected real floating-point numbers"):
        sign_hash(np.ones(3, np.int64), np.ones((2, 3)))
    with pytest.raises(LeafError, match="a, b: expected hashes of one length"):
        hash_agreement(np.ones(3, bool), np.ones(4, bool))
