"""Model predictive path integral: a mean is moved to the exponentially weighted mean of its own samples."""

from dataclasses import dataclass
from typing import Annotated, final

from arrayopt.backend import Array, namespace
from arrayopt.core.options import JUST_ABOVE_ZERO, Count, Interval, NonNegative
from arrayopt.core.population import Population
from arrayopt.core.schedules import Number, at
from arrayopt.errors import OptionError
from arrayopt.sampling.cross_entropy import SearchState, begun
from arrayopt.sampling.directions import directions_at
from arrayopt.sampling.importance import Weights, tempered_weights, weighted_mean
from arrayopt.sampling.selecting import best_so_far

AboveZero = Annotated[Number, Interval(JUST_ABOVE_ZERO)]
"""A number > 0, or a schedule of such."""


@final
@dataclass(frozen=True, kw_only=True)
class MPPI(Population):
    r"""Model predictive path integral control, for any objective of a vector u of controls.

    .. math::

        u_i = m + \sigma \epsilon_i, \qquad
        w_i \propto \exp\left(-\tfrac{1}{\lambda} \left[f(u_i) + \gamma\, m' \Sigma^{-1} (u_i - m)\right]\right), \qquad
        m \leftarrow m + \sum_i w_i (u_i - m)

    Parameters
    ----------
    n : int
        Samples a generation, at least 1.
    temperature : float or schedule
        :math:`\lambda > 0`, the alpha of the sampling view.
    sigma : float or schedule
        The standard deviation, > 0, the same for every component. It does not adapt.
    control_cost : float
        :math:`\gamma \ge 0`, in units of the objective. 0 samples around the last mean as it is: an implicit prior
        that moves along. :math:`\gamma = \lambda` divides by q in full, for the fixed prior :math:`N(0, \Sigma)`.

    Notes
    -----
    With :math:`\gamma = 0` the weights are `tempered_weights` without q. With :math:`\gamma = \lambda` they are those
    with :math:`p = N(0, \Sigma)` and :math:`q = N(m, \Sigma)`, for
    :math:`\log p / q = -m' \Sigma^{-1} (u - m) - \tfrac12 m' \Sigma^{-1} m`.

    A generation without a finite value changes nothing.

    References
    ----------
    Williams and others, Information theoretic MPC for model-based reinforcement learning, ICRA 2017, algorithm 2; its
    gamma is :math:`\lambda (1 - \alpha)`.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.core.population import values
    >>> method = MPPI(n=64, temperature=0.02, sigma=0.2)
    >>> state = method.init(np.zeros(2), seed=0)
    >>> for _ in range(40):
    ...     x = method.ask(state)
    ...     state = method.tell(state, x, values(lambda x: ((x - 1) ** 2).sum(axis=-1), x))
    >>> state.mean.round(1)
    array([1., 1.])
    """

    n: Count = 64
    temperature: AboveZero = 1.0
    sigma: AboveZero = 0.5
    control_cost: NonNegative = 0.0

    def init(self, x0: Array, seed: int = 0) -> SearchState:
        """Return the state of runs that start at x0, shape (..., d)."""
        return begun(x0, seed, self._at("sigma", 1))

    def ask(self, state: SearchState) -> Array:
        """Return samples around the mean."""
        z = directions_at(state.mean, self.n, "gaussian", state.seed, state.t)
        return state.mean[..., None, :] + state.sigma[..., None, :] * z

    def weights(self, state: SearchState, x: Array, f: Array) -> Weights:
        """Return the weights of samples."""
        xp, t = namespace(x, f), state.t + 1
        cost, temperature = self._at("control_cost", t), self._at("temperature", t)
        if cost == 0:
            return tempered_weights(f, temperature)
        scaled = state.mean / (state.sigma * state.sigma)
        along = xp.sum(scaled[..., None, :] * (x - state.mean[..., None, :]), axis=-1)
        return tempered_weights(f, temperature, log_p=(-cost / temperature) * along)

    def tell(self, state: SearchState, x: Array, f: Array) -> SearchState:
        """Move the mean."""
        xp = namespace(x, f)
        best_x, best_f = best_so_far(x, f, state.best_x, state.best_f)
        moved = weighted_mean(self.weights(state, x, f).weights, x - state.mean[..., None, :])
        sigma = xp.full_like(state.sigma, self._at("sigma", state.t + 2))
        return SearchState(state.t + 1, state.seed, state.mean + moved, sigma, best_x, best_f)

    def _at(self, name: str, t: int) -> float:
        """Return an option at generation t, from 1; what a schedule returns is checked."""
        value = float(at(getattr(self, name), t))
        if not (value > 0 or (value == 0 and name == "control_cost")) or value == float("inf"):
            raise OptionError(f"MPPI at generation {t}: {name} must be a finite number > 0, got {value!r}")
        return value
