"""Mini-batches: every row once, the same rows of every array, and the three ends of an epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.backend import to_numpy
from arrayopt.errors import BackendError, LeafError, OptionError
from arrayopt.firstorder.minibatch import minibatches


def sizes(n, **options):
    return [len(x) for (x,) in minibatches(np.arange(n), **options)]


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 2**32))
def test_every_row_comes_once_in_batches_that_are_full_but_for_the_last(n, size, seed):
    batches = [x for (x,) in minibatches(np.arange(n), batch_size=size, rng=seed)]
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert [len(x) for x in batches] == [size] * (n // size) + [n % size] * (n % size > 0)


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 2**32))
def test_dropping_leaves_out_less_than_a_batch_and_repeats_nothing(n, size, seed):
    if size > n:
        with pytest.raises(OptionError, match="leaves no batch"):
            minibatches(np.arange(n), batch_size=size, rng=seed, last="drop")
        return
    batches = [x for (x,) in minibatches(np.arange(n), batch_size=size, rng=seed, last="drop")]
    assert {len(x) for x in batches} == {size}
    assert len(batches) == n // size
    assert len(set(np.concatenate(batches).tolist())) == n - n % size


@given(st.integers(1, 50), st.integers(1, 160), st.integers(0, 2**32))
def test_wrapping_fills_the_last_batch_with_the_first_rows_of_the_epoch(n, size, seed):
    batches = [x for (x,) in minibatches(np.arange(n), batch_size=size, rng=seed, last="wrap")]
    assert {len(x) for x in batches} == {size}
    assert len(batches) == -(-n // size)
    order = np.concatenate(batches)
    assert sorted(order[:n]) == list(range(n))
    np.testing.assert_array_equal(order[n:], order[: len(order) - n])


@given(st.integers(0, 2**32), st.sampled_from(["keep", "drop", "wrap"]))
def test_the_arrays_are_cut_together(seed, last):
    x, y = np.arange(24.0).reshape(12, 2), np.arange(12)
    for xb, yb in minibatches(x, y, batch_size=5, rng=seed, last=last):
        np.testing.assert_array_equal(xb, x[yb])


def test_without_shuffling_the_order_is_that_of_the_arrays():
    batches = minibatches(np.arange(5), batch_size=2, shuffle=False)
    assert [x.tolist() for (x,) in batches] == [[0, 1], [2, 3], [4]]


def test_a_seed_repeats_its_order_and_a_generator_goes_on():
    x = np.arange(100)

    def order(rng):
        return np.concatenate([b for (b,) in minibatches(x, batch_size=7, rng=rng)]).tolist()

    assert order(3) == order(3) == order(np.random.default_rng(3))
    rng = np.random.default_rng(3)
    assert order(rng) != order(rng)
    assert order(None) != order(None)


def test_the_order_is_drawn_at_the_call():
    rng, x = np.random.default_rng(3), np.arange(100)
    first, second = (minibatches(x, batch_size=100, rng=rng) for _ in range(2))
    ((late,),), ((early,),) = second, first
    ((expected,),) = minibatches(x, batch_size=100, rng=3)
    np.testing.assert_array_equal(early, expected)
    assert np.any(late != early)


def test_the_global_state_of_numpy_is_left_alone():
    before = np.random.get_state()  # noqa: NPY002
    for rng in (None, 1, np.random.default_rng(2)):
        list(minibatches(np.arange(9), batch_size=2, rng=rng))
    after = np.random.get_state()  # noqa: NPY002
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_all_rows_are_equally_likely_in_every_place():
    rng, counts = np.random.default_rng(5), np.zeros((4, 4))
    for _ in range(4000):
        for place, (x,) in enumerate(minibatches(np.arange(4), batch_size=1, rng=rng)):
            counts[place, x] += 1
    # Each cell is binomial(4000, 1/4), of standard deviation 27; six of those for sixteen cells.
    assert np.abs(counts - 1000).max() < 6 * np.sqrt(4000 * 0.25 * 0.75)


def test_batches_are_copies():
    x = np.arange(4.0)
    for (batch,) in minibatches(x, batch_size=4, shuffle=False):
        batch += 1
    np.testing.assert_array_equal(x, np.arange(4.0))


def test_a_batch_is_of_the_library_device_and_dtype_of_its_array():
    xp = pytest.importorskip("array_api_strict", reason="array-api-strict stands in for other array libraries")
    device = xp.Device("device1")
    x = xp.asarray(np.arange(10.0).reshape(5, 2), dtype=xp.float32, device=device)
    y = xp.asarray(np.arange(5))
    for xb, yb in minibatches(x, y, batch_size=2, rng=0):
        assert (xb.dtype, xb.device) == (xp.float32, device)
        assert (yb.dtype, yb.device) == (y.dtype, y.device)
        np.testing.assert_array_equal(to_numpy(xb), to_numpy(x)[to_numpy(yb)])


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "2", None])
def test_a_batch_size_that_is_no_count_is_refused(size):
    with pytest.raises(OptionError, match="batch_size must be an integer >= 1"):
        minibatches(np.arange(3), batch_size=size)


@pytest.mark.parametrize("rng", [-1, 1.5, True, "seed", np.random.RandomState(0)])
def test_an_rng_that_is_none_is_refused(rng):
    with pytest.raises(OptionError, match="rng: expected None, a non-negative integer"):
        minibatches(np.arange(3), batch_size=1, rng=rng)


def test_an_unknown_end_is_refused():
    with pytest.raises(OptionError, match="last must be 'keep', 'drop' or 'wrap', got 'pad'"):
        minibatches(np.arange(3), batch_size=1, last="pad")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((), "at least one array"),
        ((np.zeros((0, 2)),), r"array 0 has shape \(0, 2\), expected at least one row"),
        ((np.zeros(3), np.array(1.0)), r"array 1 has shape \(\), expected at least one row"),
        ((np.zeros(3), np.zeros((4, 2))), "array 1 has 4 rows, but array 0 has 3"),
    ],
)
def test_arrays_without_rows_or_with_other_numbers_of_rows_are_named(arrays, message):
    with pytest.raises(LeafError, match=message):
        minibatches(*arrays, batch_size=1)


@pytest.mark.parametrize("other", [[1, 2, 3], "array_api_strict"])
def test_arrays_of_two_libraries_are_refused(other):
    if isinstance(other, str):
        other = pytest.importorskip(other, reason="array-api-strict stands in for a second library").ones(3)
    with pytest.raises(BackendError, match="expected arrays of one library"):
        minibatches(np.zeros(3), other, batch_size=1)
