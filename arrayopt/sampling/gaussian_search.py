"""What searches by Gaussian samples share: points are mean + sigma B z, and ranked values move the distribution."""

import functools
import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace, namespace, to_numpy
from arrayopt.core.method import Stop
from arrayopt.core.options import Least, Positive, Tolerance, check_count
from arrayopt.core.population import Population, ranked
from arrayopt.core.random import normal, stream
from arrayopt.errors import LeafError
from arrayopt.sampling.cma_constants import default_popsize
from arrayopt.sampling.directions import run_seed
from arrayopt.sampling.endings import ENDINGS, Record, Shape, Tolerances, begun, ended, recorded


class SearchState(NamedTuple):
    """Where a search is; axes in front of those named are independent runs.

    Attributes
    ----------
    t : int
        Generations that have been told.
    seed : int
        Of the first run; see `run_seed` for the others.
    mean : array, shape (..., n)
    model : NamedTuple of arrays
        What else the distribution has; see the method.
    best_x : array, shape (..., n)
    best_f : array, shape (...)
    record : Record
        What the conditions for an end look at, on the host.
    """

    t: int
    seed: int
    mean: Array
    model: Any
    best_x: Array
    best_f: Array
    record: Record


@dataclass(frozen=True, kw_only=True)
class GaussianSearch(Population):
    r"""A search by Gaussian samples that adapts its distribution to the ranks of values.

    Parameters
    ----------
    sigma : float
        Standard deviation of the first generation, > 0: about a third of the distance at which the optimum may lie.
    popsize : int, optional
        Points a generation, >= 2; :math:`4 + \lfloor 3 \ln n \rfloor` by default.
    tolfun : float
        Ends a run when all values of a generation, and the best ones of the last :math:`10 + 30 n / \lambda`
        generations, lie within it.
    tolfunhist : float
        The same of the best ones alone.
    tolx : float
        Ends a run when the standard deviations are below it.
    tolstagnation : int, optional
        Generations over which medians of best and median values have to fall;
        :math:`100 + 100 n^{1.5} / \lambda` by default, 0 turns it off.
    tolxstagnation : float
        Ends a run when the mean has moved no farther for 20 + 0.1 t generations.
    tolfacupx, tolupsigma : float
        End a run when a standard deviation has grown by such a factor, or sigma by one that C does not share.
    tolconditioncov : float
        Ends a run when the condition number of C is above it, or above a quarter of what the dtype resolves.
    tolflatfitness : int
        Generations in which the better three quarters of the points may have one value.

    Notes
    -----
    A generation without any value below inf says nothing: the distribution stays, and the next generation is another
    sample of it. A single run may be told more after its end; in a batch the runs that have ended wait for the others.
    """

    sigma: Positive = 0.5
    popsize: int | None = None
    tolfun: Tolerance = 1e-11
    tolfunhist: Tolerance = 1e-12
    tolx: Tolerance = 1e-11
    tolstagnation: int | None = None
    tolxstagnation: Tolerance = 1e-9
    tolfacupx: Positive = 1e3
    tolupsigma: Positive = 1e20
    tolconditioncov: Positive = 1e14
    tolflatfitness: Annotated[int, Least(0)] = 1

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.popsize is not None:
            check_count(type(self).__name__, "popsize", self.popsize, 2)
        if self.tolstagnation is not None:
            check_count(type(self).__name__, "tolstagnation", self.tolstagnation, 0)

    # What a method says -------------------------------------------------------------------------

    @abstractmethod
    def started(self, xp: Namespace, x0: Array) -> Any:
        """Return the model of a run that starts at x0, shape (..., n)."""

    @abstractmethod
    def displaced(self, xp: Namespace, model: Any, z: Array) -> Array:
        """Return what standard normal numbers z, shape (..., popsize, n), add to the mean."""

    @abstractmethod
    def adapted(self, xp: Namespace, state: SearchState, d: Array, ranks: np.ndarray) -> tuple[Array, Any]:
        """Return the new mean and model, from displacements d, shape (..., popsize, n), and ranks from 0."""

    @abstractmethod
    def shaped(self, xp: Namespace, model: Any, t: int) -> tuple[Array, ...]:
        """Return standard deviations, sigma over the longest axis, path, an axis, the condition; see `Shape`."""

    # Ask and tell -------------------------------------------------------------------------------

    def size(self, n: int) -> int:
        """Return the population size in n dimensions."""
        return default_popsize(n) if self.popsize is None else self.popsize

    def init(self, x0: Array, seed: int = 0) -> SearchState:
        """Return the state of runs that start at `x0`, shape (..., n): run r is the run alone with the seed + r.

        Raises
        ------
        LeafError
            If `x0` has no axis or no element, is not of real floating point, or is not finite.
        OptionError
            If the seed is not in [0, 2^64).
        """
        xp = namespace(x0)
        if x0.ndim < 1 or 0 in x0.shape:
            raise LeafError(f"x0: expected an array of shape (..., n) with n >= 1, got the shape {tuple(x0.shape)}")
        if not xp.isdtype(x0.dtype, "real floating"):
            raise LeafError(f"x0: expected a dtype of real floating point, got {x0.dtype}; convert it first")
        if not bool(xp.all(xp.isfinite(x0))):
            raise LeafError("x0: every element has to be finite")
        seed = run_seed(seed, 0)
        model = self.started(xp, x0)
        std = xp.broadcast_to(self.shaped(xp, model, 0)[0], x0.shape)
        best_f = xp.full(x0.shape[:-1], math.inf, dtype=x0.dtype, device=device(x0))
        return SearchState(0, seed, x0, model, x0, best_f, begun(_rows(x0), _rows(std)))

    def ask(self, state: SearchState) -> Array:
        """Return the points of the next generation, shape (..., popsize, n)."""
        mean = state.mean
        xp, n = namespace(mean), int(mean.shape[-1])
        shape = (self.size(n), n)
        if mean.ndim == 1:
            z = normal(state.seed, state.t, _stream(), shape)
        else:
            runs = range(math.prod(mean.shape[:-1]))
            each = [normal(run_seed(state.seed, r), state.t, _stream(), shape) for r in runs]
            z = np.stack(each).reshape(*mean.shape[:-1], *shape)
        if not (isinstance(mean, np.ndarray) and mean.dtype == z.dtype):
            z = xp.asarray(z, dtype=mean.dtype, device=device(mean))
        return mean[..., None, :] + self.displaced(xp, state.model, z)

    def tell(self, state: SearchState, x: Array, f: Array) -> SearchState:
        """Return the state after the values `f`, shape (..., popsize), of the points `x`, shape (..., popsize, n).

        Raises
        ------
        LeafError
            If `x` or `f` has another shape, or `x` is not finite.
        """
        mean, record = state.mean, state.record
        xp, n, t = namespace(mean), int(mean.shape[-1]), state.t + 1
        front, size = tuple(mean.shape[:-1]), self.size(n)
        if tuple(x.shape) != (*front, size, n) or tuple(f.shape) != (*front, size):
            raise LeafError(
                f"tell: expected points of shape {(*front, size, n)} and values of shape {(*front, size)}, "
                f"got {tuple(x.shape)} and {tuple(f.shape)}"
            )
        d = x - mean[..., None, :]
        if not _finite(xp, d):
            raise LeafError("x: every element of the points has to be finite")
        values = to_numpy(f).reshape(-1, size).astype(np.float64)
        order = ranked(values)
        ordered = np.sort(values, axis=1)
        if not (ordered[:, -1] < np.inf).all():  # NaN comes last
            ordered = np.where(np.isnan(ordered), np.inf, ordered)
        ranks = order.argsort(axis=1).reshape((*front, size))
        with np.errstate(over="ignore", invalid="ignore"):  # of points far from the sample; it ends as not finite
            new_mean, model = self.adapted(xp, state, d, ranks)
        waits = ordered[:, 0] == np.inf
        better = ordered[:, 0] < to_numpy(state.best_f).reshape(-1)
        if front:
            waits, better = waits | (record.ended > 0), better & (record.ended == 0)
        if waits.any():
            new_mean, model = _held(xp, waits, front, (mean, state.model), (new_mean, model))
        best_x, best_f = state.best_x, state.best_f
        found = better.any()
        if found:
            best_x, best_f = _improved(xp, state, x, ordered[:, 0], order[:, 0], better)
        window, delta = int(10 + 30 * n / size), self.tolxstagnation
        new = recorded(record, ordered, better if found else None, _rows(new_mean), t, window, delta)
        state = SearchState(t, state.seed, new_mean, model, best_x, best_f, new)
        if not front:
            return state
        codes = np.where(record.ended > 0, record.ended, self._codes(state))
        return state._replace(record=new._replace(ended=codes))

    def stopped(self, state: SearchState) -> Stop | None:
        """Return how the runs have ended once all have, None while one goes on: of several, the best one's ending."""
        if state.t == 0:
            return None
        codes = state.record.ended if state.mean.ndim > 1 else self._codes(state)
        if not codes.all():
            return None
        status, detail = ENDINGS[codes[int(np.argmin(np.reshape(to_numpy(state.best_f), (-1,))))]]
        return Stop(status, detail)

    def _codes(self, state: SearchState) -> np.ndarray:
        xp, n = namespace(state.mean), int(state.mean.shape[-1])
        size = self.size(n)
        std, sigma, path, axis, condition = self.shaped(xp, state.model, state.t)
        stagnation = 100 + 100 * n**1.5 / size if self.tolstagnation is None else self.tolstagnation
        resolved = 0.25 / float(xp.finfo(state.mean.dtype).eps)
        limits = Tolerances(
            self.tolfun, self.tolfunhist, self.tolx, stagnation, self.tolxstagnation, self.tolfacupx, self.tolupsigma,
            min(self.tolconditioncov, resolved), self.tolflatfitness,
        )  # fmt: skip
        shape = Shape(
            _rows(state.mean),
            _rows(std),
            None if path is None else _rows(path),
            None if axis is None else _rows(axis),
            None if condition is None else to_numpy(condition).reshape(-1),
            to_numpy(sigma).reshape(-1),
            self.sigma,
        )
        return ended(state.record, shape, limits, state.t, size)


def by_rank(tables: tuple[np.ndarray, ...], ranks: np.ndarray, like: Array) -> tuple[Array, ...]:
    """Return the entries of tables that are the points' by their ranks, as arrays like `like`."""
    found = tuple(table[ranks] for table in tables)
    if isinstance(like, np.ndarray):
        return found if like.dtype == np.float64 else tuple(x.astype(like.dtype) for x in found)
    xp, where = namespace(like), device(like)
    return tuple(xp.asarray(x, dtype=like.dtype, device=where) for x in found)


def _finite(xp: Namespace, x: Array) -> bool:
    if isinstance(x, np.ndarray) and math.isfinite(np.add.reduce(x, axis=None)):  # in a quarter of the time
        return True
    return bool(xp.all(xp.isfinite(x)))


@functools.cache
def _stream() -> int:
    return stream("arrayopt.sampling.GaussianSearch")


def _rows(x: Array) -> np.ndarray:
    """Return vectors as the rows of a matrix on the host."""
    return to_numpy(x).reshape(-1, x.shape[-1])


def _held(xp: Namespace, waits: np.ndarray, front: tuple[int, ...], old: Any, new: Any) -> Any:
    """Return the arrays of `new`, those of `old` for the runs that wait."""
    if waits.all():
        return old
    if isinstance(new, tuple):
        parts: Iterator[Any] = (_held(xp, waits, front, a, b) for a, b in zip(old, new, strict=True))
        return type(new)(*parts) if hasattr(new, "_fields") else tuple(parts)
    if isinstance(new, int):
        return new
    mask = xp.asarray(np.reshape(waits, front + (1,) * (new.ndim - len(front))), device=device(new))
    return xp.where(mask, old, new)


def _improved(
    xp: Namespace, state: SearchState, x: Array, least: np.ndarray, first: np.ndarray, better: np.ndarray
) -> tuple[Array, Array]:
    """Return the best points and values, where those of a generation are better."""
    mean, where = state.mean, device(state.mean)
    if mean.ndim == 1:
        best_x = xp.asarray(x[int(first[0]), :], copy=True)
        return best_x, xp.full((), float(least[0]), dtype=mean.dtype, device=where)
    front, (size, n) = tuple(mean.shape[:-1]), x.shape[-2:]
    flat = xp.asarray(first + size * np.arange(first.shape[0]), device=where)
    points = xp.reshape(xp.take(xp.reshape(x, (-1, n)), flat, axis=0), mean.shape)
    pick = xp.asarray(better.reshape(front), device=where)
    values = xp.asarray(least.reshape(front), dtype=mean.dtype, device=where)
    return xp.where(pick[..., None], points, state.best_x), xp.where(pick, values, state.best_f)
