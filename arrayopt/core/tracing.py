"""Tracing: a rule's text, run once on symbols, leaves a tape.

`trace` calls ``rule.step`` with symbols for arrays and numbers and with a recording namespace as `xp`. What a tape
could not replay raises TraceError, which says what to write instead.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from arrayopt.core.options import numbers
from arrayopt.core.tape import BOOLEAN, ELEMENTWISE, REDUCTIONS, WHOLE, Op, Tape, Value
from arrayopt.core.trees import Leaf
from arrayopt.errors import TraceError

if TYPE_CHECKING:
    from arrayopt.core.rule import Rule


class _Number:
    """A hyper-parameter or host number while tracing: arithmetic is recorded, everything else refused."""

    def __init__(self, recorder: Recorder, value: Value) -> None:
        self._recorder, self._value = recorder, value

    def _refuse(self, what: str) -> NoReturn:
        raise TraceError(
            f"{self._recorder.rule}.step {what} a number of h; decide it in `scalars`, which sees numbers, "
            "and return a bool or a number"
        )

    def __bool__(self) -> bool:
        self._refuse("branches on")

    def __float__(self) -> float:
        self._refuse("takes float() of")

    def __int__(self) -> int:
        self._refuse("takes int() of")

    def __pow__(self, other: object) -> NoReturn:
        self._refuse("takes a power of")

    def __rpow__(self, other: object) -> NoReturn:
        self._refuse("takes a power with")


class _Symbol(_Number):
    """An array while tracing."""

    @property
    def shape(self) -> NoReturn:
        raise TraceError(f"{self._recorder.rule}.step reads an array's shape; `scalars` sees it as leaf.shape")

    ndim = size = shape

    @property
    def dtype(self) -> NoReturn:
        raise TraceError(f"{self._recorder.rule}.step reads an array's dtype; `scalars` sees it as leaf.dtype")

    @property
    def mT(self) -> Any:
        return self._recorder.record("matrix_transpose", self)

    def _refuse(self, what: str) -> NoReturn:
        raise TraceError(f"{self._recorder.rule}.step {what} an array; write xp.where or a reduction instead")

    def __getitem__(self, key: object) -> NoReturn:
        self._refuse("indexes")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        self._refuse("writes into")

    def __iter__(self) -> NoReturn:
        self._refuse("loops over")


def _operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    def method(self: _Number, *others: Any) -> Any:
        return self._recorder.record(name, *((*others, self) if reflected else (self, *others)))

    return method


def _in_place(symbol: str) -> Callable[..., Any]:
    def method(self: _Number, other: object) -> NoReturn:
        raise TraceError(
            f"{self._recorder.rule}.step writes `{symbol}=`, which would change the caller's array; "
            f"write `x = x {symbol} y`"
        )

    return method


_BINARY = {"add": "+", "sub": "-", "mul": "*", "truediv": "/"}
_NAMES = {"sub": "subtract", "mul": "multiply", "truediv": "divide"}
for _short, _sign in _BINARY.items():
    setattr(_Number, f"__{_short}__", _operator(_NAMES.get(_short, _short)))
    setattr(_Number, f"__r{_short}__", _operator(_NAMES.get(_short, _short), reflected=True))
    setattr(_Symbol, f"__i{_short}__", _in_place(_sign))
for _short, _name in dict(lt="less", le="less_equal", gt="greater", ge="greater_equal", eq="equal", ne="not_equal",
                          matmul="matmul", abs="abs").items():  # fmt: skip
    setattr(_Symbol, f"__{_short}__", _operator(_name))
_Symbol.__hash__ = _Number.__hash__ = object.__hash__  # type: ignore[method-assign]
setattr(_Number, "__neg__", _operator("negative"))  # noqa: B010


def _refuse_comparison(self: _Number, other: object) -> NoReturn:
    self._refuse("compares")


for _short in ["lt", "le", "gt", "ge", "eq", "ne"]:
    setattr(_Number, f"__{_short}__", _refuse_comparison)


class Recorder:
    """The namespace that `step` receives while it is traced."""

    def __init__(self, rule: str, tape: Tape) -> None:
        self.rule, self.tape, self._count = rule, tape, 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ELEMENTWISE or name in REDUCTIONS or name in WHOLE:
            return functools.partial(self.record, name)
        raise TraceError(
            f"{self.rule}.step uses xp.{name}, which no tape can hold; "
            f"use {', '.join(sorted({*ELEMENTWISE, *REDUCTIONS, *WHOLE}))} or a helper marked @opaque"
        )

    def value(self, shape: tuple[int, ...] | None, boolean: bool = False) -> Value:
        """Make the next value of the tape."""
        self._count += 1
        return Value(self._count - 1, shape, boolean)

    def record(self, name: str, *args: Any, **attrs: Any) -> Any:
        """Append an operation and return the symbol of its result."""
        values = tuple(self._operand(a) for a in args)
        shapes = [a.shape for a in values if isinstance(a, Value) and a.shape is not None]
        if not shapes:
            shape = None  # numbers only: done on the host, in float64
        elif name in REDUCTIONS:
            shape = _reduced(shapes[0], **attrs)
        elif name == "matmul":
            shape = (*shapes[0][:-1], shapes[1][-1])
        elif name == "matrix_transpose":
            shape = (*shapes[0][:-2], shapes[0][-1], shapes[0][-2])
        elif name == "reshape":
            shape, values, attrs = args[1], values[:1], {"shape": args[1]}
        else:
            shape = _broadcast(shapes)
        return self._append(name, values, attrs, shape, name in BOOLEAN)

    def record_helper(
        self, helper: Callable[..., Any], shape: Any, args: tuple[Any, ...], attrs: dict[str, Any]
    ) -> Any:
        """Append a call of an opaque helper."""
        values = tuple(self._operand(a) for a in args)
        shapes = [a.shape for a in values if isinstance(a, Value) and a.shape is not None]
        return self._append(helper.__name__, values, attrs, shape(*shapes) if shape else shapes[0], False, helper)

    def _append(self, name: str, values: tuple[Any, ...], attrs: dict[str, Any], shape: tuple[int, ...] | None,
                boolean: bool, helper: Callable[..., Any] | None = None) -> Any:  # fmt: skip
        out = self.value(shape, boolean)
        self.tape.ops.append(Op(name, values, tuple(sorted(attrs.items())), out, helper))
        return (_Number if shape is None else _Symbol)(self, out)

    def _operand(self, x: Any) -> Any:
        if isinstance(x, _Number):
            return x._value
        if isinstance(x, (bool, int, float)):
            return x
        if isinstance(x, tuple):  # the shape in reshape
            return x
        raise TraceError(f"{self.rule}.step hands a {type(x).__name__} to an operation; expected arrays and numbers")


def _broadcast(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    ndim = max(map(len, shapes))
    columns = zip(*((1,) * (ndim - len(s)) + s for s in shapes), strict=True)
    result = []
    for sizes in columns:
        distinct = {n for n in sizes if n != 1}
        if len(distinct) > 1:
            raise TraceError(f"shapes {shapes} do not broadcast")
        result.append(distinct.pop() if distinct else 1)
    return tuple(result)


def _reduced(
    shape: tuple[int, ...], axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> tuple[int, ...]:
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    gone = {a % len(shape) for a in axes} if shape else set()
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keepdims or i not in gone)


class _Guard:
    """The `self` that `step` sees while it is traced: dialects may be read, numbers may not."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def __getattr__(self, name: str) -> Any:
        rule = self._rule
        if name in numbers(type(rule)):
            raise TraceError(
                f"{type(rule).__name__}.step reads self.{name}; read h.{name}, which has the value of this step"
            )
        found = getattr(rule, name)
        method = isinstance(found, types.MethodType) and found.__self__ is rule
        return types.MethodType(found.__func__, self) if method else found


class _Numbers:
    """The `h` that `step` sees while it is traced: floats are symbols, everything else is static."""

    def __init__(self, rule: str, h: Mapping[str, Any]) -> None:
        self.__dict__.update(h)
        self._rule = rule

    def __getattr__(self, name: str) -> NoReturn:
        raise TraceError(f"{self._rule}.step reads h.{name}, but `scalars` does not return it")


def trace(
    rule: Rule, leaf: Leaf, h: Mapping[str, Any], slots: Mapping[str, tuple[int, ...]], named: bool = False
) -> Tape:
    """Record what `rule` does to a leaf whose slots have the given shapes, with numbers and statics from `h`."""
    name = type(rule).__name__
    tape = Tape(leaf, {}, {})
    recorder = Recorder(name, tape)
    for array, shape in {"g": leaf.shape, "p": leaf.shape, **slots}.items():
        tape.arrays[array] = recorder.value(shape)
    floats = {k for k, v in h.items() if isinstance(v, float)}
    for k in sorted(floats):
        tape.numbers[k] = recorder.value(None)
    guard: Any = _Guard(rule)
    symbols = {k: _Symbol(recorder, v) for k, v in tape.arrays.items()}
    proxy = _Numbers(name, {k: _Number(recorder, tape.numbers[k]) if k in floats else v for k, v in h.items()})
    step = functools.partial(type(rule).step, guard, recorder, proxy, symbols.pop("g"), symbols.pop("p"))
    result = _named(type(rule).step, lambda: step(**symbols), tape) if named else step(**symbols)
    p, after = result
    for slot, x in {"p": p, **after}.items():
        if x is None:
            continue
        if not isinstance(x, _Symbol):
            raise TraceError(f"{name}.step returns {x!r} for {slot}; expected an array")
        tape.outputs[slot] = x._value
    if tape.outputs.keys() != {"p", *slots}:
        raise TraceError(f"{name}.step returns {sorted(tape.outputs)}, expected p and the slots {sorted(slots)}")
    return tape


def _named(function: Callable[..., Any], run: Callable[[], Any], tape: Tape) -> Any:
    """Call `run` and note which local variables of `function` the values of the tape were bound to."""
    import sys

    def note(frame: types.FrameType) -> None:
        for variable, x in frame.f_locals.items():
            if isinstance(x, _Symbol) and x._value.index not in tape.names:
                tape.names[x._value.index] = variable

    def local(frame: types.FrameType, event: str, arg: object) -> Any:
        note(frame)
        return local

    def start(frame: types.FrameType, event: str, arg: object) -> Any:
        return local if frame.f_code is function.__code__ else None

    before = sys.gettrace()
    sys.settrace(start)
    try:
        return run()
    finally:
        sys.settrace(before)
