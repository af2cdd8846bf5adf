"""Descent in x, ascent in the multipliers."""

import numpy as np
import pytest

from arrayopt import InverseSqrt, to_numpy
from arrayopt.core.method import Status
from arrayopt.errors import OptionError
from arrayopt.solve import minimize
from tests.common.libraries import libraries
from tests.constrained.by_hand import CIRCLE, HS22, LINE


def path(fun, x0, jac, constraints, n, **options):
    states = []
    result = minimize(
        fun, x0, jac=jac, method="ascent_descent", constraints=constraints,
        callback=lambda intermediate_result: states.append(intermediate_result),
        options={"gtol": 0.0, "maxiter": n, **options},
    )  # fmt: skip
    return result, [(s.x.tolist(), s.multipliers.tolist()) for s in states]


def test_two_steps_by_hand():
    # f = x^2 / 2, c = x - 1, from x = 4, m = 2; lr = 1/2, lr_multipliers = 1/4.
    # 1: x = 4 - (4 - 2)/2 = 3, m = 2 - 3/4 = 1.25;  2: x = 3 - (3 - 1.25)/2 = 2.125, m = 1.25 - 2/4 = 0.75
    one = {"type": "eq", "fun": lambda x: x[0] - 1, "jac": lambda x: np.ones(1)}
    options = {"lr": 0.5, "lr_multipliers": 0.25, "multipliers": [2.0]}
    f = (lambda x: 0.5 * x @ x, [4.0], lambda x: x, one, 2)
    assert path(*f, **options)[1] == [([3.0], [1.25]), ([2.125], [0.75])]
    # alternating: m = 2 - (3 - 1)/4 = 1.5; x = 3 - (3 - 1.5)/2 = 2.25, m = 1.5 - 1.25/4
    assert path(*f, **options, order="alternating")[1] == [([3.0], [1.5]), ([2.25], [1.1875])]
    # extragradient: the half way point is (3, 1.25); x = 4 - (3 - 1.25)/2 = 3.125, m = 2 - 2/4
    assert path(*f, **options, order="extragradient")[1][0] == ([3.125], [1.5])
    # penalty 1: x = 4 - (4 - (2 - 3))/2 = 1.5
    assert path(*f, **options, penalty=1.0)[1][0] == ([1.5], [1.25])


def test_multipliers_of_inequalities_stay_above_zero():
    below = {"type": "ineq", "fun": lambda x: 5 - x[0], "jac": lambda x: -np.ones(1)}
    result, states = path(lambda x: 0.5 * x @ x, [4.0], lambda x: x, below, 20, lr=0.5, lr_multipliers=0.5)
    assert all(m == [0.0] for _, m in states)
    assert result.x[0] == pytest.approx(4 / 2**20)


@pytest.mark.parametrize("order", ["simultaneous", "alternating", "extragradient"])
def test_each_order_converges_on_a_strongly_convex_problem(order):
    result = minimize(
        HS22.fun, HS22.x0, jac=HS22.jac, method="ascent_descent", constraints=HS22.constraints,
        options={"order": order, "lr": 0.1, "lr_multipliers": 0.1, "gtol": 1e-8, "maxiter": 5000},
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, HS22.x, atol=1e-7)
    np.testing.assert_allclose(result.multipliers, HS22.multipliers, atol=1e-7)


def test_a_penalty_makes_the_circle_converge():
    # With its multiplier -1/2, L is convex in x near the solution, but hardly; the penalty makes it more so.
    runs = {
        penalty: minimize(
            CIRCLE.fun, (-1.1, -0.8), jac=CIRCLE.jac, method="ascent_descent", constraints=CIRCLE.constraints,
            options={"penalty": penalty, "lr": 0.05, "lr_multipliers": 0.05, "gtol": 1e-8, "maxiter": 3000},
        )
        for penalty in (0.0, 1.0)
    }  # fmt: skip
    assert runs[1.0].status is Status.CONVERGED
    np.testing.assert_allclose(runs[1.0].x, CIRCLE.x, atol=1e-7)
    assert runs[1.0].nit < runs[0.0].nit


def test_rates_may_be_schedules():
    result = minimize(
        LINE.fun, LINE.x0, jac=LINE.jac, method="ascent_descent", constraints=LINE.constraints,
        options={"lr": InverseSqrt(0.2), "lr_multipliers": InverseSqrt(0.2), "maxiter": 20000},
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    first, second = (record.step for record in result.trace[1:3])
    assert second < first


def test_options_are_checked():
    for options in ({"lr": -1.0}, {"penalty": -1.0}, {"order": "both"}, {"rate": 1.0}):
        with pytest.raises(OptionError):
            minimize(LINE.fun, LINE.x0, method="ascent_descent", constraints=LINE.constraints, options=options)


@pytest.mark.parametrize("xp", libraries("numpy", "strict", "torch"))
def test_libraries_and_dtypes(xp):
    result = minimize(
        lambda x: x @ x, xp.asarray([3.0, -4.0], dtype=xp.float32), jac=lambda x: 2.0 * x, method="ascent_descent",
        constraints={"type": "ineq", "fun": lambda x: x[0] + x[1] - 1.0},
        options={"lr": 0.1, "lr_multipliers": 0.3, "gtol": 2e-3},
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    assert result.x.dtype == result.multipliers.dtype == xp.float32
    np.testing.assert_allclose(to_numpy(result.x), LINE.x, atol=5e-3)
