r"""Convolution of a piecewise polynomial with a kernel, in closed form: smooth, and f again as the scale falls to 0."""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.errors import OptionError
from arrayopt.smooth.arguments import enter, within
from arrayopt.smooth.bounded import over_interval
from arrayopt.smooth.kernel import HeavyTailed, Kernel
from arrayopt.smooth.piecewise import PiecewisePolynomial
from arrayopt.smooth.polynomials import derivative, exact, horner, rounded


@np.errstate(over="ignore")
def mollify(f: PiecewisePolynomial, x: Any, kernel: Kernel) -> Any:
    r"""Return a piecewise polynomial smoothed by a kernel.

    .. math:: (f * \phi)(x) = \int f(y) \phi(x - y) \, dy

    Parameters
    ----------
    f : PiecewisePolynomial
        `STEP`, `RELU`, or one of your own.
    x : number or array
        A number gives a float, an array one of its dtype.
    kernel : Kernel
        `Gaussian`, `Logistic`, `Cauchy` or `StudentT2`, of the scale wanted.

    Raises
    ------
    OptionError
        If the integral diverges, since the kernel lacks a moment: f has to be bounded for the Cauchy kernel, and of at
        most linear growth for the Student kernel.

    Notes
    -----
    With x in the piece p and :math:`J_{jm}` the jump of the m-th derivative of f at :math:`c_j`,

    .. math:: (f * \phi)(x) = (p * \phi)(x) + \sum_j \sum_m (\pm 1)^{m+1} J_{jm} s^m H_m(-|x - c_j| / s),
              \qquad p * \phi = \sum_k \frac{\mu_{2k}}{(2k)!} p^{(2k)},

    with + for the breakpoints above x and - for those below, H of `arrayopt.smooth.kernel` and the moments
    :math:`\mu`. All integrals are those of tails, so that what is left of a ReLU far below 0 is relatively exact. Where
    a kernel lacks the moments for that but the pieces that need them are bounded (`HARD_TANH` by Cauchy), it is done
    piece by piece.

    References
    ----------
    kexue.fm/archives/8718; Biswas et al. 2021, arXiv 2109.13210.

    Examples
    --------
    >>> from arrayopt.smooth import RELU, STEP, Cauchy, Gaussian, Logistic
    >>> mollify(RELU, 0.0, Logistic(0.5)) == 0.5 * math.log(2)
    True
    >>> mollify(STEP, np.asarray([-1.0, 0.0, 1.0]), Cauchy())
    array([0.25, 0.5 , 0.75])
    >>> square = PiecewisePolynomial((), ((0, 0, 1),))
    >>> mollify(square, 3.0, Gaussian(0.5))
    9.25
    """
    last = len(f.breakpoints)
    for piece in {0, last}:
        if f.degree(piece) > kernel.order:
            name, what = type(kernel).__name__, "bounded" if kernel.order < 1 else "of at most linear growth"
            raise OptionError(
                f"f: expected a function {what}, got one of degree {f.degree(piece)} at infinity; {name} has no moment "
                "of that order, so the integral diverges; smooth with Gaussian or Logistic, or cut f off"
            )
    xp, x, back = enter(x)
    kernel = replace(kernel, scale=within(xp, x, kernel.scale))
    needed = max((f.degree(j) for j in range(last + 1)), default=0)
    if isinstance(kernel, HeavyTailed) and needed > kernel.order:
        return back(_by_pieces(xp, f, x, kernel))
    return back(_by_jumps(xp, f, x, kernel))


def _by_jumps(xp: Namespace, f: PiecewisePolynomial, x: Array, kernel: Kernel) -> Array:
    total = f.select(xp, x, [horner(xp, _smoothed(a, kernel), x) for a in f.coefficients])
    for j, c in enumerate(f.breakpoints):
        jumps = f.jumps(j)
        if jumps:
            tails = kernel.tails(xp, -xp.abs(x - c) / kernel.scale, len(jumps) - 1)
            even, odd = (_combined(xp, x, jumps, tails, kernel.scale, k) for k in (0, 1))
            total = total + odd + xp.where(x < c, even, -even)
    return total


def _combined(xp: Namespace, x: Array, jumps: tuple[float, ...], tails: list[Array], scale: float, first: int) -> Array:
    total = xp.zeros_like(x)
    for m in range(first, len(jumps), 2):
        if jumps[m]:
            total = total + (jumps[m] * scale**m) * tails[m]
    return total


def _smoothed(a: tuple[float, ...], kernel: Kernel) -> tuple[float, ...]:
    """Return the convolution of a polynomial with a kernel, a polynomial."""
    scale, total = Fraction(kernel.scale), [Fraction(0)] * len(a)
    for k in range((len(a) + 1) // 2):
        weight = Fraction(kernel.even_moment(k)) * scale ** (2 * k)
        for i, c in enumerate(derivative(exact(a), 2 * k)):
            total[i] += weight * c
    return rounded(total)


def _by_pieces(xp: Namespace, f: PiecewisePolynomial, x: Array, kernel: HeavyTailed) -> Array:
    points, last = f.breakpoints, len(f.breakpoints)
    total = _over_half(xp, f.about(last, points[-1]), x - points[-1], kernel)
    mirrored = tuple((-1) ** m * a for m, a in enumerate(f.about(0, points[0])))
    total = total + _over_half(xp, mirrored, points[0] - x, kernel)
    for j in range(1, last):
        low, high = points[j - 1], points[j]
        middle = low + 0.5 * (high - low)
        total = total + over_interval(xp, f.about(j, middle), low, high, middle, x, kernel)
    return total


def _over_half(xp: Namespace, a: tuple[float, ...], x: Array, kernel: Kernel) -> Array:
    """Return the integral over y > 0 of a polynomial."""
    total, v = xp.zeros_like(x), x / kernel.scale
    if not a:
        return total
    tails = kernel.tails(xp, -xp.abs(v), len(a) - 1)
    for m, c in enumerate(a):
        above = v**m / math.factorial(m) - (-1.0) ** m * tails[m] if m else 1.0 - tails[0]
        if c:
            total = total + (c * math.factorial(m) * kernel.scale**m) * xp.where(v > 0, above, tails[m])
    return total
