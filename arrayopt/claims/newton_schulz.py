"""What Newton-Schulz steps do to singular values, and their mean error from the Marchenko-Pastur law."""

import numpy as np

from arrayopt.claims.claim import agreement, claim, slack
from arrayopt.claims.domain import Integer, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.core.orthogonal import coefficients
from arrayopt.core.orthogonal.polynomials import composite
from arrayopt.theory import basin_end, fixed_points, invariant_band, newton_schulz_mse

SOURCE = "archive 10592 (section 7)"
TAYLOR, OFFICIAL = (15 / 8, -5 / 4, 3 / 8), (3.4445, -4.7750, 2.0315)


def _step(polynomial: tuple[float, float, float], s: float, steps: int = 1) -> float:
    return float(composite([polynomial] * steps, np.asarray([s]))[0])


@claim(SOURCE, {"s": Real(1e-6, 0.999)}, tolerance=1e-12, infimum=0.0)
def taylor_from_below(s: float) -> float:
    r"""With Taylor's coefficients singular values in (0, 1) rise and stay below 1."""
    after = _step(TAYLOR, s)
    return min(slack(s, after, 1.0), slack(after, 1.0, 1.0))


@claim(SOURCE, {"e": Real(1e-5, 0.3, log=True)}, tolerance=1e-6, infimum=0.0)
def cubic(e: float) -> float:
    r"""$1 - g(1 - e) \le \frac52 e^3$: convergence of the third order, the constant attained in the limit."""
    return slack((1 - _step(TAYLOR, 1 - e)) / e**3, 2.5, 2.5) if e > 1e-3 else 0.0


@claim(
    SOURCE, {"s": Real(0.01, 1.0)}, kind="limit", tolerance=0.05, expect="refuted", witness={"s": 0.5},
    instead="newton_schulz.band",
)  # fmt: skip
def official_converges(s: float) -> float:
    """With the official coefficients singular values come within a twentieth of 1 in ten steps."""
    return -abs(_step(OFFICIAL, s, 10) - 1)


@claim(SOURCE, {"s": Real(0.01, 1.0)}, tolerance=1e-9, infimum=0.0)
def band(s: float) -> float:
    """With the official coefficients they end in [0.6818, 1.1344] after five steps, both ends attained or nearly so."""
    low, high = invariant_band(OFFICIAL)
    after = _step(OFFICIAL, s, 5)
    return min(slack(low, after, 1.0), slack(after, high, 1.0))


@claim(SOURCE, {"kappa": Real(0.1, 30.0), "x1": Real(0.3, 1.2), "x2": Real(0.3, 1.5), "s": Real(0.0, 1.5)},
       kind="equality", tolerance=1e-12)  # fmt: skip
def parametrised(kappa: float, x1: float, x2: float, s: float) -> float:
    r"""$x + \kappa x (x^2 - x_1^2)(x^2 - x_2^2)$ has the coefficients that the formulas give, and fixes $x_1, x_2$."""
    polynomial = coefficients(kappa, x1, x2)
    stated = s + kappa * s * (s * s - x1 * x1) * (s * s - x2 * x2)
    size = 1 + 30 * kappa
    return min(agreement(_step(polynomial, s), stated, size), agreement(_step(polynomial, x1), x1, size))


@claim(SOURCE, {"steps": Integer(1, 4), "m": Numbers((3, 2), low=-1.0, high=1.0)}, kind="equality",
       tolerance=1e-10, portable=False)  # fmt: skip
def keeps_singular_vectors(m: np.ndarray, steps: int) -> float:
    r"""Steps on a matrix are steps on its singular values: $U g(\Sigma) V'$."""
    size = float(np.linalg.norm(m))
    x = m / size if size > 1e-3 else np.eye(3, 2) / 2
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    a, b, c = TAYLOR
    for _ in range(steps):
        gram = x.T @ x
        x = a * x + b * x @ gram + c * x @ gram @ gram
    return agreement(x, (u * composite([TAYLOR] * steps, s)) @ vt, 1.0)


_TABLE = (
    (1024, 1024, 3, 7.020, 0.830, 0.830, 0.10257, 0.18278), (1024, 1024, 5, 1.724, 0.935, 1.235, 0.02733, 0.04431),
    (2048, 1024, 5, 1.476, 0.983, 1.074, 0.00038, 0.02954), (4096, 1024, 3, 6.948, 0.802, 0.804, 0.00371, 0.02574),
    (2048, 2048, 3, 11.130, 0.767, 0.767, 0.10739, 0.24410), (4096, 4096, 3, 18.017, 0.705, 0.705, 0.11303, 0.33404),
    (4096, 4096, 5, 2.057, 0.894, 1.201, 0.04700, 0.06372), (8192, 8192, 3, 30.147, 0.643, 0.643, 0.11944, 0.44843),
)  # fmt: skip
"""Rows of the article: n, m, steps, kappa, x1, x2, mean square errors of its coefficients and of the official."""


@claim(SOURCE, kind="equality", tolerance=3e-4)
def table() -> float:
    """The mean square errors of the article's table follow from the Marchenko-Pastur law, without any matrix."""
    worst = 0.0
    for n, m, steps, kappa, x1, x2, own, official in _TABLE:
        worst = max(worst, abs(newton_schulz_mse(n, m, steps, coefficients(kappa, x1, x2)) - own),
                    abs(newton_schulz_mse(n, m, steps, OFFICIAL) - official))  # fmt: skip
    return -worst


KNOWN = (
    Known("newton_schulz.fixed_1", "the lower fixed point of the official map", SOURCE, "0.8680258",
          lambda: fixed_points(OFFICIAL)[0]),
    Known("newton_schulz.fixed_2", "the upper one", SOURCE, "1.2637291", lambda: fixed_points(OFFICIAL)[1]),
    Known("newton_schulz.band_low", "the lower end of the band", SOURCE, "0.68183",
          lambda: invariant_band(OFFICIAL)[0]),
    Known("newton_schulz.band_high", "the upper end", SOURCE, "1.13436", lambda: invariant_band(OFFICIAL)[1]),
    Known("newton_schulz.basin", "beyond which Taylor's map diverges, $\\sqrt{7/3}$", SOURCE, "1.5275",
          lambda: basin_end(TAYLOR)),
    Known("newton_schulz.from_a_hundredth_5", "of 0.01, five of Taylor's steps", SOURCE, "0.2285",
          lambda: _step(TAYLOR, 0.01, 5)),
    Known("newton_schulz.from_a_hundredth_8", "eight", SOURCE, "0.9427", lambda: _step(TAYLOR, 0.01, 8)),
)  # fmt: skip
