"""The tape: what a rule does to one leaf, as a straight list of array operations.

The names in `ELEMENTWISE`, `REDUCTIONS` and `WHOLE` are exactly what a rule may use, beside operators; a helper marked
`opaque` is one operation of its own. `arrayopt.core.tracing` makes tapes, the readers read them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from arrayopt.core.trees import Leaf
from arrayopt.errors import TraceError

_COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
_TESTS = ("isnan", "isfinite", "isinf", "logical_and", "logical_or", "logical_not")
ELEMENTWISE = (
    *("add", "subtract", "multiply", "divide", "negative", "abs", "square", "sqrt", "sign"),
    *("maximum", "minimum", "where", "exp", "log", "log1p", "expm1", "tanh"),
    *_COMPARISONS,
    *_TESTS,
)
REDUCTIONS = ("sum", "mean", "max", "min", "any", "all")
WHOLE = ("matmul", "matrix_transpose", "reshape")
BOOLEAN = frozenset({*_COMPARISONS, *_TESTS, "any", "all"})


@dataclass(frozen=True)
class Value:
    """An input, a result or a number on the tape: `shape` is None for a number computed on the host."""

    index: int
    shape: tuple[int, ...] | None
    boolean: bool = False


@dataclass(frozen=True)
class Op:
    """One operation: its name, operands (values, or literal numbers), keywords and result."""

    name: str
    args: tuple[Any, ...]
    attrs: tuple[tuple[str, Any], ...]
    out: Value
    helper: Callable[..., Any] | None = None

    @property
    def on_host(self) -> bool:
        """Whether the operation is on numbers alone, to be done in float64 once a step."""
        return self.out.shape is None


@dataclass
class Tape:
    """What a rule does to one leaf: inputs by name, operations in order, results by name ("p" and slots)."""

    leaf: Leaf
    arrays: dict[str, Value]
    numbers: dict[str, Value]
    ops: list[Op] = field(default_factory=list)
    outputs: dict[str, Value] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """Value index -> the local variable of `step` that held it, when traced with ``named=True``."""


F = TypeVar("F", bound=Callable[..., Any])


def opaque(shape: Callable[..., tuple[int, ...]] | None = None) -> Callable[[F], F]:
    """Mark a helper ``f(xp, *arrays_or_numbers, **static)`` as one operation of the tape.

    Inside it, any array code is allowed. `shape` gives the shape of the result from those of the arrays;
    by default it is that of the first.
    """

    def wrap(helper: F) -> F:
        @functools.wraps(helper)
        def call(xp: Any, *args: Any, **static: Any) -> Any:
            if hasattr(xp, "record_helper"):  # a reader's namespace, such as Recorder
                return xp.record_helper(helper, shape, args, static)
            return helper(xp, *args, **static)

        return call  # type: ignore[return-value]

    return wrap


def host_value(name: str, *args: float) -> float:
    """Compute an operation on numbers, in float64."""
    a, *rest = args
    match name:
        case "add":
            return a + rest[0]
        case "subtract":
            return a - rest[0]
        case "multiply":
            return a * rest[0]
        case "divide":
            return a / rest[0]
        case "negative":
            return -a
        case "sqrt":
            return math.sqrt(a)
    raise TraceError(f"{name} of numbers; compute it in `scalars`")
