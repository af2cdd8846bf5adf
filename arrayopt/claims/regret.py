"""The average loss of projected SGD, and the lemma on projections that its bound rests on."""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Count, Element, Integer, Numbers, Real
from arrayopt.claims.margins import agreement, host, largest, slack
from arrayopt.claims.sources import article
from arrayopt.theory import (
    abel_bound,
    abel_sum,
    best_constant_rate,
    best_inverse_sqrt_rate,
    inverse_sqrt_sum,
    project_annulus,
    project_ball,
    project_box,
    project_half_space,
    project_simplex,
    projected_sgd,
    projection_lemma,
    regret_bound,
)

SOURCE = article(1)
SETS: dict[str, Any] = {
    "ball": project_ball,
    "box": lambda x: project_box(x, -0.5, 1.0),
    "simplex": project_simplex,
    "half-space": lambda x: project_half_space(x, namespace(x).ones_like(x), 0.5),
}
SET: dict[str, Element] = {
    "set_": Choice(tuple(SETS)), "n": Integer(2, 4), "phi": Numbers(("n",)), "inside": Numbers(("n",)),
}  # fmt: skip
STEPS = 8
LOSSES = ("absolute", "squared", "logistic")
RUN: dict[str, Element] = {
    "set_": Choice(("ball", "box", "simplex")), "loss": Choice(LOSSES), "n": Integer(1, 3),
    "a": Numbers((STEPS, "n")), "b": Numbers((STEPS,)), "x0": Numbers(("n",)), "comparator": Numbers(("n",)),
    "rate": Real(1e-3, 10.0, log=True), "falls": Numbers((STEPS,), low=0.2, high=1.0),
}  # fmt: skip


def _losses(loss: str, a: Array, b: Array) -> Any:
    xp = namespace(a)

    def fun(t: int, x: Array) -> tuple[float, Array]:
        row, u = a[t - 1, :], float(xp.sum(a[t - 1, :] * x)) - float(b[t - 1])
        if loss == "absolute":
            return abs(u), math.copysign(1.0, u) * row if u else 0 * row
        if loss == "squared":
            return u * u / 2, u * row
        return float(np.logaddexp(0.0, -u)), -math.exp(-float(np.logaddexp(0.0, u))) * row

    return fun


def _run(set_: str, loss: str, a: Array, b: Array, x0: Array, comparator: Array, rate: float, falls: Array) -> Any:
    project, rates = SETS[set_], rate * np.cumprod(host(falls))
    return projected_sgd(_losses(loss, a, b), project(x0), rates, project(comparator), project)


@claim(SOURCE, RUN, tolerance=1e-12, infimum=0.0)
def bound(
    set_: str, loss: str, a: Array, b: Array, x0: Array, comparator: Array, rate: float, falls: Array,
) -> float:  # fmt: skip
    r"""The regret is at most $D^2/(2T\eta_T) + \frac{1}{2T}\sum \eta_t \|g_t\|^2$, and that at most the coarse bound.

    For convex losses, rates that do not grow, and any comparator in the convex set, along every run.
    """
    ledger = _run(set_, loss, a, b, x0, comparator, rate, falls)
    fine, coarse = float(ledger.finer_bound()), float(ledger.bound())
    return min(slack(ledger.regret, fine), slack(fine, coarse))


@claim(SOURCE, RUN, tolerance=1e-12, infimum=0.0)
def one_step(
    set_: str, loss: str, a: Array, b: Array, x0: Array, comparator: Array, rate: float, falls: Array,
) -> float:  # fmt: skip
    r"""$\|e_{t+1}\|^2 \le \|e_t\|^2 - 2 \eta_t \langle e_t, g_t \rangle + \eta_t^2 \|g_t\|^2$ for each step.

    With $e_t = \theta_t - \theta^*$, and equality where nothing is projected.
    """
    ledger = _run(set_, loss, a, b, x0, comparator, rate, falls)
    size = np.maximum(1.0, ledger.distances[:-1] + ledger.rates * ledger.gradient_norms) ** 2
    return float(np.min(ledger.step_slack / size))


@claim(SOURCE, {"n": Integer(1, 3), "points": Numbers((STEPS, "n")), "a": Numbers(("n",)), "b": Real(-2.0, 2.0)},
       tolerance=1e-12, infimum=0.0)  # fmt: skip
def averaged_iterate(points: Array, a: Array, b: float) -> float:
    """So is the excess of the averaged iterate: a convex loss of the average is at most the average loss (Jensen)."""
    xp = namespace(points)
    middle = xp.sum(points, axis=0) / STEPS
    return min(
        slack(fun(1, middle)[0], sum(fun(1, points[t, :])[0] for t in range(STEPS)) / STEPS)
        for fun in (_losses(loss, a[None, :], xp.full((1,), b, dtype=a.dtype)) for loss in LOSSES)
    )


@claim(
    SOURCE, {"x0": Real(0.0, 1.0), "rate": Real(0.1, 2.0)}, tolerance=1e-9, expect="refuted",
    witness={"x0": 0.1, "rate": 1.0}, instead="regret.bound",
)  # fmt: skip
def last_iterate(x0: float, rate: float) -> float:
    r"""The bound holds for the last iterate as it does for the average: not for $|\theta|$, over which steps jump."""
    ledger = projected_sgd(lambda t, x: (abs(float(x[0])), np.sign(x)), np.asarray([x0]), np.full(STEPS, rate),
                           np.zeros(1))  # fmt: skip
    return slack(float(ledger.losses[-1]), float(ledger.bound()))


@claim(
    SOURCE, {"small": Real(1e-6, 1.0, log=True), "large": Real(1e-6, 1.0, log=True)}, tolerance=1e-9,
    expect="refuted", witness={"small": 1e-6, "large": 1.0}, instead="regret.bound",
)  # fmt: skip
def bound_with_growing_rates(small: float, large: float) -> float:
    r"""The bound holds for any positive rates, such as a last one that is larger (loss $\theta$ on [0, 1])."""
    rates = np.full(100, small)
    rates[-1] = large
    ledger = projected_sgd(lambda t, x: (float(x[0]), np.ones(1)), np.ones(1), rates, np.zeros(1),
                           lambda x: project_box(x, 0.0, 1.0))  # fmt: skip
    return slack(ledger.regret, float(ledger.bound(1.0, 1.0)), 1.0)


@claim(
    SOURCE, {"x0": Real(-1.0, 1.0), "rate": Real(1e-3, 1.0, log=True)}, tolerance=1e-9,
    expect="refuted", witness={"x0": 0.34, "rate": 0.087}, instead="regret.bound",
)  # fmt: skip
def bound_without_convexity(x0: float, rate: float) -> float:
    r"""The bound holds for losses that are not convex, such as $-\theta^2$ on [-1, 1] with the comparator 1."""
    ledger = projected_sgd(lambda t, x: (-float(x[0] ** 2), -2 * x), np.asarray([x0]), np.full(STEPS, rate),
                           np.ones(1), lambda x: project_box(x, -1.0, 1.0))  # fmt: skip
    return slack(ledger.regret, float(ledger.bound()), 1.0)


@claim(SOURCE, {"T": Count(1, 10**6, log=True)}, tolerance=1e-9, infimum=0.0)
def inverse_roots(T: int) -> float:
    r"""$\sum_{t \le T} t^{-1/2} \le 2 \sqrt T - 1$, with equality for T = 1."""
    return slack(inverse_sqrt_sum(T), 2 * math.sqrt(T) - 1)


@claim(
    SOURCE, {"squares": Numbers((STEPS,), low=0.0, high=1.0), "falls": Numbers((STEPS,), low=0.1, high=1.0)},
    tolerance=1e-12, infimum=0.0,
)  # fmt: skip
def abel(squares: Array, falls: Array) -> float:
    r"""$\sum (a_t - a_{t+1}) / 2\eta_t \le D^2 / 2\eta_T$ for $a_t \in [0, D^2]$ and rates that do not grow."""
    rates = np.cumprod(host(falls)[1:])
    return slack(abel_sum(host(squares).tolist(), rates), abel_bound(1.0, rates))


BOUNDED: dict[str, Element] = {
    "D": Real(0.1, 10.0, log=True), "G": Real(0.1, 10.0, log=True), "T": Count(1, 10**4, log=True),
    "off": Real(0.1, 10.0, log=True),
}  # fmt: skip


@claim(SOURCE, BOUNDED, tolerance=1e-12, infimum=0.0)
def best_constant(D: float, G: float, T: int, off: float) -> float:
    r"""Of constant rates $\eta = D / G\sqrt T$ has the least bound, $D G / \sqrt T$."""
    rate, least = best_constant_rate(D, G, T)
    other = D * D / (2 * T * rate * off) + G * G * rate * off / 2
    exact = agreement([rate, least], [D / (G * math.sqrt(T)), D * G / math.sqrt(T)])
    return min(slack(least, other, least), exact + 1e-12)


@claim(SOURCE, BOUNDED, tolerance=1e-12, infimum=0.0)
def best_falling(D: float, G: float, T: int, off: float) -> float:
    r"""For rates $\alpha / \sqrt t$ the bound is below $D^2/(2 \alpha \sqrt T) + G^2 \alpha / \sqrt T$.

    Which is least for $\alpha = D / \sqrt2 G$: $\sqrt2$ times that of the best constant rate, which needs T.
    """
    alpha, least = best_inverse_sqrt_rate(D, G, T)
    other = D * D / (2 * alpha * off * math.sqrt(T)) + G * G * alpha * off / math.sqrt(T)
    itself = regret_bound([alpha / math.sqrt(t) for t in range(1, T + 1)], D, G)
    exact = agreement(least, math.sqrt(2) * best_constant_rate(D, G, T)[1])
    return min(slack(least, other, least), slack(itself, least, least), exact + 1e-12)


@claim(SOURCE, SET, tolerance=1e-12, infimum=0.0)
def projection(set_: str, phi: Array, inside: Array) -> float:
    r"""$\langle \Pi(\varphi) - \theta, \varphi - \Pi(\varphi) \rangle \ge 0$ for $\theta$ in the set; equal within it.

    So projecting does not lead away from any of its points.
    """
    project = SETS[set_]
    lemma = projection_lemma(phi, project(phi), project(inside))
    return min(float(part) for part in lemma) / largest(phi, inside) ** 2


@claim(
    SOURCE, {"n": Integer(2, 3), "phi": Numbers(("n",)), "inside": Numbers(("n",))}, tolerance=1e-9,
    expect="refuted", instead="regret.projection",
    witness={"n": 2, "phi": np.array([0.1, 0.0]), "inside": np.array([-1.0, 0.0])},
)  # fmt: skip
def projection_onto_sphere(phi: Array, inside: Array) -> float:
    """The lemma holds for a set that is not convex, such as the unit sphere."""
    lemma = projection_lemma(phi, project_annulus(phi, 1.0, 1.0), project_annulus(inside, 1.0, 1.0))
    return min(float(part) for part in lemma)
