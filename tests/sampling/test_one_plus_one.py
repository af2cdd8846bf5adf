import array_api_strict as strict
import numpy as np
import pytest

from arrayopt import LeafError, OptionError, minimize, to_numpy
from arrayopt.core.method import Status
from arrayopt.core.population import values
from arrayopt.sampling.one_plus_one import OnePlusOne


def sphere(x):
    return (x * x).sum(axis=-1)


def run(method, x0, seed=0, generations=50, fun=sphere, state=None):
    state = method.init(x0, seed) if state is None else state
    for _ in range(generations):
        x = method.ask(state)
        state = method.tell(state, x, fun(x))
    return state


def test_a_failure_shrinks_sigma_by_the_damping():
    method = OnePlusOne(sigma=1.0, damping=2.5)
    state = method.init(np.zeros(5))
    for f in (1.0, 2.0, np.nan, np.inf):
        state = method.tell(state, method.ask(state), np.array([f]))
    assert state.sigma[0] == pytest.approx(np.exp(-0.3), rel=1e-14)


def progress(method, n, runs):
    """Return n times the rates of ln |x|, an evaluation, of several runs once they have settled."""
    settled = run(method, np.ones((runs, n)), generations=300)
    later = run(method, None, generations=1000, state=settled)
    return n * np.log(settled.best_f / later.best_f) / 2 / 1000


def test_the_progress_on_the_sphere_is_about_a_fifth_over_n():
    # 0.2025 / n is the best rate of any step-size for large n; one success in five costs a little of it.
    rates = progress(OnePlusOne(sigma=0.3), 20, 25)
    error = rates.std() / 5
    assert rates.mean() + 4 * error > 0.16
    assert rates.mean() - 4 * error < 0.2025


def test_the_factor_of_schwefel_applied_at_every_evaluation_lags_behind():
    # Loosely stated it is the same rule; sigma cannot fall faster than by c in n evaluations, the distance does.
    slow = progress(OnePlusOne(sigma=0.3, damping=20 / (4 * np.log(1 / 0.85))), 20, 10)
    assert slow.mean() + 4 * slow.std() / np.sqrt(10) < 0.12


def test_run_r_of_many_equals_the_run_alone_and_resuming_changes_nothing():
    starts = np.array([[1.0, 2.0], [-3.0, 0.5], [0.0, 9.0]])
    together = run(OnePlusOne(), starts, 2**64 - 1, 40)
    for r in range(3):
        alone = run(OnePlusOne(), starts[r], (2**64 - 1 + r) % 2**64, 15)
        alone = run(OnePlusOne(), None, generations=25, state=alone)
        assert np.array_equal(together.best_x[r], alone.best_x)
        assert np.array_equal(together.best_f[r], alone.best_f)
        assert np.array_equal(together.sigma[r], alone.sigma)


@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
def test_it_runs_on_arrays_of_any_library_and_device_in_any_precision(device):
    x0 = np.array([1.0, -2.0], np.float32)
    method, state = OnePlusOne(), OnePlusOne().init(strict.asarray(x0, device=strict.Device(device)), 3)
    for _ in range(20):
        x = method.ask(state)
        state = method.tell(state, x, values(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2, x))
    plain = run(method, x0, 3, 20)
    assert state.best_x.device == strict.Device(device)
    assert {plain.best_x.dtype, plain.best_f.dtype, plain.sigma.dtype} == {np.dtype(np.float32)}
    assert np.allclose(to_numpy(state.best_x), plain.best_x, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_without_any_value_it_stays_at_x0(bad):
    state = run(OnePlusOne(), np.ones(2), fun=lambda x: np.full(x.shape[:-1], bad))
    assert np.isfinite(state.best_x).all()
    if np.isnan(bad):
        assert np.array_equal(state.best_x, np.ones(2))


def test_minus_inf_ends_it():
    method = OnePlusOne()
    state = run(method, np.ones(2), generations=2, fun=lambda x: np.full(x.shape[:-1], -np.inf))
    assert method.stopped(state).status is Status.UNBOUNDED


def test_minimize_takes_it_by_name():
    result = minimize(sphere, np.ones(4), method="one_plus_one", options={"sigma": 0.5, "maxiter": 10**4})
    assert result.success
    assert result.fun < 1e-18


def test_bad_input_is_refused():
    for options in ({"sigma": 0.0}, {"damping": 0.0}, {"damping": "x"}, {"tolx": -1.0}):
        with pytest.raises(OptionError, match=next(iter(options))):
            OnePlusOne(**options)
    for x0 in (np.array(1.0), np.zeros(0), np.array([np.nan]), np.array([1])):
        with pytest.raises(LeafError, match="x0: expected finite real numbers"):
            OnePlusOne().init(x0)
    state = OnePlusOne().init(np.ones(2))
    with pytest.raises(LeafError, match="tell: expected points"):
        OnePlusOne().tell(state, np.ones((2, 2)), np.ones(2))
    with pytest.raises(OptionError, match="seed"):
        OnePlusOne().init(np.ones(2), -1)
