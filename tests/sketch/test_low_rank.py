import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.backend import to_numpy
from arrayopt.errors import LeafError, OptionError
from arrayopt.sketch import article_svd, randomized_svd
from tests.sketch.elsewhere import away, on_other_libraries


def matrix(m, n, singular, seed=0):
    """A matrix with given singular values."""
    rng, k = np.random.default_rng(seed), len(singular)
    u, v = (np.linalg.qr(rng.standard_normal((size, k)))[0] for size in (m, n))
    return u * np.asarray(singular) @ v.T


def product(found):
    return found.u * found.s[..., None, :] @ found.vt


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 30), st.integers(0, 99))
def test_it_is_a_decomposition_and_exact_for_matrices_of_its_rank(m, n, rank, seed):
    rank = min(rank, m, n)
    a = matrix(m, n, np.geomspace(1, 0.1, rank) if rank else [0.0], seed)
    found = randomized_svd(a, rank, rng=seed)
    assert (found.u.shape, found.s.shape, found.vt.shape) == ((m, rank), (rank,), (rank, n))
    np.testing.assert_allclose(found.u.T @ found.u, np.eye(rank), atol=1e-13)
    np.testing.assert_allclose(found.vt @ found.vt.T, np.eye(rank), atol=1e-13)
    np.testing.assert_allclose(found.s, np.geomspace(1, 0.1, rank) if rank else [], rtol=1e-13)
    np.testing.assert_allclose(product(found), a, atol=1e-14)


@pytest.mark.parametrize(("m", "n"), [(300, 120), (120, 300)])
@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_two_power_iterations_are_within_a_hundredth_of_the_optimum(m, n, slope):
    singular = np.arange(1.0, 121) ** -slope
    a, best = matrix(m, n, singular), math.sqrt((singular[15:] ** 2).sum())
    errors = [np.linalg.norm(a - product(randomized_svd(a, 15, rng=s))) / best for s in range(5)]
    assert 1 - 1e-12 <= min(errors) <= max(errors) <= 1.01
    without = np.linalg.norm(a - product(randomized_svd(a, 15, power_iterations=0, rng=0))) / best
    assert without > max(errors)


def test_without_power_iterations_the_mean_square_error_keeps_halkos_bound():
    singular = np.arange(1.0, 61) ** -0.7
    a, k, p = matrix(80, 60, singular), 10, 5
    tail = (singular[k:] ** 2).sum()
    squares = []
    for seed in range(300):
        u = randomized_svd(a, k + p, oversampling=0, power_iterations=0, rng=seed).u
        squares.append(np.linalg.norm(a - u @ (u.T @ a)) ** 2)
    assert np.mean(squares) <= (1 + k / (p - 1)) * tail


@pytest.mark.parametrize("power_iterations", [1, 4, 10])
def test_power_iterations_do_not_lose_small_singular_values(power_iterations):
    singular = 10.0 ** -np.linspace(0, 13, 40)
    a, best = matrix(200, 100, singular), math.sqrt((singular[36:] ** 2).sum())
    found = randomized_svd(a, 36, oversampling=0, power_iterations=power_iterations, rng=0)
    assert np.linalg.norm(a - product(found)) < 1.5 * best
    np.testing.assert_allclose(found.s[:20], singular[:20], rtol=1e-8)
    # as they do where products are taken as they are
    y = a @ np.random.default_rng(0).standard_normal((100, 36))
    for _ in range(power_iterations):
        y = a @ (a.T @ y)
    q = np.linalg.qr(y)[0]
    assert np.linalg.norm(a - q @ (q.T @ a)) > 100 * best


def test_trap_the_articles_variant_fails_where_the_rank_is_low_and_the_right_one_does_not():
    n, k = 1000, 100
    a = matrix(20, n, np.geomspace(1, 0.2, 5))
    size = np.linalg.norm(a)
    assert np.linalg.norm(a - product(randomized_svd(a, 5, rng=0))) < 1e-14 * size
    orthonormal = [np.linalg.norm(a - product(article_svd(a, k, orthonormal=True, rng=s))) for s in range(20)]
    raw = [np.linalg.norm(a - product(article_svd(a, k, rng=s))) for s in range(20)]
    # 1 - k/n, and (n + 1)/k, of the square
    assert np.mean(np.square(orthonormal)) / size**2 == pytest.approx(1 - k / n, abs=0.01)
    assert np.mean(np.square(raw)) / size**2 == pytest.approx((n + 1) / k, rel=0.1)


def test_the_article_variant_finds_singular_values_and_left_vectors_of_low_rank():
    singular = np.asarray([4.0, 2.0, 1.0])
    a = matrix(50, 3000, singular)
    found = article_svd(a, 2000, rng=0)
    np.testing.assert_allclose(found.s[:3], singular, rtol=0.1)
    u = np.linalg.svd(a, full_matrices=False)[0][:, :3]
    assert (np.abs(np.sum(u * found.u[:, :3], axis=0)) > 0.99).all()
    # the right vectors it gives are not of unit length, and not those of a
    assert np.linalg.norm(found.vt[0]) ** 2 == pytest.approx(1 + 3000 / 2000, rel=0.5)


def test_with_as_many_columns_as_n_the_orthonormal_variant_is_exact():
    a = np.random.default_rng(0).standard_normal((7, 5))
    np.testing.assert_allclose(product(article_svd(a, 5, orthonormal=True, rng=0)), a, atol=1e-14)


@pytest.mark.parametrize("scale", [1e308, 1e200, 1e-200, 1e-300])
def test_matrices_of_any_size_are_decomposed(scale):
    a = matrix(20, 12, [1.0, 0.5, 0.25])
    a = a / np.abs(a).max() * scale
    found = randomized_svd(a, 3, rng=0)
    expected = np.linalg.svd(a / scale, compute_uv=False)[:3]
    if scale == 1e308:  # the greatest are beyond the range
        expected = np.where(expected > np.finfo(float).max / scale, np.inf, expected)
    np.testing.assert_allclose(found.s / scale, expected, rtol=1e-12)
    np.testing.assert_allclose(found.u.T @ found.u, np.eye(3), atol=1e-13)
    half = (found.u * np.where(np.isinf(found.s), 0, found.s)) @ found.vt
    if scale < 1e308:
        np.testing.assert_allclose(half / scale, a / scale, atol=1e-13)


def test_extremes():
    assert (randomized_svd(np.zeros((4, 3)), 2, rng=0).s == 0).all()
    with np.errstate(under="ignore"):
        tiny = randomized_svd(np.full((4, 3), 5e-324), 1, rng=0)
    assert tiny.s[0] == pytest.approx(math.sqrt(12) * 5e-324, abs=5e-324)
    for bad in (np.nan, np.inf, -np.inf):
        stack = np.ones((2, 4, 3))
        stack[1, 2, 1] = bad
        found = randomized_svd(stack, 2, rng=0)
        assert all(np.isnan(x[1]).all() for x in found)
        np.testing.assert_allclose(found.s[0], [math.sqrt(12), 0], atol=1e-14)
        assert np.isnan(article_svd(stack, 2, rng=0).s[1]).all()
    for shape in ((0, 3), (3, 0), (0, 0)):
        found = randomized_svd(np.zeros(shape), 0)
        assert (found.u.shape, found.s.shape, found.vt.shape) == ((shape[0], 0), (0,), (0, shape[1]))
    assert randomized_svd(np.asarray([[-3.0]]), 1, rng=0).s[0] == pytest.approx(3)


def test_stacks_are_their_matrices():
    a = np.random.default_rng(0).standard_normal((2, 3, 9, 6))
    found = randomized_svd(a, 2, rng=1)
    assert found.u.shape == (2, 3, 9, 2)
    one = randomized_svd(a[1, 2], 2, rng=1)
    np.testing.assert_allclose(product(found)[1, 2], product(one), atol=1e-13)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 3e-3), (np.float32, 1e-6)])
def test_the_dtype_is_kept(dtype, tolerance):
    a = matrix(30, 20, [1.0, 0.5]).astype(dtype)
    for found in (randomized_svd(a, 2, rng=0), article_svd(a, 20, orthonormal=True, rng=0)):
        assert {x.dtype for x in found} == {np.dtype(dtype)}
        np.testing.assert_allclose(product(found), a, atol=tolerance)


@on_other_libraries
def test_other_libraries(xp):
    a = matrix(30, 20, [1.0, 0.5]).astype(np.float32)
    made = away(xp, a)
    for f in (lambda x: randomized_svd(x, 2, rng=0), lambda x: article_svd(x, 20, orthonormal=True, rng=0)):
        found = f(made)
        assert all(type(x) is type(made) and (x.dtype, x.device) == (made.dtype, made.device) for x in found)
        u, s, vt = (to_numpy(x) for x in found)
        np.testing.assert_allclose(u * s @ vt, a, atol=1e-6)
    assert np.isnan(to_numpy(randomized_svd(made * math.nan, 2).s)).all()


def test_what_is_refused():
    a = np.ones((4, 3))
    with pytest.raises(OptionError, match=r"rank: expected at most min\(4, 3\), got 4"):
        randomized_svd(a, 4)
    with pytest.raises(OptionError, match="oversampling: expected an integer >= 0, got -1"):
        randomized_svd(a, 1, oversampling=-1)
    with pytest.raises(OptionError, match="columns: expected at most 3 that are orthonormal, got 4"):
        article_svd(a, 4, orthonormal=True)
    with pytest.raises(LeafError, match="a: expected matrices of real floating-point numbers, got an array of 1 axes"):
        randomized_svd(np.ones(3), 1)
    with pytest.raises(LeafError, match="dtype int64"):
        randomized_svd(np.ones((2, 2), np.int64), 1)
