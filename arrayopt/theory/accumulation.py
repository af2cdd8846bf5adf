r"""Gradient accumulation hidden in momentum: no gradient is stored but in the running mean.

Over micro-steps t = 1, 2, ... of batches of k,

.. math:: m_t = [(\beta - 1) \chi_{(t-1)/k} + 1] \, m_{t-1} + \frac{1 - \beta}{k} g_t,

with :math:`\chi_i = 1` for integers i and 0 else, is after every k steps the running mean of the means of k gradients:
exactly, and without a buffer of its own. For the second moment of Adam it takes the mean of squares for the square of
the mean, which is never smaller.
"""

import math

from arrayopt.backend import Array
from arrayopt.core.arguments import reals
from arrayopt.errors import OptionError

__all__ = ["accumulated_momentum", "hidden_momentum", "spread_decay", "spread_gap"]


def _check(k: int, beta: float) -> None:
    if k < 1 or not 0 <= beta < 1:
        raise OptionError(f"k, beta: expected a batch of at least 1 and a beta in [0, 1), got {k!r} and {beta!r}")


def hidden_momentum(gradients: Array, k: int, beta: float, *, power: int = 1) -> Array:
    r"""Return the running mean after every k micro-steps, of the recursion that takes one gradient at a time.

    Parameters
    ----------
    gradients : array, shape (steps, ...)
        steps a multiple of k.
    k : int
        At least 1.
    beta : float
        In [0, 1).
    power : int
        1 for m, 2 for v: the gradients are raised to it.

    Returns
    -------
    array, shape (steps / k, ...)

    References
    ----------
    kexue.fm/archives/8634.

    Examples
    --------
    >>> import numpy as np
    >>> hidden_momentum(np.asarray([1.0, 3.0, 5.0, 7.0]), 2, 0.5)
    array([1. , 3.5])
    """
    xp = reals(gradients=gradients)
    _check(k, beta)
    _multiple(gradients, k)
    m, found = gradients[0, ...] * 0, []
    for t in range(1, gradients.shape[0] + 1):
        m = (beta if (t - 1) % k == 0 else 1.0) * m + ((1 - beta) / k) * gradients[t - 1, ...] ** power
        if t % k == 0:
            found.append(m)
    return xp.stack(found)


def accumulated_momentum(gradients: Array, k: int, beta: float, *, power: int = 1) -> Array:
    r"""Return the running mean of powers of the means of k gradients: what `hidden_momentum` is, for the power 1.

    .. math:: m_s = \beta m_{s-1} + (1 - \beta) \bar g_s^{\text{power}}

    Parameters
    ----------
    gradients, k, beta, power
        As for `hidden_momentum`.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.asarray([1.0, -1.0])
    >>> accumulated_momentum(g, 2, 0.5, power=2), hidden_momentum(g, 2, 0.5, power=2)
    (array([0.]), array([0.5]))
    """
    xp = reals(gradients=gradients)
    _check(k, beta)
    _multiple(gradients, k)
    m, found = gradients[0, ...] * 0, []
    for s in range(gradients.shape[0] // k):
        m = beta * m + (1 - beta) * xp.mean(gradients[s * k : (s + 1) * k, ...], axis=0) ** power
        found.append(m)
    return xp.stack(found)


def _multiple(gradients: Array, k: int) -> None:
    if gradients.ndim < 1 or gradients.shape[0] < k or gradients.shape[0] % k:
        raise OptionError(f"gradients: expected a multiple of k = {k} of them, got the shape {tuple(gradients.shape)}")


def spread_decay(beta: float, k: int) -> float:
    r"""Return the decay rate that approximates accumulation by momentum at every step, :math:`1 - (1 - \beta) / k`.

    Examples
    --------
    >>> spread_decay(0.9, 4)
    0.975
    """
    _check(k, beta)
    return 1 - (1 - beta) / k


def spread_gap(beta: float, k: int) -> float:
    r"""Return by how much k steps of `spread_decay` decay less than :math:`\beta`.

    .. math:: \left(1 - \frac{1 - \beta}{k}\right)^k - \beta \ge 0, \qquad
              \approx \frac{k - 1}{2 k} (1 - \beta)^2

    Notes
    -----
    With :math:`x = 1 - \beta` the binomial theorem gives terms that alternate from :math:`x^2` on: summed for small x,
    where the difference would cancel.

    Examples
    --------
    >>> [round(spread_gap(0.9, k), 6) for k in (1, 2, 4, 16)]
    [0.0, 0.0025, 0.003688, 0.004554]
    """
    _check(k, beta)
    if k == 1:
        return 0.0
    x = 1 - beta
    if x > 0.5:
        return math.exp(k * math.log1p(-x / k)) - beta
    term, parts = -x, []
    for j in range(2, min(k, 60) + 1):
        term *= -(k - j + 1) / k * x / j
        parts.append(term)
    return math.fsum(parts)
