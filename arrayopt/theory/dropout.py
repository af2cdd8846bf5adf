r"""Dropout as an average over models, and masked language models and masked autoencoders seen as dropout.

A mask keeps each of d inputs with probability p. The model average :math:`E_e[f(x \circ e / p)]` is the best predictor
under squared loss; turning dropout off, f(x), is its first-order approximation (the weight average), exact for affine
f only. Averages are exact here: over all :math:`2^d` masks.
"""

from collections.abc import Callable

from arrayopt.backend import Array
from arrayopt.core.arguments import reals
from arrayopt.core.logsumexp import softmax
from arrayopt.errors import LeafError, OptionError

__all__ = [
    "all_masks",
    "attention_over_kept",
    "corrected_embedding",
    "dropout_second_order",
    "embedding_weights",
    "expected_masked_attention",
    "masked_attention",
    "masked_language_average",
    "model_average",
    "squared_loss_split",
]

_MOST = 16
"""The most inputs of which all masks are listed."""


def _keep(keep: float, least: float = 0.0) -> float:
    if not least <= keep <= 1:
        raise OptionError(f"keep: expected a probability in {'(' if least else '['}0, 1], got {keep!r}")
    return float(keep)


def all_masks(like: Array, keep: float) -> tuple[Array, Array]:
    r"""Return all masks of the last axis of an array, and their probabilities.

    Parameters
    ----------
    like : array, shape (..., d)
        It fixes dtype, library and device; d at most 16.
    keep : float
        p in [0, 1].

    Returns
    -------
    masks : array, shape (2^d, d)
        Of 0 and 1. All moments of an entry are p.
    probabilities : array, shape (2^d,)

    Examples
    --------
    >>> import numpy as np
    >>> masks, probabilities = all_masks(np.zeros(2), 0.75)
    >>> masks.tolist(), probabilities
    ([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], array([0.0625, 0.1875, 0.1875, 0.5625]))
    """
    xp, d, p = reals(like=like), like.shape[-1], _keep(keep)
    if d > _MOST:
        raise OptionError(f"like: expected at most {_MOST} entries, all masks of which are listed, got {d}; draw masks")
    rows = [[float(i >> j & 1) for j in range(d)] for i in range(2**d)]
    odds = [p ** sum(row) * (1 - p) ** (d - sum(row)) for row in rows]
    masks = xp.reshape(xp.asarray(rows, dtype=like.dtype, device=like.device), (2**d, d))
    return masks, xp.asarray(odds, dtype=like.dtype, device=like.device)


def model_average(f: Callable[[Array], Array], x: Array, keep: float) -> tuple[Array, Array]:
    r"""Return the mean and the variance of a model under dropout, :math:`f(x \circ e / p)`, over all masks.

    Parameters
    ----------
    f : callable
        From inputs, shape (masks, d), to outputs, shape (masks, ...).
    x : array, shape (d,)
        d at most 16.
    keep : float
        p in (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> x = np.asarray([3.0])
    >>> [float(z) for z in model_average(lambda x: x[:, 0] ** 2, x, 0.5)], float(dropout_second_order(9.0, 2.0, x, 0.5))
    ([18.0, 324.0], 18.0)
    """
    xp, p = reals(x=x), _keep(keep, 1e-300)
    masks, odds = all_masks(x, p)
    outputs = f(masks * (x / p))
    weight = xp.reshape(odds, (-1, *([1] * (outputs.ndim - 1))))
    mean = xp.sum(weight * outputs, axis=0)
    away = outputs - mean
    return mean, xp.sum(weight * away * away, axis=0)


def dropout_second_order(value: Array, second_derivatives: Array, x: Array, keep: float) -> Array:
    r"""Return the second-order approximation of the model average, exact for quadratics.

    .. math:: E[f(x \circ e / p)] \approx f(x) + \frac{1 - p}{2 p} \sum_i f_{ii}(x) \, x_i^2

    Parameters
    ----------
    value : number or array
        f(x).
    second_derivatives : number or array, shape (d,)
        :math:`f_{ii}(x)`, the diagonal of the Hessian.
    x : array, shape (d,)
    keep : float
        p in (0, 1].
    """
    xp, p = reals(x=x), _keep(keep, 1e-300)
    return value + (1 - p) / (2 * p) * xp.sum(second_derivatives * x * x, axis=-1)


def squared_loss_split(y: Array, outputs: Array, probabilities: Array) -> tuple[Array, Array, Array]:
    r"""Return the expected loss of single masks, that of the model average, and the variance that is between them.

    .. math:: E_e (y - f_e)^2 = (y - E_e f_e)^2 + \mathrm{Var}_e f_e

    Parameters
    ----------
    y : number or array
    outputs : array, shape (masks,)
    probabilities : array, shape (masks,)

    Examples
    --------
    >>> import numpy as np
    >>> [float(z) for z in squared_loss_split(1.0, np.asarray([0.0, 4.0]), np.asarray([0.5, 0.5]))]
    [5.0, 1.0, 4.0]
    """
    xp = reals(outputs=outputs, probabilities=probabilities)
    mean = xp.sum(probabilities * outputs, axis=0)
    single = xp.sum(probabilities * (y - outputs) * (y - outputs), axis=0)
    away = outputs - mean
    return single, (y - mean) * (y - mean), xp.sum(probabilities * away * away, axis=0)


def masked_language_average(x: Array, mask: Array, keep: float) -> Array:
    r"""Return the weight average of a token that is replaced by that of the mask, :math:`p x + (1 - p) m`.

    Fine-tuning takes x instead, which is the inconsistency.

    Examples
    --------
    >>> import numpy as np
    >>> masked_language_average(np.asarray([1.0, 0.0]), np.asarray([0.0, 1.0]), 0.75)
    array([0.75, 0.25])
    """
    reals(x=x, mask=mask)
    p = _keep(keep)
    return p * x + (1 - p) * mask


def embedding_weights(
    selected: float = 0.15, masked: float = 0.8, same: float = 0.1, random: float = 0.1
) -> tuple[float, float, float]:
    r"""Return the weights of a token, of the mask and of the mean of all tokens in BERT's corrected embedding.

    .. math:: 1 - s + s \, p_{same}, \qquad s \, p_{masked}, \qquad s \, p_{random}

    Parameters
    ----------
    selected : float
        The part s of the tokens that is selected.
    masked, same, random : float
        What becomes of those; they add up to 1.

    Examples
    --------
    >>> [round(w, 12) for w in embedding_weights()]
    [0.865, 0.12, 0.015]
    """
    parts = (masked, same, random)
    if not 0 <= selected <= 1 or min(parts) < 0 or abs(sum(parts) - 1) > 1e-12:
        raise OptionError(
            f"selected, masked, same, random: expected a part in [0, 1], and three that add up to 1, "
            f"got {selected} and {parts}"
        )
    return 1 - selected + selected * same, selected * masked, selected * random


def corrected_embedding(
    embedding: Array, mask_row: int, selected: float = 0.15, masked: float = 0.8, same: float = 0.1, random: float = 0.1
) -> Array:
    r"""Return the table of embeddings that a masked language model has seen on average.

    .. math:: E \leftarrow 0.865 E + 0.12 E_{mask} + 0.015 \overline{E}

    Parameters
    ----------
    embedding : array, shape (tokens, d)
    mask_row : int
        The row of the mask.
    selected, masked, same, random : float
        As for `embedding_weights`.

    References
    ----------
    kexue.fm/archives/8770.

    Examples
    --------
    >>> import numpy as np
    >>> corrected_embedding(np.asarray([[1.0], [0.0]]), 1)
    array([[0.8725],
           [0.0075]])
    """
    xp = reals(embedding=embedding)
    if embedding.ndim != 2 or not 0 <= mask_row < embedding.shape[0]:
        raise LeafError(
            f"embedding, mask_row: expected (tokens, d) and one of its rows, got {tuple(embedding.shape)}, {mask_row}"
        )
    own, at_mask, average = embedding_weights(selected, masked, same, random)
    mean = xp.mean(embedding, axis=0, keepdims=True)
    return own * embedding + (at_mask * embedding[mask_row : mask_row + 1, :] + average * mean)


def masked_attention(attention: Array, mask: Array) -> Array:
    r"""Return attention whose masked columns are zero, and whose rows add up to 1 again.

    .. math:: \mathrm{Norm}(A \circ M)

    Parameters
    ----------
    attention : array, shape (..., queries, keys)
        Non-negative.
    mask : array, shape (..., keys) or (..., queries, keys)
        1 or True for what is kept.

    Returns
    -------
    array
        A row of which nothing is kept is 0.

    Examples
    --------
    >>> import numpy as np
    >>> masked_attention(np.asarray([[0.5, 0.25, 0.25]]), np.asarray([0, 1, 1]))
    array([[0. , 0.5, 0.5]])
    """
    xp = reals(attention=attention)
    kept = attention * xp.astype(_rows(mask, attention), attention.dtype, copy=False)
    total = xp.sum(kept, axis=-1, keepdims=True)
    return kept / xp.where(total == 0, xp.ones_like(total), total)


def attention_over_kept(logits: Array, mask: Array) -> Array:
    r"""Return the softmax over the keys that are kept: `masked_attention` of the softmax of all, without underflow.

    Parameters
    ----------
    logits : array, shape (..., queries, keys)
    mask : array
        As for `masked_attention`.

    Examples
    --------
    >>> import numpy as np
    >>> attention_over_kept(np.asarray([[9.0, 0.0, np.log(3.0)]]), np.asarray([0, 1, 1]))
    array([[0.  , 0.25, 0.75]])
    """
    xp = reals(logits=logits)
    return softmax(logits, weights=xp.astype(_rows(mask, logits), logits.dtype, copy=False))


def _rows(mask: Array, attention: Array) -> Array:
    return mask[..., None, :] if mask.ndim < attention.ndim else mask


def expected_masked_attention(attention: Array, keep: float) -> Array:
    r"""Return :math:`E[\mathrm{Norm}(A \circ M)]` over masks that keep each column with probability p.

    It is not A, though :math:`\mathrm{Norm}(A \circ E[M])` is: that training and prediction agree is a statement
    about the weight average only.

    Parameters
    ----------
    attention : array, shape (queries, keys)
        At most 16 keys.
    keep : float
        p in [0, 1]. Where no column is kept, the row counts as 0.

    Examples
    --------
    >>> import numpy as np
    >>> expected_masked_attention(np.asarray([[0.75, 0.25]]), 0.5)
    array([[0.4375, 0.3125]])
    """
    xp = reals(attention=attention)
    masks, odds = all_masks(attention, keep)
    each = masked_attention(attention[None, ...], masks)
    return xp.sum(odds[:, None, None] * each, axis=0)
