"""xNES: natural evolution strategy with a full covariance matrix in exponential coordinates."""

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Positive
from arrayopt.errors import OptionError
from arrayopt.sampling.gaussian_search import GaussianSearch, SearchState, by_rank
from arrayopt.sampling.shaping import utilities


class Model(NamedTuple):
    """The distribution of xNES; axes in front are independent runs.

    Attributes
    ----------
    sigma : array, shape (..., 1)
    B : array, shape (..., n, n)
        The factor of the covariance matrix sigma^2 B B'; its determinant stays 1.
    """

    sigma: Array
    B: Array


@functools.cache
def weights(popsize: int) -> np.ndarray:
    """Return the weights of natural evolution strategies, from the best point on; they sum to 0."""
    return utilities(popsize)


@final
@dataclass(frozen=True, kw_only=True)
class XNES(GaussianSearch):
    r"""xNES: the natural gradient of expected utility, in coordinates in which the step is a matrix exponential.

    .. math::

        x_i &= m + \sigma B s_i, \quad s_i \sim N(0, I) \\
        G_\delta &= \sum_i u_i s_{i:\lambda}, \quad
        G_M = \sum_i u_i (s_{i:\lambda} s_{i:\lambda}' - I), \quad
        G_\sigma = \operatorname{tr}(G_M) / n, \quad G_B = G_M - G_\sigma I \\
        m &\leftarrow m + \eta_m \sigma B G_\delta, \quad
        \sigma \leftarrow \sigma e^{\eta_\sigma G_\sigma / 2}, \quad B \leftarrow B e^{\eta_B G_B / 2}

    with the utilities u of `utilities`.

    Parameters
    ----------
    sigma, popsize, tolfun, tolfunhist, tolx, tolstagnation, tolxstagnation, tolfacupx, tolupsigma, tolconditioncov
        See `GaussianSearch`, as for `tolflatfitness`.
    eta_mean : float
        :math:`\eta_m > 0`.
    eta_sigma, eta_B : float, optional
        :math:`(9 + 3 \ln n) / (5 n \sqrt n)` by default.

    Notes
    -----
    Invertible linear maps of space change nothing, if start and B are mapped along.

    References
    ----------
    Glasmachers and others, Exponential natural evolution strategies, GECCO 2010; Wierstra and others, Natural evolution
    strategies, JMLR 15 (2014), algorithm 5.

    Examples
    --------
    >>> method = XNES(sigma=1.0)
    >>> state = method.init(np.ones(3), seed=3)
    >>> while not method.stopped(state):
    ...     x = method.ask(state)
    ...     state = method.tell(state, x, (x**2).sum(axis=-1))
    >>> bool(state.best_f < 1e-10)
    True
    """

    eta_mean: Positive = 1.0
    eta_sigma: float | None = None
    eta_B: float | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        for name in ("eta_sigma", "eta_B"):
            if getattr(self, name) is not None:
                check_positive(self, name)

    def started(self, xp: Namespace, x0: Array) -> Model:
        """B = I."""
        n, where = int(x0.shape[-1]), device(x0)
        eye = xp.broadcast_to(xp.eye(n, dtype=x0.dtype, device=where), (*x0.shape, n))
        return Model(xp.full((*x0.shape[:-1], 1), self.sigma, dtype=x0.dtype, device=where), eye)

    def displaced(self, xp: Namespace, model: Model, z: Array) -> Array:
        """Return sigma B z."""
        return (z * model.sigma[..., None]) @ model.B.mT

    def adapted(self, xp: Namespace, state: SearchState, d: Array, ranks: np.ndarray) -> tuple[Array, Model]:
        """Glasmachers and others, algorithm 1."""
        sigma, B = state.model
        n = int(d.shape[-1])
        rate = (9 + 3 * math.log(n)) / (5 * n * math.sqrt(n))
        eta_sigma, eta_B = (rate if x is None else x for x in (self.eta_sigma, self.eta_B))
        (u,) = by_rank((weights(int(d.shape[-2])),), ranks, d)
        s = xp.linalg.solve(B, d.mT).mT / sigma[..., None]
        g = (u[..., None, :] @ s)[..., 0, :]
        eye = xp.eye(n, dtype=d.dtype, device=device(d))
        G = (s * u[..., None]).mT @ s  # less sum(u) I, which is 0
        trace = xp.sum(xp.linalg.diagonal(G), axis=-1)[..., None] / n
        shape = (G + G.mT) / 2 - trace[..., None] * eye
        mean = state.mean + (self.eta_mean * sigma) * (B @ g[..., :, None])[..., 0]
        values, V = xp.linalg.eigh(shape)
        B = B @ ((V * xp.exp((0.5 * eta_B) * values)[..., None, :]) @ V.mT)
        return mean, Model(sigma * xp.exp((0.5 * eta_sigma) * trace), B)

    def shaped(self, xp: Namespace, model: Model, t: int) -> Any:
        """Return standard deviations; there is no path, and singular values are not computed."""
        root = xp.sqrt(xp.sum(model.B * model.B, axis=-1))
        return model.sigma * root, model.sigma / xp.max(root, axis=-1, keepdims=True), None, None, None


def check_positive(method: Any, name: str) -> None:
    """Check a rate that may be None, and keep it as a float."""
    value = getattr(method, name)
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < math.inf:
        raise OptionError(f"{type(method).__name__}: {name} must be a number > 0 or None, got {value!r}")
    object.__setattr__(method, name, float(value))
