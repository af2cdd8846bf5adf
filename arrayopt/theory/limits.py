"""Limits from the first members of a sequence: Richardson's acceleration, and the order at which it converges."""

import itertools
import math
from collections.abc import Sequence

from arrayopt.backend import Array
from arrayopt.core.arguments import reals
from arrayopt.errors import OptionError

__all__ = ["convergence_orders", "extrapolate", "richardson"]


def richardson(values: Array, *, ratio: float = 2.0, orders: Sequence[float] | None = None, axis: int = -1) -> Array:
    r"""Return the table of Richardson's acceleration: its diagonal, every entry with one more order removed.

    For :math:`A_j = A + c_1 n_j^{-k_1} + c_2 n_j^{-k_2} + \dots` at :math:`n_j = n_0 r^j`,

    .. math:: A_j^{(m)} = \frac{r^{k_m} A_{j+1}^{(m-1)} - A_j^{(m-1)}}{r^{k_m} - 1}

    Parameters
    ----------
    values : array
        :math:`A_0, \dots, A_J` along an axis, at least one.
    ratio : float
        r > 1.
    orders : sequence of float, optional
        :math:`0 < k_1 < k_2 < \dots`, at least J of them; 1, 2, ... by default.
    axis : int
        That of the sequence.

    Returns
    -------
    array
        Of the shape of `values`: entry m is :math:`A_{J-m}^{(m)}`, from the last m + 1 values. The last entry is the
        limit as far as it is known, and its difference from the one before an estimate of the error.

    Raises
    ------
    OptionError
        If there is no value, or ratio and orders are not as above.

    References
    ----------
    Richardson, The approximate arithmetical solution by finite differences, 1911.

    Examples
    --------
    >>> import numpy as np
    >>> n = 2.0 ** np.arange(8)
    >>> round(float(richardson((1 + 1 / n) ** n)[-1] - np.e), 8)
    -0.0
    """
    xp = reals(values=values)
    axis = axis % max(values.ndim, 1)
    count = values.shape[axis] if values.ndim else 0
    ks = list(range(1, count)) if orders is None else list(orders)[: max(count - 1, 0)]
    rising = all(a < b for a, b in zip([0, *ks], ks, strict=False))
    if count < 1 or not 1 < ratio < math.inf or len(ks) != count - 1 or not rising:
        raise OptionError(
            f"values, ratio, orders: expected at least one value, a ratio > 1 and {max(count - 1, 0)} rising orders "
            f"above 0, got {count}, {ratio!r} and {orders!r}"
        )
    row = [xp.take(values, xp.asarray([j], device=values.device), axis=axis) for j in range(count)]
    diagonal = [row[-1]]
    for k in ks:
        over = 1 / (ratio**k - 1)  # as a correction, so that constants stay what they are
        row = [b + (b - a) * over for a, b in itertools.pairwise(row)]
        diagonal.append(row[-1])
    return xp.concat(diagonal, axis=axis)


def extrapolate(h: Array, values: Array) -> Array:
    r"""Return the value at 0 of the polynomial through points, by Neville's scheme.

    .. math:: P_{i..j}(0) = \frac{h_i P_{i+1..j}(0) - h_j P_{i..j-1}(0)}{h_i - h_j}

    Parameters
    ----------
    h : array, shape (J,)
        Different numbers, usually 1/n or a step length, or their squares.
    values : array, shape (..., J)

    Returns
    -------
    array, shape (...)

    Examples
    --------
    >>> import numpy as np
    >>> h = np.asarray([1.0, 0.5, 0.25])
    >>> float(extrapolate(h, 7 + 3 * h - 2 * h * h))
    7.0
    """
    reals(h=h, values=values)
    if h.ndim != 1 or values.ndim < 1 or h.shape[0] != values.shape[-1] or h.shape[0] < 1:
        raise OptionError(f"h: expected as many nodes as values, got {tuple(h.shape)} and {tuple(values.shape)}")
    nodes = [h[i] for i in range(h.shape[0])]
    row = [values[..., i] for i in range(h.shape[0])]
    for m in range(1, len(nodes)):
        row = [
            row[i + 1] + (row[i + 1] - row[i]) * (nodes[i + m] / (nodes[i] - nodes[i + m])) for i in range(len(row) - 1)
        ]
    return row[0]


def convergence_orders(errors: Array, *, ratio: float = 2.0) -> Array:
    r"""Return the orders at which errors fall, :math:`\log(|e_j| / |e_{j+1}|) / \log r`.

    Parameters
    ----------
    errors : array, shape (..., J)
        At parameters that grow (or step lengths that fall) by the factor r from one to the next.
    ratio : float
        r > 1.

    Returns
    -------
    array, shape (..., J - 1)

    Examples
    --------
    >>> import numpy as np
    >>> convergence_orders(np.asarray([8.0, 2.0, 0.5]))
    array([2., 2.])
    """
    xp = reals(errors=errors)
    logs = xp.log(xp.abs(errors))
    return (logs[..., :-1] - logs[..., 1:]) / math.log(ratio)
