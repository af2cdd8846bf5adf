r"""Newton-Schulz iterations: polynomials in X that drive its singular values towards 1."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.core.orthogonal.polynomials import Polynomial, composite
from arrayopt.core.orthogonal.precision import UNITS, at_least_single, finite_or_zero, to_bfloat16, with_error
from arrayopt.core.tape import opaque

Norm = Literal["add", "max", "safety", "spectral", "schatten", "aol", "none"]


def _frobenius(xp: Namespace, x: Array) -> Array:
    return root_of_sum(xp, x * x)


def root_of_sum(xp: Namespace, squares: Array) -> Array:
    """Return the Frobenius norm of matrices from the squares of their entries."""
    return xp.sqrt(xp.sum(squares, axis=(-2, -1), keepdims=True))


def _gram(xp: Namespace, x: Array) -> Array:
    """Return the smaller of the two Gram matrices."""
    t = xp.matrix_transpose(x)
    return t @ x if x.shape[-2] > x.shape[-1] else x @ t


def _divisor(xp: Namespace, x: Array, eps: float, norm: Norm) -> Array:
    """Return what x is divided by before the iteration, so that its singular values are at most 1."""
    if norm == "none":
        return xp.ones_like(x[..., :1, :1])
    if norm == "spectral":
        finite, x = finite_or_zero(xp, x)
        n = xp.linalg.matrix_norm(x, ord=2, keepdims=True) + eps
        return xp.where(finite, n, math.nan)
    if norm == "schatten":  # the Schatten-4 norm
        return xp.sqrt(xp.maximum(_frobenius(xp, _gram(xp, x)), eps))
    if norm == "aol":  # one number a row: almost orthogonal layers
        axis = -2 if x.shape[-2] > x.shape[-1] else -1
        return xp.sqrt(xp.maximum(xp.sum(xp.abs(_gram(xp, x)), axis=axis, keepdims=True), eps))
    return from_frobenius(xp, _frobenius(xp, x), eps, norm)


def from_frobenius(xp: Namespace, n: Array, eps: float, norm: Norm) -> Array:
    """Return the divisor of the kinds "add", "max" and "safety"."""
    if norm == "max":
        return xp.maximum(n, eps)
    return (1.02 * n if norm == "safety" else n) + eps


def positive(xp: Namespace, d: Array) -> Array:
    """Return a divisor that leaves zero as it is without an eps, too."""
    return xp.where(d > 0, d, 1.0)


def _normalised(xp: Namespace, x: Array, eps: float, norm: Norm) -> Array:
    d = _divisor(xp, x, eps, norm)
    return x / positive(xp, d)


def _error(
    x: Any,
    eps: float,
    *,
    norm_of_error: float = 0.0,
    unit: float = 0.0,
    polynomials: Sequence[Polynomial],
    norm: Norm = "add",
    bfloat16: bool = False,
) -> float:
    r"""Bound the change of `newton_schulz` to first order.

    The derivative of a polynomial of a matrix has the divided differences of the polynomial at the singular values
    for its singular values (Daleckii and Krein; for odd functions, at values of either sign). Those of the
    composition are products over the steps. The given error may point in the worst direction; the roundings inside
    point in many, so that four times the root mean square of the derivative's singular values serves.
    """
    x = x.T if x.shape[0] > x.shape[1] else x
    stored, unit = unit, UNITS["bfloat16"] if bfloat16 else min(unit, UNITS["float32"])
    # of roundings in a sum of products; bfloat16 accumulates in float32 and rounds once
    folds = 1.0 if bfloat16 else 1 + math.sqrt(math.log2(x.shape[1] + 1))
    y = _normalised(np, x, eps, norm)
    stretch = _stretch(x, y, eps, norm)
    read = unit * float(np.linalg.norm(x)) if bfloat16 else 0.0  # the rounding of x itself
    local = [(stretch * read if read else 0.0) + unit * (folds + 2) * float(np.linalg.norm(y))]
    nodes = np.append(np.linalg.svd(y, compute_uv=False), 0.0)
    slopes = []
    for p in polynomials:
        slopes.append(_divided_differences(p, nodes))
        nodes = composite((p,), nodes)
        y, rounding = _rounded_step(p, y, unit, folds)
        local.append(rounding)
    # how many entries of an error each divided difference acts on
    n, m = x.shape
    weight = np.full((2, n + 1, n + 1), 0.5)
    weight[:, n], weight[:, :, n] = 0.0, 0.5 * (m - n)
    weight[:, n, n] = 0.0
    carried, total = np.ones_like(weight), local[-1]
    for slope, rounding in zip(reversed(slopes), reversed(local[:-1]), strict=True):
        carried = carried * slope
        typical = 4 * math.sqrt(np.sum(weight * carried**2) / x.size)
        total += min(typical, float(np.max(carried[weight > 0]))) * rounding
    given = float(np.max(carried[weight > 0])) * stretch * norm_of_error if norm_of_error else 0.0
    return total + given + (stored * float(np.linalg.norm(y)) if stored > UNITS["float32"] else 0.0)


def _divided_differences(p: Polynomial, s: Any) -> Any:
    """Return |p[x, y]| for x in s and y in s and -s; there is no difference in it that could cancel."""
    a, b, c = p
    x, y = s[None, :, None], np.stack([s, -s])[:, None, :]
    xx, xy, yy = x * x, x * y, y * y
    return np.abs(a + b * (xx + xy + yy) + c * (xx * xx + xy * (xx + xy + yy) + yy * yy))


def _rounded_step(p: Polynomial, x: Any, unit: float, folds: float) -> tuple[Any, float]:
    """Return the next iterate, and a bound of the rounding errors that the step adds."""
    a, b, c = p
    gram = x @ x.T
    q = b * gram + c * (gram @ gram)
    after = a * x + q @ x

    def length(z: Any) -> float:
        return float(np.linalg.norm(z))

    # a product with a coefficient rounds twice, as the coefficient is rounded, too
    top = float(np.linalg.norm(gram, 2))
    in_gram = folds * length(np.abs(x) @ np.abs(x).T)
    in_square = (folds + 2) * length(np.abs(gram) @ np.abs(gram))
    in_q = math.hypot((abs(b) + 2 * abs(c) * top) * in_gram, abs(c) * in_square, 2 * abs(b) * length(gram), length(q))
    in_product = folds * length(np.abs(q) @ np.abs(x))
    return after, unit * math.hypot(math.sqrt(top) * in_q, in_product, 2 * abs(a) * length(x), length(after))


def _stretch(x: Any, y: Any, eps: float, norm: Norm) -> float:
    """Bound the derivative of the normalisation."""
    if norm == "none":
        return 1.0
    d = _divisor(np, x, eps, norm)
    if not np.all(d > 0):
        return math.inf
    smallest = float(np.min(d))
    if norm in ("add", "max", "safety"):
        return 1 / smallest
    if norm in ("spectral", "schatten"):  # both norms are 1-Lipschitz in the Frobenius norm
        return (1 + float(np.linalg.norm(y))) / smallest
    rows, scaled = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    weight = scaled / (2 * d[:, 0] ** 2)
    moved = np.outer(weight * rows, np.ones_like(rows)) + np.diag(1 / d[:, 0] + weight * np.sum(rows))
    return float(np.linalg.norm(moved, 2))


@opaque()
@with_error(_error)
def newton_schulz(
    xp: Namespace,
    x: Array,
    eps: float,
    *,
    polynomials: Sequence[Polynomial],
    norm: Norm = "add",
    bfloat16: bool = False,
) -> Array:
    r"""Return X after one step with each of the polynomials, from X over its norm.

    .. math:: X \leftarrow a X + (b A + c A^2) X, \qquad A = X X^T

    or the same from the right with :math:`A = X^T X` where that is the smaller one. Zero singular values stay zero, so
    the zero matrix gives the zero matrix.

    Parameters
    ----------
    xp : namespace
        That of `x`.
    x : array
        Matrices in the last two axes.
    eps : float
        At least 0; kept small beside the norm.
    polynomials : sequence of (float, float, float)
        The coefficients a, b, c of each step.
    norm : {"add", "max", "safety", "spectral", "schatten", "aol", "none"}
        What X is divided by, with n its Frobenius norm: "add" n + eps; "max" max(n, eps); "safety" 1.02 n + eps;
        "spectral" the largest singular value, plus eps; "schatten" the root of max(Frobenius norm of A, eps); "aol"
        each row by the root of max(sum of \|A\| along that row of A, eps), which turns the singular vectors, too;
        "none" 1, for an X whose singular values are at most 1 already.
    bfloat16 : bool
        Round X, its norm, A, the bracket and the next X to bfloat16. Products accumulate in float32.

    Notes
    -----
    float16 is computed in float32. To reach the same result faster on a device with bfloat16 arithmetic, cast.
    """
    own = x.dtype

    def rounded(z: Array) -> Array:
        return to_bfloat16(xp, z) if bfloat16 else z

    x = rounded(xp.astype(x, xp.float32, copy=False) if bfloat16 else at_least_single(xp, x))
    d = rounded(_divisor(xp, x, eps, norm))
    x = rounded(x / positive(xp, d))
    for a, b, c in polynomials:
        gram = rounded(_gram(xp, x))
        q = rounded(b * gram + c * (gram @ xp.matrix_transpose(gram)))  # symmetric, and half the work so for a BLAS
        x = rounded(a * x + (x @ q if x.shape[-2] > x.shape[-1] else q @ x))
    return xp.astype(x, own, copy=False)
