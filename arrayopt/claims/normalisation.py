"""Classification with alternating normalisation: what a round does, its fixed points, and its limit."""

import numpy as np

from arrayopt.claims.claim import agreement, claim
from arrayopt.claims.domain import Element, Integer, Numbers, Probability, Real
from arrayopt.claims.known import Known
from arrayopt.learn import can, top_k_entropy

SOURCE = "archive 8728 (section 20)"
ROWS = 4
PREDICTIONS: dict[str, Element] = {
    "m": Integer(2, 5), "logits": Numbers((ROWS, "m"), spread=1.5), "prior": Probability("m", positive=True),
}  # fmt: skip


def _predictions(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


@claim(SOURCE, {"m": Integer(2, 6), "p": Probability("m")}, infimum=0.0, portable=False, tolerance=1e-13)
def uncertainty(p: np.ndarray, m: int) -> float:
    """The entropy of the k largest entries, over log k, is between 0 and 1: 1 where they are equal."""
    values = [float(np.asarray(top_k_entropy(p[None, :], k)).item()) for k in range(2, m + 1)]
    return min(min(values), 1 - max(values))


@claim(SOURCE, PREDICTIONS, kind="equality", tolerance=1e-12, portable=False)
def rows_sum_to_one(logits: np.ndarray, prior: np.ndarray) -> float:
    """Corrected predictions are probabilities."""
    found = np.asarray(can(_predictions(logits), prior, k=2, threshold=0.5))
    return agreement(found.sum(axis=1), np.ones(ROWS), 1.0) if (found >= 0).all() else -1.0


@claim(SOURCE, PREDICTIONS, kind="equality", tolerance=1e-12, portable=False)
def one_round(logits: np.ndarray, prior: np.ndarray) -> float:
    r"""In one round $p' \propto p \, \pi / (S + p)$, with S the sum of the certain predictions."""
    p = _predictions(logits)
    found = np.asarray(can(p, prior, k=2, threshold=0.5))
    certain = np.asarray(top_k_entropy(p, 2)) < 0.5
    total = p[certain].sum(axis=0)
    expected = p.copy()
    for j in np.flatnonzero(~certain):
        row = p[j] * prior / (total + p[j])
        expected[j] = row / row.sum()
    return agreement(found, expected, 1.0)


@claim(SOURCE, PREDICTIONS, kind="equality", tolerance=1e-12, portable=False)
def equivariant(logits: np.ndarray, prior: np.ndarray, m: int) -> float:
    """Renaming the classes renames the corrected predictions."""
    p, order = _predictions(logits), np.roll(np.arange(m), 1)
    return agreement(np.asarray(can(p[:, order], prior[order], k=2, threshold=0.5)),
                     np.asarray(can(p, prior, k=2, threshold=0.5))[:, order], 1.0)  # fmt: skip


@claim(SOURCE, {"m": Integer(2, 6)}, kind="equality", tolerance=1e-12, portable=False, smooth=False)
def fixed_point(m: int) -> float:
    """Where the means of the classes are the prior already, nothing changes."""
    p = np.concatenate([np.eye(m), np.full((1, m), 1 / m)])  # certain of each class, and one that knows nothing
    return agreement(np.asarray(can(p, np.full(m, 1 / m), k=2)), p, 1.0)


@claim(SOURCE, {**PREDICTIONS, "flat": Real(0.2, 1.0)}, kind="limit", tolerance=1e-6, portable=False)
def alternating_converges(logits: np.ndarray, prior: np.ndarray, flat: float) -> float:
    """Normalising columns to the prior and rows to 1 in turns converges to both (Sinkhorn), for positive entries."""
    y = _predictions(flat * np.clip(logits, -4, 4))
    for _ in range(3000):
        y = y / y.mean(axis=0) * prior
        y = y / y.sum(axis=1, keepdims=True)
    return agreement(y.mean(axis=0), prior, 1.0)


@claim(
    SOURCE, {"m": Integer(3, 3), "p": Probability("m"), "q": Probability("m")}, expect="refuted", portable=False,
    witness={"m": 3, "p": np.array([0.5, 0.25, 0.25]), "q": np.array([0.5, 0.5, 0.0])}, smooth=False,
)  # fmt: skip
def same_order(p: np.ndarray, q: np.ndarray) -> float:
    """Of the two largest entries and of all, the entropy calls the same prediction the more uncertain."""
    two, all_ = (np.asarray(top_k_entropy(np.stack([p, q]), k)) for k in (2, 3))
    return float((two[0] - two[1]) * (all_[0] - all_[1]))


def _entropy(p: tuple[float, ...], k: int) -> float:
    return float(np.asarray(top_k_entropy(np.asarray([p]), k)).item())


KNOWN = (
    Known("normalisation.all_of_a", "the entropy of all of (.5, .25, .25)", SOURCE, ".9464",
          lambda: _entropy((0.5, 0.25, 0.25), 3)),
    Known("normalisation.all_of_b", "the entropy of all of (.5, .5, 0)", SOURCE, ".6309",
          lambda: _entropy((0.5, 0.5, 0.0), 3)),
    Known("normalisation.two_of_a", "of the two largest of (.5, .25, .25)", SOURCE, ".9183",
          lambda: _entropy((0.5, 0.25, 0.25), 2)),
    Known("normalisation.two_of_b", "of the two largest of (.5, .5, 0)", SOURCE, "1.0",
          lambda: _entropy((0.5, 0.5, 0.0), 2)),
    Known("normalisation.example", "class 0 of (.5, .5) beside (.05, .95), even prior", SOURCE, "0.725",
          lambda: float(can(np.array([[0.05, 0.95], [0.5, 0.5]]), np.array([0.5, 0.5]), k=2)[1, 0])),
)  # fmt: skip
