"""Randomised singular value decompositions: what is exact, what is optimal, and what the literal variant misses."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real
from arrayopt.claims.margins import agreement, largest, norm, slack
from arrayopt.claims.sources import article
from arrayopt.sketch import LowRank, article_svd, randomized_svd

SOURCE = article(23)
MATRIX: dict[str, Element] = {
    "rows": Integer(4, 9), "columns": Integer(4, 9), "rank": Integer(1, 3), "a": Numbers(("rows", "columns")),
}  # fmt: skip
FACTORS: dict[str, Element] = {
    "rows": Integer(4, 9), "columns": Integer(4, 9), "rank": Integer(1, 3),
    "left": Numbers(("rows", "rank"), low=-2.0, high=2.0), "right": Numbers(("rank", "columns"), low=-2.0, high=2.0),
}  # fmt: skip


@claim(SOURCE, FACTORS, kind="equality", tolerance=1e-12)
def exact_at_low_rank(left: Array, right: Array, rank: int) -> float:
    """The decomposition of a range (Halko, Martinsson and Tropp) is exact where the rank is at most what is asked."""
    a = left @ right
    return -_error(a, randomized_svd(a, rank, oversampling=2, rng=0)) / max(1.0, norm(a))


@claim(
    SOURCE, FACTORS, kind="equality", tolerance=1e-3, expect="refuted",
    witness={"rows": 4, "columns": 6, "rank": 1, "left": np.ones((4, 1)), "right": np.ones((1, 6))},
    instead="low_rank.exact_at_low_rank",
)  # fmt: skip
def literal_exact_at_low_rank(left: Array, right: Array, rank: int) -> float:
    r"""$M \approx M Q Q'$ with a random Q of as many columns as the rank, as the article has it, is exact, too."""
    a = left @ right
    return -_error(a, article_svd(a, rank, orthonormal=True, rng=0)) / max(1.0, norm(a))


@claim(SOURCE, MATRIX, infimum=0.0, tolerance=1e-10)
def not_better_than_optimal(a: Array, rank: int) -> float:
    """No decomposition of rank k is nearer than the k largest singular values make it (Eckart and Young)."""
    optimal = norm(namespace(a).linalg.svdvals(a)[rank:])
    return slack(optimal, _error(a, randomized_svd(a, rank, oversampling=0, power_iterations=0, rng=0)),
                 max(1.0, norm(a)))  # fmt: skip


def _normal(like: Array, n: int, k: int) -> tuple[Array, Array]:
    """Return n x k matrices, and probabilities, with all moments of N(0, 1/k) to the fifth: Hermite's three points."""
    x, w = np.sqrt(3 / k) * np.array([-1.0, 0.0, 1.0]), np.array([1.0, 4.0, 1.0]) / 6
    points, weights = (np.stack(np.meshgrid(*[a] * (n * k)), axis=-1).reshape(-1, n, k) for a in (x, w))
    xp = namespace(like)
    return xp.asarray(points, dtype=like.dtype), xp.asarray(weights.prod(axis=(1, 2)), dtype=like.dtype)


NORMAL: dict[str, Element] = {"size": Choice(((1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 2)))}


@claim(SOURCE, {**NORMAL, "m": Numbers((2, 3))}, kind="equality", tolerance=1e-12)
def keeps_inner_products(size: tuple[int, int], m: Array) -> float:
    """A normal Q with variances 1/k keeps inner products of rows, and so singular values: $E[M Q Q' M'] = M M'$."""
    xp, m = namespace(m), m[:, : size[0]]
    q, p = _normal(m, *size)
    mean = xp.sum(p[:, None, None] * (m @ q @ xp.matrix_transpose(q) @ xp.matrix_transpose(m)), axis=0)
    return agreement(mean, m @ xp.matrix_transpose(m), largest(m) ** 2)


@claim(SOURCE, {**NORMAL, "m": Numbers((2, 3))}, kind="equality", tolerance=1e-12)
def lost_by_normal_matrices(size: tuple[int, int], m: Array) -> float:
    r"""But M Q Q' is not near M: $E \|M - M Q Q'\|_F^2 = \frac{n+1}{k} \|M\|_F^2$, more than all for $k \le n$."""
    (n, k), xp, m = size, namespace(m), m[:, : size[0]]
    q, p = _normal(m, n, k)
    apart = m - m @ q @ xp.matrix_transpose(q)
    mean = xp.sum(p * xp.sum(apart * apart, axis=(1, 2)))
    return agreement(mean, (n + 1) / k * xp.sum(m * m), largest(m) ** 2)


@claim(SOURCE, {"n": Integer(4, 40), "k": Integer(1, 4), "size": Real(0.1, 10.0)}, kind="equality", tolerance=1e-12)
def share_that_is_lost(n: int, k: int, size: float) -> float:
    r"""Of $\|M\|_F^2$ the literal variant with orthonormal Q loses $1 - k/n$ on average; of a multiple of I exactly."""
    a = size * np.eye(n)
    lost = _error(a, article_svd(a, k, orthonormal=True, rng=0)) ** 2 / float(np.sum(a * a))
    return agreement(lost, 1 - k / n, 1.0)


@claim(SOURCE, kind="probability")
def near_optimal() -> float:
    """With two power iterations the error is within 1.01 of the least in the Frobenius norm (60 x 40, seeds 0 to 9)."""
    rng = np.random.default_rng(1000)  # not a seed of the decompositions
    q, r = (np.linalg.qr(rng.standard_normal((n, 40)))[0] for n in (60, 40))
    values = np.exp(-0.15 * np.arange(40))
    a = (q * values) @ r.T
    least = math.sqrt(float(np.sum(values[10:] ** 2)))
    worst = max(_error(a, randomized_svd(a, 10, power_iterations=2, rng=seed)) for seed in range(10))
    return 1.01 - worst / least


def _error(a: Array, found: LowRank) -> float:
    u, s, vt = found
    return norm(a - (u * s[None, :]) @ vt)
