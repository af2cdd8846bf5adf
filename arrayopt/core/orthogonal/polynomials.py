r"""The odd quintics of Newton-Schulz iterations: :math:`p(\sigma) = a\sigma + b\sigma^3 + c\sigma^5`.

A matrix iteration :math:`X \leftarrow aX + bXX^TX + c(XX^T)^2X` does to every singular value of X what its polynomial
does to a number, and leaves the singular vectors alone. So everything about it can be asked of numbers.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from arrayopt.errors import OptionError

Polynomial = tuple[float, float, float]
"""The coefficients a, b, c."""

KELLER: tuple[Polynomial, ...] = ((3.4445, -4.7750, 2.0315),)
"""Keller Jordan's: the steepest at zero. It does not converge to 1 but to the band [0.68183, 1.13436]."""
TAYLOR: tuple[Polynomial, ...] = ((15 / 8, -5 / 4, 3 / 8),)
"""The expansion of t^(-1/2) at 1: converges cubically to 1 from (0, sqrt(7/3)), and slowly at first."""
QUINTIC: tuple[Polynomial, ...] = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)
"""One polynomial a step, fitted together (leloykun and modded-nanogpt); optax calls them "dion"."""
CUSHION = 0.02407327424182761
"""The cushion of the table that the Polar Express paper prints."""


def coefficients(kappa: float, x1: float, x2: float) -> Polynomial:
    r"""Return the quintic whose fixed points beside zero are x1 and x2 (archive 10592).

    .. math:: p(x) = x + \kappa x (x^2 - x_1^2)(x^2 - x_2^2)

    Examples
    --------
    >>> coefficients(3 / 8, 1.0, (7 / 3) ** 0.5)
    (1.875, -1.25, 0.375)
    """
    return 1 + kappa * x1**2 * x2**2, -kappa * (x1**2 + x2**2), kappa


def composite(polynomials: Sequence[Polynomial], s: Any) -> Any:
    """Apply the polynomials to numbers, the first one first.

    Examples
    --------
    >>> composite(TAYLOR * 10, 0.01)
    1.0
    """
    for a, b, c in polynomials:
        square = s * s
        s = s * (a + square * (b + c * square))
    return s


def take(polynomials: Sequence[Polynomial], steps: int) -> tuple[Polynomial, ...]:
    """Return the first `steps` polynomials; the last one is repeated where there are fewer."""
    return tuple(polynomials[min(i, len(polynomials) - 1)] for i in range(steps))


@functools.cache
def named(name: str) -> tuple[Polynomial, ...]:
    """Return the polynomials that Muon knows by name: "keller", "taylor", "quintic" or "polar_express".

    The last is the table of arXiv 2505.16932 with its safety factor of 1.01.
    """
    if name == "polar_express":
        return polar_express(8, safety=0.01, cushion=CUSHION)
    return {"keller": KELLER, "taylor": TAYLOR, "quintic": QUINTIC}[name]


@functools.cache
def polar_express(
    steps: int, *, lower: float = 1e-3, safety: float = 0.0, cushion: float = CUSHION
) -> tuple[Polynomial, ...]:
    r"""Return the quintics whose composition comes closest to 1 on [lower, 1].

    Greedily: each is the best approximation of 1, in the largest error, on the interval that those before it have left
    of [lower, 1]; the composition is then the best of its degree (arXiv 2505.16932, theorem 3.1).

    Parameters
    ----------
    steps : int
        How many, at least 1.
    lower : float
        The smallest singular value to bring to 1, in (0, 1]; those below still grow as fast as any.
    safety : float
        At least 0. All but the last polynomial are those of :math:`\sigma / (1 + s)`, so that singular values that
        rounding pushed above 1 do not run away. Divide by (1 + s) times the norm at the start.
    cushion : float
        In [0, 1]. Intervals are treated as if they began no lower than this part of their end, which keeps the
        polynomials from dipping close to zero inside.

    Examples
    --------
    >>> [round(x, 4) for x in polar_express(8)[0]]
    [8.2872, -23.5959, 17.3004]
    """
    if steps < 1 or not 0 < lower <= 1 or safety < 0 or not 0 <= cushion <= 1:
        raise OptionError(
            "polar_express: expected steps >= 1, lower in (0, 1], safety >= 0 and cushion in [0, 1], "
            f"got {steps}, {lower}, {safety} and {cushion}"
        )
    found: list[Polynomial] = []
    upper = 1.0
    for left in reversed(range(steps)):
        p = _nearest_to_one(max(lower, cushion * upper), upper)
        if cushion * upper > lower:  # centre the error on the true interval
            p = _scaled(p, 2 / (composite((p,), lower) + composite((p,), upper)))
        if left:
            p = (p[0] / (1 + safety), p[1] / (1 + safety) ** 3, p[2] / (1 + safety) ** 5)
        found.append(p)
        lower = min(composite((p,), lower), 1.0)
        upper = 2 - lower
    return tuple(found)


def _scaled(p: Polynomial, k: float) -> Polynomial:
    return k * p[0], k * p[1], k * p[2]


def _nearest_to_one(lower: float, upper: float) -> Polynomial:
    """Return the odd quintic nearest to 1 on [lower, upper], by Remez' exchange.

    Its error takes its largest size, with alternating signs, at both ends and at the two extrema between them. It is
    sought as x (p + q w + r w^2) with w = (x^2 - middle^2) / half, which stays well-conditioned on short intervals.
    """
    if lower / upper > 1 - 1e-4:  # Taylor's polynomial is within 3e-12 of 1 there
        return TAYLOR[0][0] / upper, TAYLOR[0][1] / upper**3, TAYLOR[0][2] / upper**5
    middle, half = ((lower + upper) / 2) ** 2, (upper - lower) / 2
    x, error = np.linspace(lower, upper, 4), math.inf
    for _ in range(100):
        w = (x * x - middle) / half
        system = np.stack([x, x * w, x * w * w, [1, -1, 1, -1]], axis=1)
        p, q, r, e = map(float, np.linalg.solve(system, np.ones(4)))
        if abs(e - error) <= 1e-15:
            break
        error = e
        # the derivative is a quadratic in w
        extrema = np.roots([5 * r, 3 * q + 4 * r * middle / half, p + 2 * q * middle / half])
        x[1:3] = np.sqrt(middle + half * np.sort(extrema))
    return p - q * middle / half + r * (middle / half) ** 2, q / half - 2 * r * middle / half**2, r / half**2
