"""Line searches: what an accepted step satisfies, evaluated again; and what a run of Wolfe steps adds up to."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real
from arrayopt.claims.margins import host, norm
from arrayopt.claims.runs import iterates, smooth, softplus
from arrayopt.claims.sources import second_order
from arrayopt.core.objective import Objective
from arrayopt.secondorder import ConjugateGradient, SteepestDescent
from arrayopt.secondorder.conjugate_gradient import SHARES
from arrayopt.secondorder.line_search import (
    Armijo,
    Bisection,
    Exact,
    HagerZhang,
    LineSearch,
    MoreThuente,
    WeakWolfe,
    search_by,
)

Phi = Callable[[float], tuple[float, float]]


def _rational(a: float, beta: float = 2.0) -> tuple[float, float]:
    return -a / (a * a + beta), (a * a - beta) / (a * a + beta) ** 2


def _quintic(a: float, beta: float = 0.004) -> tuple[float, float]:
    b = a + beta
    return b**5 - 2 * b**4, 5 * b**4 - 8 * b**3


def _oscillating(a: float, beta: float = 0.01, waves: int = 39) -> tuple[float, float]:
    if abs(a - 1) >= beta:
        f, slope = abs(a - 1), math.copysign(1.0, a - 1)
    else:
        f, slope = (a - 1) ** 2 / (2 * beta) + beta / 2, (a - 1) / beta
    angle = waves * math.pi / 2 * a
    return f + 2 * (1 - beta) / (waves * math.pi) * math.sin(angle), slope + (1 - beta) * math.cos(angle)


def _yanai(b1: float, b2: float) -> Phi:
    left, right = (math.sqrt(1 + b * b) - b for b in (b1, b2))

    def phi(a: float) -> tuple[float, float]:
        u, v = math.hypot(1 - a, b2), math.hypot(a, b1)
        return left * u + right * v, left * (a - 1) / u + right * a / v

    return phi


MORE_THUENTE: tuple[Phi, ...] = (
    _rational, _quintic, _oscillating, _yanai(1e-3, 1e-3), _yanai(1e-2, 1e-3), _yanai(1e-3, 1e-2),
)  # fmt: skip
LINE: dict[str, Element] = {
    "which": Integer(0, 6), "size": Numbers((3,), low=0.0, high=1.0), "rate": Numbers((3,), low=0.3, high=6.0),
    "phase": Numbers((3,), low=0.0, high=2 * math.pi), "first": Real(1e-3, 1e3, log=True),
}  # fmt: skip
WOLFE: dict[str, Element] = {**LINE, "c1": Real(1e-4, 0.4, log=True), "gap": Real(1e-3, 0.55)}


def _phi(which: int, size: Array, rate: Array, phase: Array) -> Phi:
    """Return one of the six functions of More and Thuente, or a parabola with waves; both fall at 0."""
    if which < 6:
        return MORE_THUENTE[which]
    waves = [tuple(map(float, w)) for w in zip(host(size), host(rate), host(phase), strict=True)]

    def phi(a: float) -> tuple[float, float]:
        f = 0.1 * a * a + sum(s * math.sin(r * a + p) for s, r, p in waves)
        return f, 0.2 * a + sum(s * r * math.cos(r * a + p) for s, r, p in waves)

    if phi(0.0)[1] < 0:
        return phi
    return lambda a: (phi(-a)[0], -phi(-a)[1])


def _accepted(rule: LineSearch, phi: Phi, first: float, like: Array) -> tuple[float, ...]:
    """Return the accepted step, and phi and its slope at 0 and there, evaluated again; on arrays like `like`."""
    xp, one = namespace(like), 0 * like[:1] + 1
    objective = Objective(lambda x: phi(float(x[0]))[0], 0 * one, jac=lambda x: xp.asarray([phi(float(x[0]))[1]]))
    start = objective.at(objective.x0, one)
    if not start.slope < -max(1e-7, 1e-5 * math.sqrt(abs(start.f))):
        raise Outside("it does not fall, as far as its values tell")
    a = float(search_by(rule, objective)(start, one, start.slope, first).x[0])
    return (a, *phi(0.0), *phi(a))


def _armijo(at: tuple[float, ...], c1: float) -> float:
    a, f0, slope0, f, _ = at
    bound = f0 + c1 * a * slope0
    return (bound - f) / (-a * slope0)


def _weak(at: tuple[float, ...], c2: float) -> float:
    return (at[4] - c2 * at[2]) / -at[2]


def _strong(at: tuple[float, ...], c2: float) -> float:
    return (c2 * abs(at[2]) - abs(at[4])) / abs(at[2])


FIELDS: dict[str, Any] = {"tolerance": 0.0, "smooth": False, "infimum": 0.0}


@claim(second_order(18), {**LINE, "c1": Real(1e-4, 0.9)}, **FIELDS)
def armijo(which: int, size: Array, rate: Array, phase: Array, first: float, c1: float) -> float:
    r"""Backtracking ends at $\phi(a) \le \phi(0) + c_1 a \phi'(0)$."""
    return _armijo(_accepted(Armijo(c1=c1), _phi(which, size, rate, phase), first, size), c1)


@claim(
    second_order(18), LINE, tolerance=0.0, smooth=False, expect="refuted",
    instead="line_search.weak_wolfe",
    witness={"which": 1, "size": np.zeros(3), "rate": np.ones(3), "phase": np.zeros(3), "first": 1e-3},
)  # fmt: skip
def armijo_and_the_slope(which: int, size: Array, rate: Array, phase: Array, first: float) -> float:
    r"""Backtracking leaves $s'y > 0$ too, so that an update of a quasi-Newton model stays positive definite."""
    at = _accepted(Armijo(), _phi(which, size, rate, phase), first, size)
    return (at[4] - at[2]) / -at[2]


@claim(second_order(18), WOLFE, **FIELDS)
def weak_wolfe(which: int, size: Array, rate: Array, phase: Array, first: float, c1: float, gap: float) -> float:
    r"""Weak Wolfe conditions hold where their search ends: Armijo's, and $\phi'(a) \ge c_2 \phi'(0)$."""
    at = _accepted(WeakWolfe(c1=c1, c2=c1 + gap), _phi(which, size, rate, phase), first, size)
    return min(_armijo(at, c1), _weak(at, c1 + gap))


@claim(second_order(18), WOLFE, **FIELDS)
def more_thuente(which: int, size: Array, rate: Array, phase: Array, first: float, c1: float, gap: float) -> float:
    r"""More and Thuente's search ends at the strong Wolfe conditions: Armijo's, and $|\phi'(a)| \le c_2 |\phi'(0)|$."""
    rule = MoreThuente(c1=c1, c2=c1 + gap, rounding=0.0, most=100)
    at = _accepted(rule, _phi(which, size, rate, phase), first, size)
    return min(_armijo(at, c1), _strong(at, c1 + gap))


@claim(second_order(18), {**LINE, "delta": Real(1e-3, 0.49), "sigma": Real(0.5, 0.95)}, **FIELDS)
def hager_zhang(which: int, size: Array, rate: Array, phase: Array, first: float, delta: float, sigma: float) -> float:
    r"""Hager and Zhang's search ends at the weak Wolfe conditions, or the approximate ones.

    Those are $(2 \delta - 1) \phi'(0) \ge \phi'(a) \ge \sigma \phi'(0)$ and $\phi(a) \le \phi(0) + 10^{-6} |\phi(0)|$.
    """
    at = _accepted(HagerZhang(delta=delta, sigma=sigma), _phi(which, size, rate, phase), first, size)
    a, f0, slope0, f, slope = at
    rise = f0 + 1e-6 * abs(f0) - f
    near = min(((2 * delta - 1) * slope0 - slope) / -slope0, rise / (-a * slope0))
    return min(_weak(at, sigma), max(_armijo(at, delta), near))


@claim(second_order(18), LINE, tolerance=0.0, smooth=False, kind="limit")
def bisection(which: int, size: Array, rate: Array, phase: Array, first: float) -> float:
    """Bisection ends next to where the slope changes its sign, from negative to positive."""
    phi = _phi(which, size, rate, phase)
    a = _accepted(Bisection(), phi, first, size)[0]
    below, at, above = (phi(x)[1] for x in (math.nextafter(a, 0.0), a, math.nextafter(a, math.inf)))
    return 0.0 if at == 0 or below < 0 < at or at < 0 <= above else -1.0


@claim(
    second_order(18),
    {"curvature": Real(1e-3, 1e3, log=True), "slope": Real(1e-3, 1e3, log=True), "first": Real(1e-3, 1e3, log=True)},
    kind="equality", tolerance=4 * 2.0**-52,
)  # fmt: skip
def exact(curvature: float, slope: float, first: float) -> float:
    r"""Exact steps of parabolas are $-\phi'(0) / \phi''$, up to rounding of the difference of two slopes."""

    def phi(a: float) -> tuple[float, float]:
        return a * a * curvature / 2 - a * slope, a * curvature - slope

    step = _accepted(Exact(), phi, first, np.zeros(1))[0]
    return -abs(step * curvature / slope - 1) / (1 + slope / (first * curvature))


def _lipschitz(W: Array) -> float:
    """Return a Lipschitz constant of the gradient of `softplus`."""
    return float(namespace(W).linalg.matrix_norm(W, ord=2)) ** 2 / 4 + 1


@claim(
    second_order(29),
    {"beta": Choice(("none", *SHARES)), "k": Integer(1, 6), **smooth(), "c1": Real(1e-3, 0.4), "gap": Real(1e-2, 0.55)},
    tolerance=1e-10, infimum=0.0,
)  # fmt: skip
def zoutendijk(beta: str, k: int, W: Array, b: Array, x: Array, c1: float, gap: float) -> float:
    r"""Zoutendijk: $\sum_k \cos^2 \theta_k \|g_k\|^2 \le (f_0 - \inf f) L / m$ for Wolfe steps.

    With $m = \min(2 c_1 (1 - c_1), \frac{1 - c_2^2}{2})$, which is attained; the usual $c_1 (1 - c_2)$ is at most half
    of it.
    """
    c2, f = c1 + gap, softplus(W, b)
    search = WeakWolfe(c1=c1, c2=c2)
    method = (
        SteepestDescent(line_search=search) if beta == "none" else ConjugateGradient(beta=beta, line_search=search)  # type: ignore[arg-type]
    )
    run = iterates(method, f, x, k)
    total = 0.0
    for before, after in itertools.pairwise(run):
        s = after - before
        total += (float(f.gradient(before) @ s) / norm(s)) ** 2 if norm(s) > 0 else 0.0
    fell = float(f.value(run[0])) - min(float(f.value(z)) for z in run)
    bound = fell * _lipschitz(W) / min(2 * c1 * (1 - c1), (1 - c2 * c2) / 2)
    rounding = 1e-14 * abs(float(f.value(x))) * _lipschitz(W) / c1
    return 1 - total / (bound + rounding) if bound > 0 else 1.0
