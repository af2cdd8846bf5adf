"""What Newton-Schulz steps make of singular values, and of those of a random matrix (archive 10592)."""

from typing import Any

import numpy as np

from arrayopt.core.orthogonal.polynomials import composite
from arrayopt.theory import invariant_band, newton_schulz_mse
from scripts.experiment import figure

OFFICIAL, TAYLOR = (3.4445, -4.7750, 2.0315), (15 / 8, -5 / 4, 3 / 8)


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    s = np.linspace(1e-3, 1.0, 200 if quick else 2000)
    made, axes = figure(1, 2, (13, 5))
    left, right = axes[0]
    low, high = invariant_band(OFFICIAL)
    for name, polynomial, colour in (("official", OFFICIAL, "C0"), ("Taylor", TAYLOR, "C1")):
        for steps, style in ((1, ":"), (5, "-"), (10, "--")):
            left.plot(s, composite([polynomial] * steps, s), style, color=colour, lw=1, label=f"{name}, {steps} steps")
    left.axhspan(low, high, color="C0", alpha=0.1, label=f"[{low:.4f}, {high:.4f}]")
    left.set(title="singular values after Newton-Schulz steps", xlabel="before", ylim=(0, 1.6))
    left.legend(fontsize=8)
    sides = [2**k for k in range(6, 9 if quick else 14)]
    mse = {name: [newton_schulz_mse(n, n, 5, polynomial) for n in sides]
           for name, polynomial in (("official", OFFICIAL), ("Taylor", TAYLOR))}  # fmt: skip
    for name, values in mse.items():
        right.semilogx(sides, values, "o-", base=2, label=name)
    right.set(title="mean (s - 1)^2 after 5 steps, square Gaussian matrices", xlabel="side")
    right.legend()
    return made, {"band": [low, high], "sides": sides, "mse": mse}
