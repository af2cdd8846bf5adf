import math
import os
import signal

import array_api_strict
import numpy as np
import pytest
from scipy.optimize import OptimizeResult, rosen, rosen_der, rosen_hess

import arrayopt
from arrayopt import backend, minimize
from arrayopt.backend import to_numpy
from arrayopt.core import objective as objectives
from arrayopt.core.method import Status
from arrayopt.errors import BackendError, LeafError, OptionError
from arrayopt.secondorder import limited
from arrayopt.solve import METHODS, Record

X0 = np.array([-1.2, 1.0])
SMOOTH = ("steepest_descent", "newton", "newton_cg", "trust_region", "lbfgs", "lbfgsb", "bfgs", "dfp", "sr1", "cg")


def bowl(x):
    return float(((x - 3) ** 2).sum())


def bowl_der(x):
    return 2 * (x - 3)


def both(x):
    return bowl(x), bowl_der(x)


@pytest.mark.parametrize("method", SMOOTH)
def test_rosenbrock(method):
    hess = {"hess": rosen_hess} if method.startswith(("newton", "trust")) else {}
    options = {"maxiter": 50_000, "gtol": 1e-6}
    result = minimize(rosen, X0, jac=rosen_der, method=method, options=options, **hess)
    assert result.status is Status.CONVERGED
    assert result.success
    np.testing.assert_allclose(result.x, 1, atol=1e-4)
    np.testing.assert_array_equal(result.jac, rosen_der(result.x))
    assert result.fun == rosen(result.x)
    assert np.abs(result.jac).max() <= 1e-6


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("kkt_newton", "ascent_descent", "muon", "shampoo")])
def test_every_method_goes_down_a_bowl_and_counts(method):
    calls = []

    def fun(x):
        calls.append(x.copy())
        return both(x)

    result = minimize(fun, np.array([1.0, -2.0, 5.0]), jac=True, method=method, options={"maxiter": 20})
    assert isinstance(result, OptimizeResult)
    assert result.nfev == result.njev == len(calls)
    assert result.fun < bowl(np.array([1.0, -2.0, 5.0]))
    assert result.nit == len(result.trace) - 1
    assert all(isinstance(r, Record) for r in result.trace)
    assert [r.nit for r in result.trace] == list(range(len(result.trace)))
    assert result.trace[0].fun == bowl(np.array([1.0, -2.0, 5.0]))
    assert result.trace[-1].nfev <= result.nfev


def test_what_a_newcomer_types():
    for x0 in ([1.0, 2.0], (1, 2), np.array([1, 2]), np.array([1.0, 2.0])):
        result = minimize(lambda x: ((x - 3) ** 2).sum(), x0)
        np.testing.assert_allclose(result.x, 3, atol=1e-4)
        assert result.x.dtype == np.float64
        assert "forward differences" in result.message
    assert minimize(lambda x: (x[0] - 3) ** 2, 1.0).x.shape == (1,)
    assert "<" in repr(result)
    assert len(repr(result)) < 1000


def test_args_and_tol_and_a_separate_gradient():
    result = minimize(
        lambda x, a, b: ((x - a) ** 2).sum() + b, np.zeros(2), (2.0, 5.0), jac=lambda x, a, b: 2 * (x - a), tol=1e-9
    )
    assert result.fun == pytest.approx(5.0)
    assert np.abs(result.jac).max() <= 1e-9


def test_trees_keep_their_structure_and_shapes():
    def fun(p):
        return sum(((x - 1) ** 2).sum() for x in p.values()), {k: 2 * (x - 1) for k, x in p.items()}

    x0 = {"w": np.zeros((2, 3)), "b": np.zeros(())}
    for method in ("lbfgs", "adam", "newton"):
        result = minimize(fun, x0, jac=True, method=method, options={"maxiter": 30})
        assert {k: x.shape for k, x in result.x.items()} == {"w": (2, 3), "b": ()}
        assert result.jac.keys() == x0.keys()
        assert result.fun < fun(x0)[0]
    assert not x0["w"].any()
    matrix = minimize(lambda x: (((x - 1) ** 2).sum(), 2 * (x - 1)), x0["w"], jac=True, method="muon")
    assert matrix.x.shape == (2, 3)


def test_a_rule_or_an_instance_with_options_of_its_own():
    rule = arrayopt.Momentum(lr=0.1)
    result = minimize(both, np.zeros(2), jac=True, method=rule, options={"momentum": 0.5, "maxiter": 7, "gtol": 0.0})
    params, state = np.zeros(2), rule.init(np.zeros(2))
    for _ in range(7):
        params, state = rule.replace(momentum=0.5).update(bowl_der(params), state, params)
    np.testing.assert_array_equal(result.x, params)
    method = METHODS["lbfgs"](history=3)
    assert minimize(rosen, X0, jac=rosen_der, method=method).success


def test_hessians_by_differences_are_said_so_or_given():
    given = minimize(rosen, X0, jac=rosen_der, hess=rosen_hess, method="newton")
    without = minimize(rosen, X0, jac=rosen_der, method="newton")
    assert given.success
    assert without.success
    assert given.nhev > 0
    assert given.njev < without.njev


# How runs end ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"maxiter": 2}, Status.MAXITER),
        ({"maxiter": 0}, Status.MAXITER),
        ({"maxfun": 4}, Status.MAXFUN),
        ({"maxfun": 1}, Status.MAXFUN),
    ],
)
@pytest.mark.parametrize("method", SMOOTH)
def test_limits(method, options, status):
    result = minimize(rosen, X0, jac=rosen_der, method=method, options={**options, "gtol": 0.0})
    assert result.status is status
    assert not result.success
    assert result.nfev <= options.get("maxfun", math.inf)
    assert result.nit <= options.get("maxiter", math.inf)
    assert result.fun <= rosen(X0)
    assert result.fun == rosen(result.x)
    assert result.message.startswith(status.sentence)


@pytest.mark.parametrize("method", SMOOTH)
def test_a_failed_run_never_says_success(method):
    def lying(x):
        return rosen(x), -rosen_der(x)

    result = minimize(lying, X0, jac=True, method=method, options={"maxiter": 200})
    assert not result.success
    assert result.status in (
        Status.LINE_SEARCH,
        Status.NO_PROGRESS,
        Status.MAXITER,
        Status.UNBOUNDED,
        Status.NOT_FINITE,
        Status.SINGULAR,
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("method", SMOOTH)
def test_a_start_that_is_not_finite(method, bad):
    result = minimize(lambda x: (bad, x), X0, jac=True, method=method)
    assert result.status is Status.NOT_FINITE
    assert not result.success
    np.testing.assert_array_equal(result.x, X0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("method", [m for m in SMOOTH if m != "sr1"])
def test_a_wall_that_is_not_finite_is_stepped_back_from(method, bad):
    def fun(x):  # minimiser at 1, not finite below 0
        if x[0] <= 0:
            return bad, np.array([math.nan])
        return float(x[0] - np.log(x[0])), np.array([1 - 1 / x[0]])

    result = minimize(fun, np.array([20.0]), jac=True, method=method)
    assert result.success, result.message
    assert result.x[0] == pytest.approx(1, abs=1e-4)


def test_a_value_of_minus_infinity_and_a_fall_without_end_are_unbounded():
    result = minimize(lambda x: (float(-x[0]), -np.ones(1)), np.zeros(1), jac=True, options={"maxiter": 10_000})
    assert result.status is Status.UNBOUNDED
    result = minimize(lambda x: (-math.inf if x[0] > 5 else float(-x[0]), -np.ones(1)), np.zeros(1), jac=True)
    assert result.status is Status.UNBOUNDED
    assert not result.success


@pytest.mark.parametrize(("error", "status"), [(1e-9, Status.PRECISION_FLOOR), (1e-3, Status.NO_PROGRESS)])
def test_the_floor_of_precision_is_told_from_a_failure(error, status):
    """At the minimiser but for the errors of the gradient, which point uphill."""
    result = minimize(
        lambda x: (1 + float(x @ x), np.full(2, -error)), np.full(2, 1e-3), jac=True, method="steepest_descent",
        options={"gtol": 0.0},
    )  # fmt: skip
    assert result.status is status
    assert not result.success


def test_ftol_and_xtol_are_off_until_asked_for():
    flat = minimize(rosen, X0, jac=rosen_der, options={"gtol": 0.0, "ftol": 1e-3})
    assert flat.status is Status.CONVERGED
    assert "ftol" in flat.message
    still = minimize(rosen, X0, jac=rosen_der, options={"gtol": 0.0, "xtol": 1e-2})
    assert still.status is Status.CONVERGED
    assert "xtol" in still.message
    assert minimize(rosen, X0, jac=rosen_der, options={"gtol": 1e-8}).nit > max(flat.nit, still.nit)


# Callbacks and interruption -------------------------------------------------------------------


def test_callbacks_see_each_iterate_and_may_stop():
    seen, results = [], []
    result = minimize(rosen, X0, jac=rosen_der, callback=lambda xk: seen.append(xk.copy()))
    assert len(seen) == result.nit
    np.testing.assert_array_equal(seen[-1], result.x)

    def callback(*, intermediate_result):
        results.append(intermediate_result)
        if len(results) == 3:
            raise StopIteration

    result = minimize(rosen, X0, jac=rosen_der, callback=callback)
    assert result.status is Status.CALLBACK
    assert result.nit == 3
    assert [r.fun for r in results] == [r.fun for r in result.trace[1:]]
    assert results[0].status is None


def test_an_error_in_fun_is_the_callers():
    with pytest.raises(ZeroDivisionError):
        minimize(lambda x: 1 / 0, X0)


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A process started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(after):
    calls = []

    def fun(x):
        calls.append(1)
        if len(calls) == after:
            os.kill(os.getpid(), signal.SIGINT)
        return rosen(x), rosen_der(x)

    return fun


@pytest.mark.parametrize("method", SMOOTH)
def test_ctrl_c_returns_the_result_so_far(method):
    result = minimize(interrupting(4), X0, jac=True, method=method, options={"gtol": 0.0})
    assert result.status is Status.INTERRUPTED
    assert not result.success
    assert result.fun == rosen(result.x) <= rosen(X0)


def test_ctrl_c_in_a_callback():
    def callback(xk):
        raise KeyboardInterrupt

    assert minimize(rosen, X0, jac=rosen_der, callback=callback).status is Status.INTERRUPTED


def test_a_second_ctrl_c_raises(monkeypatch):
    plain = objectives.Objective.tree

    def tree(self, x):  # once more while the result is made
        if self.nfev == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return plain(self, x)

    fun = interrupting(4)
    minimize(fun, X0, jac=True)
    monkeypatch.setattr(objectives.Objective, "tree", tree)
    with pytest.raises(KeyboardInterrupt):
        minimize(interrupting(4), X0, jac=True)


# Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"fun": 3}, OptionError, "fun must be callable, got a int"),
        ({"method": "lbfg"}, OptionError, "unknown method 'lbfg'; did you mean 'lbfgs'"),
        ({"method": "scipy:lbfgs"}, OptionError, "SciPy's are scipy:nelder-mead"),
        ({"options": {"histroy": 3}}, OptionError, "unknown option 'histroy'; did you mean 'history'"),
        ({"options": {"gtol": -1}}, OptionError, "gtol must be a number >= 0, got -1"),
        ({"options": {"gtol": math.nan}}, OptionError, "gtol must be a number >= 0, got nan"),
        ({"options": {"maxiter": 1.5}}, OptionError, "maxiter must be an integer >= 0, got 1.5"),
        ({"options": {"maxfun": 0}}, OptionError, "maxfun must be an integer >= 1, got 0"),
        ({"options": {"line_search": "wolf"}}, OptionError, "there is no 'wolf'; there are"),
        ({"jac": 3}, OptionError, "jac must be a callable, True"),
        ({"bounds": [(0, 1), (0, 1)]}, OptionError, "takes no bounds; methods that do: lbfgsb"),
        ({"constraints": {"type": "eq", "fun": bowl}}, OptionError, "takes no constraints; methods that do"),
        ({"x0": "here"}, LeafError, "the array is a str, expected an array"),
        (
            {"x0": {"a": np.zeros(2), "b": np.zeros(2, np.float32)}},
            LeafError,
            "dtypes float32, float64; cast them to one",
        ),
        ({"x0": np.zeros(2, complex)}, LeafError, "dtype complex128, expected a real"),
        ({"jac": lambda x: np.zeros(3)}, LeafError, r"jac: .*shape \(3,\), expected \(2,\) like x0"),
        ({"jac": lambda x: {"a": x}}, LeafError, "jac: expected a tree like x0"),
        ({"fun": lambda x: x}, LeafError, r"fun: expected one number, got an array of shape \(2,\)"),
        ({"fun": lambda x: None}, LeafError, "fun: expected one number, got a NoneType"),
        ({"fun": bowl, "jac": True}, LeafError, r"with jac=True expected a pair \(value, gradient\), got a float"),
        (
            {"method": "newton", "hess": lambda x: np.eye(3)},
            LeafError,
            r"hess: returned shape \(3, 3\), expected \(2, 2\)",
        ),
    ],
)
def test_bad_input(change, error, match):
    given = {"fun": bowl, "x0": np.zeros(2), "jac": bowl_der, **change}
    with pytest.raises(error, match=match):
        minimize(**given)


def test_a_gradient_that_disagrees_is_found_out_if_asked():
    with pytest.raises(OptionError, match=r"jac: component 1 is .* at x0, but differences of fun give"):
        minimize(rosen, X0, jac=lambda x: rosen_der(x) * [1, 1.001], options={"check_gradient": True})
    assert minimize(rosen, X0, jac=rosen_der, options={"check_gradient": True}).success


# dtype, device, transfers ---------------------------------------------------------------------


@pytest.mark.parametrize("method", SMOOTH)
def test_single_precision_stays_single(method):
    kinds = set()

    def fun(x):
        kinds.add(x.dtype)
        return np.sum((x - 3) ** 2 * np.float32([1, 2])), 2 * (x - 3) * np.float32([1, 2])

    result = minimize(fun, np.zeros(2, np.float32), jac=True, method=method)
    assert kinds == {np.dtype(np.float32)}
    assert result.x.dtype == result.jac.dtype == np.float32
    assert result.success, result.message


XP, DEVICE = array_api_strict, array_api_strict.Device("device1")


def strict_rosenbrock(x):
    t, u = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    zero = XP.zeros(1, device=DEVICE)
    g = XP.concat([-400 * x[:-1] * t - 2 * u, zero]) + XP.concat([zero, 200 * t])
    return XP.sum(100 * t**2 + u**2), g


@pytest.mark.parametrize("method", [*(m for m in SMOOTH if m != "trust_region"), "trust_steihaug", "adam"])
def test_another_library_and_its_second_device(method):
    result = minimize(
        strict_rosenbrock, XP.zeros(3, device=DEVICE), jac=True, method=method, options={"maxiter": 400, "gtol": 1e-2}
    )
    assert result.x.device == DEVICE
    assert result.fun < (1.7 if method == "adam" else 0.5)  # 2 at the start


@pytest.mark.parametrize("method", ["lbfgs", "cg"])
def test_at_most_two_transfers_an_evaluation(method, monkeypatch):
    transfers = []

    def counted(x):
        if not isinstance(x, np.ndarray):
            transfers.append(x)
        return to_numpy(x)

    for module in (backend, objectives, limited):  # wherever the name is looked up
        monkeypatch.setattr(module, "to_numpy", counted)
    array = type(XP.zeros(1))
    for name in ("__float__", "__bool__", "__int__", "__index__"):
        monkeypatch.setattr(array, name, _counting(getattr(array, name), transfers))
    result = minimize(strict_rosenbrock, XP.zeros(6, device=DEVICE), jac=True, method=method, options={"maxiter": 40})
    assert result.nfev > 20
    assert len(transfers) <= 2 * result.nfev, len(transfers) / result.nfev


def _counting(function, transfers):
    def counted(self):
        transfers.append(self)
        return function(self)

    return counted


def test_arrays_of_two_libraries():
    with pytest.raises((BackendError, LeafError)):
        minimize(bowl, {"a": np.zeros(2), "b": XP.zeros(2)})
