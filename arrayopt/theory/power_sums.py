r"""The sum :math:`S_n = \sum_{k=1}^n (k/n)^n`, which rises to :math:`e / (e - 1)`, and how fast.

.. math:: S_n = \sum_{i=0}^{n-1} \left(1 - \frac in\right)^n, \qquad \left(1 - \frac in\right)^n \nearrow e^{-i}, \qquad
          n \left(\frac{e}{e-1} - S_n\right) \to \frac{e (e + 1)}{2 (e - 1)^3}

Every term is at most :math:`e^{-i}`, so that some forty of them are all, for any n. The functions take and give
numbers, or arrays of any library; they compute in float64, and +inf stands for the limit.
"""

import functools
import math
from typing import Any

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import elementwise, require

__all__ = [
    "POWER_SUM_LIMIT",
    "POWER_SUM_RATE",
    "log_bound_end",
    "power_sum",
    "power_sum_gap",
    "power_sum_richardson",
    "power_sum_term",
]

POWER_SUM_LIMIT = math.e / (math.e - 1)
"""The limit of S_n, which no S_n reaches."""
POWER_SUM_RATE = math.e * (math.e + 1) / (2 * (math.e - 1) ** 3)
"""The limit of n (limit - S_n)."""

_TERMS = 56
"""Terms that are not negligible beside the gap: i^2 exp(-i) is below 1e-20 from there on."""


def power_sum_term(n: Any, i: int) -> Any:
    r"""Return :math:`(1 - i/n)^n` as :math:`\exp(n \log(1 - i/n))`, and 0 for i >= n.

    Parameters
    ----------
    n : number or array
        Integers, at least 1.
    i : int
        At least 0.

    Examples
    --------
    >>> power_sum_term(2, 1), round(power_sum_term(10**9, 1) * math.e, 6)
    (0.25, 1.0)
    """
    xp, values, back = _read(n)
    return back(_term(xp, values, i))


def power_sum(n: Any) -> Any:
    r"""Return :math:`S_n = (1^n + 2^n + \dots + n^n) / n^n`.

    Parameters
    ----------
    n : number or array
        Integers, at least 1. Powers as they stand overflow from n = 143 on; these do not.

    Returns
    -------
    float or array
        A float for a number; else an array, of the dtype of n if that is floating, else of float64.

    Raises
    ------
    OptionError
        If an n is below 1 or no integer.

    References
    ----------
    kexue.fm/archives/3256; the rate is derived here.

    Examples
    --------
    >>> power_sum(1), power_sum(2), round(power_sum(100), 10), power_sum(10**9) < POWER_SUM_LIMIT
    (1.0, 1.25, 1.5721140664, True)
    """
    xp, values, back = _read(n)
    total = 0.0 * values
    for i in reversed(range(_TERMS)):
        total = total + _term(xp, values, i)
    return back(total)


def power_sum_gap(n: Any) -> Any:
    r"""Return :math:`e / (e - 1) - S_n`, without the cancellation of that difference.

    Parameters
    ----------
    n : number or array
        As for `power_sum`.

    Examples
    --------
    >>> round(10**9 * power_sum_gap(10**9) - POWER_SUM_RATE, 8)
    -0.0
    """
    xp, values, back = _read(n)
    total = 0.0 * values
    for i in reversed(range(1, _TERMS)):
        here = i < values
        x = i / xp.where(here, values, i + xp.ones_like(values))
        # n (log(1 - x) + x), by its series where the two would cancel
        series = 0.0 * x
        for k in reversed(range(2, 32)):
            series = series * x + 1 / k
        small = xp.where(x < 0.25, x, 0.25 * xp.ones_like(x))
        exponent = xp.where(x < 0.25, -i * small * series, values * (xp.log1p(-x) + x))
        total = total + math.exp(-i) * xp.where(here, -xp.expm1(exponent), xp.ones_like(x))
    return back(total)


def power_sum_richardson(n: Any) -> Any:
    r"""Return :math:`S_n` plus the rate over n, which is within O(1 / n^2) of the limit.

    Parameters
    ----------
    n : number or array
        As for `power_sum`.

    Examples
    --------
    >>> abs(power_sum_richardson(1000) - POWER_SUM_LIMIT) < 1e-6
    True
    """
    xp, values, back = _read(n)
    total = POWER_SUM_RATE / values
    for i in reversed(range(_TERMS)):
        total = total + _term(xp, values, i)
    return back(total)


@functools.cache
def log_bound_end() -> float:
    r"""Return the x up to which :math:`\log(1 - x) \ge -x - x^2`, the tool of the lower bound.

    Examples
    --------
    >>> round(log_bound_end(), 7)
    0.6838026
    """
    low, high = 0.5, 0.9
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if math.log1p(-middle) + middle + middle * middle >= 0 else (low, middle)
    return low


def _term(xp: Namespace, n: Array, i: int) -> Array:
    here = i < n
    x = xp.where(here, i / n, xp.zeros_like(n))
    return xp.where(here, xp.exp(n * xp.log1p(-x)), xp.zeros_like(n))


def _read(n: Any) -> tuple[Namespace, Array, Any]:
    xp, (values,), back = elementwise(n=n)
    require("n", "an integer of at least 1", (values >= 1) & (values == xp.floor(values)), xp, n)
    return xp, xp.minimum(values, 1e300), back
