"""A tape cut for a device: runs of elementwise operations, each one kernel, and operations on whole arrays.

An operation goes into the latest run that its users allow, so that few intermediate arrays have to leave a kernel.
What a kernel makes is written over a slot or the parameter as soon as the old value is dead.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from arrayopt.core.tape import ELEMENTWISE, Op, Tape, Value
from arrayopt.core.trees import Leaf

_VIEWS = ("reshape", "matrix_transpose")


class Place(NamedTuple):
    """Where a value lies: in the gradient, the parameter or a slot, or in an array made for this step."""

    kind: Literal["leaf", "made"]
    key: str | int
    """The name of the leaf's array, or the value's index."""


@dataclass(frozen=True)
class Run:
    """Elementwise operations with results of one shape: all is read before anything is written."""

    shape: tuple[int, ...]
    ops: tuple[Op, ...]
    reads: tuple[tuple[Value, Place], ...]
    writes: tuple[tuple[Value, Place], ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Whole:
    """A reduction, matrix operation or helper, done on whole arrays by the array library."""

    op: Op
    reads: tuple[tuple[Value, Place], ...]
    copies: bool
    """Whether the result would otherwise be a view of an array that the step writes."""


@dataclass(frozen=True)
class Parts:
    """What to do to a leaf, in order; after each part, the values whose arrays are no longer needed."""

    leaf: Leaf
    numbers: Mapping[str, Value]
    host: tuple[Op, ...]
    parts: tuple[Run | Whole, ...]
    free: tuple[tuple[int, ...], ...]


def is_elementwise(op: Op) -> bool:
    """Tell whether a kernel can do an operation."""
    return op.helper is None and op.name in ELEMENTWISE


def cut(tape: Tape) -> Parts:
    """Cut a tape into parts."""
    groups = _grouped(tape)
    return Parts(tape.leaf, tape.numbers, tuple(op for op in tape.ops if op.on_host), *_placed(tape, groups))


def _array_args(op: Op) -> Iterable[Value]:
    return (a for a in op.args if isinstance(a, Value) and a.shape is not None)


def _grouped(tape: Tape) -> list[list[Op]]:
    """Return runs of elementwise operations, and other operations alone, in an order that can be executed."""
    users: dict[int, list[Op]] = defaultdict(list)
    level: dict[int, int] = {}
    wanted = {v.index for v in tape.outputs.values()}
    for op in reversed([op for op in tape.ops if not op.on_host]):
        k = op.out.index
        if k not in wanted and not users[k]:
            continue
        level[k] = min((level[u.out.index] - (not _fuse(op, u)) for u in users[k]), default=0)
        for a in _array_args(op):
            users[a.index].append(op)
    groups: dict[tuple[int, object], list[Op]] = defaultdict(list)  # those of one level do not need each other
    for op in sorted((op for op in tape.ops if op.out.index in level), key=lambda op: level[op.out.index]):
        k = op.out.index
        groups[level[k], op.out.shape if is_elementwise(op) else k].append(op)
    return list(groups.values())


def _fuse(op: Op, user: Op) -> bool:
    return is_elementwise(op) and is_elementwise(user) and op.out.shape == user.out.shape


def _last_uses(tape: Tape, groups: Sequence[Sequence[Op]]) -> dict[int, int]:
    """Return the number of the last group that needs a value; what is stored at the end may need one more."""
    last: dict[int, int] = {}
    own = {v.index: name for name, v in tape.arrays.items()}
    for name, v in tape.outputs.items():
        if v.index in own and own[v.index] != name:
            last[v.index] = len(groups) - bool(
                groups and is_elementwise(groups[-1][0]) and groups[-1][0].out.shape == v.shape
            )
    for i, group in reversed(list(enumerate(groups))):
        for op in group:
            for a in _array_args(op):
                last.setdefault(a.index, i)
    return last


def _placed(tape: Tape, groups: Sequence[Sequence[Op]]) -> tuple[tuple[Run | Whole, ...], tuple[tuple[int, ...], ...]]:
    """Decide where every value lies."""
    last = _last_uses(tape, groups)
    at = {v.index: Place("leaf", name) for name, v in tape.arrays.items()}
    names: dict[int, list[str]] = defaultdict(list)
    for name, v in tape.outputs.items():
        names[v.index].append(name)
    wide = tape.leaf.dtype == "bfloat16"  # rounded when it is stored, not when it is used in the same step
    parts: list[Run | Whole] = []
    late: list[tuple[Value, Place]] = []
    for name, v in tape.outputs.items():
        if v.index in at and at[v.index].key != name:  # the gradient, or another slot
            late.append((v, Place("leaf", name)))
    for i, group in enumerate(groups):
        made = {op.out.index for op in group}
        reads = {a.index: (a, at[a.index]) for op in group for a in _array_args(op) if a.index not in made}
        if not is_elementwise(group[0]):
            out = group[0].out
            old = {v.index for name, v in tape.arrays.items() if name != "g"}
            copies = group[0].name in _VIEWS and not old.isdisjoint(reads)
            parts.append(Whole(group[0], tuple(reads.values()), copies))
            at[out.index] = Place("made", out.index)
            late += [(out, Place("leaf", name)) for name in names[out.index]]
            continue
        writes: list[tuple[Value, Place]] = []
        for op in group:
            k = op.out.index
            ready = [name for name in names[k] if last.get(tape.arrays[name].index, -1) <= i]
            waiting = [name for name in names[k] if name not in ready]
            writes += [(op.out, Place("leaf", name)) for name in ready]
            late += [(op.out, Place("leaf", name)) for name in waiting]
            if last.get(k, -1) > i or waiting:
                at[k] = Place("leaf", ready[0]) if ready and not wide else Place("made", k)
                writes += [(op.out, at[k])] * (at[k].kind == "made")
        parts.append(Run(group[0].out.shape or (), tuple(group), tuple(reads.values()), tuple(writes)))
    _store(parts, late, at)
    return tuple(parts), _frees(parts)


def _store(parts: list[Run | Whole], late: Iterable[tuple[Value, Place]], at: Mapping[int, Place]) -> None:
    """Store what could not be written when it was made: in the last run where that has the shape, else in one more."""
    by_shape: dict[tuple[int, ...], list[tuple[Value, Place]]] = defaultdict(list)
    for v, place in late:
        by_shape[v.shape or ()].append((v, place))
    for shape, stores in by_shape.items():
        run = Run(shape, (), (), ())
        if parts and isinstance(parts[-1], Run) and parts[-1].shape == shape:
            run = parts.pop()  # type: ignore[assignment]
        reads = dict.fromkeys([*run.reads, *((v, at[v.index]) for v, _ in stores)])
        parts.append(Run(shape, run.ops, tuple(reads), (*run.writes, *stores)))


def _frees(parts: Sequence[Run | Whole]) -> tuple[tuple[int, ...], ...]:
    last: dict[int, int] = {}
    for i, part in enumerate(parts):
        for v, place in (*part.reads, *(part.writes if isinstance(part, Run) else ())):
            if place.kind == "made":
                last[v.index] = i
    return tuple(tuple(k for k, n in last.items() if n == i) for i in range(len(parts)))
