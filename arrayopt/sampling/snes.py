"""SNES: natural evolution strategy with a diagonal covariance matrix."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Positive
from arrayopt.sampling.gaussian_search import GaussianSearch, SearchState, by_rank
from arrayopt.sampling.xnes import check_positive, weights


class Model(NamedTuple):
    """The distribution of SNES: `std`, shape (..., n), are the standard deviations, sigma at the start."""

    std: Array


@final
@dataclass(frozen=True, kw_only=True)
class SNES(GaussianSearch):
    r"""SNES: the natural gradient of expected utility for a Gaussian with independent coordinates, in time O(n).

    .. math:: m \leftarrow m + \eta_m \, \sigma \circ \sum_i u_i s_{i:\lambda}, \qquad
              \sigma \leftarrow \sigma \circ
              \exp\Bigl(\frac{\eta_\sigma}{2} \sum_i u_i (s_{i:\lambda}^2 - 1)\Bigr)

    Parameters
    ----------
    sigma, popsize, tolfun, tolfunhist, tolx, tolstagnation, tolxstagnation, tolfacupx, tolupsigma, tolconditioncov
        See `GaussianSearch`, as for `tolflatfitness`.
    eta_mean : float
        :math:`\eta_m > 0`.
    eta_sigma : float, optional
        :math:`(3 + \ln n) / (5 \sqrt n)` by default.

    References
    ----------
    Schaul, Glasmachers and Schmidhuber, High dimensions and heavy tails for natural evolution strategies, GECCO 2011.

    Examples
    --------
    >>> method = SNES(sigma=1.0)
    >>> state = method.init(np.ones(3), seed=3)
    >>> while not method.stopped(state):
    ...     x = method.ask(state)
    ...     state = method.tell(state, x, (x**2).sum(axis=-1))
    >>> bool(state.best_f < 1e-10)
    True
    """

    eta_mean: Positive = 1.0
    eta_sigma: float | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.eta_sigma is not None:
            check_positive(self, "eta_sigma")

    def started(self, xp: Namespace, x0: Array) -> Model:
        """Sigma everywhere."""
        return Model(xp.full_like(x0, self.sigma))

    def displaced(self, xp: Namespace, model: Model, z: Array) -> Array:
        """Return sigma z."""
        return z * model.std[..., None, :]

    def adapted(self, xp: Namespace, state: SearchState, d: Array, ranks: np.ndarray) -> tuple[Array, Model]:
        """Schaul and others, algorithm 1."""
        (std,), n = state.model, int(d.shape[-1])
        rate = (3 + math.log(n)) / (5 * math.sqrt(n)) if self.eta_sigma is None else self.eta_sigma
        (u,) = by_rank((weights(int(d.shape[-2])),), ranks, d)
        s = d / std[..., None, :]
        u = u[..., None, :]
        mean = state.mean + self.eta_mean * std * (u @ s)[..., 0, :]
        return mean, Model(std * xp.exp((0.5 * rate) * (u @ (s * s))[..., 0, :]))  # sum(u) is 0

    def shaped(self, xp: Namespace, model: Model, t: int) -> Any:
        """Return standard deviations, and their condition."""
        most, least = xp.max(model.std, axis=-1, keepdims=True), xp.min(model.std, axis=-1, keepdims=True)
        sigma = xp.full_like(most, self.sigma)  # all growth is that of the standard deviations
        return model.std, sigma, None, None, (most / least) ** 2
