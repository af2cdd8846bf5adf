"""The log of a sum of exponentials: bounds, entropy, Lipschitz and convexity."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import DTYPES, Element, Integer, Numbers, Probability, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, host, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.core.logsumexp import logsumexp, softmax

SOURCE = article(10)
ROUNDING = ulps(64)
X: dict[str, Element] = {"dtype": DTYPES, "n": Integer(1, 6), "x": Numbers(("n",), spread=5.0, dtype="dtype")}
XY: dict[str, Element] = {**X, "y": Numbers(("n",), spread=5.0, dtype="dtype")}
MORE: dict[str, Element] = {"dtype": DTYPES, "n": Integer(2, 6), "x": Numbers(("n",), spread=5.0, dtype="dtype")}
TAU = Real(1e-3, 1e2, log=True)
XP: dict[str, Element] = {"n": Integer(1, 6), "x": Numbers(("n",), spread=2.0), "p": Probability("n")}


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def upper(x: Array, n: int) -> float:
    r"""$\operatorname{LSE}(x) \le \max x + \log n$, with equality where all are equal."""
    return slack(_lse(x), _max(x) + math.log(n))


@claim(SOURCE, MORE, tolerance=ROUNDING, infimum=0.0)
def upper_if_not_equal(x: Array, n: int) -> float:
    r"""$\operatorname{LSE}(x) \le \max x + \log(n - 1 + e^{\min x - \max x})$: so above only if all are equal."""
    return slack(_lse(x), _max(x) + math.log(n - 1 + math.exp(-_max(-x) - _max(x))))


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def lower(x: Array) -> float:
    r"""$\max x \le \operatorname{LSE}(x)$, with equality for $n = 1$."""
    return slack(_max(x), _lse(x))


@claim(
    SOURCE, X, expect="refuted", witness={"dtype": "float64", "n": 1, "x": np.array([1.0])},
    instead="logsumexp.strict", smooth=False,
)  # fmt: skip
def strictly_lower(x: Array) -> float:
    r"""$\max x < \operatorname{LSE}(x)$, as the article has it: not for $n = 1$."""
    return 1.0 if _lse(x) > _max(x) else -1.0


@claim(
    SOURCE, {**MORE, "tau": TAU}, expect="refuted", instead="logsumexp.strict", smooth=False,
    witness={"dtype": "float32", "n": 2, "x": np.array([1.0, -17.0], np.float32), "tau": 1.0},
)  # fmt: skip
def strictly_lower_as_computed(x: Array, tau: float) -> float:
    r"""$\max x < \tau \operatorname{LSE}(x / \tau)$ for $n \ge 2$ as computed: not where rounding hides it."""
    return 1.0 if _lse(x, tau) > _max(x) else -1.0


@claim(SOURCE, {**MORE, "tau": TAU}, kind="equivalence", smooth=False)
def strict(x: Array, tau: float) -> float:
    r"""$\max x < \tau \operatorname{LSE}(x / \tau)$ for $n \ge 2$ where rounding does not hide the rest: only there.

    That is, where $\tau \log(1 + \sum e^{-(\max x - x_i) / \tau})$ is above the way from $\max x$ to the next number.
    """
    numbers = np.sort(host(x))
    rest = tau * math.log1p(math.fsum(math.exp((float(v) - _max(x)) / tau) for v in numbers[:-1]))
    ratio = rest / float(np.nextafter(numbers[-1], np.inf) - numbers[-1])
    if 0.49 < ratio < 1.01:
        raise Outside("rounding up or down")
    return 1.0 if (_lse(x, tau) > _max(x)) == (ratio > 1) else -1.0


@claim(SOURCE, {**X, "tau": TAU}, tolerance=ROUNDING, infimum=0.0)
def temperature(x: Array, n: int, tau: float) -> float:
    r"""$\max x \le \tau \operatorname{LSE}(x / \tau) \le \max x + \tau \log n$ for $\tau > 0$."""
    return min(slack(_max(x), _lse(x, tau)), slack(_lse(x, tau), _max(x) + tau * math.log(n)))


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def mean(x: Array, n: int) -> float:
    r"""$\operatorname{LSE}(x) \ge \bar x + \log n$, with equality where all are equal."""
    return slack(float(namespace(x).mean(x)) + math.log(n), _lse(x))


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def mean_if_not_equal(x: Array, n: int) -> float:
    r"""$\operatorname{LSE}(x) \ge \bar x + \log n + \frac12 \|\operatorname{softmax}(x) - 1/n\|_1^2$.

    By Pinsker's inequality: the last is an equality only where all are equal.
    """
    xp = namespace(x)
    apart = float(xp.sum(xp.abs(softmax(x, axis=None) - 1 / n)))
    return slack(float(xp.mean(x)) + math.log(n) + apart * apart / 2, _lse(x))


@claim(SOURCE, XP, infimum=0.0)
def cauchy(x: Array, p: Array) -> float:
    r"""$\operatorname{LSE}(x) \ge \langle p, x \rangle - \log \sum p_i^2$."""
    return slack(_dot(p, x) - math.log(_dot(p, p)), _lse(x))


@claim(SOURCE, {**XP, "t": Real(1.01, 8.0)}, infimum=0.0)
def holder(x: Array, p: Array, t: float) -> float:
    r"""$\operatorname{LSE}(x) \ge \langle p, x \rangle - \frac{1}{t-1} \log \sum p_i^t$ for $t > 1$."""
    return slack(_dot(p, x) - math.log(float(namespace(p).sum(p**t))) / (t - 1), _lse(x))


@claim(
    SOURCE, {**XP, "t": Real(0.05, 0.95)}, tolerance=1e-9, expect="refuted",
    witness={"n": 2, "x": np.array([0.0, 3.0]), "p": np.array([0.05, 0.95]), "t": 0.5}, instead="logsumexp.holder",
)  # fmt: skip
def holder_below_one(x: Array, p: Array, t: float) -> float:
    r"""$\operatorname{LSE}(x) \ge \langle p, x \rangle - \frac{1}{t-1} \log \sum p_i^t$ for $0 < t < 1$ too."""
    return float(holder.margin(x, p, t))


@claim(SOURCE, {"n": Integer(1, 6), "p": Probability("n"), "t": Real(1.01, 8.0), "s": Real(1.01, 8.0)}, infimum=0.0)
def tightest(p: Array, t: float, s: float) -> float:
    r"""Of these bounds the one for $t \to 1$ is the tightest: $\frac{1}{1-t} \log \sum p_i^t \le H(p)$ falls with t."""
    low, high = (math.log(float(namespace(p).sum(p**u))) / (1 - u) for u in (max(s, t), min(s, t)))
    return min(slack(low, high), slack(high, _entropy(p)))


@claim(SOURCE, XP, infimum=0.0)
def gibbs(x: Array, p: Array) -> float:
    r"""$\operatorname{LSE}(x) \ge \langle p, x \rangle + H(p)$, with equality for $p = \operatorname{softmax}(x)$."""
    return slack(_dot(p, x) + _entropy(p), _lse(x))


@claim(SOURCE, XP, kind="equality", tolerance=1e-13)
def identity(x: Array, p: Array) -> float:
    r"""$\operatorname{LSE}(x) = \langle p, x \rangle + H(p) + \mathrm{KL}(p \,\|\, \operatorname{softmax}(x))$."""
    xp, q = namespace(x), softmax(x, axis=None)
    kl = float(xp.sum(p * xp.log(xp.where(p > 0, p / q, 1.0))))
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
    return slack(_lse(t * x + (1 - t) * y), t * _lse(x) + (1 - t) * _lse(y), _size(x, y))


@claim(
    SOURCE, XY, expect="refuted", instead="logsumexp.convex", smooth=False,
    witness={"dtype": "float64", "n": 2, "x": np.zeros(2), "y": np.ones(2)},
)  # fmt: skip
def strictly_convex(x: Array, y: Array) -> float:
    """LSE is strictly convex: not along constants."""
    if _max(abs(x - y)) < 1e-2:
        raise Outside("the same")
    gap = (_lse(x) + _lse(y)) / 2 - _lse((x + y) / 2)
    return 1.0 if gap > 1e-6 * _size(x, y) * (host(x).dtype.itemsize == 4) + 1e-14 * _size(x, y) else -1.0


@claim(SOURCE, {**X, "c": Real(-100.0, 100.0)}, kind="equality", tolerance=ROUNDING)
def shift(x: Array, c: float) -> float:
    r"""$\operatorname{LSE}(x + c) = \operatorname{LSE}(x) + c$."""
    return agreement(_lse(x + c), _lse(x) + c, scale=_size(x) + abs(c))


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def hessian(x: Array) -> float:
    r"""Its Hessian $\mathrm{diag}(p) - p p'$ has no negative eigenvalue, and constants in its kernel."""
    xp, h = namespace(x), _hessian(x)
    return min(float(xp.min(xp.linalg.eigvalsh(h))), -_max(abs(xp.sum(h, axis=1))))


@claim(SOURCE, MORE, tolerance=ROUNDING, infimum=0.0)
def kernel_of_hessian(x: Array) -> float:
    r"""Its kernel is constants alone: the second eigenvalue of $\mathrm{diag}(p) - p p'$ is at least $\min p$."""
    xp = namespace(x)
    return slack(xp.min(softmax(x, axis=None)), xp.sort(xp.linalg.eigvalsh(_hessian(x)))[1])


@claim(SOURCE, {**X, "w": Numbers(("n",), low=0.0, high=10.0, dtype="dtype")}, tolerance=ROUNDING, infimum=0.0)
def weights(x: Array, w: Array) -> float:
    r"""$\log \sum w_i e^{x_i} = \operatorname{LSE}(x + \log w) \le \max x + \log \sum w_i$ for $w > 0$."""
    xp = namespace(x)
    w = w + 1e-3
    found, moved = float(logsumexp(x, axis=None, weights=w)), x + xp.log(w)
    same = agreement(found, _lse(moved), scale=_size(x, moved))
    return min(same, slack(found, _max(x) + math.log(float(xp.sum(w)))))


@claim(SOURCE, {"dtype": DTYPES, "n": Integer(1, 4), "m": Integer(1, 4), "x": Numbers(("n", "m"), 5.0, dtype="dtype")},
       kind="equality", tolerance=ROUNDING)  # fmt: skip
def axes(n: int, m: int, x: Array) -> float:
    r"""Along an axis it is that of each vector, and over all axes that of what it is along one."""
    rows = logsumexp(x, axis=1)
    each = min(agreement(rows[i], logsumexp(x[i, :]), scale=_size(x)) for i in range(n))
    columns = min(agreement(logsumexp(x, axis=0)[j], logsumexp(x[:, j]), scale=_size(x)) for j in range(m))
    return min(each, columns, agreement(logsumexp(rows), _lse(x), scale=_size(x)))


@claim(SOURCE, kind="behaviour")
def infinities() -> float:
    r"""An x of $+\infty$ gives $+\infty$; $-\infty$ adds nothing, and alone gives itself; no NaN arises."""
    given = [[math.inf, 0.0], [math.inf, -math.inf], [-math.inf, 3.0], [-math.inf, -math.inf], [1e308, -1e308]]
    return 1.0 if [_lse(np.array(x)) for x in given] == [math.inf, math.inf, 3.0, -math.inf, 1e308] else -1.0


@claim(SOURCE, kind="behaviour")
def empty() -> float:
    r"""An empty sum gives $\log 0 = -\infty$, along an empty axis for each vector."""
    found = [_lse(np.zeros(0)), *logsumexp(np.zeros((2, 0)), axis=1).tolist()]
    return 1.0 if found == 3 * [-math.inf] and logsumexp(np.zeros((2, 0)), axis=0).shape == (0,) else -1.0


def _hidden(dtype: str) -> float:
    """Return the gap beyond which the LSE of 1 and what is that much below is 1, by bisection."""
    low, high = 0.0, 100.0
    while high - low > 1e-3:
        gap = (low + high) / 2
        low, high = (gap, high) if _lse(np.array([1.0, 1.0 - gap], dtype)) > 1 else (low, gap)
    return high


KNOWN = (
    Known("logsumexp.hidden_in_float64", r"The gap at $\max x = 1$ from which on LSE is $\max x$ in float64", SOURCE,
          "37", lambda: _hidden("float64")),
    Known("logsumexp.hidden_in_float32", r"The gap at $\max x = 1$ from which on LSE is $\max x$ in float32", SOURCE,
          "17", lambda: _hidden("float32")),
)  # fmt: skip


def _hessian(x: Array) -> Array:
    p = softmax(x, axis=None)
    return p[:, None] * (namespace(p).eye(p.shape[0], dtype=p.dtype) - p[None, :])


def _lse(x: Array, tau: float = 1.0) -> float:
    return float(logsumexp(x, axis=None, temperature=tau))


def _max(x: Array) -> float:
    return float(namespace(x).max(x))


def _size(*arrays: Array) -> float:
    return max(1.0, *(_max(abs(x)) for x in arrays))


def _dot(p: Array, x: Array) -> float:
    return float(namespace(p).sum(p * x))


def _entropy(p: Array) -> float:
    xp = namespace(p)
    return -float(xp.sum(p * xp.log(xp.where(p > 0, p, 1.0))))
