import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.core.method import Status, Stop
from arrayopt.core.objective import Objective
from arrayopt.secondorder.line_search import SEARCHES, HagerZhang, LineSearch, MoreThuente, Search
from arrayopt.solve import minimize
from tests.secondorder.lines import smooth
from tests.secondorder.smooth import rosenbrock, rosenbrock_gradient


def on_a_line(phi, joint=True):
    """Return an objective of one variable, and the points that it is asked for."""
    asked = []

    def f(x):
        asked.append(float(x[0]))
        value, slope = phi(float(x[0]))
        return (value, np.array([slope])) if joint else value

    return Objective(f, np.zeros(1), jac=True if joint else lambda x: np.array([phi(float(x[0]))[1]])), asked


# Bisection ends between neighbouring lengths, which may lead to the same point; exact is for quadratics.
RULES = sorted({*SEARCHES} - {"bisection", "exact"})


@given(seed=st.integers(0, 10**6), name=st.sampled_from(RULES), joint=st.booleans())
def test_no_point_is_evaluated_twice(seed, name, joint):
    phi = smooth(seed)
    objective, asked = on_a_line(phi, joint)
    point = objective.at(objective.x0)
    slope = objective.dot(point.g, point.g)
    new = Search(SEARCHES[name](), objective)(point, -point.g, -slope, 1 / math.sqrt(slope))
    assert len(asked) == len(set(asked)) == objective.nfev
    assert new.g[0] == phi(float(new.x[0]))[1]
    assert new.f == phi(float(new.x[0]))[0]
    assert objective.nfev == len(asked), "the accepted point came with its value"
    slopes = SEARCHES[name].slopes
    assert objective.njev == (objective.nfev if slopes or joint else 2)


def test_the_point_of_least_value_can_be_accepted():
    class Tries(LineSearch):
        def trials(self, line, a):
            yield 1.0
            yield 3.0
            yield 2.0
            yield 5.0
            return 3.0

    objective, asked = on_a_line(lambda a: ((a - 3.0) ** 2, 2 * (a - 3.0)))
    new = Search(Tries(), objective)(objective.at(objective.x0), np.ones(1), -6.0, 1.0)
    assert (new.step, float(new.x[0]), new.f) == (3.0, 3.0, 0.0)
    assert asked == [0.0, 1.0, 3.0, 2.0, 5.0]


def test_the_scale_is_the_running_mean_of_the_modulus():
    class Sees(LineSearch):
        def trials(self, line, a):
            seen.append((line.f, line.slope, line.scale, line.eps, line.curvature))
            yield a
            return a

    seen, q, total = [], 0.0, 0.0
    objective = Objective(lambda x: -float(x[0]), np.array([3.0], np.float32), jac=lambda x: np.array([-1.0]))
    search, point = Search(Sees(), objective), objective.at(objective.x0)
    for _ in range(5):
        q = 1 + 0.7 * q
        total += (abs(point.f) - total) / q
        before, point = point, search(point, np.ones(1, np.float32), -1.0, 2.0)
        f, slope, scale, eps, curvature = seen[-1]
        assert (f, slope, eps, curvature) == (before.f, -1.0, 2.0**-23, None)
        assert scale == pytest.approx(total, rel=1e-12)
        assert point.x.dtype == np.float32


def test_second_derivatives_reach_the_rule_where_they_are_given():
    A = np.array([[3.0, 1.0], [1.0, 2.0]])
    for given_ in ({"hess": lambda x: A}, {"hessp": lambda x, v: A @ v}):
        objective = Objective(lambda x: x @ A @ x / 2, np.ones(2), jac=lambda x: A @ x, **given_)
        point = objective.at(objective.x0)
        d = -point.g
        new = Search(SEARCHES["exact"](), objective)(point, d, objective.dot(point.g, d), 1.0)
        assert (objective.nfev, objective.nhev) == (2, 1)
        assert new.step == pytest.approx((d @ d) / (d @ A @ d), rel=1e-14)


def raised(f, g, x0, rule):
    objective = Objective(f, np.array(x0), jac=g)
    point = objective.at(objective.x0)
    with pytest.raises(Stop) as stop:
        Search(rule, objective)(point, -point.g, -objective.dot(point.g, point.g), 1.0)
    return stop.value.status


def test_how_a_failed_search_ends_a_run():
    def wrong(x):  # the sign is
        return -2 * x

    assert raised(lambda x: x @ x, wrong, [1.0], MoreThuente()) is Status.LINE_SEARCH
    assert raised(lambda x: x @ x, wrong, [1.0], HagerZhang()) is Status.LINE_SEARCH
    assert raised(lambda x: 1e9 if x[0] != 1.0 else 1.0, lambda x: 1e-10 * x, [1.0], MoreThuente()) is (
        Status.PRECISION_FLOOR
    )
    assert raised(lambda x: -math.inf if x[0] < 0 else x[0], np.ones_like, [0.5], MoreThuente()) is Status.UNBOUNDED
    assert raised(lambda x: x[0], np.ones_like, [0.5], MoreThuente()) is Status.UNBOUNDED


@pytest.mark.parametrize("name", ["armijo", "weak_wolfe", "more_thuente", "hager_zhang"])
def test_the_limit_of_evaluations_holds_inside_a_search(name):
    def f(x):
        calls.append(x)
        return rosenbrock(x)

    for maxfun in range(1, 12):
        calls = []
        result = minimize(f, [-1.2, 1.0], jac=rosenbrock_gradient, method="steepest_descent",
                          options={"line_search": name, "maxfun": maxfun})  # fmt: skip
        assert result.status is Status.MAXFUN
        assert len(calls) == result.nfev == maxfun
        assert result.fun == rosenbrock(result.x) == min(line.fun for line in result.trace)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["armijo", "weak_wolfe", "more_thuente", "hager_zhang", "bisection"])
def test_a_function_with_an_edge_is_minimised_inside_it(name, bad):
    def f(x):  # its minimiser is 1/2, and there is nothing from 1 on
        return -math.log(x[0]) - math.log(1 - x[0]) if 0 < x[0] < 1 else bad

    def g(x):
        return 1 / (1 - x) - 1 / x

    for start in (1e-3, 0.2, 0.999):
        result = minimize(f, [start], jac=g, method="steepest_descent", options={"line_search": name})
        assert result.success
        assert result.x[0] == pytest.approx(0.5, abs=1e-5)


def test_a_gradient_that_is_not_finite_makes_a_trial_too_long():
    def g(x):
        return 2 * (x - 3) if x[0] < 5 else np.array([np.nan])

    for name in ("weak_wolfe", "more_thuente", "hager_zhang"):
        result = minimize(lambda x: (x[0] - 3) ** 2, [-100.0], jac=g, method="steepest_descent",
                          options={"line_search": name})  # fmt: skip
        assert result.success
