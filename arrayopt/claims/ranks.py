"""Weights and shapes by rank: what they are in the family, what they are blind to, natural gradients."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real, Symmetric
from arrayopt.claims.evolution import ALPHA, size
from arrayopt.claims.margins import agreement, slack
from arrayopt.claims.search_directions import STRATEGY
from arrayopt.claims.walks import whole
from arrayopt.problems.problem import like
from arrayopt.sampling import (
    CMAES,
    XNES,
    EvolutionStrategy,
    rank_table,
    rank_weights,
    shape_values,
    tempered_weights,
    tutorial_constants,
    utilities,
    weighted_mean,
)

CMA = "Hansen, The CMA evolution strategy: a tutorial, arXiv 1604.00772"
IGO = "Ollivier et al., Information-geometric optimization algorithms, 2017, arXiv 1106.3708"
NATURAL = "Glasmachers et al., Exponential natural evolution strategies, 2010"
KINDS = Choice(("logarithmic", "equal", "geometric"))


@claim(CMA, {"n": Integer(2, 8), "kind": KINDS, "f": Numbers(("n",)), "alpha": ALPHA}, kind="equivalence",
       tolerance=1e-12)  # fmt: skip
def ranks_as_values(kind: Any, f: Array, alpha: float) -> float:
    """Weights by rank are importance weights of an objective that depends on ranks only."""
    xp = namespace(f)
    w = rank_weights(f, kind=kind).weights
    stand_in = xp.where(w > 0, -alpha * xp.log(xp.where(w > 0, w, 1.0 + 0 * w)), math.inf + 0 * w)
    return agreement(tempered_weights(stand_in, alpha).weights, w)


@claim(CMA, {"n": Integer(4, 9), "d": Integer(1, 3), "x": Numbers(("n", "d")), "f": Numbers(("n",))},
       kind="equivalence", tolerance=1e-12)  # fmt: skip
def cma_mean(n: int, d: int, x: Array, f: Array) -> float:
    r"""The mean of CMA-ES moves by fixed weights of ranks, $w_i \propto \log \frac{\lambda+1}{2} - \log i$.

    Of the better half; the others have none.
    """
    raw = np.log((n + 1) / 2) - np.log(np.arange(1, n // 2 + 1))
    method = CMAES(popsize=n, sigma=1.0)
    after = method.tell(method.init(0 * x[0, :]), x, f)
    found = weighted_mean(rank_weights(f).weights, x)
    table = agreement(rank_table(n, n // 2)[: n // 2], raw / raw.sum())
    return min(table, agreement(after.mean, found, size(x)))


@claim(
    IGO, {"n": Integer(4, 8), "d": Integer(1, 3), "x": Numbers(("n", "d"), low=-3.0, high=3.0), "f": Numbers(("n",)),
           "m": Numbers(("d",), low=-1.0, high=1.0), "C": Symmetric("d", 0.5, 2.0)},
    kind="equivalence", tolerance=1e-12,
)  # fmt: skip
def rank_mu(n: int, d: int, x: Array, f: Array, m: Array, C: Array) -> float:
    r"""The update of rank $\mu$ at rate 1, without paths, is the natural gradient step on mean and covariance.

    Of $\sum w_i \log N(x_i; m, C)$, with the Fisher matrices $C^{-1}$ and $\frac12 C^{-1} \otimes C^{-1}$ written out;
    from C = I it is what CMA-ES does.
    """
    xp = namespace(x, C)
    w, inverse, off = rank_weights(f).weights, xp.linalg.inv(C), x - m
    slope_m = inverse @ (w @ off)
    outer = off.T @ (w[:, None] * off)
    slope_C = (inverse @ outer @ inverse - inverse) / 2
    step_m = xp.linalg.solve(inverse, slope_m)
    fisher = xp.reshape(inverse[:, None, :, None] * inverse[None, :, None, :], (d * d, d * d)) / 2
    step_C = xp.reshape(xp.linalg.solve(fisher, xp.reshape(slope_C, (-1,))), (d, d))
    equal = min(agreement(m + step_m, weighted_mean(w, x), 5.0), agreement(C + step_C, outer, 50.0))
    constants = tutorial_constants(d, n).replace(c_1=0.0, c_mu=1.0, c_sigma=0.0, weights=tuple(rank_table(n, n // 2)))
    method = CMAES(popsize=n, sigma=1.0, constants=constants)
    after = method.tell(method.init(m), x, f)
    return min(equal, agreement(after.mean, weighted_mean(w, x), 5.0), agreement(after.model.C, outer, 50.0))


SPREAD: dict[str, Element] = {
    "n": Integer(4, 8), "d": Integer(1, 3), "x": Numbers(("n", "d"), low=-3.0, high=3.0), "f": Numbers(("n",)),
    "rate": Real(1e-3, 0.5, log=True),
}  # fmt: skip


@claim(NATURAL, SPREAD, kind="equality", tolerance=1e-12)
def xnes_exponential(n: int, d: int, x: Array, f: Array, rate: float) -> float:
    r"""From C = I xNES goes to $C = \exp(\eta G)$, $G = \sum u_i (s_i s_i' - I)$, with one rate $\eta$."""
    xp, (C, G) = namespace(x), _natural(n, x, f, rate)
    w, V = xp.linalg.eigh(G)
    return agreement(C, (V * xp.exp(rate * w)) @ V.T)


@claim(NATURAL, SPREAD, kind="limit", tolerance=1e-9, infimum=0.0)
def xnes_first_order(n: int, d: int, x: Array, f: Array, rate: float) -> float:
    r"""To first order that is $I + \eta G$, the natural gradient's: within $e^{\eta \|G\|} - 1 - \eta \|G\|$."""
    xp, (C, G) = namespace(x), _natural(n, x, f, rate)
    norm = rate * float(xp.linalg.matrix_norm(G, ord=2))
    if norm < 1e-2:  # where the difference is rounding
        raise Outside
    most = math.expm1(norm) - norm
    return slack(xp.linalg.matrix_norm(C - like(C, np.eye(d)) - rate * G, ord=2), most, most)


SHAPES = Choice(("centred", "nes"))
GRADES: dict[str, Element] = {
    "shaping": SHAPES, "n": Integer(1, 8), "f": Numbers(("n",), low=-20.4, high=20.4),
    "scale": Real(1e-20, 1.0, log=True),
}  # fmt: skip
INCREASING: tuple[Callable[[Array], Array], ...] = (
    lambda f: namespace(f).exp(f), lambda f: f**3 + 7, lambda f: 2 * f - 5, lambda f: namespace(f).atan(f),
)  # fmt: skip


@claim(STRATEGY, GRADES, kind="equality", tolerance=0.0)
def shaped_by_rank(shaping: Any, f: Array) -> float:
    """Shapes and weights by rank do not change, bit for bit, under a function that is increasing in floats.

    Of whole numbers, exp, a cube plus 7, a line and an arc tangent are.
    """
    f = whole(f)
    kept = [agreement(shape_values(g(f), shaping), shape_values(f, shaping)) for g in INCREASING]
    return min(kept + [agreement(rank_weights(g(f)).weights, rank_weights(f).weights) for g in INCREASING])


@claim(
    STRATEGY, GRADES, kind="equality", tolerance=1e-9, expect="refuted",
    instead="ranks.shaped_by_rank",
    witness={"shaping": "centred", "n": 2, "f": np.array([0.0, 1.0]), "scale": 1e-17},
)  # fmt: skip
def shaped_by_rank_of_reals(shaping: Any, f: Array, scale: float) -> float:
    """Nor under one that is increasing in real numbers: exp(l) in floats does not tie what l does not."""
    f = scale * f
    return agreement(shape_values(namespace(f).exp(f), shaping), shape_values(f, shaping))


@claim(
    STRATEGY, {"n": Integer(2, 8), "f": Numbers(("n",), low=-3.0, high=3.0)}, kind="equality", tolerance=1e-6,
    expect="refuted", witness={"n": 3, "f": np.array([1.0, 2.0, 4.0])}, instead="ranks.shaped_by_rank",
)  # fmt: skip
def shaped_by_deviation(f: Array) -> float:
    """Nor do values divided by their standard deviation."""
    xp = namespace(f)
    return agreement(shape_values(xp.exp(f), "standard"), shape_values(f, "standard"))


@claim(
    STRATEGY, {"shaping": SHAPES, "form": Choice(("antithetic", "forward", "score")), "increasing": Integer(0, 1),
            "seed": Integer(0, 99), "x": Numbers((3,), low=0.1, high=2.0)},
    kind="equivalence", tolerance=0.0,
)  # fmt: skip
def trajectories(shaping: Any, form: Any, increasing: int, seed: int, x: Array) -> float:
    r"""So runs of an evolution strategy by ranks are the same for l, exp(l) and $l^3 + 7$, bit for bit."""
    xp, method, change = namespace(x), EvolutionStrategy(n=4, shaping=shaping, form=form), INCREASING[increasing]
    runs = [method.init(x, seed) for _ in range(2)]
    for _ in range(4):
        points = [method.ask(state) for state in runs]
        f = [xp.sum(p * p, axis=-1) for p in points]
        g = change(f[1])
        if len({bool(xp.any(xp.diff(xp.sort(v)) == 0)) for v in (f[1], g)}) == 2:
            raise Outside  # a tie in floats
        runs = [method.tell(runs[0], points[0], f[0]), method.tell(runs[1], points[1], g)]
    return agreement(runs[1].x, runs[0].x)


def _natural(n: int, x: Array, f: Array, rate: float) -> tuple[Array, Array]:
    """Return the covariance of xNES after a step from I, and the natural gradient."""
    xp, method = namespace(x), XNES(sigma=1.0, popsize=n, eta_sigma=rate, eta_B=rate)
    new = method.tell(method.init(0 * x[0, :]), x, f).model
    s = xp.take(x, xp.argsort(f, stable=True), axis=0)
    return new.sigma[0] ** 2 * new.B @ new.B.T, s.T @ (like(x, utilities(n))[:, None] * s)
