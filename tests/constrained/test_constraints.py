"""Constraints as they are given: parsed with errors that say what and where, in their order, with differences."""

import array_api_strict
import numpy as np
import pytest
from scipy.optimize import NonlinearConstraint

from arrayopt import to_numpy
from arrayopt.constrained.constraints import Constraints
from arrayopt.core.objective import Objective
from arrayopt.errors import LeafError, OptionError

CIRCLE = {"type": "eq", "fun": lambda x: x @ x - 2.0, "jac": lambda x: 2.0 * x}


def objective(x0=(1.0, 2.0)):
    return Objective(lambda x: 0.0, x0)


def test_they_come_in_the_order_given_whatever_their_types():
    given = [
        {"type": "ineq", "fun": lambda x: [x[0], x[1] - 5.0]},
        CIRCLE,
        {"type": "INEQ", "fun": lambda x, a, b: a * x[0] + b, "args": (3.0, 1.0)},
    ]
    constraints = Constraints(given, objective())
    x = constraints._objective.x0
    c = constraints.values(x)
    assert c.tolist() == [1.0, -3.0, 3.0, 4.0]
    assert constraints.equal.tolist() == [False, False, True, False]
    assert constraints.k == 4
    assert not constraints.all_equal
    np.testing.assert_allclose(constraints.jacobian(x, c), [[1, 0], [0, 1], [2, 4], [3, 0]], atol=1e-7)
    assert constraints.violations(c).tolist() == [0.0, -3.0, 3.0, 0.0]
    assert constraints.allowed(np.asarray([-1.0, 2.0, -3.0, -4.0])).tolist() == [0.0, 2.0, -3.0, 0.0]


def test_one_dictionary_is_enough():
    assert Constraints(CIRCLE, objective()).k == 1


def test_none_is_allowed():
    constraints = Constraints((), objective())
    x = constraints._objective.x0
    c = constraints.values(x)
    assert c.shape == (0,)
    assert constraints.jacobian(x, c).shape == (0, 2)
    assert constraints.curved(x, c).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert constraints.all_equal


def test_a_function_that_returns_nothing_constrains_nothing():
    given = [{"type": "eq", "fun": lambda x: np.zeros(0)}, CIRCLE]
    constraints = Constraints(given, objective())
    assert constraints.k == 1
    assert constraints.jacobian(np.asarray([1.0, 2.0]), np.asarray([3.0])).tolist() == [[2.0, 4.0]]


@pytest.mark.parametrize("jac", [None, lambda x: np.stack([2 * x, [x[1], x[0]]])], ids=["differences", "jac"])
@pytest.mark.parametrize(
    "hess", [None, lambda x, v: v[0] * 2 * np.eye(2) + v[1] * np.asarray([[0.0, 1.0], [1.0, 0.0]])]
)
def test_curvature_is_the_weighted_sum_of_hessians(jac, hess):
    given = {"type": "eq", "fun": lambda x: np.stack([x @ x - 2.0, x[0] * x[1]]), "jac": jac, "hess": hess}
    constraints = Constraints(given, objective())
    found = constraints.curved(np.asarray([0.3, -0.7]), np.asarray([3.0, -2.0]))
    error = 0.0 if hess else 1e-7 if jac else 1e-3
    np.testing.assert_allclose(found, [[6.0, -2.0], [-2.0, 6.0]], atol=error)


def test_differences_stay_within_the_box():
    seen = []

    def fun(x):
        seen.append(np.array(x))
        return x[0] * x[0] + 3 * x[1] + x[2]

    held = objective((1.0, 0.0, 2.0))
    held.confine(np.asarray([0.0, 0.0, 2.0]), np.asarray([1.0, np.inf, 2.0]))
    constraints = Constraints({"type": "eq", "fun": fun}, held)
    row = constraints.jacobian(held.x0, constraints.values(held.x0))
    np.testing.assert_allclose(row, [[2.0, 3.0, 0.0]], atol=1e-7)  # the last cannot move: its bounds meet
    everywhere = np.stack(seen)
    assert np.all(everywhere >= [0.0, 0.0, 2.0])
    assert np.all(everywhere <= [1.0, np.inf, 2.0])


def test_a_matrix_of_variables():
    held = objective(np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    trace = {"type": "eq", "fun": lambda x: x[0, 0] + x[1, 1], "jac": lambda x: np.eye(2)}
    rows = {"type": "eq", "fun": lambda x: x.sum(axis=1), "jac": lambda x: np.kron(np.eye(2), np.ones((1, 2)))}
    constraints = Constraints([trace, rows], held)
    c = constraints.values(held.x0)
    assert c.tolist() == [5.0, 3.0, 7.0]
    assert constraints.jacobian(held.x0, c).tolist() == [[1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1]]


def test_a_tree_of_variables():
    held = objective({"a": np.asarray([1.0, 2.0]), "b": np.asarray([3.0])})
    constraints = Constraints({"type": "eq", "fun": lambda t: t["a"].sum() - t["b"]}, held)
    c = constraints.values(held.x0)
    assert c.tolist() == [0.0]
    np.testing.assert_allclose(constraints.jacobian(held.x0, c), [[1.0, 1.0, -1.0]], atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_library_and_dtype_are_those_of_x0(dtype):
    xp = array_api_strict
    held = Objective(lambda x: 0.0, xp.asarray([1.0, 2.0], dtype=getattr(xp, dtype)))
    given = [
        {"type": "eq", "fun": lambda x: x[0] * x[1], "jac": lambda x: [2.0, 1.0]},
        {"type": "ineq", "fun": lambda x: 3.0},
        {"type": "ineq", "fun": lambda x: [1.0, 2.0]},
        {"type": "ineq", "fun": lambda x: x},
    ]
    constraints = Constraints(given, held)
    c = constraints.values(held.x0)
    made = [c, constraints.jacobian(held.x0, c), constraints.curved(held.x0, c), constraints.violations(c)]
    assert all(x.dtype == held.dtype for x in made)
    assert to_numpy(c).tolist() == [2.0, 3.0, 1.0, 2.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (3, "constraints: expected dictionaries"),
        ("eq", "constraints: expected dictionaries"),
        ([CIRCLE, 3], r"constraints\[1\]: expected a dictionary"),
        (NonlinearConstraint(lambda x: x, 0, 0), "constraints: expected dictionaries"),
        ([NonlinearConstraint(lambda x: x, 0, 0)], r"constraints\[0\]: expected a dictionary"),
        ([{"fun": len}], r"constraints\[0\]: 'type' must be 'eq' \(fun = 0\) or 'ineq' \(fun >= 0\), got None"),
        ([{"type": "=", "fun": len}], "'type' must be 'eq'"),
        ([{"type": 1, "fun": len}], "'type' must be 'eq'"),
        ([{"type": "eq"}], "'fun' must be a callable, got None"),
        ([{"type": "eq", "fun": len, "jac": "2-point"}], "'jac' must be a callable, got '2-point'"),
        ([{"type": "eq", "fun": len, "hess": 3}], "'hess' must be a callable"),
        ([{"type": "eq", "fun": len, "jacobian": len}], "unknown key 'jacobian'; there are type, fun, jac"),
    ],
)
def test_what_is_no_constraint_is_refused(given, says):
    with pytest.raises(OptionError, match=says):
        Constraints(given, objective())


def pair(x):
    return np.stack([x[0], x[1]])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"type": "eq", "fun": lambda x: np.eye(2)},
            r"constraints: fun must return a number or a vector, got .*\(2, 2\)",
        ),
        ({"type": "eq", "fun": lambda x: None}, "constraints: fun must return numbers, got a NoneType"),
        ({"type": "eq", "fun": pair, "jac": lambda x: np.ones(2)}, r"jac returned shape \(2,\), expected \(2, 2\)"),
        ({"type": "eq", "fun": lambda x: x[0], "jac": lambda x: 1.0}, r"shape \(\), expected \(1, 2\) or \(2,\)"),
        ([{"type": "eq", "fun": pair, "hess": lambda x, v: v}], r"constraints\[0\]: hess returned shape \(2,\)"),
    ],
)
def test_what_returns_another_shape_is_refused(given, says):
    def use(held):
        constraints = Constraints(given, held)
        constraints.jacobian(held.x0, constraints.values(held.x0))
        constraints.curved(held.x0, constraints.values(held.x0))

    with pytest.raises(LeafError, match=says):
        use(objective())


def test_the_number_of_constraints_may_not_change():
    sizes = iter([2, 3])
    constraints = Constraints({"type": "eq", "fun": lambda x: np.ones(next(sizes))}, objective())
    with pytest.raises(LeafError, match="fun returned 3 numbers, but 2 at x0"):
        constraints.values(np.asarray([1.0, 2.0]))
