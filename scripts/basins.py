"""How often a start ends in the better of two basins: gradient descent, SGD and momentum.

`python -m scripts.basins [-o DIR]` writes basins.png and basins.json. Noise and momentum make the worse basin less
likely, and do not rule it out.
"""

import math
import sys
from collections.abc import Sequence

import numpy as np

from arrayopt import SGD, Momentum
from arrayopt.core.rule import Rule
from arrayopt.problems import two_basins
from scripts.experiment import arguments, figure, save

TILTS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
WAYS: dict[str, tuple[Rule, float]] = {
    "gradient descent": (SGD(lr=0.05), 0.0),
    "SGD, noise 1": (SGD(lr=0.05), 1.0),
    "SGD, noise 2": (SGD(lr=0.05), 2.0),
    "momentum 0.9": (Momentum(lr=0.05, momentum=0.9), 0.0),
    "momentum 0.9, noise 1": (Momentum(lr=0.05, momentum=0.9), 1.0),
}
"""A rule, and the standard deviation of what is added to each gradient for the first three quarters of the steps."""


def share(rule: Rule, noise: float, tilt: float, starts: np.ndarray, steps: int, rng: np.random.Generator) -> float:
    """Return which share of the starts, each a row, ends on the better side."""
    problem = two_basins(tilt)
    x, state = starts, rule.init(starts)
    for t in range(steps):
        g = problem.gradient(x)
        if t < 3 * steps // 4:
            g = g + noise * rng.standard_normal(x.shape)
        x, state = rule.update(g, state, x)
    better, worse = problem.minimisers[0], np.asarray(problem.local[0])
    return float(np.mean(np.abs(x - better).sum(1) < np.abs(x - worse).sum(1)))


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments("basins", __doc__, argv)
    count, steps = (200, 200) if given.quick else (4000, 1000)
    starts = np.random.default_rng(given.seed).uniform(-2, 2, (count, 2))
    shares = {
        name: [share(rule, noise, tilt, starts, steps, np.random.default_rng([given.seed, k])) for tilt in TILTS]
        for k, (name, (rule, noise)) in enumerate(WAYS.items())
    }
    made, axes = figure(1, 2, (13, 5))
    x = np.linspace(-1.8, 1.8, 300)
    for tilt in TILTS[::2]:
        problem = two_basins(tilt)
        axes[0][0].plot(x, problem.value(np.stack([x, 0 * x], axis=-1)), label=f"tilt {tilt}")
    axes[0][0].set(title="the function along its first axis", xlabel="x", ylim=(-0.6, 1.2))
    axes[0][0].legend()
    for name, found in shares.items():
        error = [2 * math.sqrt(max(p * (1 - p), 1e-12) / count) for p in found]
        axes[0][1].errorbar(TILTS, found, error, marker="o", lw=1, ms=4, capsize=2, label=name)
    axes[0][1].set(title=f"share of {count} starts that end in the better basin", xlabel="tilt", ylim=(0.4, 1.02))
    axes[0][1].legend()
    save(made, {"tilts": TILTS, "starts": count, "steps": steps, "shares": shares}, "basins", given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
