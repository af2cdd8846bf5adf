from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arrayopt.secondorder.dense import Triangle, Whole, inverse_from
from arrayopt.secondorder.updates import (
    bfgs_direct,
    bfgs_inverse,
    broyden_inverse,
    coefficients,
    dfp_direct,
    dfp_inverse,
    powell_damped,
    sr1_direct,
    sr1_inverse,
)
from tests.secondorder.rational import (
    determinant,
    fractions,
    gradients_of_cg,
    identity,
    inverse,
    iterates_of_update,
)

PHI = [Fraction(0), Fraction(1, 2), Fraction(1), Fraction(2)]
FEW, SOME = settings(max_examples=15), settings(max_examples=30)


def integers(*shape):
    n = int(np.prod(shape))
    return st.lists(st.integers(-3, 3), min_size=n, max_size=n).map(lambda v: fractions(v).reshape(shape))


@st.composite
def quadratics(draw, least=2, most=5):
    """An integer A = M'M + I and b, exact."""
    n = draw(st.integers(least, most))
    M, b = draw(integers(n, n)), draw(integers(n))
    assume(np.any(b != 0))
    return M.T @ M + identity(n), b


@st.composite
def pairs(draw, n=4):
    """A positive definite matrix and a pair with s'y > 0, exact."""
    M, s, y = draw(integers(n, n)), draw(integers(n)), draw(integers(n))
    assume(s @ y > 0)
    return M.T @ M + identity(n), s, y


@FEW
@given(quadratics())
def test_claim_05_bfgs_with_exact_steps_has_the_iterates_of_conjugate_gradients(quadratic):
    A, b = quadratic
    iterates, _ = iterates_of_update(bfgs_inverse, A, b, identity(len(b)))
    expected = gradients_of_cg(A, b)
    assert len(iterates) == len(expected) <= len(b)
    assert all(np.all(x == e) for x, e in zip(iterates, expected, strict=True))


@FEW
@given(quadratics(most=4))
def test_claim_05_the_whole_broyden_class_has_the_iterates_of_conjugate_gradients(quadratic):
    A, b = quadratic
    expected = gradients_of_cg(A, b)
    for phi in PHI:
        iterates, _ = iterates_of_update(lambda H, s, y: broyden_inverse(H, s, y, phi), A, b, identity(len(b)))  # noqa: B023
        assert len(iterates) == len(expected)
        assert all(np.all(x == e) for x, e in zip(iterates, expected, strict=True))


@FEW
@given(quadratics(most=4))
def test_claim_05_after_n_independent_steps_the_model_is_the_inverse_hessian(quadratic):
    A, b = quadratic
    exact = inverse(A)
    updates = [bfgs_inverse, dfp_inverse, lambda H, s, y: broyden_inverse(H, s, y, Fraction(1, 3))]
    for update in updates:
        iterates, H = iterates_of_update(update, A, b, identity(len(b)))
        assume(len(iterates) == len(b))
        assert np.all(exact == H)


@FEW
@given(quadratics(most=4))
def test_sr1_is_the_inverse_hessian_after_n_independent_steps_of_any_length(quadratic):
    A, _ = quadratic
    n = len(A)
    H = identity(n)
    for s in identity(n):
        r = s - H @ (A @ s)
        assume(r @ (A @ s) != 0)
        H = sr1_inverse(H, s, A @ s)
    assert np.all(inverse(A) == H)


@FEW
@given(quadratics(most=4), st.integers(1, 5))
def test_claim_06_bfgs_from_a_matrix_is_preconditioned_conjugate_gradients(quadratic, size):
    A, b = quadratic
    n = len(b)
    M = fractions(np.diag(range(1, n + 1)).tolist()) * Fraction(1, size) + fractions(np.ones((n, n), int).tolist())
    iterates, _ = iterates_of_update(bfgs_inverse, A, b, M)
    x, r = 0 * b, b
    z = M @ r
    p = z
    for found in iterates:
        Ap = A @ p
        a = (r @ z) / (p @ Ap)
        x, before = x + a * p, r @ z
        r = r - a * Ap
        z = M @ r
        p = z + (r @ z) / before * p
        assert np.all(found == x)
    assert not np.any(r)


@SOME
@given(pairs())
def test_claim_12_every_update_satisfies_the_secant_equation(pair):
    A, s, y = pair
    for update in (bfgs_inverse, dfp_inverse, *(lambda H, s, y, p=p: broyden_inverse(H, s, y, p) for p in PHI)):
        assert np.all(update(A, s, y) @ y == s)
    for update in (bfgs_direct, dfp_direct):
        assert np.all(update(A, s, y) @ s == y)
    assume((y - A @ s) @ s != 0)
    assert np.all(sr1_direct(A, s, y) @ s == y)


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
def test_claim_13_the_direct_updates_are_the_inverses_of_the_inverse_ones(pair):
    B, s, y = pair
    H = inverse(B)
    for direct, backward in ((bfgs_direct, bfgs_inverse), (dfp_direct, dfp_inverse)):
        assert np.all(direct(B, s, y) @ backward(H, s, y) == identity(len(s)))
    textbook = B - np.outer(B @ s, B @ s) / (s @ (B @ s)) + np.outer(y, y) / (s @ y)
    assert np.all(bfgs_direct(B, s, y) == textbook)


@SOME
@given(pairs(n=3))
def test_claim_14_determinant_and_trace_after_bfgs(pair):
    B, s, y = pair
    new, Bs = bfgs_direct(B, s, y), B @ s
    assert determinant(new) == determinant(B) * (s @ y) / (s @ Bs)
    assert np.trace(new) == np.trace(B) - (Bs @ Bs) / (s @ Bs) + (y @ y) / (s @ y)


@SOME
@given(integers(4, 4), integers(4), integers(4))
def test_claim_15_powell_damping_keeps_a_fifth_of_the_curvature_for_every_y(M, s, y):
    assume(np.any(s != 0))
    B = M.T @ M + identity(4)
    r, Bs = powell_damped(B, s, y), B @ s
    if s @ y >= (s @ Bs) / 5:
        assert np.all(r == y)
    else:
        assert s @ r == (s @ Bs) / 5
    new = bfgs_direct(B, s, r)
    assert all(determinant(new[:k, :k]) > 0 for k in range(1, 5))


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


@given(float_pairs(), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_claim_12_secant_equation_in_floating_point(pair, phi):
    H, s, y = pair
    new = broyden_inverse(H, s, y, phi)
    assert np.linalg.norm(new @ y - s) <= 1e-13 * np.linalg.norm(new, 2) * np.linalg.norm(y)


@given(float_pairs())
def test_claim_13_duality_in_floating_point(pair):
    B, s, y = pair
    H = np.linalg.inv(B)
    new_b, new_h = bfgs_direct(B, s, y), bfgs_inverse((H + H.T) / 2, s, y)
    size = np.linalg.norm(new_b, 2) * np.linalg.norm(new_h, 2)
    assert np.linalg.norm(new_b @ new_h - np.eye(6), 2) <= 1e-12 * size


@given(float_pairs())
def test_claim_14_determinant_and_trace_in_floating_point(pair):
    B, s, y = pair
    new, Bs = bfgs_direct(B, s, y), B @ s
    change = np.linalg.slogdet(new)[1] - np.linalg.slogdet(B)[1]
    assert abs(change - np.log(s @ y / (s @ Bs))) <= 1e-5
    terms = np.array([np.trace(B), -(Bs @ Bs) / (s @ Bs), (y @ y) / (s @ y)])
    assert abs(np.trace(new) - terms.sum()) <= 1e-13 * np.abs(terms).sum()


@given(float_pairs(), st.integers(0, 2**32))
def test_claim_15_powell_damping_in_floating_point(pair, seed):
    B, s, _ = pair
    y = np.random.default_rng(seed).standard_normal(6) * 10.0 ** (seed % 7 - 3)
    r, sBs = powell_damped(B, s, y), s @ B @ s
    assert s @ r >= (0.2 - 1e-13) * sBs
    assert np.linalg.eigvalsh(bfgs_direct(B, s, r))[0] > 0


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
