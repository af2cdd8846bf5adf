"""Newton-CG: few products, its order, and what negative curvature does."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.optimize

from arrayopt import minimize, to_numpy
from arrayopt.core.method import Status
from arrayopt.problems import FUNCTIONS, logistic_on, rosenbrock
from arrayopt.secondorder.newton_cg import NewtonCG
from tests.common.libraries import makers
from tests.secondorder.smooth import quadratic


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_finds_the_minimisers_of_the_test_functions(name):
    problem = FUNCTIONS[name]()
    result = minimize(
        problem.value, problem.start, jac=problem.gradient, hessp=problem.hessian_product, method="newton_cg",
        options={"gtol": 1e-9},
    )  # fmt: skip
    assert result.success
    known = [problem.minimum, *(float(problem.value(np.asarray(x))) for x in problem.local)]
    assert min(abs(result.fun - f) for f in known) <= 1e-10


def test_it_takes_as_many_products_as_there_are_distinct_eigenvalues():
    f, g, _, A = quadratic(0, 30, 1.0)
    A = A + np.diag([3.0] * 10 + [0.0] * 20)
    f, g = (lambda x: x @ A @ x / 2 - x.sum()), (lambda x: A @ x - 1)
    counts = []
    result = minimize(
        f, np.zeros(30), jac=g, hessp=lambda x, v: counts.append(0) or A @ v, method="newton_cg",
        options={"gtol": 1e-9},
    )  # fmt: skip
    assert result.success
    assert len(counts) <= 2 * result.nit


@pytest.mark.parametrize(("forcing", "low", "high"), [("superlinear", 1.3, 2.2), ("quadratic", 1.7, 2.4)])
def test_its_order_is_that_of_the_forcing_term(forcing, low, high):
    loss = logistic_on("breast_cancer")
    gaps = []
    minimize(
        loss.value, loss.start, jac=loss.gradient, hessp=loss.hessian_product, method=NewtonCG(forcing=forcing),
        options={"gtol": 1e-11}, callback=lambda intermediate_result: gaps.append(abs(intermediate_result.jac).max()),
    )  # fmt: skip
    late = [x for x in gaps if 1e-12 < x < 1e-2]
    orders = [np.log(c / b) / np.log(b / a) for a, b, c in zip(late, late[1:], late[2:], strict=False)]
    assert low <= max(orders) <= high
    assert all(b < a for a, b in pairwise(late))


def test_it_falls_along_negative_curvature():
    # a maximum in y: conjugate gradients stop at once or later, and f falls all the same
    f, g, h = (
        lambda x: float((x**4 / 4 - x**2 / 2).sum()),
        lambda x: x**3 - x,
        lambda x: np.diag(3 * x**2 - 1),
    )
    for x0 in ([0.1, 0.2], [0.01, 2.0], [1e-8, -1e-3]):
        values = []
        result = minimize(f, x0, jac=g, hess=h, method="newton_cg", callback=lambda x, v=values: v.append(f(x)))
        assert result.success
        np.testing.assert_allclose(np.abs(result.x), 1.0, atol=1e-4)
        assert all(b <= a for a, b in pairwise(values))


def test_numbers_that_are_not_finite_have_a_status():
    for bad in (np.nan, np.inf):
        result = minimize(
            lambda x: float(x @ x), [1.0, 2.0], jac=lambda x: 2 * x, hessp=lambda x, v, bad=bad: bad * v,
            method="newton_cg",
        )  # fmt: skip
        assert result.status is Status.NOT_FINITE
        assert result.x.tolist() == [1.0, 2.0]
    falls = minimize(
        lambda x: -float(x @ x), [1.0], jac=lambda x: -2 * x, hessp=lambda x, v: -2 * v, method="newton_cg"
    )
    assert falls.status is Status.UNBOUNDED


def test_it_takes_no_more_evaluations_than_scipy_on_logistic_regression():
    loss = logistic_on("breast_cancer", 1e-4)
    mine = minimize(
        loss.value, loss.start, jac=loss.gradient, hessp=loss.hessian_product, method="newton_cg",
        options={"gtol": 1e-8},
    )  # fmt: skip
    theirs = scipy.optimize.minimize(
        loss.value, loss.start, jac=loss.gradient, hessp=loss.hessian_product, method="newton-cg",
        options={"xtol": 1e-10},
    )  # fmt: skip
    assert mine.success
    assert mine.fun <= theirs.fun + 1e-14
    assert mine.nfev <= theirs.nfev


@pytest.mark.parametrize("make", makers("torch", "strict"))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_libraries_and_dtypes_are_kept(make, dtype):
    problem = rosenbrock(3)
    x0 = make(np.asarray([0.5, 0.7, 1.2], dtype=dtype))
    result = minimize(problem.value, x0, jac=problem.gradient, hessp=problem.hessian_product, method="newton_cg")
    assert result.success
    assert type(result.x) is type(x0)
    assert result.x.dtype == x0.dtype
    np.testing.assert_allclose(to_numpy(result.x), 1.0, atol=2e-2 if dtype == "float32" else 1e-4)
