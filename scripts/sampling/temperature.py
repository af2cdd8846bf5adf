"""What alpha trades: on a ball from gradient descent to normalised steps, and how many samples are worth something."""

from typing import Any

import numpy as np

from arrayopt.sampling import bessel_ratio, linear_under_gaussian, tempered_weights
from scripts.experiment import figure

RADIUS, SIGMA = 1.0, 1.0


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    alphas = np.geomspace(1e-2, 1e2, 12 if quick else 60)
    made, axes = figure(1, 3, (18, 5))
    left, middle, right = axes[0]
    data: dict[str, Any] = {"alpha": alphas.tolist()}
    for k, n in enumerate((2, 10, 100)):
        length = RADIUS * np.asarray(bessel_ratio(n, RADIUS / alphas))  # for a gradient of length 1
        data[f"step on the ball, n = {n}"] = length.tolist()
        left.loglog(alphas, length, color=f"C{k}", lw=2, label=f"n = {n}")
        left.loglog(alphas, np.minimum(RADIUS**2 / (alphas * (n + 2)), 2), "--", color=f"C{k}", lw=1)
    left.axhline(RADIUS, color="black", ls=":", label="normalised gradient")
    left.set(title="step of the mean on the ball (dashed: gradient descent)", xlabel="alpha", ylim=(1e-4, 1.6))
    left.legend()
    energy = [float(np.asarray(linear_under_gaussian(np.ones(1), float(a), SIGMA))) for a in alphas]
    middle.loglog(alphas, -np.asarray(energy), lw=2)
    middle.set(title="minus the free energy of a linear loss under N(0, 1)", xlabel="alpha")
    count, repeats = 200, 5 if quick else 40
    rng = np.random.default_rng(seed)
    losses = SIGMA * rng.standard_normal((repeats, count))
    share = [float(tempered_weights(losses, float(a)).ess.mean()) / count for a in alphas]
    law = np.exp(-((SIGMA / alphas) ** 2))
    right.semilogx(alphas, share, "o", ms=3, label=f"measured, {count} samples")
    right.semilogx(alphas, law, "k--", label="exp(-sigma^2 |g|^2 / alpha^2)")
    right.axhline(1 / count, color="black", lw=0.6, ls=":", label="one sample")
    right.set(title="effective share of the samples, linear loss", xlabel="alpha")
    right.legend()
    data |= {"free energy": energy, "effective share": share, "law": law.tolist()}
    return made, data
