"""Randomised singular value decompositions: what is exact, what is optimal, and what the literal variant misses."""

import math

import numpy as np

from arrayopt.claims.claim import agreement, claim, slack
from arrayopt.claims.domain import Element, Integer, Numbers, Real
from arrayopt.sketch import article_svd, randomized_svd

SOURCE = "archive 8706 (section 23)"
MATRIX: dict[str, Element] = {
    "rows": Integer(4, 9), "columns": Integer(4, 9), "rank": Integer(1, 3), "a": Numbers(("rows", "columns")),
}  # fmt: skip
FACTORS: dict[str, Element] = {
    "rows": Integer(4, 9), "columns": Integer(4, 9), "rank": Integer(1, 3),
    "left": Numbers(("rows", "rank"), low=-2.0, high=2.0), "right": Numbers(("rank", "columns"), low=-2.0, high=2.0),
}  # fmt: skip


@claim(SOURCE, FACTORS, kind="equality", tolerance=1e-12, portable=False)
def exact_at_low_rank(left: np.ndarray, right: np.ndarray, rank: int) -> float:
    """The decomposition of a range (Halko, Martinsson and Tropp) is exact where the rank is at most what is asked."""
    a = left @ right
    return -_error(a, randomized_svd(a, rank, oversampling=2, rng=0)) / max(1.0, float(np.linalg.norm(a)))


@claim(
    SOURCE, FACTORS, kind="equality", tolerance=1e-3, portable=False, expect="refuted",
    witness={"rows": 4, "columns": 6, "rank": 1, "left": np.ones((4, 1)), "right": np.ones((1, 6))},
    instead="low_rank.exact_at_low_rank",
)  # fmt: skip
def literal_exact_at_low_rank(left: np.ndarray, right: np.ndarray, rank: int) -> float:
    r"""$M \approx M Q Q'$ with a random Q of as many columns as the rank, as the article has it, is exact, too."""
    a = left @ right
    return -_error(a, article_svd(a, rank, orthonormal=True, rng=0)) / max(1.0, float(np.linalg.norm(a)))


@claim(SOURCE, MATRIX, infimum=0.0, tolerance=1e-10, portable=False)
def not_better_than_optimal(a: np.ndarray, rank: int) -> float:
    """No decomposition of rank k is nearer than the k largest singular values make it (Eckart and Young)."""
    optimal = math.sqrt(float(np.sum(np.linalg.svd(a, compute_uv=False)[rank:] ** 2)))
    return slack(optimal, _error(a, randomized_svd(a, rank, oversampling=0, power_iterations=0, rng=0)),
                 max(1.0, float(np.linalg.norm(a))))  # fmt: skip


@claim(SOURCE, {"n": Integer(4, 40), "k": Integer(1, 4), "size": Real(0.1, 10.0)}, kind="equality", tolerance=1e-12,
       portable=False)  # fmt: skip
def share_that_is_lost(n: int, k: int, size: float) -> float:
    r"""Of $\|M\|_F^2$ the literal variant with orthonormal Q loses $1 - k/n$ on average; of a multiple of I exactly."""
    a = size * np.eye(n)
    lost = _error(a, article_svd(a, k, orthonormal=True, rng=0)) ** 2 / float(np.sum(a * a))
    return agreement(lost, 1 - k / n, 1.0)


@claim(SOURCE, kind="probability", portable=False)
def near_optimal() -> float:
    """With two power iterations the error is within 1.01 of the least in the Frobenius norm (60 x 40, seeds 0 to 9)."""
    rng = np.random.default_rng(0)
    q, r = (np.linalg.qr(rng.standard_normal((n, 40)))[0] for n in (60, 40))
    values = np.exp(-0.15 * np.arange(40))
    a = (q * values) @ r.T
    least = math.sqrt(float(np.sum(values[10:] ** 2)))
    worst = max(_error(a, randomized_svd(a, 10, power_iterations=2, rng=seed)) for seed in range(10))
    return 1.01 - worst / least


def _error(a: np.ndarray, found: object) -> float:
    u, s, vt = (np.asarray(x) for x in found)  # type: ignore[attr-defined]
    return float(np.linalg.norm(a - (u * s) @ vt))
