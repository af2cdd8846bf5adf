"""Functions of the spectrum: the orthogonal factor of a matrix, and inverse roots of a symmetric one."""

import math
from typing import Any

import numpy as np
from array_api_compat import is_jax_namespace

from arrayopt.backend import Array, Namespace
from arrayopt.core.orthogonal.precision import UNITS, finite_or_zero, widest, with_error
from arrayopt.core.tape import opaque
from arrayopt.core.trees import dtype_name

DOUBLE = UNITS["float64"]
BY_GRAM = 1e-7
"""The largest error, relative to the largest entry of an orthogonal factor, of the way through the Gram matrix."""


def _cut(shape: tuple[int, ...], unit: float) -> float:
    """Return the part of the largest singular value below which one is taken for a rounded zero.

    Roundings of the entries are a random matrix of 2-norm about u sqrt(max(rows, columns)) times their size, and the
    largest singular value is at least their size times the same root; what remains is a margin for the few
    operations that made the entries, and for LAPACK.
    """
    return 8 * unit * math.sqrt(max(shape[-2:]))


def _msign_error(x: Any, *, norm_of_error: float = 0.0, unit: float = 0.0) -> float:
    """Bound the change of `msign`, rigorously; infinite where the rank may change.

    R.-C. Li, New perturbation bounds for the unitary polar factor (1995): 2 / (s + s') times the error for square
    matrices, s and s' the smallest singular values of both; 1 / s' for others.
    """
    s = np.linalg.svd(x, compute_uv=False)
    own = unit * math.sqrt(len(s)) + (BY_GRAM if unit > DOUBLE else 0.0)
    error = norm_of_error + (_cut(x.shape, DOUBLE) * float(s[0]) if unit else 0.0)
    lowest = float(s[-1])
    if error == 0:
        return own
    if lowest - error <= _cut(x.shape, max(unit, DOUBLE)) * float(s[0]):
        return math.inf
    return own + error * (2 / (2 * lowest - error) if x.shape[0] == x.shape[1] else 1 / (lowest - error))


@opaque()
@with_error(_msign_error)
def msign(xp: Namespace, x: Array) -> Array:
    r"""Return the matrix sign (orthogonal polar factor) :math:`U_r V_r^T` of :math:`X = U \Sigma V^T` of rank r.

    .. math:: \mathrm{msign}(X) = (X X^T)^{-1/2} X = X (X^T X)^{-1/2}

    with powers on the non-zero spectrum only, so it is defined for every matrix: msign(0) = 0.

    Parameters
    ----------
    xp : namespace
        That of `x`.
    x : array
        Matrices in the last two axes. One that is not finite gives NaN.

    Notes
    -----
    float64 goes by the singular value decomposition. Narrower dtypes go by the eigenvalues of the smaller Gram matrix
    in float64, as long as its condition keeps the error under 1e-7, which takes a look at the data. JAX, in which
    that is not to be had while tracing, always takes the singular values, in float32 unless it has been given float64.
    """
    if 0 in x.shape:
        return x
    finite, wide = finite_or_zero(xp, widest(xp, x))
    found = None
    if wide.dtype != x.dtype and not is_jax_namespace(xp):
        found = _msign_by_gram(xp, wide)
    if found is None:
        u, s, vh = xp.linalg.svd(wide, full_matrices=False)
        kept = s > _cut(x.shape, UNITS[dtype_name(x)]) * xp.max(s, axis=-1, keepdims=True)
        found = (u * xp.astype(kept, u.dtype)[..., None, :]) @ vh
    return xp.astype(xp.where(finite, found, xp.nan), x.dtype, copy=False)


def _msign_by_gram(xp: Namespace, x: Array) -> Array | None:
    """Return (X X^T)^(-1/2) X from float64 eigenvalues, unless the error might exceed `BY_GRAM`.

    Squaring costs the square of the condition number: eigenvalues are wrong by about u sqrt(n) of the largest.
    """
    tall = x.shape[-2] > x.shape[-1]
    t = xp.matrix_transpose(x)
    w, v = xp.linalg.eigh(t @ x if tall else x @ t)
    trusted = DOUBLE * math.sqrt(w.shape[-1]) / BY_GRAM
    if not bool(xp.all(w[..., 0] > trusted * w[..., -1])):
        return None
    root = (v / xp.sqrt(w)[..., None, :]) @ xp.matrix_transpose(v)
    return x @ root if tall else root @ x


def _inverse_root_error(a: Any, *, norm_of_error: float = 0.0, unit: float = 0.0, order: int) -> float:
    """Bound the change of `inverse_root`, rigorously; infinite where the rank may change.

    A function of symmetric matrices is Lipschitz in the Frobenius norm with the constant that it has on the spectra;
    the slope of an inverse root is steepest at the smallest eigenvalue.
    """
    w = np.linalg.eigvalsh(a)
    own = unit * float(np.linalg.norm(w[w > 0] ** (-1 / order)))
    error = norm_of_error + (_cut(a.shape, DOUBLE) * float(w[-1]) if unit else 0.0)
    lowest = float(w[0]) - error
    if error == 0:
        return own
    if lowest <= _cut(a.shape, max(unit, DOUBLE)) * float(w[-1]):
        return math.inf
    return own + error * math.pow(lowest, -1 - 1 / order) / order


@opaque()
@with_error(_inverse_root_error)
def inverse_root(xp: Namespace, a: Array, *, order: int) -> Array:
    r"""Return :math:`A^{-1/\text{order}}` of a symmetric positive semidefinite matrix, on its non-zero spectrum.

    Parameters
    ----------
    xp : namespace
        That of `a`.
    a : array
        Symmetric matrices in the last two axes. One that is not finite gives NaN.
    order : int
        The order of the root, at least 1.

    Notes
    -----
    Eigenvalues in float64 (in JAX: the dtype of `a`). Eigenvalues that are zero to rounding, or negative, count as
    zero, and their directions are mapped to zero.
    """
    if 0 in a.shape:
        return a
    finite, wide = finite_or_zero(xp, widest(xp, a))
    w, v = xp.linalg.eigh(wide)
    kept = w > _cut(a.shape, UNITS[dtype_name(a)]) * xp.max(w, axis=-1, keepdims=True)
    power = xp.where(kept, xp.where(kept, w, 1.0) ** (-1 / order), 0.0)
    root = (v * power[..., None, :]) @ xp.matrix_transpose(v)
    return xp.astype(xp.where(finite, root, xp.nan), a.dtype, copy=False)
