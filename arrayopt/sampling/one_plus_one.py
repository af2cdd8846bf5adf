"""The (1+1) evolution strategy with the one-fifth rule: the oldest, and the yardstick on the sphere."""

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, namespace, to_numpy
from arrayopt.core.method import Status, Stop
from arrayopt.core.options import Positive, Tolerance
from arrayopt.core.population import Population
from arrayopt.core.random import normal, stream
from arrayopt.errors import LeafError
from arrayopt.sampling.directions import run_seed
from arrayopt.sampling.xnes import check_positive


class OneState(NamedTuple):
    """Where the runs are; axes in front of those named are independent runs.

    Attributes
    ----------
    t : int
        Generations that have been told, of one point each; the first is x0.
    seed : int
        Of the first run; see `run_seed` for the others.
    sigma : array, shape (..., 1)
    best_x : array, shape (..., n)
        The parent.
    best_f : array, shape (...)
    """

    t: int
    seed: int
    sigma: Array
    best_x: Array
    best_f: Array


@final
@dataclass(frozen=True, kw_only=True)
class OnePlusOne(Population):
    r"""The (1+1) evolution strategy: a child takes the parent's place if it is no worse, and sigma learns from that.

    .. math:: x' = x + \sigma z, \quad z \sim N(0, I), \qquad
              \sigma \leftarrow \sigma \cdot
              \begin{cases} e^{1/d} & f(x') \le f(x) \\ e^{-1/(4d)} & \text{else} \end{cases}

    so that sigma stays where one child in five succeeds.

    Parameters
    ----------
    sigma : float
        > 0, the first standard deviation.
    damping : float, optional
        d > 0, :math:`\sqrt{n + 1}` by default.
    tolx : float
        A run has ended when sigma is below it.

    Notes
    -----
    On the sphere the distance to the optimum falls by a factor of about exp(-0.2 / n) an evaluation. Schwefel's c of
    0.817 to 0.85 is for blocks of n evaluations, judged as one. Spread evenly over them, which is
    d = n / (4 log(1 / c)), it is too slow: sigma cannot follow the distance. A child whose value is NaN fails.

    References
    ----------
    Rechenberg, Evolutionsstrategie, 1973; Schwefel, Numerical optimization of computer models, 1981, section 5.1;
    Hansen, Arnold and Auger, Evolution strategies, Handbook of computational intelligence, 2015, algorithm 2.

    Examples
    --------
    >>> method = OnePlusOne(sigma=1.0)
    >>> state = method.init(np.array([1.0, -2.0]), seed=0)
    >>> while not method.stopped(state):
    ...     x = method.ask(state)
    ...     state = method.tell(state, x, (x**2).sum(axis=-1))
    >>> bool(state.best_f < 1e-18)
    True
    """

    sigma: Positive = 0.5
    damping: float | None = None
    tolx: Tolerance = 1e-11

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.damping is not None:
            check_positive(self, "damping")

    def init(self, x0: Array, seed: int = 0) -> OneState:
        """Return the state of runs that start at `x0`, shape (..., n).

        Raises
        ------
        LeafError
            If `x0` has no axis or no element, is not of real floating point, or is not finite.
        """
        xp = namespace(x0)
        if x0.ndim < 1 or 0 in x0.shape or not xp.isdtype(x0.dtype, "real floating") or not xp.all(xp.isfinite(x0)):
            raise LeafError(f"x0: expected finite real numbers of shape (..., n), got {x0.dtype} of {tuple(x0.shape)}")
        front, where = tuple(x0.shape[:-1]), device(x0)
        sigma = xp.full((*front, 1), self.sigma, dtype=x0.dtype, device=where)
        return OneState(0, run_seed(seed, 0), sigma, x0, xp.full(front, math.inf, dtype=x0.dtype, device=where))

    def ask(self, state: OneState) -> Array:
        """Return the children, shape (..., 1, n); x0 first of all."""
        x = state.best_x
        xp, (*front, n) = namespace(x), x.shape
        if state.t == 0:
            return xp.asarray(x[..., None, :], copy=True)
        runs = range(math.prod(front))
        z = np.stack([normal(run_seed(state.seed, r), state.t, _STREAM, (n,)) for r in runs]).reshape(*front, 1, n)
        return x[..., None, :] + state.sigma[..., None] * xp.asarray(z, dtype=x.dtype, device=device(x))

    def tell(self, state: OneState, x: Array, f: Array) -> OneState:
        """Return the state after the values `f`, shape (..., 1), of the children `x`, shape (..., 1, n)."""
        n = int(state.best_x.shape[-1])
        wanted = (*state.best_x.shape[:-1], 1)
        if tuple(x.shape) != (*wanted, n) or tuple(f.shape) != wanted:
            raise LeafError(f"tell: expected points of shape {(*wanted, n)}, got {tuple(x.shape)} and {tuple(f.shape)}")
        xp = namespace(x)
        better = f <= state.best_f[..., None]
        if state.t > 0:
            d = math.sqrt(n + 1) if self.damping is None else self.damping
            sigma = xp.where(better, math.exp(1 / d) * state.sigma, math.exp(-0.25 / d) * state.sigma)
        else:
            sigma = state.sigma
        best_x = xp.where(better, x[..., 0, :], state.best_x)
        return OneState(state.t + 1, state.seed, sigma, best_x, xp.where(better[..., 0], f[..., 0], state.best_f))

    def stopped(self, state: OneState) -> Stop | None:
        """Return that sigma is below `tolx` in all runs, None while it is not."""
        if to_numpy(state.best_f).min() == -math.inf:
            return Stop(Status.UNBOUNDED, "The objective is -inf.")
        if (to_numpy(state.sigma) < self.tolx).all():
            return Stop(Status.CONVERGED, "tolx: sigma is that small.")
        return None


_STREAM = stream("arrayopt.sampling.OnePlusOne")
