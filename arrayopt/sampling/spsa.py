"""SPSA: two values a step, whatever the dimension, with gains that fall so that noise averages out."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from arrayopt.backend import Array, to_numpy
from arrayopt.core.options import Count, Positive, Tolerance
from arrayopt.core.population import Population
from arrayopt.errors import OptionError
from arrayopt.sampling.directions import Kind
from arrayopt.sampling.evolution import EvolutionState, EvolutionStrategy
from arrayopt.sampling.zeroth_order import ZerothOrder


@dataclass(frozen=True)
class Gain:
    r"""A gain that falls, :math:`c / (A + k)^\gamma` at step k = 1, 2, ...; a schedule."""

    scale: float
    exponent: float
    offset: float = 0.0

    def __call__(self, k: int) -> float:
        """Return the gain at step k."""
        return float(self.scale / (self.offset + k) ** self.exponent)


@final
@dataclass(frozen=True, kw_only=True)
class SPSA(Population):
    r"""Simultaneous perturbation stochastic approximation.

    .. math::

        \hat g_k &= \frac{f(x_k + c_k u_k) - f(x_k - c_k u_k)}{2 c_k} u_k, \qquad u_k \in \{-1, 1\}^d \\
        x_{k+1} &= x_k - a_k \hat g_k, \qquad a_k = \frac{a}{(A + k)^\alpha}, \quad c_k = \frac{c}{k^\gamma}

    with k from 1.

    Parameters
    ----------
    a : float
        Scale of the steps, > 0; `spsa_gain` chooses one.
    c : float
        Scale of the perturbations, > 0: about the standard deviation of the noise in f.
    A : float
        Steps for which the gain is held back, >= 0: about a tenth of those there will be.
    alpha, gamma : float
        Exponents, > 0. 1 and 1/6 are best in the limit; these are the lowest for which convergence is proved.
    n : int
        Directions that are averaged, at least 1.
    directions : {"rademacher", "gaussian", "sphere", "orthogonal"}
        "rademacher" is Spall's; he divides by the components of u, which is the same for -1 and 1. Gaussian ones make
        it MeZO's, which multiplies by them.
    centre : bool
        Whether x is evaluated, too: a third value, which tells how good the run is.

    Notes
    -----
    It is an `EvolutionStrategy` with the gains for schedules and values as they are.

    `minimize` returns the point with the best value it has seen, which under noise is the luckiest. What converges is
    the x of the state: with noise run `init`, `ask` and `tell` and take that.

    References
    ----------
    Spall, Multivariate stochastic approximation using a simultaneous perturbation gradient approximation (1992);
    Implementation of the simultaneous perturbation algorithm for stochastic optimization (1998), for the gains.

    Examples
    --------
    >>> from arrayopt import minimize
    >>> result = minimize(lambda x: (x**2).sum(), [1.0, -2.0], method="spsa", options={"a": 1.0, "c": 0.01})
    >>> bool(result.fun < 1e-6)
    True
    """

    a: Positive = 0.1
    c: Positive = 0.1
    A: Tolerance = 100.0
    alpha: Positive = 0.602
    gamma: Positive = 0.101
    n: Count = 1
    directions: Kind = "rademacher"
    centre: bool = True

    def init(self, x0: Array, seed: int = 0) -> EvolutionState:
        """Return the state of runs that start at x0, shape (..., d)."""
        return self.strategy.init(x0, seed)

    def ask(self, state: EvolutionState) -> Array:
        """Return x + c u, x - c u and x."""
        return self.strategy.ask(state)

    def tell(self, state: EvolutionState, x: Array, f: Array) -> EvolutionState:
        """Take a step."""
        return self.strategy.tell(state, x, f)

    @functools.cached_property
    def strategy(self) -> EvolutionStrategy:
        """The evolution strategy that it is."""
        return EvolutionStrategy(
            sigma=Gain(self.c, self.gamma),
            lr=Gain(self.a, self.alpha, self.A),
            n=self.n,
            directions=self.directions,
            shaping="none",
            centre=self.centre,
        )


def spsa_gain(
    fun: Callable[..., Any],
    x0: Any,
    step: float,
    *,
    c: float = 0.1,
    A: float = 100.0,
    alpha: float = 0.602,
    n: int = 10,
    seed: int = 0,
    vectorized: bool = False,
    workers: Any = None,
) -> float:
    r"""Choose SPSA's a so that the components of the first steps have the size `step`, in the mean.

    .. math:: a = \text{step} \cdot (A + 1)^\alpha \Big/
              \frac1n \sum_i \left|\frac{f(x_0 + c u_i) - f(x_0 - c u_i)}{2 c}\right|

    Parameters
    ----------
    fun, x0, vectorized, workers
        As for `ZerothOrder`.
    step : float
        > 0, in units of x.
    c, A, alpha
        As for `SPSA`.
    n : int
        Directions that are tried; twice as many evaluations.
    seed : int
        In [0, 2^64).

    Raises
    ------
    OptionError
        If fun does not vary by a finite amount around x0.

    References
    ----------
    Spall, Implementation of the simultaneous perturbation algorithm for stochastic optimization (1998), section III.B.
    """
    oracle = ZerothOrder(fun, sigma=c, seed=seed, vectorized=vectorized, workers=workers, n=1, directions="rademacher")
    sizes = [np.max(np.abs(to_numpy(oracle.vector(x0, t)))) for t in range(n)]
    mean = float(np.mean(sizes))
    if not 0 < mean < math.inf:
        raise OptionError(
            f"spsa_gain: fun varies by {mean:g} around x0, expected a finite number > 0; choose another c"
        )
    return float(step * (A + 1) ** alpha / mean)
