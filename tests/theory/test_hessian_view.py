import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import LeafError, OptionError
from arrayopt.theory import (
    adabelief_view,
    adam_hessian,
    adam_view,
    empirical_fisher,
    gauss_newton,
    gradient_covariance,
    gradient_second_moment,
    hessian_magnitude,
    per_sample_gradients,
    quadratic_gradients,
    row_norms,
)
from tests.theory.elsewhere import assert_same, on_other_libraries


def symmetric(seed, d=4):
    M = np.random.default_rng(seed).standard_normal((d, d))
    return (M + M.T) / 2


def balanced(d, sigma=1.0, offset=0.0):
    """2d points of mean `offset` and covariance sigma^2 I, exactly: expectations without an error of sampling."""
    return offset + sigma * math.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])


@given(st.integers(0, 10**6), st.floats(0.1, 10))
def test_moments_of_gradients_of_a_quadratic(seed, sigma):
    H = symmetric(seed)
    g, shifted = balanced(4, sigma) @ H, balanced(4, sigma, offset=np.asarray([1.0, -2, 0, 3])) @ H
    scale = 1e-12 * (1 + sigma**2) * 100
    np.testing.assert_allclose(gradient_second_moment(g), sigma**2 * H @ H, rtol=1e-12, atol=scale)
    np.testing.assert_allclose(gradient_covariance(shifted), sigma**2 * H @ H, rtol=1e-12, atol=scale)
    np.testing.assert_allclose(adam_view(g, sigma), row_norms(H), rtol=1e-12)
    np.testing.assert_allclose(adabelief_view(shifted, sigma), row_norms(H), rtol=1e-9)
    assert np.all(row_norms(H) >= np.abs(np.diag(H)))
    w, v = np.linalg.eigh(H)
    magnitude = hessian_magnitude(gradient_second_moment(g), sigma)
    np.testing.assert_allclose(magnitude, (v * np.abs(w)) @ v.T, atol=1e-6)


def test_a_diagonal_hessian_is_found_but_for_its_sign():
    H = np.diag([2.0, -3.0, 0.0])
    np.testing.assert_allclose(adam_view(balanced(3) @ H), [2, 3, 0], rtol=1e-15)


def test_random_gradients_have_these_moments():
    H = symmetric(0)
    g = quadratic_gradients(H, 200_000, 0.5, rng=0)
    np.testing.assert_allclose(gradient_second_moment(g), 0.25 * H @ H, atol=0.02)
    offset = np.asarray([1.0, 2.0, 3.0, 4.0])
    g = quadratic_gradients(H, 200_000, 0.5, offset=offset, rng=1)
    np.testing.assert_allclose(np.mean(g, axis=0), H @ offset, atol=0.02)
    np.testing.assert_allclose(gradient_covariance(g), 0.25 * H @ H, atol=0.02)
    np.testing.assert_array_equal(quadratic_gradients(H, 3, rng=5), quadratic_gradients(H, 3, rng=5))


def test_the_empirical_fisher_is_gauss_newton_at_the_true_parameters():
    J, sigma = np.random.default_rng(0).standard_normal((5, 3, 2)), 0.7
    # for every Jacobian all residuals of a balanced set: the expectation over independent residuals
    r = balanced(2, sigma)
    pairs_J, pairs_r = np.repeat(J, 4, axis=0), np.tile(r, (5, 1))
    g = per_sample_gradients(pairs_J, pairs_r)
    np.testing.assert_allclose(g[0], -J[0] @ r[0], rtol=1e-15)
    np.testing.assert_allclose(empirical_fisher(g), sigma**2 * gauss_newton(J), rtol=1e-13, atol=1e-13)
    # the gradient of the batch says nothing there
    np.testing.assert_allclose(np.mean(g, axis=0), 0, atol=1e-15)


def test_newton_with_adams_hessian_is_adams_step():
    g, v, lr, eps = np.asarray([3.0, -1.0]), np.asarray([4.0, 0.25]), 0.1, 1e-3
    np.testing.assert_allclose(g / adam_hessian(v, lr, eps), lr * g / (np.sqrt(v) + eps), rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extremes(dtype):
    big = np.finfo(dtype).max / 4
    g = np.asarray([[big, 0], [-big, 0]], dtype)
    np.testing.assert_allclose(adam_view(g), [big, 0], rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(adabelief_view(g), [big, 0], rtol=2 * np.finfo(dtype).eps)
    small = np.finfo(dtype).smallest_subnormal * 64
    np.testing.assert_allclose(adam_view(np.asarray([[small], [-small]], dtype)), [small], rtol=0.05)
    assert adam_view(np.asarray([[3.0]], dtype)).tolist() == [3]
    assert adabelief_view(np.asarray([[3.0]], dtype)).tolist() == [0]
    assert adam_view(np.zeros((2, 0), dtype)).shape == (0,)
    assert np.isnan(hessian_magnitude(np.full((2, 2), math.nan, dtype))).all()
    assert hessian_magnitude(np.eye(2, dtype=dtype)).dtype == dtype
    assert hessian_magnitude(np.zeros((0, 0), dtype)).shape == (0, 0)


@on_other_libraries
def test_other_libraries(xp):
    g = np.random.default_rng(0).standard_normal((6, 3))
    for f in (adam_view, adabelief_view, gradient_second_moment, gradient_covariance, row_norms):
        assert_same(xp, f, g)
    assert_same(xp, lambda g: hessian_magnitude(gradient_second_moment(g)), g, rtol=1e-5)
    J, r = np.random.default_rng(1).standard_normal((4, 3, 2)), g[:4, :2]
    assert_same(xp, per_sample_gradients, J, r)
    assert_same(xp, gauss_newton, J)
    assert_same(xp, lambda H: quadratic_gradients(H, 5, 0.5, rng=0), symmetric(0))
    assert_same(xp, lambda v: adam_hessian(v, 0.1, 1e-3), np.abs(g))


def test_refusals():
    with pytest.raises(LeafError, match="gradients: expected samples in the shape"):
        adam_view(np.zeros(3))
    with pytest.raises(LeafError, match="gradients: expected samples in the shape"):
        gradient_second_moment(np.zeros((0, 3)))
    with pytest.raises(OptionError, match="sigma: expected a number > 0"):
        adam_view(np.ones((2, 2)), 0.0)
