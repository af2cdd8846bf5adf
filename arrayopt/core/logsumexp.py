"""The log of a sum of exponentials, and the weights that are its gradient: no exponential ever overflows."""

import math

import numpy as np

from arrayopt.backend import Array, Namespace, namespace
from arrayopt.core.arguments import reals
from arrayopt.errors import OptionError

Axis = int | tuple[int, ...] | None


def logsumexp(
    x: Array, *, axis: Axis = -1, weights: Array | None = None, temperature: float = 1.0, keepdims: bool = False
) -> Array:
    r"""Return the log of a sum of exponentials along an axis.

    .. math:: \tau \log \sum_i w_i e^{x_i / \tau}

    Parameters
    ----------
    x : array
        Real floating-point numbers.
    axis : int, tuple of int or None
        None takes all axes.
    weights : array, optional
        :math:`w_i \ge 0`, of a shape that broadcasts to that of x; 1 by default. Where one is 0, x does not matter, not
        even NaN.
    temperature : float
        :math:`\tau`, finite and not 0. The result tends to the greatest x as it falls to 0 from above; below 0 it is a
        smooth minimum.
    keepdims : bool
        Keep the axes, with one element each.

    Returns
    -------
    array
        In the dtype of x. An x of +inf gives +inf; all -inf give -inf, as does an empty sum (signs reversed for
        :math:`\tau < 0`); NaN gives NaN.

    Raises
    ------
    OptionError
        If the temperature is 0 or not finite.
    LeafError
        If x is no array of real floating-point numbers.

    Notes
    -----
    With :math:`m = \max x`, :math:`m + \tau \log \sum w_i e^{(x_i - m) / \tau}`. For :math:`\tau > 0`,
    :math:`\max x \le \tau \log \sum e^{x_i / \tau} \le \max x + \tau \log n`.

    References
    ----------
    Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions, 2021. archive 9070.

    Examples
    --------
    >>> import numpy as np
    >>> float(logsumexp(np.array([1000.0, 1000.0]))) - 1000
    0.693147180...
    >>> float(logsumexp(np.array([-math.inf, -math.inf])))
    -inf
    """
    xp, axes = _namespace(x, weights, temperature), _axes(x, axis)
    if any(x.shape[a] == 0 for a in axes):
        result = xp.sum(x, axis=axes, keepdims=True) - math.copysign(math.inf, temperature)
    else:
        top, at_top, parts = _parts(xp, x, axes, weights, temperature)
        greatest = xp.sum(xp.where(at_top, parts, xp.zeros_like(parts)), axis=axes, keepdims=True)
        others = xp.sum(xp.where(at_top, xp.zeros_like(parts), parts), axis=axes, keepdims=True)
        greatest = xp.where(greatest == 0, xp.ones_like(greatest), greatest)
        less = others < greatest
        part = xp.where(less, others, xp.zeros_like(others)) / greatest
        # log1p, so that what is small beside the greatest still counts; not where weights make it large
        logs = xp.where(less, xp.log(greatest) + xp.log1p(part), xp.log(greatest + others))
        result = math.copysign(1.0, temperature) * top + temperature * logs
    return result if keepdims else xp.squeeze(result, axis=axes)


def softmax(x: Array, *, axis: Axis = -1, weights: Array | None = None, temperature: float = 1.0) -> Array:
    r"""Return weights in proportion to exponentials, with sum 1 along an axis: the gradient of `logsumexp`.

    .. math:: p_i = w_i e^{x_i / \tau} \Big/ \sum_j w_j e^{x_j / \tau}

    Parameters
    ----------
    x, axis, weights, temperature
        As for `logsumexp`.

    Returns
    -------
    array
        Of the shape of x. Elements of +inf share the whole among themselves, by `weights`. Where there is nothing to
        share, since all are -inf or have no weight, all are 0: so a weighted sum is 0 and no NaN arises.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([0.0, math.log(3.0), -math.inf]))
    array([0.25, 0.75, 0.  ])
    >>> softmax(np.array([math.inf, 0.0, math.inf]))
    array([0.5, 0. , 0.5])
    """
    xp, axes = _namespace(x, weights, temperature), _axes(x, axis)
    if any(x.shape[a] == 0 for a in axes):
        return x
    _, _, parts = _parts(xp, x, axes, weights, temperature)
    total = xp.sum(parts, axis=axes, keepdims=True)
    return parts / xp.where(total == 0, xp.ones_like(total), total)


def _namespace(x: Array, weights: Array | None, temperature: float) -> Namespace:
    if not (math.isfinite(temperature) and temperature != 0):
        raise OptionError(f"temperature: expected a finite number other than 0, got {temperature!r}")
    reals(x=x)
    return namespace(x) if weights is None else namespace(x, weights)


def _axes(x: Array, axis: Axis) -> tuple[int, ...]:
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    if not all(-x.ndim <= a < x.ndim for a in axes):
        raise OptionError(f"axis: expected axes of an array of {x.ndim}, got {axis!r}")
    return tuple(a % x.ndim for a in axes)


def _parts(
    xp: Namespace, x: Array, axes: tuple[int, ...], weights: Array | None, temperature: float
) -> tuple[Array, Array, Array]:
    """Return the greatest x (of -x at negative temperature) with a weight, where it is, and weighted exponentials.

    Those are of (x - greatest) / temperature.
    """
    x = x if temperature > 0 else -x
    w = None if weights is None else xp.astype(weights, x.dtype, copy=False)
    lowest = xp.full_like(x, -math.inf)
    if w is not None:
        x = xp.where(w == 0, lowest, x)
    top = xp.max(x, axis=axes, keepdims=True)
    endless = xp.isinf(top)
    # x less its greatest; where that is +inf, only those that are +inf, too, have a part, and all the same
    whole = xp.where(x == math.inf, xp.zeros_like(x), lowest)
    with np.errstate(over="ignore"):
        y = xp.where(endless, whole, x - xp.where(endless, xp.zeros_like(top), top))
    parts = xp.exp(y / abs(float(temperature)))
    return top, y == 0, parts if w is None else w * parts
