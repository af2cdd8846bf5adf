"""Gradients from values alone: where they are exact, their bias, their best baseline."""

import functools
import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.designs import DESIGNS, gaussian_design, rademacher_design, skewed_design
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real, Symmetric
from arrayopt.claims.margins import agreement, slack
from arrayopt.claims.sources import article
from arrayopt.problems.problem import like
from arrayopt.sampling import score_gradient, stein_hessian
from arrayopt.sampling.smoothing import above_baseline

SOURCE = article(2)
SMOOTHING = "Nesterov and Spokoiny, Random gradient-free minimization of convex functions, 2017"
QUADRATIC: dict[str, Element] = {
    "d": Integer(1, 3), "H": Symmetric("d", -3.0, 3.0), "b": Numbers(("d",), low=-2.0, high=2.0),
    "x": Numbers(("d",), low=-2.0, high=2.0), "c": Real(-2.0, 2.0), "sigma": Real(0.01, 2.0, log=True),
}  # fmt: skip
"""x'Hx/2 + b'x + c, around a point x."""
ONE: dict[str, Element] = {"x": Real(-1.6, 1.6), "sigma": Real(1e-2, 1.0, log=True)}
"""A point of the line, for a sine."""


def value(x: Array, H: Array, b: Array, c: float) -> Array:
    """Return x'Hx/2 + b'x + c."""
    xp = namespace(x, H)
    return 0.5 * xp.sum((x @ H) * x, axis=-1) + xp.sum(x * b, axis=-1) + c


def rounding(sigma: float) -> float:
    """Return the scale of differences of values, up to some 100, over sigma."""
    return 100 + 100 / sigma


@claim(SMOOTHING, QUADRATIC, kind="equality", tolerance=1e-14)
def smoothed(d: int, H: Array, b: Array, x: Array, c: float, sigma: float) -> float:
    r"""The smoothed value of a quadratic is $E f(x + \sigma u) = f(x) + \frac12 \sigma^2 \operatorname{tr} H$."""
    xp = namespace(x)
    found = xp.mean(value(x + sigma * like(x, gaussian_design(d)), H, b, c))
    return agreement(found, value(x, H, b, c) + sigma**2 / 2 * xp.linalg.trace(H), 100.0)


@claim(SOURCE, {"kind": Choice(("gaussian", "rademacher")), **QUADRATIC}, kind="equality", tolerance=1e-14)
def exact(kind: str, d: int, H: Array, b: Array, x: Array, c: float, sigma: float) -> float:
    r"""$E[f(x + \sigma u) u] / \sigma = \nabla f(x)$ for quadratics, whatever $\sigma$, if u has no skew."""
    u = like(x, DESIGNS[kind](d))
    return agreement(score_gradient(value(x + sigma * u, H, b, c), u, sigma), H @ x + b, rounding(sigma))


@claim(
    SOURCE, QUADRATIC, kind="equality", tolerance=1e-6, expect="refuted", instead="zeroth_order.skewed",
    witness={"d": 1, "H": np.eye(1), "b": np.zeros(1), "x": np.zeros(1), "c": 0.0, "sigma": 0.1},
)  # fmt: skip
def exact_whatever_the_directions(d: int, H: Array, b: Array, x: Array, c: float, sigma: float) -> float:
    r"""It is for every u with $E u = 0$, $E uu' = I$."""
    u = like(x, skewed_design(d))
    return agreement(score_gradient(value(x + sigma * u, H, b, c), u, sigma), H @ x + b, 10.0)


@claim(SOURCE, QUADRATIC, kind="equality", tolerance=1e-14)
def skewed(d: int, H: Array, b: Array, x: Array, c: float, sigma: float) -> float:
    r"""With independent components of third moment m it is $\nabla f + \frac\sigma2 m \operatorname{diag} H$."""
    u = like(x, skewed_design(d))
    found = score_gradient(value(x + sigma * u, H, b, c) - value(x, H, b, c), u, sigma)
    return agreement(found, H @ x + b + sigma / 2 * 1.5 * namespace(H).linalg.diagonal(H), rounding(sigma))


@claim(
    SOURCE, {"kind": Choice(("gaussian", "rademacher")), **ONE}, kind="limit", tolerance=1e-8, infimum=0.0,
)  # fmt: skip
def symmetric_rate(kind: str, x: float, sigma: float) -> float:
    r"""For a symmetric u the error is $O(\sigma^2)$: at most $\frac{\sigma^2}{6} E u^4 \max |f'''|$ on the line."""
    most = sigma**2 / 6 * {"gaussian": 3.0, "rademacher": 1.0}[kind]
    return slack(abs(_sine(kind, x, sigma)), most, most)


@claim(SOURCE, ONE, kind="limit", tolerance=1e-8, infimum=0.0)
def skewed_rate(x: float, sigma: float) -> float:
    r"""In general it is $O(\sigma)$: at most $\frac\sigma2 |E u^3| \max|f''| + \frac{\sigma^2}{6} E u^4 \max|f'''|$."""
    most = sigma / 2 * 1.5 + sigma**2 / 6 * 3.25
    return slack(abs(_sine("skewed", x, sigma)), most, most)


@claim(
    SOURCE, ONE, kind="limit", tolerance=0.0, expect="refuted", witness={"x": 1.5, "sigma": 0.01},
    instead="zeroth_order.skewed_rate",
)  # fmt: skip
def square_rate_for_all(x: float, sigma: float) -> float:
    r"""The error is $O(\sigma^2)$ for every u: at most $3 \sigma^2$ for a sine."""
    return slack(abs(_sine("skewed", x, sigma)), 3 * sigma**2, sigma**2)


@claim(
    SOURCE, {"x": Real(-3.0, 3.0), "jump": Real(-1.0, 1.0), "sigma": Real(0.1, 3.0, log=True)}, kind="equality",
    tolerance=1e-12,
)  # fmt: skip
def of_a_step(x: float, jump: float, sigma: float) -> float:
    r"""With Gaussian u it is the gradient of the smoothed function, even of a step.

    Which is $\varphi((x - a) / \sigma) / \sigma$: by quadrature of $E[f(x + \sigma u) u] / \sigma$ on either side
    of the jump at a.
    """
    split = (jump - x) / sigma
    t, w = _legendre()
    sides = [(low + (1 + t) / 2 * (high - low), w / 2 * (high - low)) for low, high in _sides(split, 12.0)]
    u, weight = (np.concatenate(parts) for parts in zip(*sides, strict=True))
    f = (x + sigma * u > jump) * weight * np.exp(-u * u / 2) / math.sqrt(2 * math.pi) * u.size
    return agreement(score_gradient(f, u[:, None], sigma)[0] * sigma, _density(split), 1.0)


@claim(SOURCE, QUADRATIC, kind="equality", tolerance=1e-13)
def best_baseline_of_quadratics(d: int, H: Array, b: Array, x: Array, c: float, sigma: float) -> float:
    r"""$b^* = E[f(x + \sigma u) \|u\|^2] / E\|u\|^2$ is $f(x) + \sigma^2 \frac{d+2}{2d} \operatorname{tr} H$.

    For quadratics and Gaussian u.
    """
    u = like(x, gaussian_design(d))
    f = value(x + sigma * u, H, b, c)
    best = f - above_baseline(f, "optimal", u)
    stated = value(x, H, b, c) + sigma**2 * (d + 2) / (2 * d) * namespace(H).linalg.trace(H)
    return agreement(best, stated + 0 * best, 100.0)


@claim(SOURCE, {**QUADRATIC, "d": Integer(1, 2)}, tolerance=1e-11, infimum=0.0)
def best_baseline(d: int, H: Array, b: Array, x: Array, c: float, sigma: float) -> float:
    r"""No constant has less variance than $b^*$: neither 0, nor f(x), nor the mean of the values."""
    xp, u = namespace(x), like(x, gaussian_design(d))
    f = value(x + sigma * u, H, b, c)
    above = above_baseline(f, "optimal", u)
    least = _second_moment(above, u)
    if least < 1e-6:
        raise Outside
    return min(slack(least, _second_moment(f - v, u), least) for v in (0.0, value(x, H, b, c), xp.mean(f)))


@claim(SMOOTHING, QUADRATIC, kind="equality", tolerance=1e-13)
def hessian(d: int, H: Array, b: Array, x: Array, c: float, sigma: float) -> float:
    r"""Stein: $E[f(x + \sigma u) (uu' - I)] / \sigma^2 = H$ for quadratics and Gaussian u.

    With the mean as baseline, too.
    """
    u = like(x, gaussian_design(d))
    f = value(x + sigma * u, H, b, c)
    return min(agreement(stein_hessian(f, u, sigma, how), H, 100 + 100 / sigma**2) for how in ("none", "mean"))


@claim(
    SMOOTHING, QUADRATIC, kind="equality", tolerance=1e-6, expect="refuted", instead="zeroth_order.hessian",
    witness={"d": 1, "H": np.eye(1), "b": np.zeros(1), "x": np.zeros(1), "c": 0.0, "sigma": 0.7},
)  # fmt: skip
def hessian_of_signs(d: int, H: Array, b: Array, x: Array, c: float, sigma: float) -> float:
    """Other directions will do: Rademacher ones, of which the squares are 1, so that they do not see the diagonal."""
    u = like(x, rademacher_design(d))
    return agreement(stein_hessian(value(x + sigma * u, H, b, c), u, sigma), H, 10.0)


def _sine(kind: str, x: float, sigma: float) -> float:
    """Return the error of the zeroth-order derivative of a sine."""
    u = DESIGNS[kind](1)
    return float(score_gradient(np.sin(x + sigma * u[:, 0]) - math.sin(x), u, sigma)[0]) - math.cos(x)


@functools.cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(80)


def _sides(split: float, end: float) -> list[tuple[float, float]]:
    """Return intervals on either side of a split, within [-end, end]."""
    if not -end < split < end:
        raise Outside
    return [(-end, split), (split, end)]


def _density(t: float) -> float:
    return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)


def _second_moment(f: Array, u: Array) -> float:
    xp = namespace(f, u)
    return float(xp.mean(xp.sum((f[:, None] * u) ** 2, axis=1)))
