r"""How many dimensions embeddings need: the entropy :math:`h_n` of a tilted random direction, and the rule from it.

With :math:`\theta` the angle between random directions in n dimensions,

.. math:: h_n = \log E\, e^{n \cos \theta} - \frac{E\, n \cos \theta \, e^{n \cos \theta}}{E\, e^{n \cos \theta}},

          h_n = -\tfrac n2 \log \phi + \log \phi - \tfrac14 \log 5 + \tfrac1{\sqrt 5} - \tfrac35 + O(1/n),

:math:`\phi = (1 + \sqrt 5) / 2`. It is minus the KL divergence of the tilted law from the uniform one. N items that
predict each other by inner products need :math:`2 \log N + h_n < 0`, for large n :math:`n > c \log N` with
:math:`c = 4 / \log \phi`.
"""

import functools
import math
from typing import Any

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import elementwise, positive, require
from arrayopt.core.options import check_count

__all__ = ["EMBEDDING_CONSTANT", "EMBEDDING_RATE", "embedding_dimension", "embedding_entropy", "embedding_rule"]

_LOG_GOLDEN = math.log((1 + math.sqrt(5)) / 2)
EMBEDDING_RATE = -_LOG_GOLDEN / 2
"""The limit of h_n / n, -0.2406059."""
EMBEDDING_CONSTANT = 4 / _LOG_GOLDEN
"""c of the rule n > c log N, 8.3123487; the article's 8.33 is 2 / 0.24."""

_OFFSET = _LOG_GOLDEN - math.log(5) / 4 + 1 / math.sqrt(5) - 0.6
_LARGE = 1e9
"""From here on what the asymptotic expansion leaves out is below 1e-18 of h_n."""
_STEP, _END = 1 / 8, 37
"""The trapezoidal rule in t, u = sinh(t): from -4.6 to 4.6."""


def embedding_entropy(n: Any) -> Any:
    r"""Return :math:`h_n`.

    .. math:: h_n = \log\!\Big[\Gamma(\tfrac n2) (\tfrac 2n)^{n/2-1} I_{n/2-1}(n)\Big]
              - n \, \frac{I_{n/2}(n)}{I_{n/2-1}(n)}

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
    No Bessel function is needed, and nothing overflows: with :math:`\cos \theta = \tanh v` the integrals have
    :math:`\cosh^{1-n} v \, e^{n \tanh v}`, whose maximum is at :math:`\tanh v = c`, :math:`n (1 - c^2) = (n - 1) c`;
    they are taken around it, over their value there. Relative error about 1e-15.

    References
    ----------
    kexue.fm/archives/7695 (h_n), 8706 (the rule).

    Examples
    --------
    >>> [round(embedding_entropy(n), 4) for n in (32, 64, 128, 512)]
    [-7.7747, -15.4734, -30.8718, -123.2642]
    """
    xp, (n_,), back = elementwise(n=n)
    require("n", "an integer of at least 1", (n_ >= 1) & (n_ == xp.floor(n_)), xp, n)
    large, one = n_ > _LARGE, n_ == 1
    inside = xp.where(large | one, 2 * xp.ones_like(n_), n_)
    found = xp.where(large, EMBEDDING_RATE * n_ + _OFFSET, _by_quadrature(xp, inside))
    return back(xp.where(one, math.log(math.cosh(1)) - math.tanh(1) + xp.zeros_like(n_), found))


def _by_quadrature(xp: Namespace, n: Array) -> Array:
    """Return h_n for n from 2 to _LARGE."""
    c = 2 * n / ((n - 1) + xp.hypot(n - 1, 2 * n))
    width = 1 / xp.sqrt(n - 1)
    uniform, tilted, moment = (xp.zeros_like(n) for _ in range(3))
    for u, weight in _nodes():
        # v = c's artanh + d for the tilted law, d for the uniform one; what is linear in d cancels at the maximum
        d = u * width
        tanh, half = xp.tanh(d), xp.sinh(0.5 * d)
        shift = tanh / (1 + c * tanh)
        here = weight * xp.exp((n - 1) * (c * shift - xp.log1p(2 * half * half + c * xp.sinh(d))))
        tilted, moment = tilted + here, moment + here * shift
        uniform = uniform + weight * xp.exp((1 - n) * xp.log1p(2 * half * half))
    above = 0.5 * (n - 1) * xp.log((n - 1) / n * c)
    return above + xp.log(tilted / uniform) - (n - 1) * c * (moment / tilted)


@functools.cache
def _nodes() -> tuple[tuple[float, float], ...]:
    ts = [k * _STEP for k in range(-_END, _END + 1)]
    return tuple((math.sinh(t), math.cosh(t)) for t in ts)


def embedding_rule(n_items: Any, constant: float = EMBEDDING_CONSTANT) -> Any:
    r"""Return :math:`c \log N`, what the dimension has to exceed for large N.

    Parameters
    ----------
    n_items : number or array
        N, at least 1.
    constant : float
        c > 0.

    Examples
    --------
    >>> round(embedding_rule(100_000, 8.33), 1), round(embedding_rule(5_000_000, 8.33), 1)
    (95.9, 128.5)
    """
    xp, (n,), back = elementwise(n_items=n_items)
    require("n_items", "a number of at least 1", n >= 1, xp, n_items)
    return back(positive("constant", constant) * xp.log(n))


def embedding_dimension(n_items: int) -> int:
    r"""Return the least n with :math:`2 \log N + h_n < 0`.

    Parameters
    ----------
    n_items : int
        N, at least 1.

    Notes
    -----
    It is at most one above `embedding_rule`, and for large N the integer above that less 0.3.

    Examples
    --------
    >>> embedding_dimension(100_000), embedding_dimension(5_000_000)
    (96, 128)
    """
    check_count("embedding_dimension", "n_items", n_items)
    log = 2 * math.log(n_items)
    n = max(1, math.floor(log / -EMBEDDING_RATE) - 2)
    while log + embedding_entropy(n) >= 0:
        n += 1
    return n
