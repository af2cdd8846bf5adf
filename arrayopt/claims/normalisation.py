"""Classification with alternating normalisation: what a round does, its fixed points, and its limit."""

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Element, Integer, Numbers, Probability, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, same
from arrayopt.claims.sources import article
from arrayopt.learn import can, top_k_entropy

SOURCE = article(20)
ROWS = 4
PREDICTIONS: dict[str, Element] = {
    "m": Integer(2, 5), "logits": Numbers((ROWS, "m"), spread=1.5), "prior": Probability("m", positive=True),
}  # fmt: skip


def _predictions(logits: Array) -> Array:
    xp = namespace(logits)
    e = xp.exp(logits - xp.max(logits, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


def _columns(y: Array, prior: Array) -> Array:
    return y / namespace(y).mean(y, axis=0, keepdims=True) * prior[None, :]


def _rows(y: Array) -> Array:
    return y / namespace(y).sum(y, axis=1, keepdims=True)


def _alternated(y: Array, prior: Array) -> Array:
    for _ in range(3000):
        y = _rows(_columns(y, prior))
    return y


@claim(SOURCE, {"m": Integer(2, 6), "p": Probability("m")}, infimum=0.0, tolerance=1e-13)
def uncertainty(p: Array, m: int) -> float:
    """The entropy of the k largest entries, over log k, is between 0 and 1: 1 where they are equal."""
    values = [float(top_k_entropy(p[None, :], k)[0]) for k in range(2, m + 1)]
    return min(min(values), 1 - max(values))


@claim(SOURCE, PREDICTIONS, kind="equality", tolerance=1e-12)
def rows_sum_to_one(logits: Array, prior: Array) -> float:
    """Corrected predictions are probabilities."""
    found, xp = can(_predictions(logits), prior, k=2, threshold=0.5), namespace(logits)
    return min(agreement(xp.sum(found, axis=1), xp.ones_like(logits[:, 0]), 1.0), float(xp.min(found)))


@claim(SOURCE, PREDICTIONS, kind="equality", tolerance=1e-12)
def one_round(logits: Array, prior: Array) -> float:
    r"""In one round $p' \propto p \, \pi / (S + p)$, with S the sum of the certain predictions."""
    p, xp = _predictions(logits), namespace(logits)
    certain = (top_k_entropy(p, 2) < 0.5)[:, None]
    total = xp.sum(xp.where(certain, p, 0 * p), axis=0, keepdims=True)
    y = p * prior[None, :] / (total + p)
    return agreement(can(p, prior, k=2, threshold=0.5), xp.where(certain, p, y / xp.sum(y, axis=1, keepdims=True)), 1.0)


@claim(SOURCE, PREDICTIONS, kind="equality", tolerance=1e-12)
def equivariant(logits: Array, prior: Array) -> float:
    """Renaming the classes renames the corrected predictions."""
    p, roll = _predictions(logits), namespace(logits).roll
    return agreement(can(roll(p, 1, axis=1), roll(prior, 1), k=2, threshold=0.5),
                     roll(can(p, prior, k=2, threshold=0.5), 1, axis=1), 1.0)  # fmt: skip


@claim(SOURCE, {"m": Integer(2, 6)}, kind="equality", tolerance=1e-12, smooth=False)
def fixed_point(m: int) -> float:
    """Where the means of the classes are the prior already, nothing changes."""
    p = np.concatenate([np.eye(m), np.full((1, m), 1 / m)])  # certain of each class, and one that knows nothing
    return agreement(can(p, np.full(m, 1 / m), k=2), p, 1.0)


@claim(SOURCE, {**PREDICTIONS, "flat": Real(0.2, 1.0)}, kind="limit", tolerance=1e-6)
def alternating_converges(logits: Array, prior: Array, flat: float) -> float:
    """Normalising columns to the prior and rows to 1 in turns converges to both (Sinkhorn), for positive entries."""
    xp = namespace(logits)
    return agreement(xp.mean(_alternated(_predictions(flat * xp.clip(logits, -4, 4)), prior), axis=0), prior, 1.0)


@claim(
    f"{SOURCE}, trap", {"prior": Real(0.2, 0.8), "p": Real(0.1, 0.9)}, kind="limit", tolerance=0.1, expect="refuted",
    witness={"prior": 0.5, "p": 0.5}, instead="normalisation.alternating_converges",
)  # fmt: skip
def alternating_converges_with_zeros(prior: float, p: float) -> float:
    """It does for entries of 0 too: not where three rows of four are sure of a class of which the prior has less."""
    y = np.array([[1.0, 0.0]] * 3 + [[p, 1 - p]])
    target = np.array([prior * 0.75, 1 - prior * 0.75])
    return agreement(_alternated(y, target).mean(axis=0), target, 1.0)


@claim(SOURCE, {"m": Integer(2, 5), "y": Numbers((ROWS, "m"), low=0.01, high=1.0), "prior": Probability("m")},
       kind="equality", tolerance=1e-13)  # fmt: skip
def column_step(y: Array, prior: Array) -> float:
    r"""After the column step the means of columns are $\pi$ exactly; after the row step rows add up to 1."""
    xp = namespace(y)
    y = _columns(y, prior)
    return same([xp.mean(y, axis=0), xp.sum(_rows(y), axis=1)], [prior, xp.ones_like(y[:, 0])], 1.0)


@claim(f"{SOURCE}, trap", kind="behaviour", tolerance=1e-13)
def logarithm_of_zero() -> float:
    r"""$0 \log 0$ is 0: a probability of 0 among the largest is no NaN, and no uncertain row is lost."""
    p = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    return min(agreement(top_k_entropy(p, 3), [0.0, np.log(2) / np.log(3)], 1.0),
               agreement(can(p, np.full(3, 1 / 3), threshold=0.5)[1, :], [1 / 4, 3 / 4, 0.0], 1.0))  # fmt: skip


@claim(
    SOURCE, {"m": Integer(3, 3), "p": Probability("m"), "q": Probability("m")}, expect="refuted",
    witness={"m": 3, "p": np.array([0.5, 0.25, 0.25]), "q": np.array([0.5, 0.5, 0.0])}, smooth=False,
)  # fmt: skip
def same_order(p: Array, q: Array) -> float:
    """Of the two largest entries and of all, the entropy calls the same prediction the more uncertain."""
    two, all_ = (top_k_entropy(namespace(p).stack([p, q]), k) for k in (2, 3))
    return float((two[0] - two[1]) * (all_[0] - all_[1]))


def _entropy(p: tuple[float, ...], k: int) -> float:
    return float(top_k_entropy(np.asarray([p]), k)[0])


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
