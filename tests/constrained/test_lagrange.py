"""Lagrange multipliers: what they say at a solution, by every method that finds them, and why L is not minimised."""

import math

import numpy as np
import pytest
import scipy.optimize

from arrayopt.constrained import inertia, kkt_matrix
from arrayopt.core.method import Status
from arrayopt.errors import OptionError
from arrayopt.solve import minimize
from tests.constrained.by_hand import ALL, CIRCLE, ENTROPY, EQUALITIES, HS22, LINE, SPHERE_AND_PLANE

AUGMENTED = ("augmented_lagrangian", {"gtol": 1e-9})
NEWTON = ("kkt_newton", {"gtol": 1e-11})
# Rates within 2 / L of each problem; the penalty makes the circle and the sphere convex where they matter.
ASCENT = ("ascent_descent", {"gtol": 1e-9, "lr": 0.1, "lr_multipliers": 0.3, "penalty": 1.0, "maxiter": 20000})
RUNS = [
    *[pytest.param(p, AUGMENTED, id=f"{p}-augmented") for p in ALL],
    *[pytest.param(p, NEWTON, id=f"{p}-newton") for p in EQUALITIES],
    *[pytest.param(p, ASCENT, id=f"{p}-ascent") for p in ALL if p.bounds is None],
]


def solve(problem, run, **changed):
    method, options = run
    arguments = {"jac": problem.jac, "constraints": problem.constraints, "bounds": problem.bounds} | changed
    return minimize(problem.fun, problem.x0, method=method, options=options, **arguments)


def listed(problem):
    return problem.constraints if isinstance(problem.constraints, list) else [problem.constraints]


def rows(problem, x):
    """The gradients of all constraints at x, of bounds too if there are any."""
    return np.vstack([np.atleast_2d(c["jac"](x)) for c in listed(problem)])


@pytest.mark.parametrize(("problem", "run"), RUNS)
def test_solutions_and_multipliers_by_hand(problem, run):
    result = solve(problem, run)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, problem.x, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(result.multipliers, problem.multipliers, rtol=1e-6, atol=1e-7)
    assert result.constr_violation <= 1e-9
    if problem.bounds is not None:
        np.testing.assert_allclose(result.bound_multipliers, problem.bound_multipliers, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("problem", "run"), RUNS)
def test_the_gradient_lies_in_the_span_of_the_constraint_gradients(problem, run):
    result = solve(problem, run)
    g, j = problem.jac(result.x), rows(problem, result.x)
    active = np.concatenate([np.atleast_1d(c["fun"](result.x)) for c in listed(problem)]) <= 1e-6
    spanning = j[active]
    if problem.bounds is not None:
        low, high = (
            np.asarray([np.inf if b is None else b for b in side]) for side in zip(*problem.bounds, strict=True)
        )
        at_bound = (np.abs(result.x - low) <= 1e-6) | (np.abs(result.x - high) <= 1e-6)
        spanning = np.vstack([spanning, np.eye(result.x.size)[at_bound]])
    left = g - spanning.T @ np.linalg.lstsq(spanning.T, g, rcond=None)[0]
    assert np.abs(left).max() <= 1e-8 * (1 + np.abs(g).max())
    # and the multipliers are the coefficients
    bound = result.get("bound_multipliers", 0.0)
    np.testing.assert_allclose(j.T @ result.multipliers + bound, g, atol=2e-9)


@pytest.mark.parametrize("problem", [p for p in ALL if p.bounds is None], ids=str)
def test_multipliers_are_scipys(problem):
    ours = solve(problem, AUGMENTED)
    plain = [{k: v for k, v in c.items() if k != "hess"} for c in listed(problem)]
    kinds = [c["type"] for c in plain for _ in np.atleast_1d(c["fun"](np.asarray(problem.x0)))]
    theirs = scipy.optimize.minimize(
        problem.fun, problem.x0, jac=problem.jac, constraints=plain, method="SLSQP", options={"ftol": 1e-13}
    )
    assert ours.fun == pytest.approx(theirs.fun, rel=1e-7, abs=1e-8)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-5)
    firsts = sorted(range(len(ours.multipliers)), key=lambda i: kinds[i] != "eq")  # SLSQP has all equalities first
    np.testing.assert_allclose(ours.multipliers[firsts], theirs.multipliers, atol=1e-4)


@pytest.mark.parametrize("problem", [LINE, CIRCLE, ENTROPY, SPHERE_AND_PLANE, HS22], ids=str)
def test_multipliers_are_the_sensitivities_of_the_minimum(problem):
    h = 1e-4
    multipliers = solve(problem, AUGMENTED).multipliers
    for i, multiplier in enumerate(multipliers):

        def least(shift, moved=i):
            constraints = [
                {**c, "fun": (lambda x, c=c: c["fun"](x) - shift) if k == moved else c["fun"]}
                for k, c in enumerate(listed(problem))
            ]
            return solve(problem, AUGMENTED, constraints=constraints).fun

        assert (least(h) - least(-h)) / (2 * h) == pytest.approx(multiplier, abs=1e-6)


def lagrangian_of(problem, n):
    """L(x, m) = f - m c as a function of all n + k unknowns."""

    def value_and_gradient(z):
        x, m = z[:n], z[n:]
        c = np.concatenate([np.atleast_1d(c["fun"](x)) for c in listed(problem)])
        return problem.fun(x) - m @ c, np.concatenate([problem.jac(x) - m @ rows(problem, x), -c])

    return value_and_gradient


@pytest.mark.parametrize("problem", EQUALITIES, ids=str)
def test_the_solution_is_a_saddle_of_the_lagrangian(problem):
    # n positive and k negative eigenvalues, found from differences of the gradient of L over all n + k unknowns.
    n, k = len(problem.x), len(problem.multipliers)
    solution, h = np.asarray([*problem.x, *problem.multipliers]), 1e-5
    gradient = lagrangian_of(problem, n)
    steps = h * np.eye(n + k)
    hessian = np.stack([(gradient(solution + s)[1] - gradient(solution - s)[1]) / (2 * h) for s in steps])
    assert inertia((hessian + hessian.T) / 2) == (n, k, 0)
    w, j = hessian[:n, :n], rows(problem, np.asarray(problem.x))
    np.testing.assert_allclose(hessian[n:, :n], -j, atol=1e-8)
    assert inertia(kkt_matrix((w + w.T) / 2, j)) == (n, k, 0)


@pytest.mark.parametrize("run", [AUGMENTED, NEWTON, ASCENT], ids=lambda r: r[0])
@pytest.mark.parametrize("away", [0.5, 3.0])
def test_infeasible_constraints_end_as_infeasible(run, away):
    apart = [
        {"type": "eq", "fun": lambda x: x[0] + x[1] - 1, "jac": lambda x: np.ones(2)},
        {"type": "eq", "fun": lambda x: x[0] + x[1] - 1 - away, "jac": lambda x: np.ones(2)},
    ]
    result = minimize(
        lambda x: x @ x, [0.3, 0.9], jac=lambda x: 2 * x, method=run[0], constraints=apart, options=run[1]
    )
    assert result.status is Status.INFEASIBLE
    assert not result.success
    # The least violation: in the middle, if both count alike, which to the augmented Lagrangian they may not.
    error = away / 2 - 0.1 if run is AUGMENTED else 1e-2
    assert result.x.sum() == pytest.approx(1 + away / 2, abs=error)
    assert result.constr_violation == pytest.approx(away / 2, abs=error)
    assert "satisfies the constraints" in result.message


def test_an_infeasible_curve():
    nowhere = {"type": "eq", "fun": lambda x: x @ x + 1, "jac": lambda x: 2 * x}
    result = minimize(lambda x: x[0], [1.0, 2.0], method="augmented_lagrangian", constraints=nowhere)
    assert result.status is Status.INFEASIBLE
    assert result.constr_violation == pytest.approx(1.0, abs=1e-3)


def test_infeasible_within_bounds():
    far = {"type": "ineq", "fun": lambda x: x[0] + x[1] - 5, "jac": lambda x: np.ones(2)}
    result = minimize(
        lambda x: x @ x, [0.2, 0.3], jac=lambda x: 2 * x, method="augmented_lagrangian", constraints=far,
        bounds=[(0, 1), (0, 1)],
    )  # fmt: skip
    assert result.status is Status.INFEASIBLE
    assert result.x.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("run", [AUGMENTED, NEWTON, ("ascent_descent", {"lr": 0.1})], ids=lambda r: r[0])
def test_a_start_where_only_the_multipliers_are_wrong(run):
    # At x0 the gradient of f is zero, so that the first step of ascent-descent leaves x where it is.
    options = {**run[1], "gtol": 1e-6, "maxiter": 5000}
    result = minimize(LINE.fun, (0.0, 0.0), jac=LINE.jac, method=run[0], constraints=LINE.constraints, options=options)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.multipliers, [1.0], atol=1e-5)


@pytest.mark.parametrize("method", ["augmented_lagrangian", "kkt_newton", "ascent_descent"])
def test_a_start_at_the_solution_with_its_multipliers_is_the_end(method):
    result = minimize(
        LINE.fun, LINE.x, jac=LINE.jac, method=method, constraints=LINE.constraints, options={"multipliers": [1.0]}
    )
    assert result.status is Status.CONVERGED
    assert result.nit == 0
    assert result.multipliers.tolist() == [1.0]


def test_the_gap_is_the_kkt_residual():
    seen = []
    result = minimize(
        HS22.fun, HS22.x0, jac=HS22.jac, method="augmented_lagrangian", constraints=HS22.constraints,
        callback=lambda intermediate_result: seen.append(intermediate_result),
    )  # fmt: skip
    for record, state in zip(result.trace[1:], seen, strict=True):
        c = np.asarray([k["fun"](state.x) for k in HS22.constraints])
        stationary = np.abs(HS22.jac(state.x) - rows(HS22, state.x).T @ state.multipliers).max()
        assert record.gap == pytest.approx(max(stationary, np.abs(np.minimum(c, state.multipliers)).max()), rel=1e-12)
        assert state.constr_violation == max(0.0, -c.min())
    assert result.trace[-1].gap <= 1e-5 < result.trace[-2].gap


@pytest.mark.parametrize(
    ("method", "more"),
    [("augmented_lagrangian", {}), ("ascent_descent", {"order": "extragradient", "lr": 0.5, "lr_multipliers": 0.5})],
)
def test_coming_to_rest_is_no_success_while_constraints_are_violated(method, more):
    # f does not change at all from one iterate to the next, but the constraint is not met yet.
    flat = {"type": "eq", "fun": lambda x: x[1] - 1, "jac": lambda x: np.asarray([0.0, 1.0])}
    result = minimize(
        lambda x: x[0] ** 2, [0.0, 0.0], jac=lambda x: np.asarray([2 * x[0], 0.0]), method=method, constraints=flat,
        options={"ftol": 1e-3, "xtol": 1e-3, **more},
    )  # fmt: skip
    assert result.success
    assert result.constr_violation <= 1e-5


def test_ctrl_c_and_maxfun_keep_what_there_is():
    def fun(x):
        if len(calls) == 12:
            raise KeyboardInterrupt
        calls.append(x)
        return float(x @ x)

    calls = []
    result = minimize(fun, (3.0, -4.0), jac=LINE.jac, method="augmented_lagrangian", constraints=LINE.constraints)
    assert result.status is Status.INTERRUPTED
    assert result.multipliers.shape == (1,)
    result = solve(LINE, ("augmented_lagrangian", {"maxfun": 7}))
    assert result.status is Status.MAXFUN
    assert result.nfev == 7
    assert math.isfinite(result.fun)


def test_constraints_that_are_not_finite_at_x0():
    broken = {"type": "eq", "fun": lambda x: math.nan}
    for method in ("augmented_lagrangian", "kkt_newton", "ascent_descent"):
        result = minimize(lambda x: x @ x, [1.0], method=method, constraints=broken)
        assert result.status is Status.NOT_FINITE


def test_methods_without_constraints_name_those_with():
    with pytest.raises(OptionError, match="augmented_lagrangian"):
        minimize(LINE.fun, LINE.x0, method="lbfgs", constraints=LINE.constraints)
    with pytest.raises(OptionError, match="takes no bounds"):
        minimize(LINE.fun, LINE.x0, method="kkt_newton", bounds=[(0, 1)] * 2)


def test_evaluations_are_counted():
    calls = []
    result = minimize(
        lambda x: (calls.append(1), x @ x)[1], LINE.x0, jac=LINE.jac, method="augmented_lagrangian",
        constraints=LINE.constraints,
    )  # fmt: skip
    assert result.nfev == result.trace[-1].nfev == len(calls)
    assert result.njev == len(calls)
