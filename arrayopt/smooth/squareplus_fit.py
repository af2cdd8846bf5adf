"""Which b makes SquarePlus an upper bound of softplus, and which one the best approximation."""

import math
from typing import NamedTuple

from arrayopt.core.arguments import positive


class Fit(NamedTuple):
    """SquarePlus nearest to softplus: its b, the greatest error, and the x > 0 at which, besides 0, it is attained."""

    b: float
    error: float
    at: float


def squareplus_bound(temperature: float = 1.0) -> float:
    r"""Return the least b for which SquarePlus is nowhere below softplus.

    .. math:: \max_x 4 \, \mathrm{softplus}(x) \, \mathrm{softplus}(-x) = 4 \tau^2 \log^2 2

    Parameters
    ----------
    temperature : float
        :math:`\tau > 0` of softplus.

    Notes
    -----
    With f = softplus(x), f - x = softplus(-x), and :math:`\sqrt{x^2 + b} \ge 2f - x` is :math:`b \ge 4 f (f - x)`. The
    logarithm of softplus is concave, so that the product is greatest at 0. No b > 0 makes SquarePlus a lower bound: its
    tail b / 4\|x| is above that of softplus.

    References
    ----------
    kexue.fm/archives/8833.

    Examples
    --------
    >>> squareplus_bound()
    1.9218120556728056
    """
    return (2 * positive("temperature", temperature) * math.log(2)) ** 2


def squareplus_minimax(temperature: float = 1.0) -> Fit:
    r"""Return the b for which the greatest error of SquarePlus as an approximation of softplus is least.

    Parameters
    ----------
    temperature : float
        :math:`\tau > 0` of softplus.

    Returns
    -------
    Fit
        b, the error and where; proportional to :math:`\tau^2`, :math:`\tau` and :math:`\tau`.

    Notes
    -----
    The difference is even. It is least at 0, :math:`\sqrt b / 2 - \log 2`, and greatest where the slopes are equal,
    :math:`x / \sqrt{x^2 + b} = \tanh(x/2)`, so :math:`\sqrt b = x / \sinh(x/2)`. That the two are opposite is one
    equation, whose left side falls with x:

    .. math:: \frac{x}{e^x - 1} - \log(1 + e^{-x}) + \frac{x}{2 \sinh(x/2)} = \log 2

    References
    ----------
    kexue.fm/archives/8833.

    Examples
    --------
    >>> squareplus_minimax()
    Fit(b=1.52382103251..., error=0.075931449936..., at=3.5646210...)
    """
    tau = positive("temperature", temperature)

    def excess(x: float) -> float:
        return x / math.expm1(x) - math.log1p(math.exp(-x)) + x / (2 * math.sinh(x / 2)) - math.log(2)

    low, high = 1.0, 8.0
    while low < (x := 0.5 * (low + high)) < high:
        low, high = (x, high) if excess(x) > 0 else (low, x)
    root = low / math.sinh(low / 2)
    return Fit(tau * tau * root * root, tau * (math.log(2) - root / 2), tau * low)
