"""Newton's method as a root finder, for real and complex numbers, on arrays of starts."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, is_array, namespace, to_numpy
from arrayopt.core import options
from arrayopt.core.method import Status
from arrayopt.errors import LeafError, OptionError

ENDS = (Status.CONVERGED, Status.MAXITER, Status.SINGULAR, Status.NOT_FINITE)
"""How the run from a start may end."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Roots:
    """Where Newton's method ended from each of the starts.

    Attributes
    ----------
    x : array
        The last points at which f was finite, of the shape and dtype of the starts.
    f : array
        The values there.
    status : array of int
        Per start a `Status`: CONVERGED; MAXITER; SINGULAR, where the derivative is zero and f is not; NOT_FINITE, where
        the next point, or f or its derivative there, is not finite.
    iterations : array of int
        Steps taken from each start.
    nit : int
        The most of them.
    nfev, njev : int
        Calls of f and of its derivative, each of all starts at once.
    message : str
    """

    x: Array
    f: Array
    status: Array
    iterations: Array
    nit: int
    nfev: int
    njev: int
    message: str

    @property
    def converged(self) -> Array:
        """From which of the starts a root was found."""
        return self.status == int(Status.CONVERGED)

    @property
    def success(self) -> bool:
        """Whether a root was found from every start."""
        return bool(to_numpy(self.converged).all())


def find_root(
    f: Callable[[Array], Any],
    x0: Any,
    fprime: Callable[[Array], Any] | None = None,
    *,
    tol: float | None = None,
    maxiter: int = 50,
) -> Roots:
    r"""Find roots of a function of one real or complex number, from each element of an array of starts.

    .. math:: x_{k+1} = x_k - \frac{f(x_k)}{f'(x_k)}

    the point where the tangent at x_k crosses zero.

    Parameters
    ----------
    f : callable
        From an array of points to the array of values, element by element. It is always given all points.
    x0 : array, number or list of numbers
        The starts, of any shape; real numbers stay real. Integers become float64.
    fprime : callable, optional
        The derivative, likewise. None takes the forward difference with the step :math:`\sqrt\epsilon \max(1, |x|)`:
        one more call of f in each iteration, and convergence that is linear with a factor of about
        :math:`\sqrt\epsilon` in the end.
    tol : float, optional
        A point is a root if f is zero there, or if the step to it is no longer than tol (tol + \|x\|). By default
        :math:`\sqrt\epsilon` of the dtype: where convergence is quadratic the point is then right to about eps.
    maxiter : int
        Steps from each start.

    Returns
    -------
    Roots
        With x, converged, status, iterations, and more.

    Raises
    ------
    OptionError
        If `f` is not callable, or `tol` or `maxiter` out of range.
    LeafError
        If the starts are no numbers, or f returns other shapes, or complex numbers for real ones.

    Notes
    -----
    Near a simple root the error is squared in each step, :math:`e_{k+1} \approx \frac{f''}{2 f'} e_k^2`; near a root of
    multiplicity m it shrinks by 1 - 1/m only, and about eps^(1/m) is all that can be had. From far away anything may
    happen: which root is found depends on the start in a fractal way, and iterates may cycle for ever (x^3 - 2 x + 2
    from 0), which ends as MAXITER.

    Minimising a function of one number by `Newton` without damping is finding a root of its derivative.

    Examples
    --------
    >>> find_root(lambda x: x**2 - 2, 1.0, lambda x: 2 * x).x
    array(1.41421356)

    The cube roots of one, from three starts:

    >>> found = find_root(lambda z: z**3 - 1, [1 + 1j, -1 + 1j, -1 - 1j], lambda z: 3 * z**2)
    >>> found.x.round(6), found.converged
    (array([ 1. +0.j      , -0.5+0.866025j, -0.5-0.866025j]), array([ True,  True,  True]))
    """
    x = _starts(x0)
    xp = namespace(x)
    root_of_eps = math.sqrt(float(xp.finfo(x.dtype).eps))
    tol = root_of_eps if tol is None else tol
    _check(f, fprime, tol, maxiter)
    every = {s: xp.full(x.shape, int(s), dtype=xp.int32, device=device(x)) for s in ENDS}

    def evaluate(what: Callable[[Array], Any], x: Array, name: str) -> Array:
        with np.errstate(all="ignore"):  # numbers that are not finite are dealt with
            return _like(x, what(x), name)

    value = evaluate(f, x, "f")
    nfev, njev, nit = 1, 0, 0
    finite = xp.isfinite(value) & xp.isfinite(x)
    status = xp.where(finite, every[Status.MAXITER], every[Status.NOT_FINITE])
    status = xp.where(value == 0, every[Status.CONVERGED], status)
    iterations = xp.zeros_like(status)
    while nit < maxiter:
        going = status == int(Status.MAXITER)
        if not bool(xp.any(going)):
            break
        if fprime is None:
            ahead = x + root_of_eps * xp.where(xp.abs(x) > 1, xp.abs(x), xp.ones_like(xp.abs(x)))
            rise, run = evaluate(f, ahead, "f") - value, ahead - x
            nfev += 1
        else:
            rise, run = evaluate(fprime, x, "fprime"), xp.ones_like(x)
            njev += 1
        flat = rise == 0
        with np.errstate(all="ignore"):
            step = value / xp.where(flat, xp.ones_like(rise), rise) * run
            new = x - step
        new_value = evaluate(f, new, "f")
        nfev, nit = nfev + 1, nit + 1
        fine = xp.isfinite(new) & xp.isfinite(new_value) & xp.isfinite(rise)
        root = (new_value == 0) | (xp.abs(step) <= tol * (tol + xp.abs(new)))
        now = xp.where(root, every[Status.CONVERGED], every[Status.MAXITER])
        now = xp.where(fine, now, every[Status.NOT_FINITE])
        now = xp.where(flat, every[Status.SINGULAR], now)
        moved = going & fine & ~flat
        x, value = xp.where(moved, new, x), xp.where(moved, new_value, value)
        status = xp.where(going, now, status)
        iterations = iterations + xp.astype(moved, iterations.dtype)
    return Roots(
        x=x,
        f=value,
        status=status,
        iterations=iterations,
        nit=nit,
        nfev=nfev,
        njev=njev,
        message=_message(to_numpy(status), fprime is None),
    )


def _check(f: Any, fprime: Any, tol: Any, maxiter: Any) -> None:
    if not callable(f) or not (fprime is None or callable(fprime)):
        raise OptionError("find_root: f must be callable, and fprime callable or None")
    if isinstance(tol, bool) or not isinstance(tol, (int, float)) or not tol >= 0:
        raise OptionError(f"find_root: tol must be a number >= 0, got {tol!r}")
    options.check_count("find_root", "maxiter", maxiter, 0)


def _starts(x0: Any) -> Array:
    """Return the starts as an array of real or complex floating numbers."""
    x = x0 if is_array(x0) else np.asarray(x0)
    xp = namespace(x)
    if xp.isdtype(x.dtype, ("integral", "bool")):
        x = xp.astype(x, xp.float64)
    if not xp.isdtype(x.dtype, ("real floating", "complex floating")):
        raise LeafError(f"x0: expected real or complex numbers, got {x.dtype}")
    return x


def _like(x: Array, y: Any, name: str) -> Array:
    """Return what a function returned as an array like x."""
    xp = namespace(x)
    if not is_array(y):
        y = xp.asarray(y)
    if xp.isdtype(y.dtype, "complex floating") and not xp.isdtype(x.dtype, "complex floating"):
        raise LeafError(f"{name}: returned complex numbers for real ones; start from complex ones")
    y = xp.astype(y, x.dtype)
    if y.shape == ():
        y = y + xp.zeros_like(x)
    if tuple(y.shape) != tuple(x.shape):
        raise LeafError(f"{name}: returned shape {tuple(y.shape)} for points of shape {tuple(x.shape)}")
    return y


def _message(status: np.ndarray, differences: bool) -> str:
    parts = []
    for each in ENDS:
        count = int((status == each).sum())
        if count:
            parts.append(f"{count} {each.name}")
    said = f"Of {status.size} starts: {', '.join(parts)}." if status.size else "There are no starts."
    return said + (" There is no fprime: forward differences stand for it." if differences else "")
