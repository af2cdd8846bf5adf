r"""Newton-Schulz iterations on NumPy arrays in memory of their own, and on the small Gram matrix alone.

Every iterate is a polynomial of :math:`R = X_0 X_0^T` times :math:`X_0`. So for wide matrices

.. math::

    P_k &= aI + bR_k + cR_k^2, \qquad Q_{k+1} = P_k Q_k, \qquad R_{k+1} = P_k R_k P_k, \qquad X = Q X_0

touches X twice only. For r times as many columns as rows and five steps that takes :math:`(3r + 29) m^3` operations
rather than :math:`(15r + 10) m^3`. All of P, Q and R commute. Still, R is multiplied from both sides: an
error of R between a small and a large singular value grows by their two factors then, in R P^2 by one of them squared.
"""

from collections.abc import Callable, Sequence

import numpy as np

from arrayopt.core.orthogonal.iteration import Norm, from_frobenius, positive, root_of_sum
from arrayopt.core.orthogonal.polynomials import Polynomial

WIDE = 2.0
"""Columns per row from which the Gram matrix pays: 0.88 of the operations there, 0.59 at four."""
LARGE = 128
"""Rows from which it is products, and not calls, that take the time."""


def by_gram(shape: tuple[int, ...], steps: int) -> bool:
    """Tell whether `buffered` iterates on the Gram matrix, with other roundings than `newton_schulz`."""
    m, n = sorted(shape[-2:])
    return steps > 1 and m >= LARGE and n >= WIDE * m


def supported(dtype: np.dtype, norm: Norm, bfloat16: bool) -> bool:
    """Tell whether `buffered` serves: half precision, and norms that decompose, go by `newton_schulz`."""
    return dtype in (np.float32, np.float64) and norm in ("add", "max", "safety") and not bfloat16


def buffered(
    shape: tuple[int, ...], dtype: np.dtype, polynomials: Sequence[Polynomial], norm: Norm
) -> Callable[[np.ndarray, float, np.ndarray], np.ndarray]:
    """Return ``f(x, eps, out)``, which writes `newton_schulz` of matrices of a shape to `out` and allocates nothing.

    The bits are those of `newton_schulz`, but for `by_gram`, which rounds differently: an error of the Gram matrix
    weighs more on small singular values. In float32, 128 x 512, five "keller" steps, the relative error in the
    Frobenius norm is 2e-5 (plain: 1e-6) for Gaussian matrices and 2e-4 (plain: 6e-6) where singular values fall to
    1e-6 of the largest, and with "polar_express" 1e-5 and 6e-4: about ``newton_schulz.error``, of which the
    conformance kit accepts four times.
    """
    tall = shape[-2] > shape[-1]
    m = min(shape[-2:])
    work = np.empty(shape, dtype)
    small = [np.empty((*shape[:-2], m, m), dtype) for _ in range(3 + 2 * by_gram(shape, len(polynomials)))]
    iterate = _on_gram if by_gram(shape, len(polynomials)) else _on_matrix

    def compute(x: np.ndarray, eps: float, out: np.ndarray) -> np.ndarray:
        n = root_of_sum(np, np.multiply(x, x, out=work))
        np.divide(x, positive(np, from_frobenius(np, n, eps, norm)), out=out)
        iterate(out, polynomials, tall, work, *small)
        return out

    return compute


def _gram(x: np.ndarray, tall: bool, out: np.ndarray) -> np.ndarray:
    t = np.matrix_transpose(x)
    return np.matmul(t, x, out=out) if tall else np.matmul(x, t, out=out)


def _on_matrix(
    x: np.ndarray, polynomials: Sequence[Polynomial], tall: bool, work: np.ndarray, *small: np.ndarray
) -> None:
    """Iterate in place, in the order of `newton_schulz`."""
    gram, q, square = small
    for a, b, c in polynomials:
        _gram(x, tall, gram)
        np.matmul(gram, np.matrix_transpose(gram), out=square)
        np.multiply(b, gram, out=q)
        np.add(q, np.multiply(c, square, out=square), out=q)
        np.matmul(x, q, out=work) if tall else np.matmul(q, x, out=work)
        np.add(np.multiply(a, x, out=x), work, out=x)


def _on_gram(
    x: np.ndarray, polynomials: Sequence[Polynomial], tall: bool, work: np.ndarray, *small: np.ndarray
) -> None:
    """Gather the polynomials in Q, then multiply once."""
    r, p, q, square, spare = small
    _gram(x, tall, r)
    last = len(polynomials) - 1
    for k, (a, b, c) in enumerate(polynomials):
        np.matmul(r, np.matrix_transpose(r), out=square)
        np.multiply(b, r, out=p)
        np.add(p, np.multiply(c, square, out=square), out=p)
        np.einsum("...ii->...i", p)[...] += a
        if k == 0:
            q[...] = p
        else:
            np.matmul(p, q, out=spare)
            q, spare = spare, q
        if k < last:
            np.matmul(p, r, out=square)
            np.matmul(square, p, out=r)
    # Q is not symmetric to rounding; transposed, it acts on columns as it would on rows
    np.matmul(x, np.matrix_transpose(q), out=work) if tall else np.matmul(q, x, out=work)
    x[...] = work
