"""Importance weights normalised by themselves: what they estimate, their bias, and what they become."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Element, Integer, Numbers, Real
from arrayopt.claims.importance import DERIVED, OWEN, SOURCE, WORLD, chances, kept
from arrayopt.claims.margins import agreement, slack
from arrayopt.sampling import (
    empirical_free_energy,
    score_gradient,
    self_normalised_mean,
    tempered_weights,
    weighted_mean,
)

SAMPLE: dict[str, Element] = {
    "n": Integer(1, 6), "f": Numbers(("n",), low=-5.0, high=5.0), "log_q": Numbers(("n",), low=-3.0, high=3.0),
    "alpha": Real(0.05, 20.0, log=True),
}  # fmt: skip
STEPS: dict[str, Element] = {**SAMPLE, "x": Numbers(("n", 2))}


@claim(
    SOURCE, WORLD, kind="equality", tolerance=1e-3, expect="refuted",
    instead="self_normalised.bias_bound",
    witness={"n": 1, "f": np.array([1.0, 0.0, 0.0]), "p": np.array([0.5, 0.3, 0.2]), "q": np.array([0.2, 0.3, 0.5])},
)  # fmt: skip
def unbiased(n: int, f: Array, p: Array, q: Array) -> float:
    """The self-normalised estimate is without bias."""
    p, q = kept(p), kept(q)
    at, chance = chances(n, q)
    found, _ = self_normalised_mean(f[at][..., None], namespace(p, q).log(p / q)[at])
    return agreement(chance @ found[:, 0], p @ f, 1.0)


TWO: dict[str, Element] = {"n": Integer(1, 60), "q": Real(0.05, 0.95), "ratio": Real(0.2, 0.99)}


@claim(OWEN, TWO, kind="limit", tolerance=1e-9, infimum=0.0)
def bias_bound(n: int, q: float, ratio: float) -> float:
    r"""Its bias is $O(1/n)$: of two outcomes, at most $\frac1n q_1 q_2 r_1 r_2 |r_1 - r_2| / \min(r)^3$, $r = p / q$.

    It is what the Bernstein polynomial of a convex function is above it.
    """
    most = q * (1 - q) * (1 - ratio) / (n * ratio**2)
    return slack(abs(_bias(n, q, ratio)), most, most)


@claim(OWEN, TWO, tolerance=1e-9, infimum=0.0, smooth=False)
def bias_falls(n: int, q: float, ratio: float) -> float:
    """Of two outcomes, its bias keeps its sign, and falls with n."""
    first, now, then = (_bias(m, q, ratio) for m in (1, n, n + 1))
    return min(slack(then / first, now / first, 1.0), then / first)


@claim(OWEN, {**WORLD, "n": Integer(1, 1)}, kind="equality", tolerance=1e-14)
def bias_of_one(n: int, f: Array, p: Array, q: Array) -> float:
    r"""Of one sample its bias is $E_q f - E_p f$: the weight is 1, whatever it was."""
    p, q = kept(p), kept(q)
    at, chance = chances(n, q)
    found, _ = self_normalised_mean(f[at][..., None], namespace(p, q).log(p / q)[at])
    return agreement(chance @ found[:, 0] - p @ f, q @ f - p @ f, 4.0)


@claim(SOURCE, {**SAMPLE, "c": Real(-100.0, 100.0)}, kind="equality", tolerance=1e-11)
def constants(f: Array, log_q: Array, alpha: float, c: float) -> float:
    """Constants added to l, and factors of q, do not change the weights."""
    w = tempered_weights(f, alpha, log_q).weights
    others = (tempered_weights(f + c, alpha, log_q).weights, tempered_weights(f, alpha, log_q + c).weights)
    return min(agreement(other, w, 1.0) for other in others)


@claim(SOURCE, STEPS, tolerance=1e-14, infimum=0.0)
def hull(f: Array, log_q: Array, alpha: float, x: Array) -> float:
    """The mean step is in the convex hull of the samples: each of its coordinates is between theirs."""
    xp = namespace(x)
    w = tempered_weights(f, alpha, log_q).weights
    mean, scale = weighted_mean(w, x), float(xp.max(abs(x))) + 1
    low, high = xp.min(x, axis=0), xp.max(x, axis=0)
    return min(float(xp.min(mean - low)), float(xp.min(high - mean))) / scale


@claim(OWEN, SAMPLE, tolerance=1e-14, infimum=0.0)
def effective_size(n: int, f: Array, log_q: Array, alpha: float) -> float:
    r"""$1 \le 1 / \sum w_i^2 \le n$: one sample has all the weight, or all have the same."""
    ess = float(tempered_weights(f, alpha, log_q).ess)
    return min(slack(1.0, ess, n), slack(ess, n, n))


@claim(DERIVED, SAMPLE, kind="equality", tolerance=1e-13)
def log_mean_weight(f: Array, alpha: float) -> float:
    r"""$-\alpha$ times the log of the mean weight is the free energy."""
    found = -alpha * float(tempered_weights(f, alpha).log_mean)
    return agreement(found, empirical_free_energy(f, alpha), 5.0 + 2 * alpha)


@claim(
    DERIVED, {"n": Integer(2, 5), "u": Numbers(("n", 2)), "f": Numbers(("n",), low=-1.0, high=1.0),
            "alpha": Real(1.0, 1e3, log=True)},
    kind="limit", tolerance=1e-8, infimum=0.0,
)  # fmt: skip
def hot_is_an_evolution_strategy(n: int, u: Array, f: Array, alpha: float) -> float:
    r"""Hot, the mean step is that of an evolution strategy: $\bar d - \frac{\sigma^2}{\alpha} \hat g$.

    Its gradient has the mean as baseline. The rest is at most $R^2 D / (12 \sqrt3 \alpha^2)$ for values that span R and
    steps that span D: the greatest third cumulant $\kappa(l, l, d)$ there is.
    """
    xp, sigma = namespace(u), 0.3
    d = sigma * u
    spans = float(xp.max(f) - xp.min(f)), float(xp.max(d[:, 0]) - xp.min(d[:, 0]))
    if min(spans) < 1e-2:
        raise Outside
    heat = alpha * spans[0]
    mean = weighted_mean(tempered_weights(f, heat).weights, d)[0]
    strategy = (xp.mean(d, axis=0) - sigma**2 / heat * score_gradient(f, u, sigma, "mean"))[0]
    most = spans[1] / (12 * math.sqrt(3) * alpha**2)
    return slack(abs(float(mean - strategy)), most, most)


@claim(SOURCE, {"n": Integer(1, 6), "x": Numbers(("n", 3)), "theta": Numbers((3,)),
                "f": Numbers(("n",)), "alpha": Real(0.05, 20.0, log=True), "c": Real(-9.0, 9.0)},
       kind="equality", tolerance=1e-13)  # fmt: skip
def around_any_point(x: Array, theta: Array, f: Array, alpha: float, c: float) -> float:
    r"""With one density for all, the mean of points is $\theta$ plus that of the steps from any $\theta$ to them."""
    mean, _ = self_normalised_mean(x - theta, -f / alpha + c)
    found = weighted_mean(tempered_weights(f, alpha).weights, x)
    return agreement(found, theta + mean, 1 + float(namespace(x).max(abs(x))) + float(namespace(x).max(abs(theta))))


def _bias(n: int, q: float, ratio: float) -> float:
    """Return the bias of the estimate of the chance of the first of two outcomes, with r_1 / r_2 = ratio."""
    k = np.arange(n + 1)
    log = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k])
    chance = np.exp(log + k * math.log(q) + (n - k) * math.log(1 - q))
    p = q * ratio / (q * ratio + 1 - q)
    first = np.arange(n) < k[:, None]  # whether a sample is the first of the two
    found, _ = self_normalised_mean(first[..., None].astype(float), np.where(first, math.log(ratio), 0.0))
    tangent = (k / n - q) * ratio / (q * ratio + 1 - q) ** 2  # whose mean is 0
    return float(np.sum(chance * (found[:, 0] - p - tangent)))
