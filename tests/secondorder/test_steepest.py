import numpy as np

from arrayopt.core.method import Status
from arrayopt.secondorder import SteepestDescent
from arrayopt.secondorder.line_search import Armijo
from arrayopt.solve import minimize
from tests.secondorder.smooth import convex, rosenbrock, rosenbrock_gradient


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
