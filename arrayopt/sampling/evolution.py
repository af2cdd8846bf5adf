"""Evolution strategies as policy gradients: the policy draws parameters, its reward is the objective."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, final

from array_api_compat import device

from arrayopt.backend import Array, namespace
from arrayopt.core.options import NonNegative, Rate
from arrayopt.core.population import Population, check_start
from arrayopt.core.schedules import at
from arrayopt.errors import OptionError
from arrayopt.sampling.directions import directions_at, run_seed
from arrayopt.sampling.selecting import best_so_far
from arrayopt.sampling.shaping import Shaping
from arrayopt.sampling.smoothing import Smoothing


class EvolutionState(NamedTuple):
    """The state of runs.

    Attributes
    ----------
    t : int
        Generations so far.
    seed : int
        Of the first run; see `run_seed` for the others.
    x : array, shape (..., d)
        Where the populations are centred.
    sigma : array, shape (..., d)
        PGPE's standard deviations; of an evolution strategy those of generation t.
    inner : tuple
        The states of the optimizer that takes the steps, one for each run.
    best_x, best_f : array, shapes (..., d) and (...)
        The best point that was evaluated, and its value.
    """

    t: int
    seed: int
    x: Array
    sigma: Array
    inner: tuple[Any, ...]
    best_x: Array
    best_f: Array


@final
@dataclass(frozen=True, kw_only=True)
class EvolutionStrategy(Smoothing, Population):
    r"""An evolution strategy: descent on the smoothed function, whose gradient comes from a population's values.

    .. math:: x \leftarrow x - \eta \, \hat g, \qquad \hat g \approx \nabla E f(x + \sigma u)

    Parameters
    ----------
    sigma : float or schedule
        How far the population is spread, > 0. It does not adapt: the run comes no nearer to an optimum than that,
        unless a schedule lets it fall.
    lr : float or schedule
        :math:`\eta \ge 0`. With ranks for values a step is of the order of :math:`\eta / \sigma`, so that
        :math:`\sigma^2` is a natural size for it. Not used with `optimizer`.
    optimizer : Optimizer, optional
        What takes the steps instead, such as `Adam`: anything with `init` and `update`. Each run has a state of its
        own.
    centre : bool
        Whether x itself is evaluated with the population, as its last point: one value more, which tells how good the
        run is. It has no part in the estimate. With ``form="forward"`` it is evaluated in any case.
    n, directions, form, baseline, shaping, top
        See `Smoothing`.

    Notes
    -----
    With ``form="antithetic"``, ``shaping="centred"`` and Adam it is that of OpenAI; with ``shaping="standard"`` and
    `top` augmented random search, whose step size alpha is :math:`\eta / (2 \sigma)`. A generation in which no value is
    finite estimates 0.

    References
    ----------
    Salimans and others, Evolution strategies as a scalable alternative to reinforcement learning, arXiv 1703.03864,
    algorithm 1; Mania, Guy and Recht, Simple random search provides a competitive approach to reinforcement learning,
    arXiv 1803.07055.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.core.population import values
    >>> method = EvolutionStrategy(sigma=0.1, lr=0.01, n=20)
    >>> state = method.init(np.array([2.0, -1.0]), seed=0)
    >>> for _ in range(200):
    ...     x = method.ask(state)
    ...     state = method.tell(state, x, values(lambda x: (x**2).sum(axis=-1), x))
    >>> bool(state.best_f < 1e-3)
    True
    """

    sigma: NonNegative = 0.1
    lr: Rate = 0.01
    shaping: Shaping = "centred"
    optimizer: Any = None
    centre: bool = True

    def __post_init__(self) -> None:
        """Check what takes the steps."""
        super().__post_init__()
        check_optimizer(type(self).__name__, self.optimizer)

    def init(self, x0: Array, seed: int = 0) -> EvolutionState:
        """Return the state of runs that start at x0, shape (..., d)."""
        return started(x0, seed, self.spread(1), self.optimizer)

    def ask(self, state: EvolutionState) -> Array:
        """Return the points around x, with x as the last."""
        u, sigma = self._directions(state), self.spread(state.t + 1)
        points = self.points_around(state.x, u, sigma)
        return with_centre(points, state.x) if self._adds_centre else points

    def tell(self, state: EvolutionState, x: Array, f: Array) -> EvolutionState:
        """Take the step that the values call for."""
        t = state.t + 1
        best_x, best_f = best_so_far(x, f, state.best_x, state.best_f)
        own = f[..., :-1] if self._adds_centre else f
        g = self.estimate(own, self._directions(state), self.spread(t))
        new, inner = stepped(self.optimizer, at(self.lr, t), g, state.inner, state.x)
        sigma = namespace(new).full_like(state.sigma, self.spread(t + 1))
        return EvolutionState(t, state.seed, new, sigma, inner, best_x, best_f)

    def spread(self, t: int) -> float:
        """Return sigma at generation t, from 1."""
        sigma = at(self.sigma, t)
        if not (math.isfinite(sigma) and sigma > 0):
            raise OptionError(f"{type(self).__name__}: sigma must be a finite number > 0, got {sigma!r} at t = {t}")
        return sigma

    @property
    def _adds_centre(self) -> bool:
        return self.centre and self.form != "forward"

    def _directions(self, state: EvolutionState) -> Array:
        return directions_at(state.x, self.n, self.directions, state.seed, state.t)


def started(x0: Array, seed: int, sigma: float, optimizer: Any) -> EvolutionState:
    """Return the state of runs before their first generation."""
    check_start(x0)
    xp, runs = namespace(x0), tuple(x0.shape[:-1])
    nothing = xp.full(runs, math.inf, dtype=x0.dtype, device=device(x0))
    seed = run_seed(seed, 0)
    inner = () if optimizer is None else tuple(optimizer.init(x) for x in each_run(x0))
    return EvolutionState(0, seed, x0, xp.full_like(x0, sigma), inner, x0, nothing)


def stepped(optimizer: Any, lr: float, g: Array, inner: tuple[Any, ...], x: Array) -> tuple[Array, tuple[Any, ...]]:
    """Return x after a step against g, and the new states of the optimizer, if there is one."""
    if optimizer is None:
        return x - lr * g, ()
    runs = zip(each_run(g), inner, each_run(x), strict=True)
    new, states = zip(*(optimizer.update(g, state, x) for g, state, x in runs), strict=True)
    return namespace(x).reshape(namespace(x).stack(new), x.shape), states


def each_run(x: Array) -> list[Array]:
    """Return the rows of x, shape (..., d)."""
    flat = namespace(x).reshape(x, (-1, x.shape[-1]))
    return [flat[r, :] for r in range(flat.shape[0])]


def with_centre(points: Array, x: Array) -> Array:
    """Return points, shape (..., n, d), with x, shape (..., d), as one more."""
    return namespace(points, x).concat([points, x[..., None, :]], axis=-2)


def check_optimizer(owner: str, optimizer: Any) -> None:
    """Raise OptionError unless it is None or has `init` and `update`."""
    if not (optimizer is None or all(callable(getattr(optimizer, name, None)) for name in ("init", "update"))):
        raise OptionError(f"{owner}: optimizer must have init and update, such as Adam(lr=0.01), got {optimizer!r}")
