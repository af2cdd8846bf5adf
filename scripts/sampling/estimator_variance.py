"""The error of zeroth-order gradients against the dimension, with the laws that it follows on linear functions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from arrayopt.sampling import antithetic_gradient, draw_directions
from scripts.experiment import figure

N = 8
LAWS: dict[str, Callable[[Any], Any]] = {
    "gaussian": lambda d: (d + 1) / N,
    "rademacher": lambda d: (d - 1) / N,
    "sphere": lambda d: (d - 1) / N,
    "orthogonal": lambda d: np.maximum(d - N, 0) / N,
}
"""Relative mean squared errors of N antithetic directions."""


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    dimensions = [8, 32] if quick else [8, 16, 32, 64, 128, 256]
    repeats = 200 if quick else 1500
    rng = np.random.default_rng(seed)
    made, axes = figure(1, 1, (8, 5.5))
    panel, data = axes[0][0], {"dimensions": dimensions, "directions": N}
    for k, (kind, law) in enumerate(LAWS.items()):
        errors = []
        for d in dimensions:
            g = rng.standard_normal(d)
            g /= np.linalg.norm(g)
            u = np.asarray(draw_directions(N, d, kind, rng, draws=repeats))
            f = u @ g
            estimates = antithetic_gradient(f, -f, u, 1.0)
            errors.append(float(((estimates - g) ** 2).sum(axis=-1).mean()))
        data[kind] = {"error": errors, "law": [float(law(d)) for d in dimensions]}
        panel.loglog(dimensions, np.maximum(errors, 1e-3), "os^v"[k], color=f"C{k}", label=f"{kind}, measured")
        panel.loglog(dimensions, np.maximum(law(np.asarray(dimensions)), 1e-3), color=f"C{k}", lw=1)
    panel.set(title=f"relative squared error of {N} antithetic directions (lines: the laws)", xlabel="dimensions")
    panel.legend()
    return made, data
