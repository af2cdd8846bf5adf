"""The smooth maximum, its gradient and the log of that, over all axes unless told otherwise."""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.core import logsumexp as core

Axis = core.Axis


def logsumexp(
    x: Array, axis: Axis = None, weights: Array | None = None, temperature: float = 1.0, *, keepdims: bool = False
) -> Array:
    r"""Return the smooth maximum :math:`\tau \log \sum_i w_i e^{x_i / \tau}`, over all axes by default as in SciPy.

    Parameters
    ----------
    x, axis, weights, temperature, keepdims
        As for `arrayopt.core.logsumexp.logsumexp`, which this is but for the default of the axis.

    Returns
    -------
    array
        In the dtype of x; of no axes by default.

    References
    ----------
    kexue.fm/archives/9070.

    Examples
    --------
    >>> x = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    >>> float(logsumexp(x))
    4.4401896...
    >>> logsumexp(x, axis=0, temperature=1e-3)
    array([3., 4.])
    """
    with np.errstate(over="ignore"):
        return core.logsumexp(x, axis=axis, weights=weights, temperature=temperature, keepdims=keepdims)


def softmax(x: Array, axis: Axis = None, weights: Array | None = None, temperature: float = 1.0) -> Array:
    r"""Return :math:`p_i \propto w_i e^{x_i / \tau}`, the gradient of `logsumexp`, over all axes by default.

    Parameters
    ----------
    x, axis, weights, temperature
        As for `arrayopt.core.logsumexp.softmax`, which this is but for the default of the axis.

    Examples
    --------
    >>> softmax(np.asarray([0.0, 0.0, -math.inf]), weights=np.asarray([1.0, 3.0, 1.0]))
    array([0.25, 0.75, 0.  ])
    """
    with np.errstate(over="ignore"):
        return core.softmax(x, axis=axis, weights=weights, temperature=temperature)


def log_softmax(x: Array, axis: Axis = None, weights: Array | None = None, temperature: float = 1.0) -> Array:
    r"""Return the log of `softmax`, also where that underflows or is 1 to rounding.

    .. math:: \log p_i = \log w_i + (x_i - \mathrm{LSE}) / \tau

    Parameters
    ----------
    x, axis, weights, temperature
        As for `softmax`.

    Returns
    -------
    array
        Of the shape of x, at most 0; -inf where `softmax` is 0 for want of weight or of a finite x.

    Notes
    -----
    A probability above 1/2 is taken from the sum of the others, :math:`\log p_i = \log(1 - \sum_{j \ne i} p_j)`, so
    that the log of one close to 1 is relatively exact.

    References
    ----------
    Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions, 2021.

    Examples
    --------
    >>> log_softmax(np.asarray([1000.0, 0.0]))
    array([    0., -1000.])
    >>> log_softmax(np.asarray([0.0, -50.0]))
    array([-1.92874985e-22, -5.00000000e+01])
    """
    with np.errstate(over="ignore", divide="ignore"):
        p = softmax(x, axis, weights, temperature)
        if x.size == 0:
            return p
        xp = namespace(x)
        y = x if temperature > 0 else -x
        lowest = -math.inf
        log_w: Any = 0.0
        if weights is not None:
            w = xp.astype(weights, x.dtype, copy=False) + xp.zeros_like(x)
            y, log_w = xp.where(w == 0, lowest, y), xp.log(w)
        axes = tuple(range(x.ndim)) if axis is None else axis
        top = xp.max(y, axis=axes, keepdims=True)
        endless = xp.isinf(top)
        gaps = xp.where(endless, lowest, y - xp.where(endless, 0.0, top))
        z = gaps / abs(float(temperature)) + log_w
        z = z - xp.where(endless, 0.0, logsumexp(z, axis, keepdims=True))
        likely = p > 0.5
        rest = xp.sum(xp.where(likely, 0.0, p), axis=axes, keepdims=True)
        z = xp.where(likely, xp.log1p(-xp.where(rest < 1, rest, 0.0)), z)
        return xp.where(endless, xp.log(p), z)
