"""Random numbers keyed by (seed, step, stream), and the rng= argument."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from arrayopt.core import random
from arrayopt.errors import OptionError

KEYS = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
DRAWS = [random.normal, random.uniform]


@pytest.mark.parametrize("draw", DRAWS)
@given(key=KEYS)
def test_a_step_replays_alone(draw, key):
    np.testing.assert_array_equal(draw(*key, (5,)), draw(*key, (5,)))


@pytest.mark.parametrize("draw", DRAWS)
@given(KEYS, KEYS)
def test_different_keys_have_different_numbers(draw, a, b):
    assert (a == b) == np.array_equal(draw(*a, (4,)), draw(*b, (4,)))


def test_neighbouring_steps_do_not_overlap():
    words = [random.keyed(3, step, 5).bit_generator.random_raw(1000) for step in range(4)]
    assert np.unique(np.concatenate(words)).size == 4000


@given(KEYS, st.lists(st.integers(0, 4), max_size=3))
def test_the_shape_only_folds_the_sequence(key, shape):
    size = math.prod(shape)
    np.testing.assert_array_equal(random.normal(*key, tuple(shape)).ravel(), random.normal(*key, (size,)))


def test_normal_numbers_have_the_moments_of_a_normal_distribution():
    # Standard errors of the mean, variance and fourth moment of n standard normals: 1, sqrt(2), sqrt(96), over sqrt(n).
    n = 100_000
    x = random.normal(1, 2, 3, (n,))
    for k, moment, spread in [(1, 0, 1), (2, 1, 2**0.5), (4, 3, 96**0.5)]:
        assert abs((x**k).mean() - moment) < 4 * spread / n**0.5


def test_uniform_numbers_are_in_the_unit_interval_and_uniform():
    x = random.uniform(1, 2, 3, (100_000,))
    assert 0 <= x.min() < x.max() < 1
    assert abs(x.mean() - 0.5) < 4 * (1 / 12) ** 0.5 / 100_000**0.5


def test_streams_of_paths_are_the_same_in_every_process_and_fit_a_float():
    paths = ["", "w", "layer1/w", "ä"]
    here = [random.stream(p) for p in paths]
    assert len(set(here)) == len(paths)
    assert all(float(s) == s < 2**53 for s in here)
    code = f"from arrayopt.core import random; print([random.stream(p) for p in {paths!r}])"
    there = subprocess.run([sys.executable, "-X", "utf8", "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(here)


def test_the_global_state_of_numpy_is_untouched():
    before = np.random.get_state()  # noqa: NPY002 (what must not change)
    random.normal(0, 1, 2, (3,))
    random.generator(None).random()
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_an_integer_is_a_seed_and_a_generator_is_passed_through():
    a, b = random.generator(7).random(3), random.generator(7).random(3)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, np.random.default_rng(7).random(3))
    given_generator = np.random.default_rng(1)
    assert random.generator(given_generator) is given_generator
    assert random.generator(np.random.Philox(1)).random() == random.generator(np.random.Philox(1)).random()
    assert random.generator(None).random() != random.generator(None).random()


@pytest.mark.parametrize("rng", [-1, "seed", 1.5, True, np.random.RandomState(0), [-1]])
def test_what_is_no_generator_is_refused_by_name(rng):
    with pytest.raises(OptionError, match="rng: expected None, a non-negative integer or a numpy"):
        random.generator(rng)


@pytest.mark.parametrize("key", [(-1, 0, 0), (0, 2**64, 0), (0, 0, -5)])
def test_a_key_out_of_range_is_refused_by_name(key):
    name = ("seed", "step", "stream")[[not 0 <= k < 2**64 for k in key].index(True)]
    with pytest.raises(OptionError, match=f"{name}: expected an integer in"):
        random.normal(*key, (2,))


def filled(n, *key, dtype=np.float32, **how):
    out = np.full(n, np.nan, dtype)
    random.fill_normal(out, *key, **how)
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filled_numbers_are_normal_and_independent(dtype):
    x = filled(300_003, 0, 7, 1, dtype=dtype)
    assert x.dtype == dtype
    assert stats.kstest(x, "norm").pvalue > 1e-3
    assert stats.kstest(np.diff(x.reshape(-1, 3)[:, :2]).ravel() / math.sqrt(2), "norm").pvalue > 1e-3
    for lag in (
        1,
        2,
        random.NORMAL_BLOCK // 2,
        random.NORMAL_BLOCK,
    ):  # the two numbers of a pair are half a block apart
        for f in (lambda y: y, np.square, np.abs):
            assert abs(np.corrcoef(f(x[:-lag]), f(x[lag:]))[0, 1]) < 5 / np.sqrt(x.size - lag)
    assert 4 < np.abs(x).max() < 5.8


def test_filled_numbers_do_not_depend_on_who_fills_which_block():
    n = 2 * random.NORMAL_BLOCK + 11
    whole, parts = filled(n, 1, 2, 3), np.full(n, np.nan, np.float32)
    for blocks in (range(2, 3), range(0, 2)):
        random.fill_normal(parts, 1, 2, 3, blocks)
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(filled((3, 5), 1, 2, 3).ravel(), filled(15, 1, 2, 3))


def test_filled_numbers_of_other_keys_are_others():
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2**64 - 1, 0, 0), (1 + 2**33, 3, 4), (1, 2, 3 + 2**34)]
    drawn = [filled(1000, *key) for key in keys]
    for i, x in enumerate(drawn):
        for y in drawn[:i]:
            assert abs(np.corrcoef(x, y)[0, 1]) < 0.15


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_filling_few_numbers(n):
    assert np.isfinite(filled(n, 0, 0, 0)).all()


def test_what_cannot_be_filled():
    frozen = np.empty(3)
    frozen.flags.writeable = False
    for out in (np.empty(3, np.float16), np.empty(6)[::2], frozen):
        with pytest.raises(OptionError, match="out: expected a contiguous array"):
            random.fill_normal(out, 0, 0, 0)
    with pytest.raises(OptionError, match="step: expected an integer in"):
        random.fill_normal(np.empty(3), 0, -1, 0)
