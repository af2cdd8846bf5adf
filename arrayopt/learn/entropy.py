"""How uncertain a prediction is: the entropy of its most probable classes."""

import math
from typing import Any, Literal, get_args

from arrayopt.backend import Array, namespace
from arrayopt.core.options import check_count
from arrayopt.core.orthogonal.precision import at_least_single
from arrayopt.core.trees import dtype_name
from arrayopt.errors import LeafError, OptionError

__all__ = ["top_k_entropy"]

Variant = Literal["article", "paper"]


def top_k_entropy(probabilities: Array, k: int = 3, variant: Variant = "article") -> Array:
    r"""Return the entropy of the k greatest probabilities, from 0 (certain) to 1.

    .. math:: U = -\frac{1}{\log k} \sum_{i \le k} \tilde p_i \log \tilde p_i, \qquad
              \tilde p_i = p_{(i)} \Big/ \sum_{j \le k} p_{(j)} \quad \text{(article)}, \qquad
              U = -\frac{1}{\log m} \sum_{i \le k} p_{(i)} \log p_{(i)} \quad \text{(paper)}

    Parameters
    ----------
    probabilities : array, shape (..., m)
        Non-negative.
    k : int
        1 to m; 1 gives 0 ("article").
    variant : {"article", "paper"}
        Whether what is kept is brought to sum 1, and whether k or all m classes are the measure. The paper's is much
        smaller.

    Returns
    -------
    array, shape (...)
        In the dtype of the probabilities; 0 log 0 = 0. NaN for a row that is not finite or all zero.

    Raises
    ------
    OptionError
        If k is out of range, or a probability is negative.
    LeafError
        If the array holds no floating-point numbers, or has no axes.

    References
    ----------
    kexue.fm/archives/8728; arXiv 2109.13449 (paper).

    Examples
    --------
    >>> import numpy as np
    >>> p = np.asarray([[0.5, 0.25, 0.25], [0.5, 0.5, 0.0]])
    >>> top_k_entropy(p, 3).round(4), top_k_entropy(p, 2).round(4)
    (array([0.9464, 0.6309]), array([0.9183, 1. ]))
    """
    xp: Any = namespace(probabilities)
    if not xp.isdtype(probabilities.dtype, "real floating") or probabilities.ndim == 0:
        raise LeafError(
            "probabilities: expected real floating-point numbers, classes along the last axis, "
            f"got {probabilities.ndim} axes of the dtype {dtype_name(probabilities)}"
        )
    m = probabilities.shape[-1]
    check_count("top_k_entropy", "k", k)
    if k > m:
        raise OptionError(f"k: expected a number of classes from 1 to {m}, got {k}")
    if variant not in get_args(Variant):
        raise OptionError(f"variant: expected one of {', '.join(map(repr, get_args(Variant)))}, got {variant!r}")
    p = at_least_single(xp, probabilities)
    in_order = xp.sort(p, axis=-1, stable=False)
    first, last = in_order[..., 0], in_order[..., -1]
    if bool(xp.any(first < 0)):
        raise OptionError("probabilities: expected numbers >= 0, got a negative one")
    # NaN comes last, or first, whatever the library
    good = xp.isfinite(first) & xp.isfinite(last) & (last > 0)
    # the classes come first now: loops over the samples are long, those over k classes short
    kept = xp.stack([in_order[..., i] for i in range(m - k, m)], axis=0)
    if not bool(xp.all(good)):
        kept = xp.where(good, kept, xp.ones_like(kept))
    if variant == "article":
        kept = kept / kept[-1, ...]  # the greatest: neither huge nor tiny numbers spoil the sum
        kept = kept / xp.sum(kept, axis=0)
    terms = kept * xp.log(xp.where(kept > 0, kept, xp.ones_like(kept)))
    measure = math.log(k if variant == "article" else m) or 1.0
    found = (0.0 - xp.sum(terms, axis=0)) / measure
    if variant == "article":
        found = xp.where(found < 1, found, xp.ones_like(found))
    return xp.astype(xp.where(good, found, math.nan), probabilities.dtype, copy=False)
