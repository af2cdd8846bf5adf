"""Steepest descent under norms: duals, directions, steps, and the scalar that sign methods drop."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real
from arrayopt.claims.margins import agreement, largest, same, slack
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away
from arrayopt.theory import (
    dual_exponent,
    dual_norm,
    primal_norm,
    steepest_direction,
    steepest_model,
    steepest_step,
    steepest_value,
)

SOURCE = article(7)
NORMS = (1.0, 1.5, 2.0, 4.0, math.inf)
VECTOR: dict[str, Element] = {"p": Choice(NORMS), "n": Integer(1, 4), "g": Numbers(("n",)), "lr": Real(0.01, 10.0)}


@claim(SOURCE, VECTOR, kind="equality", tolerance=1e-12)
def dual_attained(g: Array, p: float) -> float:
    r"""$\|g\|_\dagger = \max_{\|\phi\| = 1} \langle g, \phi \rangle$ is the q-norm, attained at $\phi^*$."""
    xp, q = namespace(g), dual_exponent(p)
    attained = xp.sum(g * steepest_direction(g, p))
    return same([attained, dual_norm(g, p)], [xp.linalg.vector_norm(g, ord=q)] * 2, max(float(dual_norm(g, p)), 1e-3))


@claim(SOURCE, {**VECTOR, "other": Numbers(("n",))}, infimum=0.0, tolerance=1e-11)
def dual_greatest(g: Array, p: float, other: Array) -> float:
    r"""$\langle g, \phi \rangle \le \|g\|_\dagger \|\phi\|$ for every $\phi$ (Hölder)."""
    bound = float(dual_norm(g, p)) * float(primal_norm(other, p))
    return slack(float(namespace(g).sum(g * other)), bound)


@claim(SOURCE, {**VECTOR, "other": Numbers(("n",))}, infimum=0.0, tolerance=1e-11)
def step_least(g: Array, p: float, lr: float, other: Array) -> float:
    r"""$-\eta \|g\|_\dagger \phi^*$ minimises $\|\Delta\|^2 / 2\eta + \langle g, \Delta \rangle$."""
    least = float(steepest_model(steepest_step(g, lr, p), g, lr, p))
    return slack(least, float(steepest_model(other, g, lr, p)), max(1.0, abs(least)))


@claim(SOURCE, VECTOR, kind="equality", tolerance=1e-11)
def value(g: Array, p: float, lr: float) -> float:
    r"""The least value is $-\frac{\eta}{2} \|g\|_\dagger^2$."""
    stated = -lr / 2 * float(dual_norm(g, p)) ** 2
    reached = float(steepest_model(steepest_step(g, lr, p), g, lr, p))
    return min(agreement(stated, reached, max(1.0, abs(stated))),
               agreement(stated, float(steepest_value(g, lr, p)), max(1.0, abs(stated))))  # fmt: skip


@claim(
    SOURCE, {"n": Integer(1, 4), "g": Numbers(("n",)), "lr": Real(0.01, 10.0)}, kind="equality", tolerance=1e-3,
    expect="refuted", witness={"n": 2, "g": np.array([1.0, 2.0]), "lr": 1.0},
    instead="steepest_descent.value",
)  # fmt: skip
def sign_step(g: Array, lr: float) -> float:
    r"""$-\eta\,\mathrm{sgn}(g)$ is the steepest step of the largest-entry norm: it lacks the factor $\|g\|_1$."""
    stated = float(steepest_value(g, lr, math.inf))
    return agreement(stated, float(steepest_model(-lr * namespace(g).sign(g), g, lr, math.inf)), max(1.0, abs(stated)))


@claim(SOURCE, {"n": Integer(1, 4), "g": Numbers(("n",)), "lr": Real(0.01, 10.0)}, kind="equality", tolerance=1e-12)
def familiar(g: Array, lr: float) -> float:
    r"""$p = 2$ is gradient descent, and $p = \infty$ sign descent if the scalar $\|g\|_1$ is left to the rate."""
    descent, signs = steepest_step(g, lr, 2.0), steepest_step(g, lr, math.inf, scaled=False)
    return same([descent, signs], [-lr * g, -lr * namespace(g).sign(g)], lr * largest(g))


@claim(
    SOURCE, {"p": Choice((1.5, 2.0, 4.0)), "n": Integer(1, 4), "g": Numbers(("n",)), "t": Real(0.1, 10.0, log=True)},
    kind="equality", tolerance=1e-11,
)  # fmt: skip
def powers(g: Array, p: float, t: float) -> float:
    r"""Directions between are $\mathrm{sgn}(g) |g|^{q/p}$ over their length (pbSGD), whatever the size of g."""
    xp, g = namespace(g), away(g)
    raw = xp.sign(g) * abs(g) ** (1 / (p - 1))
    return same([steepest_direction(g, p), steepest_direction(t * g, p)], [raw / primal_norm(raw, p)] * 2, 1.0)
