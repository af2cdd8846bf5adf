"""How parallel the zeroth-order gradient of the hard reward is to the policy gradient (archive 7737).

Against the step sigma, the number of classes, and the number of samples. With two classes they are parallel for every
sigma; with more they are not, and the estimate from few samples is mostly noise.
"""

from typing import Any

import numpy as np

from arrayopt.sampling import antithetic_gradient, draw_directions, policy_gradient
from scripts.experiment import figure

INPUTS = 6


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    sigmas = np.geomspace(0.05, 5, 4 if quick else 9)
    counts = [2, 10] if quick else [2, 3, 5, 10, 20]
    many = 4_000 if quick else 60_000
    samples = [10, 1000] if quick else [10, 30, 100, 300, 1000, 3000, 10_000]
    rng = np.random.default_rng(seed)
    made, axes = figure(1, 2, (13, 5))
    left, right = axes[0]
    data: dict[str, Any] = {"sigmas": sigmas.tolist(), "samples": samples}
    for k, classes in enumerate(counts):
        w, x = 0.5 * rng.standard_normal((classes, INPUTS)), rng.standard_normal(INPUTS)
        rewards = rng.permutation(classes).astype(float)
        wanted = np.outer(policy_gradient(w @ x, rewards), x).ravel()
        by_sigma = [_cosine(_zeroth_order(w, x, rewards, s, many, rng), wanted) for s in sigmas]
        left.semilogx(sigmas, by_sigma, "o-", color=f"C{k}", label=f"{classes} classes")
        by_samples = [
            float(np.mean([_cosine(_zeroth_order(w, x, rewards, 1.0, n, rng), wanted) for _ in range(10)]))
            for n in samples
        ]
        right.semilogx(samples, by_samples, "o-", color=f"C{k}", label=f"{classes} classes")
        data[f"{classes} classes"] = {"by sigma": by_sigma, "by samples": by_samples}
    left.set(title=f"cosine to the policy gradient, {many:,} directions", xlabel="sigma", ylim=(-0.1, 1.05))
    right.set(title="at sigma = 1, the mean of ten estimates' cosines", xlabel="directions", ylim=(-0.1, 1.05))
    left.legend()
    right.legend()
    return made, data


def _zeroth_order(w: np.ndarray, x: np.ndarray, rewards: np.ndarray, sigma: float, n: int, rng: Any) -> np.ndarray:
    """Return the estimate from n directions of the parameters."""
    u = np.asarray(draw_directions(n, w.size, "gaussian", rng))
    by = sigma * (u.reshape(n, *w.shape) @ x)
    above, below = (rewards[(w @ x + s * by).argmax(axis=1)] for s in (1, -1))
    return np.asarray(antithetic_gradient(above, below, u, sigma))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size > 0 else 0.0
