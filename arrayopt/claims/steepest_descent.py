"""Steepest descent under norms: duals, directions, steps, and the scalar that sign methods drop."""

import math
from typing import Any

import numpy as np

from arrayopt.claims.claim import agreement, claim, slack
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real
from arrayopt.theory import dual_norm, primal_norm, steepest_direction, steepest_model, steepest_step, steepest_value

SOURCE = "archive 10592 (section 7)"
NORMS = (1.0, 1.5, 2.0, 4.0, math.inf)
VECTOR: dict[str, Element] = {"p": Choice(NORMS), "n": Integer(1, 4), "g": Numbers(("n",)), "lr": Real(0.01, 10.0)}
MATRIX: dict[str, Element] = {"rows": Integer(1, 3), "columns": Integer(1, 3), "g": Numbers(("rows", "columns"))}


def _size(g: np.ndarray, norm: Any) -> float:
    return max(float(dual_norm(g, norm)), 1e-3)


@claim(SOURCE, VECTOR, kind="equality", tolerance=1e-12, portable=False)
def dual_attained(g: np.ndarray, p: float) -> float:
    r"""$\|g\|_\dagger = \max_{\|\phi\| = 1} \langle g, \phi \rangle$ is the q-norm, attained at $\phi^*$."""
    phi = np.asarray(steepest_direction(g, p))
    q = math.inf if p == 1 else 1.0 if p == math.inf else p / (p - 1)
    dual = float(np.linalg.norm(g, q))
    return min(agreement(float(g @ phi), dual, _size(g, p)), agreement(float(dual_norm(g, p)), dual, _size(g, p)))


@claim(SOURCE, {**VECTOR, "other": Numbers(("n",))}, infimum=0.0, tolerance=1e-11, portable=False)
def dual_greatest(g: np.ndarray, p: float, other: np.ndarray) -> float:
    r"""$\langle g, \phi \rangle \le \|g\|_\dagger \|\phi\|$ for every $\phi$ (Hölder)."""
    bound = float(dual_norm(g, p)) * float(primal_norm(other, p))
    return slack(float(g @ other), bound, max(1.0, bound))


@claim(SOURCE, {**VECTOR, "other": Numbers(("n",))}, infimum=0.0, tolerance=1e-11, portable=False)
def step_least(g: np.ndarray, p: float, lr: float, other: np.ndarray) -> float:
    r"""$-\eta \|g\|_\dagger \phi^*$ minimises $\|\Delta\|^2 / 2\eta + \langle g, \Delta \rangle$."""
    least = float(steepest_model(steepest_step(g, lr, p), g, lr, p))
    return slack(least, float(steepest_model(other, g, lr, p)), max(1.0, abs(least)))


@claim(SOURCE, VECTOR, kind="equality", tolerance=1e-11, portable=False)
def value(g: np.ndarray, p: float, lr: float) -> float:
    r"""The least value is $-\frac{\eta}{2} \|g\|_\dagger^2$."""
    stated = -lr / 2 * float(dual_norm(g, p)) ** 2
    reached = float(steepest_model(steepest_step(g, lr, p), g, lr, p))
    return min(agreement(stated, reached, max(1.0, abs(stated))),
               agreement(stated, float(steepest_value(g, lr, p)), max(1.0, abs(stated))))  # fmt: skip


@claim(
    SOURCE, {"n": Integer(1, 4), "g": Numbers(("n",)), "lr": Real(0.01, 10.0)}, kind="equality", tolerance=1e-3,
    expect="refuted", portable=False, witness={"n": 2, "g": np.array([1.0, 2.0]), "lr": 1.0},
    instead="steepest_descent.value",
)  # fmt: skip
def sign_step(g: np.ndarray, lr: float) -> float:
    r"""$-\eta\,\mathrm{sgn}(g)$ is the steepest step of the largest-entry norm: it lacks the factor $\|g\|_1$."""
    stated = float(steepest_value(g, lr, math.inf))
    return agreement(stated, float(steepest_model(-lr * np.sign(g), g, lr, math.inf)), max(1.0, abs(stated)))


@claim(SOURCE, MATRIX, kind="equality", tolerance=1e-11, portable=False)
def spectral(g: np.ndarray) -> float:
    r"""Under the spectral norm the dual is the nuclear norm, attained at $\mathrm{msign}(G) = U V'$."""
    nuclear = float(np.linalg.svd(g, compute_uv=False).sum())
    phi = np.asarray(steepest_direction(g, "spectral"))
    size = max(nuclear, 1e-3)
    return min(agreement(float(dual_norm(g, "spectral")), nuclear, size),
               agreement(float(np.sum(g * phi)), nuclear, size),
               1e-11 - max(0.0, float(np.linalg.norm(phi, 2)) - 1 - 1e-11))  # fmt: skip


@claim(
    SOURCE, {"entry": Real(0.5, 5.0), "free": Real(-1.0, 1.0)}, kind="equality", tolerance=1e-3, expect="refuted",
    portable=False, witness={"entry": 1.0, "free": 1.0}, instead="steepest_descent.spectral",
)  # fmt: skip
def unique(entry: float, free: float) -> float:
    """The direction of norm 1 that attains the dual norm is unique: not where the rank is deficient."""
    g, other = np.diag([entry, 0.0]), np.diag([1.0, free])
    if abs(float(np.sum(g * other)) - float(dual_norm(g, "spectral"))) > 1e-12 * entry:
        return 0.0
    return -float(np.abs(np.asarray(steepest_direction(g, "spectral")) - other).max())
