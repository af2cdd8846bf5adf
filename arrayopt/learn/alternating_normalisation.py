r"""CAN: classification with alternating normalisation, which corrects doubtful predictions by how frequent classes are.

The predictions that are certain, and one that is not, are brought to column means :math:`\pi` and then to row sums 1,
in turns. Of the uncertain one alone, one round is

.. math:: p_c' \propto \frac{\pi_c \, p_c^\alpha}{S_c + p_c^\alpha}, \qquad
          S_c = \sum_{\text{certain } i} p_{ic}^\alpha,

so that all are corrected at once, in the time that it takes to read them. Further rounds at :math:`\alpha = 1` are
Sinkhorn's: only factors of rows and columns change, and two matrix products a round serve all uncertain predictions.
"""

import math
from typing import Any

from array_api_compat import device, is_numpy_namespace

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import positive, reals
from arrayopt.core.options import check_count
from arrayopt.core.orthogonal.precision import widest
from arrayopt.errors import LeafError, OptionError
from arrayopt.learn.entropy import top_k_entropy

__all__ = ["can"]

CACHED = 1 << 16
"""Numbers in a block of rows that NumPy works on at a time, so that no memory is asked for."""
BLOCK = 1 << 22
"""Numbers in memory at a time where every uncertain prediction needs a matrix of its own."""


def can(
    probabilities: Array,
    prior: Array,
    k: int = 3,
    threshold: float = 0.9,
    alpha: float = 1.0,
    rounds: int = 1,
) -> Array:
    r"""Return predictions, the uncertain among them corrected by the frequencies of the classes.

    A prediction is uncertain if its `top_k_entropy` is at least `threshold`. Each is stacked, alone, under the certain
    ones as they were given, into Y, and `rounds` times

    .. math:: Y \leftarrow Y^\alpha, \qquad Y_{ic} \leftarrow Y_{ic} \, \pi_c / \operatorname{mean}_i Y_{ic}, \qquad
              Y_{ic} \leftarrow Y_{ic} / \sum_c Y_{ic};

    the last row of Y takes its place.

    Parameters
    ----------
    probabilities : array, shape (N, m)
        Predictions, non-negative, with row sums of 1 (which is not checked).
    prior : array, shape (m,)
        :math:`\pi \ge 0`, the frequencies of the classes in training. Only ratios matter.
    k : int
        Of how many classes the entropy is, 1 to m.
    threshold : float
        Above 1 nothing is corrected; at 0 everything is, without certain ones.
    alpha : float
        :math:`\alpha > 0`.
    rounds : int
        At least 0.

    Returns
    -------
    array, shape (N, m)
        In the dtype of the probabilities; computed in float64. The certain predictions are those given, and so are
        rows without an entropy (NaN, infinite, or all zero), which do not count as certain either.

    Raises
    ------
    OptionError
        If k, alpha, rounds or a number is out of range.
    LeafError
        If the shapes do not match, or an array holds no floating-point numbers.

    Notes
    -----
    A probability of 0 stays 0. A prediction that has no class in common with the prior is left as it is. With no
    certain predictions one round gives the prior on the classes of positive probability. Where the column means of the
    stack are the prior already, nothing changes (:math:`\alpha = 1`).

    References
    ----------
    Jia, Reiter, Lim, Artzi and Cardie, When in doubt: improving classification performance with alternating
    normalization, arXiv 2109.13449. kexue.fm/archives/8728 (uncertainty, one at a time).

    Examples
    --------
    >>> import numpy as np
    >>> p = np.asarray([[0.05, 0.95], [0.5, 0.5]])
    >>> can(p, np.asarray([0.5, 0.5]), k=2)
    array([[0.05 , 0.95 ],
           [0.725, 0.275]])
    """
    xp, p, prior = _arguments(probabilities, prior)
    positive("alpha", alpha)
    check_count("can", "rounds", rounds, 0)
    step = max(1, CACHED // max(1, p.shape[1])) if is_numpy_namespace(xp) else max(1, p.shape[0])
    blocks = [slice(i, i + step) for i in range(0, max(1, p.shape[0]), step)]
    entropy = xp.concat([top_k_entropy(p[b, :], k) for b in blocks])
    certain, uncertain = entropy < threshold, entropy >= threshold
    if rounds == 0 or not bool(xp.any(uncertain)):
        return probabilities
    if rounds == 1:
        return _once(xp, probabilities, p, prior, alpha, certain, uncertain, blocks)
    corrected = _scaled if alpha == 1 else _stacked
    given = xp.take(p, xp.nonzero(certain)[0], axis=0)
    doubtful = xp.take(p, xp.nonzero(uncertain)[0], axis=0)
    at_once = max(1, BLOCK // ((given.shape[0] + 1) * (1 if alpha == 1 else p.shape[1])))
    last = doubtful.shape[0]
    parts = [
        corrected(xp, given, doubtful[i : min(i + at_once, last), :], prior, alpha, rounds)
        for i in range(0, last, at_once)
    ]
    after = xp.concat([p, *parts], axis=0)
    places = xp.where(uncertain, xp.cumulative_sum(xp.astype(uncertain, xp.int64)) + p.shape[0] - 1, -1)
    here = xp.arange(p.shape[0], dtype=places.dtype, device=device(p))
    return xp.astype(xp.take(after, xp.where(uncertain, places, here), axis=0), probabilities.dtype, copy=False)


def _once(
    xp: Namespace,
    own: Array,
    p: Array,
    prior: Array,
    alpha: float,
    certain: Array,
    uncertain: Array,
    blocks: list[slice],
) -> Array:
    """Return one round. Sums run down the rows in order, as if all certain ones were stacked."""
    total = xp.zeros_like(prior)
    for b in blocks:
        y = xp.take(p[b, :], xp.nonzero(certain[b])[0], axis=0)
        total = xp.sum(xp.concat([total[None, :], y if alpha == 1 else y**alpha], axis=0), axis=0)
    # so that 0 / 0 is 0: too small to be seen beside any other number, where there are subnormal ones
    least = math.ulp(0.0) if p.dtype == xp.float64 else float(xp.finfo(p.dtype).smallest_normal)
    total = xp.where(total > 0, total, least * xp.ones_like(total))
    if not is_numpy_namespace(xp):
        y = xp.where(uncertain[:, None], p, xp.zeros_like(p))
        return xp.where(uncertain[:, None], _last_row(xp, y, total, prior, alpha, own), own)
    found = xp.asarray(own, copy=True)
    for b in blocks:
        rows, out = xp.nonzero(uncertain[b])[0], found[b, :]
        y = xp.take(p[b, :], rows, axis=0)
        out[rows, :] = _last_row(xp, y, total, prior, alpha, y)
    return found


def _last_row(xp: Namespace, p: Array, total: Array, prior: Array, alpha: float, own: Array) -> Array:
    """Return one round of predictions, given the sums over the certain ones; `own` where no class is in common."""
    y = p if alpha == 1 else p**alpha
    y = y / (total + y)
    rows = xp.matmul(y, prior)[:, None]
    some = rows > 0
    if bool(xp.all(some)):
        return xp.astype(y * prior / rows, own.dtype, copy=False)
    y = xp.astype(y * prior / xp.where(some, rows, xp.ones_like(rows)), own.dtype, copy=False)
    return xp.where(some, y, own)


def _scaled(xp: Namespace, given: Array, p: Array, prior: Array, _: float, rounds: int) -> Array:
    """Return several rounds at alpha = 1, as factors of the rows and the columns of every matrix.

    A row is its probabilities over the greatest of them, times a factor r; only the factors c of columns and r change.
    """
    least = 1e10 * float(xp.finfo(p.dtype).smallest_normal)
    r_given, given = _topped(xp, given)
    r, scaled = _topped(xp, p)
    r_given = xp.broadcast_to(r_given, (given.shape[0], p.shape[0]))
    c = xp.zeros_like(p)
    for _ in range(rounds):
        total = xp.matmul(xp.matrix_transpose(r_given), given) + r * scaled
        some = (total > 0) & (prior > 0)
        first = xp.min(xp.where(some, total, xp.full_like(total, math.inf)), axis=-1, keepdims=True)
        c = prior * _quotient(xp, xp.where(xp.isinf(first), xp.ones_like(first), first), total)
        c = xp.where(some & (c < least), least * xp.ones_like(c), c)  # so that no factor of a row overflows
        r_given = _quotient(xp, 1.0, xp.matmul(given, xp.matrix_transpose(c)))
        r = _quotient(xp, 1.0, xp.sum(scaled * c, axis=-1, keepdims=True))
    found = r * scaled * c
    return xp.where(xp.sum(found, axis=-1, keepdims=True) > 0, found, p)


def _stacked(xp: Namespace, given: Array, p: Array, prior: Array, alpha: float, rounds: int) -> Array:
    """Return several rounds at any alpha, a matrix for every uncertain prediction."""
    shape = (p.shape[0], *given.shape)
    y = xp.concat([xp.broadcast_to(given, shape), p[:, None, :]], axis=1)
    for _ in range(rounds):
        y = y**alpha
        y = _quotient(xp, y, xp.sum(y, axis=1, keepdims=True)) * prior
        y = _quotient(xp, y, xp.sum(y, axis=2, keepdims=True))
    found = y[:, -1, :]
    return xp.where(xp.sum(found, axis=-1, keepdims=True) > 0, found, p)


def _topped(xp: Namespace, p: Array) -> tuple[Array, Array]:
    """Return the greatest of every row, and the row over it."""
    top = xp.max(p, axis=-1, keepdims=True)
    return top, p / top


def _quotient(xp: Namespace, a: Any, b: Array) -> Array:
    """Return a / b, and 0 where b is 0."""
    none = b == 0
    found = a / xp.where(none, xp.ones_like(b), b)
    return xp.where(none, xp.zeros_like(found), found)


def _arguments(probabilities: Array, prior: Array) -> tuple[Namespace, Array, Array]:
    xp = reals(probabilities=probabilities, prior=prior)
    for name, x, axes in (("probabilities", probabilities, 2), ("prior", prior, 1)):
        if x.ndim != axes:
            expected = "a matrix, a row a sample," if axes == 2 else "a vector"
            raise LeafError(f"{name}: expected {expected} got the shape {tuple(x.shape)}")
    if prior.shape[0] != probabilities.shape[1]:
        raise LeafError(f"prior: expected a number a class, {probabilities.shape[1]}, got {prior.shape[0]}")
    p, prior = widest(xp, probabilities), widest(xp, prior)
    if not bool(xp.all(prior >= 0)) or not bool(xp.all(xp.isfinite(prior))):
        raise OptionError("prior: expected finite frequencies >= 0, got another")
    return xp, p, prior
