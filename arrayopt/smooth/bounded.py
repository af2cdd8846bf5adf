"""A polynomial on an interval, smoothed by a kernel that has few moments."""

import math

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.smooth.kernel import HeavyTailed, root

NODES = 16
"""Of Gauss and Legendre's rule, which is exact to 1e-17 for a density whose pole is `FAR` half-widths away."""
FAR = 2.0


def over_interval(
    xp: Namespace, a: tuple[float, ...], low: float, high: float, middle: float, x: Array, kernel: HeavyTailed
) -> Array:
    r"""Return :math:`\int_{low}^{high} \sum_k a_k (y - middle)^k \phi(x - y) \, dy`.

    Near the interval by antiderivatives of :math:`x^k \phi(x)`. Far from it these would cancel; there Gauss and
    Legendre's rule is exact to rounding, since no pole of the density is within `FAR` half-widths.

    Parameters
    ----------
    xp : namespace
        That of x.
    a : tuple of float
        Coefficients from the constant on.
    low, high, middle : float
        The interval, and its middle.
    x : array
    kernel : HeavyTailed
    """
    s, half, e = kernel.scale, 0.5 * (high - low), x - middle
    gap = xp.abs(e) - half
    far = s * root(xp, xp.maximum(gap, 0.0) / s) >= FAR * half
    quadrature = xp.zeros_like(x)
    for node, weight in zip(*map(np.ndarray.tolist, np.polynomial.legendre.leggauss(NODES)), strict=True):
        value = math.fsum(c * (half * node) ** k for k, c in enumerate(a))
        density = kernel.unit_density(xp, -xp.abs(e - half * node) / s)
        quadrature = quadrature + (weight * value * (half / s)) * density
    e = xp.where(far, 0.0, e)
    # from the ends themselves: at one of them the distance is 0, whatever the middle is rounded to
    below, above = (kernel.partial_moments(xp, xp.where(far, 0.0, x - c), s, len(a) - 1) for c in (high, low))
    near = xp.zeros_like(x)
    for k in range(len(a)):
        # the k-th Taylor coefficient at x of the polynomial
        taylor = xp.zeros_like(e)
        for m in reversed(range(k, len(a))):
            taylor = taylor * e + a[m] * math.comb(m, k)
        near = near + (-1.0) ** k * taylor * (above[k] - below[k])
    return xp.where(far, quadrature, near)
