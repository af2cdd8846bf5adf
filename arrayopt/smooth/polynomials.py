"""Polynomials by their coefficients from the constant on: exact ones on the host, and their values at arrays."""

import math
from collections.abc import Iterable
from fractions import Fraction

from arrayopt.backend import Array, Namespace
from arrayopt.errors import OptionError

Exact = tuple[Fraction, ...]


def horner(xp: Namespace, a: tuple[float, ...], x: Array) -> Array:
    """Evaluate a polynomial with coefficients from the constant on, at infinities by its limit."""
    total = xp.zeros_like(x)
    for k, c in enumerate(reversed(a)):
        total = total * x + c if k else total + c
    return total


def exact(a: Iterable[float]) -> Exact:
    """Return numbers as fractions."""
    return tuple(map(Fraction, a))


def shifted(a: Exact, centre: Fraction) -> Exact:
    """Return the coefficients of a polynomial in powers of x - centre."""
    found: list[Fraction] = []
    for c in reversed(a):  # times x = (x - centre) + centre, plus c
        by_x = [Fraction(0), *found]
        found = [y + centre * z for y, z in zip(by_x, [*found, Fraction(0)], strict=True)]
        found[0] += c
    return tuple(found)


def rounded(a: Iterable[Fraction]) -> tuple[float, ...]:
    """Return fractions as floats."""
    try:
        return tuple(map(float, a))
    except OverflowError as error:
        raise OptionError(
            "coefficients: expected ones with which the function at its breakpoints does not overflow"
        ) from error


def derivative(a: Exact, k: int) -> Exact:
    """Return the k-th derivative of a polynomial."""
    return tuple(math.perm(i + k, k) * c for i, c in enumerate(a[k:]))


def trimmed(a: tuple[float, ...]) -> tuple[float, ...]:
    """Return coefficients without leading zeros."""
    return a[: max((i + 1 for i, c in enumerate(a) if c), default=0)]


def padded(a: Exact, size: int) -> Exact:
    """Return coefficients with leading zeros, `size` of them in all."""
    return a + (Fraction(0),) * (size - len(a))
