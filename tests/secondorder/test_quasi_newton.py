import array_api_strict as strict
import numpy as np
import pytest

from arrayopt.core.method import Status
from arrayopt.errors import OptionError
from arrayopt.secondorder import BFGS, DFP, SR1, Broyden
from arrayopt.solve import minimize
from tests.secondorder.smooth import iterates, quadratic, rosenbrock, rosenbrock_gradient

ALL = [BFGS(), DFP(), Broyden(phi=0.5), SR1()]
START = np.array([-1.2, 1.0])


def distances(runs, reference, size):
    """The largest distance of the runs' iterates from those of a reference, as far as all go."""
    count = min(map(len, [*runs, reference]))
    assert count > 2
    return max(float(np.linalg.norm(run[i] - reference[i])) for run in runs for i in range(count)) / size


@pytest.mark.parametrize("h0", ["large", "scaled", "identity", np.eye(2) / 100])
@pytest.mark.parametrize("method", [BFGS(), Broyden(phi=0.8), SR1()], ids=lambda m: type(m).__name__)
def test_rosenbrock(method, h0):
    result = minimize(rosenbrock, START, jac=rosenbrock_gradient, method=method.replace(h0=h0), tol=1e-8)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.x, 1.0, atol=1e-7)


@pytest.mark.parametrize("method", ALL, ids=lambda m: type(m).__name__)
def test_single_precision_stays_single(method):
    seen = set()

    def fun(x):
        seen.add(x.dtype)
        return rosenbrock(x), rosenbrock_gradient(x)

    result = minimize(fun, START.astype(np.float32), jac=True, method=method, options={"maxiter": 100})
    assert result.x.dtype == np.float32
    assert seen == {np.dtype(np.float32)}


def on_device(x):
    return strict.asarray(x, device=strict.Device("device1"))


@pytest.mark.parametrize("method", ALL, ids=lambda m: type(m).__name__)
def test_arrays_of_other_libraries_stay_on_their_device(method):
    _, _, solution, A = quadratic(0, 4, kappa=10.0)
    A, b = on_device(A), on_device(A @ solution)
    result = minimize(
        lambda x: (x @ (A @ x)) / 2 - b @ x, on_device(np.zeros(4)), jac=lambda x: A @ x - b, method=method, tol=1e-8
    )
    assert result.success
    assert result.x.device == strict.Device("device1")
    here = strict.asarray(result.x, device=strict.Device("CPU_DEVICE"))
    np.testing.assert_allclose(np.asarray(here), solution, atol=1e-7)


def test_the_model_in_place_and_the_pure_one_lead_along_the_same_path():
    """On a foreign device H is updated by the pure function; here, in place."""
    x0 = np.full(4, -1.2)

    def there(x):
        x = np.asarray(strict.asarray(x, device=strict.Device("CPU_DEVICE")))
        return on_device(rosenbrock(x)), on_device(rosenbrock_gradient(x))

    run = iterates(BFGS(), rosenbrock, rosenbrock_gradient, x0, 20)
    pure = iterates(BFGS(), lambda x: there(x)[0], lambda x: there(x)[1], on_device(x0), 20)
    pure = [np.asarray(strict.asarray(x, device=strict.Device("CPU_DEVICE"))) for x in pure]
    assert distances([pure], run, 1.0) <= 1e-8


def test_a_bad_model_is_dropped_when_it_leads_uphill():
    result = minimize(rosenbrock, START, jac=rosenbrock_gradient, method=BFGS(h0=-np.eye(2)), tol=1e-8)
    assert result.success


def test_a_gradient_of_the_wrong_sign_is_a_failed_line_search():
    result = minimize(lambda x: x @ x, np.ones(3), jac=lambda x: -2 * x, method="bfgs")
    assert result.status is Status.LINE_SEARCH
    assert not result.success


def test_wrong_starts_are_named():
    with pytest.raises(OptionError, match="h0"):
        BFGS(h0="unknown")
    with pytest.raises(OptionError, match=r"h0: expected the shape \(2, 2\), got \(3, 3\)"):
        minimize(rosenbrock, START, jac=rosenbrock_gradient, method=BFGS(h0=np.eye(3)))
    with pytest.raises(OptionError, match="phi"):
        Broyden(phi=-1.0)
