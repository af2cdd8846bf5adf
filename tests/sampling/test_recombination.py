"""Rank-based weights: their identities with importance weights, elites, and the update of rank mu."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arrayopt.backend import to_numpy
from arrayopt.errors import OptionError
from arrayopt.sampling import rank_table, rank_weights, tempered_weights, weighted_mean
from tests.common.libraries import libraries

KINDS = ["logarithmic", "equal", "geometric"]
VALUES = hnp.arrays(np.float64, st.integers(2, 20), elements=st.floats(-5, 5), unique=True)


@given(VALUES, st.sampled_from(KINDS))
def test_they_do_not_change_bit_for_bit_under_increasing_functions(f, kind):
    f = np.round(f, 2)
    expected = rank_weights(f, kind=kind).weights
    for transformed in (np.exp(f), f**3 + 7, 2 * f - 100):
        if (np.argsort(transformed, kind="stable") == np.argsort(f, kind="stable")).all():
            np.testing.assert_array_equal(rank_weights(transformed, kind=kind).weights, expected)


@given(st.integers(1, 60), st.sampled_from(KINDS), st.data())
def test_a_table_falls_from_the_best_on_and_sums_to_one(n, kind, data):
    parents = data.draw(st.integers(1, n))
    table = rank_table(n, parents, kind)
    assert table.sum() == pytest.approx(1, rel=1e-14)
    assert (np.diff(table) <= 0).all()
    assert (table[:parents] > 0).all()
    assert not table[parents:].any()


@given(VALUES, st.sampled_from(KINDS), st.floats(0.1, 10))
def test_they_are_importance_weights_of_an_objective_that_depends_on_ranks_only(f, kind, alpha):
    found = rank_weights(f, kind=kind)
    with np.errstate(divide="ignore"):
        stand_in = -alpha * np.log(found.weights)
    np.testing.assert_allclose(tempered_weights(stand_in, alpha).weights, found.weights, rtol=1e-12)
    assert found.ess == pytest.approx(1 / np.square(found.weights).sum(), rel=1e-14)


def test_the_mean_moves_as_that_of_cma_es():
    n, mu = 10, 5
    w = np.log(n / 2 + 0.5) - np.log(np.arange(1, mu + 1))
    w /= w.sum()
    np.testing.assert_allclose(rank_table(n, mu)[:mu], w, rtol=1e-14)
    rng = np.random.default_rng(0)
    x, f = rng.normal(size=(n, 3)), rng.normal(size=n)
    np.testing.assert_allclose(weighted_mean(rank_weights(f).weights, x), w @ x[np.argsort(f)][:mu], rtol=1e-13)


def test_the_update_of_rank_mu_at_rate_one_is_the_natural_gradient_step_on_mean_and_covariance():
    """That of sum w_i log N(x_i; m, C), with the Fisher matrices C^-1 and (C^-1 x C^-1) / 2 written out."""
    rng, d, n = np.random.default_rng(1), 3, 9
    A = rng.normal(size=(d, d))
    m, C = rng.normal(size=d), A @ A.T + np.eye(d)
    x = rng.multivariate_normal(m, C, size=n)
    w = rank_weights(rng.normal(size=n)).weights
    inverse = np.linalg.inv(C)
    off = x - m
    slope_m = inverse @ (w @ off)
    slope_C = sum(wi * 0.5 * (inverse @ np.outer(o, o) @ inverse - inverse) for wi, o in zip(w, off, strict=True))
    step_m = np.linalg.solve(inverse, slope_m)
    step_C = np.linalg.solve(0.5 * np.kron(inverse, inverse), slope_C.ravel()).reshape(d, d)
    np.testing.assert_allclose(m + step_m, weighted_mean(w, x), rtol=1e-12)
    rank_mu = np.einsum("i,ia,ib->ab", w, off, off)
    np.testing.assert_allclose(C + step_C, rank_mu, rtol=1e-10, atol=1e-12)


def test_nan_comes_after_infinity_and_nothing_has_a_weight_where_nothing_is_finite():
    f = np.array([[math.nan, math.inf, 2.0, -math.inf], [math.nan, math.inf, math.nan, math.inf]])
    w = rank_weights(f, parents=4).weights
    assert (np.argsort(-w[0]) == [3, 2, 1, 0]).all()
    assert not w[1].any()


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries(xp):
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    f = np.array([[3.0, 1.0, 2.0]], np.float32)
    found = rank_weights(xp.asarray(f, **where))
    assert found.weights.dtype == xp.float32
    np.testing.assert_allclose(to_numpy(found.weights), [[0, 1, 0]])


def test_what_is_refused():
    with pytest.raises(OptionError, match="rank_table: parents must be at most n = 3, got 4"):
        rank_table(3, 4)
    with pytest.raises(OptionError, match="rank_table: kind must be one of 'logarithmic'"):
        rank_table(3, 2, "best")
    with pytest.raises(OptionError, match="rank_table: ratio must be a number in"):
        rank_table(3, 2, "geometric", ratio=1.0)
