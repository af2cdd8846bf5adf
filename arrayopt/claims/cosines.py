"""Cosines of vectors and of their blocks; correlations of groups and of all."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Element, Integer, Numbers, Real, Symmetric
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, norm, slack
from arrayopt.claims.sources import article
from arrayopt.theory import block_cosines, cosine, cosine_bounds, cosine_of_blocks, pearson, simpson

SOURCE = article(9)
SIZES = (1, 2, 3)
XY: dict[str, Element] = {"x": Numbers((6,)), "y": Numbers((6,))}


def _nonzero(*arrays: Array) -> None:
    if any(float(namespace(x).min(abs(x))) < 1e-6 for x in arrays):
        raise Outside


@claim(SOURCE, XY, kind="equality", tolerance=1e-13)
def of_blocks(x: Array, y: Array) -> float:
    r"""$\cos(x, y) = \sum c_i \|x_i\| \|y_i\| / \|x\| \|y\|$ over blocks."""
    _nonzero(x, y)
    return agreement(float(cosine(x, y)), float(cosine_of_blocks(block_cosines(x, y, SIZES))), 1.0)


@claim(SOURCE, XY, tolerance=1e-12, infimum=0.0)
def between(x: Array, y: Array) -> float:
    r"""$s \min c_i \le \cos(x, y) \le s \max c_i$ with s the cosine of the norms of blocks: sharp for equal $c_i$."""
    _nonzero(x, y)
    low, high = cosine_bounds(block_cosines(x, y, SIZES))
    return min(slack(float(low), float(cosine(x, y)), 1.0), slack(float(cosine(x, y)), float(high), 1.0))


@claim(
    SOURCE, XY, tolerance=1e-9, expect="refuted", instead="cosines.at_most_largest_or_zero",
    witness={"x": [1.0, 1.0, 1.0, 9.0, 9.0, 9.0], "y": [-9.0, -9.0, -9.0, -1.0, -1.0, -1.0]},
)  # fmt: skip
def at_most_largest(x: Array, y: Array) -> float:
    r"""$\cos(x, y) \le \max c_i$, whatever the signs of the $c_i$: not if all are negative."""
    x, y = np.asarray(x), np.asarray(y)
    _nonzero(x, y)
    return slack(float(cosine(x, y)), float(np.max(block_cosines(x, y, SIZES).cosines)), 1.0)


@claim(SOURCE, XY, tolerance=1e-12, infimum=0.0)
def at_most_largest_or_zero(x: Array, y: Array) -> float:
    r"""$\min(0, \min c_i) \le \cos(x, y) \le \max(0, \max c_i)$."""
    _nonzero(x, y)
    parts, whole = [float(c) for c in block_cosines(x, y, SIZES).cosines], float(cosine(x, y))
    return min(slack(min(0.0, *parts), whole, 1.0), slack(whole, max(0.0, *parts), 1.0))


@claim(SOURCE, {"e": Real(1e-6, 1.0, log=True)}, kind="equality", tolerance=1e-12)
def no_lower_bound(e: float) -> float:
    r"""Blocks with the cosine 1 may have the whole cosine $2 e / (1 + e^2)$, as near to 0 as one likes."""
    x, y = np.asarray([e, 1.0]), np.asarray([1.0, e])
    alike = float(np.min(block_cosines(x, y, (1, 1)).cosines))
    return min(agreement(alike, 1.0), agreement(float(cosine(x, y)), 2 * e / (1 + e * e)))


@claim(
    SOURCE, {"e": Real(1e-6, 1.0, log=True)}, expect="refuted", witness={"e": 1e-3}, tolerance=1e-9,
    instead="cosines.no_lower_bound",
)  # fmt: skip
def lower_bound(e: float) -> float:
    """If all blocks have a cosine of at least 1/2, so has the whole."""
    return float(cosine(np.asarray([e, 1.0]), np.asarray([1.0, e]))) - 0.5


@claim(
    SOURCE, {"n": Integer(1, 4), "A": Symmetric("n", -1.0, 1.0), "x": Numbers(("n",)), "u": Numbers(("n",)),
             "rate": Real(1e-3, 1.0, log=True)},
    tolerance=1e-12, infimum=0.0,
)  # fmt: skip
def change_of_loss(A: Array, x: Array, u: Array, rate: float) -> float:
    r"""A step $-\eta u$ changes a loss by $-\eta \|u\| \|g\| \cos(u, g)$, to within $\frac{L}{2} \eta^2 \|u\|^2$."""
    xp, g, size = namespace(x), A @ x, 1 + norm(x) ** 2 + norm(u) ** 2
    _nonzero(g, u)
    change = -rate * float(xp.sum(u * g)) + rate * rate * float(xp.sum(u * (A @ u))) / 2
    return slack(abs(change + rate * norm(u) * norm(g) * float(cosine(u, g))), rate**2 / 2 * norm(u) ** 2, size)


@claim(SOURCE, {"n": Integer(3, 6), "x": Numbers(("n",)), "y": Numbers(("n",))}, kind="equality", tolerance=1e-11)
def correlation(x: Array, y: Array) -> float:
    """Pearson's correlation is the cosine of what is left when the means are taken away."""
    xp = namespace(x, y)
    a, b = x - xp.mean(x), y - xp.mean(y)
    if min(float(a @ a), float(b @ b)) < 1e-3:
        raise Outside
    return agreement(float(pearson(x, y)), float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)), 1.0)


@claim(
    SOURCE, {"rise": Real(0.1, 2.0), "far": Real(0.0, 30.0)}, tolerance=1e-9, expect="refuted",
    witness={"rise": 1.0, "far": 16.0}, instead="cosines.correlation",
)  # fmt: skip
def pooled_has_the_sign_of_groups(rise: float, far: float) -> float:
    """If y rises with x in every group, it does so in all together (Simpson)."""
    x = np.asarray([0.0, 1.0, 2.0])
    return float(simpson([x, x + 5], [rise * x + 10, rise * (x + 5) + 10 - far]).pooled)


def _pooled() -> float:
    x, z = np.asarray([0.0, 1.0, 2.0]), np.asarray([5.0, 6.0, 7.0])
    return float(simpson([x, z], [x + 10, z - 6]).pooled)


KNOWN = (Known("cosines.pooled", "the pooled correlation of two groups with r = 1", SOURCE, "-.8947", _pooled),)
