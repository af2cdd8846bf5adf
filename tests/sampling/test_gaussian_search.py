"""What every search by Gaussian samples promises."""

import pickle

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import LeafError, OptionError, to_numpy
from arrayopt.core.method import Status
from arrayopt.core.population import values
from arrayopt.sampling.cmaes import CMAES
from arrayopt.sampling.sepcma import SepCMA
from arrayopt.sampling.snes import SNES
from arrayopt.sampling.xnes import XNES

METHODS = {
    "cmaes": CMAES(),
    "cmaes_lazy": CMAES(lazy=5.0, edition="2023"),
    "sepcma": SepCMA(),
    "xnes": XNES(),
    "snes": SNES(),
}
every = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
X0 = np.array([1.0, -0.5, 0.25, 2.0])


def ellipsoid(x):
    n = x.shape[-1]
    return sum(x[..., i] ** 2 * 10.0 ** (3 * i / max(1, n - 1)) for i in range(n))


def run(method, x0, seed=0, generations=25, fun=ellipsoid, state=None):
    state = method.init(x0, seed) if state is None else state
    for _ in range(generations):
        x = method.ask(state)
        state = method.tell(state, x, fun(x))
    return state


def leaves(state):
    for x in state:
        if isinstance(x, tuple):
            yield from leaves(x)
        else:
            yield np.asarray(to_numpy(x)) if hasattr(x, "shape") else np.asarray(x)


def same(a, b):
    pairs = list(zip(leaves(a), leaves(b), strict=True))
    return len(pairs) > 10 and all(np.array_equal(x, y) for x, y in pairs)


@every
def test_asking_twice_gives_the_same_points_and_changes_nothing(method):
    state = run(method, X0, generations=3)
    assert np.array_equal(method.ask(state), method.ask(state))
    assert same(state, run(method, X0, generations=3))


@every
def test_telling_changes_neither_the_state_nor_the_points_nor_the_values(method):
    state = run(method, X0, generations=4)
    copy, x = pickle.loads(pickle.dumps(state)), method.ask(state)
    f = ellipsoid(x)
    held = x.copy(), f.copy()
    for part in leaves(state):
        part.setflags(write=False)
    x.setflags(write=False)
    f.setflags(write=False)
    method.tell(state, x, f)
    assert same(state, copy)
    assert np.array_equal(held[0], x)
    assert np.array_equal(held[1], f)


@every
def test_a_run_from_a_stored_state_equals_one_never_interrupted_bit_for_bit(method):
    stored = pickle.loads(pickle.dumps(run(method, X0, generations=11)))
    assert same(run(method, X0, generations=14, state=stored), run(method, X0, generations=25))


@every
@pytest.mark.parametrize("seed", [0, 2**64 - 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_run_r_of_many_equals_the_run_alone_bit_for_bit(method, seed, dtype):
    starts = (X0 + np.arange(6.0)[:, None]).reshape(2, 3, 4).astype(dtype)
    together = run(method, starts, seed, 31)
    for r, x0 in enumerate(starts.reshape(6, 4)):
        alone = run(method, x0, (seed + r) % 2**64, 31)
        at = divmod(r, 3)
        assert together.mean.dtype == dtype
        assert np.array_equal(together.mean[at], alone.mean)
        assert np.array_equal(together.best_x[at], alone.best_x)
        assert np.array_equal(together.best_f[at], alone.best_f)
        for a, b in zip(together.model, alone.model, strict=True):
            assert np.array_equal(a if isinstance(a, int) else a[at], b)
        for a, b in zip(together.record, alone.record, strict=True):
            assert np.array_equal(a[r], b[0])


@every
def test_a_run_that_has_ended_waits_for_the_others(method):
    starts = np.array([[1e-6, 0.0], [3.0, -2.0], [50.0, 1.0]])
    method = method.replace(tolfun=1e-6, tolfunhist=1e-6)
    together = method.init(starts, 7)
    while not method.stopped(together):
        x = method.ask(together)
        together = method.tell(together, x, ellipsoid(x))
    lengths = set()
    for r, x0 in enumerate(starts):
        alone = method.init(x0, 7 + r)
        while not method.stopped(alone):
            x = method.ask(alone)
            alone = method.tell(alone, x, ellipsoid(x))
        lengths.add(alone.t)
        assert np.array_equal(together.best_x[r], alone.best_x)
        assert np.array_equal(together.best_f[r], alone.best_f)
        assert np.array_equal(together.mean[r], alone.mean)
    assert len(lengths) > 1
    assert together.t == max(lengths)


@every
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**64 - 1))
def test_an_increasing_function_of_values_changes_nothing_bit_for_bit(method, seed):
    # Strictly increasing in floats, too: a power of two, and a shift where no bit is lost.
    plain = run(method, X0, seed, 12)
    for transform in (lambda f: 1024 * f, lambda f: np.ldexp(f, -300), lambda f: np.nextafter(f, np.inf), np.cbrt):
        other = run(method, X0, seed, 12, fun=lambda x, g=transform: g(ellipsoid(x)))
        if transform is np.cbrt:  # which may make ties
            assert np.allclose(other.mean, plain.mean)
            continue
        assert np.array_equal(other.mean, plain.mean)
        assert np.array_equal(other.best_x, plain.best_x)
        assert all(np.array_equal(a, b) for a, b in zip(other.model, plain.model, strict=True))


@every
def test_ranks_in_place_of_values_change_nothing_bit_for_bit(method):
    def ranks(x):
        return np.argsort(np.argsort(ellipsoid(x))).astype(float) - 1e6

    a, b = run(method, X0, 1, 20), run(method, X0, 1, 20, fun=ranks)
    assert np.array_equal(a.mean, b.mean)


@every
@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
@pytest.mark.parametrize("shape", [(4,), (2, 4)])
def test_it_runs_on_arrays_of_any_library_and_device(method, device, shape):
    x0 = np.broadcast_to(X0, shape).copy()
    there = strict.asarray(x0, device=strict.Device(device))
    state, plain = method.init(there, seed=3), method.init(x0, seed=3)
    for _ in range(12):
        x = method.ask(state)
        state = method.tell(state, x, values(ellipsoid, x))
        y = method.ask(plain)
        plain = method.tell(plain, y, ellipsoid(y))
        method.stopped(state)
    assert state.mean.device == strict.Device(device)
    assert state.best_f.device == strict.Device(device)
    assert np.allclose(to_numpy(state.mean), plain.mean, rtol=1e-9)
    assert np.allclose(to_numpy(state.best_f), plain.best_f, rtol=1e-9)


@every
def test_the_dtype_is_kept(method):
    state = run(method, X0.astype(np.float32), generations=5)
    assert {a.dtype for a in (state.mean, state.best_x, state.best_f)} == {np.dtype(np.float32)}
    assert all(a.dtype == np.float32 for a in state.model if not isinstance(a, int))
    assert state.record.values.dtype == np.float64


@every
def test_one_dimension_and_the_ends_of_the_range_of_seeds_are_fine(method):
    for seed in (0, 2**64 - 1):
        state = method.init(np.array([2.0]), seed)
        while not method.stopped(state):
            x = method.ask(state)
            state = method.tell(state, x, ellipsoid(x))
        assert state.best_f < 1e-10


@every
def test_a_population_of_two_is_enough_to_go_on(method):
    method = method.replace(popsize=2)
    state = run(method, X0, generations=60)
    assert state.best_f < ellipsoid(X0)
    assert np.isfinite(state.mean).all()


@every
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_generation_without_any_value_leaves_the_distribution_as_it_is(method, bad):
    state = run(method, X0, generations=5)
    x = method.ask(state)
    new = method.tell(state, x, np.full(x.shape[0], bad))
    assert new.t == state.t + 1
    assert np.array_equal(new.mean, state.mean)
    assert all(np.array_equal(a, b) for a, b in zip(new.model, state.model, strict=True))
    assert np.array_equal(new.best_x, state.best_x)
    assert not np.array_equal(method.ask(new), x)


@every
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_an_objective_without_any_value_ends_the_run_as_not_finite(method, bad):
    state = method.init(X0)
    for _ in range(3):
        assert not method.stopped(state)
        x = method.ask(state)
        assert np.isfinite(x).all()
        state = method.tell(state, x, np.full(x.shape[0], bad))
        if state.t == 2:
            break
    stop = method.stopped(state)
    assert stop.status is Status.NOT_FINITE
    assert np.array_equal(state.mean, X0)
    assert np.array_equal(state.best_x, X0)
    assert state.best_f == np.inf


@every
def test_points_without_a_value_count_as_the_worst(method):
    def half(x):
        return np.where(x[:, 0] > 1.2, np.where(x[:, 1] > 0, np.nan, np.inf), ellipsoid(x))

    state = method.init(X0, seed=2)
    while not method.stopped(state):
        x = method.ask(state)
        state = method.tell(state, x, half(x))
    assert state.best_f < 1e-8


@every
def test_nan_ranks_after_inf_bit_for_bit(method):
    state = run(method, X0, generations=2)
    x = method.ask(state)
    f = ellipsoid(x)
    order = np.argsort(f)
    f[order[-2:]] = [np.inf, np.nan]
    g = ellipsoid(x)
    a, b = method.tell(state, x, f), method.tell(state, x, g)
    assert np.array_equal(a.mean, b.mean)
    assert all(np.array_equal(p, q) for p, q in zip(a.model, b.model, strict=True))


@every
def test_minus_inf_ends_the_run_as_unbounded(method):
    state = method.init(X0)
    x = method.ask(state)
    f = ellipsoid(x)
    f[3] = -np.inf
    state = method.tell(state, x, f)
    assert method.stopped(state).status is Status.UNBOUNDED
    assert np.array_equal(state.best_x, x[3])
    assert np.isfinite(state.mean).all()


@every
def test_the_best_point_is_the_first_of_the_least_values_so_far(method):
    state, least, point = method.init(X0, 9), np.inf, None
    for _ in range(15):
        x = method.ask(state)
        f = np.round(ellipsoid(x), 1)
        i = int(np.argmin(f))
        if f[i] < least:
            least, point = f[i], x[i]
        state = method.tell(state, x, f)
        assert state.best_f == least
        assert np.array_equal(state.best_x, point)


@every
@pytest.mark.parametrize(
    ("x0", "message"),
    [
        (np.array(1.0), "shape"),
        (np.zeros((3, 0)), "shape"),
        (np.array([1, 2]), "real floating"),
        (np.array([1.0, 2j]), "real floating"),
        (np.array([1.0, np.nan]), "finite"),
        (np.array([1.0, np.inf]), "finite"),
    ],
)
def test_a_bad_start_is_refused(method, x0, message):
    with pytest.raises(LeafError, match=f"x0: .*{message}"):
        method.init(x0)


@every
@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, None, True])
def test_a_bad_seed_is_refused(method, seed):
    with pytest.raises(OptionError, match=r"seed: expected an integer in \[0, 2\^64\)"):
        method.init(X0, seed)


@every
def test_points_and_values_of_another_shape_are_refused(method):
    state = method.init(X0)
    x = method.ask(state)
    for points, f in ((x[1:], ellipsoid(x[1:])), (x[:, :3], ellipsoid(x)), (x, ellipsoid(x)[:, None])):
        with pytest.raises(LeafError, match="tell: expected points of shape"):
            method.tell(state, points, f)
    x[0, 0] = np.nan
    with pytest.raises(LeafError, match="x: every element of the points"):
        method.tell(state, x, ellipsoid(x))


@every
@pytest.mark.parametrize(
    "options",
    [
        {"sigma": 0.0},
        {"sigma": -1.0},
        {"sigma": np.inf},
        {"popsize": 1},
        {"popsize": 4.0},
        {"tolfun": -1.0},
        {"tolstagnation": -1},
    ],
    ids=str,
)
def test_bad_options_are_refused(method, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        method.replace(**options)


@every
def test_numpys_global_generator_is_not_touched(method):
    np.random.seed(5)  # noqa: NPY002 (this is the one to watch)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    run(method, X0, generations=3)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("method", [CMAES(), SepCMA(), SNES()], ids=["cmaes", "sepcma", "snes"])
def test_it_works_on_points_that_were_moved_before_they_were_evaluated(method):
    # A repair: tell takes the points from its arguments, not from its memory.
    state = method.init(X0, seed=1)
    for _ in range(400):
        if method.stopped(state):
            break
        x = np.clip(method.ask(state), 0.5, None)
        state = method.tell(state, x, ellipsoid(x))
    assert state.best_f == pytest.approx(ellipsoid(np.full(4, 0.5)), rel=0.05)
