"""A variational bound of an integral: Jensen's inequality under a normal distribution, its best member, its loss."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from arrayopt.backend import Array, Namespace, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Probability, Real, Symmetric
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.core.logsumexp import logsumexp
from arrayopt.errors import OptionError
from arrayopt.theory.integral_bounds import (
    INTEGRAL_BOUND_RATIO,
    best_gaussian,
    gaussian_integral_bound,
    integral_bound,
    integral_exact,
)

SOURCE = article(12)
ROUNDING = ulps(64)
S: dict[str, Element] = {"s": Real(1.0, 1e6, log=True)}
"""The root that the article names, of which epsilon is (s^2 - 1) / 12: 0 for s = 1."""
SP: dict[str, Element] = {**S, "p": Real(1e-2, 1e6, log=True)}
FAR: dict[str, Element] = {"s": Real(1.0, 1e8, log=True)}
EXCESS = math.sqrt(12) * math.gamma(0.75) / math.gamma(0.25) - 1
"""By how much over s the quotient of bound and integral exceeds its limit, relatively: 0.1708."""


def _eps(s: float) -> float:
    return (s - 1) * (s + 1) / 12


def _ratio(s: float) -> float:
    return float(integral_bound(_eps(s)) / integral_exact(_eps(s)))


@claim(SOURCE, SP, tolerance=ROUNDING, infimum=0.0)
def jensen(s: float, p: float) -> float:
    r"""$I(\epsilon) = \int e^{-x^2 - \epsilon x^4} dx \ge \sqrt{\pi/p} \exp \frac{2p(p-1) - 3\epsilon}{4p^2}$.

    For every $p > 0$, by Jensen's inequality under $N(0, 1/(2p))$; with equality for $\epsilon = 0$ and $p = 1$.
    """
    exact = integral_exact(_eps(s))
    return slack(gaussian_integral_bound(_eps(s), p), exact, exact)


@claim(SOURCE, SP, tolerance=ROUNDING, infimum=0.0)
def best(s: float, p: float) -> float:
    r"""No p gives more than $p = (1 + s) / 2$, where $s = \sqrt{1 + 12 \epsilon}$."""
    most = gaussian_integral_bound(_eps(s), (1 + s) / 2)
    return slack(gaussian_integral_bound(_eps(s), p), most, most)


@claim(SOURCE, {**SP, "t": Real(0.0, 1.0)}, tolerance=ROUNDING, infimum=0.0)
def unique(s: float, p: float, t: float) -> float:
    r"""No other p is a maximum: the bound rises all the way from any p to $(1 + s) / 2$, on both sides."""
    nearer = gaussian_integral_bound(_eps(s), p * (best_gaussian(_eps(s)) / p) ** t)
    return slack(gaussian_integral_bound(_eps(s), p), nearer, integral_bound(_eps(s)))


@claim(SOURCE, S, kind="equality", tolerance=ROUNDING)
def root(s: float) -> float:
    r"""$(1 + s) / 2$, the best p, is the positive root of $p^2 - p = 3 \epsilon$."""
    p = best_gaussian(_eps(s))
    return min(agreement(p, (1 + s) / 2), agreement(p * p - p, 3 * _eps(s), scale=p * p))


@claim(SOURCE, S, kind="equality", tolerance=ROUNDING)
def best_value(s: float) -> float:
    r"""With it the bound is $\hat I(\epsilon) = \sqrt{2\pi / (s + 1)} \exp \frac{3\epsilon}{(s + 1)^2}$."""
    formula = math.sqrt(2 * math.pi / (s + 1)) * math.exp(3 * _eps(s) / (s + 1) ** 2)
    return min(agreement(integral_bound(_eps(s)), b) for b in (formula, gaussian_integral_bound(_eps(s), (1 + s) / 2)))


@claim(SOURCE, {"s": Real(1.0, 2.0)}, tolerance=1e-13, infimum=0.0)
def tight_at_zero_only(s: float) -> float:
    r"""$\hat I = I$ for $\epsilon = 0$ only: up to 1/4 it loses at least $16 \epsilon^2$ times what it does there."""
    there = 1 - _ratio(2.0)
    return slack(16 * _eps(s) ** 2 * there, 1 - _ratio(s), there)


@claim(SOURCE, {"s": Real(1.0, 1e3, log=True), "factor": Real(1.0, 1e3, log=True)}, tolerance=ROUNDING, infimum=0.0)
def falls(s: float, factor: float) -> float:
    r"""$\hat I / I$ falls as $\epsilon$ grows."""
    return slack(_ratio(s * factor), _ratio(s))


@claim(SOURCE, FAR, tolerance=ROUNDING, infimum=0.0)
def loses_little(s: float) -> float:
    r"""$\hat I / I \ge \sqrt{2\pi} e^{1/4} / (12^{1/4} \cdot 2 \Gamma(5/4)) = 0.9539$: it never loses 4.61 %."""
    return slack(INTEGRAL_BOUND_RATIO, _ratio(s))


@claim(SOURCE, FAR, kind="limit", tolerance=ROUNDING, infimum=0.0)
def ratio_at_infinity(s: float) -> float:
    r"""$\hat I / I$ has this limit: it is at most $1 + \kappa / s$ times that.

    With $\kappa = \sqrt{12} \, \Gamma(3/4) / \Gamma(1/4) - 1 = 0.1708$, which is the true rate.
    """
    return slack(_ratio(s), INTEGRAL_BOUND_RATIO * (1 + EXCESS / s))


@claim(SOURCE, {"s": Real(1.001, 1e6, log=True)}, kind="equality", tolerance=ROUNDING)
def bessel(s: float) -> float:
    r"""$I(\epsilon) = \frac12 \epsilon^{-1/2} e^{1/(8\epsilon)} K_{1/4}(1/(8\epsilon))$.

    With $e^z K_\nu(z) = \int_0^\infty e^{-z (\cosh t - 1)} \cosh(\nu t) dt$ by the trapezoidal rule, to rounding.
    """
    z = 1 / (8 * _eps(s))
    t = np.arange(-36 * 64, 36 * 64 + 1) / 64
    k = float(np.sum(np.exp(-2 * z * np.sinh(t / 2) ** 2) * np.cosh(t / 4))) / 128
    return agreement(integral_exact(_eps(s)), k / (2 * math.sqrt(_eps(s))))


KL: dict[str, Element] = {"s": Real(1.0, 10.0), "p": Real(0.1, 10.0, log=True)}


@claim(SOURCE, KL, kind="equality", tolerance=ROUNDING)
def gap_is_divergence(s: float, p: float) -> float:
    r"""$\log (I / \text{bound})$ is the divergence of the normal distribution q, $\mathrm{KL}(q \,\|\, e^{-S} / I)$."""
    eps, step = _eps(s), 1 / 16
    z = step * np.arange(-12 * 16, 12 * 16 + 1)  # the trapezoidal rule, exact to rounding for normal distributions
    q = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    x = z / math.sqrt(2 * p)
    each = 0.5 * math.log(p / math.pi) - p * x * x + x * x + eps * x**4 + math.log(integral_exact(eps))
    gap = math.log(integral_exact(eps)) - math.log(gaussian_integral_bound(eps, p))
    return agreement(step * math.fsum(q * each), gap, scale=1 + 1 / p + eps / p**2)


@claim(
    SOURCE, {"n": Integer(1, 6), "S": Numbers(("n",), spread=2.0), "q": Probability("n", positive=True)},
    tolerance=ROUNDING, infimum=0.0,
)  # fmt: skip
def principle(S: Array, q: Array) -> float:
    r"""$\log \sum e^{-S} \ge \log Z + E_q[S_q - S]$ for every weight $e^{-S_q}$ with sum Z.

    With equality for $S_q = S$.
    """
    xp = namespace(S)
    log_q = xp.log(q)
    return slack(float(xp.sum(q * (-log_q - S))), float(logsumexp(-S, axis=None)))


CONVEX: dict[str, Callable[[Namespace, Array], Array]] = {
    "exp": lambda xp, x: xp.exp(x), "square": lambda xp, x: x * x, "modulus": lambda xp, x: abs(x),
    "softplus": lambda xp, x: xp.logaddexp(0 * x, x), "ramp": lambda xp, x: xp.maximum(x, 0 * x),
}  # fmt: skip


@claim(
    SOURCE, {"f": Choice(tuple(CONVEX)), "n": Integer(1, 6), "x": Numbers(("n",)), "q": Probability("n")},
    tolerance=ROUNDING, infimum=0.0,
)  # fmt: skip
def any_convex_function(f: str, x: Array, q: Array) -> float:
    """Any convex function may take the place of exp: the mean of its values is at least its value at the mean."""
    xp = namespace(x)
    values = CONVEX[f](xp, x)
    return slack(CONVEX[f](xp, xp.sum(q * x)), xp.sum(q * values), max(1.0, float(xp.max(abs(values)))))


NORMAL: dict[str, Element] = {
    "n": Integer(1, 3), "A": Symmetric("n", 0.1, 10.0, log=True), "B": Symmetric("n", 0.1, 10.0, log=True),
    "m": Numbers(("n",)),
}  # fmt: skip


@claim(SOURCE, NORMAL, tolerance=ulps(1024), infimum=0.0)
def several_variables(n: int, A: Array, B: Array, m: Array) -> float:
    r"""So it is in n variables: under $N(m, B^{-1})$ for $\int e^{-x'Ax/2} dx$, with equality for $B = A$, $m = 0$."""
    xp = namespace(A)
    log_a, log_b = (float(xp.linalg.slogdet(M)[1]) for M in (A, B))
    quadratic = float(xp.linalg.trace(xp.linalg.solve(B, A)) + m @ A @ m)
    return slack((n - quadratic - log_b) / 2, -log_a / 2, max(1.0, quadratic))


def _refused(f: Any, eps: float) -> bool:
    try:
        f(eps)
    except OptionError:
        return True
    return False


@claim(SOURCE, kind="behaviour")
def refused_below_zero() -> float:
    r"""For $\epsilon < 0$ the integral diverges, and integral and bound are refused."""
    found = [
        _refused(f, e) for f in (integral_bound, integral_exact, best_gaussian) for e in (-1e-300, -0.05, -math.inf)
    ]
    x = np.linspace(-40, 40, 8001)
    return 1.0 if all(found) and float(np.sum(np.exp(0.05 * x**4 - x * x))) * 0.01 > 1e300 else -1.0


@claim(SOURCE, kind="behaviour")
def the_formula_does_not_notice() -> float:
    r"""Nothing happens to the closed form of the bound for $-1/12 \le \epsilon < 0$: its numbers are finite."""
    values = [math.sqrt(2 * math.pi / (s + 1)) * math.exp(3 * _eps(s) / (s + 1) ** 2) for s in (0.0, 0.5, 0.9)]
    return 1.0 if all(1.5 < v < 3.0 for v in values) else -1.0


KNOWN = (
    *(
        Known(f"integral_bounds.integral_{e:g}", rf"$I({e:g})$", SOURCE, printed, partial(integral_exact, e))
        for e, printed in ((0.0, "1.77245"), (1.0, "1.36843"), (100.0, "0.554577"))
    ),
    *(
        Known(f"integral_bounds.bound_{e:g}", rf"$\hat I({e:g})$", SOURCE, printed, partial(integral_bound, e))
        for e, printed in ((0.0, "1.77245"), (1.0, "1.34547"), (100.0, "0.531509"))
    ),
    Known(
        "integral_bounds.limit", r"The limit of $\hat I / I$", SOURCE, "0.9539314424", lambda: INTEGRAL_BOUND_RATIO,
    ),
    Known(
        "integral_bounds.loss", r"The most that $\hat I$ loses, in percent", SOURCE, "4.61",
        lambda: 100 * (1 - INTEGRAL_BOUND_RATIO),
    ),
)  # fmt: skip
