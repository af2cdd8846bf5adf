r"""The ReLU smoothed by a kernel: softplus, SquarePlus and the Gaussian ReLU.

Each is :math:`\max(x, 0) + s H_1(-|x| / s)`, with H_1 of the kernel (`arrayopt.smooth.kernel`) and s its scale.
"""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, Namespace, is_array
from arrayopt.errors import OptionError
from arrayopt.smooth.arguments import enter_scaled, within
from arrayopt.smooth.gaussian import Gaussian
from arrayopt.smooth.kernel import Kernel
from arrayopt.smooth.logistic import Logistic
from arrayopt.smooth.student import StudentT2


@np.errstate(over="ignore")
def softplus(x: Any, temperature: Any = 1.0) -> Any:
    r"""Return the ReLU smoothed by a logistic kernel.

    .. math:: \tau \log(1 + e^{x / \tau}) = \frac1t \log(1 + e^{tx}), \qquad \tau = 1/t

    It is the `logsumexp` of 0 and x at that temperature, and at most :math:`\tau \log 2` above the ReLU, at 0.

    Parameters
    ----------
    x : number or array
        A number gives a float, an array one of its dtype.
    temperature : number or array
        :math:`\tau > 0`, the inverse of the sharpness t; an array broadcasts with x, and is not checked.

    Raises
    ------
    OptionError
        If a temperature that is a number is not finite and positive.
    LeafError
        If an argument is neither a number nor an array of real floating-point numbers.

    Notes
    -----
    Relatively exact wherever the result is a normal number; no exponential overflows.

    References
    ----------
    kexue.fm/archives/8718.

    Examples
    --------
    >>> softplus(0.0), softplus(-700.0), softplus(1e308)
    (0.69314718..., 9.859676543...e-305, 1e+308)
    """
    xp, x, scale, back = enter_scaled(x, temperature, "temperature")
    return back(_ramp(xp, x, scale, Logistic))


@np.errstate(over="ignore")
def gaussian_relu(x: Any, sigma: Any = 1.0) -> Any:
    r"""Return the ReLU smoothed by a Gaussian kernel.

    .. math:: x \Phi(x / \sigma) + \sigma \phi(x / \sigma)
              = \tfrac12 \left[x \, \mathrm{erf}\frac{x}{\sqrt2 \sigma} + x
              + \sqrt{\tfrac2\pi} \, \sigma e^{-x^2 / 2 \sigma^2}\right]

    with :math:`\Phi` and :math:`\phi` of the standard normal distribution. It is at most :math:`\sigma / \sqrt{2 \pi}`
    above the ReLU, at 0.

    Parameters
    ----------
    x : number or array
        A number gives a float, an array one of its dtype.
    sigma : number or array
        :math:`\sigma > 0`; an array broadcasts with x, and is not checked.

    Raises
    ------
    BackendError
        If the library has no erfcx: NumPy (by SciPy), CuPy, PyTorch and JAX have one.
    OptionError, LeafError
        As for `softplus`.

    Notes
    -----
    As printed the terms cancel for x below 0: at -10 no digit is left. Here the relative error is below 2e-15.

    References
    ----------
    kexue.fm/archives/8718.

    Examples
    --------
    >>> gaussian_relu(0.0), gaussian_relu(-10.0)
    (0.39894228..., 7.4745602...e-25)
    """
    xp, x, scale, back = enter_scaled(x, sigma, "sigma")
    return back(_ramp(xp, x, scale, Gaussian))


@np.errstate(over="ignore")
def squareplus(x: Any, b: Any) -> Any:
    r"""Return SquarePlus, the ReLU smoothed by a Student kernel with two degrees of freedom.

    .. math:: \tfrac12 \left(x + \sqrt{x^2 + b}\right) = \max(x, 0) + \frac{b}{2 (\sqrt{x^2 + b} + |x|)}

    The second form neither cancels for x below 0 nor overflows. It is at most :math:`\sqrt b / 2` above the ReLU, at 0.

    Parameters
    ----------
    x : number or array
        A number gives a float, an array one of its dtype.
    b : number or array
        At least 0, which gives the ReLU; an array broadcasts with x, and is not checked. `squareplus_bound` and
        `squareplus_minimax` compute two that go with softplus.

    Raises
    ------
    OptionError
        If a number b is not finite or below 0.
    LeafError
        As for `softplus`.

    References
    ----------
    Barron 2021, arXiv 2112.11687; kexue.fm/archives/8833.

    Examples
    --------
    >>> squareplus(1.5, 4.0), squareplus(-1e200, 4.0), squareplus(1e308, 4.0)
    (2.0, 1e-200, 1e+308)
    """
    xp, x, b, back = enter_scaled(x, b, "b", zero=True)
    scale = b**0.5
    return back(xp.maximum(x, 0.0) + scale * StudentT2.tails(xp, _below(xp, x, scale), 1)[1])


@np.errstate(over="ignore")
def squareplus_derivative(x: Any, b: Any, order: int = 1) -> Any:
    r"""Return the first or second derivative of SquarePlus.

    .. math:: \tfrac12 \left(1 + \frac{x}{\sqrt{x^2 + b}}\right), \qquad \frac{b}{2 (x^2 + b)^{3/2}}

    Parameters
    ----------
    x, b
        As for `squareplus`.
    order : {1, 2}

    Returns
    -------
    float or array
        Relatively exact where it is small. For b = 0 and x = 0 they are 1/2 and inf.

    Raises
    ------
    OptionError, LeafError
        As for `squareplus`, or if the order is neither 1 nor 2.

    References
    ----------
    kexue.fm/archives/8833.

    Examples
    --------
    >>> squareplus_derivative(0.0, 4.0), squareplus_derivative(-1e8, 4.0), squareplus_derivative(0.0, 4.0, order=2)
    (0.5, 1e-16, 0.25)
    """
    if order not in (1, 2):
        raise OptionError(f"order: expected 1 or 2, got {order!r}")
    xp, x, b, back = enter_scaled(x, b, "b", zero=True)
    scale = b**0.5
    v = _below(xp, x, scale)
    if order == 1:
        tail = StudentT2.tails(xp, v, 0)[0]
        return back(xp.where(x > 0, 1.0 - tail, tail))
    density = StudentT2.unit_density(xp, v)
    width = scale + xp.zeros_like(density)
    dirac = xp.where(density > 0, math.inf, density)
    return back(xp.where(width == 0, dirac, density / xp.where(width == 0, 1.0, width)))


def _ramp(xp: Namespace, x: Array, scale: Any, kernel: type[Kernel]) -> Array:
    scale = within(xp, x, scale)
    return xp.maximum(x, 0.0) + scale * kernel.tails(xp, -xp.abs(x) / scale, 1)[1]


def _below(xp: Namespace, x: Array, scale: Any) -> Array:
    """Return -|x| / scale where the scale may be 0: then 0 at 0, and elsewhere no number is far enough."""
    if not is_array(scale) and scale > 0:
        return -xp.abs(x) / within(xp, x, scale)
    scale = scale + xp.zeros_like(x)
    far = xp.where((x == 0) | xp.isnan(x), x, -math.inf)
    return xp.where(scale == 0, far, -xp.abs(x) / xp.where(scale == 0, 1.0, scale))
