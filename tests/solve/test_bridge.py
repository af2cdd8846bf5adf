import array_api_strict
import numpy as np
import pytest
from scipy import optimize
from scipy.optimize import rosen, rosen_der, rosen_hess

from arrayopt import Adam, for_scipy, minimize
from arrayopt.core.method import Status
from arrayopt.solve.bridge import PREFIX, SCIPY

X0 = np.array([-1.2, 1.0])
NEEDS_HESSIAN = ("dogleg", "trust-ncg", "trust-exact", "trust-krylov")


@pytest.mark.parametrize("name", SCIPY)
def test_scipys_methods_give_what_scipy_gives(name):
    derivatives = {} if name in ("nelder-mead", "powell", "cobyla", "cobyqa") else {"jac": rosen_der}
    if name in NEEDS_HESSIAN:
        derivatives["hess"] = rosen_hess
    theirs = optimize.minimize(rosen, X0, method=name, **derivatives)
    ours = minimize(rosen, X0, method=PREFIX + name, **derivatives)
    np.testing.assert_array_equal(ours.x, theirs.x)
    assert ours.nfev == theirs.nfev
    assert ours.message == theirs.message


def test_scipys_methods_on_trees_and_other_libraries():
    xp = array_api_strict

    def fun(p):
        return float(xp.sum((p["a"] - 1) ** 2) + xp.sum((p["b"] - 2) ** 2)), {
            "a": 2 * (p["a"] - 1),
            "b": 2 * (p["b"] - 2),
        }

    x0 = {"a": xp.zeros((2, 2)), "b": xp.zeros(3)}
    result = minimize(fun, x0, jac=True, method="scipy:l-bfgs-b")
    assert float(xp.max(xp.abs(result.x["a"] - 1))) < 1e-4
    assert result.x["a"].shape == (2, 2)
    assert "copied to the host" in str(result.message)


def test_options_bounds_and_callbacks_reach_scipy():
    seen = []
    result = minimize(
        rosen, X0, jac=rosen_der, method="scipy:l-bfgs-b", bounds=[(-2, 0.5), (-2, 2)], callback=seen.append,
        options={"maxiter": 4},
    )  # fmt: skip
    assert result.nit == len(seen) == 4
    assert result.x[0] <= 0.5
    with pytest.warns(optimize.OptimizeWarning, match="Unknown solver options"):
        minimize(rosen, X0, method="scipy:bfgs", options={"history": 3})


def test_a_callable_as_scipy_takes():
    def method(fun, x0, args=(), jac=None, **options):
        return optimize.OptimizeResult(x=x0 - 0.1 * jac(x0), fun=fun(x0), nit=1, success=True, message="one step")

    result = minimize(lambda x: (x**2).sum(), np.ones(2), jac=lambda x: 2 * x, method=method)
    np.testing.assert_allclose(result.x, 0.8)


@pytest.mark.parametrize("method", ["lbfgs", "bfgs", "cg", "newton", "trust_region", "steepest_descent"])
def test_ours_inside_scipy(method):
    hess = {"hess": rosen_hess} if method in ("newton", "trust_region") else {}
    options = {"maxiter": 50_000}
    theirs = optimize.minimize(rosen, X0, jac=rosen_der, method=for_scipy(method), options=options, **hess)
    ours = minimize(rosen, X0, jac=rosen_der, method=method, options=options, **hess)
    np.testing.assert_array_equal(theirs.x, ours.x)
    assert theirs.success
    assert theirs.nfev == ours.nfev


def test_ours_inside_scipy_with_a_pair_a_tolerance_and_a_rule():
    def pair(x):
        return rosen(x), rosen_der(x)

    result = optimize.minimize(pair, X0, jac=True, method=for_scipy("bfgs"), tol=1e-9)
    assert np.abs(result.jac).max() <= 1e-9
    result = optimize.minimize(pair, X0, jac=True, method=for_scipy(Adam(lr=0.02)), options={"maxiter": 30})
    assert result.status is Status.MAXITER


def test_ctrl_c_propagates_inside_scipy():
    def fun(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize.minimize(fun, X0, method=for_scipy("lbfgs"))
