import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.backend import to_numpy
from arrayopt.errors import LeafError, OptionError
from arrayopt.learn import top_k_entropy
from tests.common.libraries import libraries
from tests.learn.oracle import predictions, uncertainty


def test_known_values_rank_two_predictions_either_way():
    p = np.asarray([[0.5, 0.25, 0.25], [0.5, 0.5, 0.0]])
    np.testing.assert_array_equal(top_k_entropy(p, 3).round(4), [0.9464, 0.6309])
    np.testing.assert_array_equal(top_k_entropy(p, 2).round(4), [0.9183, 1.0])
    assert top_k_entropy(p, 2)[1] == 1


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 99))
def test_it_is_the_plain_formula(k, classes, seed):
    k = min(k, classes)
    p, _ = predictions(np.random.default_rng(seed), 5, classes)
    found = top_k_entropy(p, k)
    assert ((found >= 0) & (found <= 1)).all()
    if k > 1:
        np.testing.assert_allclose(found, uncertainty(p, k), atol=2e-15)
    else:
        np.testing.assert_array_equal(found, 0)


@given(st.integers(2, 9), st.integers(0, 99))
def test_the_papers_variant_keeps_the_sum_and_takes_all_classes_for_its_measure(k, seed):
    p, _ = predictions(np.random.default_rng(seed), 5, 9)
    top = np.sort(p, axis=1)[:, -k:]
    np.testing.assert_allclose(top_k_entropy(p, k, "paper"), -(top * np.log(top)).sum(axis=1) / math.log(9), rtol=1e-13)
    whole = top_k_entropy(p, 9)
    np.testing.assert_allclose(top_k_entropy(p, 9, "paper"), whole, rtol=1e-13)


def test_extremes():
    rows = np.asarray([[1, 0, 0], [1 / 3] * 3, [5e-324] * 3, [1e308] * 3, [1e308, 5e-324, 0]])
    np.testing.assert_allclose(top_k_entropy(rows, 3), [0, 1, 1, 1, 0], atol=1e-15)
    bad = np.asarray([[0.0, 0, 0], [np.nan, 1, 0], [np.inf, 1, 0], [1.0, 0, 0]])
    np.testing.assert_array_equal(np.isnan(top_k_entropy(bad, 2)), [True, True, True, False])
    assert top_k_entropy(np.zeros((0, 3)), 2).shape == (0,)
    assert top_k_entropy(np.asarray([[1.0]]), 1) == 0
    assert top_k_entropy(np.asarray([1.0]), 1, "paper") == 0
    assert top_k_entropy(np.full((2, 4, 5), 0.2), 3).shape == (2, 4)
    np.testing.assert_array_equal(top_k_entropy(np.full((1, 4), 0.25, np.float16), 4), np.ones(1, np.float16))


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_libraries(xp):
    p = predictions(np.random.default_rng(0), 6, 5)[0].astype(np.float32)
    p[2] = np.nan
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    made = xp.asarray(p, **where)
    got = top_k_entropy(made, 3)
    assert (type(got), got.dtype, got.device) == (type(made), made.dtype, made.device)
    np.testing.assert_allclose(to_numpy(got), top_k_entropy(p, 3), rtol=1e-5)


def test_what_is_refused():
    p = np.ones((2, 3)) / 3
    with pytest.raises(OptionError, match="k: expected a number of classes from 1 to 3, got 4"):
        top_k_entropy(p, 4)
    with pytest.raises(OptionError, match="k must be an integer >= 1, got 0"):
        top_k_entropy(p, 0)
    with pytest.raises(OptionError, match="variant: expected one of 'article', 'paper'"):
        top_k_entropy(p, 2, "other")
    with pytest.raises(OptionError, match="probabilities: expected numbers >= 0, got a negative one"):
        top_k_entropy(-p, 2)
    with pytest.raises(LeafError, match="probabilities: expected real floating-point numbers"):
        top_k_entropy(np.ones((2, 3), np.int64), 2)
