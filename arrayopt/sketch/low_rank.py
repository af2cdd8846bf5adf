r"""Singular value decomposition of low rank by random projection: the right one, and what the article writes.

The range of A is found from its action on a few random vectors. That :math:`Q Q' \approx I` for a random Q of few
columns, from which the article reasons, is not so: such a Q keeps inner products, which is why singular values and left
vectors come out, but :math:`Q Q'` has rank k only, and :math:`A Q Q'` is far from A.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace, namespace
from arrayopt.core.arguments import check_size
from arrayopt.core.orthogonal.precision import at_least_single, finite_or_zero
from arrayopt.core.random import generator
from arrayopt.core.trees import dtype_name
from arrayopt.errors import LeafError, OptionError

__all__ = ["LowRank", "article_svd", "randomized_svd"]


class LowRank(NamedTuple):
    """A = u diag(s) vt: shapes (..., m, k), (..., k) in falling order, and (..., k, n)."""

    u: Array
    s: Array
    vt: Array


def randomized_svd(
    a: Array, rank: int, *, oversampling: int = 10, power_iterations: int = 2, rng: Any = None
) -> LowRank:
    r"""Return the leading singular values and vectors of a matrix, by projection onto its range.

    .. math:: Y = (A A')^q A \Omega, \qquad Y = Q R, \qquad Q' A = \tilde U S V', \qquad A \approx (Q \tilde U) S V'

    with :math:`\Omega` Gaussian, of rank + oversampling columns, and q power iterations, during which the columns are
    kept apart so that small singular values are not lost beside large ones.

    Parameters
    ----------
    a : array, shape (..., m, n)
        Real floating-point numbers.
    rank : int
        From 0 to min(m, n): how many to return.
    oversampling : int
        Further columns, at least 0.
    power_iterations : int
        q >= 0. 0 is enough for matrices of exactly that rank; the slower the singular values fall, the more it takes.
    rng : None, int, Generator, ...
        See `arrayopt.core.random.generator`. All matrices of a stack are projected alike.

    Returns
    -------
    LowRank
        In the dtype of a; float16 is computed in float32. The signs of the vectors are not fixed. NaN for a matrix
        that is not finite.

    Raises
    ------
    OptionError
        If a count is out of range.
    LeafError
        If a holds no matrices of real floating-point numbers.

    Notes
    -----
    For a matrix of the given rank, or less, it is exact to rounding. With q = 0 and at least 2 columns more than the
    rank k, :math:`E \|A - Q Q' A\|_F^2 \le (1 + k / (p - 1)) \sum_{j > k} \sigma_j^2` for p columns more.

    References
    ----------
    Halko, Martinsson and Tropp, Finding structure with randomness, arXiv 0909.4061, algorithms 4.4 and 5.1, theorem
    10.5.

    Examples
    --------
    >>> a = np.outer(np.arange(1.0, 4.0), np.ones(5)) + np.outer(np.ones(3), np.arange(5.0))  # of rank 2
    >>> u, s, vt = randomized_svd(a, 2, rng=0)
    >>> bool(np.allclose(u * s @ vt, a, rtol=1e-13))
    True
    """
    xp, m, n = _matrices(a)
    least = min(m, n)
    if check_size("rank", rank, 0) > least:
        raise OptionError(f"rank: expected at most min{(m, n)}, got {rank}")
    columns = min(rank + check_size("oversampling", oversampling, 0), least)
    check_size("power_iterations", power_iterations, 0)
    if rank == 0:
        return LowRank(a[..., :, :0], xp.sum(a[..., :, :0], axis=-2), a[..., :0, :])
    turned = m < n  # so that the decomposition at the end is that of the smaller matrix
    work = at_least_single(xp, xp.matrix_transpose(a) if turned else a)
    work, scale = _in_range(xp, work)
    y = xp.matmul(work, _gaussian(xp, work, columns, rng))
    back = xp.matrix_transpose(work)
    for _ in range(power_iterations):
        z, lost = _balanced(xp, xp.matmul(back, y))
        if lost:  # some directions were squared away: again, with smaller steps
            z, _ = _balanced(xp, xp.matmul(back, _balanced(xp, y)[0]))
            z, _ = _balanced(xp, z)
        y = xp.matmul(work, z)
    q = xp.linalg.qr(y)[0]
    # of the transpose, (n, columns), which is what LAPACK would make of a wide matrix first
    z, r = xp.linalg.qr(xp.matmul(back, q))
    w, s, ut = xp.linalg.svd(r, full_matrices=False)
    u = xp.matmul(q, xp.matrix_transpose(ut[..., :rank, :]))
    vt = xp.matrix_transpose(xp.matmul(z, w[..., :, :rank]))
    s = s[..., :rank]
    if scale is not None:
        sign = scale / scale  # 1, or NaN
        u, s, vt = u * sign, _restored(xp, s, scale[..., 0]), vt * sign
    if turned:
        u, vt = xp.matrix_transpose(vt), xp.matrix_transpose(u)
    return LowRank(*(xp.astype(x, a.dtype, copy=False) for x in (u, s, vt)))


def article_svd(a: Array, columns: int, *, orthonormal: bool = False, rng: Any = None) -> LowRank:
    r"""Return what the article calls the randomised decomposition; for fewer columns than n it is not one.

    .. math:: A Q = U S W', \qquad A \approx A Q Q' = U S (Q W)'

    with Q of shape (n, k) Gaussian, of variance 1/k, or orthonormal by its QR decomposition.

    Parameters
    ----------
    a : array, shape (..., m, n)
        Real floating-point numbers.
    columns : int
        k >= 1; at most n if Q is to be orthonormal.
    orthonormal : bool
    rng : None, int, Generator, ...
        See `arrayopt.core.random.generator`.

    Returns
    -------
    LowRank
        With min(m, k) singular values. The rows of vt are not orthonormal unless Q is. NaN for a matrix that is not
        finite.

    Notes
    -----
    :math:`E \|A - A Q Q'\|_F^2 / \|A\|_F^2` is (n + 1) / k for the Gaussian Q and 1 - k / n for the orthonormal one,
    whatever the rank of A is. :math:`A Q Q' A' \approx A A'` does hold for a Gaussian Q and k large against the rank:
    singular values and left vectors are approximated, the right factor is not. Use `randomized_svd`.

    References
    ----------
    kexue.fm/archives/8706.

    Examples
    --------
    >>> a = np.outer(np.ones(4), np.ones(1000))
    >>> error = lambda x: round(float(np.linalg.norm(a - x.u * x.s @ x.vt) / np.linalg.norm(a)), 2)
    >>> error(article_svd(a, 100, orthonormal=True, rng=0)), error(randomized_svd(a, 1, rng=0))
    (0.95, 0.0)
    """
    xp, _, n = _matrices(a)
    if check_size("columns", columns) > n and orthonormal:
        raise OptionError(f"columns: expected at most {n} that are orthonormal, got {columns}")
    work = at_least_single(xp, a)
    finite, work = finite_or_zero(xp, work)
    q = _gaussian(xp, work, columns, rng)
    q = xp.linalg.qr(q)[0] if orthonormal else q / math.sqrt(columns)
    u, s, wt = xp.linalg.svd(xp.matmul(work, q), full_matrices=False)
    vt = xp.matmul(wt, xp.matrix_transpose(q))
    s = xp.where(finite[..., 0], s, math.nan)
    return LowRank(*(xp.astype(x, a.dtype, copy=False) for x in (u, s, vt)))


def _matrices(a: Array) -> tuple[Namespace, int, int]:
    xp = namespace(a)
    if a.ndim < 2 or not xp.isdtype(a.dtype, "real floating"):
        raise LeafError(
            "a: expected matrices of real floating-point numbers, "
            f"got an array of {a.ndim} axes and the dtype {dtype_name(a)}"
        )
    return xp, int(a.shape[-2]), int(a.shape[-1])


def _gaussian(xp: Namespace, like: Array, columns: int, rng: Any) -> Array:
    """Draw a matrix that `like` can be multiplied with."""
    kind = np.float32 if dtype_name(like) == "float32" else np.float64
    drawn = generator(rng).standard_normal((like.shape[-1], columns), dtype=kind)
    return xp.asarray(drawn, dtype=like.dtype, device=device(like))


def _balanced(xp: Namespace, y: Array) -> tuple[Array, bool]:
    """Return columns of the same span, nearly orthonormal, and whether some of it was within rounding of nothing.

    By the eigenvectors of the Gram matrix, in a fraction of the time of a QR decomposition. Eigenvalues below the
    roundoff of the greatest are noise: directions of less than 1e-8 of the greatest (in float64) stay smaller than the
    others, though 1e8 times as large as they were.
    """
    w, v = xp.linalg.eigh(xp.matmul(xp.matrix_transpose(y), y))
    info, top = xp.finfo(y.dtype), w[..., -1:]
    least = xp.maximum(float(info.eps) * top, xp.full_like(top, float(info.smallest_normal)))
    balanced = xp.matmul(y, v / xp.sqrt(xp.maximum(w, least))[..., None, :])
    return balanced, bool(xp.any(w[..., :1] < 16 * least))


def _in_range(xp: Namespace, a: Array) -> tuple[Array, Array | None]:
    """Return matrices, and the factors they were divided by if these are of an awkward size: NaN if not finite."""
    info, axes = xp.finfo(a.dtype), (-2, -1)
    top = xp.maximum(xp.max(a, axis=axes, keepdims=True), -xp.min(a, axis=axes, keepdims=True))
    if bool(xp.all((top > float(info.smallest_normal) ** 0.25) & (top < float(info.max) ** 0.25))):
        return a, None
    finite, a = finite_or_zero(xp, a)
    top = xp.where(finite & (top > 0), top, xp.ones_like(top))
    return a / top, xp.where(finite, top, math.nan)


def _restored(xp: Namespace, s: Array, scale: Array) -> Array:
    """Return s times the factors, infinite where that is out of range."""
    over = s > float(xp.finfo(s.dtype).max) / xp.where(scale >= 1, scale, xp.ones_like(scale))
    return xp.where(over, math.inf, xp.where(over, xp.zeros_like(s), s) * scale)
