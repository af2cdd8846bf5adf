"""A tape made ready for replay: operations that change no bit left out, and cut into runs and whole operations.

A run is a stretch of elementwise operations on the leaf's shape. Between runs stand reductions, matrix products and
helpers, which are done on whole arrays, since a reduction's rounding depends on how it is split.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from arrayopt.core.rule import Rule
from arrayopt.core.tape import BOOLEAN, ELEMENTWISE, Op, Tape, Value, host_value
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf
from arrayopt.readers.blocks.numbers import Expression, is_number

UFUNCS = {name: getattr(np, {"abs": "absolute", "divide": "true_divide"}.get(name, name)) for name in ELEMENTWISE}
VIEWS = ("reshape", "matrix_transpose")

Kind = str
"""What is known of a number: "0" and "1" exactly, "+" for other positive ones, "?" for the rest."""


@dataclass(frozen=True)
class Program:
    """What replays: operations on arrays, results by name, and where each number of the step comes from."""

    tape: Tape
    ops: tuple[Op, ...]
    outputs: Mapping[str, Value]
    parts: tuple[tuple[Op, ...], ...]
    """Runs, and whole operations alone."""

    @property
    def elementwise(self) -> bool:
        """Whether a block of the results depends on the same block of the arrays alone."""
        shape = self.tape.leaf.shape
        return all(v.shape == shape for v in self.tape.arrays.values()) and all(
            in_run(op, shape) and all(a.shape in (None, shape) for a in op.args if isinstance(a, Value))
            for op in self.ops
        )


def key(h: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells the programs of one rule on one shape apart: statics, and which numbers are 0 or 1."""
    return tuple((name, kind(x) if is_number(x) else x) for name, x in h.items())


def kind(x: Any) -> Kind:
    """Classify a number of a step."""
    if isinstance(x, Expression) or math.copysign(1.0, x) < 0 or math.isnan(x):
        return "?"
    return {0.0: "0", 1.0: "1"}.get(x, "+")


def host(tape: Tape, h: Mapping[str, Any]) -> dict[int, Any]:
    """Return every number of the tape by the index of its value: floats, or expressions where `h` has them."""
    env = {v.index: h[name] for name, v in tape.numbers.items()}
    for op in tape.ops:
        if op.on_host:
            env[op.out.index] = host_value(op.name, *(env[a.index] if isinstance(a, Value) else a for a in op.args))
    return env


def build(
    rule: Rule, leaf: Leaf, h: Mapping[str, Any], slots: Mapping[str, tuple[int, ...]], every_step: bool = False
) -> Program:
    """Trace a rule on a leaf and prepare the tape, given the numbers of a step.

    `every_step` says that those which are no expressions are the same in every step, and so is what follows from
    them, such as 1 - dampening. Otherwise the program is for steps of one `key`, which does not tell that.
    """
    tape = trace(rule, leaf, {k: 0.5 if isinstance(x, Expression) else x for k, x in h.items()}, slots)
    known = host(tape, h) if every_step else {v.index: h[name] for name, v in tape.numbers.items()}
    numbers = {k: kind(x) for k, x in known.items()}
    ops, outputs = _simplified(tape, numbers)
    parts: list[list[Op]] = []
    running = False
    for op in ops:
        if not (runs := in_run(op, leaf.shape)) or not running:
            parts.append([])
        parts[-1].append(op)
        running = runs
    return Program(tape, tuple(ops), outputs, tuple(map(tuple, parts)))


def in_run(op: Op, shape: tuple[int, ...]) -> bool:
    """Tell whether an operation is elementwise on the leaf's shape."""
    if op.helper is not None or op.name not in (*UFUNCS, "copy") or op.out.shape != shape:
        return False
    # NumPy turns a bool array and a Python float into float64
    rest = op.args[1:] if op.name == "where" else op.args
    return op.out.boolean or not any(isinstance(a, Value) and a.boolean for a in rest)


def _simplified(tape: Tape, kinds: Mapping[int, Kind]) -> tuple[list[Op], dict[str, Value]]:
    """Leave out operations whose result is, bit for bit, there already.

    That is x * 1, x / 1, x - 0, some x + 0, and what has been computed before.
    """
    ops = [op for op in tape.ops if not op.on_host]
    same: dict[int, Value] = {}

    def now(a: Any) -> Any:
        return same.get(a.index, a) if isinstance(a, Value) else a

    kept: list[Op] = []
    seen: dict[Any, Value] = {}
    for op in ops:
        args = tuple(now(a) for a in op.args)
        if op.helper is None and (op.name, args, op.attrs) in seen:
            same[op.out.index] = seen[op.name, args, op.attrs]
            continue
        x = _identity(op.name, args, kinds)
        if x is None and op.name == "add" and _sign_of_zero_is_lost(op.out, ops, tape, kinds):
            x = _plus_zero(args, kinds)
        if x is not None and x.shape == op.out.shape and not x.boolean:
            same[op.out.index] = x
        else:
            kept.append(Op(op.name, args, op.attrs, op.out, op.helper))
            seen[op.name, args, op.attrs] = op.out
    outputs = {name: now(v) for name, v in tape.outputs.items()}
    return _without_dead(kept, outputs), outputs


def _is(a: Any, what: Kind, kinds: Mapping[int, Kind]) -> bool:
    if isinstance(a, Value):
        return a.shape is None and kinds.get(a.index) == what
    return not isinstance(a, (bool, tuple)) and kind(float(a)) == what


def _array(a: Any) -> bool:
    return isinstance(a, Value) and a.shape is not None


def _identity(name: str, args: tuple[Any, ...], kinds: Mapping[int, Kind]) -> Value | None:
    neutral = {"multiply": "1", "divide": "1", "subtract": "0"}.get(name)
    if neutral is None:
        return None
    x, y = args
    if _array(x) and _is(y, neutral, kinds):
        return x  # type: ignore[no-any-return]
    return y if name == "multiply" and _array(y) and _is(x, neutral, kinds) else None


def _plus_zero(args: tuple[Any, ...], kinds: Mapping[int, Kind]) -> Value | None:
    x, y = args
    if _array(x) and _is(y, "0", kinds):
        return x  # type: ignore[no-any-return]
    return y if _array(y) and _is(x, "0", kinds) else None


def _sign_of_zero_is_lost(v: Value, ops: list[Op], tape: Tape, kinds: Mapping[int, Kind]) -> bool:
    """Tell whether -0 in place of 0 would show nowhere: it is kept by roots only, and lost in x + c with c >= 0."""
    if v in tape.outputs.values():
        return False
    for op in ops:
        if v not in op.args:
            continue
        adds = op.name == "add" and any(_is(a, what, kinds) for a in op.args for what in "01+")
        if not adds and not (op.name == "sqrt" and _sign_of_zero_is_lost(op.out, ops, tape, kinds)):
            return False
    return True


def _without_dead(ops: list[Op], outputs: Mapping[str, Value]) -> list[Op]:
    needed = {v.index for v in outputs.values()}
    kept = []
    for op in reversed(ops):
        if op.out.index in needed:
            kept.append(op)
            needed |= {a.index for a in op.args if isinstance(a, Value)}
    return kept[::-1]


def last_uses(program: Program) -> dict[int, int]:
    """Return the last part that needs each value; a view keeps what it looks at, results outlive all parts."""
    last: dict[int, int] = {v.index: len(program.parts) for v in program.outputs.values()}
    for i, part in reversed(list(enumerate(program.parts))):
        for op in reversed(part):
            until = max(i, last.get(op.out.index, i)) if op.name in VIEWS else i
            for a in op.args:
                if isinstance(a, Value):
                    last[a.index] = max(last.get(a.index, -1), until)
    return last


__all__ = ["BOOLEAN", "UFUNCS", "VIEWS", "Program", "build", "host", "in_run", "key", "kind", "last_uses"]
