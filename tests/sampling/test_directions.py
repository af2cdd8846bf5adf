import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import OptionError
from arrayopt.sampling.directions import directions_at, draw_directions, run_seed

KINDS = ["gaussian", "rademacher", "sphere", "orthogonal"]
INDEPENDENT = KINDS[:3]


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 4), st.integers(0, 2**64 - 1))
@settings(max_examples=20)
def test_several_draws_in_one_call_equal_the_same_draws_one_by_one(kind, draws, n, d, seed):
    rng = np.random.default_rng(seed)
    one_by_one = np.stack([draw_directions(n, d, kind, rng) for _ in range(draws)])
    assert np.array_equal(draw_directions(n, d, kind, seed, draws=draws), one_by_one)


@pytest.mark.parametrize("kind", INDEPENDENT)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 2**64 - 1))
@settings(max_examples=20)
def test_n_rows_equal_n_calls_with_one(kind, n, d, seed):
    rng = np.random.default_rng(seed)
    rows = np.concatenate([draw_directions(1, d, kind, rng) for _ in range(n)])
    assert np.array_equal(draw_directions(n, d, kind, seed), rows)


@pytest.mark.parametrize("kind", KINDS)
def test_they_have_mean_0_and_see_the_whole_space_alike(kind):
    d, draws = 4, 4000
    u = draw_directions(3, d, kind, rng=1, draws=draws)
    for moment, expected in [(u, np.zeros(d)), (u[..., :, None] * u[..., None, :], np.eye(d))]:
        each = moment.mean(axis=1)  # of the directions of one draw, which may depend on each other
        error = 4.5 * each.std(axis=0) / np.sqrt(draws) + 1e-12
        assert np.all(np.abs(each.mean(axis=0) - expected) <= error)


def test_rademacher_directions_are_signs_and_those_on_the_sphere_have_its_radius():
    assert set(draw_directions(50, 3, "rademacher", rng=0).ravel()) == {-1.0, 1.0}
    u = draw_directions(50, 7, "sphere", rng=0)
    assert np.abs((u * u).sum(axis=1) / 7 - 1).max() < 1e-14


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32))
@settings(max_examples=30)
def test_orthogonal_directions_are_so_in_blocks_of_d(n, d, seed):
    u = draw_directions(n, d, "orthogonal", rng=seed)
    for i in range(0, n, d):
        block = u[i : i + d]
        assert np.abs(block @ block.T / d - np.eye(len(block))).max() < 1e-13


def test_orthogonal_frames_are_uniform_rather_than_what_qr_likes():
    first = draw_directions(1, 1, "orthogonal", rng=0, draws=400)[:, 0, 0]
    assert set(first) == {-1.0, 1.0}
    assert abs(first.sum()) < 4.5 * np.sqrt(400)


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_run_r_of_many_is_the_run_alone_with_the_seed_that_run_seed_says(seed):
    x = np.zeros((2, 3, 5))
    for kind in KINDS:
        every = directions_at(x, 4, kind, seed, 7)
        assert every.shape == (2, 3, 4, 5)
        for r in range(6):
            alone = directions_at(x[0, 0], 4, kind, run_seed(seed, r), 7)
            assert np.array_equal(every.reshape(6, 4, 5)[r], alone)
    assert run_seed(2**64 - 1, 1) == 0


def test_every_library_gets_the_same_numbers_in_its_dtype_and_on_its_device():
    device = strict.Device("device1")
    x = strict.zeros((2, 3), dtype=strict.float32, device=device)
    u = directions_at(x, 4, "sphere", 5, 0)
    assert (u.dtype, u.device, u.shape) == (strict.float32, device, (2, 4, 3))
    host = np.asarray(strict.from_dlpack(u, device=strict.Device("CPU_DEVICE")))
    assert np.array_equal(host, directions_at(np.zeros((2, 3), np.float32), 4, "sphere", 5, 0))


def test_the_global_generator_is_not_touched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for kind in KINDS:
        draw_directions(3, 2, kind)
        directions_at(np.zeros(2), 3, kind, 0, 0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_one_direction_in_a_million_dimensions():
    for kind in KINDS:
        u = draw_directions(1, 10**6, kind, rng=0)
        assert abs((u * u).sum() / 1e6 - 1) < 4.5 * np.sqrt(2 / 1e6)


def test_what_cannot_be_drawn_is_refused_by_name():
    with pytest.raises(OptionError, match="n must be an integer >= 1, got 0"):
        draw_directions(0, 2)
    with pytest.raises(OptionError, match="d must be an integer >= 1, got -1"):
        draw_directions(1, -1)
    with pytest.raises(OptionError, match="draws must be an integer >= 1, got 0"):
        draw_directions(1, 1, draws=0)
    with pytest.raises(OptionError, match=r"kind must be one of 'gaussian'.*got 'normal'"):
        draw_directions(1, 1, "normal")
    for seed in (-1, 2**64, 1.0, True):
        with pytest.raises(OptionError, match=r"seed: expected an integer in \[0, 2\^64\)"):
            run_seed(seed, 0)
