"""Lagrange multipliers: stationary points, sensitivities, and that the solution is a saddle of the Lagrangian."""

import math
from typing import Any, NamedTuple

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Orthogonal, Real, Symmetric
from arrayopt.claims.margins import agreement, norm, slack, ulps
from arrayopt.claims.runs import Function, iterates
from arrayopt.constrained import AscentDescent, KKTNewton, kkt_matrix, kkt_step
from arrayopt.constrained.lagrangian import Lagrangian
from arrayopt.core.method import Method
from arrayopt.core.objective import Objective
from arrayopt.secondorder import BFGS, LBFGS, SteepestDescent

SOURCE = "survey, section 8 (Lagrange)"
PROGRAM: dict[str, Element] = {
    "k": Integer(1, 2), "n": Integer(2, 3), "A": Symmetric("n", 1.0, 4.0), "Q": Orthogonal("n"),
    "b": Numbers(("n",)), "c": Numbers(("k",)), "s": Real(0.5, 2.0),
}  # fmt: skip
OTHER: dict[str, Element] = {**PROGRAM, "z": Numbers(("n",)), "m": Numbers(("k",))}


class Program(NamedTuple):
    """Minimise x'Ax/2 - b'x where Jx = c: its parts, the solution found along the null space of J, multipliers."""

    A: Array
    b: Array
    J: Array
    c: Array
    x: Array
    m: Array

    def value(self, x: Array) -> Array:
        """Return f."""
        return (x @ (self.A @ x)) / 2 - self.b @ x

    def gradient(self, x: Array) -> Array:
        """Return the gradient of f."""
        return self.A @ x - self.b

    def lagrangian(self, x: Array, m: Array) -> float:
        """L = f - m'(Jx - c)."""
        return float(self.value(x) - m @ (self.J @ x - self.c))

    @property
    def size(self) -> float:
        """The size of terms."""
        return 1 + norm(self.x) ** 2 + norm(self.b) ** 2 + norm(self.m) ** 2 + norm(self.c) ** 2


def _solved(A: Array, Q: Array, b: Array, c: Array, s: float) -> Program:
    """Return the program whose constraint gradients are s times the first columns of Q."""
    xp, k = namespace(A), c.shape[0]
    J, Z = s * Q[:, :k].T, Q[:, k:]
    x = (Q[:, :k] @ c) / s
    if Z.shape[1]:
        x = x + Z @ xp.linalg.solve(Z.T @ A @ Z, (Z.T @ (b - A @ x))[:, None])[:, 0]
    return Program(A, b, J, c, x, Q[:, :k].T @ (A @ x - b) / s)


@claim(SOURCE, PROGRAM, kind="equality", tolerance=ulps(256))
def in_the_span(A: Array, Q: Array, b: Array, c: Array, s: float) -> float:
    r"""At a solution the gradient is a linear combination of the constraint gradients: $\nabla f = J' \lambda$.

    The solution is found along the null space of J, without multipliers.
    """
    p = _solved(A, Q, b, c, s)
    return -norm(p.gradient(p.x) - p.J.T @ p.m) / p.size


@claim(SOURCE, PROGRAM, kind="equivalence", tolerance=ulps(256))
def system(A: Array, Q: Array, b: Array, c: Array, s: float) -> float:
    """Its n + k equations in n + k unknowns have this solution, and these multipliers."""
    p = _solved(A, Q, b, c, s)
    d, m = kkt_step(A, p.J, p.gradient(0 * p.x), -c)
    return -max(norm(d - p.x), norm(m - p.m)) / p.size


@claim(SOURCE, PROGRAM, kind="equality", tolerance=ulps(4096))
def sensitivity(A: Array, Q: Array, b: Array, c: Array, s: float) -> float:
    r"""Multipliers are sensitivities: $\lambda_i = \mathrm d f^* / \mathrm d c_i$, of a quadratic by differences."""
    p, xp = _solved(A, Q, b, c, s), namespace(A)
    worst = 0.0
    for i in range(c.shape[0]):
        e = xp.astype(xp.arange(c.shape[0]) == i, c.dtype)
        up, down = (_solved(A, Q, b, c + h * e, s) for h in (1.0, -1.0))
        worst = max(worst, abs(float(up.value(up.x) - down.value(down.x)) / 2 - float(p.m[i])))
    return -worst / p.size


@claim(SOURCE, OTHER, tolerance=1e-12, infimum=0.0)
def weak_duality(A: Array, Q: Array, b: Array, c: Array, s: float, m: Array) -> float:
    r"""$\min_x L(x, \lambda) \le f^*$ for every $\lambda$, with equality at the multipliers."""
    p = _solved(A, Q, b, c, s)
    lowest = namespace(A).linalg.solve(A, (b + p.J.T @ m)[:, None])[:, 0]
    return slack(p.lagrangian(lowest, m), p.value(p.x), p.size + norm(m) ** 2)


@claim(SOURCE, OTHER, tolerance=1e-12, infimum=0.0)
def saddle(A: Array, Q: Array, b: Array, c: Array, s: float, z: Array, m: Array) -> float:
    r"""Each solution is a saddle: $L(x^*, \lambda) = L(x^*, \lambda^*) \le L(x, \lambda^*)$ for a convex f."""
    p = _solved(A, Q, b, c, s)
    size = p.size + norm(z) ** 2 + norm(m) ** 2
    here = p.lagrangian(p.x, p.m)
    flat = abs(p.lagrangian(p.x, m) - here) / size
    return -flat if flat > 1e-12 else slack(here, p.lagrangian(p.x + z, p.m), size)


@claim(
    SOURCE,
    {"k": Integer(1, 2), "n": Integer(2, 4), "W": Symmetric("n", -10.0, 10.0), "Q": Orthogonal("n"),
     "s": Real(0.5, 2.0), "least": Real(0.1, 2.0)},
    tolerance=0.0, infimum=0.0,
)  # fmt: skip
def inertia(k: int, n: int, W: Array, Q: Array, s: float, least: float) -> float:
    """Over all unknowns the Hessian of L has n positive and k negative eigenvalues.

    Where that in x is positive definite on the null space of J, and indefinite elsewhere.
    """
    xp, Z = namespace(W), Q[:, k:]
    if Z.shape[1]:
        values, vectors = xp.linalg.eigh(Z.T @ W @ Z)
        lift = Z @ vectors
        W = W + (lift * (xp.maximum(values, least + 0 * values) - values)) @ lift.T
    matrix = kkt_matrix((W + W.T) / 2, -s * Q[:, :k].T)
    values = xp.linalg.eigvalsh(matrix)
    return min(float(values[k]), -float(values[k - 1])) / float(xp.max(xp.abs(values)))


def _joint(p: Program) -> Function:
    """Return L as a function of all unknowns."""
    n, xp = p.x.shape[0], namespace(p.x)
    return Function(
        lambda z: p.value(z[:n]) - z[n:] @ (p.J @ z[:n] - p.c),
        lambda z: xp.concat([p.gradient(z[:n]) - p.J.T @ z[n:], p.c - p.J @ z[:n]]), lambda z: z,
    )  # fmt: skip


METHODS: dict[str, Method] = {
    "steepest_descent": SteepestDescent(), "lbfgs": LBFGS(), "bfgs": BFGS(),
}  # fmt: skip


@claim(
    SOURCE, {"method": Choice(tuple(METHODS)), **OTHER}, kind="limit", tolerance=1e-3, expect="refuted",
    instead="lagrange.ascent_and_descent",
    witness={"method": "lbfgs", "k": 1, "n": 2, "A": 2 * np.eye(2), "Q": np.array([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5,
             "b": np.zeros(2), "c": np.ones(1), "s": 1.0, "z": np.ones(2), "m": np.ones(1)},
)  # fmt: skip
def minimised(method: str, A: Array, Q: Array, b: Array, c: Array, s: float, z: Array, m: Array) -> float:
    """Constraints are met by minimising L over all n + k unknowns, from near the solution on: it diverges."""
    p, xp = _solved(A, Q, b, c, s), namespace(A)
    solution = xp.concat([p.x, p.m])
    run = iterates(METHODS[method], _joint(p), solution + 1e-2 * xp.concat([z, m]), 30)
    return -norm(run[-1] - solution)


@claim(SOURCE, {**OTHER, "rate": Real(1e-3, 0.3, log=True)}, kind="equality", tolerance=ulps(1024))
def repelled(A: Array, Q: Array, b: Array, c: Array, s: float, z: Array, m: Array, rate: float) -> float:
    r"""Descent on L multiplies the error along an eigenvector of $-\nu < 0$ of its Hessian by $1 + \eta \nu$."""
    p, xp = _solved(A, Q, b, c, s), namespace(A)
    f, solution = _joint(p), xp.concat([p.x, p.m])
    values, vectors = xp.linalg.eigh(kkt_matrix(A, -p.J))
    before = solution + xp.concat([z, m])
    after = before - rate * f.gradient(before)
    lowest, v = float(values[0]), vectors[:, 0]
    grown = (1 - rate * lowest) * float(v @ (before - solution))
    size = p.size + norm(before - solution)
    return -1.0 if not lowest < 0 else agreement(v @ (after - solution), grown, scale=size)


def _followed(method: Lagrangian, p: Program, x: Array, steps: int) -> float:
    """Return the distance from the solution after some steps, over that before."""
    constraint = {"type": "eq", "fun": lambda x: p.J @ x - p.c, "jac": lambda x: p.J}
    xp = namespace(x)
    start = x - p.x
    method = method.replace(constraints=constraint, multipliers=0 * p.m)
    objective = Objective(p.value, x, jac=p.gradient, hess=lambda x: p.A)
    run: Any = method.iterates(objective, objective.at(x))
    for _ in range(steps):
        point = next(run)
    return norm(xp.concat([point.x - p.x, point.multipliers - p.m])) / norm(xp.concat([start, p.m]))


NEAR: dict[str, Element] = {**PROGRAM, "A": Symmetric("n", 1.0, 2.0), "s": Real(1.0, 2.0), "z": Numbers(("n",))}


@claim(SOURCE, {"order": Choice(("simultaneous", "alternating", "extragradient")), **NEAR}, kind="limit", tolerance=0.1)
def ascent_and_descent(order: str, A: Array, Q: Array, b: Array, c: Array, s: float, z: Array) -> float:
    r"""Descent in x and ascent in $\lambda$ converge for a strongly convex f: to a tenth of the error in 100 steps.

    For Hessians in [1, 2], singular values of J in [1, 2], and rates of 0.1.
    """
    p = _solved(A, Q, b, c, s)
    method = AscentDescent(order=order, lr=0.1, lr_multipliers=0.1)  # type: ignore[arg-type]
    return -_followed(method, p, p.x + z, 100) if norm(z) + norm(p.m) > 1e-3 else 0.0


@claim(SOURCE, NEAR, kind="limit", tolerance=1e-10)
def newton(A: Array, Q: Array, b: Array, c: Array, s: float, z: Array) -> float:
    """Newton's method on the n + k equations takes one step on a quadratic program."""
    p = _solved(A, Q, b, c, s)
    if not norm(z) + norm(p.m) > 1e-3:
        return 0.0
    return -_followed(KKTNewton(), p, p.x + z, 1) * norm(z) / (p.size + norm(z))


@claim(
    SOURCE, {"order": Choice(("simultaneous", "extragradient")), "slope": Real(-2.0, 2.0), "x": Real(-2.0, 2.0),
             "rate": Real(0.05, 0.5)},
    kind="equality", tolerance=ulps(64),
)  # fmt: skip
def factors(order: str, slope: float, x: float, rate: float) -> float:
    r"""For a linear f a simultaneous step multiplies the distance from the saddle by $\sqrt{1 + \eta^2}$.

    And one of the extragradient by $\sqrt{1 - \eta^2 + \eta^4}$.
    """
    factor = 1 + rate**2 if order == "simultaneous" else 1 - rate**2 + rate**4
    return -abs(1 - _bilinear(order, slope, x, rate) - factor**2.5) if math.hypot(slope, x) >= 1e-3 else 0.0


LINEAR: dict[str, Element] = {"slope": Real(-2.0, 2.0), "x": Real(-2.0, 2.0), "rate": Real(0.1, 0.9)}


def _bilinear(order: str, slope: float, x: float, rate: float) -> float:
    """Return 1 - distance after 5 steps over that before, for f = slope x where x = 0."""
    one = np.ones((1, 1))
    p = Program(0 * one, np.asarray([-slope]), one, np.zeros(1), np.zeros(1), np.asarray([slope]))
    if math.hypot(slope, x) < 1e-3:
        return 1.0
    method = AscentDescent(order=order, lr=rate, lr_multipliers=rate)  # type: ignore[arg-type]
    return 1 - _followed(method, p, np.asarray([x]), 5)


@claim(SOURCE, LINEAR, tolerance=1e-9, infimum=1 - 0.9901**2.5)  # of the least rate
def extragradient(slope: float, x: float, rate: float) -> float:
    """With gradients half a step ahead descent and ascent converge for a linear f too."""
    return _bilinear("extragradient", slope, x, rate)


@claim(
    SOURCE, LINEAR, tolerance=1e-9, expect="refuted", instead="lagrange.extragradient",
    witness={"slope": 1.0, "x": 1.0, "rate": 0.5},
)  # fmt: skip
def simultaneous(slope: float, x: float, rate: float) -> float:
    """They do with simultaneous steps: no, those spiral away from the saddle."""
    return _bilinear("simultaneous", slope, x, rate)
