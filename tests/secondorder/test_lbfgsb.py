import numpy as np
import pytest
import scipy.optimize
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arrayopt.core.method import Status
from arrayopt.core.objective import Objective
from arrayopt.errors import OptionError
from arrayopt.secondorder.cauchy import cauchy_point
from arrayopt.secondorder.lbfgsb import free_step
from arrayopt.secondorder.limited_hessian import LimitedHessian
from arrayopt.secondorder.updates import bfgs_direct
from arrayopt.solve import for_scipy, minimize
from tests.secondorder.smooth import convex, quadratic, rosenbrock, rosenbrock_gradient
from tests.secondorder.transfers import DEVICE, on_device, on_host

SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=20)


class Watched:
    """A function that notes whether it was ever called outside a box."""

    def __init__(self, f, lower, upper):
        self.f, self.lower, self.upper, self.outside = f, lower, upper, 0

    def __call__(self, x):
        self.outside += int(np.any(x < self.lower) or np.any(x > self.upper))
        return self.f(x)


def projected_gradient(x, g, lower, upper):
    return float(np.max(np.abs(np.clip(x - g, lower, upper) - x)))


@st.composite
def boxes(draw, n):
    """Bounds of n variables: none, one, two, or two that meet."""
    lower, upper = np.full(n, -np.inf), np.full(n, np.inf)
    for i in range(n):
        kind = draw(st.sampled_from(["none", "lower", "upper", "both", "equal"]))
        a, b = sorted([draw(st.floats(-2, 2)), draw(st.floats(-2, 2))])
        if kind in ("lower", "both", "equal"):
            lower[i] = a
        if kind in ("upper", "both"):
            upper[i] = b
        if kind == "equal":
            upper[i] = a
    return lower, upper


@settings(max_examples=60)
@given(SEEDS, st.data())
def test_bounds_hold_at_every_evaluation_and_the_end_is_stationary(seed, data):
    n = 5
    lower, upper = data.draw(boxes(n))
    f, g = convex(seed, n)
    fun, jac = Watched(f, lower, upper), Watched(g, lower, upper)
    bounds = scipy.optimize.Bounds(lower, upper)
    result = minimize(fun, np.full(n, 1.5), jac=jac, method="lbfgsb", bounds=bounds, tol=1e-7)
    assert result.status is Status.CONVERGED
    assert projected_gradient(result.x, g(result.x), lower, upper) <= 1e-7
    assert fun.outside == jac.outside == 0
    # It is convex, so that stationary is minimal.
    theirs = scipy.optimize.minimize(f, np.full(n, 1.5), jac=g, method="L-BFGS-B", bounds=bounds, options={"ftol": 0})
    assert result.fun <= theirs.fun + 1e-9 * abs(theirs.fun)


@FEW
@given(SEEDS, st.data())
def test_rosenbrock_in_a_box(seed, data):
    lower, upper = data.draw(boxes(4))
    x0 = np.random.default_rng(seed).uniform(-2, 2, 4)
    fun = Watched(rosenbrock, lower, upper)
    result = minimize(
        fun, x0, jac=rosenbrock_gradient, method="lbfgsb", bounds=scipy.optimize.Bounds(lower, upper), tol=1e-6
    )
    assert result.success
    assert projected_gradient(result.x, rosenbrock_gradient(result.x), lower, upper) <= 1e-6
    assert fun.outside == 0


# The model and its minimisers -------------------------------------------------------------------


def a_model(seed, n, count, history=5, width=1.0):
    """A model after some pairs, the matrix that it stands for, and a point with a gradient in a box."""
    rng = np.random.default_rng(seed)
    objective = Objective(lambda x: x @ x, np.zeros(n))
    lower, upper = -rng.uniform(0, width, n), rng.uniform(0, width, n)
    lower[::7] = -np.inf
    upper[::5] = np.inf
    objective.confine(lower, upper)
    A = quadratic(seed, n, kappa=20.0)[3]
    model, x, kept = LimitedHessian(objective, history), np.zeros(n), []

    def at(x, g):
        point = objective.at(x)
        point.x = x
        point.set_gradient(g, float(np.abs(g).max()))
        return point

    for _ in range(count):
        s = rng.standard_normal(n)
        model.follow(at(x, A @ x), at(x + s, A @ (x + s)))
        x = x + s
        kept.append((s, A @ s))
    kept = kept[-history:]
    B = np.eye(n)
    if kept:
        s, y = kept[-1]
        B = (y @ y) / (s @ y) * np.eye(n)
        for s, y in kept:
            B = bfgs_direct(B, s, y)
    x = objective.projected(rng.uniform(-width, width, n))
    g = rng.standard_normal(n)
    g[:: max(2, n // 3)] = 0.0
    return objective, model, B, at(x, g)


@FEW
@given(SEEDS, st.integers(2, 9), st.integers(1, 8))
def test_the_limited_hessian_is_bfgs_of_a_multiple_of_the_identity(seed, n, count):
    _, model, B, _ = a_model(seed, n, count)
    W = model.rows
    found = model.theta * np.eye(n) - W.T @ model.M @ W
    assert np.linalg.norm(found - B) <= 1e-9 * np.linalg.norm(B)
    assert np.allclose(model.gram[model._active], (W @ W.T)[model._active], rtol=1e-12)


def walked(B, x, g, lower, upper):
    """The Cauchy point by the definition: from breakpoint to breakpoint, with the whole matrix."""
    bound = np.where(g < 0, upper, lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(g == 0, np.inf, (bound - x) / np.where(g == 0, 1.0, -g))
    z, now = np.zeros_like(x), 0.0
    for end in [*np.unique(t[(t > 0) & (t < np.inf)]), np.inf]:
        d = np.where(t > now, -g, 0.0)
        slope, curvature = g @ d + d @ B @ z, d @ B @ d
        if slope >= 0:
            return x + z
        if now - slope / curvature < end:
            return x + z - slope / curvature * d
        z, now = z + (end - now) * d, end
    raise AssertionError("unreachable: B is positive definite")


@pytest.mark.parametrize("width", [0.1, 1.0, 10.0])
@settings(max_examples=15)
@given(SEEDS, st.sampled_from([2, 5, 70, 200]), st.integers(0, 8))
def test_the_cauchy_point_is_the_first_minimiser_of_the_model_along_the_projected_gradient(width, seed, n, count):
    objective, model, B, point = a_model(seed, n, count, width=width)
    found = cauchy_point(objective, point, model)
    if not count:
        B = found.theta * np.eye(n)
    lower, upper = objective.box
    expected = walked(B, point.x, point.g, lower, upper)
    np.testing.assert_allclose(found.x, expected, atol=1e-8 * width)
    assert np.all((found.x >= lower) & (found.x <= upper))
    np.testing.assert_allclose(found.c, model.rows @ (expected - point.x), atol=1e-7 * (1 + np.abs(model.rows).sum()))


@FEW
@given(SEEDS, st.sampled_from([3, 8, 40]), st.integers(1, 8))
def test_the_free_step_minimises_the_model_over_the_free_variables(seed, n, count):
    objective, model, B, point = a_model(seed, n, count)
    cauchy = cauchy_point(objective, point, model)
    lower, upper = objective.box
    free = (cauchy.x > lower) & (cauchy.x < upper)
    assume(free.any())
    step = free_step(objective, point, model, cauchy)
    r = point.g + B @ (cauchy.x - point.x)
    expected = -np.linalg.solve(B[np.ix_(free, free)], r[free])
    assert not step[~free].any()
    np.testing.assert_allclose(step[free], expected, atol=1e-8 * (1 + np.abs(expected).max()))


def test_a_path_that_ends_in_a_corner():
    """All variables reach bounds before the model has a minimiser."""
    objective = Objective(lambda x: x @ x, np.zeros(3))
    objective.confine(np.full(3, -1e-3), np.full(3, 1e-3))
    point = objective.at(np.zeros(3))
    point.set_gradient(np.array([1.0, -2.0, 3.0]), 3.0)
    found = cauchy_point(objective, point, LimitedHessian(objective, 5))
    np.testing.assert_array_equal(found.x, [-1e-3, 1e-3, -1e-3])


# What `minimize` promises -----------------------------------------------------------------------


def test_a_start_outside_is_moved_and_the_message_says_so():
    fun = Watched(rosenbrock, 0.0, 0.5)
    result = minimize(fun, np.array([-3.0, 4.0]), jac=rosenbrock_gradient, method="lbfgsb", bounds=[(0, 0.5)] * 2)
    assert result.success
    assert fun.outside == 0
    assert "x0 was outside the bounds" in result.message
    inside = minimize(fun, np.array([0.0, 0.5]), jac=rosenbrock_gradient, method="lbfgsb", bounds=[(0, 0.5)] * 2)
    assert "x0" not in inside.message
    assert result.fun == inside.fun


def test_crossed_bounds_and_methods_without_bounds_are_errors():
    with pytest.raises(OptionError, match="variable 1 has the lower bound"):
        minimize(rosenbrock, np.zeros(2), jac=rosenbrock_gradient, method="lbfgsb", bounds=[(0, 1), (2, 1)])
    with pytest.raises(OptionError, match="lbfgsb"):
        minimize(rosenbrock, np.zeros(2), jac=rosenbrock_gradient, method="lbfgs", bounds=[(0, 1), (0, 1)])


def test_differences_stay_within_the_bounds():
    lower, upper = np.array([0.0, 0.3, 0.25]), np.array([0.5, 0.3, 0.25 + 1e-12])
    fun = Watched(rosenbrock, lower, upper)
    bounds = scipy.optimize.Bounds(lower, upper)
    result = minimize(fun, np.array([0.5, 0.3, 0.25]), method="lbfgsb", bounds=bounds, options={"gtol": 1e-4})
    assert result.success
    assert fun.outside == 0
    assert result.x[0] == pytest.approx(minimize_over_first(), abs=1e-4)


def minimize_over_first():
    """The minimiser over the first variable of what the test above has."""
    return float(scipy.optimize.minimize_scalar(lambda a: rosenbrock(np.array([a, 0.3, 0.25])), bounds=(0, 0.5)).x)


def test_the_gradient_is_checked_within_the_bounds():
    fun = Watched(rosenbrock, 0.0, 0.5)
    options = {"check_gradient": True}
    x0, bounds = np.array([0.0, 0.5]), [(0, 0.5), (0.5, 0.5)]
    assert minimize(fun, x0, jac=rosenbrock_gradient, method="lbfgsb", bounds=bounds, options=options).success
    assert fun.outside == 0
    with pytest.raises(OptionError, match="component 0"):
        minimize(fun, x0, jac=lambda x: rosenbrock_gradient(x) + 1, method="lbfgsb", bounds=bounds, options=options)


def test_single_precision_stays_single_and_inside():
    lower, upper = np.full(6, 0.1), np.full(6, 0.7)  # neither is a number of float32
    fun = Watched(rosenbrock, lower, upper)
    bounds = scipy.optimize.Bounds(lower, upper)
    result = minimize(fun, np.full(6, 0.7, np.float32), jac=rosenbrock_gradient, method="lbfgsb", bounds=bounds)
    assert result.success
    assert result.x.dtype == np.float32
    assert fun.outside == 0


def test_arrays_stay_on_their_device():
    n = 80
    f, g, _, _A = quadratic(4, n, kappa=30.0)
    bounds = [(-0.3, 0.4)] * n
    here = minimize(f, np.zeros(n), jac=g, method="lbfgsb", bounds=bounds, tol=1e-9)
    there = minimize(
        lambda x: on_device(f(on_host(x))), on_device(np.zeros(n)), jac=lambda x: on_device(g(on_host(x))),
        method="lbfgsb", bounds=bounds, tol=1e-9,
    )  # fmt: skip
    assert here.success
    assert there.success
    assert there.x.device == DEVICE
    np.testing.assert_allclose(on_host(there.x), here.x, atol=1e-8)
    assert 5 < np.count_nonzero(np.abs(here.x - 0.05) == 0.35) < n  # bounds that hold, and variables that are free


def test_it_runs_inside_scipy():
    result = scipy.optimize.minimize(
        rosenbrock, [0.0, 0.0], jac=rosenbrock_gradient, method=for_scipy("lbfgsb"), bounds=[(None, 0.5), (0, 1)]
    )
    assert result.success
    np.testing.assert_allclose(result.x, [0.5, 0.25], atol=1e-5)


def test_a_start_that_is_the_solution():
    result = minimize(lambda x: x @ x, np.ones(3), jac=lambda x: 2 * x, method="lbfgsb", bounds=[(1, 2)] * 3)
    assert result.success
    assert result.nit == 0
    assert result.fun == 3.0
