"""The floor smoothed by a kernel: its sum and its Fourier series, integers, ends."""

import math

import numpy as np

from arrayopt.backend import Array
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import DTYPES, Choice, Count, Element, Numbers, Real
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.smoothing import ALL, FURTHEST, KERNELS, NODES, WEIGHTS
from arrayopt.claims.sources import article
from arrayopt.smooth import Logistic, floor_series, smooth_floor

SOURCE = article(21)
LIGHT = Choice(("logistic", "gaussian"))
ENDS: dict[str, Element] = {"M": Count(0, 12), "N": Count(1, 12)}
FIRST, LAST = -40, 40
"""Ends so far away that at unit scale and below neither matters to what is within `MIDDLE` of 0, up to 1e-16."""
MIDDLE = Real(-3.0, 3.0)
SCALE = Real(0.03, 1.0, log=True)
SERIES: dict[str, Element] = {"kernel": LIGHT, "x": MIDDLE, "scale": SCALE}


def _step(x: float, scale: float) -> float:
    """Return the article's step, the sigmoid of x / scale."""
    v = x / scale
    return 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v))


@claim(SOURCE, {"dtype": DTYPES, **ENDS, "x": Numbers((1,), spread=4.0, dtype="dtype"), "scale": Real(0.05, 1.0)},
       kind="equality", tolerance=ulps(64))  # fmt: skip
def forms(M: int, N: int, x: Array, scale: float) -> float:
    r"""$\sum_{n=-M}^0 [\Phi(x - n) - 1] + \sum_{n=1}^N \Phi(x - n) = -M - 1 + \sum_{n=-M}^N \Phi(x - n)$.

    With the sigmoid of $tx$; the latter is what is computed.
    """
    at = float(x[0])
    first = sum(_step(at - n, scale) - 1 for n in range(-M, 1)) + sum(_step(at - n, scale) for n in range(1, N + 1))
    return agreement(smooth_floor(x, Logistic(scale), -M, N)[0], first, scale=M + N + abs(at) / scale)


@claim(SOURCE, {"dtype": DTYPES, **ENDS, "x": Numbers((1,), spread=4.0, dtype="dtype"), "scale": Real(0.05, 1.0)},
       tolerance=ulps(16), infimum=0.0)  # fmt: skip
def ends(M: int, N: int, x: Array, scale: float) -> float:
    r"""$-M - 1 \le g(x) \le N$, to which it saturates outside of $(-M, N + 1)$."""
    g = float(smooth_floor(x, Logistic(scale), -M, N)[0])
    return min(slack(-M - 1.0, g), slack(g, float(N)))


@claim(SOURCE, {"kernel": ALL, "x": MIDDLE, "y": MIDDLE, "scale": SCALE}, tolerance=ulps(64), infimum=0.0)
def increasing(kernel: str, x: float, y: float, scale: float) -> float:
    r"""It is increasing."""
    low, high = sorted((x, y))
    of = KERNELS[kernel](scale)
    return slack(smooth_floor(low, of), smooth_floor(high, of))


@claim(SOURCE, {**SERIES, "distance": Real(1e-3, 0.5, log=True)}, tolerance=1e-13, infimum=0.0)
def error(kernel: str, x: float, scale: float, distance: float) -> float:
    r"""At a distance $d \le \frac12$ above an integer $|g(x) - \lfloor x \rfloor| \le \sum_{k \ge 0} \Phi(-d - k)$.

    For ends far away.
    """
    at = math.floor(x) + distance
    of = KERNELS[kernel](scale)
    bound = sum(of.cdf(-distance - k) for k in range(LAST))
    return slack(abs(smooth_floor(at, of, FIRST, LAST) - math.floor(x)), bound)


@claim(SOURCE, {"kernel": LIGHT, "x": MIDDLE}, kind="limit", tolerance=1e-12)
def converges(kernel: str, x: float) -> float:
    r"""It tends to the floor between integers, as the scale falls to 0: at 1/50 of the distance to one."""
    distance = abs(x - round(x))
    if distance == 0:
        raise Outside("an integer")
    return agreement(smooth_floor(x, KERNELS[kernel](distance / 50), FIRST, LAST), math.floor(x), scale=1.0)


@claim(SOURCE, SERIES, kind="equality", tolerance=ulps(256))
def fourier(kernel: str, x: float, scale: float) -> float:
    r"""For ends far away it is $x - \frac12 + \sum_{k \ge 1} \frac{\sin 2 \pi k x}{\pi k} \hat\phi(k)$."""
    of = KERNELS[kernel](scale)
    return agreement(smooth_floor(x, of, FIRST, LAST), floor_series(x, of), scale=1.0)


@claim(SOURCE, {"kernel": LIGHT, "scale": Real(0.01, 0.5, log=True), "k": Real(0.0, 3.0)}, kind="equality",
       tolerance=ulps(256))  # fmt: skip
def transform(kernel: str, scale: float, k: float) -> float:
    r"""$\hat\phi(k)$ is $e^{-2 \pi^2 k^2 \sigma^2}$, Gaussian, and $(2 \pi^2 k / t) / \sinh(2 \pi^2 k / t)$, logistic.

    By quadrature.
    """
    of = KERNELS[kernel](scale)
    knots = np.linspace(0.0, FURTHEST, 91)
    z = (knots[:-1] + knots[1:])[:, None] / 2 + 0.25 * NODES
    value = (
        2 * scale * math.fsum((of.density(scale * z) * np.cos(2 * math.pi * k * scale * z) * 0.25 * WEIGHTS).ravel())
    )
    w = 2 * math.pi**2 * k * scale
    printed = math.exp(-(w * w) / (2 * math.pi**2)) if kernel == "gaussian" else w / math.sinh(w) if w else 1.0
    return agreement([value, of.transform(k)], [printed, printed], scale=1.0)


@claim(SOURCE, SERIES, kind="equality", tolerance=ulps(256))
def period(kernel: str, x: float, scale: float) -> float:
    r"""For ends far away $g(x) - x$ has the period 1."""
    of = KERNELS[kernel](scale)
    now, later = (smooth_floor(v, of, FIRST, LAST) - v for v in (x, x + 1))
    return agreement(now, later, scale=1.0)


@claim(SOURCE, {"kernel": LIGHT, "k": Count(-3, 3), "scale": SCALE}, kind="equality", tolerance=ulps(256))
def at_integers(kernel: str, k: int, scale: float) -> float:
    r"""At an integer k it is $k - \frac12$, for ends far away."""
    of = KERNELS[kernel](scale)
    found = [smooth_floor(float(k), of, FIRST, LAST), floor_series(float(k), of)]
    return agreement(found, [k - 0.5, k - 0.5], scale=1.0)


@claim(
    SOURCE, {"kernel": LIGHT, "k": Count(-3, 3), "scale": SCALE}, kind="equality", expect="refuted",
    witness={"kernel": "logistic", "k": 3, "scale": 0.1}, instead="smooth_floor.at_integers",
)  # fmt: skip
def floor_at_integers(kernel: str, k: int, scale: float) -> float:
    r"""At an integer k it is k, as the floor is."""
    return agreement(smooth_floor(float(k), KERNELS[kernel](scale), FIRST, LAST), float(k), scale=1.0)


LINE: dict[str, Element] = {**ENDS, "part": Real(0.0, 1.0), "scale": Real(0.05, 1.0)}
"""The ends, and where x is between -M + 1 and N."""


@claim(SOURCE, LINE, infimum=0.0)
def limit_line(M: int, N: int, part: float, scale: float) -> float:
    r"""$\Phi(x + M) \approx 1$ for x well above -M: at least $\Phi(1)$ for $x \ge -M + 1$."""
    x = -M + 1 + part * (N + M - 1)
    return slack(Logistic(scale).cdf(1.0), Logistic(scale).cdf(x + M))


@claim(
    SOURCE, LINE, expect="refuted", witness={"M": 10, "N": 2, "part": 0.0, "scale": 0.1},
    instead="smooth_floor.limit_line",
)  # fmt: skip
def limit_line_as_printed(M: int, N: int, part: float, scale: float) -> float:
    r"""$\Phi(x + N) \approx 1$ as printed, for $-M + 1 \le x \le N$: at least $\Phi(1)$."""
    x = -M + 1 + part * (N + M - 1)
    return slack(Logistic(scale).cdf(1.0), Logistic(scale).cdf(x + N))


@claim(SOURCE, {"kernel": LIGHT, "outside": Real(0.0, 10.0), **ENDS, "scale": SCALE}, tolerance=ulps(128), infimum=0.0)
def saturation(kernel: str, outside: float, M: int, N: int, scale: float) -> float:
    r"""At a distance d below $-M$ it is at most $\sum_{k \ge 0} \Phi(-d - k)$ above $-M - 1$; mirrored above N."""
    of = KERNELS[kernel](scale)
    beyond = sum(of.cdf(-outside - k) for k in range(LAST))
    left = smooth_floor(-M - outside, of, -M, N) + M + 1
    right = N - smooth_floor(N + outside, of, -M, N)
    return min(slack(left, beyond), slack(right, beyond))
