"""Restarts of a search: with a population that doubles (IPOP), or large and small ones in turn (BIPOP)."""

import functools
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, final

from array_api_compat import device

from arrayopt.backend import Array, fetch, namespace
from arrayopt.core.method import Status, Stop
from arrayopt.core.options import Least, Positive, Tolerance, check_count
from arrayopt.core.population import Population
from arrayopt.core.random import keyed, stream
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling.cmaes import CMAES
from arrayopt.sampling.directions import run_seed
from arrayopt.sampling.gaussian_search import GaussianSearch


class RestartState(NamedTuple):
    """Where a search with restarts is.

    Attributes
    ----------
    t : int
        Generations that have been told.
    seed : int
    x0 : array, shape (n,)
    inner : SearchState
        Of the run that goes on.
    run : int
        Restarts so far.
    doublings : int
        Restarts with a large population so far.
    popsize : int
        Of the run that goes on.
    sigma : float
        With which that has begun.
    small : bool
        It is one with a small population.
    evaluations : int
        Of the run that goes on; `most` of them end it.
    most : int or None
    large_spent, small_spent : int
        Evaluations of the runs that have ended.
    best_x, best_f : array, shape (n,) and ()
        Of all runs.
    """

    t: int
    seed: int
    x0: Array
    inner: Any
    run: int
    doublings: int
    popsize: int
    sigma: float
    small: bool
    evaluations: int
    most: int | None
    large_spent: int
    small_spent: int
    best_x: Array
    best_f: Array


@final
@dataclass(frozen=True, kw_only=True)
class Restarted(Population):
    r"""A search that begins again when it has ended, each time with another population size.

    "ipop" multiplies the population size by `growth` at each restart. "bipop" has two budgets: a restart is a large
    one, as of "ipop", unless small ones have spent fewer evaluations than large ones; a small one has

    .. math:: \lambda_s = \Bigl\lfloor \lambda_0 \Bigl(\frac{\lambda_l}{2 \lambda_0}\Bigr)^{u_1^2} \Bigr\rfloor, \qquad
              \sigma_s = \sigma_0 \, 10^{-2 u_2}

    with uniform u_1 and u_2 in [0, 1) and the population size lambda_l of the last large one, and at most half the
    evaluations of the large ones so far. The first run counts as small.

    Parameters
    ----------
    method : GaussianSearch
        What is restarted; `CMAES` by default.
    scheme : {"ipop", "bipop"}
    restarts : int
        Restarts with a large population, >= 0; after these the search ends as its last run does.
    growth : int
        >= 1.
    spread : float
        Restarts begin at x0 plus uniform numbers in [-spread, spread); 0 begins at x0.
    sigma, popsize
        In place of those of `method`, where given.

    Notes
    -----
    One run only, x0 of shape (n,): runs of a batch would have populations of different sizes. The first run is that of
    `method` with the same seed, bit for bit.

    References
    ----------
    Auger and Hansen, A restart CMA evolution strategy with increasing population size, CEC 2005; Hansen, Benchmarking
    a BI-population CMA-ES on the BBOB-2009 function testbed, GECCO 2009.

    Examples
    --------
    >>> import numpy as np
    >>> method = Restarted(scheme="bipop", restarts=1, sigma=1.0)
    >>> state = method.init(np.array([1.0, -1.0]), seed=0)
    >>> while not method.stopped(state):
    ...     x = method.ask(state)
    ...     state = method.tell(state, x, (x**2).sum(axis=-1))
    >>> state.run, state.doublings, state.popsize
    (1, 1, 12)
    """

    method: GaussianSearch = CMAES()  # noqa: RUF009 (frozen)
    scheme: Literal["ipop", "bipop"] = "ipop"
    restarts: Annotated[int, Least(0)] = 9
    growth: Annotated[int, Least(1)] = 2
    spread: Tolerance = 0.0
    sigma: Positive | None = None
    popsize: int | None = None

    def __post_init__(self) -> None:
        """Check every field, and give the method its own."""
        super().__post_init__()
        if not isinstance(self.method, GaussianSearch):
            raise OptionError(f"Restarted: method must be a search such as CMAES(), got {self.method!r}")
        if getattr(self.method, "constants", None) is not None:
            raise OptionError("Restarted: method: its constants are for one population size; leave them out")
        if self.popsize is not None:
            check_count("Restarted", "popsize", self.popsize, 2)
        own = {name: getattr(self, name) for name in ("sigma", "popsize") if getattr(self, name) is not None}
        if own:
            object.__setattr__(self, "method", self.method.replace(**own))

    def init(self, x0: Array, seed: int = 0) -> RestartState:
        """Return the state of the first run.

        Raises
        ------
        LeafError
            If `x0` is not a finite vector.
        """
        if x0.ndim != 1:
            raise LeafError(f"x0: restarts are for one run, of shape (n,), got the shape {tuple(x0.shape)}")
        inner, method = self.method.init(x0, seed), self.method
        size = method.size(int(x0.shape[0]))
        return RestartState(
            0, inner.seed, x0, inner, 0, 0, size, method.sigma, True, 0, None, 0, 0, inner.best_x, inner.best_f
        )  # fmt: skip

    def ask(self, state: RestartState) -> Array:
        """Return the points of the next generation, shape (popsize, n)."""
        return self._method(state).ask(state.inner)

    def tell(self, state: RestartState, x: Array, f: Array) -> RestartState:
        """Tell the run that goes on; if it ends and may begin again, return the state of the next one."""
        method = self._method(state)
        inner = method.tell(state.inner, x, f)
        best_x, best_f = state.best_x, state.best_f
        new, old = fetch(namespace(x), inner.best_f, best_f)
        if new < old:
            best_x, best_f = inner.best_x, inner.best_f
        state = state._replace(
            t=state.t + 1, inner=inner, evaluations=state.evaluations + state.popsize, best_x=best_x, best_f=best_f
        )
        return self._begun(state) if self._ended(state) and not self._last(state) else state

    def stopped(self, state: RestartState) -> Stop | None:
        """Return how the last run has ended, None while one goes on."""
        return self._ended(state) if self._last(state) else None

    def _method(self, state: RestartState) -> GaussianSearch:
        return _sized(self.method, state.popsize, state.sigma)

    def _ended(self, state: RestartState) -> Stop | None:
        if state.most is not None and state.evaluations >= state.most:
            return Stop(Status.NO_PROGRESS, "The last restart has spent its evaluations.")
        return self._method(state).stopped(state.inner)

    def _last(self, state: RestartState) -> bool:
        if state.best_f == -float("inf"):
            return True
        return state.doublings >= self.restarts

    def _spent(self, state: RestartState) -> tuple[int, int]:
        """Return the evaluations of small and of large runs, with the one that goes on."""
        small, large = state.small_spent, state.large_spent
        return (small + state.evaluations, large) if state.small else (small, large + state.evaluations)

    def _small_next(self, state: RestartState) -> bool:
        small, large = self._spent(state)
        return self.scheme == "bipop" and small < large

    def _begun(self, state: RestartState) -> RestartState:
        run, n = state.run + 1, int(state.x0.shape[0])
        (small, large), is_small = self._spent(state), self._small_next(state)
        rng = keyed(state.seed, run, _stream())
        u, v = rng.random(2).tolist()
        first, sigma, most = self.method.size(n), self.method.sigma, None
        doublings = state.doublings + (0 if is_small else 1)
        ratio = self.growth**doublings
        if is_small:
            size, sigma, most = int(first * max(ratio / 2, 1.0) ** (u * u)), sigma * 10 ** (-2 * v), large // 2
        else:
            size = first * ratio
        x0 = state.x0
        if self.spread > 0:
            xp = namespace(x0)
            x0 = x0 + xp.asarray(self.spread * (2 * rng.random(n) - 1), dtype=x0.dtype, device=device(x0))
        inner = _sized(self.method, size, sigma).init(x0, run_seed(state.seed, int(rng.integers(1 << 63))))
        return state._replace(
            inner=inner, run=run, doublings=doublings, popsize=size, sigma=sigma, small=is_small, evaluations=0,
            most=most, large_spent=large, small_spent=small,
        )  # fmt: skip


@functools.lru_cache(maxsize=256)
def _sized(method: GaussianSearch, popsize: int, sigma: float) -> GaussianSearch:
    return method.replace(popsize=popsize, sigma=sigma)


@functools.cache
def _stream() -> int:
    return stream("arrayopt.sampling.Restarted")
