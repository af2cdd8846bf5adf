import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arrayopt.core.logsumexp import softmax
from arrayopt.errors import LeafError, OptionError
from arrayopt.theory import (
    all_masks,
    attention_over_kept,
    corrected_embedding,
    dropout_second_order,
    embedding_weights,
    expected_masked_attention,
    masked_attention,
    masked_language_average,
    model_average,
    squared_loss_split,
)
from tests.theory.elsewhere import assert_same, on_other_libraries

VECTORS = hnp.arrays(np.float64, 3, elements=st.floats(-10, 10))


@pytest.mark.parametrize("keep", [0.0, 0.3, 1.0])
def test_moments_of_masks(keep):
    masks, odds = all_masks(np.zeros(4), keep)
    assert sorted(map(tuple, masks.tolist())) == sorted(itertools.product((0.0, 1.0), repeat=4))
    assert odds.sum() == pytest.approx(1, rel=1e-15)
    for n in (1, 2, 7):
        np.testing.assert_allclose(odds @ masks**n, keep, atol=1e-15)
    np.testing.assert_allclose(odds @ (masks - keep) ** 2, keep * (1 - keep), atol=1e-15)


@given(VECTORS, st.floats(0.05, 1), st.integers(0, 1000))
def test_the_second_order_is_exact_for_quadratics(x, keep, seed):
    rng = np.random.default_rng(seed)
    H, c = rng.standard_normal((3, 3)), rng.standard_normal(3)
    H = H + H.T

    def f(x):
        return 0.5 * np.sum((x @ H) * x, axis=-1) + x @ c + 2

    mean, variance = model_average(f, x, keep)
    scale = (1 + np.abs(x).max() / keep) ** 2
    expected = dropout_second_order(f(x), np.diag(H), x, keep)
    assert float(mean) == pytest.approx(float(expected), abs=1e-12 * scale)
    assert variance >= 0
    affine, _ = model_average(lambda x: x @ c, x, keep)
    assert float(affine) == pytest.approx(float(x @ c), abs=1e-12 * scale)


def test_the_second_order_is_not_exact_beyond():
    x = np.asarray([0.8])
    mean, _ = model_average(lambda x: x[:, 0] ** 3, x, 0.5)
    assert float(mean) == pytest.approx(4 * 0.8**3)  # x^3 / p^2
    assert float(dropout_second_order(0.8**3, 6 * 0.8, x, 0.5)) == pytest.approx(0.8**3 * 4)
    mean, _ = model_average(lambda x: np.cos(x[:, 0]), x, 0.9)
    error = [
        abs(float(mean) - math.cos(0.8)),
        abs(float(mean - dropout_second_order(math.cos(0.8), -math.cos(0.8), x, 0.9))),
    ]
    assert 1e-4 < error[1] < error[0]


@given(st.floats(-10, 10), hnp.arrays(np.float64, 5, elements=st.floats(-10, 10)))
def test_the_loss_of_single_masks_is_that_of_the_average_and_the_variance(y, outputs):
    odds = np.asarray([0.1, 0.2, 0.3, 0.25, 0.15])
    single, averaged, variance = squared_loss_split(y, outputs, odds)
    assert float(single) == pytest.approx(float(averaged + variance), abs=1e-12)


def test_the_embedding_of_bert():
    assert [round(w, 12) for w in embedding_weights()] == [0.865, 0.12, 0.015]
    E = np.random.default_rng(0).standard_normal((5, 3))
    by_hand = 0.85 * E + 0.15 * (0.8 * E[2] + 0.1 * E + 0.1 * E.mean(axis=0))
    np.testing.assert_allclose(corrected_embedding(E, 2), by_hand, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(
        corrected_embedding(E, 2), 0.865 * E + 0.12 * E[2] + 0.015 * E.mean(axis=0), rtol=1e-14, atol=1e-16
    )
    assert corrected_embedding(E, 0, selected=0.0).tolist() == E.tolist()
    np.testing.assert_array_equal(masked_language_average(E[0], E[1], 1.0), E[0])


@given(hnp.arrays(np.float64, (2, 5), elements=st.floats(-30, 30)), hnp.arrays(bool, 5))
def test_dropping_tokens_is_the_softmax_over_the_others(logits, kept):
    found = attention_over_kept(logits, kept)
    np.testing.assert_allclose(found, masked_attention(softmax(logits), kept), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(found[:, kept], softmax(logits[:, kept]), rtol=1e-13)
    assert not found[:, ~kept].any()


def test_masked_attention_where_softmax_underflows():
    logits = np.asarray([[2000.0, 1.0, 1.0]])
    assert attention_over_kept(logits, np.asarray([0, 1, 1])).tolist() == [[0, 0.5, 0.5]]
    assert masked_attention(softmax(logits), np.asarray([0, 1, 1])).tolist() == [[0, 0, 0]]
    assert attention_over_kept(logits, np.zeros(3)).tolist() == [[0, 0, 0]]


def test_the_weight_average_keeps_attention_and_the_model_average_does_not():
    A = softmax(np.random.default_rng(0).standard_normal((4, 4)))
    np.testing.assert_allclose(masked_attention(A, np.full(4, 0.8)), A, rtol=1e-14)
    average = expected_masked_attention(A, 0.8)
    assert np.abs(average - A).max() > 0.01
    # by chance, from the definition
    rng = np.random.default_rng(1)
    drawn = rng.random((100_000, 4)) < 0.8
    np.testing.assert_allclose(average, np.mean(masked_attention(A[None], drawn), axis=0), atol=5e-3)
    np.testing.assert_allclose(average.sum(axis=-1), 1 - 0.2**4, rtol=1e-13)
    np.testing.assert_allclose(expected_masked_attention(A, 1.0), A, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extremes(dtype):
    x = np.asarray([1, 2], dtype)
    mean, variance = model_average(lambda x: x.sum(axis=-1), x, 1.0)
    assert mean.dtype == dtype == variance.dtype
    assert (float(mean), float(variance)) == (3, 0)
    masks, odds = all_masks(np.zeros(0, dtype), 0.5)
    assert masks.shape == (1, 0)
    assert odds.tolist() == [1]
    A = np.asarray([[math.nan, 0.5], [0.5, 0.5]], dtype)
    assert np.isnan(masked_attention(A, np.ones(2))[0]).all()
    assert masked_attention(A, np.ones(2)).dtype == dtype
    assert masked_attention(np.zeros((0, 3), dtype), np.ones(3)).shape == (0, 3)


@on_other_libraries
def test_other_libraries(xp):
    A = np.abs(np.random.default_rng(0).standard_normal((4, 4)))
    mask = np.asarray([1.0, 0.0, 1.0, 1.0])
    assert_same(xp, masked_attention, A, mask)
    assert_same(xp, attention_over_kept, A, mask)
    assert_same(xp, lambda A: expected_masked_attention(A, 0.8), A)
    assert_same(xp, lambda A: corrected_embedding(A, 1), A)
    assert_same(xp, lambda x: model_average(lambda z: z[:, 0] * z[:, 1], x, 0.6), mask)
    assert_same(xp, lambda x: squared_loss_split(1.0, x, x / 3), mask)


def test_refusals():
    with pytest.raises(OptionError, match="like: expected at most 16 entries"):
        all_masks(np.zeros(17), 0.5)
    with pytest.raises(OptionError, match=r"keep: expected a probability in \(0, 1\]"):
        model_average(np.sum, np.ones(2), 0.0)
    with pytest.raises(OptionError, match=r"keep: expected a probability in \[0, 1\]"):
        masked_language_average(np.ones(2), np.ones(2), 1.5)
    with pytest.raises(OptionError, match="selected, masked, same, random: expected"):
        embedding_weights(random=0.2)
    with pytest.raises(LeafError, match="embedding, mask_row: expected"):
        corrected_embedding(np.ones((2, 2)), 2)
