r"""The quintics of Newton-Schulz iterations as maps of numbers, and how well they do on random matrices.

An iteration acts on singular values as :math:`g(\sigma) = a \sigma + b \sigma^3 + c \sigma^5 =
\sigma + \kappa \sigma (\sigma^2 - x_1^2)(\sigma^2 - x_2^2)` (`arrayopt.core.orthogonal.coefficients`). Those of a
normal n x m matrix over its Frobenius norm follow the law of Marchenko and Pastur, so that the error of the iteration
needs no singular value decomposition: with :math:`q = m / n \le 1` and :math:`s = \sigma \sqrt m`, the density is

.. math:: \frac{\sqrt{(s_+^2 - s^2)(s^2 - s_-^2)}}{\pi q s} \quad \text{on} \quad s_\pm = 1 \pm \sqrt q
"""

import functools
import math

import numpy as np

from arrayopt.core.orthogonal import Polynomial, coefficients, composite
from arrayopt.core.orthogonal.polynomials import KELLER
from arrayopt.errors import OptionError

__all__ = [
    "basin_end",
    "critical_points",
    "fit_newton_schulz",
    "fixed_points",
    "image_of_interval",
    "invariant_band",
    "marchenko_pastur",
    "newton_schulz_mse",
]


@functools.cache
def _angles(panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes and weights of Gauss and Legendre's rule of 16 points, panel by panel of [0, pi]."""
    x, w = np.polynomial.legendre.leggauss(16)
    width = math.pi / panels
    nodes = ((np.arange(panels)[:, None] + (x[None, :] + 1) / 2) * width).reshape(-1)
    weights = np.tile(w * width / 2, panels)
    nodes.setflags(write=False)
    weights.setflags(write=False)
    return nodes, weights


def marchenko_pastur(n: int, m: int, *, panels: int = 128) -> tuple[np.ndarray, np.ndarray]:
    r"""Return nodes and weights of the law of singular values of a normal matrix over its Frobenius norm.

    Parameters
    ----------
    n, m : int
        The shape, in either order; only the quotient and the smaller one matter. At least 1.
    panels : int
        Of [0, pi] in the angle :math:`\varphi`, :math:`s = 1 - \sqrt q \cos \varphi`, with 16 nodes each.

    Returns
    -------
    tuple of arrays
        Singular values :math:`\sigma = s / \sqrt m`, rising, and weights, which add up to 1.

    References
    ----------
    Marchenko and Pastur, Distribution of eigenvalues for some sets of random matrices, 1967.

    Examples
    --------
    The mean of squares is 1/m: the Frobenius norm is 1.

    >>> s, w = marchenko_pastur(2048, 1024)
    >>> round(float(w @ s**2) * 1024, 12), round(float(w.sum()), 12)
    (1.0, 1.0)
    """
    n, m = max(n, m), min(n, m)
    if m < 1:
        raise OptionError(f"n, m: expected a shape of at least 1 x 1, got {n} x {m}")
    root = math.sqrt(m / n)
    phi, w = _angles(panels)
    # 1 - root cos phi, without cancellation in a square matrix
    low = (1 - root) + 2 * root * np.sin(phi / 2) ** 2
    density = np.sin(phi) ** 2 * np.sqrt((1 + root + low) * (low + 1 - root)) / (math.pi * low)
    return low / math.sqrt(m), density * w


def newton_schulz_mse(n: int, m: int, steps: int, coefficients: Polynomial = KELLER[0]) -> float:
    r"""Return the mean square error of singular values after an iteration, :math:`E[(g^T(\sigma) - 1)^2]`.

    Parameters
    ----------
    n, m : int
        The shape of a matrix of independent normal entries, which is divided by its Frobenius norm.
    steps : int
        T, at least 0.
    coefficients : (float, float, float)
        a, b and c of every step; those of Muon by default. See `arrayopt.core.orthogonal.coefficients` for
        :math:`(\kappa, x_1, x_2)`.

    Returns
    -------
    float
        inf where the iteration leaves the range of numbers.

    Notes
    -----
    The law is that of large matrices: at n = m = 1024 the error of a matrix differs by some 3e-4.

    References
    ----------
    kexue.fm/archives/10592.

    Examples
    --------
    >>> round(newton_schulz_mse(2048, 1024, 5), 4), round(newton_schulz_mse(2048, 1024, 5, (2.644, -3.128, 1.476)), 4)
    (0.0295, 0.0004)
    """
    if steps < 0:
        raise OptionError(f"steps: expected at least 0, got {steps}")
    sigma, weights = marchenko_pastur(n, m)
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(weights @ (composite([coefficients] * steps, sigma) - 1) ** 2)
    return math.inf if math.isnan(error) and all(map(math.isfinite, coefficients)) else error


def fit_newton_schulz(
    n: int, m: int, steps: int, start: tuple[float, float, float] = (1.0, 0.9, 1.1)
) -> tuple[tuple[float, float, float], float]:
    r"""Return the :math:`(\kappa, x_1, x_2)` of least `newton_schulz_mse` near a start, and that error.

    Parameters
    ----------
    n, m, steps : int
        As for `newton_schulz_mse`.
    start : (float, float, float)
        The article starts from (1, 0.9, 1.1).

    Examples
    --------
    >>> (kappa, x1, x2), error = fit_newton_schulz(2048, 1024, 5)
    >>> round(error, 4)
    0.0004
    """
    from scipy.optimize import minimize

    def error(x: np.ndarray) -> float:
        return min(newton_schulz_mse(n, m, steps, coefficients(*map(float, x))), 1e6)

    found = minimize(error, np.asarray(start), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12})
    kappa, x1, x2 = float(found.x[0]), *sorted(abs(float(x)) for x in found.x[1:])
    return (kappa, x1, x2), float(found.fun)


def _positive_roots(p: float, q: float, r: float) -> list[float]:
    """Return the roots x > 0 of p + q x^2 + r x^4, rising."""
    if r == 0:
        squares = [-p / q] if q != 0 else []
    else:
        discriminant = q * q - 4 * p * r
        if discriminant < 0:
            return []
        big = -0.5 * (q + math.copysign(math.sqrt(discriminant), q))  # no cancellation
        squares = [big / r, p / big] if big != 0 else [0.0]
    return sorted({math.sqrt(y) for y in squares if y > 0})


def fixed_points(coefficients: Polynomial) -> list[float]:
    r"""Return the fixed points :math:`\sigma > 0` of the map, rising.

    Examples
    --------
    >>> [round(x, 7) for x in fixed_points((3.4445, -4.7750, 2.0315))]
    [0.8680258, 1.2637291]
    """
    a, b, c = coefficients
    return _positive_roots(a - 1, b, c)


def critical_points(coefficients: Polynomial) -> list[float]:
    r"""Return where the slope of the map is 0, :math:`\sigma > 0`, rising.

    Examples
    --------
    >>> critical_points((1.875, -1.25, 0.375))
    [1.0]
    """
    a, b, c = coefficients
    return _positive_roots(a, 3 * b, 5 * c)


def basin_end(coefficients: Polynomial) -> float:
    r"""Return the greatest fixed point, beyond which singular values grow without bound (for c > 0).

    For Taylor's polynomial :math:`\sqrt{7/3}`, below which all converge to 1. 0 where all grow.

    Raises
    ------
    OptionError
        If the map does not rise at last (c > 0).

    Examples
    --------
    >>> basin_end((15 / 8, -5 / 4, 3 / 8)) == math.sqrt(7 / 3)
    True
    """
    _, b, c = coefficients
    points = fixed_points(coefficients)
    if c < 0 or (c == 0 and b < 0):
        raise OptionError("coefficients: expected a map that rises at last (c > 0), for this is about where it does")
    return points[-1] if points else 0.0


def image_of_interval(coefficients: Polynomial, low: float, high: float, steps: int = 1) -> tuple[float, float]:
    """Return the interval onto which the map, taken `steps` times, maps an interval of numbers >= 0: exactly it.

    Examples
    --------
    >>> [round(x, 4) for x in image_of_interval((3.4445, -4.7750, 2.0315), 0.01, 1.0, steps=5)]
    [0.6818, 1.1344]
    """
    if not 0 <= low <= high:
        raise OptionError(f"low, high: expected 0 <= low <= high, got {low!r} and {high!r}")
    turns = critical_points(coefficients)
    for _ in range(steps):
        # odd, so that an interval that reaches below 0 turns at the negatives, too
        inside = [x for t in turns for x in (-t, t) if low < x < high]
        values = [float(composite([coefficients], x)) for x in (low, *inside, high)]
        low, high = min(values), max(values)
    return low, high


def invariant_band(coefficients: Polynomial, low: float = 0.01, high: float = 1.0) -> tuple[float, float]:
    r"""Return the band in which all singular values of an interval end up: the limit of `image_of_interval`.

    Parameters
    ----------
    coefficients : (float, float, float)
    low, high : float
        Where they start, :math:`0 < low \le high`.

    Raises
    ------
    OptionError
        If the images do not settle, as where some leave the basin.

    Examples
    --------
    >>> [round(x, 5) for x in invariant_band((3.4445, -4.7750, 2.0315))]
    [0.68183, 1.13436]
    """
    for _ in range(10_000):
        before = low, high
        low, high = image_of_interval(coefficients, max(low, 0.0), high)
        if max(abs(low - before[0]), abs(high - before[1])) <= 1e-14:
            return low, high
        if not high < 1e6:
            break
    raise OptionError(f"coefficients: expected a map under which intervals settle, got {coefficients}")
