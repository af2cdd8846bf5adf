"""Accuracy and F1 as they are, on scikit-learn's data: three ways without their gradient, and the likelihood alone.

The classifiers can separate their training rows, so that the likelihood alone reaches the highest training scores, and
looking at the score wins little: what differs is the test score, within the spread over seeds.
"""

from typing import Any

import numpy as np

from arrayopt.core.logsumexp import softmax
from arrayopt.sampling.smoothing import above_baseline
from scripts.experiment import figure
from scripts.sampling.methods import SAMPLES, bars, compared


class Linear:
    """A linear softmax classifier of half the rows, scored on them; the others are for testing."""

    def __init__(self, name: str, metric: Any, seed: int) -> None:
        from sklearn import datasets

        data = getattr(datasets, f"load_{name}")()
        order = np.random.default_rng(seed).permutation(len(data.target))[:700]
        x = data.data[order]
        spread = x.std(axis=0)
        x = (x - x.mean(axis=0))[:, spread > 0] / spread[spread > 0]
        x, y = np.column_stack([x, np.ones(len(x))]), data.target[order]
        half = len(y) // 2
        self.metric, self.classes = metric, int(y.max()) + 1
        self.rows = {"train": (x[:half], y[:half]), "test": (x[half:], y[half:])}
        self.start = np.zeros(x.shape[1] * self.classes)

    def outputs(self, p: np.ndarray, of: str = "train") -> np.ndarray:
        return self.rows[of][0] @ p.reshape(-1, self.classes)

    def score(self, p: np.ndarray) -> float:
        return self.metric(self.outputs(p).argmax(axis=1), self.rows["train"][1])

    def test(self, p: np.ndarray) -> float:
        return self.metric(self.outputs(p, "test").argmax(axis=1), self.rows["test"][1])

    def likelihood(self, p: np.ndarray) -> np.ndarray:
        x, y = self.rows["train"]
        d = softmax(self.outputs(p))
        d[np.arange(len(y)), y] -= 1
        return (x.T @ d / len(y)).ravel()

    def policy(self, p: np.ndarray, rng: Any) -> np.ndarray:
        x, y = self.rows["train"]
        z = self.outputs(p)
        q = softmax(z)
        labels = (z + rng.gumbel(size=(SAMPLES, *z.shape))).argmax(axis=2)
        rewards = np.asarray([self.metric(row, y) for row in labels])
        scores = np.eye(self.classes)[labels] - q  # of one sampled labelling of all rows each
        over = above_baseline(rewards, "leave_one_out", rewards[:, None])
        return (x.T @ np.tensordot(over, scores, 1)).ravel() / SAMPLES


def accuracy(found: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(found == y))


def f1(found: np.ndarray, y: np.ndarray) -> float:
    """Return F1 of class 0, the rarer one of breast_cancer."""
    both = float(np.sum((found == 0) & (y == 0)))
    return 2 * both / max(float(np.sum(found == 0) + np.sum(y == 0)), 1.0)


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    seeds, evaluations = (range(seed, seed + 1), 320) if quick else (range(seed, seed + 5), 3200)
    made, axes = figure(1, 2, (15, 6))
    data: dict[str, Any] = {"evaluations": evaluations, "columns": ["at the start", "training", "test"]}
    for panel, (name, metric) in zip(axes[0], (("breast_cancer", f1), ("digits", accuracy)), strict=True):
        found = compared(lambda s, name=name, metric=metric: Linear(name, metric, s), seeds, evaluations)
        bars(panel, found, f"{metric.__name__} on {name}, {evaluations} evaluations, {len(seeds)} seeds")
        data[f"{metric.__name__} on {name}"] = found
    return made, data
