"""The minimiser of a quadratic model in a ball: what describes it, and what cheaper steps are worth."""

import itertools

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Element, Integer, Numbers, Orthogonal, Real, Symmetric
from arrayopt.claims.margins import norm
from arrayopt.claims.sources import second_order
from arrayopt.secondorder.truncated_cg import steps_of_cg
from arrayopt.secondorder.trust_subproblems import cauchy, dogleg, exact, steihaug

MODEL: dict[str, Element] = {
    "n": Integer(1, 4), "H": Symmetric("n", -2.0, 2.0), "g": Numbers(("n",)), "radius": Real(1e-2, 1e2, log=True),
}  # fmt: skip
CONVEX: dict[str, Element] = {**MODEL, "H": Symmetric("n", 1e-2, 1e2, log=True)}


def _model(H: Array, g: Array, p: Array) -> float:
    return float(g @ p + (p @ (H @ p)) / 2)


def _given(H: Array, g: Array) -> float:
    """Return the norm of g, which rounding errors of H may not hide."""
    if not norm(g) > 1e-6:
        raise Outside("a gradient of zero")
    return norm(g)


def _conditions(H: Array, g: Array, radius: float) -> float:
    """Return minus the largest violation of the conditions of More and Sorensen."""
    xp, step = namespace(H), exact(H, g)(radius)
    lowest, size = float(xp.linalg.eigvalsh(H)[0]), max(float(xp.max(xp.abs(H))), step.shift)
    length = norm(step.p)
    residual = norm(H @ step.p + step.shift * step.p + g) / (size * length + norm(g))
    beside = step.shift * abs(radius - length) / (size * radius)
    return -max(residual, beside, (length - radius) / radius, -step.shift / size, -(lowest + step.shift) / size)


@claim(second_order(27), MODEL, kind="equality", tolerance=1e-8)
def more_sorensen(H: Array, g: Array, radius: float) -> float:
    r"""More and Sorensen: $(H + \lambda I) p = -g$, $\lambda \ge 0$, $\lambda (\Delta - \|p\|) = 0$.

    And $H + \lambda I$ has no negative eigenvalue.
    """
    _given(H, g)
    return _conditions(H, g, radius)


@claim(
    second_order(27),
    {"n": Integer(2, 4), "Q": Orthogonal("n"), "values": Numbers(("n",), low=-1.0, high=2.0),
     "g": Numbers(("n",)), "radius": Real(1e-2, 1e2, log=True), "near": Real(1e-30, 1.0, log=True)},
    kind="equality", tolerance=1e-8,
)  # fmt: skip
def hard_case(n: int, Q: Array, values: Array, g: Array, radius: float, near: float) -> float:
    """They are met in the hard case too, in which g is orthogonal to the lowest eigenvector, and near it."""
    xp = namespace(Q)
    first = xp.arange(n) == 0
    H = (Q * xp.where(first, -1.5 * xp.ones_like(values), values)) @ Q.T
    g = Q @ xp.where(first, near * g, g)
    _given(H, g)
    return _conditions((H + H.T) / 2, g, radius)


@claim(second_order(27), {**MODEL, "d": Numbers(("n",))}, tolerance=1e-10, infimum=0.0)
def global_minimum(H: Array, g: Array, radius: float, d: Array) -> float:
    """No point of the ball has a lower value of the model, convex or not."""
    step, size = exact(H, g)(radius), _given(H, g)
    p = d if norm(d) <= radius else d * (radius / norm(d))
    scale = size * radius + float(namespace(H).max(namespace(H).abs(H))) * radius * radius
    return (_model(H, g, p) - _model(H, g, step.p)) / scale


def _path(H: Array, g: Array, radius: float) -> list[Array]:
    _given(H, g)
    return [0 * g, *(step.p for step in steps_of_cg(lambda v: H @ v, g, radius))]


@claim(second_order(28), MODEL, tolerance=1e-12, infimum=0.0)
def steihaug_lengthens(H: Array, g: Array, radius: float) -> float:
    r"""Steihaug and Toint's iterates become longer and longer, and the value of the model falls at each."""
    run = _path(H, g, radius)
    norms, values = [norm(p) for p in run], [_model(H, g, p) for p in run]
    size = max(map(abs, values))
    longer = min((b - a) / norms[-1] for a, b in itertools.pairwise(norms))
    return min(longer, *((a - b) / size for a, b in itertools.pairwise(values)))


@claim(second_order(28), MODEL, tolerance=1e-10, infimum=0.0)
def in_order(H: Array, g: Array, radius: float) -> float:
    """Of the decreases that of the exact step is the largest, and Steihaug's is at least that of Cauchy's point."""
    size = _given(H, g)
    best, least = exact(H, g)(radius).promised, cauchy(lambda v: H @ v, g)(radius).promised
    between = steihaug(lambda v: H @ v, g, 0.0)(radius).promised
    return min(best - between, between - least, least) / (best + 1e-12 * size * radius)


@claim(second_order(28), CONVEX, tolerance=1e-10, infimum=0.0)
def dogleg_in_order(H: Array, g: Array, radius: float) -> float:
    """So is that of the dogleg, where H is positive definite."""
    _given(H, g)
    best, least = exact(H, g)(radius).promised, cauchy(lambda v: H @ v, g)(radius).promised
    between = dogleg(H, g)(radius).promised
    return min(best - between, between - least) / best


def _share(H: Array, g: Array, radius: float) -> float:
    _given(H, g)
    best = exact(H, g)(radius).promised
    return steihaug(lambda v: H @ v, g, 0.0)(radius).promised / best - 0.5


@claim(second_order(28), {**CONVEX, "H": Symmetric("n", 1e-4, 1e4, log=True)}, tolerance=1e-10, infimum=0.0)
def half(H: Array, g: Array, radius: float) -> float:
    """Steihaug's step has at least half of the best decrease if H is positive definite."""
    return _share(H, g, radius)


@claim(
    second_order(28), MODEL, tolerance=1e-10, expect="refuted", instead="trust_region.half",
    witness={"n": 2, "H": np.diag([-1.0, 1.0]), "g": np.array([0.0, 1.0]), "radius": 10.0},
)  # fmt: skip
def half_anyway(H: Array, g: Array, radius: float) -> float:
    """For any other H it has half of it too."""
    return _share(H, g, radius)
