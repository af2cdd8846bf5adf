"""Newton's method as a root finder: its order in real and complex numbers, its ends, and arrays of starts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import arrayopt
from arrayopt import find_root, to_numpy
from arrayopt.core.method import Status
from arrayopt.errors import LeafError, OptionError
from arrayopt.secondorder.root import Roots
from tests.common.libraries import makers


def errors(f, fprime, x0, root, steps=12):
    """Return the errors of the iterates, as far as they are between 1e-12 and 1e-1."""
    found = [abs(complex(find_root(f, x0, fprime, tol=0.0, maxiter=k).x) - root) for k in range(steps)]
    return [e for e in found if 1e-12 < e < 1e-1]


SIMPLE = {
    "square root": (lambda x: x**2 - 2, lambda x: 2 * x, 1.1, 2**0.5),
    "cosine": (lambda x: np.cos(x) - x, lambda x: -np.sin(x) - 1, 0.82, 0.7390851332151607),
    "exponential": (lambda x: np.exp(x) - 2, np.exp, 1.2, np.log(2)),
    "cube root of one": (lambda z: z**3 - 1, lambda z: 3 * z**2, -0.3 + 0.7j, -0.5 + 0.75**0.5 * 1j),
    "i pi": (lambda z: np.exp(z) + 1, np.exp, 0.2 + 3.4j, np.pi * 1j),
    "square root of -1": (lambda z: z**2 + 1, lambda z: 2 * z, 0.3 + 0.6j, 1j),
}


@pytest.mark.parametrize(("f", "fprime", "x0", "root"), SIMPLE.values(), ids=SIMPLE)
def test_the_order_is_two_near_a_simple_root_real_or_complex(f, fprime, x0, root):
    e = errors(f, fprime, x0, root)
    assert len(e) >= 3
    # e+ <= C e^2 with the constant f'' / 2f' of the root, and the same by the estimate of the order
    ratios = [after / before**2 for before, after in pairwise(e)]
    assert max(ratios) <= 2 * min(ratios)
    order = np.log(e[2] / e[1]) / np.log(e[1] / e[0])
    assert 1.8 <= order <= 2.2


def test_gradient_descent_is_linear_where_newton_is_quadratic():
    # both look for the root of f' = exp(x) - 2, the minimiser of exp(x) - 2x
    root, x, e = np.log(2), 1.2, []
    for _ in range(40):
        x -= 0.1 * (np.exp(x) - 2)
        e.append(abs(x - root))
    factors = [b / a for a, b in pairwise(e)][-5:]
    assert factors == pytest.approx([1 - 0.1 * 2] * 5, rel=1e-3)  # |1 - lr f''|
    orders = [np.log(c / b) / np.log(b / a) for a, b, c in zip(e, e[1:], e[2:], strict=False)]
    assert all(0.9 <= p <= 1.1 for p in orders[-5:])
    assert len(errors(lambda x: np.exp(x) - 2, np.exp, 1.2, root)) <= 5


def test_the_false_statement_that_it_always_converges_is_refuted_by_a_cycle():
    # survey.md section 3: x^3 - 2x + 2 from 0 goes to 1, and from 1 to 0
    f, fprime = (lambda x: x**3 - 2 * x + 2), (lambda x: 3 * x**2 - 2)
    assert [float(find_root(f, 0.0, fprime, maxiter=k).x) for k in range(5)] == [0.0, 1.0, 0.0, 1.0, 0.0]
    found = find_root(f, 0.0, fprime)
    assert found.status == Status.MAXITER
    assert not found.success
    assert found.nit == 50
    assert find_root(f, -1.0, fprime).success


def test_each_start_has_its_own_end():
    found = find_root(
        lambda x: np.where(x > 1e3, np.nan, x * x - 4),
        np.asarray([[3.0, 0.0, 1e-9], [-1.0, 2.0, 1e4]]),
        lambda x: 2 * x,
    )
    ends = [Status(int(s)).name for s in found.status.ravel()]
    assert ends == ["CONVERGED", "SINGULAR", "NOT_FINITE", "CONVERGED", "CONVERGED", "NOT_FINITE"]
    np.testing.assert_allclose(found.x[found.converged], [2.0, -2.0, 2.0], rtol=1e-15)
    assert found.iterations.tolist() == [[5, 0, 0], [6, 0, 0]]  # none from 2, a root
    assert np.isfinite(found.x).all()
    np.testing.assert_array_equal(found.x[~found.converged], [0.0, 1e-9, 1e4])
    assert "3 CONVERGED" in found.message
    assert "1 SINGULAR, 2 NOT_FINITE" in found.message


def test_basins_of_the_cube_roots_of_one():
    grid = np.linspace(-1.5, 1.5, 61)
    z0 = grid[None, :] + 1j * grid[:, None]
    found = find_root(lambda z: z**3 - 1, z0, lambda z: 3 * z**2)
    zero = z0 == 0
    assert found.converged[~zero].all()
    assert found.status[zero] == Status.SINGULAR
    roots = np.exp(2j * np.pi * np.arange(3) / 3)
    which = np.abs(found.x[..., None] - roots).argmin(axis=-1)
    assert np.abs(found.x - roots[which])[~zero].max() < 1e-14
    # mirrored starts lead to mirrored roots, and all three have a basin of about the same size
    np.testing.assert_allclose(found.x[::-1], found.x.conj(), atol=1e-14)
    assert np.bincount(which.ravel()).min() > 0.25 * z0.size


@given(st.floats(0.05, 50), st.floats(0.01, 100))
def test_square_roots_from_any_start(a, x0):
    found = find_root(lambda x: x * x - a, x0, lambda x: 2 * x)
    assert found.success
    assert float(found.x) == pytest.approx(a**0.5, rel=1e-14)


@given(st.integers(-100, 100))
def test_multiples_of_f_have_the_same_iterates_bit_by_bit(k):
    x0, unit = np.asarray([0.3, 1.0, 2.0]), 2.0**k
    one = find_root(lambda x: np.cos(x) - x, x0, lambda x: -np.sin(x) - 1)
    other = find_root(lambda x: unit * (np.cos(x) - x), x0, lambda x: unit * (-np.sin(x) - 1))
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.iterations, other.iterations)
    one, other = (find_root(lambda x, u=u: u * (np.cos(x) - x), x0) for u in (1.0, unit))
    np.testing.assert_array_equal(one.x, other.x)


def test_without_a_derivative_differences_stand_for_it_and_it_is_said():
    f = lambda x: np.exp(x) - 2  # noqa: E731
    given_, without = find_root(f, [0.0, 3.0], np.exp), find_root(f, [0.0, 3.0])
    np.testing.assert_allclose(without.x, np.log(2), rtol=1e-15)
    assert without.nfev == 2 * without.nit + 1
    assert without.njev == 0
    assert given_.nfev == given_.nit + 1 == given_.njev + 1
    assert "differences" in without.message
    assert "differences" not in given_.message
    assert find_root(lambda z: z**2 + 1, 0.5 + 0.5j).x == pytest.approx(1j, abs=1e-14)


def test_minimising_is_finding_a_root_of_the_derivative():
    iterates = []
    arrayopt.minimize(
        lambda x: (np.exp(x) - 2 * x).sum(), [1.2], jac=lambda x: np.exp(x) - 2, hess=lambda x: np.diag(np.exp(x)),
        method="newton", options={"damping": "none", "modification": "none", "gtol": 0.0, "maxiter": 4},
        callback=lambda x: iterates.append(float(x[0])),
    )  # fmt: skip
    roots = [float(find_root(lambda x: np.exp(x) - 2, 1.2, np.exp, tol=0.0, maxiter=k).x) for k in range(1, 5)]
    assert iterates == pytest.approx(roots, rel=1e-15)


@pytest.mark.parametrize("make", makers("numpy", "torch", "strict"))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_libraries_shapes_and_dtypes_are_kept(make, dtype):
    x0 = make(np.asarray([[1.0, 2.0, -3.0]], dtype=dtype))
    found = find_root(lambda x: x * x * x - 8, x0, lambda x: 3 * x * x)
    assert isinstance(found, Roots)
    assert type(found.x) is type(x0)
    assert found.x.dtype == x0.dtype
    assert tuple(found.x.shape) == (1, 3)
    assert found.success
    np.testing.assert_allclose(to_numpy(found.x), 2.0, rtol=8 * np.finfo(dtype).eps)


def test_numbers_lists_and_nothing():
    assert find_root(lambda x: x - 2, 1, lambda x: 1.0).x == 2.0
    assert find_root(lambda x: x - 2, [1, 3], lambda x: 1.0).x.tolist() == [2.0, 2.0]
    empty = find_root(lambda x: x - 2, np.zeros((0, 3)))
    assert empty.x.shape == (0, 3)
    assert empty.success
    assert find_root(lambda x: x - 2, 5.0, maxiter=0).status == Status.MAXITER
    assert find_root(lambda x: 0 * x, 5.0).x == 5.0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((None, 1.0), OptionError),
        ((np.cos, 1.0, 3), OptionError),
        ((np.cos, "here"), LeafError),
        ((lambda x: np.ones(3), [1.0, 2.0]), LeafError),
        ((lambda x: x + 1j, 1.0), LeafError),
        ((np.cos, 1.0, lambda x: 1j), LeafError),
    ],
)
def test_what_is_refused(arguments, error):
    with pytest.raises(error):
        find_root(*arguments)


@pytest.mark.parametrize("options", [{"tol": -1.0}, {"tol": float("nan")}, {"maxiter": -1}, {"maxiter": 2.0}])
def test_options_are_checked(options):
    with pytest.raises(OptionError):
        find_root(np.cos, 1.0, **options)
