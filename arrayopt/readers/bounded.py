"""Arithmetic on numbers that carry a bound of their own rounding error.

Every array is a triple (value, bound, low): the value computed in the leaf's dtype, a bound of its distance to what
exact arithmetic would give, and a proven lower bound of that exact value and of what rounding makes of it, which
keeps a divisor such as sqrt(v) + eps from looking as if it might vanish. Bounds grow by half a unit in the last
place at each operation (running error analysis: Wilkinson; Higham, Accuracy and Stability of Numerical Algorithms,
section 3.3). Where a number overflows its bound is infinite. Where a sign or a comparison hangs on rounding the
bound covers both sides of the switch, and the element is marked as undecided: `ORDERS` bounds from the switch, for
that is how far apart correct orders of operations may lie.

The file is long because it holds one function for each operation of the tape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.core.tape import ELEMENTWISE, host_value
from arrayopt.errors import TraceError

DOUBLE, SINGLE = 2.0**-53, 2.0**-24
"""Unit roundoffs of float64 and float32: what a candidate computes its scalars in."""
ORDERS = 4.0
"""Bounds that two correct orders of operations may lie apart: 2.41 is the most that was met."""


@dataclass(frozen=True)
class Bounded:
    """An array with a bound of its rounding error."""

    value: Array
    bound: Array
    """At least the distance to the exact result; infinite where the value overflowed."""
    low: Array
    """At most the exact result, and at most what any order of these operations computes."""
    switched: Array = np.False_
    """Where a sign or a comparison that hangs on rounding went into the element."""

    __array_ufunc__ = None

    @classmethod
    def exact(cls, x: Array) -> Bounded:
        """Take an array as it is, without error."""
        wide = x.astype(np.float64)
        return cls(x, np.zeros(x.shape), wide)

    @property
    def undecided(self) -> Array:
        """Where the value says nothing: it overflowed, or hangs on a switch."""
        return np.broadcast_to(self.switched, self.value.shape) | ~np.isfinite(self.bound)

    @property
    def mT(self) -> Bounded:
        """The matrix transpose."""
        return self._moved(lambda x: np.swapaxes(x, -1, -2))

    def _moved(self, move: Callable[[Array], Array]) -> Bounded:
        return Bounded(
            *(move(np.broadcast_to(x, self.value.shape)) for x in (self.value, self.bound, self.low, self.switched))
        )


@dataclass(frozen=True)
class Truth:
    """A boolean array, and where rounding may have decided it."""

    value: Array
    undecided: Array


@dataclass(frozen=True)
class Scalar:
    """A number of `h` in float64 with the error of its derivation; it is rounded where it meets an array."""

    value: float
    bound: float = 0.0


# One function an operation. `z` is the rounded result, `_half(z)` half a unit in its last place. ------------


_COARSER: ContextVar[float] = ContextVar("coarser", default=1.0)


@contextmanager
def coarser(factor: float) -> Iterator[None]:
    """Bound arithmetic whose unit roundoff is `factor` times that of the arrays, as bfloat16 held in float32."""
    before = _COARSER.set(factor)
    try:
        yield
    finally:
        _COARSER.reset(before)


def _half(z: Array) -> Array:
    return np.spacing(np.abs(z)).astype(np.float64) / 2 * _COARSER.get()


def _unit(z: Array) -> float:
    return float(np.finfo(z.dtype).eps) / 2 * _COARSER.get()


def _zero(x: Bounded) -> Array:
    """Tell where an operand is exactly zero."""
    return (x.value == 0) & (x.bound == 0)


def _bounded(z: Array, bound: Array, low: Array) -> Bounded:
    bound = np.where(np.isfinite(z), bound, np.inf)
    bound = np.where(np.isnan(bound), np.inf, bound) * (1 + 2.0**-50)
    floor = z.astype(np.float64) - bound
    low = low - np.abs(low) * max(_unit(z), 2.0**-51)  # which is itself computed in float64
    low = np.where(np.isnan(low) | (low < floor), floor, low)
    return Bounded(z, bound, np.where(np.isnan(low), -np.inf, low))


def _add(x: Bounded, y: Bounded) -> Bounded:
    z = np.asarray(x.value + y.value)
    rounding = np.where(z == 0, 0.0, _half(z))  # a sum that comes out as zero is exact
    return _bounded(z, x.bound + y.bound + rounding, x.low + y.low)


def _negative(x: Bounded) -> Bounded:
    return _bounded(np.asarray(-x.value), x.bound, -(x.value.astype(np.float64) + x.bound))


def _subtract(x: Bounded, y: Bounded) -> Bounded:
    return _add(x, _negative(y))


def _multiply(x: Bounded, y: Bounded) -> Bounded:
    z = np.asarray(x.value * y.value)
    a, b = np.abs(x.value.astype(np.float64)), np.abs(y.value.astype(np.float64))
    low = np.where((x.low >= 0) & (y.low >= 0), x.low * y.low, -np.inf)
    if x is y:
        low = np.maximum(x.low, 0) ** 2  # a square, whatever the sign
    rounding = np.where(_zero(x) | _zero(y), 0.0, _half(z))
    return _bounded(z, a * y.bound + b * x.bound + x.bound * y.bound + rounding, low)


def _square(x: Bounded) -> Bounded:
    return _multiply(x, x)


def _divide(x: Bounded, y: Bounded) -> Bounded:
    z = np.asarray(x.value / y.value)
    a, b = x.value.astype(np.float64), y.value.astype(np.float64)
    least = np.maximum(np.abs(b) - y.bound, y.low)  # of the exact divisor's size
    bound = np.where(least > 0, (x.bound + np.abs(a / b) * y.bound) / least, np.inf)
    low = np.where((x.low >= 0) & (least > 0) & (b > 0), x.low / (b + y.bound), -np.inf)
    return _bounded(z, bound + np.where(_zero(x), 0.0, _half(z)), low)


def _sqrt(x: Bounded) -> Bounded:
    z = np.asarray(np.sqrt(x.value))
    a, least = x.value.astype(np.float64), np.maximum(x.low, 0)
    total = np.sqrt(np.maximum(a, 0)) + np.sqrt(least)
    change = np.where(total > 0, x.bound / np.where(total > 0, total, 1), np.sqrt(x.bound))
    rounding = np.where(_zero(x), 0.0, _half(z))
    return _bounded(z, np.minimum(change, np.sqrt(x.bound)) + rounding, np.sqrt(least))


def _abs(x: Bounded) -> Bounded:
    return _bounded(np.asarray(np.abs(x.value)), x.bound, np.maximum(x.low, 0))


def _sign(x: Bounded) -> Bounded:
    z = np.asarray(np.sign(x.value))
    undecided = (np.abs(x.value) <= ORDERS * x.bound) & (x.bound > 0)
    # at most two apart; one where the value is zero
    return _switched(_bounded(z, np.where(undecided, 1.0 + np.abs(z), 0.0), np.full(z.shape, -1.0)), undecided)


def _larger(x: Bounded, y: Bounded) -> Bounded:
    z = np.asarray(np.maximum(x.value, y.value))
    gap = x.value.astype(np.float64) - y.value.astype(np.float64)
    either = np.maximum(x.bound, y.bound)
    clear = np.where(gap > x.bound + y.bound, x.bound, np.where(-gap > x.bound + y.bound, y.bound, either))
    return _bounded(z, np.asarray(clear), np.maximum(x.low, y.low))


def _smaller(x: Bounded, y: Bounded) -> Bounded:
    return _negative(_larger(_negative(x), _negative(y)))


def _where(c: Truth, x: Bounded, y: Bounded) -> Bounded:
    z = np.asarray(np.where(c.value, x.value, y.value))
    gap = np.abs(x.value.astype(np.float64) - y.value.astype(np.float64))
    either = gap + np.maximum(x.bound, y.bound)
    bound = np.where(c.undecided, either, np.where(c.value, x.bound, y.bound))
    low = np.where(c.undecided, np.minimum(x.low, y.low), np.where(c.value, x.low, y.low))
    return _switched(_bounded(z, bound, low), c.undecided)


def _switched(x: Bounded, where: Array) -> Bounded:
    return Bounded(x.value, x.bound, x.low, where)


def _smooth(f: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Callable[[Bounded], Bounded]:
    """Bound a smooth monotone function by the largest slope over the interval of its argument, and 4 units."""

    def op(x: Bounded) -> Bounded:
        z = np.asarray(f(x.value))
        a = x.value.astype(np.float64)
        steepest = np.maximum(slope(a - x.bound), np.maximum(slope(a + x.bound), slope(a)))
        return _bounded(z, steepest * x.bound + 8 * _half(z), f(x.low))

    return op


def _compare(f: Callable[[Array, Array], Array]) -> Callable[[Bounded, Bounded], Truth]:
    def op(x: Bounded, y: Bounded) -> Truth:
        gap = np.abs(x.value.astype(np.float64) - y.value.astype(np.float64))
        slack = ORDERS * (x.bound + y.bound)
        return Truth(np.asarray(f(x.value, y.value)), np.asarray((gap <= slack) & (slack > 0)))

    return op


def _test(f: Callable[[Array], Array]) -> Callable[[Bounded], Truth]:
    return lambda x: Truth(
        np.asarray(f(x.value)), np.isinf(x.bound)
    )  # a NaN that came in is exact, one that arose is not


def _logic(f: Callable[..., Array]) -> Callable[..., Truth]:
    return lambda *xs: Truth(
        np.asarray(f(*(x.value for x in xs))),
        np.asarray(np.any(np.broadcast_arrays(*(x.undecided for x in xs)), axis=0)),
    )


def _sum(x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    over = {"axis": axis, "keepdims": keepdims}
    z = np.asarray(np.sum(x.value, **over))
    wide = x.value.astype(np.float64)
    local = _accumulated(z, np.sum(wide, **over), np.sum(np.abs(wide), **over), wide.size)
    return _bounded(z, np.sum(x.bound, **over) + local,
                    np.asarray(np.sum(x.low, **over)))  # fmt: skip


def _mean(x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    over = {"axis": axis, "keepdims": keepdims}
    z = np.asarray(np.mean(x.value, **over))
    wide = x.value.astype(np.float64)
    size = np.mean(np.abs(wide), **over)
    local = _accumulated(z, np.mean(wide, **over), size, wide.size) + np.where(size == 0, 0.0, _half(z))
    return _bounded(z, np.mean(x.bound, **over) + local, np.asarray(np.mean(x.low, **over)))


def _accumulated(z: Array, wide: Array, size: Array, n: int) -> Array:
    """Error of a sum: what this order of additions did, or what another order might (pairwise: log2 n roundings)."""
    reordered = math.sqrt(math.log2(n + 1)) * _unit(z) * size
    return np.asarray(np.maximum(np.abs(z.astype(np.float64) - wide), reordered))


def _extreme(f: Callable[..., Array]) -> Callable[..., Bounded]:
    def op(x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
        over = {"axis": axis, "keepdims": keepdims}
        return _bounded(np.asarray(f(x.value, **over)), np.max(x.bound, **over), np.asarray(f(x.low, **over)))

    return op


def _every(f: Callable[..., Array]) -> Callable[..., Truth]:
    def op(x: Truth, axis: Any = None, keepdims: bool = False) -> Truth:
        over = {"axis": axis, "keepdims": keepdims}
        return Truth(np.asarray(f(x.value, **over)), np.asarray(np.any(x.undecided, **over)))

    return op


def _matmul(x: Bounded, y: Bounded) -> Bounded:
    z = np.asarray(x.value @ y.value)
    a, b = x.value.astype(np.float64), y.value.astype(np.float64)
    size = np.abs(a) @ np.abs(b)
    moved = np.abs(a) @ y.bound + x.bound @ np.abs(b) + x.bound @ y.bound
    low = np.where(np.all(x.low >= 0) & np.all(y.low >= 0), 0.0, -np.inf)
    return _bounded(z, moved + _accumulated(z, a @ b, size, a.shape[-1]), np.broadcast_to(low, z.shape))


def _reshape(x: Bounded, shape: tuple[int, ...]) -> Bounded:
    return x._moved(lambda a: a.reshape(shape))


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "add": _add, "subtract": _subtract, "multiply": _multiply, "divide": _divide, "negative": _negative,
    "abs": _abs, "square": _square, "sqrt": _sqrt, "sign": _sign, "maximum": _larger, "minimum": _smaller,
    "where": _where,
    "exp": _smooth(np.exp, np.exp), "expm1": _smooth(np.expm1, np.exp),
    "log": _smooth(np.log, lambda a: np.where(a > 0, 1 / a, np.inf)),
    "log1p": _smooth(np.log1p, lambda a: np.where(a > -1, 1 / (1 + a), np.inf)),
    "tanh": _smooth(np.tanh, lambda a: np.ones_like(a)),
    "less": _compare(np.less), "less_equal": _compare(np.less_equal), "greater": _compare(np.greater),
    "greater_equal": _compare(np.greater_equal), "equal": _compare(np.equal), "not_equal": _compare(np.not_equal),
    "isnan": _test(np.isnan), "isfinite": _test(np.isfinite), "isinf": _test(np.isinf),
    "logical_and": _logic(np.logical_and), "logical_or": _logic(np.logical_or), "logical_not": _logic(np.logical_not),
    "sum": _sum, "mean": _mean, "max": _extreme(np.max), "min": _extreme(np.min),
    "any": _every(np.any), "all": _every(np.all),
    "matmul": _matmul, "matrix_transpose": lambda x: x.mT, "reshape": _reshape,
}  # fmt: skip


def _record(name: str, *args: Any, **attrs: Any) -> Any:
    """Apply an operation to arrays and numbers; numbers alone stay on the host."""
    arrays = [a for a in args if isinstance(a, (Bounded, Truth))]
    if not arrays:
        return _on_host(name, *args)
    dtype = next((a.value.dtype for a in arrays if isinstance(a, Bounded)), np.dtype(np.float64))
    z = OPERATIONS[name](*(_meet(a, dtype) for a in args), **attrs)
    if isinstance(z, Bounded) and name in ELEMENTWISE:  # a reduction or product takes up the bound of both sides
        switched = [a.switched for a in arrays if isinstance(a, Bounded) and np.any(a.switched)]
        if name == "where" and switched:  # only the branch that was taken counts
            c, x, y = args
            switched = [np.where(c.value, getattr(x, "switched", False), getattr(y, "switched", False))]
        for s in switched:
            z = _switched(z, z.switched | s)
    return z


def _meet(x: Any, dtype: Any) -> Any:
    """Round a number to the dtype of the array it meets."""
    if isinstance(x, (bool, Bounded, Truth, tuple)):
        return x
    exact, bound = (x.value, x.bound) if isinstance(x, Scalar) else (float(x), 0.0)
    rounded = np.asarray(exact, dtype=dtype)
    off = abs(float(rounded) - exact) if math.isfinite(exact) else 0.0
    return _bounded(rounded, np.asarray(bound + off), np.asarray(exact - bound))


def _on_host(name: str, *args: Any) -> Scalar:
    values = [a.value if isinstance(a, Scalar) else float(a) for a in args]
    bounds = [a.bound if isinstance(a, Scalar) else 0.0 for a in args]
    z = host_value(name, *values)
    match name:
        case "multiply":
            bound = abs(values[0]) * bounds[1] + abs(values[1]) * bounds[0]
        case "divide":
            bound = (bounds[0] + abs(z) * bounds[1]) / max(abs(values[1]) - bounds[1], 5e-324)
        case "sqrt":
            bound = bounds[0] / z if z else math.sqrt(bounds[0])
        case _:
            bound = sum(bounds)
    return Scalar(z, bound + DOUBLE * abs(z))


class _Namespace:
    """The namespace that `step` receives: bounded versions of what a tape can hold."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in OPERATIONS:
            raise TraceError(f"xp.{name} is not an operation that a rule may use")
        return lambda *args, **attrs: _record(name, *args, **attrs)

    def record_helper(
        self, helper: Callable[..., Any], shape: Any, args: tuple[Any, ...], static: Mapping[str, Any]
    ) -> Bounded:
        """Bound an opaque helper by its own `error`, which is normwise: the same for every element of a matrix."""
        if not hasattr(helper, "error"):
            raise TraceError(f"the helper {helper.__name__} has no bound of its error; give it the attribute `error`")
        if _COARSER.get() > 1 and "bfloat16" in static:  # it iterates in the dtype of its argument, which is bfloat16
            static = {**static, "bfloat16": True}
        x, *rest = args
        numbers = [a.value if isinstance(a, Scalar) else a for a in rest]
        xp, wide = namespace(x.value), x.value.astype(np.float64)
        z, exact = helper(xp, x.value, *numbers, **static), helper(xp, wide, *numbers, **static)
        unit = _unit(z)
        own = helper.error(wide, *numbers, unit=unit, **static) + _norms(_half(z))
        if not np.all(_norms(z - exact) <= own):  # something overflowed inside
            return _bounded(z, np.full(z.shape, np.inf), np.full(z.shape, -np.inf))
        bound = helper.error(wide, *numbers, norm_of_error=_norms(x.bound), unit=unit, **static)
        return _bounded(z, bound + _half(z), np.full(z.shape, -np.inf))


def _norms(x: Array) -> Array:
    """Return the Frobenius norm of every matrix in the last two axes."""
    return np.sqrt(np.sum(np.square(x.astype(np.float64)), axis=(-2, -1), keepdims=True))


NAMESPACE = _Namespace()

_SIGNS = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide"}
_FORWARD = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "matmul": "matmul"}


def _operators() -> None:
    def forward(name: str) -> Callable[..., Any]:
        return lambda self, other: _record(name, self, other)

    def reflected(name: str) -> Callable[..., Any]:
        return lambda self, other: _record(name, other, self)

    for cls in (Bounded, Scalar):
        for short, name in _SIGNS.items():
            setattr(cls, f"__{short}__", forward(name))
            setattr(cls, f"__r{short}__", reflected(name))
        setattr(cls, "__neg__", lambda self: _record("negative", self))  # noqa: B010
    for short, name in _FORWARD.items():
        setattr(Bounded, f"__{short}__", forward(name))
    setattr(Bounded, "__abs__", lambda self: _record("abs", self))  # noqa: B010


_operators()
