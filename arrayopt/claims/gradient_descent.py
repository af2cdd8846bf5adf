"""Gradient descent: its direction, its rates, its zigzag; and what holds of convex functions only."""

import itertools
import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Element, Integer, Numbers, Real, Signs, Symmetric
from arrayopt.claims.known import Known
from arrayopt.claims.margins import norm, slack
from arrayopt.claims.runs import Function, iterates, quadratic, smooth, softplus
from arrayopt.claims.sources import second_order
from arrayopt.core.random import generator
from arrayopt.firstorder import SGD, Momentum
from arrayopt.problems import LogisticRegression, two_basins
from arrayopt.secondorder import Newton, SteepestDescent

SURVEY = "survey, section 2"
EXACT = SteepestDescent(line_search="exact")
SHARES: dict[str, Element] = {
    "n": Integer(2, 4), "kappa": Real(1.5, 1e3, log=True), "shares": Numbers(("n",), low=0.0, high=1.0),
    "x": Numbers(("n",)),
}  # fmt: skip


def _diagonal(values: Array) -> Function:
    """Return x'Dx/2, which is least at 0, so that errors keep their relative precision."""
    xp = namespace(values)
    return Function(
        lambda x: (x @ (values * x)) / 2, lambda x: values * x,
        lambda x: values[:, None] * xp.eye(x.shape[0], dtype=x.dtype),
    )  # fmt: skip


def _descended(f: Function, x: Array, rate: float, steps: int = 1) -> Array:
    rule = SGD(lr=rate)
    state = rule.init(x)
    for _ in range(steps):
        x, state = rule.update(f.gradient(x), state, x)
    return x


@claim(SURVEY, {"n": Integer(1, 4), "g": Numbers(("n",)), "d": Numbers(("n",))}, infimum=0.0)
def steepest(g: Array, d: Array) -> float:
    r"""No direction of unit length falls more steeply than $-g$: $g'd \ge -\|g\| \|d\|$."""
    size = norm(g) * norm(d)
    return slack(-float(g @ d), size, size) if size > 0 else 1.0


@claim(second_order(19), SHARES, tolerance=1e-12, infimum=0.0)
def exact_step(kappa: float, shares: Array, x: Array) -> float:
    r"""With an exact step at most $(\frac{\kappa - 1}{\kappa + 1})^2$ of the excess of a quadratic is left."""
    f = _diagonal(kappa**shares)
    before, after = float(f.value(x)), float(f.value(iterates(EXACT, f, x, 1, hessian=True)[-1]))
    return slack(after, ((kappa - 1) / (kappa + 1)) ** 2 * before, before) if before > 0 else 1.0


@claim(
    second_order(19), {"kappa": Real(1.5, 1e3, log=True), "size": Real(1e-3, 1e3, log=True)}, kind="equality",
    tolerance=1e-12,
)  # fmt: skip
def worst_start(kappa: float, size: float) -> float:
    r"""From $(\kappa, 1)$ on $\mathrm{diag}(1, \kappa)$ that much is left by every step."""
    f = _diagonal(np.asarray([1.0, kappa]))
    run = iterates(EXACT, f, size * np.asarray([kappa, 1.0]), 6, hessian=True)
    return -max(_apart(kappa, float(f.value(a)), float(f.value(b))) for a, b in itertools.pairwise(run))


def _apart(kappa: float, before: float, after: float) -> float:
    return abs(after / before - ((kappa - 1) / (kappa + 1)) ** 2)


QUADRATIC: dict[str, Element] = {"n": Integer(2, 5), "A": Symmetric("n", 1.0, 100.0, log=True), "x": Numbers(("n",))}


@claim(SURVEY, QUADRATIC, kind="equality", tolerance=1e-12)
def zigzag(A: Array, x: Array) -> float:
    """Successive gradients of exact steps on a quadratic are orthogonal, so that the path zigzags."""
    f = quadratic(A, 0 * x)
    gradients = [f.gradient(z) for z in iterates(EXACT, f, x, 4, hessian=True)]
    pairs = [(a, b) for a, b in itertools.pairwise(gradients) if norm(a) > 1e-100]
    return -max((abs(float(a @ b)) / float(a @ a) for a, b in pairs), default=0.0)


@claim(SURVEY, smooth(2), kind="equality", tolerance=1e-12)
def zigzag_anywhere(W: Array, b: Array, x: Array) -> float:
    """They are on any smooth function, up to rounding of its gradients."""
    f = softplus(W, b)
    gradients = [f.gradient(z) for z in iterates(SteepestDescent(line_search="bisection"), f, x, 2)]
    scale = 1 + max(norm(g) for g in gradients)
    return -max((abs(float(a @ c)) / (norm(a) * scale) for a, c in itertools.pairwise(gradients) if norm(a)), default=0)


@claim(SURVEY, {"kappa": Real(1.5, 1e3, log=True), "angle": Real(0.1, 1.4)}, kind="equality", tolerance=1e-10)
def parallel(kappa: float, angle: float) -> float:
    """In the plane every other step has the same direction."""
    x = np.asarray([kappa * math.cos(angle), math.sin(angle)])
    run = iterates(EXACT, _diagonal(np.asarray([1.0, kappa])), x, 6, hessian=True)
    steps = [(b - a) / norm(b - a) for a, b in itertools.pairwise(run)]
    return -max(norm(a - b) for a, b in zip(steps, steps[2:], strict=False))


HUBER: dict[str, Element] = {
    "n": Integer(1, 3), "k": Integer(1, 6), "c": Numbers(("n",), low=0.0, high=1.0),
    "t": Numbers(("n",), low=0.01, high=2.0), "x": Numbers(("n",), low=-1.0, high=1.0),
}  # fmt: skip
L = 3.0


def _huber(k: int, c: Array, t: Array, x: Array) -> tuple[float, float]:
    """Return the excess after k steps of 1/L on a sum of Huber's functions, and L R^2."""
    xp = namespace(x)

    def value(x: Array) -> Array:
        a = xp.abs(x)
        return xp.sum(L * c * xp.where(a <= t, a * a / 2, t * a - t * t / 2))

    f = Function(value, lambda x: L * c * xp.clip(x, -t, t), lambda x: x)
    if norm(x) < 1e-3:
        raise Outside("it starts at the minimiser")
    return float(value(_descended(f, x, 1 / L, k))), L * float(x @ x)


@claim(second_order(20), HUBER, infimum=0.0)
def smooth_rate(k: int, c: Array, t: Array, x: Array) -> float:
    r"""With steps of $1/L$ a convex f has $f_k - f^* \le \frac{L R^2}{4k + 2}$; equality for Huber functions."""
    excess, size = _huber(k, c, t, x)
    return 1 - excess * (4 * k + 2) / size


@claim(second_order(20), HUBER, infimum=1 - 12 / 26)
def textbook_rate(k: int, c: Array, t: Array, x: Array) -> float:
    r"""So $f_k - f^* \le \frac{L R^2}{2k}$, as textbooks have it, is never reached, but $\frac{k}{2k + 1}$ of it is."""
    excess, size = _huber(k, c, t, x)
    return 1 - excess * 2 * k / size


@claim(second_order(20), SHARES, infimum=0.0)
def convex_rate(kappa: float, shares: Array, x: Array) -> float:
    r"""With steps of $\frac{2}{L + \mu}$ the error shrinks by $\frac{\kappa - 1}{\kappa + 1}$ at least."""
    after = _descended(_diagonal(kappa**shares), x, 2 / (kappa + 1))
    return slack(norm(after), (kappa - 1) / (kappa + 1) * norm(x), norm(x)) if norm(x) > 0 else 1.0


CURVES: dict[str, Element] = {**smooth(), "rate": Real(0.05, 1.0)}


def _fall(W: Array, b: Array, x: Array, rate: float) -> tuple[float, float, float]:
    """Return the fall of f in a step of rate / L, |g|^2 / L, and the size of f."""
    f = softplus(W, b)
    bound = float(namespace(W).sum(W * W)) / 4 + 1  # on the norm of the Hessian
    g, before = f.gradient(x), float(f.value(x))
    return before - float(f.value(_descended(f, x, rate / bound))), float(g @ g) / bound, abs(before)


@claim(SURVEY, CURVES, tolerance=1e-10, infimum=0.0)
def descent(W: Array, b: Array, x: Array, rate: float) -> float:
    r"""With a step of $\eta \le 1/L$ f falls by $\eta (1 - \frac{L \eta}{2}) \|g\|^2$ at least."""
    fell, size, value = _fall(W, b, x, rate)
    if size < 1e-6:
        raise Outside("it starts at the minimiser")
    return (fell - rate * (1 - rate / 2) * size) / (size + 1e-5 * value)


@claim(
    SURVEY, {**smooth(), "rate": Real(0.05, 4.0)}, tolerance=1e-10, expect="refuted",
    instead="gradient_descent.descent",
    witness={"n": 1, "W": np.zeros((3, 1)), "b": np.zeros(3), "x": np.ones(1), "rate": 3.0},
)  # fmt: skip
def descent_at_any_rate(W: Array, b: Array, x: Array, rate: float) -> float:
    r"""Gradient descent makes f fall at every step, with rates of $2/L$ and more too."""
    return _fall(W, b, x, rate)[0]


@claim(
    SURVEY,
    {"n": Integer(1, 2), "rows": Numbers((4, "n"), low=-2.0, high=2.0), "t": Signs((4,)),
     "w": Numbers(("n",), low=-2.0, high=2.0), "rate": Real(0.1, 4.0)},
    tolerance=1e-10, expect="refuted", instead="gradient_descent.descent",
    witness={"n": 1, "rows": np.array([[1.0], [-1.0], [-1.0], [-1.0]]), "t": np.ones(4), "w": np.zeros(1), "rate": 1.0},
)  # fmt: skip
def stochastic_descent(rows: Array, t: Array, w: Array, rate: float) -> float:
    """Stochastic gradient descent makes the loss of all rows fall at every step, as that of its one row does."""
    loss = LogisticRegression(rows, t, 0.0)
    one = loss.on(namespace(rows).asarray([0]))
    after = _descended(Function(one.value, one.gradient, one.hessian), w, rate)
    return float(loss.value(w) - loss.value(after))


@claim(SURVEY, {**smooth(), "y": Numbers(("n",), low=-3.0, high=3.0)}, infimum=0.0)
def tangents(W: Array, b: Array, x: Array, y: Array) -> float:
    r"""Convex: $f(y) \ge f(x) + \langle g(x), y - x \rangle$, so that a stationary point is a global minimiser."""
    f = softplus(W, b)
    return slack(f.value(x) + f.gradient(x) @ (y - x), f.value(y))


@claim(SURVEY, {**smooth(), "y": Numbers(("n",), low=-3.0, high=3.0)}, infimum=0.0)
def stationary(W: Array, b: Array, x: Array, y: Array) -> float:
    """Where a run ends on a convex function, nothing else is lower."""
    f = softplus(W, b)
    end = iterates(Newton(), f, x, 12, hessian=True)[-1]
    return slack(f.value(end), f.value(y))


@claim(
    SURVEY, {"x": Numbers((1,), low=-2.0, high=2.0), "tilt": Real(0.05, 0.3)}, tolerance=1e-3, smooth=False,
    expect="refuted", instead="gradient_descent.stationary", witness={"x": np.array([1.5]), "tilt": 0.1},
)  # fmt: skip
def stationary_in_general(x: Array, tilt: float) -> float:
    """Nor on any other function: of two basins the worse one holds what starts in it."""
    problem = two_basins(tilt, 1)
    f = Function(problem.value, problem.gradient, problem.hessian)
    return float(problem.minimum or 0.0) - float(problem.value(_descended(f, x, 0.2, 60)))


def _ends(rule: Any, noise: float, seed: int, starts: int = 2000, steps: int = 300) -> float:
    """Return the share of starts, evenly spread on [0, 2], that end in the better basin."""
    problem, rng = two_basins(0.1, 1), generator(seed)
    x = np.linspace(0.0, 2.0, starts)[:, None]
    state = rule.init(x)
    for k in range(steps):
        fading = noise * (1 - k / steps)
        x, state = rule.update(problem.gradient(x) + fading * rng.standard_normal(x.shape), state, x)
    return float(np.mean(x < 0))


def _significant(share: float, other: float, starts: int = 2000) -> float:
    """Return by how many standard deviations of the difference a share is larger than another one, less 4."""
    mean = (share + other) / 2
    return (share - other) / math.sqrt(2 * mean * (1 - mean) / starts) - 4


@claim(SURVEY, kind="probability", tolerance=0.0)
def noise_escapes() -> float:
    """Noise, that of SGD, lowers the chance of ending in the worse of two basins, but not to zero."""
    plain, noisy = _ends(SGD(lr=0.1), 0.0, 0), _ends(SGD(lr=0.1), 1.0, 1)
    return min(_significant(noisy, plain), _significant(1.0, noisy))


@claim(SURVEY, kind="probability", tolerance=0.0)
def momentum_escapes() -> float:
    """So does momentum without noise, for starts evenly spread over the slopes of the worse basin."""
    plain, heavy = _ends(SGD(lr=0.1), 0.0, 0), _ends(Momentum(lr=0.1, momentum=0.9), 0.0, 0)
    return min(_significant(heavy, plain), _significant(1.0, heavy))


def _figure() -> float:
    f = _diagonal(np.asarray([1.0, 10.0]))
    before, after = iterates(EXACT, f, np.asarray([10.0, 1.0]), 1, hessian=True)
    return float(f.value(after) / f.value(before))


KNOWN = (
    Known(
        "gradient_descent.condition_ten", r"What an exact step leaves of the error from $(10, 1)$ on diag(1, 10)",
        second_order(19), "0.669421487603", _figure,
    ),
)  # fmt: skip
