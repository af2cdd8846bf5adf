"""Trust-region methods: they fall, leave saddle points, come back from where f is not finite, and end as they say."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import METHODS, minimize, to_numpy
from arrayopt.core.method import Status
from arrayopt.errors import OptionError
from arrayopt.problems import FUNCTIONS, logistic_on, rosenbrock
from arrayopt.secondorder.trust_region import TrustRegion
from tests.common.libraries import makers
from tests.secondorder.smooth import quadratic

SUBPROBLEMS = ("exact", "steihaug", "dogleg")
each = pytest.mark.parametrize("subproblem", SUBPROBLEMS)


def run(problem, subproblem, x0=None, **options):
    return minimize(
        problem.value, problem.start if x0 is None else x0, jac=problem.gradient, hess=problem.hessian,
        method="trust_region", options={"subproblem": subproblem, **options},
    )  # fmt: skip


@each
@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_finds_the_minimisers_of_the_test_functions(subproblem, name):
    problem = FUNCTIONS[name]()
    result = run(problem, subproblem, gtol=1e-9)
    assert result.success
    known = [problem.minimum, *(float(problem.value(np.asarray(x))) for x in problem.local)]
    assert min(abs(result.fun - f) for f in known) <= 1e-10
    values = [record.fun for record in result.trace]
    assert all(b <= a + 1e-14 * abs(a) for a, b in pairwise(values))


def test_cauchys_steps_converge_slowly():
    problem = FUNCTIONS["quadratic"]()
    slow = run(problem, "cauchy")
    assert slow.success
    assert slow.nit > 10 * run(problem, "exact").nit


@each
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 8))
def test_on_a_quadratic_the_last_step_is_newtons(subproblem, seed, n):
    f, g, c, A = quadratic(seed, n, 10.0)
    x0 = np.random.default_rng(seed + 1).standard_normal(n)
    result = minimize(
        f, x0, jac=g, hess=lambda x: A, method="trust_region", options={"subproblem": subproblem, "gtol": 1e-9}
    )
    assert result.success
    np.testing.assert_allclose(result.x, c, atol=1e-8)
    assert result.nfev == result.nit + 1  # the model is right: no step is rejected


@pytest.mark.parametrize(
    ("method", "scipys", "options", "most"),
    [("trust_region", "trust-exact", {"gtol": 1e-8}, 1.0), ("newton", "newton-cg", {"xtol": 1e-10}, 0.8)],
)
def test_evaluations_beside_scipys(method, scipys, options, most):
    # the geometric mean of the ratios; SciPy's radius of at most 1000 makes brown_badly_scaled no fair one
    problems = [FUNCTIONS[k]() for k in FUNCTIONS if k not in ("huber", "brown_badly_scaled")]
    problems += [rosenbrock(5), rosenbrock(10), FUNCTIONS["quadratic"](1e4, 10, rng=0), logistic_on("breast_cancer")]
    ratios = []
    for problem in problems:
        counts = []
        for run_ in (
            lambda f, p: minimize(
                f, p.start, jac=p.gradient, hess=p.hessian, method=method, options={"gtol": 1e-8, "maxiter": 2000}
            ),
            lambda f, p: scipy.optimize.minimize(
                f, p.start, jac=p.gradient, hess=p.hessian, method=scipys, options={"maxiter": 2000, **options}
            ),
        ):
            calls = []
            result = run_(lambda x, p=problem, calls=calls: calls.append(0) or float(p.value(x)), problem)
            assert np.abs(result.jac).max() <= 1e-5
            counts.append(len(calls))
        ratios.append(counts[0] / counts[1])
    assert np.exp(np.mean(np.log(ratios))) <= most


def test_exact_leaves_a_saddle_point_and_cauchys_step_does_not():
    # f = x^2 - y^2 + y^4 from the axis y = 0: the gradient has no part along y; the hard case
    f, g, h = (
        lambda x: float(x[0] ** 2 - x[1] ** 2 + x[1] ** 4),
        lambda x: np.asarray([2 * x[0], -2 * x[1] + 4 * x[1] ** 3]),
        lambda x: np.diag([2.0, -2.0 + 12 * x[1] ** 2]),
    )
    ends = {
        s: minimize(f, [1.0, 0.0], jac=g, hess=h, method="trust_region", options={"subproblem": s}).fun
        for s in ("exact", "cauchy")
    }
    assert ends["exact"] == pytest.approx(-0.25)
    assert ends["cauchy"] == pytest.approx(0.0, abs=1e-9)


@each
def test_it_comes_back_from_where_f_or_its_gradient_is_not_finite(subproblem):
    wall = lambda x: np.all(x > 0)  # noqa: E731
    values = (
        lambda x: float((x - np.log(x)).sum()) if wall(x) else np.nan,
        lambda x: float((x - np.log(x)).sum()) if wall(x) else np.inf,
        lambda x: float((x - np.log(np.abs(x))).sum()),
    )
    for f in values:
        result = minimize(
            f, [3.0, 0.2], jac=lambda x: 1 - 1 / x if wall(x) else np.full(2, np.nan), hess=lambda x: np.diag(x**-2),
            method="trust_region", options={"subproblem": subproblem, "radius": 10.0, "gtol": 1e-9},
        )  # fmt: skip
        assert result.success
        np.testing.assert_allclose(result.x, 1.0, atol=1e-8)


@each
def test_what_falls_without_bound_and_what_is_not_finite_has_a_status(subproblem):
    options = {"subproblem": subproblem}
    falls = minimize(
        lambda x: -float(x @ x), [1.0, 0.5], jac=lambda x: -2 * x, hess=lambda x: -2 * np.eye(2),
        method="trust_region", options=options,
    )  # fmt: skip
    assert falls.status in (Status.UNBOUNDED, Status.MAXITER)
    assert falls.fun < -1e20
    for bad in (np.nan, np.inf):
        result = minimize(
            lambda x: float(x @ x), [1.0, 2.0], jac=lambda x: 2 * x, hess=lambda x, bad=bad: np.full((2, 2), bad),
            method="trust_region", options=options,
        )  # fmt: skip
        assert result.status is Status.NOT_FINITE
        assert result.x.tolist() == [1.0, 2.0]


@each
def test_a_wrong_gradient_ends_without_success(subproblem):
    result = minimize(
        lambda x: float(x @ x), [1.0, 2.0], jac=lambda x: -2 * x, hess=lambda x: 2 * np.eye(2), method="trust_region",
        options={"subproblem": subproblem},
    )  # fmt: skip
    assert result.status is Status.NO_PROGRESS
    assert result.nfev <= 62
    assert result.x.tolist() == [1.0, 2.0]


@each
def test_at_the_floor_of_precision_it_says_so(subproblem):
    loss = logistic_on("breast_cancer", 1e-4)
    result = minimize(
        loss.value, loss.start, jac=loss.gradient, hess=loss.hessian, method="trust_region",
        options={"subproblem": subproblem, "gtol": 0.0},
    )  # fmt: skip
    assert result.status is Status.PRECISION_FLOOR
    assert np.abs(result.jac).max() < 1e-13


@each
def test_nothing_and_one_number(subproblem):
    assert minimize(lambda x: 1.0, np.zeros(0), jac=lambda x: x, hess=lambda x: np.zeros((0, 0)),
                    method="trust_region", options={"subproblem": subproblem}).success  # fmt: skip
    one = minimize(lambda x: float(np.cosh(x[0])), 2.0, jac=np.sinh, hess=lambda x: np.diag(np.cosh(x)),
                   method="trust_region", options={"subproblem": subproblem, "gtol": 1e-9})  # fmt: skip
    assert one.x == pytest.approx([0.0], abs=1e-9)
    flat = minimize(lambda x: float(x.sum()), [0.0, 0.0], jac=np.ones_like, hess=lambda x: np.zeros((2, 2)),
                    method="trust_region", options={"subproblem": subproblem, "maxiter": 5})  # fmt: skip
    assert flat.status is Status.MAXITER
    np.testing.assert_allclose(flat.x, -(1 + 2 + 4 + 8 + 16) / np.sqrt(2))


def test_options_and_names():
    assert METHODS["trust_steihaug"]().subproblem == "steihaug"
    assert METHODS["trust_dogleg"]().subproblem == "dogleg"
    for options in ({"subproblem": "best"}, {"eta": 0.25}, {"radius": 0.0}, {"delta": 1.0}):
        with pytest.raises(OptionError):
            TrustRegion(**options)


@pytest.mark.parametrize("make", makers("torch", "strict"))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each
def test_libraries_and_dtypes_are_kept(subproblem, make, dtype):
    problem = rosenbrock(2)
    x0 = make(np.asarray([-1.2, 1.0], dtype=dtype))
    result = run(problem, subproblem, x0)
    assert result.success
    assert type(result.x) is type(x0)
    assert result.x.dtype == x0.dtype
    np.testing.assert_allclose(to_numpy(result.x), 1.0, atol=2e-3)
