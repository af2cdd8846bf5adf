"""What makes a symmetric matrix positive definite: that it does, that it leaves alone what is, and how much it adds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import to_numpy
from arrayopt.secondorder.modified_cholesky import MOST, flipped, gill_murray_wright, shift, shifted
from tests.common.libraries import makers


@st.composite
def symmetric(draw, definite=False):
    n = draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    values = rng.uniform(0.1, 1.0, n) * 10.0 ** rng.integers(-2, 3, n)
    if not definite:
        values *= rng.choice([-1.0, 0.0, 1.0], n)
        values[0] = values[0] or -1.0
    a = (q * values) @ q.T
    return (a + a.T) / 2


@given(symmetric())
def test_all_three_are_positive_definite(a):
    size = np.abs(np.linalg.eigvalsh(a)).max()
    assert np.linalg.eigvalsh(shifted(a, shift(a)))[0] > -1e-15 * size
    e = gill_murray_wright(a)
    assert (e >= 0).all()
    assert np.linalg.eigvalsh(a + np.diag(e))[0] > -1e-14 * size
    values, q = flipped(a)
    assert values.min() >= 1e-16 * size
    np.testing.assert_allclose(q.T @ q, np.eye(len(a)), atol=1e-13)


@given(symmetric(definite=True))
def test_what_is_positive_definite_is_left_alone(a):
    assert shift(a) == 0.0
    # e is what rounding errors of the pivots leave: of the sizes of elements, not of the smallest eigenvalue
    assert gill_murray_wright(a).max() <= 1e-14 * np.abs(a).max()
    values, q = flipped(a)
    np.testing.assert_allclose((q * values) @ q.T, a, atol=1e-13 * np.abs(a).max())


@given(symmetric())
def test_the_shift_is_at_most_what_doubling_overshoots(a):
    lowest, beta = np.linalg.eigvalsh(a)[0], 1e-3 * np.linalg.norm(a)
    tau = shift(a)
    most = max(-2 * lowest, beta - np.diag(a).min(), beta)
    assert tau == 0.0 or tau <= most * (1 + 1e-12)


@given(symmetric())
def test_the_factors_of_gill_murray_and_wright_are_bounded(a):
    n, e = len(a), gill_murray_wright(a)
    gamma, xi = np.abs(np.diag(a)).max(), np.abs(a - np.diag(np.diag(a))).max()
    beta = np.sqrt(max(gamma, xi / np.sqrt(max(n * n - 1, 1))))
    # theorem of Gill, Murray and Wright: on the size of E
    delta = np.finfo(float).eps * (gamma + xi)
    assert e.max() <= (xi / beta + (n - 1) * beta) ** 2 + 2 * (gamma + (n - 1) * beta**2) + delta
    # ||L D^(1/2)|| elementwise: the diagonal of L D L' bounds the rows
    assert (np.diag(a) + e).max() <= gamma + e.max()


def test_gill_murray_and_wright_on_a_matrix_by_hand():
    # pivots by size: 2 first, then 1 - 1.5^2/2 = -0.125, whose modulus is the next
    a = np.asarray([[1.0, 1.5], [1.5, 2.0]])
    np.testing.assert_allclose(gill_murray_wright(a), [0.25, 0.0], atol=1e-15)
    # no diagonal at all: beta^2 = xi / sqrt(3), so d = sqrt(3), which leaves -1/sqrt(3)
    e = gill_murray_wright(np.asarray([[0.0, 1.0], [1.0, 0.0]]))
    np.testing.assert_allclose(e, [3**0.5, 2 / 3**0.5], rtol=1e-12)


@given(symmetric(), st.integers(-300, 300))
def test_gill_murray_and_wright_scale_bit_by_bit(a, k):
    np.testing.assert_array_equal(gill_murray_wright(a * 2.0**k), gill_murray_wright(a) * 2.0**k)


def test_eigenvalues_near_zero_are_raised():
    values, _ = flipped(np.diag([1e-30, -4.0]))
    np.testing.assert_allclose(values, [4.0, 8.0 * np.finfo(float).eps], rtol=1e-12)


def test_no_shift_for_nothing():
    with pytest.raises(ArithmeticError):
        shift(np.zeros((2, 2)))
    assert MOST > 12


@pytest.mark.parametrize("make", makers("torch", "strict"))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_libraries_do_the_same(make, dtype):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 5)).astype(dtype)
    a = a + a.T
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    e = gill_murray_wright(make(a))
    assert dtype in str(e.dtype)
    np.testing.assert_allclose(to_numpy(e), gill_murray_wright(a), rtol=tolerance, atol=tolerance)
    assert shift(make(a)) == pytest.approx(shift(a), rel=tolerance)
    np.testing.assert_allclose(to_numpy(flipped(make(a))[0]), flipped(a)[0], rtol=tolerance, atol=tolerance)
