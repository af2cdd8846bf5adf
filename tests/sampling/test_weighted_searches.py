"""What the populations that move by weights keep to: pure asks, runs apart, resuming, values that are no numbers."""

import math

import array_api_strict
import numpy as np
import pytest

from arrayopt import minimize
from arrayopt.backend import to_numpy
from arrayopt.core.population import values
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling import METHODS, MPPI, Consensus, CrossEntropy
from tests.common.libraries import libraries

SEARCHES = [CrossEntropy(n=8, elite=0.5), MPPI(n=8), MPPI(n=8, control_cost=0.2), Consensus(n=8)]
search = pytest.mark.parametrize("method", SEARCHES, ids=lambda m: type(m).__name__)


def sphere(x):
    return ((x - 1) ** 2).sum(axis=-1)


def run(method, x0, steps=4, seed=0, fun=sphere, state=None):
    state = method.init(x0, seed=seed) if state is None else state
    for _ in range(steps):
        x = method.ask(state)
        state = method.tell(state, x, values(fun, x))
    return state


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@search
def test_asking_is_pure_and_a_run_that_goes_on_equals_one_that_was_not_interrupted(method):
    half = run(method, np.zeros(3), 3)
    np.testing.assert_array_equal(method.ask(half), method.ask(half))
    stored = type(half)(*(x.copy() if isinstance(x, np.ndarray) else x for x in half))
    assert_same(run(method, None, 3, state=stored), run(method, np.zeros(3), 6))


@search
@pytest.mark.parametrize("d", [1, 2, 5])
def test_run_r_of_many_is_the_run_alone_bit_for_bit(method, d):
    x0 = np.random.default_rng(0).normal(size=(2, 3, d))
    seed = 2**64 - 2  # so that the seeds of runs go round
    together = run(method, x0, seed=seed)
    for r in range(6):
        alone = run(method, x0.reshape(6, d)[r], seed=(seed + r) % 2**64)
        for name in alone._fields[2:]:
            whole = getattr(together, name)
            np.testing.assert_array_equal(whole.reshape(6, *whole.shape[2:])[r], getattr(alone, name))


@search
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_seeds_at_the_ends_of_the_range(method, seed):
    assert np.isfinite(run(method, np.zeros(2), seed=seed).best_x).all()
    assert not np.array_equal(method.ask(method.init(np.zeros(2), 1)), method.ask(method.init(np.zeros(2), seed)))


@search
@pytest.mark.parametrize("bad", [[math.nan] * 8, [math.inf] * 8, [math.nan, math.inf] * 4])
def test_a_generation_without_a_finite_value_changes_nothing(method, bad):
    state = run(method, np.zeros(3), 2)
    x = method.ask(state)
    after = method.tell(state, x, np.array(bad))
    for name in state._fields[2:]:
        np.testing.assert_array_equal(getattr(after, name), getattr(state, name))
    assert not np.array_equal(method.ask(after), x) or isinstance(method, Consensus)
    first = method.init(np.zeros(3))
    first = method.tell(first, method.ask(first), np.array(bad))
    assert first.best_f == math.inf
    assert np.isfinite(first.best_x).all()


@search
def test_values_that_are_partly_no_numbers_and_minus_infinity(method):
    state = method.init(np.zeros(3))
    x = method.ask(state)
    f = np.array([math.nan, 1.0, math.inf, 2.0, math.nan, 3.0, -math.inf, 0.5])
    after = method.tell(state, x, f)
    assert all(np.isfinite(y).all() for y in after[2:-1])
    np.testing.assert_array_equal(after.best_x, x[6])


@search
def test_array_api_strict_and_torch_see_the_same_numbers(method):
    expected = run(method, np.zeros(3))
    device = array_api_strict.Device("device1")

    def strict(x):
        return array_api_strict.sum((x - 1) ** 2, axis=-1)

    there = run(method, array_api_strict.zeros(3, dtype=array_api_strict.float64, device=device), fun=strict)
    for name in expected._fields[2:]:
        assert getattr(there, name).device == device
        np.testing.assert_allclose(to_numpy(getattr(there, name)), getattr(expected, name), rtol=1e-12, atol=1e-14)
    assert method.stopped(there) is None


@pytest.mark.parametrize("xp", libraries("torch"))
@search
def test_torch(method, xp):
    there = run(method, xp.zeros((2, 3), dtype=xp.float32), fun=lambda x: ((x - 1) ** 2).sum(-1))
    expected = run(method, np.zeros((2, 3), np.float32))
    np.testing.assert_allclose(to_numpy(there.best_x), expected.best_x, rtol=1e-5)
    assert there.best_x.dtype == xp.float32


@search
def test_single_precision_is_kept(method):
    state = run(method, np.zeros((2, 3), np.float32))
    assert {x.dtype for x in state[2:]} == {np.dtype(np.float32)}
    assert method.ask(state).dtype == np.float32


@search
def test_the_global_generator_is_untouched(method):
    before = np.random.get_state()  # noqa: NPY002 (what must not change)
    run(method, np.zeros(2))
    assert all(np.array_equal(a, b) for a, b in zip(before, np.random.get_state(), strict=True))  # noqa: NPY002


@search
def test_a_million_dimensions(method):
    state = run(method.replace(n=4), np.zeros(1_000_000, np.float32), 1, fun=lambda x: (x**2).mean(-1))
    assert all(np.isfinite(x).all() for x in state[2:])


@search
def test_points_one_by_one_through_workers_and_as_methods_of_minimize(method):
    vectorized = minimize(sphere, np.zeros(2), method=method, options={"vectorized": True, "maxiter": 5})
    mapped = minimize(lambda x: float(sphere(x)), np.zeros(2), method=method, options={"workers": map, "maxiter": 5})
    assert vectorized.fun == mapped.fun
    assert vectorized.nfev == mapped.nfev == 1 + 5 * 8
    assert {"consensus": Consensus, "cross_entropy": CrossEntropy, "mppi": MPPI}.items() <= METHODS.items()


@search
def test_what_is_refused(method):
    for x0 in (np.zeros(()), np.zeros((2, 0)), np.zeros(2, int)):
        with pytest.raises(LeafError, match="x0: expected real floating numbers of shape"):
            method.init(x0)
    with pytest.raises(OptionError, match="must be an integer >= "):
        method.replace(n=0)
