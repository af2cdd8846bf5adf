r"""Angles between random directions in n dimensions: their densities and their variance.

.. math:: p(\theta) = \frac{\Gamma(n/2)}{\Gamma((n-1)/2) \sqrt\pi} \sin^{n-2} \theta, \qquad
          p(\cos \theta = c) \propto (1 - c^2)^{(n-3)/2}

One direction may be fixed, and the other drawn. In two dimensions the angle is uniform, in three the cosine.
"""

import math
from typing import Any

from arrayopt.core.arguments import elementwise, require
from arrayopt.core.options import check_count

__all__ = ["angle_density", "angle_variance", "cosine_density"]

_SHIFT = 12
_TRIGAMMA = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
"""Bernoulli numbers."""
_RATIO = (-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432, 691 / 180224)
"""Of the expansion of log Gamma(x + 1/2) - log Gamma(x) - log(x) / 2 in odd powers of 1/x."""


def angle_variance(n: Any) -> Any:
    r"""Return the variance of the angle, around its mean of a right angle.

    .. math:: \operatorname{Var} \theta = \tfrac12 \psi'(n / 2) = \tfrac1n + \tfrac1{n^2} + \tfrac2{3 n^3} + \dots

    Parameters
    ----------
    n : number or array
        Dimensions: integers, at least 1.

    Returns
    -------
    float or array
        A float for a number; else an array, of the dtype of n if that is floating, else of float64.

    Raises
    ------
    OptionError
        If an n is below 1 or no integer.

    Notes
    -----
    :math:`1 / (n - 1)` is an upper bound within :math:`1 / 3 n^3`; :math:`1 / (n - 2)`, to which the article compares
    it, is further off. By integration by parts :math:`V_{n+2} = V_n - 2 / n^2`, and :math:`V_\infty = 0`.

    References
    ----------
    kexue.fm/archives/7076 (numbers).

    Examples
    --------
    >>> [round(angle_variance(n), 6) for n in (3, 10, 100, 1000)]
    [0.467401, 0.110661, 0.010101, 0.001001]
    """
    xp, (n_,), back = elementwise(n=n)
    require("n", "an integer of at least 1", (n_ >= 1) & (n_ == xp.floor(n_)), xp, n)
    # psi'(x) = sum of 1 / (x + j)^2, and its expansion from x + _SHIFT on
    x = 0.5 * n_
    y = 1 / (x + _SHIFT)
    series = xp.zeros_like(x)
    for b in reversed(_TRIGAMMA):
        series = (series + b) * (y * y)
    total = y + 0.5 * y * y + y * series
    for j in reversed(range(_SHIFT)):
        total = total + 1 / (x + j) / (x + j)
    return back(0.5 * total)


def angle_density(theta: Any, n: int) -> Any:
    r"""Return the density of the angle.

    Parameters
    ----------
    theta : number or array
        Radians; the density is 0 outside :math:`[0, \pi]`.
    n : int
        Dimensions, at least 2. In one dimension the angle is 0 or :math:`\pi`, which has no density.

    Returns
    -------
    float or array
        A float for a number, else an array of the dtype of the angles.

    Examples
    --------
    >>> round(math.pi * angle_density(1.0, 2), 12), angle_density(math.pi / 2, 3)
    (1.0, 0.5)
    """
    size = _size("angle_density", n)
    xp, (t,), back = elementwise(theta=theta)
    inside = (t >= 0) & (t <= math.pi)
    angle = xp.where(inside & (t > 0), t, math.pi / 2 * xp.ones_like(t))
    cosine, sine = xp.cos(angle), xp.sin(angle)
    # close to a right angle log sin t is lost in the rounding of sin t
    near = xp.abs(cosine) < 0.7
    log_sine = xp.where(near, 0.5 * xp.log1p(-xp.where(near, cosine * cosine, xp.zeros_like(t))), xp.log(sine))
    found = size * xp.exp((n - 2) * log_sine)
    end = size if n == 2 else 0.0
    found = xp.where(inside, xp.where(t > 0, found, end * xp.ones_like(t)), xp.zeros_like(t))
    return back(xp.where(xp.isnan(t), t, found))


def cosine_density(cosine: Any, n: int) -> Any:
    r"""Return the density of the cosine.

    .. math:: p(c) = \frac{\Gamma(n/2)}{\Gamma((n-1)/2) \sqrt\pi} (1 - c^2)^{(n-3)/2}

    Parameters
    ----------
    cosine : number or array
        The density is 0 outside [-1, 1]; at both ends it is infinite for n = 2.
    n : int
        Dimensions, at least 2.

    Returns
    -------
    float or array
        A float for a number, else an array of the dtype of the cosines.

    Examples
    --------
    >>> [cosine_density(0.9, 3), cosine_density(1.0, 2), cosine_density(1.0, 4)]
    [0.5, inf, 0.0]
    """
    size = _size("cosine_density", n)
    xp, (c,), back = elementwise(cosine=cosine)
    inside = xp.abs(c) < 1
    x = xp.where(inside, c, xp.zeros_like(c))
    found = size * xp.exp(0.5 * (n - 3) * (xp.log1p(-x) + xp.log1p(x)))
    end = math.inf if n == 2 else size if n == 3 else 0.0
    found = xp.where(inside, found, xp.where(xp.abs(c) == 1, end * xp.ones_like(c), xp.zeros_like(c)))
    return back(xp.where(xp.isnan(c), c, found))


def _size(owner: str, n: int) -> float:
    r"""Return :math:`\Gamma(n/2) / (\Gamma((n-1)/2) \sqrt\pi)`."""
    check_count(owner, "n", n, 2)
    if n < 30:
        size = 0.5 if n % 2 else 1 / math.pi
        for k in range(2 + n % 2, n, 2):
            size *= k / (k - 1)
        return size
    x = 0.5 * (n - 1)
    return math.sqrt(x / math.pi) * math.exp(sum(a * x ** -(2 * k + 1) for k, a in enumerate(_RATIO)))
