"""Importance sampling: what is without bias and what is not, by enumeration; what omitting the density does."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, agreement, claim, slack
from arrayopt.claims.designs import every, normal_rule
from arrayopt.claims.domain import Element, Integer, Numbers, Probability, Real
from arrayopt.core.logsumexp import softmax
from arrayopt.core.random import generator
from arrayopt.sampling import (
    Guided,
    empirical_free_energy,
    gaussian_step,
    importance_gradient,
    importance_mean,
    policy_gradient,
    score_gradient,
    self_normalised_mean,
    tempered_weights,
    weighted_mean,
)

SOURCE = "archive 7521 (section 3)"
NOTES = "sampling.md section 1"
WORLD: dict[str, Element] = {
    "n": Integer(1, 3), "f": Numbers((3,), low=-2.0, high=2.0), "p": Probability(3, positive=True),
    "q": Probability(3, positive=True),
}  # fmt: skip
"""Three outcomes, with values and two distributions; n samples of q."""
SAMPLE: dict[str, Element] = {
    "n": Integer(1, 6), "f": Numbers(("n",), low=-5.0, high=5.0), "log_q": Numbers(("n",), low=-3.0, high=3.0),
    "alpha": Real(0.05, 20.0, log=True),
}  # fmt: skip
STEPS: dict[str, Element] = {**SAMPLE, "x": Numbers(("n", 2))}
COUNTS: dict[str, Element] = {
    "f": Numbers((3,), low=-2.0, high=2.0), "x": Numbers((3,), low=-1.0, high=1.0),
    "counts": Numbers((3,), low=0.5, high=5.5), "alpha": Real(0.2, 20.0, log=True),
}  # fmt: skip
"""Three outcomes, and a sample in which their frequencies are q."""


@claim(NOTES, WORLD, kind="equality", tolerance=1e-12, portable=False)
def unbiased(n: int, f: Array, p: Array, q: Array) -> float:
    r"""$\frac1n \sum \frac{p(x_i)}{q(x_i)} f(x_i)$ has the expectation $E_p f$, by enumeration.

    And the mean weight has the expectation 1.
    """
    p, q = _kept(p), _kept(q)
    at, chance = _every(n, q)
    found = importance_mean(f[at], np.log(p)[at], np.log(q)[at])
    size = float(np.max(p / q)) * 2
    return min(agreement(chance @ found.mean, p @ f, size), agreement(chance @ found.mean_weight, 1.0, size))


@claim(NOTES, {**WORLD, "n": Integer(2, 3)}, kind="equality", tolerance=1e-12, portable=False)
def variance(n: int, f: Array, p: Array, q: Array) -> float:
    r"""Its variance is $\frac1n (E_q (p f / q)^2 - (E_p f)^2)$, by enumeration.

    So is the expectation of the estimate of it from the same samples.
    """
    p, q = _kept(p), _kept(q)
    at, chance = _every(n, q)
    found = importance_mean(f[at], np.log(p)[at], np.log(q)[at])
    size = q @ (p * f / q) ** 2 + 1e-3
    law = (q @ (p * f / q) ** 2 - (p @ f) ** 2) / n
    return min(agreement(chance @ (found.mean - p @ f) ** 2, law, size), agreement(chance @ found.variance, law, size))


@claim(NOTES, WORLD, tolerance=1e-13, infimum=0.0, portable=False)
def least_variance(f: Array, p: Array, q: Array) -> float:
    r"""$E_q (p f / q)^2 \ge (E_p |f|)^2$: no q has less variance than $q \propto p |f|$.

    For f of one sign that has none.
    """
    p, q = _kept(p), _kept(q)
    second = float(q @ (p * f / q) ** 2)
    return slack(float(p @ np.abs(f)) ** 2, second, second + 1e-6)


@claim(NOTES, {**WORLD, "n": Integer(1, 2), "b": Real(-5.0, 5.0)}, kind="equality", tolerance=1e-12, portable=False)
def gradient(n: int, f: Array, p: Array, q: Array, b: float) -> float:
    r"""$\nabla_\theta E_{p_\theta} f = E_q \frac{p}{q} (f - b) \nabla_\theta \log p$ for every constant b.

    By enumeration.
    """
    q, z = _kept(q), np.log(_kept(p))
    at, chance = _every(n, q)
    p = softmax(z)
    found = importance_gradient(f[at], (np.eye(3) - p)[at], np.log(p)[at], np.log(q)[at], b)
    return agreement(np.einsum("i,ij", chance, found), policy_gradient(z, f), 10 * float(np.max(p / q)))


@claim(SOURCE, COUNTS, kind="equality", tolerance=1e-12, portable=False)
def self_normalised(f: Array, x: Array, counts: Array, alpha: float) -> float:
    r"""With weights $e^{-l / \alpha} / q$ a sample with the frequencies q has the mean of $p \propto e^{-l/\alpha}$."""
    at, q = _frequent(counts)
    w = tempered_weights(f[at], alpha, np.log(q)[at]).weights
    return agreement(w @ x[at], softmax(-f / alpha) @ x, 1.0)


@claim(SOURCE, COUNTS, kind="equality", tolerance=1e-12, portable=False)
def tilted(f: Array, x: Array, counts: Array, alpha: float) -> float:
    r"""Without the division by q it has the mean of $q e^{-l / \alpha}$: that of MPPI and of consensus."""
    at, q = _frequent(counts)
    w = tempered_weights(f[at], alpha).weights
    return agreement(w @ x[at], softmax(-f / alpha, weights=q) @ x, 1.0)


@claim(
    SOURCE, COUNTS, kind="equality", tolerance=1e-3, portable=False, expect="refuted",
    witness={"f": np.array([0.3, -1.2, 2.0]), "x": np.array([1.0, -1.0, 0.5]), "counts": np.array([4.0, 2.0, 3.0]),
             "alpha": 0.8}, instead="importance.self_normalised",
)  # fmt: skip
def without_q(f: Array, x: Array, counts: Array, alpha: float) -> float:
    r"""Without the division by q it has the mean of $p \propto e^{-l / \alpha}$, too."""
    at, _ = _frequent(counts)
    w = tempered_weights(f[at], alpha).weights
    return agreement(w @ x[at], softmax(-f / alpha) @ x, 1.0)


@claim(
    SOURCE, WORLD, kind="equality", tolerance=1e-3, portable=False, expect="refuted", instead="importance.bias_bound",
    witness={"n": 1, "f": np.array([1.0, 0.0, 0.0]), "p": np.array([0.5, 0.3, 0.2]), "q": np.array([0.2, 0.3, 0.5])},
)  # fmt: skip
def self_normalised_unbiased(n: int, f: Array, p: Array, q: Array) -> float:
    """The self-normalised estimate is without bias."""
    p, q = _kept(p), _kept(q)
    at, chance = _every(n, q)
    found, _ = self_normalised_mean(f[at][..., None], np.log(p / q)[at])
    return agreement(chance @ found[:, 0], p @ f, 1.0)


TWO: dict[str, Element] = {"n": Integer(1, 60), "q": Real(0.05, 0.95), "ratio": Real(0.2, 0.99)}


@claim(NOTES, TWO, kind="limit", tolerance=1e-9, infimum=0.0, portable=False)
def bias_bound(n: int, q: float, ratio: float) -> float:
    r"""Its bias is $O(1/n)$: of two outcomes, at most $\frac1n q_1 q_2 r_1 r_2 |r_1 - r_2| / \min(r)^3$, $r = p / q$.

    It is what the Bernstein polynomial of a convex function is above it.
    """
    most = q * (1 - q) * (1 - ratio) / (n * ratio**2)
    return slack(abs(_bias(n, q, ratio)), most, most)


@claim(NOTES, TWO, tolerance=1e-9, infimum=0.0, portable=False, smooth=False)
def bias_falls(n: int, q: float, ratio: float) -> float:
    """Of two outcomes, its bias keeps its sign, and falls with n."""
    first, now, then = (_bias(m, q, ratio) for m in (1, n, n + 1))
    return min(slack(then / first, now / first, 1.0), then / first)


@claim(NOTES, {**WORLD, "n": Integer(1, 1)}, kind="equality", tolerance=1e-14, portable=False)
def bias_of_one(n: int, f: Array, p: Array, q: Array) -> float:
    r"""Of one sample its bias is $E_q f - E_p f$: the weight is 1, whatever it was."""
    p, q = _kept(p), _kept(q)
    at, chance = _every(n, q)
    found, _ = self_normalised_mean(f[at][..., None], np.log(p / q)[at])
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


@claim(NOTES, SAMPLE, tolerance=1e-14, infimum=0.0)
def effective_size(n: int, f: Array, log_q: Array, alpha: float) -> float:
    r"""$1 \le 1 / \sum w_i^2 \le n$: one sample has all the weight, or all have the same."""
    ess = float(tempered_weights(f, alpha, log_q).ess)
    return min(slack(1.0, ess, n), slack(ess, n, n))


@claim(NOTES, SAMPLE, kind="equality", tolerance=1e-13)
def log_mean_weight(f: Array, alpha: float) -> float:
    r"""$-\alpha$ times the log of the mean weight is the free energy."""
    found = -alpha * float(tempered_weights(f, alpha).log_mean)
    return agreement(found, empirical_free_energy(f, alpha), 5.0 + 2 * alpha)


@claim(
    NOTES, {"g": Numbers((2,), low=-1.0, high=1.0), "s": Real(0.05, 1.5)}, kind="equality", tolerance=1e-11,
    portable=False,
)  # fmt: skip
def linear_objective(g: Array, s: float) -> float:
    r"""For linear l under $N(0, \sigma^2 I)$ the share of effective samples is $e^{-\sigma^2 \|g\|^2 / \alpha^2}$.

    And the mean step $-(\sigma^2 / \alpha) g$.
    """
    size = math.hypot(*g)
    if size < 1e-3:
        raise Outside
    sigma, alpha = 0.7, 0.7 * size / s
    u, w = normal_rule(24, 2)
    d = sigma * u
    found = tempered_weights(d @ g, alpha).weights  # of samples as frequent as w says
    ess = (w @ found) ** 2 / (w @ found**2)
    mean = (w * found) @ d / (w @ found)
    return min(agreement(ess, math.exp(-s * s)), agreement(mean, -(sigma**2) / alpha * g, sigma))


@claim(
    NOTES, {"n": Integer(2, 5), "u": Numbers(("n", 2)), "f": Numbers(("n",), low=-1.0, high=1.0),
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


G, H = np.array([0.9, -0.7]), np.array([[2.0, 0.6], [0.6, 1.0]])
"""The quadratic that samples are weighted by."""


@claim(SOURCE, kind="probability", tolerance=0.0, portable=False)
def tends_to_newton() -> float:
    r"""On a quadratic, samples of either component of the proposal, or of both, tend to Newton's step."""
    margins = []
    for share in (0.0, 0.5, 1.0):
        found = Guided(n=40_000, alpha=0.5, sigma=1.0, share=share).gradient(_quadratic, np.zeros(2), 0.5 * G, rng=0)
        margins.append(_within(-found.gradient, -np.linalg.solve(H, G), found.weights.weights, found.steps))
    return min(margins)


@claim(NOTES, kind="probability", tolerance=0.0, portable=False)
def tends_to_levenberg_marquardt() -> float:
    r"""Samples of $N(0, \sigma^2 I)$, not divided by it, tend to the step of Levenberg and Marquardt, hot and cold."""
    margins = []
    for alpha in (0.5, 3.0):
        d = 0.7 * generator(2).standard_normal((40_000, 2))
        w = tempered_weights(_quadratic(d), alpha).weights
        margins.append(_within(weighted_mean(w, d), gaussian_step(G, H, alpha, 0.7).mean, w, d))
    return min(margins)


def _quadratic(x: np.ndarray) -> np.ndarray:
    return np.asarray(x @ G + 0.5 * np.sum((x @ H) * x, axis=-1))


def _within(found: np.ndarray, exact: np.ndarray, w: np.ndarray, x: np.ndarray) -> float:
    """Return by how much a weighted mean is within 4.5 of its standard errors."""
    error = np.sqrt(np.sum(w[:, None] ** 2 * (x - exact) ** 2, axis=0))
    return float(np.min(4.5 - np.abs(found - exact) / error))


def _every(n: int, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every sample of n, and their chances under q."""
    at = every(len(q), n)
    return at, q[at].prod(axis=1)


def _kept(p: np.ndarray) -> np.ndarray:
    """Return a distribution that leaves no outcome out."""
    return (p + 0.02) / np.sum(p + 0.02)


def _frequent(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a sample and its frequencies."""
    count = np.round(counts).astype(int) + 1
    return np.repeat(np.arange(count.size), count), count / count.sum()


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
