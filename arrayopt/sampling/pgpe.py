"""PGPE: policy gradients by the parameters of the distribution from which parameters are drawn."""

from dataclasses import dataclass
from typing import Any, final

from arrayopt.backend import Array, fetch, namespace
from arrayopt.core.method import Status, Stop
from arrayopt.core.options import Count, Positive, Rate, Share, Tolerance
from arrayopt.core.population import Population
from arrayopt.core.schedules import at
from arrayopt.sampling.directions import directions_at
from arrayopt.sampling.evolution import EvolutionState, check_optimizer, started, stepped, with_centre
from arrayopt.sampling.selecting import best_so_far
from arrayopt.sampling.shaping import Shaping, shape_values
from arrayopt.sampling.smoothing import Baseline, above_baseline, antithetic_gradient, mean_along


@final
@dataclass(frozen=True, kw_only=True)
class PGPE(Population):
    r"""Policy gradients with parameter-based exploration: the gradient by the mean and by the deviations of a Gaussian.

    .. math::

        \nabla_\mu E f &= E\left[\frac{f_+ - f_-}{2} \frac{u}{\sigma}\right], \qquad
        \nabla_\sigma E f = E\left[\left(\frac{f_+ + f_-}{2} - b\right) \frac{u^2 - 1}{\sigma}\right], \qquad
        f_\pm = f(\mu \pm \sigma u) \\
        \mu &\leftarrow \mu - \eta_\mu \sigma^2 \nabla_\mu E f, \qquad
        \sigma \leftarrow \sigma - \eta_\sigma \sigma^2 \nabla_\sigma E f

    Parameters
    ----------
    n : int
        Pairs of points, at least 1.
    sigma : float
        The deviation at the start, of every component, > 0.
    lr : float or schedule
        :math:`\eta_\mu \ge 0`, in units of :math:`\sigma^2`. Not used with `optimizer`.
    lr_sigma : float or schedule
        :math:`\eta_\sigma \ge 0`; with 0 it is an `EvolutionStrategy` whose rate is :math:`\eta_\mu \sigma^2`.
    limit : float
        The largest change of a deviation in a generation, as a share of it, in (0, 1): so they stay positive.
    baseline : {"none", "mean", "optimal", "leave_one_out"}
        b, see `above_baseline`.
    shaping, optimizer, centre
        See `EvolutionStrategy`; the optimizer steps the mean, and is given the gradient without the factor
        :math:`\sigma^2`.
    tolx : float
        The run ends when no deviation is greater, >= 0.

    References
    ----------
    Sehnke and others, Parameter-exploring policy gradients, Neural Networks 23 (2010), equations 11, 12, 18 and 19:
    the rates are in proportion to :math:`\sigma^2`, sampling is symmetric. Its baseline for sigma is a running mean;
    here it is of the generation.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import minimize
    >>> def ellipsoid(x):
    ...     return (np.array([1.0, 100.0]) * x**2).sum(axis=-1)
    >>> result = minimize(ellipsoid, [1.0, 1.0], method="pgpe", options={"vectorized": True, "maxiter": 300})
    >>> bool(result.fun < 1e-6)
    True
    """

    n: Count = 20
    sigma: Positive = 0.1
    lr: Rate = 1.0
    lr_sigma: Rate = 0.3
    limit: Share = 0.2
    baseline: Baseline = "mean"
    shaping: Shaping = "centred"
    optimizer: Any = None
    centre: bool = True
    tolx: Tolerance = 1e-10

    def __post_init__(self) -> None:
        """Check what takes the steps."""
        super().__post_init__()
        check_optimizer(type(self).__name__, self.optimizer)

    def init(self, x0: Array, seed: int = 0) -> EvolutionState:
        """Return the state of runs that start at x0, shape (..., d)."""
        return started(x0, seed, self.sigma, self.optimizer)

    def ask(self, state: EvolutionState) -> Array:
        """Return the points on either side of the mean, with the mean as the last."""
        moved, mean = state.sigma[..., None, :] * self._directions(state), state.x[..., None, :]
        points = namespace(moved).concat([mean + moved, mean - moved], axis=-2)
        return with_centre(points, state.x) if self.centre else points

    def tell(self, state: EvolutionState, x: Array, f: Array) -> EvolutionState:
        """Take the steps of the mean and of the deviations."""
        t, sigma, xp = state.t + 1, state.sigma, namespace(x, f)
        best_x, best_f = best_so_far(x, f, state.best_x, state.best_f)
        shaped = shape_values(f[..., : 2 * self.n], self.shaping)
        by_mean, by_sigma = pgpe_gradients(
            shaped[..., : self.n], shaped[..., self.n :], self._directions(state), sigma, self.baseline
        )
        if self.optimizer is None:
            by_mean = sigma * sigma * by_mean
        mean, inner = stepped(self.optimizer, at(self.lr, t), by_mean, state.inner, state.x)
        change = at(self.lr_sigma, t) * sigma * sigma * by_sigma
        most = self.limit * sigma
        sigma = sigma - xp.minimum(xp.maximum(change, -most), most)
        return EvolutionState(t, state.seed, mean, sigma, inner, best_x, best_f)

    def stopped(self, state: EvolutionState) -> Stop | None:
        """Return CONVERGED once every deviation of every run is within `tolx`."""
        xp = namespace(state.sigma)
        if fetch(xp, xp.max(state.sigma))[0] > self.tolx:
            return None
        return Stop(Status.CONVERGED, f"The deviations are within tolx = {self.tolx:g}.")

    def _directions(self, state: EvolutionState) -> Array:
        return directions_at(state.x, self.n, "gaussian", state.seed, state.t)


def pgpe_gradients(
    above: Array, below: Array, u: Array, sigma: Array, baseline: Baseline = "none"
) -> tuple[Array, Array]:
    """Estimate the gradients of E f(mu + sigma u) by mu and by sigma; see `PGPE`.

    Parameters
    ----------
    above, below : array, shape (..., n)
        Values at mu + sigma u and mu - sigma u.
    u : array, shape (..., n, d)
        Standard normal.
    sigma : array, shape (..., d)
    baseline : {"none", "mean", "optimal", "leave_one_out"}
        Of the second, see `above_baseline`.

    Returns
    -------
    two arrays, shape (..., d)
    """
    score = u * u - 1.0
    over = above_baseline((above + below) / 2, baseline, score)
    return antithetic_gradient(above, below, u, sigma), mean_along(over, score) / sigma
