r"""Sign hashing (SimHash): one bit a random direction, and what two hashes tell of the cosine of two vectors.

.. math:: h_i(x) = [\langle r_i, x \rangle \ge 0], \qquad P(h_i(x) = h_i(y)) = 1 - \theta / \pi

for Gaussian directions and vectors at the angle :math:`\theta`. The cosine of the vectors of signs is therefore not
the cosine of x and y, not even for many directions: its mean is :math:`1 - 2 \theta / \pi = \tfrac2\pi \arcsin \cos
\theta`, which is off by as much as `SIGN_COSINE_GAP`.
"""

import math
from typing import Any

from arrayopt.backend import Array, namespace
from arrayopt.core.arguments import elementwise, require
from arrayopt.errors import LeafError
from arrayopt.sketch.vectors import directed, vectors

__all__ = [
    "SIGN_COSINE_GAP",
    "SIGN_COSINE_WORST",
    "cosine_estimate",
    "hash_agreement",
    "sign_collision",
    "sign_cosine",
    "sign_hash",
]

SIGN_COSINE_WORST = math.sqrt(1 - 4 / math.pi**2)
"""The cosine (or minus it) at which the cosine of the signs is furthest from it: 0.771178."""
SIGN_COSINE_GAP = SIGN_COSINE_WORST - 2 / math.pi * math.asin(SIGN_COSINE_WORST)
"""By how much: 0.2105137."""


def sign_hash(x: Array, directions: Array) -> Array:
    """Return on which side of the hyperplanes vectors lie.

    Parameters
    ----------
    x : array, shape (..., m)
        Real floating-point numbers. Only directions matter, not lengths: nothing overflows.
    directions : array, shape (n, m)
        Normals of the hyperplanes, such as `gaussian_projection` draws; n may exceed m. They should be of moderate
        size, and the same for all vectors that are to be compared.

    Returns
    -------
    array of bool, shape (..., n)
        True where the inner product is at least 0, so everywhere for a vector of zeros; False for NaN.

    References
    ----------
    Charikar, Similarity estimation techniques from rounding algorithms, 2002. kexue.fm/archives/8706.

    Examples
    --------
    >>> import numpy as np
    >>> sign_hash(np.asarray([[1.0, 0.0], [-1e308, 1e308]]), np.asarray([[1.0, 1.0], [1.0, 2.0], [2.0, 1.0]]))
    array([[ True,  True,  True],
           [ True,  True, False]])
    """
    xp = vectors(x=x, directions=directions)
    top = xp.max(xp.abs(x), axis=-1, keepdims=True) if x.shape[-1] else xp.ones_like(xp.sum(x, axis=-1, keepdims=True))
    unit = x / xp.where(xp.isfinite(top) & (top > 0), top, xp.ones_like(top))
    # infinite components outweigh all finite ones
    unit = xp.where(xp.isinf(top), xp.where(xp.isinf(x), xp.sign(x), xp.zeros_like(x)), unit)
    return directed(xp, unit, directions) >= 0


def hash_agreement(a: Array, b: Array) -> Array:
    """Return the share of positions, along the last axis, in which two hashes agree.

    Parameters
    ----------
    a, b : array, shape (..., n)
        Hashes, of shapes that broadcast.

    Returns
    -------
    array of floats, shape (...)
        In the default dtype of the library; NaN for n = 0.

    Examples
    --------
    >>> import numpy as np
    >>> float(hash_agreement(np.asarray([True, True, False, True]), np.asarray([True, False, False, True])))
    0.75
    """
    xp: Any = namespace(a, b)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        raise LeafError(f"a, b: expected hashes of one length, got the shapes {tuple(a.shape)} and {tuple(b.shape)}")
    same = a == b
    n = same.shape[-1]
    total = xp.sum(xp.astype(same, xp.asarray(0.0).dtype), axis=-1)
    return total / n if n else total + math.nan


def sign_collision(cosine: Any) -> Any:
    r"""Return the probability that two vectors get the same bit.

    .. math:: 1 - \theta / \pi, \qquad \theta = \arccos c

    Parameters
    ----------
    cosine : number or array
        c in [-1, 1].

    Returns
    -------
    float or array
        A float for a number, else an array of the dtype of the cosines.

    Raises
    ------
    OptionError
        If a cosine is outside [-1, 1].

    Examples
    --------
    >>> sign_collision(0.0), sign_collision(1.0), round(sign_collision(0.5), 12)
    (0.5, 1.0, 0.666666666667)
    """
    xp, (c,), back = elementwise(cosine=cosine)
    require("cosine", "a number in [-1, 1]", xp.isnan(c) | (xp.abs(c) <= 1), xp, cosine)
    return back(xp.acos(-c) / math.pi)


def sign_cosine(cosine: Any) -> Any:
    r"""Return the mean of the cosine of two vectors of signs, which is not the cosine of what was hashed.

    .. math:: E \cos(\operatorname{sgn} A x, \operatorname{sgn} A y) = 1 - 2 \theta / \pi = \tfrac2\pi \arcsin c

    Parameters
    ----------
    cosine : number or array
        As for `sign_collision`.

    Examples
    --------
    >>> round(0.771178 - sign_cosine(0.771178), 7)
    0.2105137
    """
    xp, (c,), back = elementwise(cosine=cosine)
    require("cosine", "a number in [-1, 1]", xp.isnan(c) | (xp.abs(c) <= 1), xp, cosine)
    return back(2 / math.pi * xp.asin(c))


def cosine_estimate(agreement: Any, *, corrected: bool = True) -> Any:
    r"""Return an estimate of the cosine of two vectors from the share q of bits in which their hashes agree.

    .. math:: \cos \pi (1 - q) \text{ (corrected)}, \qquad 2 q - 1 \text{ (the cosine of the signs)}

    Parameters
    ----------
    agreement : number or array
        q in [0, 1], see `hash_agreement`.
    corrected : bool
        The corrected one tends to the cosine as the number of bits grows, the other one to `sign_cosine`.

    Raises
    ------
    OptionError
        If a share is outside [0, 1].

    Notes
    -----
    For n bits the corrected one has the bias :math:`-\tfrac{\pi^2}{2 n} q (1 - q) \cos \theta`, to first order in 1/n.

    References
    ----------
    kexue.fm/archives/8706 takes the one that is not corrected for the cosine.

    Examples
    --------
    >>> round(cosine_estimate(2 / 3), 12), round(cosine_estimate(2 / 3, corrected=False), 12)
    (0.5, 0.333333333333)
    """
    xp, (q,), back = elementwise(agreement=agreement)
    require("agreement", "a share in [0, 1]", xp.isnan(q) | ((q >= 0) & (q <= 1)), xp, agreement)
    return back(xp.sin(math.pi * (q - 0.5)) if corrected else 2 * q - 1)
