"""What alpha trades: a low one is fast, its steps full and its free energy the least value, a high one is stable.

On a ball the step goes from the normalised gradient to gradient descent. From samples, steps under a low alpha rest on
a single one: what is fast in expectation cannot go further than the best of what was drawn.
"""

from typing import Any

import numpy as np

from arrayopt.sampling import bessel_ratio, linear_on_ball, tempered_weights, weighted_mean
from scripts.experiment import figure

RADIUS, SIGMA = 1.0, 1.0
COUNT = 200
"""Samples."""


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    alphas = np.geomspace(1e-3, 1e2, 16 if quick else 76)
    made, axes = figure(2, 2, (14, 9.5))
    (step, energy), (share, sampled) = axes
    data: dict[str, Any] = {"alpha": alphas.tolist()}
    for k, n in enumerate((2, 10, 100)):
        length = RADIUS * np.asarray(bessel_ratio(n, RADIUS / alphas))  # for a gradient of length 1
        step.loglog(alphas, length, color=f"C{k}", lw=2, label=f"n = {n}")
        step.loglog(alphas, RADIUS**2 / (alphas * (n + 2)), "--", color=f"C{k}", lw=1)
        g = np.zeros(n)
        g[0] = 1.0
        free = [float(np.asarray(linear_on_ball(g, float(a), RADIUS))) for a in alphas]
        energy.semilogx(alphas, free, color=f"C{k}", lw=2, label=f"n = {n}")
        data[f"n = {n}"] = {"step": length.tolist(), "free energy": free}
    step.axhline(RADIUS, color="black", ls=":", label="normalised gradient")
    step.set(title="the step on the unit ball, |g| = 1 (dashed: gradient descent)", ylabel="length", ylim=(1e-4, 2))
    energy.axhline(-RADIUS, color="black", ls=":", label="the least value and the mean")
    energy.axhline(0, color="black", ls=":")
    energy.set(title="free energy of a linear loss on the unit ball", ylabel="F")
    repeats = 5 if quick else 60
    losses = SIGMA * np.random.default_rng(seed).standard_normal((repeats, COUNT))  # of steps along g
    weights = [tempered_weights(losses, float(a)) for a in alphas]
    found = np.asarray([w.ess.mean() for w in weights]) / COUNT
    law = np.exp(-((SIGMA / alphas) ** 2))
    share.semilogx(alphas, found, "o", ms=3, label=f"measured, {COUNT} samples")
    share.semilogx(alphas, law, "k--", lw=1, label=r"law of infinitely many, $\exp(-\sigma^2 |g|^2 / \alpha^2)$")
    share.axhline(1 / COUNT, color="black", lw=0.8, ls=":", label="one sample")
    share.set(title="effective share of the samples, linear loss, N(0, 1)", ylabel="effective sample size / samples")
    steps = -np.asarray([weighted_mean(w.weights, losses[..., None])[:, 0] for w in weights])
    sampled.errorbar(alphas, steps.mean(axis=1), steps.std(axis=1, ddof=1), fmt="o", ms=3, lw=0.8,
                     label=f"from {COUNT} samples, with standard deviation")  # fmt: skip
    sampled.semilogx(alphas, SIGMA**2 / alphas, "k--", lw=1, label=r"exact, $\sigma^2 |g| / \alpha$")
    sampled.set(title="step down the gradient under N(0, 1)", ylabel="length", ylim=(-0.2, 5))
    for panel in axes.flat:
        panel.set_xlabel("alpha")
        panel.legend()
    data |= {
        "effective share": found.tolist(), "law of the share": law.tolist(),
        "sampled step": steps.mean(axis=1).tolist(), "its standard deviation": steps.std(axis=1, ddof=1).tolist(),
    }  # fmt: skip
    return made, data
