import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt.core.method import Status
from arrayopt.secondorder import SteepestDescent
from arrayopt.secondorder.line_search import SEARCHES, Armijo, MoreThuente
from arrayopt.solve import minimize
from tests.secondorder.smooth import convex, iterates, quadratic, rosenbrock, rosenbrock_gradient

SEEDS = st.integers(0, 10**6)
FEW = settings(max_examples=25)


@FEW
@given(SEEDS, st.integers(2, 8), st.floats(0.0, 3.0))
def test_claim_19_an_exact_step_reduces_the_error_by_the_bound(seed, n, exponent):
    kappa = 10.0**exponent
    f, g, c, A = quadratic(seed, n, kappa)
    run = iterates(SteepestDescent(line_search="exact"), f, g, np.zeros(n), 20)
    errors = [(x - c) @ A @ (x - c) for x in run]
    bound = ((kappa - 1) / (kappa + 1)) ** 2
    for before, after in itertools.pairwise(errors):
        assert after <= bound * before + 1e-12 * errors[0]


@given(st.floats(1.0, 1e3), st.floats(-3.0, 3.0))
def test_claim_19_from_the_worst_start_the_bound_is_attained(kappa, exponent):
    curvatures, size = np.array([1.0, kappa]), 10.0**exponent
    run = iterates(
        SteepestDescent(line_search="exact"), lambda x: 0.5 * x @ (curvatures * x), lambda x: curvatures * x,
        size * np.array([kappa, 1.0]), 10,
    )  # fmt: skip
    errors = [x @ (curvatures * x) for x in run]
    bound = ((kappa - 1) / (kappa + 1)) ** 2
    for before, after in itertools.pairwise(errors):
        assert abs(after / before - bound) <= 1e-12 or after <= 1e-25 * errors[0]


def test_claim_19_the_figure_of_condition_ten():
    curvatures = np.array([1.0, 10.0])
    run = iterates(
        SteepestDescent(line_search="exact"), lambda x: 0.5 * x @ (curvatures * x), lambda x: curvatures * x,
        np.array([10.0, 1.0]), 1,
    )  # fmt: skip
    first, second = (x @ (curvatures * x) for x in run)
    assert second / first == pytest.approx(0.669421487603, abs=1e-12)


@FEW
@given(SEEDS, st.integers(2, 6), st.sampled_from(["exact", "bisection"]))
def test_successive_gradients_of_exact_steps_are_orthogonal_so_that_the_path_zigzags(seed, n, line_search):
    if line_search == "exact":
        f, g, _, _ = quadratic(seed, n, 30.0)
    else:
        f, g = convex(seed, n)
    run = iterates(SteepestDescent(line_search=line_search), f, g, 3 * np.ones(n), 8)
    scale = np.linalg.norm(g(run[0]))
    for x, y in itertools.pairwise(run):
        # The rounding errors of x are those of a gradient of this size.
        assert abs(g(x) @ g(y)) <= 1e-10 * np.linalg.norm(g(x)) * scale


def test_in_the_plane_every_other_step_is_parallel():
    curvatures = np.array([1.0, 20.0])
    run = iterates(
        SteepestDescent(line_search="exact"), lambda x: 0.5 * x @ (curvatures * x), lambda x: curvatures * x,
        np.array([7.0, -1.0]), 10,
    )  # fmt: skip
    steps = [(b - a) / np.linalg.norm(b - a) for a, b in itertools.pairwise(run)]
    for a, b, c in zip(steps, steps[1:], steps[2:], strict=False):
        assert abs(a @ b) <= 1e-12
        assert a @ c == pytest.approx(1.0, abs=1e-12)


@FEW
@given(SEEDS, st.integers(1, 8), st.floats(0.0, 4.0))
def test_claim_20_steps_of_one_over_l(seed, n, exponent):
    # On a quadratic with a flat direction, so that no strong convexity helps.
    rng = np.random.default_rng(seed)
    curvatures = np.concatenate([[1.0], 10.0 ** -rng.uniform(0, exponent, n - 1)]) * 10 ** rng.uniform(-2, 2)
    L, x0 = curvatures[0], rng.standard_normal(n)
    result = minimize(lambda x: 0.5 * x @ (curvatures * x), x0, jac=lambda x: curvatures * x, method="sgd",
                      options={"lr": 1 / L, "gtol": 0.0, "maxiter": 60})  # fmt: skip
    R2 = x0 @ x0
    for k, line in enumerate(result.trace):
        assert line.fun <= L * R2 / (4 * k + 2) * (1 + 1e-12)
        assert k == 0 or line.fun <= L * R2 / (2 * k)


@pytest.mark.parametrize("k", [1, 2, 7, 40])
def test_claim_20_is_tight_for_a_huber_function(k):
    L, R = 3.0, 2.0
    t = R / (2 * k + 1)  # beyond it the slope is constant

    def f(x):
        a = np.abs(x[0])
        return L * (a * a / 2 if a <= t else t * a - t * t / 2)

    result = minimize(f, np.array([R]), jac=lambda x: L * np.clip(x, -t, t), method="sgd",
                      options={"lr": 1 / L, "gtol": 0.0, "maxiter": k})  # fmt: skip
    assert result.trace[k].fun == pytest.approx(L * R * R / (4 * k + 2), rel=1e-12)


@FEW
@given(SEEDS, st.integers(2, 8), st.floats(1.5, 1e3))
def test_claim_20_steps_of_two_over_l_plus_mu(seed, n, kappa):
    _, g, c, _ = quadratic(seed, n, kappa)
    run = [np.zeros(n)]
    result = minimize(lambda x: 0.0, run[0], jac=g, method="sgd", callback=run.append,
                      options={"lr": 2 / (kappa + 1), "gtol": 0.0, "maxiter": 30})  # fmt: skip
    assert result.nit == 30 or result.success
    errors = [np.linalg.norm(x - c) for x in run]
    for before, after in itertools.pairwise(errors):
        assert after <= (kappa - 1) / (kappa + 1) * before + 1e-12 * errors[0]


@pytest.mark.parametrize("line_search", sorted(SEARCHES))
@pytest.mark.parametrize("k", [-100, -1, 1, 37, 100])
def test_claim_25_scaling_the_objective_by_a_power_of_two_changes_no_bit(line_search, k):
    method, c, x0 = SteepestDescent(line_search=line_search), 2.0**k, np.full(3, -1.2)
    f, g = (rosenbrock, rosenbrock_gradient) if line_search != "exact" else quadratic(1, 3, 10.0)[:2]
    run = iterates(method, f, g, x0, 30)
    scaled = iterates(method, lambda x: c * f(x), lambda x: c * g(x), x0, 30)
    assert len(run) == len(scaled) == 31
    assert all(np.array_equal(a, b) for a, b in zip(run, scaled, strict=True))


@FEW
@given(SEEDS, st.integers(2, 6))
def test_claim_26_permuting_and_shifting_variables(seed, n):
    rng = np.random.default_rng(seed)
    f, g = convex(seed, n)
    order, shift, x0 = rng.permutation(n), rng.integers(-4, 5, n).astype(float), rng.standard_normal(n)
    back = np.argsort(order)
    run = iterates(SteepestDescent(), f, g, x0, 10)
    permuted = iterates(SteepestDescent(), lambda x: f(x[back]), lambda x: g(x[back])[order], x0[order], 10)
    shifted = iterates(SteepestDescent(), lambda x: f(x - shift), lambda x: g(x - shift), x0 + shift, 10)
    np.testing.assert_allclose(np.array(run)[:, order], permuted, atol=1e-12)
    np.testing.assert_allclose(run + shift, shifted, atol=1e-12)


@FEW
@given(SEEDS, st.integers(1, 6), st.floats(1e-4, 0.3), st.floats(0.4, 0.95))
def test_claim_29_zoutendijk(seed, n, c1, c2):
    f, g = convex(seed, n)
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((2 * n, n))  # as in `convex`, whose gradient has the Lipschitz constant |W|^2/4 + 1
    L = np.linalg.norm(W, 2) ** 2 / 4 + 1
    method = SteepestDescent(line_search=MoreThuente(c1=c1, c2=c2, rounding=0.0))
    run = iterates(method, f, g, 3 * rng.standard_normal(n), 40)
    total = sum(g(x) @ g(x) for x in run[:-1])  # cos = 1 along -g
    least = min(f(x) for x in run)  # above the infimum, which makes the bound smaller
    assert total <= (f(run[0]) - least) * L / (c1 * (1 - c2)) * (1 + 1e-10)


def test_rosenbrock_is_solved_slowly():
    options = {"maxiter": 500}
    slow, fast = (
        minimize(rosenbrock, [-1.2, 1.0], jac=rosenbrock_gradient, method=method, options=options)
        for method in ("steepest_descent", "cg")
    )
    assert fast.success
    assert fast.nit < 50
    assert slow.status is Status.MAXITER
    assert 1e-4 < slow.fun < 1e-1


def test_gradients_are_evaluated_at_accepted_points_only_where_the_rule_needs_no_slopes():
    f, g = convex(0, 4)
    result = minimize(f, 3 * np.ones(4), jac=g, method=SteepestDescent(line_search=Armijo()))
    assert result.success
    assert result.njev == result.nit + 1 < result.nfev


def test_what_falls_without_bound_is_said():
    for search in ("weak_wolfe", "more_thuente", "hager_zhang"):
        result = minimize(lambda x: -x[0], [1.0], jac=lambda x: np.array([-1.0]), method="steepest_descent",
                          options={"line_search": search})  # fmt: skip
        assert result.status is Status.UNBOUNDED
