r"""Random matrices that keep lengths on average: :math:`E \|A x\|^2 = \|x\|^2`, drawn without a look at x.

All have shape (n, m) and map m dimensions to n. They are drawn on the host, the same for every array library, and live
in the library in use (`arrayopt.use`).
"""

import math
from typing import Any

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array
from arrayopt.core.arguments import check_number, check_size, create
from arrayopt.core.orthogonal.precision import at_least_single
from arrayopt.core.random import generator
from arrayopt.errors import LeafError, OptionError
from arrayopt.sketch.vectors import vectors

__all__ = [
    "achlioptas_projection",
    "gaussian_projection",
    "hadamard_projection",
    "hadamard_sketch",
    "hadamard_transform",
    "sparse_projection",
]


def gaussian_projection(n: int, m: int, *, rng: Any = None, dtype: str = "float64") -> Array:
    r"""Draw a matrix with independent normal entries of mean 0 and variance 1/n.

    Parameters
    ----------
    n, m : int
        Rows and columns, at least 1. n may exceed m.
    rng : None, int, Generator, ...
        See `arrayopt.core.random.generator`.
    dtype : {"float64", "float32", "float16"}

    Notes
    -----
    For a unit vector u, A u has independent entries of that law, too, whatever u is: :math:`n \|A u\|^2` is chi-square
    with n degrees of freedom, see `norm_log_tail`. But for points that do not depend on A: those that
    ``default_rng(seed).standard_normal`` draws are, of the same seed, multiples of rows of it.

    References
    ----------
    kexue.fm/archives/8679. Indyk and Motwani, Approximate nearest neighbors, 1998.

    Examples
    --------
    >>> a = gaussian_projection(400, 1000, rng=0)
    >>> y = a @ np.ones(1000)
    >>> a.shape, round(float(y @ y) / 1000, 2)
    ((400, 1000), 1.04)
    """
    n, m = check_size("n", n), check_size("m", m)
    return create(generator(rng).standard_normal((n, m)) / math.sqrt(n), dtype)


def achlioptas_projection(n: int, m: int, *, density: float = 1 / 3, rng: Any = None, dtype: str = "float64") -> Array:
    r"""Draw a matrix whose entries are 0 or of one size and either sign.

    .. math:: a_{ij} = \frac{1}{\sqrt{n \rho}} \begin{cases} +1 & \text{with probability } \rho / 2 \\
              0 & 1 - \rho \\ -1 & \rho / 2 \end{cases}

    Parameters
    ----------
    n, m, rng, dtype
        As for `gaussian_projection`.
    density : float
        :math:`\rho` in (0, 1]. 1 is random signs; 1/3 is the least for which no tail is above that of a Gaussian
        projection; :math:`1 / \sqrt m` is "very sparse" (Li, Hastie and Church).

    Notes
    -----
    With :math:`\|u\| = 1`, :math:`n \operatorname{Var} \|A u\|^2 = 2 + (1 / \rho - 3) \sum_i u_i^4`, against 2 for a
    Gaussian projection.

    References
    ----------
    Achlioptas, Database-friendly random projections, 2003. Li, Hastie and Church, Very sparse random projections, 2006.

    Examples
    --------
    >>> np.unique(achlioptas_projection(3, 100, rng=0))
    array([-1.,  0.,  1.])
    """
    n, m = check_size("n", n), check_size("m", m)
    density = check_number("density", density, "a number in (0, 1]", lambda d: 0 < d <= 1)
    u = generator(rng).random((n, m))
    size = 1 / math.sqrt(n * density)
    return create(np.where(u < density / 2, size, np.where(u >= 1 - density / 2, -size, 0.0)), dtype)


def sparse_projection(n: int, m: int, *, nonzeros: int = 1, rng: Any = None, dtype: str = "float64") -> Array:
    r"""Draw a matrix with a fixed number s of entries :math:`\pm 1 / \sqrt s` in every column, at random rows.

    Parameters
    ----------
    n, m, rng, dtype
        As for `gaussian_projection`.
    nonzeros : int
        s, from 1 to n. 1 is the count sketch.

    Notes
    -----
    The unit vectors keep their lengths exactly, which no matrix of independent entries does but that of signs.

    References
    ----------
    Kane and Nelson, Sparser Johnson-Lindenstrauss transforms, arXiv 1012.1577, section 1 (graph construction).

    Examples
    --------
    >>> a = sparse_projection(6, 100, nonzeros=4, rng=0)
    >>> bool((np.count_nonzero(a, axis=0) == 4).all()), bool(((a * a).sum(axis=0) == 1).all())
    (True, True)
    """
    n, m, s = check_size("n", n), check_size("m", m), check_size("nonzeros", nonzeros)
    if s > n:
        raise OptionError(f"nonzeros: expected at most as many as there are rows, {n}, got {s}")
    rng = generator(rng)
    rows = np.argpartition(rng.random((n, m)), s - 1, axis=0)[:s]
    a = np.zeros((n, m))
    a[rows, np.arange(m)] = np.where(rng.random((s, m)) < 0.5, -1.0, 1.0) / math.sqrt(s)
    return create(a, dtype)


def hadamard_transform(x: Array) -> Array:
    r"""Return the orthonormal Walsh-Hadamard transform of vectors, in :math:`m \log_2 m` additions.

    .. math:: y = H_m x, \qquad H_{2 m} = \frac{1}{\sqrt 2} \begin{pmatrix} H_m & H_m \\ H_m & -H_m \end{pmatrix},
              \qquad H_1 = 1

    Parameters
    ----------
    x : array, shape (..., m)
        Real floating-point numbers; m is a power of two.

    Notes
    -----
    It is its own inverse.

    Examples
    --------
    >>> hadamard_transform(np.asarray([3.0, 1.0, 0.0, 0.0]))
    array([2., 1., 2., 1.])
    """
    xp = vectors(x=x)
    own, m = x.dtype, x.shape[-1]
    if m < 1 or m & (m - 1):
        raise LeafError(f"x: expected vectors as long as a power of two, got {m}; pad them with zeros")
    x = at_least_single(xp, x) / math.sqrt(m)
    shape, half = x.shape, 1
    while half < m:
        x = xp.reshape(x, (*shape[:-1], m // (2 * half), 2, half))
        a, b = x[..., 0, :], x[..., 1, :]
        x = xp.stack([a + b, a - b], axis=-2)
        half *= 2
    return xp.astype(xp.reshape(x, shape), own, copy=False)


def hadamard_sketch(x: Array, n: int, *, rng: Any = None) -> Array:
    r"""Project vectors by random signs, the Hadamard transform, and a choice of n coordinates: no matrix is stored.

    .. math:: A = \sqrt{M / n} \, R \, H_M \, D

    with D random signs, M the least power of two that is at least m (zeros fill up), and R a choice of n different
    rows.

    Parameters
    ----------
    x : array, shape (..., m)
        Real floating-point numbers.
    n : int
        From 1 to M. For n = M, A is orthogonal.
    rng : None, int, Generator, ...
        See `arrayopt.core.random.generator`. Vectors that are to be compared need the same one, as an int.

    Returns
    -------
    array, shape (..., n)

    Notes
    -----
    With :math:`\|u\| = 1`, no coordinate of :math:`H D u` exceeds t but with probability
    :math:`2 M e^{-M t^2 / 2}`, so that few of them tell the norm.

    References
    ----------
    Ailon and Chazelle, The fast Johnson-Lindenstrauss transform, 2009. Tropp, Improved analysis of the subsampled
    randomized Hadamard transform, arXiv 1011.1595.

    Examples
    --------
    >>> x = np.asarray([3.0, 4.0, 0.0])
    >>> y = hadamard_sketch(x, 4, rng=0)
    >>> float(y @ y)
    25.0
    """
    xp = vectors(x=x)
    m = check_size("the length of x", x.shape[-1])
    signs, rows, padded = _signs_and_rows(n, m, rng)
    work = at_least_single(xp, x)
    work = work * xp.asarray(signs, dtype=work.dtype, device=device(x))
    if padded > m:
        zeros = xp.zeros((*x.shape[:-1], padded - m), dtype=work.dtype, device=device(x))
        work = xp.concat([work, zeros], axis=-1)
    kept = xp.take(hadamard_transform(work), xp.asarray(rows, device=device(x)), axis=-1)
    return xp.astype(math.sqrt(padded / len(rows)) * kept, x.dtype, copy=False)


def hadamard_projection(n: int, m: int, *, rng: Any = None, dtype: str = "float64") -> Array:
    """Draw the matrix of `hadamard_sketch`, which gives the same products sooner.

    Parameters
    ----------
    n, m, rng, dtype
        As for `gaussian_projection`; n is at most the least power of two that is at least m.

    Examples
    --------
    >>> a = hadamard_projection(4, 4, rng=0)
    >>> a @ a.T
    array([[1., 0., 0., 0.],
           [0., 1., 0., 0.],
           [0., 0., 1., 0.],
           [0., 0., 0., 1.]])
    """
    check_size("m", m)
    return create(hadamard_sketch(np.eye(m), n, rng=rng).T, dtype)


def _signs_and_rows(n: int, m: int, rng: Any) -> tuple[np.ndarray, np.ndarray, int]:
    padded = 1 << (m - 1).bit_length()
    if check_size("n", n) > padded:
        raise OptionError(f"n: expected at most {padded} rows, the least power of two from {m} on, got {n}")
    rng = generator(rng)
    return np.where(rng.random(m) < 0.5, -1.0, 1.0), rng.permutation(padded)[:n], padded
