r"""A smooth floor: the sum of smoothed steps at integers, cut off at two ends, and its Fourier series without ends."""

import math
from typing import Any

import numpy as np

from arrayopt.errors import OptionError
from arrayopt.smooth.arguments import enter
from arrayopt.smooth.kernel import Kernel
from arrayopt.smooth.mollifiers import mollify
from arrayopt.smooth.piecewise import staircase

MOST = 100_000
"""Terms of the series that are summed without being asked for."""


def smooth_floor(x: Any, kernel: Kernel, first: int = -5, last: int = 10) -> Any:
    r"""Return a floor smoothed by a kernel, between two ends.

    .. math:: \mathit{first} - 1 + \sum_{n = \mathit{first}}^{\mathit{last}} \Phi(x - n)

    with the distribution function :math:`\Phi` of the kernel; in the article's letters first = -M and last = N.

    Parameters
    ----------
    x : number or array
        A number gives a float, an array one of its dtype.
    kernel : Kernel
        Of a scale below 1/2 or so, or else there is not much left of the steps.
    first, last : int
        The first and the last step. The article's example has -5 and 10, with ``Logistic(0.1)``.

    Returns
    -------
    float or array
        Increasing; first - 1 and last at the infinities. At an integer k well between the ends it is k - 1/2, not k.

    Raises
    ------
    OptionError
        If first > last.

    References
    ----------
    kexue.fm/archives/8718.

    Examples
    --------
    >>> from arrayopt.smooth import Logistic
    >>> [round(smooth_floor(x, Logistic(0.1)), 6) for x in (2.5, 3.0, -99.0, 99.0)]
    [2.0, 2.5, -6.0, 10.0]
    """
    return mollify(staircase(first, last), x, kernel)


def floor_series(x: Any, kernel: Kernel, terms: int | None = None) -> Any:
    r"""Return the floor smoothed by a kernel, without ends, from its Fourier series.

    .. math:: x - \frac12 + \sum_{k \ge 1} \frac{\sin 2 \pi k x}{\pi k} \hat\phi(k)

    Parameters
    ----------
    x : number or array
        A number gives a float, an array one of its dtype.
    kernel : Kernel
        By its Fourier transform :math:`\hat\phi`. For the kernels without a first moment, the identity is smoothed to
        itself, by symmetry.
    terms : int, optional
        By default as many as matter in float64: of the order of 1 / scale.

    Raises
    ------
    OptionError
        If `terms` is negative, or left out for a kernel so narrow that more than 100,000 would matter.

    References
    ----------
    kexue.fm/archives/8718.

    Examples
    --------
    >>> from arrayopt.smooth import Gaussian
    >>> [round(floor_series(x, Gaussian(0.1)), 6) for x in (2.5, 2.9, 3.0)]
    [2.0, 2.158655, 2.5]
    """
    weights = _weights(kernel, terms)
    xp, x, back = enter(x)
    endless = xp.isinf(x)
    inside = xp.where(endless, 0.0, x)
    angle = 2 * math.pi * (inside - xp.round(inside))
    total = xp.zeros_like(x)
    for k, weight in reversed(list(enumerate(weights, start=1))):
        total = total + weight * xp.sin(k * angle)
    return back((x - 0.5) + total)


def _weights(kernel: Kernel, terms: int | None) -> list[float]:
    if terms is not None:
        if terms < 0:
            raise OptionError(f"terms: expected an integer >= 0, got {terms!r}")
        return [kernel.transform(k) / (math.pi * k) for k in range(1, terms + 1)]
    found: list[float] = []
    while True:
        weight = kernel.transform(len(found) + 1) / (math.pi * (len(found) + 1))
        if weight < np.finfo(np.float64).eps / 64:
            return found
        if len(found) == MOST:
            raise OptionError(
                f"terms: expected a number of them for so narrow a kernel, {kernel}, of which more than {MOST} matter; "
                "smooth_floor has no such limit"
            )
        found.append(weight)
