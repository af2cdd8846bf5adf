import tracemalloc

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import LeafError, OptionError, to_numpy
from arrayopt.core.random import normal, stream
from arrayopt.sampling.mezo import BLOCK, MeZO, two_sum
from tests.common.libraries import libraries


def tree(dtype=np.float64):
    rng = np.random.default_rng(0)
    big = rng.standard_normal(2 * BLOCK + 7)
    return {
        "big": big.astype(dtype),
        "layer": {"b": np.ones((), dtype), "w": rng.standard_normal((3, 4)).astype(dtype)},
    }


def loss(p):
    return float((p["big"][:100] ** 2).sum() + (p["layer"]["w"] ** 2).sum()) + float(p["layer"]["b"])


def flat(p):
    return {"big": p["big"], "layer/b": p["layer"]["b"], "layer/w": p["layer"]["w"]}


def explicit_spsa(fun, p, t, seed, sigma, lr):
    """Algorithm 1 of MeZO with a new array for every line, and z as one."""
    z = {path: normal(seed, t, stream(path), x.shape).astype(x.dtype) for path, x in flat(p).items()}

    def moved(p, by):
        x = {path: np.asarray(x + by * z[path]) for path, x in flat(p).items()}
        return {"big": x["big"], "layer": {"b": x["layer/b"], "w": x["layer/w"]}}

    above = moved(p, sigma)
    below = moved(above, -2 * sigma)
    back = moved(below, sigma)
    slope = (fun(above) - fun(below)) / (2 * sigma)
    return moved(back, -(lr * slope)), slope


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_in_place_equals_explicit_spsa_bit_for_bit(dtype, seed):
    params, expected = tree(dtype), tree(dtype)
    leaves = flat(params)
    mezo = MeZO(sigma=1e-3, lr=1e-2, seed=seed)
    state = mezo.init(params)
    for t in range(5):
        state, slope, _ = mezo.step(loss, params, state)
        expected, explicit = explicit_spsa(loss, expected, t, seed, 1e-3, 1e-2)
        assert slope == explicit
        for path, x in flat(expected).items():
            assert np.array_equal(leaves[path], x)
            assert leaves[path].dtype == dtype
    assert state.t == 5
    assert not np.array_equal(leaves["big"], tree(dtype)["big"])


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(-6, 2), st.sampled_from([np.float32, np.float64]))
def test_the_drift_of_a_step_is_within_its_bound(seed, exponent, dtype):
    rng = np.random.default_rng(seed)
    theta = (rng.standard_normal(300) * 10.0 ** rng.uniform(-6, 2, 300)).astype(dtype)
    before, sigma = theta.copy(), 10.0**exponent
    mezo = MeZO(sigma=sigma, lr=0.0, seed=seed)
    mezo.step(lambda p: 0.0, theta, mezo.init(theta))
    eps = float(np.finfo(dtype).eps)
    z = np.abs(normal(seed, 0, stream(""), (300,)))
    wide, old = theta.astype(np.longdouble), before.astype(np.longdouble)
    assert np.all(np.abs(wide - old) <= eps / 2 * (3 * np.abs(old) + 2 * sigma * z) * (1 + 8 * eps))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_compensated_restore_gives_the_parameters_back_bit_for_bit(dtype):
    rng = np.random.default_rng(1)
    theta = (rng.standard_normal(3000) * 10.0 ** rng.uniform(-3, 3, 3000)).astype(dtype)
    before = theta.copy()
    mezo = MeZO(sigma=0.1, lr=0.0, restore="compensated")
    state = mezo.init(theta)
    for _ in range(50):
        state = mezo.step(lambda p: 0.0, theta, state).state
    assert np.array_equal(theta, before)
    assert np.abs(state.slots["c"][""]).max() <= 50 * np.finfo(dtype).eps ** 2 * np.abs(before).max()


def test_compensated_steps_below_the_last_digit_add_up():
    steps, slope = 200, 1e-9

    def walked(restore):
        theta = np.ones(50, np.float32)
        mezo = MeZO(sigma=1e-2, lr=slope, restore=restore)
        state = mezo.init(theta)
        for _ in range(steps):  # a slope of 1: whatever is asked first is greater by 2 sigma
            asked = iter([0.02, 0.0])
            state = mezo.step(lambda p: next(asked), theta, state).state  # noqa: B023
        return theta.astype(float) + state.slots.get("c", {"": 0.0})[""]

    exact = 1 - slope * sum(normal(0, t, stream(""), (50,)) for t in range(steps))
    moved = np.abs(exact - 1).max()
    assert moved < 2 * np.finfo(np.float32).eps  # so far in 200 steps
    assert np.abs(walked("compensated") - exact).max() < 1e-3 * moved
    assert np.abs(walked("walk") - exact).max() > moved


def test_the_memory_is_that_of_the_function():
    theta = np.zeros(4_000_000, np.float32)  # 16 MB
    mezo = MeZO()
    state = mezo.init(theta)
    tracemalloc.start()
    mezo.step(lambda p: float(p[0]), theta, state)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * BLOCK  # bytes: a block in float64 and a few in float32
    assert peak < theta.nbytes / 8


def test_leaves_that_are_not_contiguous_get_the_same_step():
    base = np.random.default_rng(0).standard_normal((6, 8))
    views = [base.copy()[::2, ::2], np.asfortranarray(base[::2, ::2])]
    expected = base[::2, ::2].copy()
    for x in (expected, *views):
        mezo = MeZO(sigma=0.1, lr=0.1, restore="compensated")
        mezo.step(lambda p: float(3 * p[0, 0] ** 2 - p[1, 2]), x, mezo.init(x))
        assert np.array_equal(x, expected)
    assert not np.array_equal(expected, base[::2, ::2])


@pytest.mark.parametrize("restore", ["walk", "compensated"])
@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_libraries_get_the_same_step(xp, restore):
    host = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
    place = {"device": strict.Device("device1")} if xp is strict else {}
    theirs, mezo = xp.asarray(host.copy(), **place), MeZO(sigma=0.125, lr=0.25, restore=restore)

    def total(p):  # by sums of a few digits, which every library rounds alike
        return float(to_numpy(p).astype(np.float64).sum())

    first, second = mezo.init(host), mezo.init(theirs)
    for _ in range(3):
        first, second = mezo.step(total, host, first).state, mezo.step(total, theirs, second).state
    assert np.array_equal(to_numpy(theirs), host)


def test_values_that_are_not_finite_leave_the_parameters():
    for value in (np.nan, np.inf):
        theta = np.arange(5.0)
        mezo = MeZO(sigma=0.1, lr=1.0, restore="compensated")
        found = mezo.step(lambda p: value, theta, mezo.init(theta))  # noqa: B023
        assert np.array_equal(theta, np.arange(5.0))
        assert np.isnan(found.slope)
        assert found.state.t == 1


def test_the_global_generator_is_not_touched():
    before, theta = np.random.get_state()[1].copy(), np.ones(3)  # noqa: NPY002
    MeZO().step(lambda p: 1.0, theta, MeZO().init(theta))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_what_cannot_be_stepped_is_refused_by_name_before_anything_is_written():
    fixed = np.ones(2)
    fixed.flags.writeable = False
    free = np.ones(2)
    params = {"a": free, "b": fixed}
    mezo = MeZO()
    with pytest.raises(LeafError, match="leaf 'b' cannot be written"):
        mezo.step(lambda p: 1.0, params, mezo.init(params))
    assert np.array_equal(free, np.ones(2))
    with pytest.raises(LeafError, match="expected a real floating dtype"):
        mezo.init(np.arange(3))
    with pytest.raises(OptionError, match=r"sigma must be a finite number > 0, got 0\.0 at step 1"):
        MeZO(sigma=0.0).step(lambda p: 1.0, free, mezo.init(free))
    with pytest.raises(OptionError, match=r"seed: expected an integer in \[0, 2\^64\)"):
        MeZO(seed=-1)


@given(st.floats(-1e10, 1e10), st.floats(-1e10, 1e10))
def test_two_sum_is_exact(a, b):
    from fractions import Fraction

    s, e = two_sum(a, b)
    assert Fraction(s) + Fraction(e) == Fraction(a) + Fraction(b)
