"""Factorisations that answer None, in every array library."""

import numpy as np
import pytest

from arrayopt import to_numpy
from arrayopt.secondorder.factors import cholesky, power_of_two, solve
from tests.common.libraries import makers

each_library = pytest.mark.parametrize("make", makers("numpy", "torch", "strict", "jax"))


@each_library
def test_a_factorisation_or_none(make):
    good, indefinite, singular = [[4.0, 2.0], [2.0, 5.0]], [[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]
    assert to_numpy(cholesky(make(good))).tolist() == [[2.0, 0.0], [1.0, 2.0]]
    assert cholesky(make(indefinite)) is None
    assert solve(make(singular), make([1.0, 2.0])) is None
    np.testing.assert_allclose(to_numpy(solve(make(indefinite), make([3.0, 3.0]))), [1.0, 1.0], rtol=1e-6)


def test_rounding_errors_do_not_make_a_matrix_positive_definite():
    rng = np.random.default_rng(0)
    for _ in range(50):
        half = rng.standard_normal((6, 3))
        assert cholesky(half @ half.T) is None
    bad = np.diag([1e-30, 1.0, 1e30])
    assert cholesky(bad) is not None


def test_other_errors_pass():
    with pytest.raises(ValueError, match="mismatch"):
        solve(np.eye(2), np.ones(3))
    with pytest.raises(np.linalg.LinAlgError, match="square"):
        np.linalg.cholesky(np.ones((2, 3)))


def test_no_solution_that_is_not_finite():
    assert solve(np.asarray([[1e-300]]), np.asarray([1e300])) is None


@pytest.mark.parametrize("size", [5e-324, 1e-310, 0.3, 0.5, 1.0, 5.0, 1.7e308])
def test_the_power_of_two_below(size):
    unit = power_of_two(size)
    assert unit <= size
    assert size / unit < 2
    assert np.frexp(unit)[0] == 0.5


def test_nothing_has_the_unit_one():
    assert power_of_two(0.0) == 1.0
