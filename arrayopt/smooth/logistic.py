r"""The logistic kernel, the derivative of the sigmoid: its scale is the temperature, 1/t in :math:`\sigma(tx)`."""

import functools
import math
from fractions import Fraction

from arrayopt.backend import Array, Namespace
from arrayopt.smooth.kernel import Kernel
from arrayopt.smooth.polynomials import horner

TURN = -1.2
"""Where the power series ends and the series of exponentials begins, with `TERMS` terms each: 1e-17 is left out."""
TERMS = 40
ACCELERATED = 30
"""Terms of the alternating zeta series: the error is below 5.8 to the power of minus this."""


class Logistic(Kernel):
    r"""The density :math:`\phi(x) = t e^{tx} / (1 + e^{tx})^2`, t = 1/s for the scale s.

    Notes
    -----
    The repeated integrals are polylogarithms, :math:`H_m(v) = -\mathrm{Li}_m(-e^v)`: the sigmoid, softplus, and from m
    = 2 on :math:`\sum_{n \ge 1} (-1)^{n+1} n^{-m} e^{nv}` or near 0 :math:`\sum_k \eta(m - k) v^k / k!`, with
    Dirichlet's :math:`\eta`.

    References
    ----------
    kexue.fm/archives/8718. DLMF 25.12.

    Examples
    --------
    >>> Logistic(0.5).cdf(math.log(3) / 2)
    0.75
    """

    @staticmethod
    def unit_density(xp: Namespace, v: Array) -> Array:
        """Return the density."""
        e = xp.exp(v)
        return e / (1.0 + e) / (1.0 + e)

    @staticmethod
    def tails(xp: Namespace, v: Array, top: int) -> list[Array]:
        """Return the repeated integrals."""
        e = xp.exp(v)
        found = [e / (1.0 + e)]
        if top > 0:
            found.append(xp.log1p(e))
        if top > 1:
            near = v > TURN
            v, e = xp.maximum(v, TURN), xp.where(near, 0.0, e)
        for m in range(2, top + 1):
            far = (0.0, *((-1.0) ** (n + 1) / n**m for n in range(1, TERMS)))
            found.append(xp.where(near, horner(xp, _at_zero(m), v), horner(xp, far, e)))
        return found

    @staticmethod
    def unit_transform(omega: float) -> float:
        """Return (pi w) / sinh(pi w)."""
        w = math.pi * omega
        return 2 * w * math.exp(-w) / -math.expm1(-2 * w) if w > 0 else 1.0

    @staticmethod
    def even_moment(k: int) -> float:
        """Return 2 eta(2k)."""
        return 2 * float(eta(2 * k))


@functools.cache
def eta(s: int) -> Fraction:
    r"""Return Dirichlet's :math:`\eta(s) = \sum_{n \ge 1} (-1)^{n+1} n^{-s}` at an integer.

    Notes
    -----
    Exact for s <= 0, and to 1e-22 else. Below 0 it is
    :math:`\eta(-n) = (2^{n+1} - 1) B_{n+1} / (n + 1)` with :math:`B_1 = 1/2`.

    References
    ----------
    Cohen, Rodriguez Villegas and Zagier, Convergence acceleration of alternating series, 2000.

    Examples
    --------
    >>> [str(eta(s)) for s in (-3, -2, -1, 0)], float(eta(1)) == math.log(2), float(eta(2)) * 12 / math.pi**2
    (['-1/8', '0', '1/4', '1/2'], True, 1.0)
    """
    if s <= 0:
        return ((1 << (1 - s)) - 1) * _bernoulli(1 - s) / (1 - s)
    n = ACCELERATED
    parts = [
        Fraction(n * math.factorial(n + i - 1) * 4**i, math.factorial(n - i) * math.factorial(2 * i))
        for i in range(n + 1)
    ]
    whole = sum(parts, Fraction(0))
    total, rest = Fraction(0), whole
    for k in range(n):
        rest -= parts[k]
        total += Fraction((-1) ** k, (k + 1) ** s) * rest
    return total / whole


@functools.cache
def _bernoulli(n: int) -> Fraction:
    """Return Bernoulli's numbers, the one of 1 being 1/2."""
    return 1 - sum((math.comb(n, k) * _bernoulli(k) / (n - k + 1) for k in range(n)), Fraction(0))


@functools.cache
def _at_zero(m: int) -> tuple[float, ...]:
    """Return the Taylor coefficients of H_m at 0."""
    return tuple(float(eta(m - k) / math.factorial(k)) for k in range(TERMS))
