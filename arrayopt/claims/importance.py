"""Importance sampling: what is without bias and what is not, by enumeration; what omitting the density does."""

import math

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.designs import every, normal_rule
from arrayopt.claims.domain import Element, Integer, Numbers, Probability, Real
from arrayopt.claims.margins import agreement, host, norm, slack
from arrayopt.claims.sources import article
from arrayopt.core.logsumexp import softmax
from arrayopt.core.random import generator
from arrayopt.problems.problem import like
from arrayopt.sampling import (
    Guided,
    gaussian_step,
    importance_gradient,
    importance_mean,
    policy_gradient,
    tempered_weights,
    weighted_mean,
)
from arrayopt.sampling.policy import scores

SOURCE = article(3)
DERIVED = f"{SOURCE}, derived"
OWEN = "Owen, Monte Carlo theory, methods and examples, 2013, chapter 9"
WORLD: dict[str, Element] = {
    "n": Integer(1, 3), "f": Numbers((3,), low=-2.0, high=2.0), "p": Probability(3, positive=True),
    "q": Probability(3, positive=True),
}  # fmt: skip
"""Three outcomes, with values and two distributions; n samples of q."""
COUNTS: dict[str, Element] = {
    "f": Numbers((3,), low=-2.0, high=2.0), "x": Numbers((3,), low=-1.0, high=1.0),
    "counts": Numbers((3,), low=0.5, high=5.5), "alpha": Real(0.2, 20.0, log=True),
}  # fmt: skip
"""Three outcomes, and a sample in which their frequencies are q."""


@claim(OWEN, WORLD, kind="equality", tolerance=1e-12)
def unbiased(n: int, f: Array, p: Array, q: Array) -> float:
    r"""$\frac1n \sum \frac{p(x_i)}{q(x_i)} f(x_i)$ has the expectation $E_p f$, by enumeration.

    And the mean weight has the expectation 1.
    """
    xp, p, q = namespace(p, q), kept(p), kept(q)
    at, chance = chances(n, q)
    found = importance_mean(f[at], xp.log(p)[at], xp.log(q)[at])
    size = float(xp.max(p / q)) * 2
    return min(agreement(chance @ found.mean, p @ f, size), agreement(chance @ found.mean_weight, 1.0, size))


@claim(OWEN, {**WORLD, "n": Integer(2, 3)}, kind="equality", tolerance=1e-12)
def variance(n: int, f: Array, p: Array, q: Array) -> float:
    r"""Its variance is $\frac1n (E_q (p f / q)^2 - (E_p f)^2)$, by enumeration.

    So is the expectation of the estimate of it from the same samples.
    """
    xp, p, q = namespace(p, q), kept(p), kept(q)
    at, chance = chances(n, q)
    found = importance_mean(f[at], xp.log(p)[at], xp.log(q)[at])
    size = q @ (p * f / q) ** 2 + 1e-3
    law = (q @ (p * f / q) ** 2 - (p @ f) ** 2) / n
    return min(agreement(chance @ (found.mean - p @ f) ** 2, law, size), agreement(chance @ found.variance, law, size))


@claim(OWEN, WORLD, tolerance=1e-13, infimum=0.0)
def least_variance(f: Array, p: Array, q: Array) -> float:
    r"""$E_q (p f / q)^2 \ge (E_p |f|)^2$: no q has less variance than $q \propto p |f|$.

    For f of one sign that has none.
    """
    p, q = kept(p), kept(q)
    second = float(q @ (p * f / q) ** 2)
    return slack(float(p @ abs(f)) ** 2, second, second + 1e-6)


@claim(OWEN, {**WORLD, "n": Integer(1, 2), "b": Real(-5.0, 5.0)}, kind="equality", tolerance=1e-12)
def gradient(n: int, f: Array, p: Array, q: Array, b: float) -> float:
    r"""$\nabla_\theta E_{p_\theta} f = E_q \frac{p}{q} (f - b) \nabla_\theta \log p$ for every constant b.

    By enumeration.
    """
    xp = namespace(p, q)
    q, z = kept(q), xp.log(kept(p))
    at, chance = chances(n, q)
    p = softmax(z)
    found = importance_gradient(f[at], scores(z, at), xp.log(p)[at], xp.log(q)[at], b)
    return agreement(chance @ found, policy_gradient(z, f), 10 * float(xp.max(p / q)))


@claim(SOURCE, COUNTS, kind="equality", tolerance=1e-12)
def self_normalised(f: Array, x: Array, counts: Array, alpha: float) -> float:
    r"""With weights $e^{-l / \alpha} / q$ a sample with the frequencies q has the mean of $p \propto e^{-l/\alpha}$."""
    at, q = _frequent(counts)
    w = tempered_weights(f[at], alpha, namespace(q).log(q)[at]).weights
    return agreement(w @ x[at], softmax(-f / alpha) @ x, 1.0)


@claim(SOURCE, COUNTS, kind="equality", tolerance=1e-12)
def tilted(f: Array, x: Array, counts: Array, alpha: float) -> float:
    r"""Without the division by q it has the mean of $q e^{-l / \alpha}$: that of MPPI and of consensus."""
    at, q = _frequent(counts)
    w = tempered_weights(f[at], alpha).weights
    return agreement(w @ x[at], softmax(-f / alpha, weights=q) @ x, 1.0)


@claim(
    SOURCE, COUNTS, kind="equality", tolerance=1e-3, expect="refuted",
    witness={"f": np.array([0.3, -1.2, 2.0]), "x": np.array([1.0, -1.0, 0.5]), "counts": np.array([4.0, 2.0, 3.0]),
             "alpha": 0.8}, instead="importance.self_normalised",
)  # fmt: skip
def without_q(f: Array, x: Array, counts: Array, alpha: float) -> float:
    r"""Without the division by q it has the mean of $p \propto e^{-l / \alpha}$, too."""
    at, _ = _frequent(counts)
    w = tempered_weights(f[at], alpha).weights
    return agreement(w @ x[at], softmax(-f / alpha) @ x, 1.0)


@claim(
    DERIVED, {"g": Numbers((2,), low=-1.0, high=1.0), "s": Real(0.05, 1.5)}, kind="equality", tolerance=1e-11,
)  # fmt: skip
def linear_objective(g: Array, s: float) -> float:
    r"""For linear l under $N(0, \sigma^2 I)$ the share of effective samples is $e^{-\sigma^2 \|g\|^2 / \alpha^2}$.

    And the mean step $-(\sigma^2 / \alpha) g$.
    """
    size = norm(g)
    if size < 1e-3:
        raise Outside
    sigma, alpha = 0.7, 0.7 * size / s
    u, w = (like(g, x) for x in normal_rule(24, 2))
    d = sigma * u
    found = tempered_weights(d @ g, alpha).weights  # of samples as frequent as w says
    ess = (w @ found) ** 2 / (w @ found**2)
    mean = (w * found) @ d / (w @ found)
    return min(agreement(ess, math.exp(-s * s)), agreement(mean, -(sigma**2) / alpha * g, sigma))


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


@claim(DERIVED, kind="probability", tolerance=0.0, portable=False)
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


def chances(n: int, q: Array) -> tuple[Array, Array]:
    """Return every sample of n, and their chances under q."""
    xp = namespace(q)
    at = xp.asarray(every(q.shape[0], n), device=device(q))
    return at, xp.prod(q[at], axis=1)


def kept(p: Array) -> Array:
    """Return a distribution that leaves no outcome out."""
    return (p + 0.02) / namespace(p).sum(p + 0.02)


def _frequent(counts: Array) -> tuple[Array, Array]:
    """Return a sample and its frequencies."""
    count = np.round(host(counts)).astype(int) + 1
    at = np.repeat(np.arange(count.size), count)
    return namespace(counts).asarray(at, device=device(counts)), like(counts, count / count.sum())
