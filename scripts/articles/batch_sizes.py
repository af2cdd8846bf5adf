"""Lion against AdamW over batch sizes, the same number of samples each (the Lion paper: worse for batches under 64)."""

from typing import Any

import numpy as np

from arrayopt import AdamW, Lion
from scripts.articles.network import digits, loss, trained
from scripts.experiment import figure

RATES = {"AdamW": (1e-3, 3e-3, 1e-2, 3e-2), "Lion": (3e-4, 1e-3, 3e-3, 1e-2)}
MAKE = {"AdamW": lambda lr: AdamW(lr=lr, weight_decay=0.01), "Lion": lambda lr: Lion(lr=lr, weight_decay=0.1)}


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    data = digits()
    batches = [8, 64] if quick else [4, 16, 64, 256, 1024]
    seeds, samples = (1, 3_000) if quick else (3, 20_000)
    made, axes = figure(1, 1, (8, 5.5))
    panel, found = axes[0][0], {"batches": batches, "samples": samples}
    for k, (name, rates) in enumerate(RATES.items()):
        means, spreads, chosen = [], [], []
        for batch in batches:
            ends = {lr: [loss(trained(MAKE[name](lr), s, batch, samples, data), *data)
                         for s in range(seed, seed + seeds)] for lr in rates}  # fmt: skip
            best = min(ends, key=lambda lr: float(np.mean(ends[lr])))
            means.append(float(np.mean(ends[best])))
            spreads.append(float(np.std(ends[best])))
            chosen.append(best)
        panel.errorbar(batches, means, spreads, fmt="o-", color=f"C{k}", capsize=3, label=name)
        found[name] = {"loss": means, "spread": spreads, "best rate": chosen}
    panel.set(title=f"training loss after {samples:,} samples, the best of {len(rates)} rates", xlabel="batch size",
              xscale="log", yscale="log")  # fmt: skip
    panel.legend()
    return made, found
