"""Smooth functions with gradients, for runs of methods."""

import numpy as np


def quadratic(seed, n, kappa):
    """Return f, its gradient, its minimiser and the Hessian of a convex quadratic with the condition kappa."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A = (Q * np.geomspace(1.0, kappa, n)) @ Q.T
    A, c = (A + A.T) / 2, rng.standard_normal(n)
    return lambda x: 0.5 * x @ (A @ (x - 2 * c)), lambda x: A @ (x - c), c, A


def convex(seed, n):
    """Return a strongly convex function, softplus of linear forms and |x|^2/2, and its gradient."""
    rng = np.random.default_rng(seed)
    W, b = rng.standard_normal((2 * n, n)), rng.standard_normal(2 * n)

    def f(x):
        return float(np.sum(np.logaddexp(0.0, W @ x + b))) + 0.5 * float(x @ x)

    def g(x):
        return W.T @ np.exp(-np.logaddexp(0.0, -(W @ x + b))) + x

    return f, g


def rosenbrock(x):
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def rosenbrock_gradient(x):
    g = np.zeros_like(x)
    t = x[1:] - x[:-1] ** 2
    g[:-1] = -400 * t * x[:-1] - 2 * (1 - x[:-1])
    g[1:] += 200 * t
    return g


def iterates(method, f, g, x0, count):
    """Return x0 and the first iterates of a method; fewer if it stops before."""
    from arrayopt.core.method import Stop
    from arrayopt.core.objective import Objective

    objective = Objective(f, x0, jac=g)
    method.prepare(objective)
    point = objective.at(objective.x0)
    found, run = [point.x], method.iterates(objective, point)
    for _ in range(count):
        try:
            found.append(next(run).x)
        except Stop:
            break
    return found
