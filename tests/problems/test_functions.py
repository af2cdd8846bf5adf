"""The test functions: derivatives, minimisers, array libraries, and what their descriptions say of them."""

import math

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import to_numpy, use
from arrayopt.errors import OptionError
from arrayopt.problems import (
    FUNCTIONS,
    beale,
    brown_badly_scaled,
    himmelblau,
    huber,
    powell_singular,
    quadratic,
    rosenbrock,
    two_basins,
    wood,
)
from tests.common.libraries import libraries

PROBLEMS = {
    **{name: make() for name, make in FUNCTIONS.items()},
    "quadratic-turned": quadratic(50.0, 4, rng=0),
    "rosenbrock-5": rosenbrock(5),
    "two_basins-3": two_basins(0.3, 3),
    "huber-3": huber(0.5, 3, 2.0),
}
each = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@each
def test_gradient_and_hessian_are_the_derivatives(problem):
    rng = np.random.default_rng(0)
    for _ in range(10):
        x, v = rng.standard_normal((2, problem.n)) * 1.5
        h = 1e-6 * (1 + np.linalg.norm(x))
        scale = 1 + abs(problem.value(x))
        slope = (problem.value(x + h * v) - problem.value(x - h * v)) / (2 * h)
        assert slope == pytest.approx(problem.gradient(x) @ v, rel=1e-5, abs=1e-8 * scale)
        turn = (problem.gradient(x + h * v) - problem.gradient(x - h * v)) / (2 * h)
        noise = 1e-15 * np.abs(problem.gradient(x)).max() / h
        np.testing.assert_allclose(problem.hessian(x) @ v, turn, rtol=1e-5, atol=1e-7 * np.abs(turn).max() + noise)
        np.testing.assert_allclose(
            problem.hessian_product(x, v), problem.hessian(x) @ v, rtol=1e-12, atol=1e-12 * scale
        )
        np.testing.assert_array_equal(problem.hessian(x), problem.hessian(x).T)


@each
def test_minimisers_are_minimisers(problem):
    for points, of in ((problem.points, "global"), (problem.local, "local")):
        for point in np.asarray(points, dtype=float):
            g, h = problem.gradient(point), problem.hessian(point)
            size = np.abs(h).max()
            assert np.abs(g).max() <= 1e-14 * size * (1 + np.abs(point).max())
            assert np.linalg.eigvalsh(h)[0] >= -1e-12 * size
            if of == "global":
                assert problem.value(point) == pytest.approx(problem.minimum, rel=1e-14, abs=1e-25)
            else:
                assert problem.value(point) > problem.minimum + 1e-3


@each
@given(st.integers(0, 10**6), st.floats(0.01, 10.0))
@settings(max_examples=20)
def test_nothing_is_below_the_minimum(problem, seed, size):
    x = size * np.random.default_rng(seed).standard_normal((50, problem.n))
    assert np.all(problem.value(x) >= problem.minimum)


@each
@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_convexity_and_smoothness_are_as_said(problem, seed):
    x = 2 * np.random.default_rng(seed).standard_normal((20, problem.n))
    eigenvalues = np.linalg.eigvalsh(problem.hessian(x))
    if problem.convex:
        assert eigenvalues.min() >= -1e-12 * (1 + np.abs(eigenvalues).max())
    if problem.smoothness is not None:
        assert eigenvalues.max() <= problem.smoothness * (1 + 1e-12)


@pytest.mark.parametrize("problem", [himmelblau(), two_basins(), rosenbrock(), wood(), beale()], ids=str)
def test_those_not_called_convex_are_not(problem):
    x = 3 * np.random.default_rng(0).standard_normal((500, problem.n))
    assert not problem.convex
    assert np.linalg.eigvalsh(problem.hessian(x)).min() < -0.1


@each
def test_a_batch_is_its_rows(problem):
    x = np.random.default_rng(1).standard_normal((2, 3, problem.n))
    values, (again, gradients), hessians = problem.value(x), problem.value_and_gradient(x), problem.hessian(x)
    np.testing.assert_array_equal(values, again)
    assert hessians.shape == (2, 3, problem.n, problem.n)
    for i in np.ndindex(2, 3):
        np.testing.assert_allclose(values[i], problem.value(x[i]), rtol=1e-13)
        np.testing.assert_allclose(gradients[i], problem.gradient(x[i]), rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(hessians[i], problem.hessian(x[i]))


@each
@pytest.mark.parametrize("xp", libraries("numpy", "strict", "torch"))
def test_library_and_dtype_are_kept(problem, xp):
    x = xp.asarray(problem.begin, dtype=xp.float32)
    for mine, reference in (
        (problem.value(x), problem.value(problem.start)),
        (problem.gradient(x), problem.gradient(problem.start)),
        (problem.hessian(x), problem.hessian(problem.start)),
        (problem.hessian_product(x, x), problem.hessian_product(problem.start, problem.start)),
    ):
        assert mine.dtype == xp.float32
        # a float32 argument is itself off by 6e-8 of 24 for Rosenbrock's -1.2
        np.testing.assert_allclose(to_numpy(mine), reference, rtol=1e-4, atol=1e-5 * np.abs(reference).max())


def test_starts_are_created_where_use_says():
    assert isinstance(rosenbrock().start, np.ndarray)
    with use("array_api_strict"):
        assert type(rosenbrock().minimisers).__module__.startswith("array_api_strict")


def test_values_at_the_starts_by_hand():
    assert rosenbrock().value(np.asarray([-1.2, 1.0])) == pytest.approx(24.2, rel=1e-15)
    assert beale().value(np.asarray([1.0, 1.0])) == 14.203125  # 1.5^2 + 2.25^2 + 2.625^2
    assert himmelblau().value(np.zeros(2)) == 170.0  # 121 + 49
    assert powell_singular().value(np.asarray([3.0, -1.0, 0.0, 1.0])) == 215.0  # 49 + 5 + 1 + 160
    assert wood().value(np.asarray([-3.0, -1.0, -3.0, -1.0])) == 19192.0  # as published
    assert brown_badly_scaled().value(np.asarray([1.0, 1.0])) == pytest.approx(999998000003.0, rel=1e-12)
    assert huber(1.0).value(np.asarray([3.0])) == 2.5
    assert quadratic(10.0).value(np.asarray([10.0, 1.0])) == 55.0


def test_rosenbrock_and_its_derivatives_are_scipys():
    x = np.random.default_rng(0).standard_normal(6)
    problem = rosenbrock(6)
    assert problem.value(x) == pytest.approx(scipy.optimize.rosen(x), rel=1e-14)
    np.testing.assert_allclose(problem.gradient(x), scipy.optimize.rosen_der(x), rtol=1e-12)
    np.testing.assert_allclose(problem.hessian(x), scipy.optimize.rosen_hess(x), rtol=1e-13)


@pytest.mark.parametrize("rng", [None, 3])
def test_quadratic_has_its_condition(rng):
    problem = quadratic(1e3, 6, rng)
    assert np.linalg.cond(problem.hessian(problem.start)) == pytest.approx(1e3, rel=1e-10)
    np.testing.assert_allclose(np.linalg.norm(problem.gradient(problem.start)), 1e3 * math.sqrt(6), rtol=1e-10)


def test_steepest_descent_is_slowest_from_the_start_of_the_quadratic():
    problem, x = quadratic(10.0), quadratic(10.0).start
    for _ in range(5):
        g = problem.gradient(x)
        new = x - (g @ g) / (g @ problem.hessian_product(x, g)) * g
        assert problem.value(new) / problem.value(x) == pytest.approx((9 / 11) ** 2, rel=1e-12)
        x = new


@given(st.integers(1, 40), st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_gradient_descent_is_slowest_on_huber(steps, radius, curvature):
    problem = huber(radius / (2 * steps + 1), 1, curvature)
    x = np.asarray([radius])
    for _ in range(steps):
        x = x - problem.gradient(x) / curvature
    assert problem.value(x) == pytest.approx(curvature * radius**2 / (4 * steps + 2), rel=1e-10)


@given(st.floats(1e-3, 0.38))
def test_the_basins_are_parted_by_the_middle_root(tilt):
    problem = two_basins(tilt, 1)
    roots = np.sort(np.roots([1.0, 0.0, -1.0, tilt]).real)
    assert problem.points[0][0] == pytest.approx(roots[0], abs=1e-7)
    assert problem.local[0][0] == pytest.approx(roots[2], abs=1e-7)
    between = np.linspace(roots[1], roots[2], 9)[1:-1]
    assert np.all(problem.gradient(between[:, None]) < 0)  # downhill is towards the worse one


def test_the_singular_hessian_has_rank_two():
    assert np.linalg.matrix_rank(powell_singular().hessian(np.zeros(4))) == 2


def test_rosenbrock_of_five_variables_has_one_more_minimiser():
    problem = rosenbrock(5)
    x = np.asarray([-1.0, 1.0, 1.0, 1.0, 1.0])
    for _ in range(30):
        x = x - np.linalg.solve(problem.hessian(x), problem.gradient(x))
    assert np.abs(problem.gradient(x)).max() < 1e-11
    assert np.linalg.eigvalsh(problem.hessian(x))[0] > 0.5
    assert x[0] == pytest.approx(-1, abs=0.05)
    assert problem.value(x) > 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: quadratic(0.5),
        lambda: quadratic(math.inf),
        lambda: quadratic(n=1),
        lambda: rosenbrock(1),
        lambda: two_basins(0.0),
        lambda: two_basins(0.39),
        lambda: two_basins(0.1, 0),
        lambda: huber(0.0),
        lambda: huber(1.0, 1, -1.0),
        lambda: huber(1.0, 0),
    ],
)
def test_parameters_out_of_range_are_refused(make):
    with pytest.raises(OptionError, match=r"must be"):
        make()


def test_it_is_shown_by_name():
    assert repr(quadratic(10.0, 3)) == "<quadratic of condition 10, 3 variables>"
