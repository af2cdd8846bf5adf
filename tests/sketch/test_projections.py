import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, stats

import arrayopt
from arrayopt.errors import BackendError, LeafError, OptionError
from arrayopt.sketch import (
    achlioptas_projection,
    gaussian_projection,
    hadamard_projection,
    hadamard_sketch,
    hadamard_transform,
    sparse_projection,
)
from tests.sketch.elsewhere import assert_same, on_other_libraries

EVERY = [achlioptas_projection, gaussian_projection, hadamard_projection, sparse_projection]


@pytest.mark.parametrize("draw", EVERY)
def test_shape_dtype_and_seed(draw):
    a = draw(5, 9, rng=3)
    assert (a.shape, a.dtype) == ((5, 9), np.float64)
    np.testing.assert_array_equal(a, draw(5, 9, rng=3))
    assert (a != draw(5, 9, rng=4)).any()
    small = draw(5, 9, rng=3, dtype="float32")
    np.testing.assert_array_equal(small, a.astype(np.float32))
    assert draw(1, 1, rng=0).shape == (1, 1)


@pytest.mark.parametrize("draw", EVERY)
def test_a_matrix_is_made_in_the_library_in_use(draw):
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    with arrayopt.use("array_api_strict"):
        a = draw(2, 4, rng=0, dtype="float32")
        assert isinstance(a, type(strict.zeros(1)))
        assert a.dtype == strict.float32
        with pytest.raises(BackendError, match="dtype: array_api_strict has no float16"):
            draw(2, 4, rng=0, dtype="float16")


@pytest.mark.parametrize("draw", EVERY)
def test_the_mean_of_the_squared_norm_is_kept_and_its_variance_is_about_that_of_a_gaussian(draw):
    n, m, seeds = 32, 64, 2000
    u = np.random.default_rng(1).standard_normal(m)
    u /= np.linalg.norm(u)
    z = np.asarray([np.sum((draw(n, m, rng=s) @ u) ** 2) for s in range(seeds)])
    error = z.std() / math.sqrt(seeds)
    assert abs(z.mean() - 1) < 5 * error
    assert z.var() <= 2 / n * (1 + 5 * math.sqrt(2 / seeds) * 1.5)


def test_a_projected_unit_vector_is_normal_whatever_it_is():
    for u in (np.eye(50)[0], np.full(50, 1 / math.sqrt(50))):
        y = np.concatenate([gaussian_projection(20, 50, rng=s) @ u for s in range(100)]) * math.sqrt(20)
        assert stats.kstest(y, "norm").pvalue > 1e-3


@pytest.mark.parametrize("density", [1.0, 1 / 3, 0.1])
def test_entries_of_achlioptas(density):
    a = achlioptas_projection(200, 500, density=density, rng=0) * math.sqrt(200 * density)
    values = np.asarray([-1, 0, 1]) if density < 1 else np.asarray([-1, 1])
    np.testing.assert_allclose(np.unique(a.round(12)), values)
    share = [density / 2, 1 - density, density / 2]
    found = [np.mean(np.abs(a - v) < 0.1) for v in (-1, 0, 1)]
    np.testing.assert_allclose(found, share, atol=5 * 0.5 / math.sqrt(a.size))


@pytest.mark.parametrize("density", [1.0, 1 / 3, 0.05])
def test_the_variance_stated_for_achlioptas(density):
    n, m, seeds = 4, 3, 20_000
    u = np.asarray([0.8, 0.6, 0.0])
    rng = np.random.default_rng(5)
    z = np.asarray([np.sum((achlioptas_projection(n, m, density=density, rng=rng) @ u) ** 2) for _ in range(seeds)])
    expected = (2 + (1 / density - 3) * (u**4).sum()) / n
    fourth = np.mean((z - z.mean()) ** 4)
    assert abs(z.var() - expected) < 5 * math.sqrt(fourth / seeds)


@pytest.mark.parametrize("nonzeros", [1, 3, 8])
def test_columns_of_the_sparse_matrix(nonzeros):
    a = sparse_projection(8, 3000, nonzeros=nonzeros, rng=0)
    assert (np.count_nonzero(a, axis=0) == nonzeros).all()
    np.testing.assert_allclose((a * a).sum(axis=0), 1, rtol=1e-15)
    # rows are equally likely, and signs
    assert stats.chisquare(np.count_nonzero(a, axis=1)).pvalue > 1e-3
    assert stats.binomtest(int((a > 0).sum()), 3000 * nonzeros).pvalue > 1e-3


@pytest.mark.parametrize("m", [1, 2, 8, 64])
def test_the_transform_is_the_matrix_and_its_own_inverse(m):
    x = np.random.default_rng(0).standard_normal((2, 3, m))
    y = hadamard_transform(x)
    np.testing.assert_allclose(y, x @ (linalg.hadamard(m) / math.sqrt(m)), atol=1e-14)
    np.testing.assert_allclose(hadamard_transform(y), x, atol=1e-14)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_the_hadamard_matrix_gives_the_products_of_the_sketch(n, m, seed):
    n = min(n, 1 << (m - 1).bit_length())
    x = np.random.default_rng(seed).standard_normal((2, m))
    a = hadamard_projection(n, m, rng=seed)
    np.testing.assert_allclose(hadamard_sketch(x, n, rng=seed), x @ a.T, atol=1e-12)
    # every entry has one size, and rows of the padded matrix are orthogonal
    np.testing.assert_allclose(np.abs(a), 1 / math.sqrt(n), rtol=1e-12)


def test_as_many_rows_as_columns_are_an_orthogonal_matrix():
    a = hadamard_projection(16, 16, rng=0)
    np.testing.assert_allclose(a @ a.T, np.eye(16), atol=1e-15)
    np.testing.assert_allclose(a.T @ a, np.eye(16), atol=1e-15)


def test_the_signs_spread_every_vector_so_that_few_coordinates_tell_the_norm():
    # without them a row of the matrix would be one coordinate
    m, n = 1024, 64
    h = linalg.hadamard(m)[3] / math.sqrt(m)
    z = [float(np.sum(hadamard_sketch(x, n, rng=s) ** 2)) for s in range(50) for x in (h, np.eye(m)[7])]
    assert 0.5 < min(z) <= max(z) < 1.9


def test_extremes():
    with np.errstate(under="ignore"):
        np.testing.assert_array_equal(hadamard_transform(np.asarray([1e308, 1e308, 0, 0])), [1e308, 0, 1e308, 0])
        assert np.isnan(hadamard_transform(np.asarray([np.nan, 0.0]))).all()
    half = hadamard_transform(np.asarray([60000, 0, 0, 0], np.float16))
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, np.full(4, 30000, np.float16))
    assert hadamard_sketch(np.zeros((0, 3)), 2, rng=0).shape == (0, 2)


@on_other_libraries
def test_other_libraries(xp):
    x = np.random.default_rng(0).standard_normal((3, 6))
    assert_same(xp, lambda v: hadamard_sketch(v, 4, rng=1), x)
    assert_same(xp, hadamard_transform, x[:, :4])


def test_what_is_refused():
    for draw, (name, value) in itertools.product(EVERY, [("n", 0), ("m", 0), ("n", 2.0)]):
        with pytest.raises(OptionError, match=f"{name}: expected an integer >= 1, got {value}"):
            draw(**{"n": 2, "m": 2, name: value})
    with pytest.raises(OptionError, match="n: expected at most 4 rows, the least power of two from 3 on, got 5"):
        hadamard_projection(5, 3)
    with pytest.raises(OptionError, match="nonzeros: expected at most as many as there are rows, 2, got 3"):
        sparse_projection(2, 5, nonzeros=3)
    with pytest.raises(OptionError, match=r"density: expected a number in \(0, 1\], got 0"):
        achlioptas_projection(2, 5, density=0)
    with pytest.raises(OptionError, match='dtype: expected "float16"'):
        gaussian_projection(2, 5, dtype="int8")
    with pytest.raises(LeafError, match="x: expected vectors as long as a power of two, got 3; pad them"):
        hadamard_transform(np.zeros(3))
    with pytest.raises(LeafError, match="x: expected real floating-point numbers, got the dtype int64"):
        hadamard_transform(np.zeros(4, np.int64))
    with pytest.raises(LeafError, match="x: expected vectors along the last axis"):
        hadamard_transform(np.asarray(1.0))
