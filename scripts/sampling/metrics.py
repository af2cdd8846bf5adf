"""Accuracy and F1 as they are, on scikit-learn's data: ways without their gradient, and the likelihood alone.

What the runs show. Where a linear classifier separates the training rows, or nearly (digits, all of breast_cancer),
there is nothing left for the score to say: no method has higher training scores than the likelihood alone, and what
differs in the test is how far a method goes. Where the classes overlap (F1 from three features), zeroth order and the
policy gradient beat it by 0.04 to 0.05, in training and test; guided search does so in training only: in the test it
gains no more than without the score. But a threshold, chosen for F1 once the likelihood is done, wins as much in
training, and 0.02 in the test; from three other sets of features it had most of zeroth order's gain there, too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from arrayopt.core.logsumexp import softmax
from arrayopt.sampling.smoothing import above_baseline
from scripts.sampling.methods import SAMPLES, compared, drawn, surrogate

Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of labels, shape (..., rows): a score of each row, shape (..., rows), or of all of them, shape (..., 1)."""


class Linear:
    """A linear softmax classifier of half the rows, scored on them; the others are for testing."""

    def __init__(self, name: str, metric: Metric, seed: int, features: Any = slice(None)) -> None:
        from sklearn import datasets

        data = getattr(datasets, f"load_{name}")()
        order = np.random.default_rng(seed).permutation(len(data.target))[:700]
        x, y = data.data[order][:, features], data.target[order]
        half = len(y) // 2
        spread = x[:half].std(axis=0)
        x = (x - x[:half].mean(axis=0))[:, spread > 0] / spread[spread > 0]
        x = np.column_stack([x, np.ones(len(x))])
        self.metric, self.classes = metric, int(y.max()) + 1
        self.rows = {"train": (x[:half], y[:half]), "test": (x[half:], y[half:])}
        self.start = np.zeros(x.shape[1] * self.classes)

    def outputs(self, p: np.ndarray, of: str = "train") -> np.ndarray:
        return self.rows[of][0] @ p.reshape(-1, self.classes)

    def score(self, p: np.ndarray, of: str = "train") -> float:
        return float(self.metric(self.outputs(p, of).argmax(axis=1), self.rows[of][1]).mean())

    def test(self, p: np.ndarray) -> float:
        return self.score(p, "test")

    def likelihood(self, p: np.ndarray) -> np.ndarray:
        x, y = self.rows["train"]
        d = softmax(self.outputs(p))
        d[np.arange(len(y)), y] -= 1
        return (x.T @ d / len(y)).ravel()

    def policy(self, p: np.ndarray, rng: Any) -> np.ndarray:
        x, y = self.rows["train"]
        z = self.outputs(p)
        labels = (z + rng.gumbel(size=(SAMPLES, *z.shape))).argmax(axis=2)
        rewards = self.metric(labels, y)  # shape (SAMPLES, rows), or (SAMPLES, 1): one policy of all labels
        over = above_baseline(rewards.T, "leave_one_out", rewards.T[..., None]).T
        d = (over[..., None] * (np.eye(self.classes)[labels] - softmax(z))).mean(axis=0)
        return (x.T @ d / rewards.shape[1]).ravel()


def thresholded(task: Linear, evaluations: int, seed: int) -> np.ndarray:
    """Return the likelihood's parameters with the bias of class 1 that has the best training score."""
    p = surrogate(task, task.start, evaluations, seed)
    gaps = np.sort(np.subtract(*task.outputs(p).T))  # class 0 over class 1
    shifted = np.repeat(p[None], len(gaps) - 1, axis=0)
    shifted[:, -1] += (gaps[1:] + gaps[:-1]) / 2
    return shifted[np.argmax([task.score(q) for q in shifted])]


def accuracy(found: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (found == y).astype(float)


def f1(found: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return F1 of class 0, the rarer one of breast_cancer."""
    both = np.sum((found == 0) & (y == 0), axis=-1, keepdims=True)
    return 2 * both / np.maximum(np.sum(found == 0, axis=-1, keepdims=True) + np.sum(y == 0), 1)


TEXTURE, SMOOTHNESS, FRACTAL_DIMENSION = 1, 4, 9
TASKS: dict[str, tuple[Any, ...]] = {
    "accuracy on digits": ("digits", accuracy),
    "F1 on breast_cancer": ("breast_cancer", f1),
    "F1, three features": ("breast_cancer", f1, [TEXTURE, SMOOTHNESS, FRACTAL_DIMENSION]),
}


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    seeds, evaluations = (range(seed, seed + 1), 320) if quick else (range(seed, seed + 5), 3200)
    data = {}
    for title, (name, metric, *features) in TASKS.items():
        tasks = {s: Linear(name, metric, s, *features) for s in seeds}
        data[title] = compared(tasks.__getitem__, seeds, evaluations)
        if metric is f1:
            ends = [(task, thresholded(task, evaluations, s)) for s, task in tasks.items()]
            scores = {"training": [t.score(x) for t, x in ends], "test": [t.test(x) for t, x in ends]}
            data[title]["likelihood, then a threshold"] = scores
    return drawn(data, len(seeds)), {"evaluations": evaluations, "seeds": list(seeds), **data}
