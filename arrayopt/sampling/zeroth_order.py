"""ZerothOrder: gradients from values, for whatever asks for a gradient."""

import math
from collections.abc import Callable
from typing import Any

from arrayopt.backend import Array
from arrayopt.core.objective import Objective
from arrayopt.core.population import Workers
from arrayopt.core.schedules import Number, at
from arrayopt.core.trees import Tree
from arrayopt.errors import OptionError
from arrayopt.sampling.directions import directions_at, run_seed
from arrayopt.sampling.smoothing import Smoothing


class ZerothOrder:
    """The gradient of a function, estimated from its values: a new estimate with every call.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``, a number, of one point like `x`; with `vectorized` of an array of shape (m, d), m points laid
        out as vectors, to m values.
    sigma : float or schedule
        How far x is moved, > 0. For a smooth function whose values are good to the last digit, antithetic differences
        are best at about the cube root of the rounding error, 1e-5; for one that jumps it is how far to look.
    seed : int
        In [0, 2^64). Call t of two objects with the same seed has the same directions.
    vectorized : bool
        Whether `fun` takes a whole population.
    workers : map-like callable, optional
        ``workers(fun, points)`` returns the values in order, for a `fun` of one point.
    **smoothing
        Fields of `Smoothing`: n, directions, form, baseline, shaping, top.

    Attributes
    ----------
    t : int
        Calls so far; it may be set, to go on from a stored run.
    nfev : int
        Evaluations of `fun` so far.

    Raises
    ------
    OptionError
        If an option is unknown or out of range.

    Notes
    -----
    Evaluations for the gradient are counted here, not by `minimize`. A generation in which no value is finite
    estimates 0.

    Examples
    --------
    The gradient of a step, for `minimize` and for a rule:

    >>> import numpy as np
    >>> from arrayopt import SGD, minimize
    >>> def steps(x):
    ...     return float(np.floor(4 * abs(x)).sum())
    >>> jac = ZerothOrder(steps, sigma=0.5, n=10)
    >>> minimize(steps, np.array([3.0, -2.0]), jac=jac, method="sgd", options={"lr": 0.05, "maxiter": 40}).fun
    0.0
    >>> rule, x, gradient = SGD(lr=0.05), {"w": np.array([3.0])}, ZerothOrder(lambda x: steps(x["w"]), sigma=0.5)
    >>> x, state = rule.update(gradient(x), rule.init(x), x)
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        *,
        sigma: Number = 1e-2,
        seed: int = 0,
        vectorized: bool = False,
        workers: Workers | None = None,
        **smoothing: Any,
    ) -> None:
        if not callable(fun):
            raise OptionError(f"ZerothOrder: fun must be callable, got a {type(fun).__name__}")
        if not callable(sigma) and type(sigma) not in (int, float):
            raise OptionError(f"ZerothOrder: sigma must be a finite number > 0 or a schedule, got {sigma!r}")
        self.fun, self.sigma, self.seed = fun, sigma, run_seed(seed, 0)
        self.vectorized, self.workers = vectorized, workers
        self.smoothing = Smoothing(**smoothing)
        self.t = self.nfev = 0
        self._spread(0)

    def __call__(self, x: Tree, *args: Any) -> Tree:
        """Return the next estimate of the gradient at x, a tree like it."""
        g = self.gradient(x, self.t, *args)
        self.t += 1
        return g

    def gradient(self, x: Tree, t: int, *args: Any) -> Tree:
        """Return the estimate of call t: the same for the same x, whatever was called before."""
        objective = Objective(self.fun, x, args)
        return objective.tree(self._estimate(objective, t))

    def vector(self, x: Tree, t: int, *args: Any) -> Array:
        """Return what `gradient` does as one vector."""
        return self._estimate(Objective(self.fun, x, args), t)

    def _estimate(self, objective: Objective, t: int) -> Array:
        how, x, sigma = self.smoothing, objective.x0, self._spread(t)
        u = directions_at(x, how.n, how.directions, self.seed, t)
        points = how.points_around(x, u, sigma)
        f = objective.population(points, self.vectorized, self.workers)
        self.nfev += objective.nfev
        return how.estimate(f, u, sigma)

    def _spread(self, t: int) -> float:
        sigma = at(self.sigma, t + 1)
        if not 0 < sigma < math.inf:
            raise OptionError(f"ZerothOrder: sigma must be a finite number > 0 or a schedule, got {sigma!r}")
        return float(sigma)
