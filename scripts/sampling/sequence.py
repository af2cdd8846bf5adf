"""A BLEU-like score on a small sequence task: the same ways to train as in `metrics`.

Inputs are sequences of letters; the target is the sequence reversed, in other letters, with one part in five of the
letters replaced at random. The model gives every position a softmax of its own, linear in the input's letters. The
score is the geometric mean of the precisions of single letters and pairs, of the likeliest output.
"""

from typing import Any

import numpy as np

from arrayopt.core.logsumexp import softmax
from arrayopt.sampling.smoothing import above_baseline
from scripts.experiment import figure
from scripts.sampling.methods import SAMPLES, bars, compared

LETTERS, LENGTH, ROWS, NOISE = 4, 5, 60, 0.2


class Transduction:
    """Half of the rows are for training."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        inputs = rng.integers(LETTERS, size=(2 * ROWS, LENGTH))
        targets = rng.permutation(LETTERS)[inputs[:, ::-1]]
        noisy = rng.random(targets.shape) < NOISE
        targets = np.where(noisy, rng.integers(LETTERS, size=targets.shape), targets)
        x = np.eye(LETTERS)[inputs].reshape(2 * ROWS, -1)
        self.rows = {"train": (x[:ROWS], targets[:ROWS]), "test": (x[ROWS:], targets[ROWS:])}
        self.start = np.zeros(LENGTH * LETTERS * LENGTH * LETTERS)

    def outputs(self, p: np.ndarray, of: str = "train") -> np.ndarray:
        """Return outputs, shape (rows, LENGTH, LETTERS)."""
        return (self.rows[of][0] @ p.reshape(LENGTH * LETTERS, -1)).reshape(-1, LENGTH, LETTERS)

    def score(self, p: np.ndarray) -> float:
        return bleu(self.outputs(p).argmax(axis=2), self.rows["train"][1])

    def test(self, p: np.ndarray) -> float:
        return bleu(self.outputs(p, "test").argmax(axis=2), self.rows["test"][1])

    def likelihood(self, p: np.ndarray) -> np.ndarray:
        x, y = self.rows["train"]
        d = softmax(self.outputs(p)) - np.eye(LETTERS)[y]
        return (x.T @ d.reshape(len(x), -1) / len(x)).ravel()

    def policy(self, p: np.ndarray, rng: Any) -> np.ndarray:
        x, y = self.rows["train"]
        z = self.outputs(p)
        sampled = (z + rng.gumbel(size=(SAMPLES, *z.shape))).argmax(axis=3)
        # Each row is a policy of its own, with the score of the row as its reward.
        rewards = np.asarray([rowwise(s, y) for s in sampled]).T
        over = above_baseline(rewards, "leave_one_out", rewards[..., None]).T
        d = (over[..., None, None] * (np.eye(LETTERS)[sampled] - softmax(z))).mean(axis=0)
        return (x.T @ d.reshape(len(x), -1) / len(x)).ravel()


def bleu(found: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over rows."""
    return float(rowwise(found, y).mean())


def rowwise(found: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the geometric mean of the clipped precisions of letters and pairs, of each row."""
    precisions = []
    for n in (1, 2):
        grams = [sum(a[:, i : LENGTH - n + 1 + i] * LETTERS**i for i in range(n)) for a in (found, y)]
        counts = [(g[..., None] == np.arange(LETTERS**n)).sum(axis=1) for g in grams]
        precisions.append(np.minimum(*counts).sum(axis=1) / (LENGTH - n + 1))
    return np.sqrt(precisions[0] * precisions[1])


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    seeds, evaluations = (range(seed, seed + 1), 320) if quick else (range(seed, seed + 5), 6400)
    found = compared(Transduction, seeds, evaluations)
    made, axes = figure(1, 1, (10, 6))
    bars(axes[0][0], found, f"letters and pairs (as BLEU), {evaluations} evaluations, {len(seeds)} seeds")
    return made, {"evaluations": evaluations, "columns": ["at the start", "training", "test"], **found}
