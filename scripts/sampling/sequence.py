"""A BLEU-like score on a small sequence task: the same ways to train as in `metrics`.

Inputs are sequences of letters; the target is the sequence reversed, in other letters, with one part in five of the
letters replaced at random. The model gives every position a softmax of its own, linear in the input's letters. The
score is the geometric mean of the precisions of single letters and pairs, of the likeliest output; the true map has
about 0.8.

What the runs show. The likelihood alone has the highest training score and overfits: guided search has a higher test
score, and has it without looking at the score, too. From scratch zeroth order and the policy gradient do not come far
in their evaluations. After pre-training the policy gradient has the highest test score, above where it started; five
seeds do not tell it from guided search.
"""

from typing import Any

import numpy as np

from arrayopt.core.logsumexp import softmax
from arrayopt.sampling.smoothing import above_baseline
from scripts.sampling.methods import SAMPLES, compared, drawn

LETTERS, LENGTH, ROWS, NOISE = 4, 5, 60, 0.2


class Transduction:
    """Half of the rows are for training."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        inputs = rng.integers(LETTERS, size=(2 * ROWS, LENGTH))
        clean = rng.permutation(LETTERS)[inputs[:, ::-1]]
        noisy = rng.random(clean.shape) < NOISE
        targets = np.where(noisy, rng.integers(LETTERS, size=clean.shape), clean)
        x = np.eye(LETTERS)[inputs].reshape(2 * ROWS, -1)
        self.rows = {"train": (x[:ROWS], targets[:ROWS]), "test": (x[ROWS:], targets[ROWS:])}
        self.counts = {of: grams(y) for of, (_, y) in self.rows.items()}
        self.start = np.zeros(LENGTH * LETTERS * LENGTH * LETTERS)
        self.of_the_true_map = float(bleu(clean[ROWS:], self.counts["test"]).mean())

    def outputs(self, p: np.ndarray, of: str = "train") -> np.ndarray:
        """Return outputs, shape (rows, LENGTH, LETTERS)."""
        return (self.rows[of][0] @ p.reshape(LENGTH * LETTERS, -1)).reshape(-1, LENGTH, LETTERS)

    def score(self, p: np.ndarray, of: str = "train") -> float:
        return float(bleu(self.outputs(p, of).argmax(axis=2), self.counts[of]).mean())

    def test(self, p: np.ndarray) -> float:
        return self.score(p, "test")

    def likelihood(self, p: np.ndarray) -> np.ndarray:
        x, y = self.rows["train"]
        d = softmax(self.outputs(p)) - np.eye(LETTERS)[y]
        return (x.T @ d.reshape(len(x), -1) / len(x)).ravel()

    def policy(self, p: np.ndarray, rng: Any) -> np.ndarray:
        x = self.rows["train"][0]
        z = self.outputs(p)
        sampled = (z + rng.gumbel(size=(SAMPLES, *z.shape))).argmax(axis=3)
        # Each row is a policy of its own, with the score of the row as its reward.
        rewards = bleu(sampled, self.counts["train"]).T
        over = above_baseline(rewards, "leave_one_out", rewards[..., None]).T
        d = (over[..., None, None] * (np.eye(LETTERS)[sampled] - softmax(z))).mean(axis=0)
        return (x.T @ d.reshape(len(x), -1) / len(x)).ravel()


def grams(found: np.ndarray) -> list[np.ndarray]:
    """Return how often each letter and each pair occurs in sequences, shape (..., LENGTH)."""
    letters = found[..., None] == np.arange(LETTERS)
    pairs = letters[..., :-1, :, None] & letters[..., 1:, None, :]
    return [letters.sum(axis=-2), pairs.sum(axis=-3).reshape(*found.shape[:-1], -1)]


def bleu(found: np.ndarray, counts: list[np.ndarray]) -> np.ndarray:
    """Return the geometric mean of the clipped precisions of letters and pairs, of each sequence."""
    precisions = [
        np.minimum(a, b).sum(axis=-1) / (LENGTH - n) for n, (a, b) in enumerate(zip(grams(found), counts, strict=True))
    ]
    return np.sqrt(precisions[0] * precisions[1])


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    seeds, evaluations = (range(seed, seed + 1), 320) if quick else (range(seed, seed + 5), 6400)
    found = compared(Transduction, seeds, evaluations)
    best = [Transduction(s).of_the_true_map for s in seeds]
    data = {"evaluations": evaluations, "seeds": list(seeds), "the true map, test": best, **found}
    return drawn({"letters and pairs": found}, len(seeds)), data
