"""How parallel the zeroth-order gradient of the hard reward is to the policy gradient (archive 7737).

Noise of size sigma on the weights is noise of size sigma |x| on the outputs, and both gradients are a gradient by the
outputs times x: the cosine depends on the outputs alone, and the exact one takes an integral over one number. With two
classes it is 1 for every sigma. With more it is nearly 1 where the noise is as wide as Gumbel's, for which it would
be 1, and falls on either side: to the gradient of the two greatest outputs, or to that of noise alone. The estimate
from few directions is mostly noise whatever the classes.
"""

import math
from typing import Any

import numpy as np

from arrayopt.sampling import antithetic_gradient, draw_directions, policy_gradient
from scripts.experiment import figure

INPUTS = 6
GUMBEL = math.pi / math.sqrt(6)
"""The standard deviation of Gumbel noise."""


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    noises = np.geomspace(0.2, 20, 5 if quick else 25)
    counts = [2, 10] if quick else [2, 3, 5, 10, 20]
    examples = 20 if quick else 100
    samples = [10, 1000] if quick else [10, 30, 100, 300, 1000, 3000, 10_000]
    rng = np.random.default_rng(seed)
    made, axes = figure(1, 2, (14, 5.5))
    left, right = axes[0]
    data: dict[str, Any] = {"noise of the outputs": noises.tolist(), "samples": samples, "examples": examples}
    for k, classes in enumerate(counts):
        exact, estimated = np.empty((examples, len(noises))), np.empty((examples, len(samples)))
        for i in range(examples):
            z, x = rng.standard_normal(classes), rng.standard_normal(INPUTS)
            rewards = (np.arange(classes) == rng.integers(classes)).astype(float)  # 1 for the right class
            by_outputs = policy_gradient(z, rewards)
            exact[i] = [_cosine(smoothed_gradient(z, rewards, c), by_outputs) for c in noises]
            wanted = np.outer(by_outputs, x).ravel()
            for j, n in enumerate(samples):
                estimated[i, j] = _cosine(_estimate(z, x, rewards, GUMBEL / np.linalg.norm(x), n, rng), wanted)
        middle, low = np.median(exact, axis=0), np.quantile(exact, 0.1, axis=0)
        left.semilogx(noises, middle, color=f"C{k}", label=f"{classes} classes")
        if classes > 2:
            left.semilogx(noises, low, ":", color=f"C{k}", lw=1)
        mean, error = estimated.mean(axis=0), estimated.std(axis=0, ddof=1) / math.sqrt(examples)
        right.errorbar(samples, mean, 2 * error, fmt="o-", ms=4, capsize=2, color=f"C{k}", label=f"{classes} classes")
        data[f"{classes} classes"] = {
            "exact, median": middle.tolist(), "exact, a tenth is below": low.tolist(),
            "exact, least": float(exact.min()), "estimated, mean": mean.tolist(),
        }  # fmt: skip
    left.axvline(GUMBEL, color="black", ls="--", lw=0.8, label="as wide as Gumbel noise")
    left.set(title=f"exact, median of {examples} examples (dotted: a tenth is below)",
             xlabel="standard deviation of the outputs' noise, sigma |x|", ylabel="cosine to the policy gradient",
             ylim=(0.8, 1.005))  # fmt: skip
    right.axhline(1, color="black", ls=":", lw=0.8)
    right.set(title="estimates at Gumbel's width, mean and two standard errors", xscale="log", ylim=(0, 1.03),
              xlabel=f"antithetic directions, of {INPUTS} parameters a class",
              ylabel="cosine to the policy gradient")  # fmt: skip
    left.legend(loc="lower right")
    right.legend(loc="lower right")
    return made, data


def smoothed_gradient(z: np.ndarray, rewards: np.ndarray, c: float) -> np.ndarray:
    r"""Return the gradient of E r(argmax(z + c u)), u standard normal, by z, up to a positive factor.

    .. math:: \partial_k = \sum_y (r_k - r_y) A_{ky}, \qquad
        A_{ky} = \int \frac{\varphi_k \varphi_y}{c^2} \prod_{j \ne k, y} \Phi_j \, dt

    with the normal density and distribution at :math:`(t - z_j) / c`. The trapezoidal rule is good to the last digits.
    """
    from scipy.special import log_ndtr

    low, high = z.min() - 10 * c, z.max() + 10 * c
    t = (np.linspace(low, high, int(6 * (high - low) / c))[:, None] - z) / c
    below = log_ndtr(t)
    hazard = np.exp(-0.5 * t * t - below)
    a = hazard.T @ (np.exp(below.sum(axis=1))[:, None] * hazard)
    return np.sum((rewards[:, None] - rewards) * a, axis=1)


def _estimate(z: np.ndarray, x: np.ndarray, rewards: np.ndarray, sigma: float, n: int, rng: Any) -> np.ndarray:
    """Return the zeroth-order estimate by the weights, from n directions."""
    u = np.asarray(draw_directions(n, z.size * x.size, "gaussian", rng))
    by = sigma * (u.reshape(n, z.size, x.size) @ x)
    above, below = (rewards[(z + s * by).argmax(axis=1)] for s in (1, -1))
    return np.asarray(antithetic_gradient(above, below, u, sigma))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return it: 0, no help, for an estimate of 0."""
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size > 0 else 0.0
