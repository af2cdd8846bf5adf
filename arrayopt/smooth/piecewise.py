"""Piecewise polynomials as data: what a kernel smooths."""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.errors import OptionError
from arrayopt.smooth.arguments import enter
from arrayopt.smooth.polynomials import exact, horner, padded, rounded, shifted, trimmed


@dataclass(frozen=True)
class PiecewisePolynomial:
    r"""A function that is a polynomial between breakpoints.

    .. math:: f(x) = p_j(x), \quad c_j \le x < c_{j+1}, \qquad p_j(x) = \sum_k a_{jk} x^k

    with :math:`c_0 = -\infty` and :math:`c_{n+1} = \infty`. It need not be continuous.

    Parameters
    ----------
    breakpoints : sequence of float
        :math:`c_1 < \dots < c_n`, finite; there may be none.
    coefficients : sequence of sequences of float
        n + 1 of them, each from the constant on, finite; an empty one is the polynomial 0.

    Raises
    ------
    OptionError
        If they are none of these.

    Examples
    --------
    >>> hat = PiecewisePolynomial((-1, 0, 1), ((), (1, 1), (1, -1), ()))
    >>> hat(0.25), hat(7.0)
    (0.75, 0.0)
    """

    breakpoints: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Check the data, and take leading zeros away."""
        try:
            points = tuple(float(c) for c in self.breakpoints)
            pieces = tuple(tuple(float(a) for a in piece) for piece in self.coefficients)
        except (TypeError, ValueError, OverflowError) as error:
            raise OptionError(f"breakpoints, coefficients: expected sequences of finite numbers: {error}") from error
        if not all(map(math.isfinite, points)) or any(a >= b for a, b in itertools.pairwise(points)):
            raise OptionError(f"breakpoints: expected finite numbers, each above the one before, got {points}")
        if len(pieces) != len(points) + 1:
            raise OptionError(
                f"coefficients: expected {len(points) + 1} pieces, one more than breakpoints, got {len(pieces)}"
            )
        if not all(math.isfinite(a) for piece in pieces for a in piece):
            raise OptionError("coefficients: expected finite numbers")
        object.__setattr__(self, "breakpoints", points)
        object.__setattr__(self, "coefficients", tuple(trimmed(piece) for piece in pieces))

    @np.errstate(over="ignore")
    def __call__(self, x: Any) -> Any:
        """Return f(x), at a breakpoint the value from the right.

        Parameters
        ----------
        x : number or array
            A number gives a float, an array one of its dtype.
        """
        xp, x, back = enter(x)
        return back(self.select(xp, x, [horner(xp, a, x) for a in self.coefficients]))

    def select(self, xp: Namespace, x: Array, values: list[Array]) -> Array:
        """Return from one array a piece that of the piece in which x is; NaN where x is."""
        found = xp.where(xp.isnan(x), x, values[0])
        for c, value in zip(self.breakpoints, values[1:], strict=True):
            found = xp.where(x >= c, value, found)
        return found

    def degree(self, piece: int) -> int:
        """Return the degree of a piece, -1 for the polynomial 0."""
        return len(self.coefficients[piece]) - 1

    def about(self, piece: int, centre: float) -> tuple[float, ...]:
        """Return the coefficients of a piece in powers of x - centre, each rounded once."""
        return rounded(shifted(exact(self.coefficients[piece]), Fraction(centre)))

    def jumps(self, j: int) -> tuple[float, ...]:
        """Return by how much value, slope, second derivative, ... jump at the j-th breakpoint, each rounded once."""
        c = Fraction(self.breakpoints[j])
        left, right = (shifted(exact(self.coefficients[i]), c) for i in (j, j + 1))
        size = max(len(left), len(right))
        pairs = zip(padded(left, size), padded(right, size), strict=True)
        return trimmed(rounded((b - a) * math.factorial(m) for m, (a, b) in enumerate(pairs)))


STEP = PiecewisePolynomial((0.0,), ((), (1.0,)))
"""0 below 0, 1 from 0 on."""
RELU = PiecewisePolynomial((0.0,), ((), (0.0, 1.0)))
"""max(x, 0)."""
ABSOLUTE = PiecewisePolynomial((0.0,), ((0.0, -1.0), (0.0, 1.0)))
"""|x|."""
HARD_TANH = PiecewisePolynomial((-1.0, 1.0), ((-1.0,), (0.0, 1.0), (1.0,)))
"""x within [-1, 1], its ends beyond."""


def staircase(first: int, last: int) -> PiecewisePolynomial:
    """Return the floor of x for x in [first - 1, last + 1), and its ends beyond.

    Parameters
    ----------
    first, last : int
        The first and the last integer at which there is a step.

    Examples
    --------
    >>> stairs = staircase(-2, 3)
    >>> [stairs(x) for x in (-9.0, -2.5, -0.5, 2.7, 3.0, 9.0)]
    [-3.0, -3.0, -1.0, 2.0, 3.0, 3.0]
    """
    if first > last:
        raise OptionError(f"first, last: expected integers with first <= last, got {first!r} and {last!r}")
    return PiecewisePolynomial(tuple(range(first, last + 1)), tuple((float(k),) for k in range(first - 1, last + 1)))
