import math

import numpy as np
import pytest
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


def test_the_second_order_is_nearer_than_the_first():
    x = np.asarray([0.8])
    mean, _ = model_average(lambda x: np.cos(x[:, 0]), x, 0.9)
    error = [
        abs(float(mean) - math.cos(0.8)),
        abs(float(mean - dropout_second_order(math.cos(0.8), -math.cos(0.8), x, 0.9))),
    ]
    assert 1e-4 < error[1] < error[0]


def test_masked_attention_where_softmax_underflows():
    logits = np.asarray([[2000.0, 1.0, 1.0]])
    assert attention_over_kept(logits, np.asarray([0, 1, 1])).tolist() == [[0, 0.5, 0.5]]
    assert masked_attention(softmax(logits), np.asarray([0, 1, 1])).tolist() == [[0, 0, 0]]
    assert attention_over_kept(logits, np.zeros(3)).tolist() == [[0, 0, 0]]


def test_expected_attention_is_the_mean_of_draws():
    A = softmax(np.random.default_rng(0).standard_normal((4, 4)))
    average = expected_masked_attention(A, 0.8)
    rng = np.random.default_rng(1)
    drawn = rng.random((100_000, 4)) < 0.8
    np.testing.assert_allclose(average, np.mean(masked_attention(A[None], drawn), axis=0), atol=5e-3)
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
