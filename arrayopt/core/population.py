"""What methods that ask for the values of whole populations share: `init`, `ask`, `tell`, and how fun is called.

A method is a frozen dataclass of options; everything that changes is in its state, plain data. `ask` is a pure function
of the state: its random numbers are keyed by (seed, t), so that asking twice gives the same points, and a run that goes
on from a stored state equals one that was never interrupted, bit for bit.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from arrayopt.backend import Array, is_array, namespace, to_numpy
from arrayopt.core.method import Stop
from arrayopt.core.options import Checked
from arrayopt.errors import LeafError

Workers = Callable[[Callable[..., Any], Iterable[Array]], Iterable[Any]]
"""What is called like `map`: the `map` of a pool or an executor, say."""


class PopulationState(Protocol):
    """What every state has: a NamedTuple of arrays and integers, with the axes of independent runs in front."""

    @property
    def t(self) -> int:
        """Generations that have been told."""
        ...

    @property
    def best_x(self) -> Array:
        """The best point so far, shape (..., d)."""
        ...

    @property
    def best_f(self) -> Array:
        """Its value, shape (...)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Population(Checked):
    """A method in the form ask and tell.

    Examples
    --------
    A run is a loop, and the caller has it::

        state = method.init(x0, seed=0)
        while not method.stopped(state):
            x = method.ask(state)                       # (..., n, d)
            state = method.tell(state, x, values(fun, x))   # values (..., n)
    """

    @abstractmethod
    def init(self, x0: Array, seed: int = 0) -> Any:
        """Return the state of runs that start at `x0`, shape (..., d): axes in front are independent runs."""

    @abstractmethod
    def ask(self, state: Any) -> Array:
        """Return the points to evaluate, shape (..., n, d)."""

    @abstractmethod
    def tell(self, state: Any, x: Array, f: Array) -> Any:
        """Return the state after the values `f`, shape (..., n), of the points `x`; NaN counts as worse than all."""

    def stopped(self, state: Any) -> Stop | None:
        """Return how the runs have ended once all have, None while one goes on; the exception is not raised."""
        return None


def check_start(x0: Array) -> None:
    """Raise LeafError unless runs can start at x0."""
    if x0.ndim < 1 or x0.shape[-1] < 1 or not namespace(x0).isdtype(x0.dtype, "real floating"):
        raise LeafError(
            f"x0: expected real floating numbers of shape (..., d) with d >= 1, got {x0.dtype} of {tuple(x0.shape)}"
        )


def values(fun: Callable[..., Any], x: Array, *args: Any, workers: Workers | None = None) -> Array:
    """Evaluate a population.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``: of the whole population, an array of shape (n, d), to its n values. With `workers` it is
        called on one point, an array of shape (d,), and returns a number.
    x : array, shape (..., n, d)
        The axes in front are laid out as one.
    workers : map-like callable, optional
        ``workers(fun, points)`` returns the values in order: `map`, `Pool.map`, `Executor.map`, as in SciPy.

    Returns
    -------
    array, shape (..., n)
        In the dtype of x.

    Raises
    ------
    LeafError
        If the values are not n real numbers.

    Examples
    --------
    >>> values(lambda x: (x**2).sum(axis=-1), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([ 5., 25.])
    >>> values(lambda x: float(x @ x), np.array([[1.0, 2.0], [3.0, 4.0]]), workers=map)
    array([ 5., 25.])
    """
    xp, shape = namespace(x), tuple(x.shape[:-1])
    flat = xp.reshape(x, (-1, x.shape[-1]))
    n = int(flat.shape[0])
    if workers is None:
        f = fun(flat, *args)
        if not is_array(f):
            f = np.asarray(f)
    else:
        call = _OnPoint(fun, args) if args else fun
        found = [_number(v) for v in workers(call, [flat[i, :] for i in range(n)])]
        f = np.asarray(found)
    if tuple(f.shape) != (n,):
        what = "the whole population" if workers is None else "one point each"
        hint = "; for a function of one point pass workers=map" if workers is None else ""
        raise LeafError(f"fun: called on {what}, it gave values of shape {tuple(f.shape)}, expected {(n,)}{hint}")
    if not (is_array(f) and type(f) is type(x)):
        f = xp.asarray(to_numpy(f), dtype=x.dtype, device=_device(x))
    return xp.reshape(xp.astype(f, x.dtype), shape)


@dataclass(frozen=True)
class _OnPoint:
    """A function with its further arguments; one that a pool of processes can send."""

    fun: Callable[..., Any]
    args: tuple[Any, ...]

    def __call__(self, x: Array) -> Any:
        return self.fun(x, *self.args)


def _number(v: Any) -> float:
    return float(to_numpy(v)) if is_array(v) else float(v)


def _device(x: Array) -> Any:
    from array_api_compat import device

    return device(x)


def ranked(f: np.ndarray) -> np.ndarray:
    """Return the order of values from the best, along the last axis: ties in order, NaN after +inf.

    Examples
    --------
    >>> ranked(np.array([np.nan, 2.0, np.inf, 1.0, 2.0]))
    array([3, 1, 4, 2, 0])
    """
    return np.argsort(f, axis=-1, kind="stable")
