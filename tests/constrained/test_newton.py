"""Newton's method on the KKT system."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import to_numpy
from arrayopt.constrained import KKTNewton
from arrayopt.core.method import Status
from arrayopt.errors import LeafError, OptionError
from arrayopt.solve import minimize
from tests.common.libraries import libraries
from tests.constrained.by_hand import CIRCLE, LINE, SPHERE_AND_PLANE


def newton(problem, x0=None, callback=None, **options):
    return minimize(
        problem.fun, problem.x0 if x0 is None else x0, jac=problem.jac, method="kkt_newton",
        constraints=problem.constraints, callback=callback, options={"gtol": 1e-7, **options},
    )  # fmt: skip


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_one_step_solves_a_quadratic_program(seed, k):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((6, 6))
    h, j, b, c = a @ a.T + np.eye(6), rng.standard_normal((k, 6)), rng.standard_normal(6), rng.standard_normal(k)
    result = minimize(
        lambda x: 0.5 * x @ h @ x - b @ x, rng.standard_normal(6), jac=lambda x: h @ x - b, hess=lambda x: h,
        method="kkt_newton", constraints={"type": "eq", "fun": lambda x: j @ x - c, "jac": lambda x: j},
        options={"gtol": 1e-9 * np.linalg.cond(j) * np.linalg.cond(h)},
    )  # fmt: skip
    assert result.nit == 1
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("problem", [CIRCLE, SPHERE_AND_PLANE], ids=str)
def test_convergence_is_quadratic(problem):
    solution, errors = np.asarray(problem.x), []
    newton(problem, solution + 0.1, lambda x: errors.append(np.linalg.norm(x - solution)), gtol=1e-14, maxiter=6)
    used = [e for e in errors if 1e-13 < e < 1e-1]
    assert len(used) >= 2
    assert all(after <= 3 * before**2 for before, after in zip(errors, used[1:], strict=False))


@given(st.integers(-100, 100))
@settings(max_examples=20)
def test_a_power_of_two_times_f_changes_no_bit_of_an_iterate(power):
    runs = []
    for scale in (1.0, 2.0**power):
        path = []
        minimize(
            lambda x, s=scale: s * CIRCLE.fun(x), CIRCLE.x0, jac=lambda x, s=scale: s * CIRCLE.jac(x),
            hess=lambda x: np.zeros((2, 2)), method="kkt_newton", constraints=CIRCLE.constraints,
            callback=lambda x, path=path: path.append(x.tolist()), options={"gtol": 0.0, "maxiter": 6},
        )  # fmt: skip
        runs.append(path)
    assert runs[0] == runs[1]
    assert len(runs[0]) >= 5


def test_damping_goes_where_the_pure_step_does_not():
    # From far away on a steep curve the pure iteration overshoots.
    steep = {"type": "eq", "fun": lambda x: np.arctan(x[0]), "jac": lambda x: np.asarray([1 / (1 + x[0] ** 2), 0.0])}
    runs = {
        damping: minimize(
            lambda x: x[1] ** 2, [3.0, 1.0], jac=lambda x: np.asarray([0.0, 2 * x[1]]), method="kkt_newton",
            constraints=steep, options={"damping": damping, "maxiter": most},
        )
        for damping, most in (("none", 7), ("residual", 100))
    }  # fmt: skip
    assert runs["residual"].status is Status.CONVERGED
    np.testing.assert_allclose(runs["residual"].x, [0.0, 0.0], atol=1e-5)
    assert not runs["none"].success
    assert abs(runs["none"].x[0]) > 1e6
    gaps = [record.gap for record in runs["residual"].trace]
    assert gaps[-1] < 1e-5 < gaps[0]


def test_it_seeks_stationary_points_of_any_kind():
    # From the upper half of the circle it finds the highest point, where the multiplier has the other sign.
    result = newton(CIRCLE, x0=(1.2, 0.9))
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, [1.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(result.multipliers, [0.5], rtol=1e-6)


def test_dependent_constraints_have_the_shortest_multipliers():
    twice = [LINE.constraints, {"type": "eq", "fun": lambda x: 2 * (x[0] + x[1]) - 2, "jac": lambda x: 2 * np.ones(2)}]
    result = minimize(LINE.fun, LINE.x0, jac=LINE.jac, method="kkt_newton", constraints=twice)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, LINE.x, rtol=1e-12)
    np.testing.assert_allclose(result.multipliers, [0.2, 0.4], rtol=1e-10)  # m1 + 2 m2 = 1


def test_without_a_solution_of_the_system_it_is_singular():
    result = minimize(
        lambda x: x[0] + x[1], [1.0, 1.0], jac=lambda x: np.ones(2), hess=lambda x: np.zeros((2, 2)),
        method="kkt_newton",
        constraints={"type": "eq", "fun": lambda x: x[0], "jac": lambda x: np.asarray([1.0, 0.0])},
        options={"maxiter": 50},
    )  # fmt: skip
    assert result.status is Status.SINGULAR


def test_without_constraints_it_is_newtons_method():
    result = minimize(
        lambda x: np.sum(np.cosh(x - 1)), [0.3, 2.0], jac=lambda x: np.sinh(x - 1),
        hess=lambda x: np.diag(np.cosh(x - 1)), method="kkt_newton", options={"gtol": 1e-13},
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, [1.0, 1.0], rtol=1e-13)
    assert result.multipliers.shape == (0,)


def test_derivatives_that_are_not_given_are_differences():
    bare = {"type": "eq", "fun": CIRCLE.constraints["fun"]}
    result = minimize(CIRCLE.fun, CIRCLE.x0, method="kkt_newton", constraints=bare, options={"gtol": 1e-5})
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, CIRCLE.x, atol=1e-4)


def test_inequalities_are_refused():
    with pytest.raises(OptionError, match="augmented_lagrangian"):
        minimize(LINE.fun, LINE.x0, method="kkt_newton", constraints={"type": "ineq", "fun": LINE.constraints["fun"]})


def test_multipliers_to_start_with_are_checked():
    for wrong in ([1.0, 2.0], np.ones((1, 1))):
        with pytest.raises(LeafError, match="multipliers: expected one a constraint"):
            newton(LINE, multipliers=wrong)
    assert newton(LINE, multipliers=[5.0]).status is Status.CONVERGED


@pytest.mark.parametrize("xp", libraries("numpy", "strict", "torch"))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_libraries_and_dtypes(xp, dtype):
    kind = getattr(xp, dtype)
    result = minimize(
        lambda x: x[0] + x[1], xp.asarray([-2.0, -0.5], dtype=kind), jac=lambda x: xp.ones_like(x), method="kkt_newton",
        constraints={"type": "eq", "fun": lambda x: x @ x - 2.0, "jac": lambda x: 2.0 * x},
        options={"gtol": 1e-5},
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    assert result.x.dtype == result.multipliers.dtype == kind
    np.testing.assert_allclose(to_numpy(result.x), [-1.0, -1.0], atol=1e-4)
    np.testing.assert_allclose(to_numpy(result.multipliers), [-0.5], atol=1e-4)


def test_options_are_checked():
    with pytest.raises(OptionError, match="damping must be one of"):
        KKTNewton(damping="merit")
