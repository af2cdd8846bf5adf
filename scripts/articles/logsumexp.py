"""The log of a sum of exponentials between its bounds, against how far the numbers are spread (archive 9070)."""

from typing import Any

import numpy as np

from arrayopt.smooth import logsumexp
from scripts.experiment import figure

N = 8


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    x = np.sort(np.random.default_rng(seed).standard_normal(N))
    spreads = np.geomspace(0.01, 30, 20 if quick else 200)
    over = np.array([logsumexp(s * x) - (s * x).max() for s in spreads])
    mean = np.array([(s * x).mean() + np.log(N) - (s * x).max() for s in spreads])
    made, axes = figure(1, 2, (13, 5))
    left, right = axes[0]
    left.semilogx(spreads, over, lw=2, label="LSE(x) - max x")
    left.axhline(np.log(N), color="black", ls="--", label="log n: all equal")
    left.axhline(0, color="black", ls=":", label="0: one far above the others")
    left.semilogx(spreads, np.maximum(mean, -0.5), color="C1", label="mean + log n - max x (cut at -1/2)")
    left.set(title=f"the log of a sum of exponentials, n = {N}", xlabel="spread of x", ylim=(-0.55, 2.4))
    left.legend()
    temperatures = np.geomspace(0.01, 10, 20 if quick else 200)
    soft = np.array([logsumexp(x, temperature=t) for t in temperatures])
    right.semilogx(temperatures, soft - x.max(), lw=2, label="tau LSE(x / tau) - max x")
    right.semilogx(temperatures, temperatures * np.log(N), "--", color="black", label="tau log n")
    right.set(title="at a temperature", xlabel="tau", ylim=(0, 3))
    right.legend()
    return made, {"x": x.tolist(), "spreads": spreads.tolist(), "above the greatest": over.tolist(),
                  "temperatures": temperatures.tolist(), "soft maximum": soft.tolist()}  # fmt: skip
