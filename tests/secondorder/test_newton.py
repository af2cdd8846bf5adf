"""Newton's method: that it is IRLS, that the pure form need not converge, and its ends."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import minimize, to_numpy
from arrayopt.core.method import Status
from arrayopt.core.objective import Objective
from arrayopt.errors import OptionError
from arrayopt.problems import FUNCTIONS, logistic_on, rosenbrock
from arrayopt.secondorder.newton import Newton, newton_direction
from tests.common.libraries import makers

PURE = Newton(damping="none", modification="none")
MODIFICATIONS = ("shift", "gmw", "eigenvalues")
each_modification = pytest.mark.parametrize("modification", MODIFICATIONS)


def path(method, f, g, h, x0, gtol=0.0, maxiter=60):
    """Return x0 and all iterates, and the result."""
    found = [np.asarray(x0, dtype=float)]
    result = minimize(
        f, x0, jac=g, hess=h, method=method, callback=found.append, options={"gtol": gtol, "maxiter": maxiter}
    )
    return found, result


# Other methods that are Newton's -----------------------------------------------------------------


@pytest.mark.parametrize("penalty", [None, 1e-4])
def test_irls_is_newton_on_real_data(penalty):
    loss = logistic_on("breast_cancer", penalty)
    found, result = path(PURE, loss.value, loss.gradient, loss.hessian, loss.start, gtol=1e-10)
    assert result.success
    w = loss.start
    for x in found[1:]:
        w = loss.irls_step(w)
        np.testing.assert_allclose(x, w, rtol=0, atol=1e-11 * np.linalg.norm(w))


# Descent -----------------------------------------------------------------------------------------


def test_the_false_statement_that_pure_newton_converges_is_refuted_by_a_cycle():
    # f' = x^3 - 2x + 2 sends 0 to 1 and 1 to 0, all in exact numbers
    f, g, h = (
        lambda x: float((x**4 / 4 - x**2 + 2 * x).sum()),
        lambda x: x**3 - 2 * x + 2,
        lambda x: np.diag(3 * x**2 - 2),
    )
    found, result = path(PURE, f, g, h, [0.0], maxiter=10)
    assert np.ravel(found).tolist() == [0.0, 1.0] * 5 + [0.0]
    assert result.status is Status.MAXITER
    assert f(found[1]) > f(found[0])
    assert path(Newton(), f, g, h, [0.0], gtol=1e-9)[1].success


def test_pure_newton_goes_to_saddle_points_and_damped_newton_past_them():
    # (x^2 - 1)^2 + y^2 has a saddle point at 0
    f, g, h = (
        lambda x: float((x[0] ** 2 - 1) ** 2 + x[1] ** 2),
        lambda x: np.asarray([4 * x[0] * (x[0] ** 2 - 1), 2 * x[1]]),
        lambda x: np.diag([12 * x[0] ** 2 - 4, 2.0]),
    )
    np.testing.assert_allclose(path(PURE, f, g, h, [0.1, 1.0], gtol=1e-9)[1].x, [0.0, 0.0], atol=1e-9)
    for modification in MODIFICATIONS:
        found, result = path(Newton(modification=modification), f, g, h, [0.1, 1.0], gtol=1e-9)
        np.testing.assert_allclose(result.x, [1.0, 0.0], atol=1e-9)
        assert all(a > b for a, b in pairwise(map(f, found)))


@each_modification
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 8))
def test_a_modified_direction_descends_whatever_the_hessian(modification, seed, n):
    rng = np.random.default_rng(seed)
    H = rng.standard_normal((n, n)) * 10.0 ** rng.integers(-3, 3, n)
    H = H + H.T
    if seed % 2:
        H[0, :] = H[:, 0] = 0.0
    g = rng.standard_normal(n)
    objective = Objective(lambda x: 0.0, np.zeros(n), jac=lambda x: g, hess=lambda x: H)
    d, _ = newton_direction(objective, objective.at(objective.x0), modification)
    assert np.isfinite(d).all()
    assert g @ d < 0


NEARLY_SINGULAR = (
    # a factorisation of the first exists by luck, and the solution points uphill; that of the second is not finite
    (
        [
            [0.24627453877967304, 0.05890083194933331, -0.29972610960697715, -0.15598570035129422],
            [0.05890083194933331, 0.6525049684139563, 0.031607480104866484, 0.02713128119038545],
            [-0.29972610960697715, 0.031607480104866484, 0.386839859979686, 0.15872552086518793],
            [-0.15598570035129422, 0.02713128119038545, 0.15872552086518793, 0.4279186243812127],
        ],
        [-0.519780539344564, -0.2181903099711884, -0.7679942589623888, 0.006612550055622961],
    ),
    (
        [
            [0.2343361442803909, 0.3156018758029697, -0.11361300966397961],
            [0.3156018758029697, 0.4854368518381658, 0.03670194170924993],
            [-0.11361300966397961, 0.03670194170924993, 0.6511013332303832],
        ],
        [1.1878196674073724, -0.17593378194616124, 2.311022182360829],
    ),
)


@each_modification
@pytest.mark.parametrize(("hessian", "gradient"), NEARLY_SINGULAR)
def test_it_descends_where_the_hessian_is_singular_but_for_rounding(modification, hessian, gradient):
    H, g = np.array(hessian), np.array(gradient)
    objective = Objective(lambda x: 0.0, 0 * g, jac=lambda x: g, hess=lambda x: H)
    d, _ = newton_direction(objective, objective.at(objective.x0), modification)
    assert g @ d < 0


@each_modification
@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_finds_the_minimisers_of_the_test_functions(modification, name):
    problem = FUNCTIONS[name]()
    result = minimize(
        problem.value, problem.start, jac=problem.gradient, hess=problem.hessian, method="newton",
        options={"modification": modification, "gtol": 1e-9},
    )  # fmt: skip
    assert result.success
    known = [problem.minimum, *(float(problem.value(np.asarray(x))) for x in problem.local)]
    assert min(abs(result.fun - f) for f in known) <= 1e-10


# Ends --------------------------------------------------------------------------------------------


def end(f, g, h, x0, **options):
    result = minimize(f, x0, jac=g, hess=h, method="newton", options=options)
    assert np.isfinite(result.x).all()
    return result


def test_a_singular_or_indefinite_hessian_has_a_status():
    singular = (lambda x: float(x[0] ** 2 + x[1]), lambda x: np.asarray([2 * x[0], 1.0]), lambda x: np.diag([2.0, 0.0]))
    assert end(*singular, [1.0, 1.0], damping="none", modification="none").status is Status.SINGULAR
    assert end(*singular, [1.0, 1.0], modification="none").status is Status.SINGULAR
    for modification in MODIFICATIONS:  # it falls for ever
        result = end(*singular, [1.0, 1.0], modification=modification)
        assert result.status is Status.UNBOUNDED or (result.status is Status.MAXITER and result.fun < -1e6)
    concave = (lambda x: -float(x @ x), lambda x: -2 * x, lambda x: -2 * np.eye(2))
    result = end(*concave, [1.0, 1.0], modification="none")
    assert result.status is Status.NEGATIVE_CURVATURE
    assert "set a modification" in result.message
    for modification in MODIFICATIONS:
        assert end(*concave, [1.0, 1.0], modification=modification).status is Status.UNBOUNDED


@each_modification
def test_a_direction_along_which_there_is_no_step_is_followed_by_minus_g(modification):
    # the third row of the Hessian is zero at the start: the step there is 1e15 long, where f is 1e61
    result = end(
        lambda x: float(((x**2 - np.arange(1, 6)) ** 2).sum()), lambda x: 4 * x * (x**2 - np.arange(1, 6)),
        lambda x: np.diag(12 * x**2 - 4 * np.arange(1, 6)), np.ones(5), modification=modification, gtol=1e-9,
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(np.abs(result.x), np.sqrt(np.arange(1, 6)), rtol=1e-9)


@each_modification
def test_no_hessian_at_all_is_steepest_descent(modification):
    result = end(lambda x: float(x @ [3.0, 4.0]), lambda x: np.asarray([3.0, 4.0]), lambda x: np.zeros((2, 2)),
                 [0.0, 0.0], modification=modification, maxiter=1)  # fmt: skip
    assert result.status is Status.UNBOUNDED


def test_numbers_that_are_not_finite_have_a_status():
    f, g = (lambda x: float(x @ x)), (lambda x: 2 * x)
    for bad in (np.nan, np.inf):
        result = end(f, g, lambda x, bad=bad: np.full((2, 2), bad), [1.0, 1.0])
        assert result.status is Status.NOT_FINITE
    # log(x) beyond 0: the search comes back
    result = end(
        lambda x: float(x[0] - np.log(x[0])) if x[0] > 0 else np.nan,
        lambda x: 1 - 1 / x, lambda x: np.diag(x**-2), [3.0], gtol=1e-9,
    )  # fmt: skip
    assert result.success
    assert result.x == pytest.approx([1.0])


def test_nothing_and_one_number():
    assert end(lambda x: 1.0, lambda x: x, lambda x: np.zeros((0, 0)), np.zeros(0)).success
    assert end(lambda x: float(np.cosh(x[0])), np.sinh, lambda x: np.diag(np.cosh(x)), 2.0).x == pytest.approx(
        [0.0], abs=1e-6
    )
    assert end(lambda x: float(x @ x), lambda x: 2 * x, lambda x: 2 * np.eye(2), [0.0, 0.0]).nit == 0


def test_options_are_checked():
    for options in ({"damping": "much"}, {"modification": "other"}, {"line_search": "none"}, {"modifcation": "gmw"}):
        with pytest.raises(OptionError):
            end(lambda x: float(x @ x), lambda x: 2 * x, lambda x: 2 * np.eye(2), [1.0, 1.0], **options)


# Derivatives and libraries -----------------------------------------------------------------------


def test_without_a_hessian_products_or_differences_stand_for_it():
    problem = rosenbrock(3)
    x0, options = problem.start, {"gtol": 1e-6}
    whole = minimize(problem.value, x0, jac=problem.gradient, hess=problem.hessian, method="newton", options=options)
    runs = {
        "products": {"jac": problem.gradient, "hessp": problem.hessian_product},
        "differences of gradients": {"jac": problem.gradient},
        "differences of differences": {},
    }
    for given_ in runs.values():
        result = minimize(problem.value, x0, method="newton", options=options, **given_)
        assert result.success
        assert result.x == pytest.approx(whole.x, abs=1e-4)
    products = minimize(problem.value, x0, method="newton", options=options, **runs["products"])
    assert products.nhev == 3 * products.nit
    np.testing.assert_array_equal(products.x, whole.x)


@pytest.mark.parametrize("make", makers("numpy", "torch", "strict"))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_modification
def test_libraries_and_dtypes_are_kept(make, dtype, modification):
    problem, seen = rosenbrock(2), set()

    def f(x):
        seen.add((type(x), x.dtype))
        return problem.value(x)

    x0 = make(np.asarray([-1.2, 1.0], dtype=dtype))
    result = minimize(
        f, x0, jac=problem.gradient, hess=problem.hessian, method="newton", options={"modification": modification}
    )
    assert result.success
    assert seen == {(type(x0), x0.dtype)}
    assert result.x.dtype == x0.dtype
    np.testing.assert_allclose(to_numpy(result.x), 1.0, rtol=1e-3)
