from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt.claims.exact import exactly, gram, identity, inverse
from arrayopt.core.method import Status
from arrayopt.errors import LeafError, OptionError
from arrayopt.secondorder.linear_conjugate_gradient import NotPositiveDefiniteError, conjugate_gradients, linear_cg
from arrayopt.solve import minimize
from tests.secondorder.transfers import DEVICE, counted, on_device, on_host

SEEDS = st.integers(0, 10**6)
FEW = settings(max_examples=25)


def rational(seed, n):
    """Return a symmetric positive definite matrix of integers, M'M + I, and a right-hand side, as Fractions."""
    rng = np.random.default_rng(seed)
    M = rng.integers(-3, 4, (n, n))
    return gram(exactly(M)), exactly(rng.integers(-5, 6, n))


def gradients_of_cg(A, b):
    """Return the iterates of conjugate gradients from 0, by the textbook, until the residual is 0."""
    x, r = 0 * b, b
    p, iterates = r, []
    while r @ r != 0:
        Ap = A @ p
        a = (r @ r) / (p @ Ap)
        x = x + a * p
        r, before = r - a * Ap, r
        p = r + (r @ r) / (before @ before) * p
        iterates.append(x)
    return iterates


def matrix(seed, eigenvalues):
    """Return a symmetric matrix with these eigenvalues."""
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(eigenvalues),) * 2))
    A = (Q * eigenvalues) @ Q.T
    return (A + A.T) / 2


# Exact arithmetic ------------------------------------------------------------------------------------------------


@FEW
@given(SEEDS, st.integers(1, 5))
def test_the_iterates_are_those_of_the_textbook_exactly(seed, n):
    A, b = rational(seed, n)
    found = [at.x for at in conjugate_gradients(A, b, 0 * b)][1:]
    textbook = gradients_of_cg(A, b)
    assert len(found) == len(textbook)
    assert all(all(x == y) for x, y in zip(found, textbook, strict=True))
    assert all(type(number) is Fraction for x in found for number in x)


@FEW
@given(SEEDS, st.integers(1, 5))
def test_a_preconditioner_is_a_change_of_variables_exactly(seed, n):
    A, b = rational(seed, n)
    C = identity(n) + np.tril(exactly(np.random.default_rng(seed).integers(-2, 3, (n, n))), -1)
    # x = C u turns A x = b with M = C C' into C'AC u = C'b without a preconditioner.
    found = [at.x for at in conjugate_gradients(A, b, 0 * b, C @ C.T)]
    turned = [C @ at.x for at in conjugate_gradients(C.T @ A @ C, C.T @ b, 0 * b)]
    assert len(found) == len(turned)
    assert all(all(x == y) for x, y in zip(found, turned, strict=True))


def test_the_inverse_as_preconditioner_takes_one_step_exactly():
    A, b = rational(3, 5)
    assert linear_cg(A, b, M=inverse(A), rtol=0.0).iterations == 1


# How it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_residual_is_that_of_x(dtype):
    n = 60
    A, b = matrix(1, np.geomspace(1e-3, 1e2, n)).astype(dtype), np.ones(n, dtype)
    for rtol in (1e-3, 1e-14):
        result = linear_cg(A, b, rtol=rtol, maxiter=5000)
        assert result.x.dtype == result.residual.dtype == dtype
        np.testing.assert_array_equal(result.residual, b - A @ result.x)
        reached = np.linalg.norm(result.residual) <= rtol * np.linalg.norm(b)
        assert result.success == reached
        assert result.success or result.status is Status.PRECISION_FLOOR


def test_replacement_keeps_the_recurrence_true():
    n = 60
    A, b = matrix(1, np.geomspace(1e-3, 1e2, n)).astype(np.float32), np.ones(n, np.float32)
    apart = {}
    for replace in (0, 50):
        for at, _ in zip(conjugate_gradients(A, b, 0 * b, replace=replace), range(601), strict=False):
            last = at
        apart[replace] = np.linalg.norm(last.r - (b - A @ last.x))
    # The recurrence alone believes in a residual that is far from b - Ax.
    assert apart[0] > 1e-3
    assert apart[50] == 0.0  # step 600 is one of those that replace it


@given(SEEDS, st.integers(2, 6))
@FEW
def test_negative_curvature_is_a_status_with_its_direction(seed, n):
    rng = np.random.default_rng(seed)
    A, b = matrix(seed, np.concatenate([[-1.0], rng.uniform(0.5, 2.0, n - 1)])), rng.standard_normal(n)
    result = linear_cg(A, b, rtol=1e-13)
    assert result.status is Status.NEGATIVE_CURVATURE
    assert not result.success
    assert result.direction @ A @ result.direction <= 0
    np.testing.assert_array_equal(result.residual, b - A @ result.x)


def test_a_preconditioner_that_is_not_positive_definite_is_seen():
    result = linear_cg(np.eye(2), np.ones(2), M=-np.eye(2))
    assert result.status is Status.NEGATIVE_CURVATURE
    with pytest.raises(NotPositiveDefiniteError):
        list(conjugate_gradients(np.eye(2), np.ones(2), np.zeros(2), -np.eye(2)))


def test_other_ends():
    A, b = np.diag([1.0, 2.0, 3.0]), np.ones(3)
    assert linear_cg(A, b, maxiter=1).status is Status.MAXITER
    assert linear_cg(A, b, x0=b / np.diag(A)).iterations == 0
    assert linear_cg(A, 0 * b).success
    assert linear_cg(A, b, rtol=0.0, atol=2.0).iterations == 0
    assert linear_cg(A * np.nan, b).status is Status.NOT_FINITE
    assert linear_cg(A, b * np.inf).status is Status.NOT_FINITE
    assert linear_cg(np.zeros((3, 3)), b).status is Status.NEGATIVE_CURVATURE
    result = linear_cg(lambda v: A @ v, b, M=lambda v: v / np.diag(A))
    assert result.success
    assert result.iterations == 1


def test_matrices_are_used_as_scipy_uses_them():
    from scipy.sparse.linalg import cg

    A, b, M = matrix(5, np.geomspace(1, 1e3, 30)), np.arange(30.0), np.diag(np.linspace(1.0, 2.0, 30))
    steps = []
    x, info = cg(A, b, M=M, rtol=1e-8, callback=steps.append)
    result = linear_cg(A, b, M=M, rtol=1e-8)
    assert info == 0
    assert abs(result.iterations - len(steps)) <= 1
    np.testing.assert_allclose(result.x, x, atol=1e-6)


def test_arrays_stay_on_their_device_and_an_iteration_takes_two_transfers():
    A, b = matrix(2, np.geomspace(1, 10, 8)), np.ones(8)
    with counted() as seen:
        result = linear_cg(on_device(A), on_device(b), rtol=1e-10)
    assert result.x.device == DEVICE
    assert len(seen) <= 2 * result.iterations + 4
    np.testing.assert_allclose(A @ on_host(result.x), b, atol=1e-9)


def test_as_a_method_it_minimises_quadratics():
    A, b = matrix(4, np.geomspace(1, 10, 5)), np.ones(5)
    for second in ({}, {"hess": lambda x: A}, {"hessp": lambda x, v: A @ v}):
        result = minimize(lambda x: x @ A @ x / 2 - b @ x, np.zeros(5), method="linear_cg", jac=lambda x: A @ x - b,
                          tol=1e-10, **second)  # fmt: skip
        assert result.success
        assert result.nit <= 5
        assert result.nfev == 1 + result.nit * (1 if second else 2)
        np.testing.assert_allclose(result.x, np.linalg.solve(A, b), atol=1e-9)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda A, b: linear_cg(A, b, rtol=-1.0), OptionError, "rtol must be a finite number >= 0, got -1"),
        (lambda A, b: linear_cg(A, b, atol=np.nan), OptionError, "atol"),
        (lambda A, b: linear_cg(A, b, maxiter=1.5), OptionError, "maxiter must be an integer >= 0"),
        (lambda A, b: linear_cg(A, A), LeafError, "b must be an array of one axis, got an array of shape"),
        (lambda A, b: linear_cg(A, [1.0, 2.0]), LeafError, "b must be an array of one axis, got a list"),
        (lambda A, b: linear_cg(A[:1], b), LeafError, "A must be a callable or of shape"),
        (lambda A, b: linear_cg(A, b, M=np.ones(2)), LeafError, "M must be a callable or of shape"),
        (lambda A, b: linear_cg(A, b, x0=np.ones(3)), LeafError, "x0 must be of shape"),
        (lambda A, b: linear_cg(A, b, x0=np.ones(2, np.float32)), LeafError, "float64 like b"),
        (lambda A, b: linear_cg(A, b.astype(int)), LeafError, "real floating"),
    ],
)
def test_wrong_arguments_are_named(call, error, match):
    with pytest.raises(error, match=match):
        call(np.eye(2), np.ones(2))
