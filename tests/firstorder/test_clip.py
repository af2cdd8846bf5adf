"""Clip: hand numbers, and what each form makes of inf and NaN."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.clip import Clip, global_norm
from arrayopt.firstorder.lion import Lion
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import follow

FORMS = ("torch", "exact", "keras")
every_form = pytest.mark.parametrize("form", FORMS)


def clipped(form, max_norm, grads):
    """The gradients that the rule sees: SGD at rate 1 subtracts them from zero."""
    rule = Clip(rule=SGD(lr=1.0), max_norm=max_norm, form=form)
    params = {k: np.zeros_like(g) for k, g in grads.items()}
    after, _ = rule.update(grads, rule.init(params), params)
    return {k: -p for k, p in after.items()}


@pytest.mark.parametrize(("form", "factor"), [("torch", 2 / (13 + 1e-6)), ("exact", 2 / 13), ("keras", 2 / 13)])
def test_the_norm_is_that_of_all_leaves_together_by_hand(form, factor):
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0], [12.0]])}  # 9 + 16 + 144 = 13^2
    found = clipped(form, 2.0, grads)
    for k, g in grads.items():
        np.testing.assert_allclose(found[k], g * factor, rtol=4e-16)


vectors = st.lists(st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6), min_size=1, max_size=6)


@every_form
@given(vectors, st.floats(1e-3, 1e3))
def test_the_clipped_norm_is_at_most_the_limit(form, g, c):
    found = clipped(form, c, {"w": np.array(g)})
    assert global_norm(np, found) <= c * (1 + 1e-14)


@every_form
@given(vectors, st.floats(1e-3, 1e3))
def test_the_direction_is_kept(form, g, c):
    g = np.array(g)
    found = clipped(form, c, {"w": g})["w"]
    i = np.argmax(np.abs(g))
    np.testing.assert_allclose(found * g[i], g * found[i], rtol=1e-14, atol=1e-300)


@given(vectors)
def test_below_the_limit_exact_changes_not_a_bit_nor_does_torch(g):
    g = np.array(g)
    n = math.sqrt(np.sum(g * g))
    np.testing.assert_array_equal(clipped("exact", n * 1.001 + 1e-3, {"w": g})["w"], g)
    np.testing.assert_array_equal(clipped("torch", n * 1.001 + 1e-3, {"w": g})["w"], g)


def test_exactly_at_the_limit_torch_shortens_by_a_millionth_and_the_others_do_not():
    g = {"w": np.array([0.6, 0.8])}
    assert clipped("exact", 1.0, g)["w"].tolist() == [0.6, 0.8]
    assert clipped("keras", 1.0, g)["w"].tolist() == [0.6, 0.8]
    np.testing.assert_allclose(clipped("torch", 1.0, g)["w"], [0.6 / 1.000001, 0.8 / 1.000001], rtol=1e-15)


@pytest.mark.parametrize(
    ("form", "expected"), [("torch", [np.nan, 0, 0]), ("exact", [np.nan, 0, 0]), ("keras", [np.nan] * 3)]
)
def test_an_infinite_element_becomes_nan_and_with_keras_everything_does(form, expected):
    found = clipped(form, 1.0, {"a": np.array([np.inf, 1.0]), "b": np.array([2.0])})
    np.testing.assert_array_equal(np.concatenate([found["a"], found["b"]]), expected)


@every_form
def test_a_nan_makes_every_element_nan(form):
    found = clipped(form, 1.0, {"a": np.array([np.nan, 1.0]), "b": np.array([2.0])})
    assert np.isnan(found["a"]).all()
    assert np.isnan(found["b"]).all()


@every_form
def test_zero_gradients_stay_zero(form):
    assert clipped(form, 1.0, {"a": np.zeros(2), "b": np.zeros((0, 3))})["a"].tolist() == [0.0, 0.0]


@every_form
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_norm_of_half_precision_does_not_overflow(form, dtype):
    found = clipped(form, 512.0, {"w": np.full((16, 16), 512.0, dtype)})  # squares sum to 2^26, the norm is 2^13
    np.testing.assert_allclose(found["w"], np.full((16, 16), 32.0), rtol=1e-6 if dtype is np.float32 else 1e-3)
    assert found["w"].dtype == dtype


@every_form
def test_leaves_of_two_dtypes_are_clipped_together(form):
    grads = {"a": np.array([3.0], np.float32), "b": np.array([4.0])}
    found = clipped(form, 1.0, grads)
    assert (found["a"].dtype, found["b"].dtype) == (np.float32, np.float64)
    np.testing.assert_allclose([found["a"][0], found["b"][0]], [0.6, 0.8], rtol=3e-7)


def test_the_limit_may_be_a_schedule():
    rule = Clip(rule=SGD(lr=1.0), max_norm=lambda t: 1.0 / t, form="exact")
    path = follow(rule, np.zeros(1), [np.array([-8.0])] * 3)
    np.testing.assert_allclose(np.diff([0.0, *(p[0] for p in path)]), [1, 1 / 2, 1 / 3], rtol=1e-15)


def test_clipping_shows_in_a_sign_rule_through_its_memory():
    gradients = [np.array([-100.0]), np.array([5.0])]  # the burst outweighs the next gradient unless it is clipped
    plain = follow(Lion(lr=0.1, beta1=0.5, beta2=0.5), np.zeros(1), gradients)
    clip = follow(Clip(rule=Lion(lr=0.1, beta1=0.5, beta2=0.5), max_norm=1.0), np.zeros(1), gradients)
    assert (plain[1] - plain[0])[0] == pytest.approx(0.1)
    assert (clip[1] - clip[0])[0] == pytest.approx(-0.1)
