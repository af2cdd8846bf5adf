"""Bounds on variables, batches of problems, and batches of rows: what the runs have in common with plain ones."""

import itertools
import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real, Signs
from arrayopt.claims.margins import agreement, host, identical, norm, slack
from arrayopt.claims.runs import Function, apart, iterates, smooth, softplus
from arrayopt.claims.sources import second_order
from arrayopt.core.random import generator
from arrayopt.firstorder import SGD
from arrayopt.problems import LogisticRegression
from arrayopt.secondorder import LBFGS, LBFGSB
from arrayopt.solve import minimize_batch
from arrayopt.theory.regret import projected_sgd

BATCHES = "survey, section 2"

PATHS: dict[str, Element] = {
    "loss": Choice(("linear", "logistic", "modulus")), "T": Integer(1, 6), "n": Integer(1, 3),
    "a": Numbers(("T", "n")), "x": Numbers(("n",)), "u": Numbers(("n",)), "rate": Real(1e-2, 1.0, log=True),
}  # fmt: skip


def _zinkevich(loss: str, a: Array, x: Array, u: Array, rates: list[float], fine: bool) -> float:
    """Return the margin of the bound of the average loss, over the bound; or that of its two forms."""
    xp = namespace(x)

    def row(t: int, x: Array) -> tuple[Array, Array]:
        g, z = a[t - 1, :], a[t - 1, :] @ x
        if loss == "linear":
            return z, g
        if loss == "modulus":
            return xp.abs(z), xp.sign(z) * g
        return xp.logaddexp(0 * z, z), g * xp.exp(-xp.logaddexp(0 * z, -z))

    ledger = projected_sgd(row, x, rates, u)
    squares, steps = ledger.distances**2, len(rates)
    inverse = [0.0, *(1 / r for r in rates)]
    each = math.fsum(float(squares[t]) * (inverse[t + 1] - inverse[t]) for t in range(steps)) / (2 * steps)
    each += math.fsum(r * float(s) ** 2 for r, s in zip(rates, ledger.gradient_norms, strict=True)) / (2 * steps)
    bound = ledger.finer_bound()
    if not bound > 0:
        return 1.0
    return slack(each, bound, bound) if fine else slack(ledger.regret, each, bound)


def _rates(rate: float, power: float, count: int) -> list[float]:
    return [rate * t**-power for t in range(1, count + 1)]


@claim(second_order(30), {**PATHS, "power": Real(0.0, 1.0)}, infimum=0.0)
def zinkevich(loss: str, T: int, a: Array, x: Array, u: Array, rate: float, power: float) -> float:
    r"""SGD on any path of convex losses: $\sum_t f_t(x_t) - f_t(u)$ is at most a sum of distances and of gradients.

    $\frac12 \sum_t \|x_t - u\|^2 (\frac1{\eta_t} - \frac1{\eta_{t-1}}) + \frac12 \sum_t \eta_t \|g_t\|^2$ with
    $\frac{1}{\eta_0} = 0$, for rates that never grow.
    """
    return _zinkevich(loss, a, x, u, _rates(rate, power, T), fine=False)


@claim(second_order(30), {**PATHS, "power": Real(0.0, 1.0)}, infimum=0.0)
def zinkevich_telescoped(loss: str, T: int, a: Array, x: Array, u: Array, rate: float, power: float) -> float:
    r"""And this at most $\frac{R^2}{2 \eta_T} + \frac12 \sum_t \eta_t \|g_t\|^2$ with R the largest distance."""
    return _zinkevich(loss, a, x, u, _rates(rate, power, T), fine=True)


@claim(
    second_order(30), {**PATHS, "power": Real(-2.0, 0.0)}, expect="refuted",
    instead="bounds_and_batches.zinkevich_telescoped",
    witness={"loss": "linear", "T": 2, "n": 1, "a": np.array([[9.0], [0.0]]), "x": np.zeros(1), "u": -np.ones(1),
             "rate": 0.1, "power": -2.0},
)  # fmt: skip
def zinkevich_with_growing_rates(loss: str, T: int, a: Array, x: Array, u: Array, rate: float, power: float) -> float:
    r"""For rates that grow too, that is at most $\frac{R^2}{2 \eta_T} + \frac12 \sum_t \eta_t \|g_t\|^2$."""
    rates = _rates(rate, power, T)
    xp = namespace(x)
    ledger = projected_sgd(lambda t, z: (a[t - 1, :] @ z, a[t - 1, :]), x, rates, u)
    return slack(ledger.regret, ledger.finer_bound()) if float(xp.max(xp.abs(a))) > 0 else 1.0


ROWS: dict[str, Element] = {
    "size": Integer(1, 3), "n": Integer(1, 3), "rows": Numbers((4, "n"), low=-2.0, high=2.0), "t": Signs((4,)),
    "w": Numbers(("n",), low=-2.0, high=2.0), "penalty": Real(0.0, 1.0),
}  # fmt: skip


@claim(BATCHES, ROWS, kind="equality", tolerance=1e-14)
def unbiased(size: int, rows: Array, t: Array, w: Array, penalty: float) -> float:
    """Mini-batches are unbiased: the mean gradient of all batches of a size is that of all rows."""
    loss, xp = LogisticRegression(rows, t, penalty), namespace(rows)
    batches = itertools.combinations(range(4), size)
    drawn = xp.stack([loss.on(xp.asarray(list(batch))).gradient(w) for batch in batches])
    return agreement(xp.mean(drawn, axis=0), loss.gradient(w), scale=1 + 2 * norm(w))


@claim(BATCHES, kind="behaviour")
def before_one_pass() -> float:
    """SGD may reach a loss before it has seen every row once, to which batch gradient descent takes several passes."""
    rng = generator(0)
    rows = rng.standard_normal((500, 3))
    loss = LogisticRegression(rows, np.where(rows @ np.ones(3) + rng.standard_normal(500) > 0, 1.0, -1.0), 0.0)
    rule, full, single = SGD(lr=1 / loss.smoothness), loss.start, loss.start
    state = rule.init(full)
    for _ in range(4):
        full, state = rule.update(loss.gradient(full), state, full)
    rule = SGD(lr=0.2)
    state = rule.init(single)
    for i in range(250):
        single, state = rule.update(loss.on(np.asarray([i])).gradient(single), state, single)
    return float(loss.value(full) - loss.value(single))


BOXES: dict[str, Element] = {
    **smooth(), "low": Numbers(("n",), low=-2.0, high=2.0), "width": Numbers(("n",), low=0.0, high=2.0),
}  # fmt: skip


def _box(low: Array, width: Array) -> list[tuple[float, float | None]]:
    """Return bounds: of widths below 0.3 ones that meet, above 1.7 a lower one only."""
    return [
        (a, a if w < 0.3 else None if w > 1.7 else a + w)
        for a, w in zip(host(low).tolist(), host(width).tolist(), strict=True)
    ]


@claim(second_order(31), BOXES, kind="limit", tolerance=1e-6)
def bounds(W: Array, b: Array, x: Array, low: Array, width: Array) -> float:
    r"""L-BFGS-B evaluates no point out of bounds, and ends at $\|P(x - g) - x\|_\infty \le 10^{-6}$ on a convex f."""
    f, box, xp = softplus(W, b), _box(low, width), namespace(x)
    lower, upper = (xp.asarray([e if e is not None else math.inf for e in side]) for side in zip(*box, strict=True))
    outside = 0

    def value(x: Array) -> Array:
        nonlocal outside
        outside += int(xp.any((x < lower) | (x > upper)))
        return f.value(x)

    end = iterates(LBFGSB(bounds=box), Function(value, f.gradient, f.hessian), x, 25)[-1]
    return -math.inf if outside else -float(xp.max(abs(xp.clip(end - f.gradient(end), lower, upper) - end)))


@claim(second_order(31), smooth(), kind="equivalence", tolerance=0.0)
def infinite_bounds(n: int, W: Array, b: Array, x: Array) -> float:
    """With bounds that are infinite it is L-BFGS, bit for bit."""
    f = softplus(W, b)
    run, free = iterates(LBFGSB(bounds=[(None, math.inf)] * n), f, x, 8), iterates(LBFGS(), f, x, 8)
    return identical((len(run), len(free)), *zip(run, free, strict=False))


@claim(second_order(31), {**smooth(), "far": Real(1e2, 1e6, log=True)}, kind="equivalence", tolerance=1e-9)
def far_bounds(n: int, W: Array, b: Array, x: Array, far: float) -> float:
    """With bounds that are far away it is L-BFGS but for rounding, for its steps are computed otherwise."""
    f = softplus(W, b)
    return apart(iterates(LBFGSB(bounds=[(-far, far)] * n), f, x, 5), iterates(LBFGS(), f, x, 5), 1 + norm(x))


TOGETHER: dict[str, Element] = {
    "method": Choice(("lbfgs", "cg")), "B": Integer(1, 4), "n": Integer(1, 3),
    "X": Numbers(("B", "n"), low=-2.0, high=2.0), "steps": Real(1.0, 9.0),
}  # fmt: skip


def _rosenbrock(x: Array) -> tuple[Array, Array]:
    """Return the values and gradients of the rows, whose sums are of elements one after the other."""
    xp = namespace(x)
    columns = [x[:, i] for i in range(x.shape[1])]
    f, g = (1 - columns[0]) ** 2, [-2 * (1 - columns[0])] + [0 * c for c in columns[1:]]
    for i in range(1, len(columns)):
        t = columns[i] - columns[i - 1] ** 2
        f = f + 100 * t * t
        g[i - 1], g[i] = g[i - 1] - 400 * columns[i - 1] * t, g[i] + 200 * t
    return f, xp.stack(g, axis=1)


@claim(second_order(32), TOGETHER, kind="equivalence", tolerance=0.0)
def a_row_alone(method: str, X: Array, steps: float) -> float:
    """Each row of a batch of problems is the row alone, bit for bit."""
    options = {"maxiter": int(steps), "gtol": 0.0}
    together = minimize_batch(_rosenbrock, X, method=method, options=options)
    found = []
    for i in range(X.shape[0]):
        alone = minimize_batch(_rosenbrock, X[i : i + 1, :], method=method, options=options)
        found += [(together.x[i, :], alone.x[0, :]), (together.fun[i], alone.fun[0]), (together.nit[i], alone.nit[0])]
    return identical(*found)


@claim(second_order(32), smooth(), kind="equivalence", tolerance=1e-12)
def a_single_run(W: Array, b: Array, x: Array) -> float:
    """Each row takes the steps of a single run by the two loops and the same search."""
    f, xp = softplus(W, b), namespace(x)

    def rows(X: Array) -> tuple[Array, Array]:
        each = [X[i, :] for i in range(X.shape[0])]
        return xp.stack([f.value(z) for z in each]), xp.stack([f.gradient(z) for z in each])

    run = iterates(LBFGS(form="two_loop", line_search="weak_wolfe"), f, x, 4)
    if len(run) == 1:  # it starts at the minimiser
        return 0.0
    batch = minimize_batch(rows, xp.stack([x, -x]), options={"maxiter": len(run) - 1, "gtol": 0.0})
    return -norm(batch.x[0, :] - run[-1]) / (1 + norm(x))
