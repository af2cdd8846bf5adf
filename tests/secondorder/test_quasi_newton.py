import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt.core.method import Status
from arrayopt.errors import OptionError
from arrayopt.secondorder import BFGS, DFP, SR1, Broyden
from arrayopt.solve import minimize
from tests.secondorder.smooth import convex, iterates, quadratic, rosenbrock, rosenbrock_gradient

ALL = [BFGS(), DFP(), Broyden(phi=0.5), SR1()]
SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=15)
START = np.array([-1.2, 1.0])


def distances(runs, reference, size):
    """The largest distance of the runs' iterates from those of a reference, as far as all go."""
    count = min(map(len, [*runs, reference]))
    assert count > 2
    return max(float(np.linalg.norm(run[i] - reference[i])) for run in runs for i in range(count)) / size


def conjugate_gradients(A, b, M, count):
    """The textbook iterates from 0, preconditioned by M."""
    x, r = 0 * b, b
    z = M @ r
    p, found = z, [x]
    for _ in range(count):
        a, before = (r @ z) / (p @ A @ p), r @ z
        x, r = x + a * p, r - a * A @ p
        z = M @ r
        p = z + (r @ z) / before * p
        found.append(x)
    return found


@FEW
@given(SEEDS, st.integers(2, 10))
def test_claim_05_quasi_newton_methods_are_conjugate_gradients_on_quadratics(seed, n):
    f, g, solution, A = quadratic(seed, n, kappa=10.0)
    options = {"line_search": "exact", "h0": "identity"}
    methods = [BFGS(**options), DFP(**options), Broyden(phi=0.5, **options), Broyden(phi=2.0, **options)]
    runs = [iterates(method, f, g, np.zeros(n), n) for method in methods]
    reference = conjugate_gradients(A, A @ solution, np.eye(n), n)
    assert distances(runs, reference, np.linalg.norm(solution)) <= 1e-11


@FEW
@given(SEEDS, st.integers(2, 5))
def test_claim_06_bfgs_from_a_matrix_is_preconditioned_conjugate_gradients(seed, n):
    f, g, solution, A = quadratic(seed, n, kappa=10.0)
    M = quadratic(seed + 1, n, kappa=5.0)[3]
    run = iterates(BFGS(line_search="exact", h0=M), f, g, np.zeros(n), n)
    reference = conjugate_gradients(A, A @ solution, M, n)
    assert distances([run], reference, np.linalg.norm(solution)) <= 1e-11


@FEW
@given(SEEDS, st.integers(2, 6))
def test_claim_07_the_broyden_class_has_the_same_iterates_with_exact_line_searches(seed, n):
    f, g = convex(seed, n)
    options = {"line_search": "bisection", "h0": "identity"}
    runs = [iterates(Broyden(phi=phi, **options), f, g, np.ones(n), 5) for phi in (0.0, 0.5, 1.0, 2.0)]
    assert distances(runs, iterates(BFGS(**options), f, g, np.ones(n), 5), np.sqrt(n)) <= 1e-12


@FEW
@given(SEEDS, st.integers(2, 6))
def test_claim_22_bfgs_converges_superlinearly(seed, n):
    f, g = convex(seed, n)
    run = iterates(BFGS(), f, g, 3 * np.ones(n), 100)
    errors = np.array([np.linalg.norm(x - run[-1]) for x in run])
    errors = errors[errors > 1e-9]
    ratios = (errors[1:] / errors[:-1])[-5:]
    assert ratios[-1] < 0.6
    # Ratios of a superlinear run fall, if not each time.
    assert np.exp(np.mean(np.log(ratios[-2:]))) < 0.6
    assert ratios.min() < 0.3


@FEW
@given(SEEDS)
def test_claim_24_bfgs_does_not_depend_on_coordinates(seed):
    n = 5
    f, g = convex(seed, n)
    A, H0 = quadratic(seed + 1, n, kappa=10.0)[3], quadratic(seed + 2, n, kappa=5.0)[3]
    back = np.linalg.inv(A)
    run = iterates(BFGS(h0=H0), f, g, np.ones(n), 10)
    other = iterates(BFGS(h0=back @ H0 @ back.T), lambda z: f(A @ z), lambda z: A.T @ g(A @ z), back @ np.ones(n), 10)
    assert distances([[A @ z for z in other]], run, np.sqrt(n)) <= 1e-8


@pytest.mark.parametrize("k", [-100, -1, 1, 37, 100])
@pytest.mark.parametrize("line_search", ["more_thuente", "hager_zhang", "auto"])
@pytest.mark.parametrize("method", [BFGS(), DFP(), Broyden(), SR1()], ids=lambda m: type(m).__name__)
def test_claim_25_scaling_the_objective_by_a_power_of_two_changes_no_bit(method, line_search, k):
    method, c, x0 = method.replace(line_search=line_search), 2.0**k, np.full(5, -1.2)
    run = iterates(method, rosenbrock, rosenbrock_gradient, x0, 60)
    scaled = iterates(method, lambda x: c * rosenbrock(x), lambda x: c * rosenbrock_gradient(x), x0, 60)
    assert len(run) == len(scaled) > 30
    assert all(np.array_equal(a, b) for a, b in zip(run, scaled, strict=True))


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
