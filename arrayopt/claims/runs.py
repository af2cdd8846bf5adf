"""What claims about methods share: smooth functions made of the arrays of an instance, and runs on them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from arrayopt.backend import Array, namespace
from arrayopt.claims.domain import Element, Integer, Numbers, Symmetric
from arrayopt.claims.margins import norm
from arrayopt.core.method import Method, Stop
from arrayopt.core.objective import Objective

ROWS = 3


class Function(NamedTuple):
    """A function with its derivatives."""

    value: Callable[[Array], Any]
    gradient: Callable[[Array], Array]
    hessian: Callable[[Array], Array]


def quadratic(A: Array, solution: Array) -> Function:
    """Return (x - c)'A(x - c)/2 - c'Ac/2, which needs no difference of x and c."""
    b = A @ solution
    return Function(lambda x: (x @ (A @ x)) / 2 - b @ x, lambda x: A @ x - b, lambda x: A)


def softplus(W: Array, b: Array) -> Function:
    """Return the sum of softplus of linear forms and |x|^2/2: strongly convex with 1, smooth, and not quadratic."""
    xp = namespace(W)

    def log1pexp(z: Array) -> Array:
        return xp.logaddexp(xp.zeros_like(z), z)

    def sigmoid(z: Array) -> Array:
        return xp.exp(-log1pexp(-z))

    def hessian(x: Array) -> Array:
        z = W @ x + b
        return (W.T * (sigmoid(z) * sigmoid(-z))) @ W + xp.eye(W.shape[1], dtype=W.dtype)

    return Function(
        lambda x: xp.sum(log1pexp(W @ x + b)) + (x @ x) / 2, lambda x: W.T @ sigmoid(W @ x + b) + x, hessian
    )


def smooth(most: int = 3) -> dict[str, Element]:
    """Return the domain of `softplus` with a start x, for up to `most` variables."""
    return {
        "n": Integer(1, most),
        "W": Numbers((ROWS, "n"), low=-2.0, high=2.0),
        "b": Numbers((ROWS,), low=-2.0, high=2.0),
        "x": Numbers(("n",), low=-3.0, high=3.0),
    }


def quadratics(kappa: float, most: int, least: int = 1) -> dict[str, Element]:
    """Return the domain of `quadratic` with the condition at most kappa, and of its solution c."""
    return {"n": Integer(least, most), "A": Symmetric("n", 1.0, kappa, log=True), "c": Numbers(("n",))}


def iterates(method: Method, of: Function, x0: Array, count: int, hessian: bool = False) -> list[Array]:
    """Return x0 and the first `count` iterates of a method, fewer if it ends before."""
    objective = Objective(of.value, x0, jac=of.gradient, hess=of.hessian if hessian else None)
    method.prepare(objective)
    point = objective.at(objective.x0)
    found, run = [point.x], method.iterates(objective, point)
    while len(found) <= count and point.gmax > 0:  # at a gradient of zero a run has converged
        try:
            point = next(run)
        except Stop:
            break
        found.append(point.x)
    return found


def apart(run: Sequence[Array], other: Sequence[Array], scale: float) -> float:
    """Return minus the largest distance of iterates, as far as both runs go, over `scale`."""
    return -max(norm(x - y) for x, y in zip(run, other, strict=False)) / scale
