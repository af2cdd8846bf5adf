"""Consensus-based optimisation: particles drift to a weighted mean of them all, with noise that dies out there."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

from array_api_compat import device

from arrayopt.backend import Array, namespace
from arrayopt.core.method import Status, Stop
from arrayopt.core.options import Count, Positive, Tolerance
from arrayopt.core.population import Population, check_start
from arrayopt.errors import OptionError
from arrayopt.sampling.directions import directions_at, run_seed
from arrayopt.sampling.importance import tempered_weights, weighted_mean
from arrayopt.sampling.selecting import best_so_far


class ConsensusState(NamedTuple):
    """The state of runs.

    Attributes
    ----------
    t, seed : int
        Generations so far, and the seed of the first run.
    x : array, shape (..., n, d)
        The particles.
    consensus : array, shape (..., d)
        Their weighted mean at the last generation; x0 at the start.
    best_x, best_f : array, shapes (..., d) and (...)
        The best point so far and its value.
    """

    t: int
    seed: int
    x: Array
    consensus: Array
    best_x: Array
    best_f: Array


def consensus_point(x: Array, f: Array, alpha: float) -> Array:
    r"""Return the weighted mean that particles agree on.

    .. math:: v = \sum_i x_i e^{-f(x_i) / \alpha} \Big/ \sum_i e^{-f(x_i) / \alpha}

    Parameters
    ----------
    x : array, shape (..., n, d)
    f : array, shape (..., n)
    alpha : float
        The temperature, > 0; 1 / alpha is the alpha, or beta, of the literature on it.

    Notes
    -----
    It is :math:`\theta` plus the self-normalised mean of the steps :math:`x_i - \theta`, with equal densities q.

    Examples
    --------
    >>> import numpy as np
    >>> consensus_point(np.array([[0.0], [1.0], [5.0]]), np.array([0.0, 0.0, np.inf]), alpha=1.0)
    array([0.5])
    """
    return weighted_mean(tempered_weights(f, alpha).weights, x)


@final
@dataclass(frozen=True, kw_only=True)
class Consensus(Population):
    r"""Consensus-based optimisation, in steps of Euler and Maruyama.

    .. math:: \mathrm{d}x_i = -\lambda (x_i - v)\, \mathrm{d}t + \sigma D(x_i - v)\, \mathrm{d}W_i

    Parameters
    ----------
    n : int
        Particles, at least 1.
    alpha : float
        The temperature of the consensus point v, > 0.
    drift : float
        :math:`\lambda > 0`; with `dt` it must contract: :math:`\lambda\, \mathrm{d}t < 2`.
    diffusion : float
        :math:`\sigma \ge 0`.
    noise : {"anisotropic", "isotropic"}
        D. "anisotropic": :math:`\operatorname{diag}(x_i - v)`; contracts, in the mean square, for
        :math:`2 \lambda > \sigma^2`, in any dimension (Carrillo and others). "isotropic": :math:`\|x_i - v\| I`, which
        needs :math:`2 \lambda > d \sigma^2` (Pinnau and others).
    dt : float
        The time step, > 0.
    spread : float
        Standard deviation of the first particles around x0, > 0.
    tolx : float
        The run ends when no component of a particle is farther from the consensus, >= 0.

    Notes
    -----
    In discrete time the mean square of x - v, for v at rest, changes each step by the factor
    :math:`(1 - \lambda\, \mathrm{d}t)^2 + \sigma^2 \mathrm{d}t`, with :math:`d \sigma^2` for "isotropic". A generation
    without a finite value leaves the particles where they are.

    References
    ----------
    Pinnau, Totzeck, Tse and Martin, A consensus-based model for global optimization, 2017; Carrillo, Jin, Li and Zhu, A
    consensus-based global optimization method for high dimensional machine learning problems, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import minimize
    >>> def rastrigin(x):
    ...     return (x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum(axis=-1)
    >>> result = minimize(rastrigin, [2.5, -3.1], method="consensus", options={"n": 200, "spread": 3.0, "alpha": 0.01,
    ...                   "diffusion": 1.2, "vectorized": True})
    >>> float(result.fun) < 1e-3
    True
    """

    n: Count = 100
    alpha: Positive = 1.0
    drift: Positive = 1.0
    diffusion: Tolerance = 1.0
    noise: Literal["anisotropic", "isotropic"] = "anisotropic"
    dt: Positive = 0.1
    spread: Positive = 1.0
    tolx: Tolerance = 1e-8

    def __post_init__(self) -> None:
        """Check that the drift contracts."""
        super().__post_init__()
        if not self.drift * self.dt < 2:
            raise OptionError(
                f"Consensus: drift * dt must be < 2, or particles overshoot the consensus ever farther, "
                f"got {self.drift * self.dt:g}; lower dt"
            )

    def init(self, x0: Array, seed: int = 0) -> ConsensusState:
        """Return the state of runs whose particles start around x0, shape (..., d)."""
        check_start(x0)
        xp, seed = namespace(x0), run_seed(seed, 0)
        nothing = xp.full(tuple(x0.shape[:-1]), math.inf, dtype=x0.dtype, device=device(x0))
        x = x0[..., None, :] + self.spread * directions_at(x0, self.n, "gaussian", seed, 0)
        return ConsensusState(0, seed, x, x0, x0, nothing)

    def ask(self, state: ConsensusState) -> Array:
        """Return the particles."""
        return state.x

    def tell(self, state: ConsensusState, x: Array, f: Array) -> ConsensusState:
        """Let the particles drift and spread."""
        xp, t = namespace(x, f), state.t + 1
        best_x, best_f = best_so_far(x, f, state.best_x, state.best_f)
        weights = tempered_weights(f, self.alpha)
        some = (weights.ess > 0)[..., None]
        v = weighted_mean(weights.weights, x)
        off = x - v[..., None, :]
        size = off if self.noise == "anisotropic" else xp.sqrt(xp.sum(off * off, axis=-1, keepdims=True))
        z = directions_at(v, self.n, "gaussian", state.seed, t)
        moved = x - (self.drift * self.dt) * off + (self.diffusion * math.sqrt(self.dt)) * size * z
        moved, v = xp.where(some[..., None], moved, x), xp.where(some, v, state.consensus)
        return ConsensusState(t, state.seed, moved, v, best_x, best_f)

    def stopped(self, state: ConsensusState) -> Stop | None:
        """Return that all particles have met, once they have."""
        xp = namespace(state.x)
        if state.t and bool(xp.all(xp.abs(state.x - state.consensus[..., None, :]) <= self.tolx)):
            return Stop(Status.CONVERGED, f"No particle is farther from the consensus than tolx = {self.tolx:g}.")
        return None
