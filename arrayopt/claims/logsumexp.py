"""The log of a sum of exponentials: bounds, entropy, Lipschitz and convexity."""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import agreement, claim, slack, ulps
from arrayopt.claims.domain import DTYPES, Element, Integer, Numbers, Probability, Real
from arrayopt.core.logsumexp import logsumexp, softmax

SOURCE = "archive 9070 (section 10)"
ROUNDING = ulps(64)
X: dict[str, Element] = {"dtype": DTYPES, "n": Integer(1, 6), "x": Numbers(("n",), spread=5.0, dtype="dtype")}
XY: dict[str, Element] = {**X, "y": Numbers(("n",), spread=5.0, dtype="dtype")}
XP: dict[str, Element] = {"n": Integer(1, 6), "x": Numbers(("n",), spread=2.0), "p": Probability("n")}


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def upper(x: Array, n: int) -> float:
    r"""$\operatorname{LSE}(x) \le \max x + \log n$, with equality where all are equal."""
    return slack(_lse(x), _max(x) + math.log(n))


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def lower(x: Array) -> float:
    r"""$\max x \le \operatorname{LSE}(x)$, with equality for $n = 1$."""
    return slack(_max(x), _lse(x))


@claim(
    SOURCE, X, expect="refuted", witness={"dtype": "float64", "n": 1, "x": np.array([1.0])},
    instead="logsumexp.lower", smooth=False,
)  # fmt: skip
def strictly_lower(x: Array) -> float:
    r"""$\max x < \operatorname{LSE}(x)$, as the article has it: not for $n = 1$, nor where rounding hides the rest."""
    return 1.0 if _lse(x) > _max(x) else -1.0


@claim(SOURCE, {**X, "tau": Real(1e-3, 1e2, log=True)}, tolerance=ROUNDING, infimum=0.0)
def temperature(x: Array, n: int, tau: float) -> float:
    r"""$\max x \le \tau \operatorname{LSE}(x / \tau) \le \max x + \tau \log n$ for $\tau > 0$."""
    return min(slack(_max(x), _lse(x, tau)), slack(_lse(x, tau), _max(x) + tau * math.log(n)))


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def mean(x: Array, n: int) -> float:
    r"""$\operatorname{LSE}(x) \ge \bar x + \log n$, with equality where all are equal."""
    return slack(float(namespace(x).mean(x)) + math.log(n), _lse(x))


@claim(SOURCE, {**XP, "t": Real(1.01, 8.0)}, infimum=0.0, portable=False)
def holder(x: Array, p: Array, t: float) -> float:
    r"""$\operatorname{LSE}(x) \ge \langle p, x \rangle - \frac{1}{t-1} \log \sum p_i^t$ for $t > 1$."""
    return slack(_dot(p, x) - math.log(float(np.sum(p[p > 0] ** t))) / (t - 1), _lse(x))


@claim(
    SOURCE, {**XP, "t": Real(0.05, 0.95)}, tolerance=1e-9, portable=False, expect="refuted",
    witness={"n": 2, "x": np.array([0.0, 3.0]), "p": np.array([0.05, 0.95]), "t": 0.5}, instead="logsumexp.holder",
)  # fmt: skip
def holder_below_one(x: Array, p: Array, t: float) -> float:
    r"""$\operatorname{LSE}(x) \ge \langle p, x \rangle - \frac{1}{t-1} \log \sum p_i^t$ for $0 < t < 1$ too."""
    return float(holder.margin(x, p, t))


@claim(SOURCE, XP, infimum=0.0, portable=False)
def gibbs(x: Array, p: Array) -> float:
    r"""$\operatorname{LSE}(x) \ge \langle p, x \rangle + H(p)$, with equality for $p = \operatorname{softmax}(x)$."""
    return slack(_dot(p, x) + _entropy(p), _lse(x))


@claim(SOURCE, XP, kind="equality", tolerance=1e-13, portable=False)
def identity(x: Array, p: Array) -> float:
    r"""$\operatorname{LSE}(x) = \langle p, x \rangle + H(p) + \mathrm{KL}(p \,\|\, \operatorname{softmax}(x))$."""
    q = softmax(x, axis=None)
    kl = float(np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0) / q), 0.0)))
    return agreement(_lse(x), _dot(p, x) + _entropy(p) + kl, scale=_size(x))


@claim(SOURCE, XY, tolerance=ROUNDING, infimum=0.0)
def lipschitz(x: Array, y: Array) -> float:
    r"""$|\operatorname{LSE}(x) - \operatorname{LSE}(y)| \le \|x - y\|_\infty$."""
    return slack(abs(_lse(x) - _lse(y)), _max(abs(x - y)))


@claim(SOURCE, XY, tolerance=ROUNDING, infimum=0.0)
def between(x: Array, y: Array) -> float:
    r"""$\min (x - y) \le \operatorname{LSE}(x) - \operatorname{LSE}(y) \le \max (x - y)$."""
    change, scale = _lse(x) - _lse(y), _size(x, y)
    return min(slack(-_max(y - x), change, scale), slack(change, _max(x - y), scale))


@claim(SOURCE, XY, tolerance=ROUNDING, infimum=0.0)
def tangents(x: Array, y: Array) -> float:
    r"""$\langle \operatorname{softmax}(y), x - y \rangle \le \operatorname{LSE}(x) - \operatorname{LSE}(y)$.

    And at most $\langle \operatorname{softmax}(x), x - y \rangle$.
    """
    change, scale = _lse(x) - _lse(y), _size(x, y)
    below, above = (float(namespace(x).sum(softmax(z, axis=None) * (x - y))) for z in (y, x))
    return min(slack(below, change, scale), slack(change, above, scale))


@claim(SOURCE, {**XY, "t": Real(0.0, 1.0)}, tolerance=ROUNDING, infimum=0.0)
def convex(x: Array, y: Array, t: float) -> float:
    """LSE is convex."""
    return slack(_lse(t * x + (1 - t) * y), t * _lse(x) + (1 - t) * _lse(y))


@claim(SOURCE, {**X, "c": Real(-100.0, 100.0)}, kind="equality", tolerance=ROUNDING)
def shift(x: Array, c: float) -> float:
    r"""$\operatorname{LSE}(x + c) = \operatorname{LSE}(x) + c$."""
    return agreement(_lse(x + c), _lse(x) + c, scale=_size(x) + abs(c))


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0, portable=False)
def hessian(x: Array) -> float:
    r"""Its Hessian $\mathrm{diag}(p) - p p'$ has no negative eigenvalue, and constants in its kernel."""
    p = np.asarray(softmax(x, axis=None))
    h = np.diag(p) - np.outer(p, p)
    return float(min(np.linalg.eigvalsh(h)[0], -np.abs(h @ np.ones_like(p)).max()))


def _lse(x: Array, tau: float = 1.0) -> float:
    return float(logsumexp(x, axis=None, temperature=tau))


def _max(x: Array) -> float:
    return float(namespace(x).max(x))


def _size(*arrays: Array) -> float:
    return max(1.0, *(_max(abs(x)) for x in arrays))


def _dot(p: Any, x: Any) -> float:
    return float(np.sum(p * x))


def _entropy(p: Any) -> float:
    return -float(np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)))
