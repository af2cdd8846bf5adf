import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import OptionError, to_numpy
from arrayopt.sampling.shaping import finite_values, shape_values, utilities

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12).map(np.array)


@given(st.permutations(range(7)))
def test_centred_ranks_are_even_from_minus_to_plus_a_half_with_the_best_lowest(order):
    assert np.allclose(shape_values(np.array(order, float), "centred"), np.array(order) / 6 - 0.5, atol=1e-16)


@given(st.permutations(range(7)))
def test_nes_shapes_are_the_negative_utilities(order):
    assert np.array_equal(shape_values(np.array(order, float), "nes"), -utilities(7)[list(order)])


@given(st.integers(1, 300))
def test_utilities_are_those_of_the_paper(n):
    raw = np.array([max(0.0, np.log(n / 2 + 1) - np.log(i)) for i in range(1, n + 1)])
    u = utilities(n)
    assert np.abs(u - (raw / raw.sum() - 1 / n)).max() < 1e-15
    assert abs(u.sum()) < 1e-14
    assert np.all(np.diff(u) <= 0)


@given(VALUES)
def test_what_is_tied_has_the_mean_of_its_ranks(f):
    f = np.concatenate([f, f])
    for shaping in ("centred", "nes"):
        shaped = shape_values(f, shaping)
        assert np.array_equal(shaped[: len(f) // 2], shaped[len(f) // 2 :])
        assert abs(shaped.sum()) < 1e-13


@given(
    st.integers(1, 50), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(["standard", "centred", "nes"])
)
def test_where_nothing_is_better_than_anything_all_are_exactly_0(n, value, shaping):
    assert np.all(shape_values(np.full(n, value), shaping) == 0)


def test_nan_is_worse_than_inf_and_inf_than_all_numbers():
    shaped = shape_values(np.array([np.nan, np.inf, 1e308, -np.inf]), "centred")
    assert np.argsort(shaped).tolist() == [3, 2, 1, 0]


@given(st.lists(st.floats(), min_size=1, max_size=9).map(np.array))
def test_finite_values_are_kept_and_the_others_are_within_them(f):
    held = finite_values(f)
    ok = np.isfinite(f)
    assert np.array_equal(held[ok], f[ok])
    if ok.any():
        assert f[ok].min() <= held.min() <= held.max() <= f[ok].max()
        assert np.all(held[np.isnan(f) | (f == np.inf)] == f[ok].max())
        assert np.all(held[f == -np.inf] == f[ok].min())
    else:
        assert np.all(held == 0)


@given(VALUES.filter(lambda f: np.ptp(f) > 1e-6))
def test_standardised_values_have_mean_0_and_deviation_1(f):
    shaped = shape_values(f, "standard")
    assert abs(shaped.mean()) < 1e-6
    assert abs(shaped.std() - 1) < 1e-6


def test_standardised_values_do_not_overflow():
    assert np.allclose(shape_values(np.array([-1.7e308, 1.7e308]), "standard"), [-1, 1])


@pytest.mark.parametrize("shaping", ["none", "standard", "centred", "nes"])
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_each_run_of_many_is_shaped_as_alone_bit_for_bit(shaping, seed):
    f = np.random.default_rng(seed).integers(-3, 4, (2, 3, 6)).astype(float)
    f[0, 0, 1], f[1, 2, 3] = np.nan, np.inf
    shaped = shape_values(f, shaping)
    assert all(np.array_equal(shaped[i, j], shape_values(f[i, j], shaping)) for i in range(2) for j in range(3))


@pytest.mark.parametrize("shaping", ["none", "standard", "centred", "nes"])
def test_shapes_keep_library_device_and_dtype(shaping):
    device = strict.Device("device1")
    f = strict.asarray([[3.0, 1.0, 2.0], [1.0, 1.0, float("nan")]], dtype=strict.float32, device=device)
    shaped = shape_values(f, shaping)
    assert (shaped.dtype, shaped.device) == (strict.float32, device)
    host = shape_values(to_numpy(f), shaping)
    assert host.dtype == np.float32
    assert np.array_equal(to_numpy(shaped), host)


def test_an_unknown_shaping_is_refused():
    with pytest.raises(OptionError, match="shaping must be one of 'none', 'standard', 'centred', 'nes', got 'ranks'"):
        shape_values(np.ones(2), "ranks")
    with pytest.raises(OptionError, match="n must be an integer >= 1, got 0"):
        utilities(0)
