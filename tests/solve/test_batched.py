import array_api_strict
import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from arrayopt.core.method import Status
from arrayopt.errors import LeafError, OptionError
from arrayopt.solve import minimize, minimize_batch


def rosenbrock(x):
    t = x[:, 1:] - x[:, :-1] ** 2
    g = np.zeros_like(x)
    g[:, 1:] += 200 * t
    g[:, :-1] += -400 * x[:, :-1] * t - 2 * (1 - x[:, :-1])
    return (100 * t**2 + (1 - x[:, :-1]) ** 2).sum(1), g


def starts(rows, n, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).uniform(-2, 2, (rows, n)).astype(dtype)


methods = pytest.mark.parametrize("method", ["lbfgs", "cg"])


@methods
@pytest.mark.parametrize("n", [1, 2, 5, 31, 32, 100])
def test_a_row_among_others_is_the_row_alone_bit_for_bit(method, n):
    x = starts(30, n + 1)
    options = {"maxiter": 1000 if n <= 5 else 50}
    together = minimize_batch(rosenbrock, x, method=method, options=options)
    assert together.success.all() or n > 5
    for i in range(0, 30, 3):
        alone = minimize_batch(rosenbrock, x[i : i + 1], method=method, options=options)
        for name in ("x", "fun", "jac", "nit", "nfev", "status"):
            np.testing.assert_array_equal(together[name][i], alone[name][0], err_msg=name)


def test_a_row_takes_the_steps_of_a_single_run():
    x = starts(20, 3)
    for steps in (1, 3, 8):
        rows = minimize_batch(rosenbrock, x, options={"maxiter": steps, "gtol": 0.0})
        for i in range(20):
            one = minimize(
                rosen, x[i], jac=rosen_der, method="lbfgs",
                options={"line_search": "weak_wolfe", "form": "two_loop", "maxiter": steps, "gtol": 0.0},
            )  # fmt: skip
            np.testing.assert_allclose(rows.x[i] - x[i], one.x - x[i], rtol=1e-9, atol=1e-12)
            assert (rows.nfev[i], rows.nit[i]) == (one.nfev, one.nit)


@methods
def test_rosenbrock_is_solved_from_everywhere(method):
    result = minimize_batch(rosenbrock, starts(200, 4), method=method)
    assert result.success.all()
    assert np.abs(result.jac).max() <= 1e-5
    assert result.message == f"200 rows: {Status.CONVERGED.sentence}"


@methods
def test_scaling_by_a_power_of_two_changes_no_bit(method):
    x, options = starts(20, 3), {"gtol": 0.0, "maxiter": 25}
    plain = minimize_batch(rosenbrock, x, method=method, options=options)
    for k in (-100, 100):
        scaled = minimize_batch(
            lambda x, k=k: tuple(2.0**k * a for a in rosenbrock(x)), x, method=method, options=options
        )
        np.testing.assert_array_equal(scaled.x, plain.x)


@methods
def test_single_precision_stays_single(method):
    result = minimize_batch(rosenbrock, starts(50, 3, dtype=np.float32), method=method, options={"gtol": 1e-3})
    assert result.x.dtype == result.jac.dtype == result.fun.dtype == np.float32
    assert result.success.mean() >= 0.9
    assert np.abs(result.jac[result.success]).max() <= 1e-3
    assert set(np.unique(result.status)) <= {Status.CONVERGED, Status.PRECISION_FLOOR, Status.LINE_SEARCH}


@methods
def test_another_array_library_and_its_second_device(method):
    xp, where = array_api_strict, array_api_strict.Device("device1")
    centre = xp.asarray([[1.0, -2.0], [3.0, 0.5]], device=where)

    def fun(x):
        return xp.sum((x - centre) ** 4 + (x - centre) ** 2, axis=1), 4 * (x - centre) ** 3 + 2 * (x - centre)

    result = minimize_batch(fun, xp.zeros((2, 2), device=where), method=method)
    assert result.x.device == where
    assert bool(xp.all(result.success))
    assert bool(xp.all(xp.abs(result.x - centre) < 1e-5))


def test_rows_end_in_their_own_ways():
    def fun(x):
        kinds = np.arange(4) + 0 * x[:, 0]
        v = x[:, 0]
        with np.errstate(over="ignore", invalid="ignore"):
            f = np.select([kinds == 0, kinds == 1, kinds == 2], [v**2, np.full_like(v, np.nan), -v], v**2)
            g = np.select([kinds == 0, kinds == 1, kinds == 2], [2 * v, v, -np.ones_like(v)], -2 * v)
        return f, g[:, None]

    result = minimize_batch(fun, np.array([[3.0], [3.0], [3.0], [3.0]]))
    assert result.status.tolist() == [Status.CONVERGED, Status.NOT_FINITE, Status.UNBOUNDED, Status.LINE_SEARCH]
    assert result.success.tolist() == [True, False, False, False]
    assert result.x[1:2].tolist() == [[3.0]]


def test_a_trial_that_is_not_finite_was_too_long():
    def fun(x):
        with np.errstate(invalid="ignore", divide="ignore"):
            f = x[:, 0] - np.log(x[:, 0])
        return f, 1 - 1 / x

    result = minimize_batch(fun, np.array([[0.01], [50.0]]))
    np.testing.assert_allclose(result.x, 1, atol=1e-4)


def test_the_limits_of_iterations_and_evaluations():
    x = starts(5, 4)
    result = minimize_batch(rosenbrock, x, options={"maxiter": 3, "gtol": 0.0})
    assert result.nit.tolist() == [3] * 5
    assert set(result.status.tolist()) == {Status.MAXITER}
    result = minimize_batch(rosenbrock, x, options={"maxfun": 7, "gtol": 0.0})
    assert result.nfev.tolist() == [7] * 5
    assert set(result.status.tolist()) == {Status.MAXFUN}


def test_ctrl_c_keeps_what_there_is():
    calls = []

    def fun(x):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return rosenbrock(x)

    result = minimize_batch(fun, starts(3, 3))
    assert set(result.status.tolist()) == {Status.INTERRUPTED}
    assert (result.fun < rosenbrock(starts(3, 3))[0]).all()


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"x0": np.zeros(3)}, LeafError, r"x0: expected an array of shape \(B, n\), got one of shape \(3,\)"),
        ({"x0": np.zeros((2, 2), int)}, LeafError, "expected a real floating dtype"),
        ({"fun": lambda x: (x, x)}, LeafError, r"fun: expected values of shape \(2,\), got \(2, 3\)"),
        ({"fun": lambda x: (x[:, 0], 0)}, LeafError, "fun: expected gradients of shape .*, got int"),
        ({"method": "newton"}, OptionError, "unknown method 'newton'; there are lbfgs, cg"),
        ({"options": {"gtool": 1}}, OptionError, "unknown option 'gtool'; did you mean 'gtol'"),
    ],
)
def test_bad_input(change, error, match):
    given = {"fun": rosenbrock, "x0": np.zeros((2, 3)), **change}
    with pytest.raises(error, match=match):
        minimize_batch(**given)


@methods
def test_nothing_to_do(method):
    result = minimize_batch(lambda x: (x.sum(1), x), np.zeros((3, 0)), method=method)
    assert result.success.all()
    assert minimize_batch(rosenbrock, np.zeros((0, 3)), method=method).x.shape == (0, 3)
