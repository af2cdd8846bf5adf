"""Many problems at once: L-BFGS and conjugate gradients on the rows of a matrix, each row a problem of its own.

All rows are evaluated together, and each goes on at its own pace: what is decided of a row, is decided by masks. Rows
that have ended stay where they are. A row's numbers do not depend on the other rows. The file is long because methods
on rows share nothing with those on vectors but their formulas: two methods and their one loop stand here together.

Within, what belongs to a row is a column: arrays have the shape (n, B), so that numbers of rows, shape (B,), broadcast.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from array_api_compat import device

from arrayopt.backend import Array, Namespace, is_array, namespace, to_numpy
from arrayopt.core import trees
from arrayopt.core.method import Status
from arrayopt.core.options import Checked, Count, Share, Tolerance
from arrayopt.errors import LeafError, OptionError

SHORTEN = 0.1
MOST_TRIALS = 60
MOST_GROWTH = 10.0
SHORT = 32
"""Columns of no more numbers lie across memory, which takes half the time where there are many; those of more lie along
it, as the rows of the caller do."""


@dataclass(frozen=True, kw_only=True)
class RowMethod(Checked):
    """A method on rows; its options.

    Parameters
    ----------
    gtol : float
        A row has converged when no component of its gradient is larger.
    maxiter : int
        Iterations of a row.
    maxfun : int
        Evaluations of all rows together.
    c1, c2 : float
        Of the weak Wolfe conditions.
    """

    gtol: Tolerance = 1e-5
    maxiter: Count = 1000
    maxfun: Count = 10_000
    c1: Share = 1e-4
    c2: Share = 0.9

    @abstractmethod
    def memory(self, xp: Namespace, eps: float) -> "Memory":
        """Return what makes directions."""


class Memory:
    """What a method remembers of all rows."""

    first_is_one = False
    """Whether the first trial along a direction of its own is 1; else it follows from the last step."""

    @abstractmethod
    def follow(self, rows: Array, every: bool, before: "Rows", after: "Rows") -> Array:
        """Return directions after the rows in `rows` have stepped; `every` says that no other row matters."""

    @abstractmethod
    def drop(self, rows: Array) -> None:
        """Forget what is known of some rows."""


@dataclass(frozen=True)
class Rows:
    """A point of each row: x, g and d of shape (n, B), f of shape (B,)."""

    x: Array
    f: Array
    g: Array
    d: Array


@dataclass(frozen=True, kw_only=True)
class RowLBFGS(RowMethod):
    """L-BFGS by the two loops, on rows.

    Parameters
    ----------
    history : int
        How many pairs are kept.
    """

    history: Count = 10

    def memory(self, xp: Namespace, eps: float) -> Memory:
        """Return pairs."""
        return _Pairs(xp, eps, self.history)


class _Pairs(Memory):
    """Pairs (s, y) of all rows, the latest first; a pair that a row does not have is zero.

    They are held in arrays with the pair as the first axis, so that a shift of all is one operation.
    """

    first_is_one = True

    def __init__(self, xp: Namespace, eps: float, history: int) -> None:
        self._xp, self._eps, self._history = xp, eps, history
        self._s: Array = None
        self._y: Array = None
        self._rho: Array = None
        self._gamma: Array = None

    def follow(self, rows: Array, every: bool, before: Rows, after: Rows) -> Array:
        """Take up the pairs that have curvature, and multiply by the two loops."""
        xp = self._xp
        s, y = after.x - before.x, after.g - before.g
        sy, ss, yy = _dot(xp, s, y), _dot(xp, s, s), _dot(xp, y, y)
        taken = rows & (sy > self._eps * xp.sqrt(ss) * xp.sqrt(yy))
        if self._gamma is None:
            self._gamma = xp.ones_like(sy)
        self._gamma = xp.where(taken, sy / xp.where(taken, yy, xp.ones_like(yy)), self._gamma)
        all_taken = every and bool(xp.all(taken))
        self._s, self._y = self._shifted(self._s, s, taken, all_taken), self._shifted(self._y, y, taken, all_taken)
        self._rho = self._shifted(self._rho, 1 / xp.where(taken, sy, xp.ones_like(sy)), taken, all_taken)
        count, q, shares = self._s.shape[0], after.g, []
        for k in range(count):
            share = self._rho[k, :] * _dot(xp, self._s[k, :, :], q)
            q = q - share * self._y[k, :, :]
            shares.append(share)
        r = self._gamma * q
        for k in reversed(range(count)):
            r = r + (shares[k] - self._rho[k, :] * _dot(xp, self._y[k, :, :], r)) * self._s[k, :, :]
        return -r

    def _shifted(self, old: Array, new: Array, taken: Array, all_taken: bool) -> Array:
        """Put the new first in the rows that took it up, and all others one place back there."""
        xp, new = self._xp, new[None, ...]
        if not all_taken:
            new = xp.where(taken, new, xp.zeros_like(new))
        if old is None:
            return new
        grows = old.shape[0] < self._history
        moved = xp.concat([new, old if grows else old[:-1, ...]])
        if all_taken:
            return moved
        return xp.where(taken, moved, xp.concat([old, xp.zeros_like(new)]) if grows else old)

    def drop(self, rows: Array) -> None:
        """Make the pairs of some rows zero."""
        xp = self._xp
        if self._s is None or not bool(xp.any(rows)):
            return
        self._s, self._y, self._rho = (xp.where(rows, xp.zeros_like(a), a) for a in (self._s, self._y, self._rho))
        self._gamma = xp.where(rows, xp.ones_like(self._gamma), self._gamma)


@dataclass(frozen=True, kw_only=True)
class RowCG(RowMethod):
    """Conjugate gradients by the formula PR+, on rows.

    Parameters
    ----------
    c2 : float
        As in `RowMethod`; it needs better steps than L-BFGS does.
    descent : float
        A direction is -g where its slope is above -`descent` g'g.
    """

    c2: Share = 0.1
    descent: Tolerance = 0.01

    def memory(self, xp: Namespace, eps: float) -> Memory:
        """Return what turns directions."""
        return _Turn(xp, self.descent)


class _Turn(Memory):
    def __init__(self, xp: Namespace, descent: float) -> None:
        self._xp, self._descent = xp, descent

    def follow(self, rows: Array, every: bool, before: Rows, after: Rows) -> Array:
        """Return -g + beta d, with beta = max(0, g'(g - g_before) / g_before'g_before)."""
        xp, g = self._xp, after.g
        last = _dot(xp, before.g, before.g)
        beta = _dot(xp, g, g - before.g) / xp.where(last > 0, last, xp.ones_like(last))
        d = xp.where(beta > 0, beta, xp.zeros_like(beta)) * before.d - g
        falls = _dot(xp, d, g) <= -self._descent * _dot(xp, g, g)
        return xp.where(falls, d, -g)

    def drop(self, rows: Array) -> None:
        """Nothing is remembered."""


def _dot(xp: Namespace, a: Array, b: Array) -> Array:
    """Return the inner products of columns."""
    products = a * b
    if a.shape[1] == 1 and a.shape[0] <= SHORT:  # which lies along memory too: NumPy would sum in another order
        products = xp.concat([products, products], axis=1)
        return xp.sum(products, axis=0)[:1]
    return xp.sum(products, axis=0)


ROW_METHODS: Mapping[str, type[RowMethod]] = {"lbfgs": RowLBFGS, "cg": RowCG}
"""The methods of `minimize_batch`."""


def minimize_batch(
    fun: Callable[..., tuple[Array, Array]],
    x0: Array,
    args: Sequence[Any] = (),
    method: str | RowMethod = "lbfgs",
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Minimise a function of each row of a matrix, all rows at once.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` with `x` of shape (B, n) returns the values, shape (B,), and the gradients, shape (B, n).
        Row i of both must depend on row i of `x` alone. It is always given all rows; those that have ended do not
        move any more.
    x0 : array, shape (B, n)
        Where each row starts; it fixes dtype, array library and device.
    args : tuple
        More arguments of `fun`.
    method : {"lbfgs", "cg"} or RowMethod
        Both search by bisection for the weak Wolfe conditions.
    options : mapping, optional
        Fields of the method: `gtol`, `maxiter`, `maxfun`, `c1`, `c2`, and `history` of "lbfgs".

    Returns
    -------
    OptimizeResult
        With x, jac of shape (B, n); fun, nit, nfev, status, success of shape (B,); and message, which counts the rows
        by their `Status`.

    Raises
    ------
    OptionError
        If the method or an option is unknown.
    LeafError
        If `x0` is no matrix of real floating-point numbers, or `fun` returns arrays of other shapes.

    Notes
    -----
    The numbers of a row are those of the row alone, bit for bit if those of `fun` are.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import minimize_batch
    >>> centres = np.array([[1.0], [2.0], [3.0]])
    >>> result = minimize_batch(lambda x: (((x - centres) ** 4).sum(1), 4 * (x - centres) ** 3), np.zeros((3, 1)))
    >>> result.x[:, 0].round(1)
    array([1., 2., 3.])
    """
    if isinstance(method, RowMethod):
        chosen = method.replace(**(options or {}))
    elif method in ROW_METHODS:
        chosen = ROW_METHODS[method](**(options or {}))
    else:
        raise OptionError(f"minimize_batch: unknown method {method!r}; there are {', '.join(ROW_METHODS)}")
    if not is_array(x0) or x0.ndim != 2:
        shape = f"of shape {tuple(x0.shape)}" if is_array(x0) else f"a {type(x0).__name__}"
        raise LeafError(f"x0: expected an array of shape (B, n), got one {shape}")
    trees.check_real({"": x0}, namespace(x0))
    return _Batch(fun, x0, tuple(args), chosen).result()


class _Batch:
    """A run of all rows."""

    def __init__(self, fun: Any, x0: Array, args: tuple[Any, ...], method: RowMethod) -> None:
        self.xp = xp = namespace(x0)
        self.fun, self.args, self.method = fun, args, method
        self.evaluations = 0
        where = device(x0)
        self.status = xp.full((x0.shape[0],), -1, dtype=xp.int64, device=where)
        self.nit = xp.zeros((x0.shape[0],), dtype=xp.int64, device=where)
        self.nfev = xp.zeros((x0.shape[0],), dtype=xp.int64, device=where)
        x = self._columns(x0)
        self.now = Rows(x, xp.sum(x, axis=0), x, x)

    def result(self) -> Any:
        from scipy.optimize import OptimizeResult

        try:
            self._run()
        except KeyboardInterrupt:
            self._end(self.status < 0, Status.INTERRUPTED)
        status, now = to_numpy(self.status), self.now
        kinds = [(s, int((status == s).sum())) for s in Status]
        return OptimizeResult(
            x=self._rows(now.x), fun=now.f, jac=self._rows(now.g), nit=self.nit, nfev=self.nfev, status=self.status,
            success=self.status == int(Status.CONVERGED),
            message="; ".join(f"{k} rows: {s.sentence}" for s, k in kinds if k),
        )  # fmt: skip

    def _end(self, rows: Array, status: Status) -> None:
        self.status = self.xp.where(rows & (self.status < 0), int(status), self.status)

    def _columns(self, x: Array) -> Array:
        """Return rows as columns, laid out as `SHORT` says."""
        n = x.shape[1]
        return self.xp.stack([x[:, k] for k in range(n)]) if 0 < n <= SHORT else x.T

    def _rows(self, x: Array) -> Array:
        """Return columns as rows, which lie along memory as the caller expects them."""
        n = x.shape[0]
        return self.xp.stack([x[k, :] for k in range(n)], axis=1) if 0 < n <= SHORT else x.T

    def _evaluate(self, x: Array) -> tuple[Array, Array]:
        x = self._rows(x)
        f, g = self.fun(x, *self.args)
        for what, a, shape in (("values", f, x.shape[:1]), ("gradients", g, x.shape)):
            if not is_array(a) or tuple(a.shape) != tuple(shape):
                got = tuple(a.shape) if is_array(a) else type(a).__name__
                raise LeafError(f"fun: expected {what} of shape {tuple(shape)}, got {got}")
        self.evaluations += 1
        self.nfev = self.nfev + self.xp.astype(self.status < 0, self.nfev.dtype)
        return f, self._columns(g)

    def _finite(self, f: Array, g: Array) -> Array:
        return self.xp.isfinite(f) & self.xp.all(self.xp.isfinite(g), axis=0)

    def _run(self) -> None:
        xp, method, x = self.xp, self.method, self.now.x
        f, g = self._evaluate(x)
        self.now = Rows(x, f, g, -g)
        self._end(~self._finite(f, g), Status.NOT_FINITE)
        self._end(xp.max(xp.abs(g), axis=0) <= method.gtol if x.shape[0] else xp.isfinite(f), Status.CONVERGED)
        eps = float(xp.finfo(x.dtype).eps)
        memory = method.memory(xp, eps)
        zero, none = xp.zeros_like(f), xp.zeros_like(self.status)
        slope = -_dot(xp, g, g)
        squares = xp.where(slope < 0, -slope, zero + 1)
        a, low, high, trials = 1 / xp.sqrt(squares), zero, zero + math.inf, none
        steepest = self.status < 0
        while bool(xp.any(self.status < 0)):
            if self.evaluations >= method.maxfun:
                self._end(self.status < 0, Status.MAXFUN)
                return
            active, now = self.status < 0, self.now
            x = xp.where(active, now.x + a * now.d, now.x)
            f, g = self._evaluate(x)
            self._end(active & (f == -math.inf), Status.UNBOUNDED)
            finite = self._finite(f, g)
            too_long = ~finite | ~(f <= now.f + method.c1 * a * slope)
            too_short = ~too_long & ~(_dot(xp, g, now.d) >= method.c2 * slope)
            stepped = active & ~too_long & ~too_short
            low, high = xp.where(too_short, a, low), xp.where(too_long, a, high)
            endless = high == math.inf
            end = xp.where(endless, low, high)
            tried = xp.where(finite, (low + end) / 2, low + SHORTEN * (end - low))
            tried = xp.where(endless, 2 * low, tried)
            trials = trials + 1
            stuck = active & ~stepped & ((tried == low) | (tried == high) | (trials >= MOST_TRIALS))
            if not bool(xp.any(stepped | stuck)):
                a = tried
                continue
            self._end(stuck & endless, Status.UNBOUNDED)
            small = xp.max(xp.abs(now.g), axis=0) <= math.sqrt(eps) * (1 + xp.abs(now.f))
            self._end(stuck & steepest & small, Status.PRECISION_FLOOR)
            self._end(stuck & steepest, Status.LINE_SEARCH)
            x, f, g = (xp.where(stepped, new, old) for new, old in ((x, now.x), (f, now.f), (g, now.g)))
            new = Rows(x, f, g, now.d)
            restart = stuck & ~steepest
            memory.drop(restart)
            every = not bool(xp.any((self.status < 0) & ~stepped))
            d = xp.where(stepped, memory.follow(stepped, every, now, new), now.d)
            self.nit = self.nit + xp.astype(stepped, self.nit.dtype)
            self._end(stepped & (xp.max(xp.abs(new.g), axis=0) <= method.gtol), Status.CONVERGED)
            self._end(stepped & (self.nit >= method.maxiter), Status.MAXITER)
            slope_new = _dot(xp, new.g, d)
            restart = restart | (stepped & ~(slope_new < 0))
            d = xp.where(restart, -new.g, d)
            squares = _dot(xp, new.g, new.g)
            slope_new = xp.where(restart, -squares, slope_new)
            if memory.first_is_one:
                first = zero + 1
            else:
                ratio = slope / xp.where(slope_new < 0, slope_new, zero - 1)
                first = a * xp.where(ratio < MOST_GROWTH, ratio, zero + MOST_GROWTH)
            first = xp.where(restart, 1 / xp.sqrt(xp.where(squares > 0, squares, zero + 1)), first)
            turned = stepped | restart
            steepest = xp.where(turned, restart, steepest)
            a, slope = xp.where(turned, first, tried), xp.where(turned, slope_new, slope)
            low, high = xp.where(turned, zero, low), xp.where(turned, zero + math.inf, high)
            trials = xp.where(turned, none, trials)
            self.now = Rows(new.x, new.f, new.g, d)
