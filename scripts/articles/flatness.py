"""Loss under random perturbation of the weights, after AdamW and after Lion: is Lion's end flatter? (survey 6)"""

from typing import Any

import numpy as np

from arrayopt import AdamW, Lion
from scripts.articles.network import accuracy, digits, initial, loss, trained
from scripts.experiment import figure

RULES = {"AdamW": AdamW(lr=3e-3, weight_decay=0.01), "Lion": Lion(lr=3e-4, weight_decay=0.1)}
"""Lion's rate ten times smaller, its decay ten times larger: the product is the same."""


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    x, y = digits()
    seeds, samples, draws = (2, 4_000, 3) if quick else (8, 120_000, 20)
    sizes = np.linspace(0, 1.0, 5 if quick else 11)
    made, axes = figure(1, 1, (8, 5.5))
    panel, data = axes[0][0], {"relative sizes": sizes.tolist()}
    for k, (name, rule) in enumerate(RULES.items()):
        curves, before = [], []
        for s in range(seed, seed + seeds):
            p = trained(rule, s, 128, samples, (x[:1200], y[:1200]))
            before.append([loss(p, x[:1200], y[:1200]), accuracy(p, x[1200:], y[1200:])])
            rng = np.random.default_rng([s, 1])
            curves.append([np.mean([loss(_moved(p, size, rng), x[:1200], y[:1200]) for _ in range(draws)])
                           for size in sizes])  # fmt: skip
        mean, spread = np.mean(curves, axis=0), np.std(curves, axis=0)
        panel.fill_between(sizes, mean - spread, mean + spread, color=f"C{k}", alpha=0.2)
        panel.plot(sizes, mean, "o-", color=f"C{k}", label=f"{name}, {seeds} seeds")
        data[name] = {"loss": mean.tolist(), "spread": spread.tolist(), "train loss and test accuracy": before}
    panel.set(title="training loss with noise on the weights", yscale="log",
              xlabel="norm of the noise over that of each weight matrix")  # fmt: skip
    panel.legend()
    return made, data


def _moved(p: dict[str, np.ndarray], size: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Move every leaf by a random direction of `size` times its norm."""
    found = {}
    for name in initial(0):
        z = rng.standard_normal(p[name].shape)
        found[name] = p[name] + size * np.linalg.norm(p[name]) * z / np.linalg.norm(z)
    return found
