r"""How second moments travel through deep networks, and what an initial standard deviation comes to.

A linear map of n inputs with independent entries of variance :math:`s^2` multiplies the second moment by
:math:`n s^2`; ReLU halves it.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.arguments import reals
from arrayopt.core.random import generator
from arrayopt.errors import OptionError
from arrayopt.theory.initialisation import scheme_std
from arrayopt.theory.residual import post_norm_weights
from arrayopt.theory.truncation import truncated_normal_std

__all__ = [
    "InitialScale",
    "gaussian_moment",
    "initial_scale",
    "ntk_linear",
    "random_stack",
    "second_moments",
    "selu_constants",
]

Activation = Literal["linear", "relu"]


def _gains(activation: str) -> float:
    if activation not in ("linear", "relu"):
        raise OptionError(f'activation: expected "linear" or "relu", got {activation!r}')
    return 1.0 if activation == "linear" else 0.5


def second_moments(
    widths: Sequence[int], stds: Sequence[float], *, activation: Activation = "linear", first: float = 1.0
) -> list[float]:
    r"""Return the expected second moments before the first layer and after each.

    .. math:: m_{t+1} = n s^2 m_t, \qquad \text{half of it with ReLU}

    Parameters
    ----------
    widths : sequence of l ints
        The number of inputs n of each layer.
    stds : sequence of l floats
        The real standard deviation s of the weights of each layer.
    activation : {"linear", "relu"}
        After each layer.
    first : float
        :math:`E[x_i^2]`.

    Examples
    --------
    >>> [round(m, 4) for m in second_moments([768, 768], [truncated_normal_std(0.02)] * 2)]
    [1.0, 0.2377, 0.0565]
    >>> second_moments([100, 50], [scheme_std("he", 100), scheme_std("he", 50)], activation="relu")
    [1.0, 1.0, 1.0]
    """
    if len(widths) != len(stds):
        raise OptionError(f"stds: expected one for each of the {len(widths)} layers, got {len(stds)}")
    gain, found = _gains(activation), [first]
    for n, s in zip(widths, stds, strict=True):
        found.append(found[-1] * (gain * n * s * s))
    return found


def random_stack(
    x: Array, widths: Sequence[int], stds: Sequence[float], *, activation: Activation = "linear", rng: Any = None
) -> list[float]:
    r"""Measure what `second_moments` expects, on one draw of normal weights.

    Parameters
    ----------
    x : array, shape (samples, n)
    widths : sequence of l ints
        The number of outputs of each layer.
    stds : sequence of l floats
    activation : {"linear", "relu"}
        After each layer.
    rng : seed or Generator, optional

    Returns
    -------
    list of float
        The mean of the squares of x and of each layer.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((100, 400))
    >>> [round(m, 1) for m in random_stack(x, [400, 400], [0.05, 0.05], rng=1)]
    [1.0, 1.0, 1.0]
    """
    xp, source = reals(x=x), generator(rng)
    _gains(activation)
    found = [float(xp.mean(x * x))]
    for n, s in zip(widths, stds, strict=True):
        W = xp.asarray(s * source.standard_normal((x.shape[-1], n)), dtype=x.dtype, device=x.device)
        x = x @ W
        x = xp.maximum(x, 0.0) if activation == "relu" else x
        found.append(float(xp.mean(x * x)))
    return found


def ntk_linear(x: Array, W: Array) -> Array:
    r"""Return a linear map in the NTK parametrisation, :math:`x W / \sqrt n`: the entries of W have variance 1.

    It is what LeCun's scheme makes of its weights; but gradients by W are smaller by :math:`\sqrt n`, so that a rate
    acts as one that is n times smaller there.

    Parameters
    ----------
    x : array, shape (..., n)
    W : array, shape (n, m)

    Examples
    --------
    >>> ntk_linear(np.ones(4), np.ones((4, 1)))
    array([2.])
    """
    reals(x=x, W=W)
    return (x @ W) / math.sqrt(x.shape[-1])


@dataclass(frozen=True)
class InitialScale:
    r"""What a nominal standard deviation of cut normal weights comes to.

    Parameters
    ----------
    nominal, real : float
        Standard deviations of the weights, before and after the cut at two nominal ones.
    xavier : float
        What Xavier's scheme would take for a square map, :math:`1 / \sqrt n`.
    ratio : float
        real / xavier.
    map_factor : float
        By what a linear map multiplies second moments, :math:`n \sigma_{real}^2`.
    branch_variance : float
        The variance of a branch of some such maps.
    shortcut : float
        The weight of x after all layers of Post-Norm with such branches.
    """

    nominal: float
    real: float
    xavier: float
    ratio: float
    map_factor: float
    branch_variance: float
    shortcut: float


def initial_scale(width: int = 768, nominal: float = 0.02, *, maps: int = 2, layers: int = 24) -> InitialScale:
    r"""Analyse why BERT starts from 0.02: branches so small that Post-Norm keeps near the identity.

    Parameters
    ----------
    width : int
        n.
    nominal : float
        Standard deviation before the cut at two of it.
    maps : int
        Linear maps in a branch.
    layers : int
        Residual sums, two for each layer of a Transformer.

    Notes
    -----
    The variance that the shortcut's weight depends on is that of the output of a branch, not of its weights: 0.0565
    for two maps, and with that after 24 sums a weight of 0.517, where branches of variance 1 would leave 0.00024.

    References
    ----------
    kexue.fm/archives/8747.

    Examples
    --------
    >>> found = initial_scale()
    >>> round(found.real, 7), round(found.map_factor, 5), round(found.branch_variance, 4), round(found.shortcut, 3)
    (0.0175925, 0.23769, 0.0565, 0.517)
    """
    real = truncated_normal_std(nominal)
    xavier = scheme_std("xavier", width, width)
    variance = second_moments([width] * maps, [real] * maps)[-1]
    return InitialScale(
        nominal,
        real,
        xavier,
        real / xavier,
        width * real * real,
        variance,
        post_norm_weights(layers, variance)[0],
    )


def gaussian_moment(f: Callable[[np.ndarray], np.ndarray], power: int = 2) -> float:
    r"""Return :math:`E[f(z)^k]` for standard normal z, by the trapezoidal rule, exact to rounding for smooth f.

    Parameters
    ----------
    f : callable
        Of NumPy arrays, analytic near the real line; a kink costs accuracy.
    power : int
        k.

    Examples
    --------
    >>> sigmoid = lambda z: 1 / (1 + np.exp(-z))
    >>> round(gaussian_moment(sigmoid), 7), round(gaussian_moment(sigmoid) ** 0.5, 4)
    (0.293379, 0.5416)
    """
    step = 1 / 16
    z = step * np.arange(-38 * 16, 38 * 16 + 1)
    return float(np.sum(f(z) ** power * np.exp(-0.5 * z * z))) * step / math.sqrt(2 * math.pi)


@functools.cache
def selu_constants() -> tuple[float, float]:
    r"""Return the :math:`\lambda, \alpha` for which SELU of a standard normal number has mean 0 and second moment 1.

    .. math:: \mathrm{selu}(z) = \lambda \begin{cases} z & z > 0 \\ \alpha (e^z - 1) & \text{else} \end{cases}

    References
    ----------
    arXiv 1706.02515.

    Examples
    --------
    >>> [round(x, 10) for x in selu_constants()]
    [1.0507009874, 1.6732632424]
    """

    def below(x: float) -> float:  # the normal distribution function of -x
        return 0.5 * math.erfc(x / math.sqrt(2))

    first = math.exp(0.5) * below(1)  # E[e^z; z < 0]
    second = math.exp(2) * below(2)  # E[e^(2z); z < 0]
    alpha = 1 / math.sqrt(2 * math.pi) / (0.5 - first)
    return 1 / math.sqrt(0.5 + alpha * alpha * (second - 2 * first + 0.5)), alpha
