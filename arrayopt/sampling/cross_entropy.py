"""The cross-entropy method: a Gaussian is fitted to the best part of its own samples."""

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple, final

from array_api_compat import device

from arrayopt.backend import Array, namespace
from arrayopt.core.method import Status, Stop
from arrayopt.core.options import JUST_ABOVE_ONE, JUST_ABOVE_ZERO, Interval, Least, Positive, Tolerance
from arrayopt.core.population import Population, check_start
from arrayopt.errors import OptionError
from arrayopt.sampling.directions import directions_at, run_seed
from arrayopt.sampling.importance import weighted_mean
from arrayopt.sampling.recombination import rank_weights
from arrayopt.sampling.selecting import best_so_far

PartOrAll = Annotated[float, Interval(JUST_ABOVE_ZERO, JUST_ABOVE_ONE)]
"""A constant in (0, 1]."""


class SearchState(NamedTuple):
    """The state of runs that sample around a mean.

    Attributes
    ----------
    t, seed : int
        Generations so far, and the seed of the first run.
    mean, sigma : array, shape (..., d)
        Of the Gaussian that is sampled.
    best_x, best_f : array, shapes (..., d) and (...)
        The best point so far and its value.
    """

    t: int
    seed: int
    mean: Array
    sigma: Array
    best_x: Array
    best_f: Array


def begun(x0: Array, seed: int, sigma: float) -> SearchState:
    """Return the state of runs that start at x0, shape (..., d)."""
    check_start(x0)
    xp = namespace(x0)
    nothing = xp.full(tuple(x0.shape[:-1]), math.inf, dtype=x0.dtype, device=device(x0))
    return SearchState(0, run_seed(seed, 0), x0, xp.full_like(x0, sigma), x0, nothing)


@final
@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Population):
    r"""The cross-entropy method with independent components.

    .. math::

        x_i = m + s \odot z_i, \qquad m \leftarrow (1 - a) m + a \bar x_E, \qquad
        s^2 \leftarrow (1 - b) s^2 + b \Big(\tfrac{1}{N_E} \sum_{i \in E} (x_i - \bar x_E)^2 + \nu\Big)

    E are the elite, the best :math:`N_E` of n: weights of :math:`1 / N_E` on a quantile in place of exponentials.

    Parameters
    ----------
    n : int
        Points a generation, at least 2.
    elite : float
        :math:`N_E / n` in (0, 1]; rounded up to whole points, at least one.
    sigma : float
        Standard deviation at the start, of every component, > 0.
    smoothing : float
        a in (0, 1]: 1 takes the mean of the elite.
    smoothing_sigma : float
        b in (0, 1], of the variances.
    noise : float
        :math:`\nu \ge 0`, added to the variances of the elite against too early an end (Szita and Lőrincz).
    tolx : float
        The run ends when no standard deviation is greater, >= 0.

    Notes
    -----
    Only ranks matter: a strictly increasing function of the objective changes nothing. In each step of the exact
    method, the Kullback-Leibler divergence from the distribution of the elite to the Gaussian falls to its least.
    A generation without a value below +inf changes nothing.

    References
    ----------
    Rubinstein, The cross-entropy method for combinatorial and continuous optimization, 1999; Szita and Lőrincz,
    Learning Tetris using the noisy cross-entropy method, 2006 (noise).

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import minimize
    >>> def cone(x):
    ...     return np.abs(x - 3).sum(axis=-1)
    >>> result = minimize(cone, np.zeros(3), method="cross_entropy", options={"sigma": 3.0, "vectorized": True})
    >>> result.x.round(4), result.status.name
    (array([3., 3., 3.]), 'CONVERGED')
    """

    n: Annotated[int, Least(2)] = 50
    elite: PartOrAll = 0.2
    sigma: Positive = 1.0
    smoothing: PartOrAll = 1.0
    smoothing_sigma: PartOrAll = 1.0
    noise: Tolerance = 0.0
    tolx: Tolerance = 1e-8

    def __post_init__(self) -> None:
        """Check what goes together."""
        super().__post_init__()
        if self.elites < 2 and self.noise == 0 and self.smoothing_sigma == 1:
            raise OptionError(
                f"CrossEntropy: elite must make at least 2 of n points, got {self.elite} of {self.n}: the deviation of "
                "one is 0; raise elite or n, or set noise or smoothing_sigma"
            )

    @property
    def elites(self) -> int:
        """How many points are the elite."""
        return max(1, math.ceil(self.elite * self.n - 1e-9))

    def init(self, x0: Array, seed: int = 0) -> SearchState:
        """Return the state of runs that start at x0, shape (..., d)."""
        return begun(x0, seed, self.sigma)

    def ask(self, state: SearchState) -> Array:
        """Return samples of the Gaussian."""
        z = directions_at(state.mean, self.n, "gaussian", state.seed, state.t)
        return state.mean[..., None, :] + state.sigma[..., None, :] * z

    def tell(self, state: SearchState, x: Array, f: Array) -> SearchState:
        """Fit the Gaussian to the elite."""
        xp = namespace(x, f)
        best_x, best_f = best_so_far(x, f, state.best_x, state.best_f)
        w = rank_weights(f, self.elites, "equal").weights
        centre = weighted_mean(w, x)
        off = x - centre[..., None, :]
        variance = weighted_mean(w, off * off) + self.noise
        some = xp.any(w > 0, axis=-1)[..., None]
        a, b = self.smoothing, self.smoothing_sigma
        mean = (1 - a) * state.mean + a * centre
        sigma = xp.sqrt((1 - b) * state.sigma * state.sigma + b * variance)
        return SearchState(
            state.t + 1, state.seed,
            xp.where(some, mean, state.mean), xp.where(some, sigma, state.sigma), best_x, best_f,
        )  # fmt: skip

    def stopped(self, state: SearchState) -> Stop | None:
        """Return that all runs have contracted, once they have."""
        if bool(namespace(state.sigma).all(state.sigma <= self.tolx)):
            return Stop(Status.CONVERGED, f"No standard deviation is above tolx = {self.tolx:g}.")
        return None
