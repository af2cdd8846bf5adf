"""Random projections: how many dimensions keep distances, and how well fewer do (archives 8679, 8706)."""

from typing import Any

import numpy as np

from arrayopt.sketch import gaussian_projection, jl_dimension
from scripts.experiment import figure

BOUNDS = ("article", "dasgupta_gupta", "chi2")
POINTS, SPACE = 60, 500


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    eps = np.linspace(0.1, 0.9, 5 if quick else 17)
    made, axes = figure(1, 2, (13, 5))
    left, right = axes[0]
    wanted = {}
    for name in BOUNDS:
        wanted[name] = [jl_dimension(1000, float(e), bound=name) for e in eps]
        left.semilogy(eps, wanted[name], "o-", ms=3, label=name.replace("_", " and "))
    left.set(title="dimensions that keep 1,000 points, failing once in 1,000", xlabel="epsilon")
    left.legend()
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((POINTS, SPACE))
    above = np.triu_indices(POINTS, 1)
    truth = _squares(points)[above]
    dimensions = [16, 64, 256] if quick else [8, 16, 32, 64, 128, 256, 512, 1024, 2048]
    spread = []
    for n in dimensions:
        a = gaussian_projection(n, SPACE, rng=rng)
        ratio = _squares(points @ np.asarray(a).T)[above] / truth
        spread.append(np.quantile(ratio, [0, 0.05, 0.5, 0.95, 1]).tolist())
    q = np.asarray(spread).T
    right.fill_between(dimensions, q[0], q[4], alpha=0.2, label="all pairs")
    right.fill_between(dimensions, q[1], q[3], alpha=0.3, label="nine of ten")
    right.plot(dimensions, q[2], label="median")
    right.set(title=f"squared distances, after / before: {POINTS} points, R^{SPACE}", xlabel="dimensions", xscale="log")
    right.legend()
    return made, {"eps": eps.tolist(), "dimensions": wanted, "projected": dimensions, "quantiles": spread}


def _squares(x: np.ndarray) -> np.ndarray:
    norms = (x * x).sum(axis=1)
    return norms[:, None] + norms[None, :] - 2 * x @ x.T
