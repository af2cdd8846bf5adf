from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arrayopt.claims.exact import exactly, identity
from arrayopt.secondorder.dense import Triangle, Whole, inverse_from
from arrayopt.secondorder.updates import (
    bfgs_direct,
    bfgs_inverse,
    broyden_inverse,
    coefficients,
    dfp_inverse,
    sr1_inverse,
)

PHI = [Fraction(0), Fraction(1, 2), Fraction(1), Fraction(2)]
SOME = settings(max_examples=30)


def integers(*shape):
    n = int(np.prod(shape))
    return st.lists(st.integers(-3, 3), min_size=n, max_size=n).map(lambda v: exactly(v).reshape(shape))


@st.composite
def pairs(draw, n=4):
    """A positive definite matrix and a pair with s'y > 0, exact."""
    M, s, y = draw(integers(n, n)), draw(integers(n)), draw(integers(n))
    assume(s @ y > 0)
    return M.T @ M + identity(n), s, y


@SOME
@given(pairs())
def test_the_broyden_class_joins_dfp_and_bfgs(pair):
    H, s, y = pair
    bfgs, dfp = bfgs_inverse(H, s, y), dfp_inverse(H, s, y)
    for phi in PHI:
        assert np.all(broyden_inverse(H, s, y, phi) == (1 - phi) * dfp + phi * bfgs)


@SOME
@given(pairs())
def test_bfgs_is_the_product_form_of_its_definition(pair):
    H, s, y = pair
    I, rho = identity(len(s)), 1 / (s @ y)
    left = I - rho * np.outer(s, y)
    assert np.all(bfgs_inverse(H, s, y) == left @ H @ left.T + rho * np.outer(s, s))


@SOME
@given(pairs())
def test_coefficients_combine_to_every_update(pair):
    H, s, y = pair
    Hy = H @ y
    sy, yHy = s @ y, y @ Hy

    def combined(phi):
        a, b, c = coefficients(phi, sy, yHy)
        return H + a * np.outer(s, s) + b * (np.outer(s, Hy) + np.outer(Hy, s)) + c * np.outer(Hy, Hy)

    for phi in PHI:
        assert np.all(combined(phi) == broyden_inverse(H, s, y, phi))
    assume(sy != yHy)
    assert np.all(combined(sy / (sy - yHy)) == sr1_inverse(H, s, y))


# In floating point ------------------------------------------------------------------------------


@st.composite
def float_pairs(draw, n=6):
    """H with a condition of at most 1e4, and a pair with s'y >= 1e-3 |s| |y|."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    H = (Q * np.logspace(0, draw(st.floats(0, 4)), n)) @ Q.T
    s, y = rng.standard_normal(n), rng.standard_normal(n)
    assume(s @ y >= 1e-3 * np.linalg.norm(s) * np.linalg.norm(y))
    return (H + H.T) / 2, s, y


@given(float_pairs())
def test_determinant_and_trace_in_floating_point(pair):
    B, s, y = pair
    new, Bs = bfgs_direct(B, s, y), B @ s
    change = np.linalg.slogdet(new)[1] - np.linalg.slogdet(B)[1]
    assert abs(change - np.log(s @ y / (s @ Bs))) <= 1e-5
    terms = np.array([np.trace(B), -(Bs @ Bs) / (s @ Bs), (y @ y) / (s @ y)])
    assert abs(np.trace(new) - terms.sum()) <= 1e-13 * np.abs(terms).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("member", [0.0, 0.5, 1.0, None])
def test_the_triangle_in_place_is_the_pure_update(dtype, member):
    rng, n, eps = np.random.default_rng(0), 30, np.finfo(dtype).eps
    M = rng.standard_normal((n, n))
    H = (np.eye(n) + M @ M.T / n).astype(dtype)
    kept, B = H.copy(), np.linalg.inv(H.astype(float) + np.eye(n))

    def update(H, s, y):
        return sr1_inverse(H, s, y) if member is None else broyden_inverse(H, s, y, member)

    fast, pure = inverse_from(H, update, member), Whole(H, update)
    assert isinstance(fast, Triangle)
    for _ in range(10):
        s = rng.standard_normal(n).astype(dtype)
        y = (B @ s).astype(dtype)
        fast.take(s, y)
        pure.take(s, y)
        v = rng.standard_normal(n).astype(dtype)
        product = fast.times(v)
        assert product.dtype == dtype
        assert np.linalg.norm(product - pure.times(v)) <= 1e3 * eps * np.linalg.norm(pure.H, 2) * np.linalg.norm(v)
    assert np.array_equal(H, kept)
