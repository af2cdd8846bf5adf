"""Newton's method: its order, what it is on logistic regression, and what it does not promise."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real, Signs, Symmetric
from arrayopt.claims.margins import agreement, norm, slack, ulps
from arrayopt.claims.runs import Function, iterates, quadratic, quadratics
from arrayopt.claims.sources import LITERATURE, second_order
from arrayopt.core.method import Stop
from arrayopt.core.objective import Objective
from arrayopt.problems import LogisticRegression
from arrayopt.secondorder import Newton
from arrayopt.secondorder.newton import newton_direction
from arrayopt.secondorder.root import find_root

SURVEY = "survey, section 3"
PURE = Newton(damping="none", modification="none")
MODIFICATIONS = Choice(("shift", "gmw", "eigenvalues"))


@claim(
    second_order(21), {"modification": Choice(("none", "shift", "gmw", "eigenvalues")), **quadratics(1e4, 5),
                        "x": Numbers(("n",))}, kind="equality", tolerance=ulps(64),
)  # fmt: skip
def one_step(modification: str, A: Array, c: Array, x: Array) -> float:
    """One step solves a convex quadratic, with each modification, to rounding of A and x."""
    run = iterates(Newton(damping="none", modification=modification), quadratic(A, c), x, 1, hessian=True)  # type: ignore[arg-type]
    size = norm(namespace(A).reshape(A, (-1,))) * (norm(x) + norm(c))
    return -norm(run[-1] - c) / size if size > 0 and len(run) > 1 else 0.0


CUBIC: dict[str, Element] = {
    "n": Integer(1, 3), "mu": Numbers(("n",), low=0.5, high=2.0), "t": Real(0.01, 0.4),
    "e": Numbers(("n",), low=-1.0, high=1.0), "radius": Real(1e-4, 1.0, log=True),
}  # fmt: skip


def _cubic(mu: Array, t: float) -> Function:
    """Return the sum of mu x^2/2 + t x^3/6, whose Hessian has the Lipschitz constant t, and its minimum at 0."""
    xp = namespace(mu)
    return Function(
        lambda x: xp.sum(mu * x * x / 2 + t * x * x * x / 6), lambda x: mu * x + t * x * x / 2,
        lambda x: (mu + t * x)[:, None] * xp.eye(x.shape[0], dtype=x.dtype),
    )  # fmt: skip


@claim(second_order(21), CUBIC, tolerance=1e-8, infimum=0.0)
def squared(mu: Array, t: float, e: Array, radius: float) -> float:
    r"""$e_{k+1} \le \frac{L}{2m} e_k^2$, for a Hessian of Lipschitz constant L and at least m on the way."""
    x = radius * e
    if norm(x) < 1e-5:
        raise Outside("rounding errors are larger")
    xp = namespace(x)
    m = float(xp.min(xp.minimum(mu, mu + t * x)))
    after = norm(iterates(PURE, _cubic(mu, t), x, 1, hessian=True)[-1])
    return 1 - after * 2 * m / (t * float(x @ x))


@claim(
    second_order(21), {"mu": Real(0.5, 2.0), "third": Real(0.1, 1.0), "e": Real(0.02, 0.1), "side": Signs((1,))},
    kind="limit", tolerance=0.2,
)  # fmt: skip
def order(mu: float, third: float, e: float, side: Array) -> float:
    r"""Near a minimiser with $f''' \ne 0$ the order by three errors from 0.1 on is 2, to within 0.2."""
    return _order(mu, third, 0.0, e * side)


@claim(
    second_order(21),
    {"mu": Real(0.5, 2.0), "third": Real(0.0, 1.0), "fourth": Real(0.1, 1.0), "e": Real(0.05, 0.1),
     "side": Signs((1,))},
    kind="limit", tolerance=0.2, expect="refuted", instead="newton.order",
    witness={"mu": 1.0, "third": 0.0, "fourth": 1.0, "e": 0.1, "side": np.ones(1)},
)  # fmt: skip
def order_whatever_the_third_derivative(mu: float, third: float, fourth: float, e: float, side: Array) -> float:
    r"""Near any minimiser with $f'' > 0$ the order is 2: it is 3 where $f''' = 0$."""
    return _order(mu, third, fourth, e * side)


def _order(mu: float, third: float, fourth: float, x: Array) -> float:
    f = Function(
        lambda x: (mu * x * x / 2 + third * x**3 / 6 + fourth * x**4 / 24)[0],
        lambda x: mu * x + third * x**2 / 2 + fourth * x**3 / 6,
        lambda x: (mu + third * x + fourth * x**2 / 2)[:, None],
    )
    a, b, c = (norm(x) for x in iterates(PURE, f, x, 2, hessian=True))
    return -abs(math.log(c / b) / math.log(b / a) - 2) if c > 0 else 0.0


ROOTS: dict[str, Element] = {"re": Real(0.5, 2.0), "angle": Real(0.0, 2 * math.pi), "apart": Numbers((2,))}


def _complex(re: float, angle: float) -> complex:
    return complex(re * math.cos(angle), re * math.sin(angle))


def _roots(power: int, root: complex, start: Array, steps: int) -> complex:
    f, g = (lambda z: z**power - root**power), (lambda z: power * z ** (power - 1))
    return complex(find_root(f, start, g, tol=0.0, maxiter=steps).x)


@claim(SURVEY, ROOTS, kind="equality", tolerance=ulps(64))
def complex_roots(re: float, angle: float, apart: Array) -> float:
    r"""As a root finder it squares the error of complex roots too: $e_+ = e^2 / 2z$ for those of $z^2 - a$."""
    root = _complex(re, angle)
    z = root + complex(*apart)
    if abs(z) < 1e-3:
        raise Outside("the derivative is zero")
    after = _roots(2, root, namespace(apart).asarray(z), 1)
    exact = root + (z - root) ** 2 / (2 * z)
    return -abs(after - exact) / (abs(z) + abs(root) ** 2 / abs(z))


@claim(SURVEY, {"m": Integer(2, 6), "e": Real(1e-3, 1e3, log=True)}, kind="equality", tolerance=ulps(32))
def multiple_roots(m: int, e: float) -> float:
    r"""Towards a root of multiplicity m it is linear only, with the factor $1 - 1/m$."""
    after = float(find_root(lambda x: x**m, np.asarray(e), lambda x: m * x ** (m - 1), tol=0.0, maxiter=1).x)
    return agreement(after, (1 - 1 / m) * e)


def _nearest(power: int, re: float, angle: float, apart: Array) -> float:
    """Return 1 if the root that is found is the one nearest to the start, by a margin, else -1."""
    root = _complex(re, angle)
    z = root + complex(*apart)
    roots = [root * np.exp(2j * math.pi * k / power) for k in range(power)]
    near, second = sorted(abs(z - r) for r in roots)[:2]
    if second - near < 0.02 * re:
        raise Outside("about as near to both")
    found = _roots(power, root, namespace(apart).asarray(z), 60)
    return 1.0 if abs(found - min(roots, key=lambda r: abs(z - r))) < 1e-6 else -1.0


@claim(SURVEY, ROOTS, tolerance=0.0, smooth=False, kind="limit")
def nearest_of_two(re: float, angle: float, apart: Array) -> float:
    """Of the two roots of a quadratic, Newton's method finds the nearer one."""
    return _nearest(2, re, angle, apart)


@claim(
    SURVEY, ROOTS, tolerance=0.0, smooth=False, kind="limit", expect="refuted",
    instead="newton.nearest_of_two", witness={"re": 1.0, "angle": 0.0, "apart": np.array([-0.9, 0.1])},
)  # fmt: skip
def nearest_of_three(re: float, angle: float, apart: Array) -> float:
    """Of the three roots of a cubic too: no, its basins are fractal."""
    return _nearest(3, re, angle, apart)


@claim(
    SURVEY, {"x": Real(-2.0, 2.0)}, tolerance=0.0, smooth=False, kind="limit", expect="refuted",
    instead="newton.damped_descends", witness={"x": 0.0},
)  # fmt: skip
def always_converges(x: float) -> float:
    """Newton's method converges: on $x^3 - 2x + 2$ it may cycle between 0 and 1 for ever."""
    return 1.0 if find_root(lambda x: x**3 - 2 * x + 2, np.asarray(x), lambda x: 3 * x * x - 2).success else -1.0


def _descends(method: Newton, x: Array) -> float:
    xp = namespace(x)
    f = Function(
        lambda x: xp.sum(xp.sqrt(1 + x * x)), lambda x: x / xp.sqrt(1 + x * x),
        lambda x: (1 + x * x)[:, None] ** -1.5 * xp.eye(x.shape[0], dtype=x.dtype),
    )  # fmt: skip
    run = iterates(method, f, x, 1, hessian=True)
    return slack(f.value(run[-1]), f.value(x)) if norm(x) > 1e-7 else 1.0


X: dict[str, Element] = {"n": Integer(1, 3), "x": Numbers(("n",), low=-3.0, high=3.0)}


@claim(
    SURVEY, X, tolerance=1e-12, expect="refuted", instead="newton.damped_descends",
    witness={"n": 1, "x": np.array([1.5])},
)  # fmt: skip
def pure_descends(x: Array) -> float:
    r"""Newton's fixed step makes a strictly convex f fall: not $\sqrt{1 + x^2}$, on which x goes to $-x^3$."""
    return _descends(PURE, x)


@claim(SURVEY, X, tolerance=0.0, infimum=0.0)
def damped_descends(x: Array) -> float:
    """With a line search it does."""
    return _descends(Newton(), x)


@claim(
    SURVEY, {"modification": MODIFICATIONS, "singular": Choice((False, True)), "n": Integer(1, 3),
             "A": Symmetric("n", -1e3, 1e3), "g": Numbers(("n",))},
    tolerance=0.0, infimum=0.0,
)  # fmt: skip
def modified_descends(modification: str, singular: bool, A: Array, g: Array) -> float:
    r"""With a Hessian that is made positive definite the direction descends, $g'd < 0$, whatever the Hessian was.

    Also if it is one less its lowest eigenvalue, singular but for rounding.
    """
    xp = namespace(A)
    lowest = xp.min(xp.linalg.eigvalsh(A)) * xp.eye(A.shape[0], dtype=A.dtype)
    return _direction(modification, A - lowest if singular else A, g)


@claim(
    SURVEY, {"n": Integer(1, 3), "A": Symmetric("n", -1e3, 1e3), "g": Numbers(("n",))}, tolerance=0.0, expect="refuted",
    instead="newton.modified_descends", witness={"n": 1, "A": -np.eye(1), "g": np.ones(1)},
)  # fmt: skip
def unmodified_descends(A: Array, g: Array) -> float:
    r"""Newton's direction $-H^{-1} g$ descends, whatever the Hessian."""
    return _direction("none", A, g)


def _direction(modification: str, A: Array, g: Array) -> float:
    objective = Objective(lambda x: g @ x, 0 * g, jac=lambda x: g, hess=lambda x: A)
    if not norm(g) > 1e-100:
        return 1.0
    try:
        d, _ = newton_direction(objective, objective.at(0 * g), modification)
    except Stop as stop:
        raise Outside("there is no direction") from stop
    return -float(g @ d) / (norm(g) * norm(d))


@claim(
    LITERATURE[21], {**quadratics(100.0, 3), "c1": Real(0.01, 0.5)}, tolerance=1e-12, infimum=0.0
)  # fmt: skip
def unit_step(c1: float, A: Array, c: Array) -> float:
    r"""Armijo's rule accepts the unit step of a quadratic if $c_1 \le \frac12$."""
    return _unit(c1, A, c)


@claim(
    LITERATURE[21], {**quadratics(100.0, 3), "c1": Real(0.51, 0.99)}, tolerance=1e-12,
    expect="refuted", instead="newton.unit_step", witness={"c1": 0.9, "n": 1, "A": np.eye(1), "c": np.ones(1)},
)  # fmt: skip
def unit_step_whatever_the_share(c1: float, A: Array, c: Array) -> float:
    r"""Armijo's rule accepts the unit step of a quadratic for larger $c_1$ too."""
    return _unit(c1, A, c)


def _unit(c1: float, A: Array, x: Array) -> float:
    f = quadratic(A, 0 * x)
    if not norm(x) > 1e-100:
        return 1.0
    before, after = iterates(PURE, f, x, 1, hessian=True)
    slope = float(f.gradient(x) @ (after - before))
    return float(f.value(before) + c1 * slope - f.value(after)) / -slope


ROWS: dict[str, Element] = {
    "n": Integer(1, 3), "rows": Numbers((6, "n"), low=-2.0, high=2.0), "t": Signs((6,)),
    "penalty": Real(0.01, 1.0, log=True), "w": Numbers(("n",), low=-1.0, high=1.0),
}  # fmt: skip


@claim(second_order(23), ROWS, kind="equivalence", tolerance=1e-11)
def irls(n: int, rows: Array, t: Array, penalty: float, w: Array) -> float:
    """Newton's step on logistic regression is one of iteratively reweighted least squares."""
    loss = LogisticRegression(rows, t, penalty)
    newton = iterates(PURE, Function(loss.value, loss.gradient, loss.hessian), w, 1, hessian=True)[-1]
    xp = namespace(w)
    p = 1 / (1 + xp.exp(-(rows @ w)))
    weights = xp.sqrt(p * (1 - p) / t.shape[0])
    working = rows @ w + ((t + 1) / 2 - p) / (p * (1 - p))
    q, r = xp.linalg.qr(xp.concat([weights[:, None] * rows, math.sqrt(penalty) * xp.eye(n, dtype=w.dtype)]))
    solved = xp.linalg.solve(r, q[:-n, :].T @ (weights * working))
    scale = 1 + norm(solved)
    return min(agreement(newton, solved, scale), agreement(loss.irls_step(w), solved, scale))


def _left(method: Newton, steps: int, loss: LogisticRegression, w: Array) -> float:
    """Return minus the size of the gradient that steps leave."""
    f = Function(loss.value, loss.gradient, loss.hessian)
    return -norm(loss.gradient(iterates(method, f, w, steps, hessian=True)[-1]))


@claim(SURVEY, ROWS, kind="limit", tolerance=1e-7)
def several_steps(rows: Array, t: Array, penalty: float, w: Array) -> float:
    """Several steps with a line search solve logistic regression, at least with a penalty of 0.01: 15 of them here."""
    return _left(Newton(), 15, LogisticRegression(rows, t, penalty), w)


@claim(
    "survey, section 1", ROWS, kind="equality", tolerance=1e-3, expect="refuted", instead="newton.several_steps",
    witness={"n": 1, "rows": np.ones((6, 1)), "t": np.ones(6), "penalty": 0.01, "w": np.zeros(1)},
)  # fmt: skip
def closed_form(rows: Array, t: Array, penalty: float, w: Array) -> float:
    """Logistic regression is solved by a formula like that of least squares: by one weighted system of equations."""
    return _left(PURE, 1, LogisticRegression(rows, t, penalty), w)
