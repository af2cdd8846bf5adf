"""What Newton-Schulz steps do to singular values, and their mean error from the Marchenko-Pastur law."""

import math

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Count, Integer, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, norm, slack, ulps
from arrayopt.claims.muon import SVD, matrix, product, spectrum
from arrayopt.claims.sources import article
from arrayopt.core.orthogonal import KELLER, QUINTIC, TAYLOR, Polynomial, coefficients, composite, newton_schulz, take
from arrayopt.theory import basin_end, fixed_points, invariant_band, newton_schulz_mse

SOURCE = article(7)


def _step(polynomials: tuple[Polynomial, ...], s: float, steps: int = 1) -> float:
    return float(composite(take(polynomials, steps), s))


@claim(SOURCE, {"s": Real(1e-6, 0.999)}, tolerance=1e-12, infimum=0.0)
def taylor_from_below(s: float) -> float:
    r"""With Taylor's coefficients singular values in (0, 1) rise and stay below 1."""
    after = _step(TAYLOR, s)
    return min(slack(s, after, 1.0), slack(after, 1.0, 1.0))


@claim(SOURCE, {"e": Real(1e-5, 0.3, log=True)}, tolerance=1e-6, infimum=0.0)
def cubic(e: float) -> float:
    r"""$1 - g(1 - e) \le \frac52 e^3$: convergence of the third order, the constant attained in the limit."""
    return slack((1 - _step(TAYLOR, 1 - e)) / e**3, 2.5, 2.5) if e > 1e-3 else 0.0


@claim(SOURCE, {"s": Real(1.0, math.sqrt(7 / 3))}, tolerance=1e-12, infimum=0.0)
def taylor_from_above(s: float) -> float:
    r"""In $[1, \sqrt{7/3}]$ they fall and stay above 1; both ends are fixed points."""
    after = _step(TAYLOR, s)
    return min(slack(1.0, after, 1.0), slack(after, s, 1.0))


@claim(SOURCE, {"s": Real(math.sqrt(7 / 3), 100.0, log=True)}, tolerance=1e-12, infimum=0.0)
def taylor_beyond(s: float) -> float:
    r"""Beyond $\sqrt{7/3}$ they grow: it diverges."""
    return slack(s, _step(TAYLOR, s))


@claim(SOURCE, {"s": Real(0.01, 1.0, log=True)}, infimum=0.0)
def band(s: float) -> float:
    """Five official steps take all singular values of [0.01, 1] to [0.6818, 1.1344]; both ends are met."""
    after = _step(KELLER, s, 5)
    return min(after - 0.6818, 1.1344 - after)


@claim(SOURCE, {"s": Real(*invariant_band(KELLER[0])), "steps": Count(1, 50)}, infimum=0.0)
def invariant(s: float, steps: int) -> float:
    """What is in [0.68183, 1.13436] stays there for good, and goes to both ends."""
    (low, high), after = invariant_band(KELLER[0]), _step(KELLER, s, steps)
    return min(after - low, high - after)


@claim(SOURCE, {"s": Real(0.002, 1.0, log=True)}, infimum=0.0)
def wider_band(s: float) -> float:
    """Five official steps take all singular values of [0.002, 1] to [0.68, 1.203]."""
    after = _step(KELLER, s, 5)
    return min(after - 0.68, 1.203 - after)


@claim(f"{SOURCE}, trap", {"s": Real(0.01, 1.0, log=True)}, kind="equality", tolerance=0.1, expect="refuted",
       witness={"s": 0.5}, instead="newton_schulz.band")  # fmt: skip
def orthogonal_after_five(s: float) -> float:
    """Five official steps make a matrix orthogonal, to 0.1 or so."""
    return agreement(_step(KELLER, s, 5), 1.0)


@claim(
    SOURCE, {"s": Real(0.01, 1.0)}, kind="limit", tolerance=0.05, expect="refuted", witness={"s": 0.5},
    instead="newton_schulz.band",
)  # fmt: skip
def official_converges(s: float) -> float:
    """With the official coefficients singular values converge to 1: after ten steps they stay near it."""
    return -max(abs(_step(KELLER, s, steps) - 1) for steps in range(10, 20))


@claim(SOURCE, {"kappa": Real(0.1, 30.0), "x1": Real(0.3, 1.2), "x2": Real(0.3, 1.5), "s": Real(0.0, 1.5)},
       kind="equality", tolerance=1e-12)  # fmt: skip
def parametrised(kappa: float, x1: float, x2: float, s: float) -> float:
    r"""$x + \kappa x (x^2 - x_1^2)(x^2 - x_2^2)$ has the coefficients that the formulas give, and fixes $x_1, x_2$."""
    polynomials = (coefficients(kappa, x1, x2),)
    stated = s + kappa * s * (s * s - x1 * x1) * (s * s - x2 * x2)
    size = 1 + 30 * kappa
    return min(agreement(_step(polynomials, s), stated, size), agreement(_step(polynomials, x1), x1, size))


@claim(SOURCE, {"polynomials": Choice((KELLER, TAYLOR, QUINTIC)), "steps": Integer(0, 5), **SVD}, kind="equality",
       tolerance=ulps(2.0**14))  # fmt: skip
def keeps_singular_vectors(polynomials: tuple[Polynomial, ...], steps: int, u: Array, s: Array, v: Array) -> float:
    r"""Steps on a matrix are steps on its singular values: $X_T = U g^T(\Sigma / \|M\|_F) V^T$.

    What rounding puts in the place of a singular value of 0 grows by at most $3.4445^5 < 500$, or 640.
    """
    x, values = matrix(u, s, v), spectrum(s, 3)[: min(u.shape[0], v.shape[0])]
    length, taken = norm(values), take(polynomials, steps)
    after = newton_schulz(namespace(x), x, 0.0, polynomials=taken)
    return agreement(after, product(u, composite(taken, values / (length or 1.0)), v), scale=1.0)


_TABLE = (
    (1024, 1024, 3, 7.020, 0.830, 0.830, 4.328, -9.666, 0.10257, 0.18278),
    (1024, 1024, 5, 1.724, 0.935, 1.235, 3.297, -4.136, 0.02733, 0.04431),
    (2048, 1024, 5, 1.476, 0.983, 1.074, 2.644, -3.128, 0.00038, 0.02954),
    (4096, 1024, 3, 6.948, 0.802, 0.804, 3.886, -8.956, 0.00371, 0.02574),
    (2048, 2048, 3, 11.130, 0.767, 0.767, 4.857, -13.103, 0.10739, 0.24410),
    (4096, 4096, 3, 18.017, 0.705, 0.705, 5.460, -17.929, 0.11303, 0.33404),
    (4096, 4096, 5, 2.057, 0.894, 1.201, 3.373, -4.613, 0.04700, 0.06372),
    (8192, 8192, 3, 30.147, 0.643, 0.643, 6.139, -24.893, 0.11944, 0.44843),
)
"""Rows of the article: n, m, steps, kappa, x1, x2, a, b, mean square errors of its coefficients and of the official."""


@claim(SOURCE, kind="equality", tolerance=3e-4)
def table() -> float:
    """The mean square errors of the article's table follow from the Marchenko-Pastur law, without any matrix."""
    return min(
        agreement([newton_schulz_mse(n, m, steps, polynomial) for polynomial in ((a, b, kappa), KELLER[0])],
                  [own, official], 1.0)
        for n, m, steps, kappa, _, _, a, b, own, official in _TABLE
    )  # fmt: skip


@claim(SOURCE, kind="equality", tolerance=2e-3)
def table_of_coefficients() -> float:
    r"""Its a and b follow from $\kappa$, $x_1$ and $x_2$, as far as three digits of these say."""
    return min(agreement(coefficients(kappa, x1, x2)[:2], [a, b]) for _, _, _, kappa, x1, x2, a, b, _, _ in _TABLE)


KNOWN = (
    Known("newton_schulz.fixed_1", "the lower fixed point of the official map", SOURCE, "0.8680258",
          lambda: fixed_points(KELLER[0])[0]),
    Known("newton_schulz.fixed_2", "the upper one", SOURCE, "1.2637291", lambda: fixed_points(KELLER[0])[1]),
    Known("newton_schulz.band_low", "the lower end of the band", SOURCE, "0.68183",
          lambda: invariant_band(KELLER[0])[0]),
    Known("newton_schulz.band_high", "the upper end", SOURCE, "1.13436", lambda: invariant_band(KELLER[0])[1]),
    Known("newton_schulz.basin", "beyond which Taylor's map diverges, $\\sqrt{7/3}$", SOURCE, "1.5275",
          lambda: basin_end(TAYLOR[0])),
    Known("newton_schulz.from_a_hundredth_5", "of 0.01, five of Taylor's steps", SOURCE, "0.2285",
          lambda: _step(TAYLOR, 0.01, 5)),
    Known("newton_schulz.from_a_hundredth_8", "eight", SOURCE, "0.9427", lambda: _step(TAYLOR, 0.01, 8)),
    Known("newton_schulz.from_a_hundredth_10", "ten", SOURCE, "1.0000", lambda: _step(TAYLOR, 0.01, 10)),
)  # fmt: skip
