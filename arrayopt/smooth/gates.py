r"""The identity times a smoothed step: Swish and GELU. Products, not convolutions: neither convex nor above the ReLU.

Each is :math:`\max(x, 0) - |x| H_0(-|x| / s)`, with H_0 of the kernel (`arrayopt.smooth.kernel`) and s its scale.
"""

from typing import Any, NamedTuple

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.errors import OptionError
from arrayopt.smooth.arguments import enter, enter_scaled, within
from arrayopt.smooth.gaussian import Gaussian
from arrayopt.smooth.kernel import Kernel
from arrayopt.smooth.logistic import Logistic


class Minimum(NamedTuple):
    """Where a gate is least, and how much it is there."""

    at: float
    value: float


@np.errstate(over="ignore")
def swish(x: Any, temperature: Any = 1.0) -> Any:
    r"""Return :math:`x \, \sigma(x / \tau)`, x times the step smoothed by a logistic kernel.

    Parameters
    ----------
    x : number or array
        A number gives a float, an array one of its dtype.
    temperature : number or array
        :math:`\tau > 0`, 1/t in :math:`x \sigma(tx)`; an array broadcasts with x, and is not checked.

    Returns
    -------
    float or array
        0 at -inf, its limit.

    Raises
    ------
    OptionError, LeafError
        As for `softplus`.

    References
    ----------
    Ramachandran, Zoph and Le 2017, arXiv 1710.05941; kexue.fm/archives/8718.

    Examples
    --------
    >>> swish(1.0), swish(-np.inf), swish(1e308)
    (0.73105857..., 0.0, 1e+308)
    """
    xp, x, scale, back = enter_scaled(x, temperature, "temperature")
    return back(_gate(xp, x, scale, Logistic))


@np.errstate(over="ignore")
def gelu(x: Any, sigma: Any = 1.0) -> Any:
    r"""Return :math:`x \, \Phi(x / \sigma) = \tfrac12 x [1 + \mathrm{erf}(x / \sqrt2 \sigma)]`.

    Parameters
    ----------
    x : number or array
        A number gives a float, an array one of its dtype.
    sigma : number or array
        :math:`\sigma > 0`; an array broadcasts with x, and is not checked.

    Returns
    -------
    float or array
        0 at -inf, its limit; relatively exact for x below 0, where 1 + erf would cancel.

    Raises
    ------
    BackendError
        If the library has no erfcx: NumPy (by SciPy), CuPy, PyTorch and JAX have one.
    OptionError, LeafError
        As for `softplus`.

    References
    ----------
    Hendrycks and Gimpel 2016, arXiv 1606.08415; kexue.fm/archives/8718.

    Examples
    --------
    >>> gelu(1.0), gelu(-10.0)
    (0.84134474..., -7.6198530...e-23)
    """
    xp, x, scale, back = enter_scaled(x, sigma, "sigma")
    return back(_gate(xp, x, scale, Gaussian))


@np.errstate(over="ignore")
def gated(x: Any, kernel: Kernel) -> Any:
    r"""Return :math:`x \, \Phi(x)`, x times the step smoothed by a kernel.

    Parameters
    ----------
    x : number or array
        A number gives a float, an array one of its dtype.
    kernel : Kernel
        Logistic gives `swish`, Gaussian `gelu`.

    Returns
    -------
    float or array
        At -inf its limit: 0, but for the Cauchy kernel :math:`-a / \pi`.

    Examples
    --------
    >>> from arrayopt.smooth import Cauchy
    >>> gated(-np.inf, Cauchy()) * np.pi
    -1.0000000...
    """
    xp, x, back = enter(x)
    return back(_gate(xp, x, kernel.scale, type(kernel)))


def gate_minimum(kernel: Kernel) -> Minimum:
    r"""Return where :math:`x \, \Phi(x)` is least, and its value there.

    .. math:: \frac{d}{dx} x \Phi(x) = \Phi(x) + x \phi(x) = 0

    Parameters
    ----------
    kernel : Kernel
        Logistic for Swish, Gaussian for GELU. Both numbers are proportional to its scale.

    Returns
    -------
    Minimum
        The value to the last digit or two; where it is, too, since it is found by bisection of the derivative.

    Raises
    ------
    OptionError
        For the Cauchy kernel: there the product falls to :math:`-a / \pi` at -inf, and has no minimum.

    Examples
    --------
    >>> from arrayopt.smooth import Gaussian, Logistic
    >>> gate_minimum(Logistic())
    Minimum(at=-1.278464542..., value=-0.278464542...)
    >>> gate_minimum(Gaussian())
    Minimum(at=-0.7517915..., value=-0.1699712...)
    """
    unit = type(kernel)()

    def slope(x: float) -> float:
        return float(unit.cdf(x)) + x * float(unit.density(x))

    low, high = -1.0, 0.0
    while slope(low) > 0:
        low, high = 2 * low, low
        if low < -1e3:
            name = type(kernel).__name__
            raise OptionError(f"kernel: expected one of which x times its step has a minimum, got {name}, with none")
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return Minimum(kernel.scale * low, kernel.scale * float(gated(low, unit)))


def _gate(xp: Namespace, x: Array, scale: Any, kernel: type[Kernel]) -> Array:
    scale = within(xp, x, scale)
    # kept finite, since 0 times infinity is none; well within, since 1/u is not to be subnormal
    u = xp.minimum(xp.abs(x) / scale, float(xp.finfo(x.dtype).max) / 64)
    return xp.maximum(x, 0.0) - scale * (u * kernel.tails(xp, -u, 0)[0])
