"""Dominated convergence of powers over one plus powers: envelopes, limits of integrals, where the exchange fails."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Element, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.theory.dominated import POWER_FAMILIES, PowerFamily, am_gm_split

SOURCE = article(14)
A, B = POWER_FAMILIES["A"](), POWER_FAMILIES["B"]()
ROUNDING = ulps(512)
"""Of exponentials whose exponents, sums of products of logs, are below 50."""
N: dict[str, Element] = {"n": Real(1e-3, 1e6, log=True)}
NX: dict[str, Element] = {"n": Real(1e-3, 1e3, log=True), "x": Real(1e-3, 1.0, log=True)}
FAMILY: dict[str, Element] = {
    "theta": Real(0.05, 0.95), "b": Real(-0.9, 12.0), "c": Real(0.2, 6.0), "d": Real(0.2, 6.0)
}  # fmt: skip


def _family(theta: float, b: float, c: float, d: float) -> PowerFamily:
    return PowerFamily(theta * c, b, c, d)


@claim(SOURCE, {"A": Real(1e-6, 1e6, log=True), "theta": Real(0.01, 0.99)}, tolerance=ulps(64), infimum=0.0)
def split(A: float, theta: float) -> float:
    r"""$1 + A \ge A^\theta / (\theta^\theta (1 - \theta)^{1 - \theta})$ for $0 < \theta < 1$ and $A \ge 0$."""
    return slack(am_gm_split(A, theta), 1 + A, 1 + A)


@claim(SOURCE, {"theta": Real(0.001, 0.999)}, kind="equality", tolerance=ulps(64))
def split_is_tight(theta: float) -> float:
    r"""With equality at $A = \theta / (1 - \theta)$."""
    A = theta / (1 - theta)
    return agreement(am_gm_split(A, theta), 1 + A)


@claim(SOURCE, {**FAMILY, **NX}, tolerance=ROUNDING, infimum=0.0)
def envelope(theta: float, b: float, c: float, d: float, n: float, x: float) -> float:
    r"""$f_n(x) = \frac{n^a x^b}{1 + n^c x^d} \le \theta^\theta (1 - \theta)^{1-\theta} x^{b - d\theta}$.

    With $\theta = a/c$ in $(0, 1)$.
    """
    f = _family(theta, b, c, d)
    return slack(f(n, x), f.envelope(x), f.envelope(x))


@claim(SOURCE, {**FAMILY, "x": Real(1e-3, 1.0, log=True)}, kind="equality", tolerance=ROUNDING)
def supremum(theta: float, b: float, c: float, d: float, x: float) -> float:
    r"""No dominating function is smaller: $f_n(x)$ attains it at the real n of $n^c x^d = \theta / (1 - \theta)$."""
    f = _family(theta, b, c, d)
    return agreement(f(f.peak(x), x), f.envelope(x))


ABOVE: dict[str, Element] = {
    "theta": Real(0.05, 0.95), "w": Real(0.0, 1.0), "beta": Real(0.05, 3.0), "c": Real(0.2, 6.0), "d": Real(0.3, 6.0),
    "n": Real(1.0, 1e6, log=True),
}  # fmt: skip


@claim(SOURCE, ABOVE, kind="limit", tolerance=ulps(4096), infimum=0.0)
def integrals_vanish(theta: float, w: float, beta: float, c: float, d: float, n: float) -> float:
    r"""If the envelope is integrable, the integrals tend to 0: $\int f_n \le n^{-c(\tau - \theta)} / (b + 1 - d\tau)$.

    For every $\tau$ from $\theta$ to 1 with $b + 1 > d\tau$; some are above $\theta$ if and only if $b - d\theta > -1$.
    """
    tau = theta + w * (1 - theta)
    f = _family(theta, beta - 1 + d * tau, c, d)
    bound = n ** (-c * (tau - theta)) / beta
    return slack(f.integral(n), bound, bound)


@claim(SOURCE, {**FAMILY, "n": Real(1e-3, 1e3, log=True)}, tolerance=ulps(4096), infimum=0.0)
def integral_of_envelope(theta: float, b: float, c: float, d: float, n: float) -> float:
    r"""And they are at most that of the envelope, $\theta^\theta (1 - \theta)^{1-\theta} / (b - d\theta + 1)$."""
    f = _family(theta, b, c, d)
    if not f.integrable:
        return 1.0
    most = f.envelope(1.0) / (f.exponent + 1)
    return slack(f.integral(n), most, most)


BORDER: dict[str, Element] = {
    "theta": Real(0.05, 0.95), "c": Real(0.2, 6.0), "d": Real(0.2, 6.0), "n": Real(1e-2, 1e6, log=True)
}  # fmt: skip


@claim(SOURCE, BORDER, kind="limit", tolerance=ulps(4096), infimum=0.0)
def borderline(theta: float, c: float, d: float, n: float) -> float:
    r"""If $b - d\theta = -1$, the integrals rise to $\frac{\pi}{d \sin(\pi (b + 1) / d)}$.

    They lack at most $\frac{n^{-c(1-\theta)}}{d (1 - \theta)}$.
    """
    f = _family(theta, d * theta - 1, c, d)
    limit = math.pi / (d * math.sin(math.pi * theta))
    left = limit - f.integral(n)
    return min(slack(0.0, left, limit), slack(left, n ** (-c * (1 - theta)) / (d * (1 - theta)), limit))


DIVERGING: dict[str, Element] = {
    "theta": Real(0.05, 0.999), "w": Real(0.05, 1.0), "c": Real(0.2, 6.0), "d": Real(0.2, 6.0),
    "n": Real(1.0, 1e3, log=True),
}  # fmt: skip


@claim(SOURCE, DIVERGING, kind="limit", tolerance=ulps(4096), infimum=0.0)
def integrals_diverge(theta: float, w: float, c: float, d: float, n: float) -> float:
    r"""If $b - d\theta < -1$, they diverge: $\int f_n \ge \frac{\log 2}{b + 1} n^{c(\theta - s)}$.

    With $s = (b + 1)/d$, which is less than $\theta$.
    """
    s = w * theta
    found = _family(theta, d * s - 1, c, d).integral(n)
    return slack(math.log(2) / (d * s) * n ** (c * (theta - s)), found, found)


@claim(SOURCE, kind="behaviour")
def the_exchange_fails() -> float:
    r"""Of $f_n = \frac{n^2 x}{1 + n^4 x^4}$ the limit is 0 at every x, but $\int f_n$ tends to $\pi/4$."""
    x = np.linspace(0.0, 1.0, 1001)
    return 1.0 if float(np.max(A(1e6, x))) < 1e-2 and abs(A.integral(1e6) - math.pi / 4) < 1e-12 else -1.0


@claim(SOURCE, {"x": Real(1e-4, 1.0, log=True)}, tolerance=ulps(64), infimum=0.0, smooth=False)
def no_dominator(x: float) -> float:
    r"""For it $\sup_n f_n(x) \ge \frac{2}{5 x}$ over the integers: no function that dominates it is integrable.

    With equality at $x = 1 / \sqrt 2$.
    """
    n = max(1, math.floor(1 / x))
    return slack(2 / 5, x * max(A(n, x), A(n + 1, x)))


@claim(SOURCE, {"x": Real(1e-6, 1.0, log=True)}, kind="equality", tolerance=ROUNDING)
def envelope_of_a(x: float) -> float:
    r"""Over real n the supremum of that is $\frac{1}{2x}$."""
    return agreement(A.envelope(x), 1 / (2 * x))


@claim(SOURCE, NX, tolerance=ROUNDING, infimum=0.0)
def envelope_of_b(n: float, x: float) -> float:
    r"""$\frac{n^3 x}{1 + n^4 x^2} \le \frac{27^{1/4}}{4} x^{-1/2}$.

    Since $1 + n^4 x^2 \ge 4 \cdot 27^{-1/4} n^3 x^{3/2}$: the coefficient is one over 1.7548.
    """
    least = 27**0.25 / 4 / math.sqrt(x)
    return min(slack(B(n, x), least, least), slack(4 * 27**-0.25 * n**3 * x**1.5, 1 + n**4 * x**2, 1 + n**4 * x**2))


CS: dict[str, Element] = {"s": Real(0.05, 20.0, log=True)}


@claim(SOURCE, {**CS, **NX}, tolerance=ROUNDING, infimum=0.0)
def envelope_of_c(s: float, n: float, x: float) -> float:
    r"""$\frac{(nx)^s}{1 + (nx)^{s+1}} \le \frac{s^{s/(s+1)}}{1 + s}$ for $s > 0$."""
    most = s ** (s / (s + 1)) / (1 + s)
    return slack(POWER_FAMILIES["C"](s)(n, x), most, most)


@claim(SOURCE, {"s": Real(1e-4, 1e4, log=True)}, tolerance=ulps(4), infimum=0.0)
def constant_of_c(s: float) -> float:
    r"""$\frac{s^{s/(s+1)}}{1 + s} \le 1$, which it comes near to for small and for large s."""
    return slack(s ** (s / (s + 1)) / (1 + s), 1.0)


@claim(SOURCE, N, kind="equality", tolerance=ROUNDING)
def integral_of_a(n: float) -> float:
    r"""$\int_0^1 \frac{n^2 x}{1 + n^4 x^4} dx = \frac12 \arctan n^2$."""
    return agreement(A.integral(n), 0.5 * math.atan(n * n))


@claim(SOURCE, N, kind="equality", tolerance=ROUNDING)
def integral_of_b(n: float) -> float:
    r"""$\int_0^1 \frac{n^3 x}{1 + n^4 x^2} dx = \frac{\log(1 + n^4)}{2n}$, which tends to 0."""
    return agreement(B.integral(n), math.log1p(n**4) / (2 * n))


@claim(SOURCE, {**CS, **N}, kind="equality", tolerance=ulps(4096))
def integral_of_c(s: float, n: float) -> float:
    r"""$\int_0^1 \frac{(nx)^s}{1 + (nx)^{s+1}} dx = \frac{\log(1 + n^{s+1})}{(s + 1) n}$, which tends to 0."""
    return agreement(POWER_FAMILIES["C"](s).integral(n), math.log1p(n ** (s + 1)) / ((s + 1) * n))


NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)


def _quadrature(f: PowerFamily, n: float) -> float:
    """Return the integral by Gauss's rule on pieces of length 1 in log x, where the spike is as wide as all else."""
    pieces = math.ceil((40 + f.c * max(0.0, math.log(n))) / (f.b + 1))  # what is left out is below e^-40 of it
    v = -np.arange(pieces)[:, None] - 0.5 + 0.5 * NODES[None, :]
    return float(np.sum(np.exp(v) * f(n, np.exp(v)) * WEIGHTS)) / 2


def _logs(instance: Mapping[str, Any]) -> float:
    """Return the tolerance of an integral, which multiplies exponentials of up to c log n (1 + s)."""
    most = instance["c"] * abs(math.log(instance["n"])) * (1 + (instance["b"] + 1) / instance["d"])
    return 4 * float(np.finfo(np.float64).eps) * (64 + float(most))


@claim(
    SOURCE, {**FAMILY, "b": Real(-0.5, 12.0), "n": Real(1e-2, 1e3, log=True)}, kind="equality", tolerance=_logs,
)  # fmt: skip
def quadrature(theta: float, b: float, c: float, d: float, n: float) -> float:
    r"""Gauss's rule, with $\log x$ as the variable, gives the integrals of the family."""
    f = _family(theta, b, c, d)
    return agreement(f.integral(n), _quadrature(f, n))


@claim(
    SOURCE, N, kind="equality", tolerance=1e-2, expect="refuted", witness={"n": 1e5}, instead="dominated.quadrature",
)  # fmt: skip
def fixed_grid(n: float) -> float:
    r"""On a fixed grid of 1,000 points $\int_0^1 \frac{n^2 x}{1 + n^4 x^4} dx$ is right to 1 %."""
    x = (np.arange(1000) + 0.5) / 1000
    return agreement(float(np.mean(A(n, x))), A.integral(n))


def _coefficient() -> Any:
    return am_gm_split(1.0, 0.75)


KNOWN = (
    Known(
        "dominated.coefficient", r"$4 \cdot 27^{-1/4}$, by which $x^{-1/2}$ is divided in the envelope of B", SOURCE,
        "1.7548", _coefficient,
    ),
    Known(
        "dominated.limit_of_a", r"The limit of the integrals of A, $\pi/4$", SOURCE, "0.785398",
        lambda: float(A.integral(1e9)),
    ),
)  # fmt: skip
