"""The method of multipliers, and the augmented Lagrangian that it minimises."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import to_numpy
from arrayopt.constrained import AugmentedLagrangian
from arrayopt.constrained.augmented_objective import Augmented
from arrayopt.constrained.constraints import Constraints
from arrayopt.constrained.lagrangian import KKTPoint
from arrayopt.core.method import Status
from arrayopt.core.objective import Objective
from arrayopt.errors import OptionError
from arrayopt.problems import rosenbrock
from arrayopt.secondorder import BFGS, LBFGS, Newton
from arrayopt.solve import minimize
from tests.common.libraries import libraries
from tests.constrained.by_hand import ALL, BOX, CIRCLE, CORNER, HS22, LINE


def solve(problem, **options):
    return minimize(
        problem.fun, problem.x0, jac=problem.jac, method="augmented_lagrangian", constraints=problem.constraints,
        bounds=problem.bounds, options={"gtol": 1e-8, **options},
    )  # fmt: skip


def random_problem(seed):
    """An objective and constraints whose derivatives are all known, and multipliers and penalties."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 3, 3))
    given_ = [
        {
            "type": kind,
            "fun": lambda x, q=q, s=s: s + 0.5 * x @ q @ x,
            "jac": lambda x, q=q: q @ x,
            "hess": lambda x, v, q=q: v[0] * q,
        }
        for kind, q, s in zip(
            ("eq", "ineq", "ineq"), (a + a.T, b + b.T, np.eye(3)), rng.standard_normal(3), strict=True
        )
    ]
    f = Objective(lambda x: np.sum(np.cosh(x)), rng.standard_normal(3), jac=np.sinh, hess=lambda x: np.diag(np.cosh(x)))
    multipliers = np.asarray([rng.standard_normal(), *rng.uniform(0, 2, 2)])
    return Augmented(KKTPoint(f.at(f.x0), Constraints(given_, f), multipliers), rng.uniform(0.5, 5.0, 3)), rng


@given(st.integers(0, 10**6))
def test_gradient_and_hessian_of_the_augmented_lagrangian(seed):
    augmented, rng = random_problem(seed)
    x, v = rng.standard_normal((2, 3))
    point, h = augmented.at(x), 1e-6
    ends = [augmented.at(x + s * h * v) for s in (1, -1)]
    assert (ends[0].f - ends[1].f) / (2 * h) == pytest.approx(point.g @ v, rel=1e-5, abs=1e-5)
    active = [augmented.beneath(p).multipliers > 0 for p in (*ends, point)]
    if all((a == active[0]).all() for a in active):  # no kink in between
        turn = (ends[0].g - ends[1].g) / (2 * h)
        np.testing.assert_allclose(augmented.hessian(point) @ v, turn, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(augmented.hessian_product(point, v), augmented.hessian(point) @ v)


def test_value_by_hand():
    # f = x^2; x - 1 = 0 with m = 3, rho = 2; x >= 0 with m = 1, rho = 4, and x <= 9, inactive, with m = 1, rho = 1.
    f = Objective(lambda x: x @ x, [2.0], jac=lambda x: 2 * x)
    given_ = [
        {"type": "eq", "fun": lambda x: x - 1, "jac": lambda x: np.ones((1, 1))},
        {"type": "ineq", "fun": lambda x: x, "jac": lambda x: np.ones((1, 1))},
        {"type": "ineq", "fun": lambda x: 9 - x, "jac": lambda x: -np.ones((1, 1))},
    ]
    multipliers, penalties = np.asarray([3.0, 1.0, 1.0]), np.asarray([2.0, 4.0, 1.0])
    augmented = Augmented(KKTPoint(f.at(f.x0), Constraints(given_, f), multipliers), penalties)
    # 4 + (-3*1 + 1) + (-1/8) + (-1/2): c (rho c / 2 - m) where m - rho c > 0 or =, else -m^2 / (2 rho)
    point = augmented.at(augmented.x0)
    assert point.f == 4 - 2 - 0.125 - 0.5
    assert point.g.tolist() == [4 - (3 - 2 * 1)]
    assert augmented.beneath(point).multipliers.tolist() == [1.0, 0.0, 0.0]
    # at x = 0.1 the bound is active: m - rho c = 1 - 0.4
    point = augmented.at(np.asarray([0.1]))
    assert point.f == pytest.approx(0.01 + (2.7 + 0.81) + 0.1 * (0.2 - 1) - 0.5, rel=1e-15)
    assert augmented.beneath(point).multipliers[1] == 0.6


def test_first_update_by_hand():
    # f = x^2/2, c = x - 1 from x = 0: f' = 0 and f = 0 there, so that the scale of f is 1 and rho = 10 * 1 / 1.
    # L = x^2/2 + 5 (x - 1)^2 is least at 10/11, where m = -10 (10/11 - 1) = 10/11.
    one = {"type": "eq", "fun": lambda x: x[0] - 1, "jac": lambda x: np.ones(1)}
    result = minimize(
        lambda x: 0.5 * x @ x, [0.0], jac=lambda x: x, method="augmented_lagrangian", constraints=one,
        options={"maxiter": 1, "accuracy": 1e-12},
    )  # fmt: skip
    assert result.nit == 1
    np.testing.assert_allclose(result.x, [10 / 11], rtol=1e-10)
    np.testing.assert_allclose(result.multipliers, [10 / 11], rtol=1e-9)


def test_an_error_in_the_multipliers_falls_by_the_curvature_over_that_of_the_penalty():
    # For f = x^2/2 and c = x - 1 each iteration divides it by 1 + rho = 11.
    one, seen = {"type": "eq", "fun": lambda x: x[0] - 1, "jac": lambda x: np.ones(1)}, []
    minimize(
        lambda x: 0.5 * x @ x, [0.0], jac=lambda x: x, method="augmented_lagrangian", constraints=one,
        callback=lambda intermediate_result: seen.append(abs(intermediate_result.multipliers[0] - 1)),
        options={"maxiter": 5, "accuracy": 1e-12, "gtol": 0.0},
    )  # fmt: skip
    np.testing.assert_allclose(np.asarray(seen[1:]) / np.asarray(seen[:-1]), 1 / 11, rtol=1e-6)


@pytest.mark.parametrize("inner", [LBFGS(), BFGS(), Newton()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("problem", [p for p in ALL if p.bounds is None], ids=str)
def test_any_inner_method_does(problem, inner):
    result = solve(problem, inner=inner, gtol=1e-7)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, problem.x, atol=1e-6)
    np.testing.assert_allclose(result.multipliers, problem.multipliers, atol=1e-5)


@pytest.mark.parametrize("problem", [BOX, CORNER], ids=str)
def test_bounds_are_never_left(problem):
    seen = []

    def fun(x):
        seen.append(np.array(x))
        return problem.fun(x)

    result = minimize(
        fun, problem.x0, method="augmented_lagrangian", bounds=problem.bounds,
        constraints={"type": "ineq", "fun": problem.constraints["fun"]}, options={"gtol": 1e-5},
    )  # fmt: skip
    low, high = (np.asarray([math.inf if b is None else b for b in side]) for side in zip(*problem.bounds, strict=True))
    assert result.status is Status.CONVERGED
    assert np.all(seen >= low)
    assert np.all(seen <= high)
    np.testing.assert_allclose(result.x, problem.x, atol=1e-4)


def test_bounds_alone():
    # On the bound y = 1/4 the minimum is where the derivative in x is zero, 400 x^3 - (100 - 2) x - 2.
    problem = rosenbrock()
    result = minimize(
        problem.value_and_gradient, problem.start, jac=True, method="augmented_lagrangian",
        bounds=[(None, None), (None, 0.25)], options={"gtol": 1e-9},
    )  # fmt: skip
    root = max(np.roots([400.0, 0.0, 2 - 100.0, -2.0]).real)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, [root, 0.25], rtol=1e-9)
    np.testing.assert_allclose(result.bound_multipliers, [0.0, 200 * (0.25 - root**2)], atol=1e-6)
    assert result.multipliers.shape == (0,)


def test_without_constraints_it_is_the_inner_method():
    problem = rosenbrock()
    result = minimize(problem.value_and_gradient, problem.start, jac=True, method="augmented_lagrangian")
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, [1.0, 1.0], atol=1e-5)
    assert "bound_multipliers" not in result


def test_a_fixed_variable_has_a_multiplier_of_any_sign():
    result = minimize(
        lambda x: x @ x - 3 * x[0], [0.0, 1.0], jac=lambda x: 2 * x - np.asarray([3.0, 0.0]),
        method="augmented_lagrangian", bounds=[(1, 1), (2, 2)], options={"gtol": 1e-9},
    )  # fmt: skip
    assert result.x.tolist() == [1.0, 2.0]
    assert result.bound_multipliers.tolist() == [-1.0, 4.0]


def test_penalties_grow_where_the_objective_falls_without_bound():
    # f = -x^3 falls for ever, and faster than the first penalty rises; on x = 1 it has its minimum.
    one = {"type": "eq", "fun": lambda x: x[0] - 1, "jac": lambda x: np.ones(1)}
    result = minimize(
        lambda x: -float(np.clip(x[0], -1e90, 1e90)) ** 3, [0.5],
        jac=lambda x: -3 * np.clip(x, -1e90, 1e90) ** 2, method="augmented_lagrangian", constraints=one,
        options={"gtol": 1e-7},
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.multipliers, [-3.0], rtol=1e-6)


def test_unbounded_along_the_constraints():
    flat = {"type": "eq", "fun": lambda x: x[0], "jac": lambda x: np.asarray([1.0, 0.0])}
    result = minimize(
        lambda x: x[1], [1.0, 0.0], jac=lambda x: np.asarray([0.0, 1.0]), method="augmented_lagrangian",
        constraints=flat,
    )  # fmt: skip
    assert result.status is Status.UNBOUNDED


def test_known_multipliers_save_evaluations():
    cold = solve(HS22)
    warm = solve(HS22, multipliers=list(HS22.multipliers))
    assert warm.status is Status.CONVERGED
    assert warm.nfev < cold.nfev
    # a multiplier of an inequality below zero is none
    below = solve(HS22, multipliers=[-1.0, -1.0])
    assert below.trace[0].gap == pytest.approx(cold.trace[0].gap)


@given(st.integers(-60, 60))
@settings(max_examples=12)
def test_a_power_of_two_times_f_changes_no_bit_of_an_iterate(power):
    runs = []
    for scale in (1.0, 2.0**power):
        path = []
        minimize(
            lambda x, s=scale: s * HS22.fun(x), HS22.x0, jac=lambda x, s=scale: s * HS22.jac(x),
            method="augmented_lagrangian", constraints=HS22.constraints,
            callback=lambda x, path=path: path.append(x.tolist()), options={"gtol": 0.0, "maxiter": 5},
        )  # fmt: skip
        runs.append(path)
    assert runs[0] == runs[1]
    assert len(runs[0]) == 5


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
@settings(max_examples=20)
def test_units_of_the_constraints_do_not_matter(first, second):
    scaled = [
        {**c, "fun": lambda x, c=c, s=s: s * c["fun"](x), "jac": lambda x, c=c, s=s: s * c["jac"](x)}
        for c, s in zip(HS22.constraints, (first, second), strict=True)
    ]
    result = minimize(
        HS22.fun, HS22.x0, jac=HS22.jac, method="augmented_lagrangian", constraints=scaled, options={"gtol": 1e-8}
    )
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.multipliers * [first, second], HS22.multipliers, atol=1e-4)


def test_a_run_that_rounding_ends_returns_its_best_point():
    result = solve(CIRCLE, gtol=0.0)
    assert result.status in (Status.PRECISION_FLOOR, Status.NO_PROGRESS, Status.CONVERGED)
    assert result.trace[-1].gap == min(record.gap for record in result.trace) <= 1e-8


def test_an_inner_run_does_not_evaluate_its_start_again():
    seen = []

    def fun(x):
        seen.append(x.tolist())
        return HS22.fun(x)

    result = minimize(fun, HS22.x0, jac=HS22.jac, method="augmented_lagrangian", constraints=HS22.constraints)
    assert result.nit > 3
    assert not any(a == b for a, b in itertools.pairwise(seen))


def test_a_limit_of_evaluations_returns_the_best_point_so_far():
    for maxfun in (1, 2, 5, 20):
        result = solve(HS22, maxfun=maxfun, gtol=1e-12)
        assert result.status is Status.MAXFUN
        assert result.nfev == maxfun
        assert result.trace[-1].gap == min(record.gap for record in result.trace)


def test_a_tree_of_matrices():
    # The nearest matrix of trace 3 to a given one, and a scalar beside it.
    target = {"a": np.asarray([[1.0, 2.0], [3.0, 0.0]]), "b": np.asarray([4.0])}
    result = minimize(
        lambda t: 0.5 * sum(np.sum((t[k] - target[k]) ** 2) for k in t),
        {k: np.zeros_like(v) for k, v in target.items()}, jac=lambda t: {k: t[k] - target[k] for k in t},
        method="augmented_lagrangian", constraints={"type": "eq", "fun": lambda t: np.trace(t["a"]) - 3.0},
        bounds=[(None, None)] * 4 + [(None, 1)],
        options={"gtol": 1e-7},
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x["a"], [[2.0, 2.0], [3.0, 1.0]], atol=1e-6)
    np.testing.assert_allclose(result.x["b"], [1.0])
    np.testing.assert_allclose(result.bound_multipliers["b"], [-3.0], atol=1e-6)


@pytest.mark.parametrize("xp", libraries("numpy", "strict", "torch"))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_libraries_and_dtypes(xp, dtype):
    kind = getattr(xp, dtype)
    result = minimize(
        lambda x: (x[0] - 2.0) ** 2 + (x[1] - 1.0) ** 2, xp.asarray([0.0, 0.0], dtype=kind),
        jac=lambda x: 2.0 * (x - xp.asarray([2.0, 1.0], dtype=kind)), method="augmented_lagrangian",
        constraints={"type": "ineq", "fun": lambda x: 2.0 - x[0] - x[1], "jac": lambda x: -xp.ones_like(x)},
        bounds=[(None, 1.25), (None, None)],
        options={"gtol": 1e-6 if dtype == "float64" else 1e-3},
    )  # fmt: skip
    # On the line at x = 1.25: the gradient (-1.5, -0.5) = 0.5 (-1, -1) + (-1, 0)
    assert result.status is Status.CONVERGED
    assert result.x.dtype == result.multipliers.dtype == result.bound_multipliers.dtype == kind
    np.testing.assert_allclose(to_numpy(result.x), [1.25, 0.75], atol=1e-3)
    np.testing.assert_allclose(to_numpy(result.multipliers), [0.5], atol=3e-3)
    np.testing.assert_allclose(to_numpy(result.bound_multipliers), [-1.0, 0.0], atol=3e-3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"inner": "bfgs"}, "inner must be a Method, got a str"),
        ({"growth": 1.0}, "growth must be > 1"),
        ({"penalty": 0.0}, "penalty"),
        ({"share": 1.0}, "share"),
        ({"accuracy": 0.0}, "accuracy"),
        ({"inner_iterations": 0}, "inner_iterations"),
        ({"rho": 1.0}, "unknown option 'rho'"),
    ],
)
def test_options_are_checked(options, says):
    with pytest.raises(OptionError, match=says):
        solve(LINE, **options)


def test_bounds_need_an_inner_method_that_honours_them():
    with pytest.raises(OptionError, match="its inner method BFGS takes no bounds"):
        AugmentedLagrangian(inner=BFGS(), bounds=[(0, 1)])
