"""Simpson's paradox: each group rises, all together fall, for each is centred by its own mean (archive 9931)."""

from typing import Any

import numpy as np

from arrayopt.theory import simpson
from scripts.experiment import figure


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    rng, count = np.random.default_rng(seed), 20 if quick else 60
    xs = [rng.uniform(low, low + 3, count) for low in (0.0, 3.0, 6.0)]
    ys = [x - 2.5 * low + 9 + rng.normal(0, 0.4, count) for x, low in zip(xs, (0.0, 3.0, 6.0), strict=True)]
    found = simpson(xs, ys)
    made, axes = figure(1, 1, (7.5, 5.5))
    panel = axes[0][0]
    for k, (x, y, r) in enumerate(zip(xs, ys, found.within, strict=True)):
        panel.plot(x, y, ".", color=f"C{k}", label=f"group {k + 1}: r = {float(r):.2f}")
        panel.plot(x, np.polyval(np.polyfit(x, y, 1), x), color=f"C{k}", lw=1)
    x, y = np.concatenate(xs), np.concatenate(ys)
    panel.plot(x, np.polyval(np.polyfit(x, y, 1), x), "k--", label=f"all together: r = {float(found.pooled):.2f}")
    panel.set(title="Simpson's paradox", xlabel="x", ylabel="y")
    panel.legend()
    return made, {"groups": [float(r) for r in found.within], "pooled": float(found.pooled)}
