"""What a test problem is: a function with its derivatives, where to start, and what is known of its minimisers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, default, namespace


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Problem:
    """A smooth function of a vector, with what is known about it.

    Its functions take a vector of shape (n,) of any array library, or a batch of them of shape (..., n), and answer in
    the same library and dtype.

    Attributes
    ----------
    name : str
        With its parameters.
    value, gradient, hessian : callable
        x -> f, shape (...); the gradient, shape (..., n); the Hessian, shape (..., n, n).
    begin : sequence of float
        The start that the literature uses.
    minimum : float
        The global minimum.
    points : sequence of sequences of float
        The global minimisers, all of them.
    local : sequence of sequences of float
        Known local minimisers that are not global.
    convex : bool
        Whether the function is convex, so that every stationary point is a global minimiser.
    smoothness : float or None
        The least Lipschitz constant of the gradient, where there is one.

    Examples
    --------
    >>> from arrayopt.problems import rosenbrock
    >>> problem = rosenbrock(2)
    >>> float(problem.value(problem.start)), problem.gradient(problem.minimisers[0])
    (24.2, array([0., 0.]))
    """

    name: str
    value: Callable[[Array], Array]
    gradient: Callable[[Array], Array]
    hessian: Callable[[Array], Array]
    begin: Sequence[float]
    minimum: float
    points: Sequence[Sequence[float]]
    local: Sequence[Sequence[float]] = ()
    convex: bool = False
    smoothness: float | None = None

    def __repr__(self) -> str:
        return f"<{self.name}, {self.n} variables>"

    @property
    def n(self) -> int:
        """The number of variables."""
        return len(self.begin)

    @property
    def start(self) -> Array:
        """`begin` as a float64 array of the library that `arrayopt.use` names."""
        xp = default()
        return xp.asarray(self.begin, dtype=xp.float64)

    @property
    def minimisers(self) -> Array:
        """`points` as a float64 array of shape (number, n) of the library that `arrayopt.use` names."""
        xp = default()
        return xp.asarray(self.points, dtype=xp.float64)

    def value_and_gradient(self, x: Array) -> tuple[Array, Array]:
        """Return both, as ``minimize(..., jac=True)`` takes them."""
        return self.value(x), self.gradient(x)

    def hessian_product(self, x: Array, v: Array) -> Array:
        """Return the Hessian at x times v, shape (..., n)."""
        return (self.hessian(x) @ v[..., None])[..., 0]


def like(x: Array, numbers: np.ndarray | Sequence[float]) -> Array:
    """Return numbers as an array of the library, device and dtype of x."""
    return namespace(x).asarray(numbers, dtype=x.dtype, device=device(x))


def symmetric(*rows: Sequence[Array]) -> Array:
    """Return symmetric matrices, shape (..., n, n), from the entries of the lower triangle, each of shape (...)."""
    xp = namespace(rows[0][0])
    n = len(rows)
    full = [[rows[max(i, j)][min(i, j)] for j in range(n)] for i in range(n)]
    return xp.stack([xp.stack(row, axis=-1) for row in full], axis=-2)
