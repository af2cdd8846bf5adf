"""Guided search: what cannot be differentiated is minimised along steps that a surrogate's gradient suggests."""

from __future__ import annotations  # naming numpy.random in a signature would import it

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

from arrayopt.backend import Array, fetch, namespace
from arrayopt.core.method import Method
from arrayopt.core.objective import Objective, Point
from arrayopt.core.options import Positive
from arrayopt.core.population import Workers, values
from arrayopt.core.random import generator, keyed, stream
from arrayopt.sampling.evolution import check_optimizer
from arrayopt.sampling.importance import Weights, tempered_weights, weighted_mean
from arrayopt.sampling.proposals import Proposal
from arrayopt.sampling.selecting import best_so_far


class GuidedGradient(NamedTuple):
    """What stands for a gradient: the mean step, with its sign changed.

    Attributes
    ----------
    gradient : array, shape (d,)
        For any rule: descent at the rate 1 takes the mean step.
    weights : Weights
        Of the steps.
    steps : array, shape (n, d)
    f : array, shape (n,)
        The values at x + steps.
    """

    gradient: Array
    weights: Weights
    steps: Array
    f: Array


@dataclass(frozen=True, kw_only=True)
class Guided(Proposal):
    r"""A gradient for an objective without one: the mean of :math:`e^{-l(\theta + d) / \alpha}` by importance sampling.

    .. math:: \hat g = -\sum_i w_i d_i, \qquad w_i \propto e^{-l(\theta + d_i) / \alpha} / q(d_i), \qquad
        d_i \sim q = \lambda N(0, \Sigma) + (1 - \lambda) N(-\nabla \tilde l, \Sigma)

    Parameters
    ----------
    alpha : float
        The temperature :math:`\alpha > 0`, in units of the objective: low, the best step is taken whole. Its
        reciprocal is the beta of the paper's code.
    n, share, sigma, assignment, scaling, density, form
        See `Proposal`; ``preset("code")`` is what the public code does, and its alternation needs an even n.

    Notes
    -----
    The weights are normalised by themselves, so the estimate is biased, in O(1/n). With the four steps of the paper it
    is a guided choice more than an estimate. In many dimensions the densities differ by so much that a single step has
    all the weight; the effective sample size says so.

    References
    ----------
    Welleck and Cho, arXiv 2006.03158, algorithm 1; archive 7521.

    Examples
    --------
    The share of wrong signs has no gradient; a logistic loss suggests steps:

    >>> import numpy as np
    >>> inputs = np.array([[1.0, 2.0], [-1.0, 0.5], [0.5, 1.0]])
    >>> def errors(x):
    ...     return (x @ inputs.T <= 0).mean(axis=-1)
    >>> def surrogate(x):
    ...     return -(inputs / (1 + np.exp(inputs @ x))[:, None]).mean(axis=0)
    >>> x, rng = np.array([-1.0, -1.0]), np.random.default_rng(0)
    >>> for _ in range(30):
    ...     x = x - Guided(alpha=0.1, sigma=0.3).gradient(errors, x, surrogate(x), rng=rng).gradient
    >>> float(errors(np.array([-1.0, -1.0]))), float(errors(x))
    (0.666..., 0.0)
    """

    alpha: Positive = 1.0

    def gradient(
        self,
        fun: Callable[..., Any],
        x: Array,
        g: Array | None = None,
        *args: Any,
        rng: Any = None,
        sigma: Array | None = None,
        workers: Workers | None = None,
    ) -> GuidedGradient:
        """Estimate the gradient at x.

        Parameters
        ----------
        fun : callable
            ``fun(x, *args)`` of n points, shape (n, d), to n values; with `workers` of one. It is called once.
        x : array, shape (d,)
        g : array, shape (d,), optional
            The gradient of the surrogate; without, all steps are noise around 0.
        rng : None, int, Generator, ...
            See `arrayopt.core.random.generator`.
        sigma : array that broadcasts to (d,), optional
            Standard deviations in place of the field's.
        workers : map-like callable, optional
            See `arrayopt.core.population.values`.

        Returns
        -------
        GuidedGradient
            Zero where no value is finite.
        """
        return self._estimate(lambda points: values(fun, points, *args, workers=workers), x, g, generator(rng), sigma)

    def _estimate(
        self, evaluate: Callable[[Array], Array], x: Array, g: Array | None, rng: Any, sigma: Array | None = None
    ) -> GuidedGradient:
        xp = namespace(x)
        proposal: Guided = self if g is not None else self.replace(share=1.0, assignment="drawn")
        drawn = proposal.draw(xp.zeros_like(x) if g is None else g, rng, sigma)
        f = evaluate(x + drawn.steps)
        weights = tempered_weights(f, self.alpha, drawn.log_q)
        return GuidedGradient(-weighted_mean(weights.weights, drawn.steps), weights, drawn.steps, f)


_STREAM = stream("guided")


@final
@dataclass(frozen=True, kw_only=True)
class GuidedSearch(Guided, Method):
    """Minimise by steps of a rule along `Guided` gradients; the `jac` of `minimize` is the surrogate's.

    Parameters
    ----------
    optimizer : Optimizer, optional
        What takes the steps, such as `Adam`; without, the mean step itself is taken.
    seed : int
        In [0, 2^64).
    vectorized : bool
        `fun` takes n points, shape (n, d), and returns n values. False, it takes one like x0.
    workers : map-like callable, optional
        ``workers(fun, points)``, for a `fun` of one point.
    alpha, n, share, sigma, assignment, scaling, density, form
        See `Guided`.

    Notes
    -----
    The run ends by `maxiter` or `maxfun`. Its result is the best point that was evaluated. Without `jac` all proposals
    are noise around 0.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import minimize
    >>> result = minimize(lambda x: np.floor(10 * x**2).sum(), [1.0, -0.7], jac=lambda x: 0.2 * x, method="guided",
    ...                   options={"alpha": 0.5, "sigma": 0.1, "maxiter": 60})
    >>> float(result.fun)
    0.0
    """

    optimizer: Any = None
    seed: int = 0
    vectorized: bool = False
    workers: Any = None

    derivative_free: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check what takes the steps."""
        super().__post_init__()
        check_optimizer(type(self).__name__, self.optimizer)

    def may_rest(self, before: Point, new: Point) -> bool:
        """Never: a better point may yet come."""
        return False

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Draw, weigh, step; yield the best so far."""
        point, best, t = start, start, 0
        state = None if self.optimizer is None else self.optimizer.init(objective.tree(start.x))
        while True:
            found = self._estimate(
                lambda points: objective.population(points, self.vectorized, self.workers),
                point.x,
                point.g if "jac" in objective.given else None,
                keyed(self.seed, t, _STREAM),
            )
            if self.optimizer is None:
                x = point.x - found.gradient
            else:
                trees = objective.tree(found.gradient), state, objective.tree(point.x)
                params, state = self.optimizer.update(*trees)
                x = objective.flat(params)
            worst = objective.xp.full_like(found.f[0, ...], math.inf)
            candidate, value = best_so_far(point.x + found.steps, found.f, point.x, worst)
            (f,) = fetch(objective.xp, value)
            if not best.f <= f:
                best = Point(objective, candidate, f)
            point = objective.at(x)
            if not best.f <= point.f:
                best = point
            yield best
            t += 1
