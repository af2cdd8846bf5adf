"""Rank-based weights: what evolution strategies recombine with; importance weights that forget all but the order."""

import math
from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, namespace, to_numpy
from arrayopt.core.options import check_count
from arrayopt.core.population import ranked
from arrayopt.errors import OptionError
from arrayopt.sampling.importance import Weights, weights_of

Recombination = Literal["logarithmic", "equal", "geometric"]


def rank_table(n: int, parents: int, kind: Recombination = "logarithmic", ratio: float = 0.5) -> np.ndarray:
    r"""Return the weights of n ranks from the best on, with sum 1.

    Parameters
    ----------
    n : int
        At least 1.
    parents : int
        :math:`\mu`, from 1 to n: the others have the weight 0.
    kind : {"logarithmic", "equal", "geometric"}
        "logarithmic": :math:`w_i \propto \log(\mu' + \tfrac12) - \log i`, with :math:`\mu' = \max(\mu, n / 2)` (CMA-ES
        for :math:`\mu = \lfloor n / 2 \rfloor`). "equal": :math:`1 / \mu` (the cross-entropy method). "geometric":
        :math:`w_i \propto \rho^i`.
    ratio : float
        :math:`\rho` in (0, 1), of "geometric".

    References
    ----------
    Hansen, The CMA evolution strategy: a tutorial, arXiv 1604.00772, equation 49.

    Examples
    --------
    >>> rank_table(6, 3).round(4)
    array([0.637 , 0.2846, 0.0784, 0.    , 0.    , 0.    ])
    >>> rank_table(4, 2, "equal")
    array([0.5, 0.5, 0. , 0. ])
    """
    check_count("rank_table", "n", n)
    check_count("rank_table", "parents", parents)
    if parents > n:
        raise OptionError(f"rank_table: parents must be at most n = {n}, got {parents}")
    if kind not in (kinds := get_args(Recombination)):
        raise OptionError(f"rank_table: kind must be one of {', '.join(map(repr, kinds))}, got {kind!r}")
    if not 0 < ratio < 1:
        raise OptionError(f"rank_table: ratio must be a number in (0, 1), got {ratio!r}")
    i = np.arange(1.0, n + 1)
    w: Any
    if kind == "logarithmic":
        w = math.log(max(parents, n / 2) + 0.5) - np.log(i)
    elif kind == "equal":
        w = np.ones(n)
    else:
        w = float(ratio) ** (i - 1.0)
    kept: np.ndarray = np.where(i <= parents, w, 0.0)
    return kept / math.fsum(kept)


def rank_weights(
    f: Array, parents: int | None = None, kind: Recombination = "logarithmic", ratio: float = 0.5
) -> Weights:
    r"""Weight samples by the ranks of their values.

    .. math:: w_i = u_{\operatorname{rank}(f_i)}

    Parameters
    ----------
    f : array, shape (..., n)
        Values: ties in order, NaN after +inf.
    parents : int, optional
        :math:`\mu`; half of n by default, at least 1.
    kind, ratio
        See `rank_table`.

    Returns
    -------
    Weights
        The same, bit for bit, after any strictly increasing function of f. The effective sample size is
        :math:`\mu_{eff}`. Where no value of a population is finite or -inf, all weights are 0.

    Notes
    -----
    `tempered_weights` with :math:`f_i = -\alpha \log u_{rank(i)}` gives the same: they are importance weights of an
    objective that depends on ranks only.

    Examples
    --------
    >>> rank_weights(np.array([3.0, 1.0, np.nan, 2.0]), parents=2, kind="equal").weights
    array([0. , 0.5, 0. , 0.5])
    """
    xp, n = namespace(f), int(f.shape[-1])
    table = rank_table(n, max(1, n // 2) if parents is None else parents, kind, ratio)
    host = to_numpy(f)
    order = ranked(host)
    w = np.empty(order.shape)
    np.put_along_axis(w, order, np.broadcast_to(table, order.shape), axis=-1)
    w = np.where((host < math.inf).any(axis=-1, keepdims=True), w, 0.0)
    return weights_of(xp.asarray(w, dtype=f.dtype, device=device(f)))
