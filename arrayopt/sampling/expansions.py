r"""Expansions of Bessel functions that hold for all orders at once: the polynomials, in exact fractions.

With :math:`\mu = \nu + 1/2`, :math:`s = \sqrt{\mu^2 + k^2}` and :math:`p = \mu / s`,

.. math:: \frac{I_{\nu+1}(k)}{I_\nu(k)} = \frac{k}{\mu + s} \sum_m a_m(p) s^{-m}, \qquad a_0 = 1,

    a_{m+1} = -\tfrac12 \Big[p a_m - (1 - p^2)(p a_m' + m a_m) + (1 - p) \sum_{i=1}^{m} a_i a_{m+1-i}\Big],

which follows from the Riccati equation :math:`r' = 1 - (2\nu + 1) r / k - r^2` of the ratio.
"""

import functools
import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from arrayopt.backend import Array

TERMS = 12
"""How many: for s of at least 40 the first that is left out is below 1e-16."""

Polynomial = Sequence[Fraction]


def polynomial(a: Sequence[float], x: Array) -> Any:
    """Evaluate a polynomial with coefficients from the lowest on."""
    total: Any = a[-1]
    for c in reversed(a[:-1]):
        total = total * x + c
    return total


@functools.cache
def ratio_terms() -> tuple[tuple[float, ...], ...]:
    """Return the coefficients of the polynomials a_m, see the top of this file."""
    one, p = [Fraction(1)], [Fraction(0), Fraction(1)]
    found: list[Polynomial] = [one]
    for m in range(TERMS):
        a = found[-1]
        slope = _plus(_times(p, _slope(a)), _times([Fraction(m)], a))
        total = _plus(_times(p, a), _times([Fraction(-1), Fraction(0), Fraction(1)], slope))
        for i in range(1, m + 1):
            total = _plus(total, _times([Fraction(1), Fraction(-1)], _times(found[i], found[m + 1 - i])))
        found.append(_times([Fraction(-1, 2)], total))
    return tuple(_floats(a) for a in found)


@functools.cache
def debye_terms() -> tuple[tuple[float, ...], ...]:
    r"""Return :math:`d_m(p) / p^m` in powers of p^2, with :math:`\log \sum U_m(p) \nu^{-m} = \sum d_m(p) \nu^{-m}`.

    DLMF 10.41.9: :math:`U_{m+1} = \tfrac12 p^2 (1 - p^2) U_m' + \tfrac18 \int_0^p (1 - 5 t^2) U_m(t) dt`.
    """
    half = [Fraction(0), Fraction(0), Fraction(1, 2), Fraction(0), Fraction(-1, 2)]
    eighth = [Fraction(1, 8), Fraction(0), Fraction(-5, 8)]
    u: list[Polynomial] = [[Fraction(1)]]
    for _ in range(TERMS):
        u.append(_plus(_times(half, _slope(u[-1])), _integral(_times(eighth, u[-1]))))
    d: list[Polynomial] = [[Fraction(0)]]
    for m in range(1, TERMS + 1):
        total = u[m]
        for j in range(1, m):
            total = _plus(total, _times([Fraction(-j, m)], _times(d[j], u[m - j])))
        d.append(total)
    return tuple(_floats(d[m][m::2]) for m in range(1, TERMS + 1))


def _plus(a: Polynomial, b: Polynomial) -> Polynomial:
    return [sum(pair, Fraction(0)) for pair in itertools.zip_longest(a, b, fillvalue=Fraction(0))]


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    found = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            found[i + j] += x * y
    return found


def _slope(a: Polynomial) -> Polynomial:
    return [i * c for i, c in enumerate(a)][1:] or [Fraction(0)]


def _integral(a: Polynomial) -> Polynomial:
    return [Fraction(0), *(c / (i + 1) for i, c in enumerate(a))]


def _floats(a: Polynomial) -> tuple[float, ...]:
    last = max((i for i, c in enumerate(a) if c), default=0)
    return tuple(float(c) for c in a[: last + 1])
