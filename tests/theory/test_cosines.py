import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arrayopt.errors import LeafError, OptionError
from arrayopt.theory import (
    BlockCosines,
    block_cosines,
    cosine,
    cosine_bounds,
    cosine_of_blocks,
    first_order_change,
    pearson,
    simpson,
)
from tests.theory.elsewhere import assert_same, on_other_libraries

INF, NAN = math.inf, math.nan
# norms of blocks are numbers of the dtype, and subnormal ones have few digits
VECTORS = hnp.arrays(np.float64, 5, elements=st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-290))


def array(*x, dtype=np.float64):
    return np.asarray(x, dtype)


def test_known_answers():
    x, y = array(1, 1), array(1, 2)
    assert float(cosine(x, y)) == pytest.approx(3 / math.sqrt(10), abs=1e-16)
    assert np.all(block_cosines(x, y, [1, 1]).cosines == 1)
    e = 1e-6
    assert float(cosine(array(e, 1), array(1, e))) == pytest.approx(2 * e / (1 + e * e), rel=1e-15)
    a, b = array(0, 1, 2), array(5, 6, 7)
    found = simpson([a, b], [a + 10, b - 6])
    assert found.within.tolist() == [1.0, 1.0]
    assert round(float(found.pooled), 4) == -0.8947


@given(VECTORS, VECTORS)
def test_the_blocks_make_up_the_whole(x, y):
    blocks = block_cosines(x, y, [2, 1, 2])
    whole = cosine(x, y)
    assert math.isnan(whole) == math.isnan(cosine_of_blocks(blocks))
    if not math.isnan(whole):
        assert float(cosine_of_blocks(blocks)) == pytest.approx(float(whole), abs=1e-14)
        low, high = cosine_bounds(blocks)
        assert low - 1e-14 <= whole <= high + 1e-14


def test_the_bounds_are_attained_by_blocks_that_agree():
    blocks = BlockCosines(array(0.3, 0.3, NAN), array(1, 2, 0), array(4, 1, 3))
    low, high = cosine_bounds(blocks)
    assert low == high == pytest.approx(float(cosine_of_blocks(blocks)), rel=1e-15)


def test_the_greatest_cosine_of_the_blocks_is_no_bound_if_it_is_negative():
    blocks = BlockCosines(array(-0.5, -0.5), array(1, 0.1), array(0.1, 1))
    assert float(cosine_of_blocks(blocks)) > -0.5


def test_blocks_without_any_weight():
    blocks = block_cosines(array(1, 0), array(0, 1), [1, 1])
    assert np.isnan(blocks.cosines).all()
    assert cosine_of_blocks(blocks) == 0 == cosine(array(1, 0), array(0, 1))
    assert [float(z) for z in cosine_bounds(blocks)] == [0, 0]
    assert math.isnan(cosine_of_blocks(block_cosines(array(0, 0), array(0, 1), [1, 1])))


@given(hnp.arrays(np.float64, 7, elements=st.floats(-1e3, 1e3)), st.floats(-1e4, 1e4))
def test_pearson_is_the_definition(x, c):
    y = x[::-1] + np.arange(7.0)
    dx, dy = x - np.mean(x), y - np.mean(y)
    if np.ptp(x) > 1e-3 and np.ptp(y) > 1e-3:
        assert float(pearson(x, y)) == pytest.approx(dx @ dy / math.sqrt(dx @ dx * (dy @ dy)), abs=1e-9)
        assert float(pearson(x + c, y)) == pytest.approx(float(pearson(x, y)), abs=1e-7)
        assert float(pearson(x, x)) == 1


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extremes(dtype):
    big, small = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    for x in (array(big, -big, big, dtype=dtype), array(small, -small, 0, dtype=dtype)):
        assert cosine(x, x).dtype == dtype
        assert cosine(x, x) == 1 == -cosine(x, -x)
        assert pearson(x, x) == 1 == -pearson(x, -x)
        assert np.isnan(cosine(x, 0 * x))
    assert cosine(array(INF, 1, dtype=dtype), array(2, 0, dtype=dtype)) == 1
    assert np.isnan(cosine(array(NAN, 1, dtype=dtype), array(2, 1, dtype=dtype)))
    for x in (array(INF, 1, dtype=dtype), array(0.1, 0.1, 0.1, dtype=dtype), array(1, dtype=dtype)):
        assert np.isnan(pearson(x, x))
    empty = np.zeros((2, 0), dtype)
    assert np.isnan(cosine(empty, empty)).all()
    assert np.isnan(pearson(empty, empty)).all()
    assert cosine(np.zeros((0, 3), dtype), np.zeros((0, 3), dtype)).shape == (0,)


def test_axes_and_broadcasting():
    x, y = np.random.default_rng(0).standard_normal((2, 3, 4))
    np.testing.assert_array_equal(cosine(x, y, axis=0), cosine(x.T, y.T))
    np.testing.assert_array_equal(pearson(x, y, axis=0), pearson(x.T.copy(), y.T.copy()))
    np.testing.assert_allclose(pearson(x, y), [np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)])
    assert cosine(x, y[0]).shape == (3,)


def test_first_order_change():
    u, g = array(1, 2), array(3, -4)
    assert float(first_order_change(u, g, 0.1)) == pytest.approx(
        -0.1 * np.linalg.norm(u) * np.linalg.norm(g) * cosine(u, g), rel=1e-15
    )


@on_other_libraries
def test_other_libraries(xp):
    x, y = np.random.default_rng(0).standard_normal((2, 3, 5))
    assert_same(xp, cosine, x, y)
    assert_same(xp, pearson, x, y)
    assert_same(xp, lambda x, y: cosine_bounds(block_cosines(x, y, [2, 3])), x, y)
    assert_same(xp, lambda x, y: cosine_of_blocks(block_cosines(x, y, [2, 3])), x, y)
    assert_same(xp, lambda x, y: simpson([x, y], [y, x]), x, y)


def test_refusals():
    with pytest.raises(LeafError, match="y: expected real floating-point numbers, got the dtype int64"):
        cosine(array(1), np.arange(1))
    with pytest.raises(OptionError, match="sizes: expected lengths of at least 1 that add up to 2"):
        block_cosines(array(1, 2), array(1, 2), [1])
    with pytest.raises(OptionError, match="xs, ys: expected as many groups"):
        simpson([], [])
