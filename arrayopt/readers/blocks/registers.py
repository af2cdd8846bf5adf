"""Register allocation: where each result of a run is written, so that few blocks of scratch are needed.

A result goes to the place it must end in once the old value there is dead; else over an operand that dies; else to
an array that waits for its own result; else to a scratch register.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arrayopt.core.tape import Op, Value

Place = str
"""An identifier of generated code: ``x_p`` an array, ``r0`` a register, ``b0`` a register of bools, ``s0`` a number."""


@dataclass(frozen=True)
class Instruction:
    """One operation on places, with the place of its result."""

    name: str
    args: tuple[Place, ...]
    out: Place


@dataclass(frozen=True)
class Scalar:
    """Where the number ``s<k>`` comes from: a value of the tape, or a literal."""

    value: int | None
    literal: float = 0.0


@dataclass(frozen=True)
class Run:
    """A run with places: what generated code is made from.

    Attributes
    ----------
    instructions : tuple of Instruction
        In order.
    inputs : tuple of Place
        The arrays it reads or writes, full or broadcast, in order.
    written : tuple of Place
        Those that it writes.
    masks : tuple of Place
        Those that hold bools.
    registers, booleans : int
        How many blocks of scratch it needs, ``r0`` to ``r<n-1>`` of the leaf's dtype and ``b0`` ... of bools.
    scalars : tuple of Scalar
        The numbers ``s0``, ``s1``, ..., of the leaf's dtype.
    """

    instructions: tuple[Instruction, ...]
    inputs: tuple[Place, ...]
    written: tuple[Place, ...]
    masks: tuple[Place, ...]
    registers: int
    booleans: int
    scalars: tuple[Scalar, ...]


def allocate(ops: Sequence[Op], places: Mapping[int, Place], finals: Mapping[Place, Value], kept: set[int]) -> Run:
    """Allocate a run.

    Parameters
    ----------
    ops : sequence of Op
        Elementwise operations.
    places : mapping
        Value index -> place, of the arrays that exist before the run.
    finals : mapping
        Place -> the value it must hold after the run. What it holds before, `kept` aside, is dead by then.
    kept : set of int
        Indices of values in `places` that must be there after the run as well.
    """
    return _Allocator(ops, places, finals, kept).run()


class _Allocator:
    def __init__(
        self, ops: Sequence[Op], places: Mapping[int, Place], finals: Mapping[Place, Value], kept: set[int]
    ) -> None:
        self.ops = list(ops)
        self.finals: dict[Place, int] = {}
        for place, v in finals.items():
            if v.index in places or v.index in self.finals.values():  # an array as it was, or one result for two
                v, source = Value(-len(self.ops) - 1, v.shape), v
                self.ops.append(Op("copy", (source,), (), v))
            self.finals[place] = v.index
        self.made = {op.out.index: n for n, op in enumerate(self.ops)}
        end = len(self.ops)
        self.last = {a.index: n for n, op in enumerate(self.ops) for a in op.args if isinstance(a, Value)}
        self.last |= dict.fromkeys(kept, end) | dict.fromkeys(self.finals.values(), end)
        self.held = {k: place for k, place in places.items() if k in self.last}
        values = {a.index: a for op in self.ops for a in (*op.args, op.out) if isinstance(a, Value)}
        held = [*places.items(), *((k, place) for place, k in self.finals.items())]
        self.masks = {place for k, place in held if k in values and values[k].boolean}
        self.targets = {k: place for place, k in self.finals.items()}
        self.given = dict(places)
        self.free: list[Place] = []
        self.counts = {"r": 0, "b": 0}
        self.scalars: dict[Any, int] = {}
        self.code: list[Instruction] = []

    def run(self) -> Run:
        for n, op in enumerate(self.ops):
            self._place(n, op)
        for place, k in self.finals.items():
            if self.held[k] != place:
                self.code.append(Instruction("copy", (self.held[k],), place))
        touched = [a for i in self.code for a in (*i.args, i.out) if a[0] not in "rbs"]
        written = {i.out for i in self.code} - {f"{c}{i}" for c, n in self.counts.items() for i in range(n)}
        inputs = tuple(dict.fromkeys(touched))
        return Run(
            tuple(self.code),
            inputs,
            tuple(x for x in inputs if x in written),
            tuple(x for x in inputs if x in self.masks),
            self.counts["r"],
            self.counts["b"],
            tuple(self.scalars),
        )

    def _place(self, n: int, op: Op) -> None:
        args = tuple(self._operand(a) for a in op.args)
        dying = [a.index for a in op.args if isinstance(a, Value) and self.last.get(a.index, -1) <= n]
        over = {self.held[k] for k in dying if k in self.held}
        safe = {place for place in over if _in_place(op.name, args, place)}
        for k in dying:
            self._release(k)
        out = self._destination(n, op.out, over - safe)
        self.free = [x for x in self.free if x != out]
        self.held[op.out.index] = out
        self.code.append(Instruction(op.name, args, out))
        if self.last.get(op.out.index, -1) <= n:
            self._release(op.out.index)

    def _release(self, k: int) -> None:
        place = self.held.pop(k, None)
        if place is not None and place[0] in "rb":
            self.free.append(place)

    def _destination(self, n: int, v: Value, barred: set[Place]) -> Place:
        taken = set(self.held.values()) | barred
        wanted = self.targets.get(v.index)
        if wanted is not None and wanted not in taken:
            return wanted
        if v.boolean:
            return next((x for x in self.free if x[0] == "b" and x not in taken), None) or self._new("b")
        for place in (x for x in reversed(self.free) if x[0] == "r" and x not in taken):
            return place
        for place, k in self.finals.items():  # an array that waits for its result, if this value is gone by then
            if place in self.masks:
                continue
            if place not in taken and n < self.made[k] and self.last.get(v.index, -1) < self.made[k]:
                return place
            if place not in taken and self.last.get(v.index, -1) == self.made[k] and v in self.ops[self.made[k]].args:
                return place
        return self._new("r")

    def _new(self, letter: str) -> Place:
        self.counts[letter] += 1
        return f"{letter}{self.counts[letter] - 1}"

    def _operand(self, a: Any) -> Place:
        if isinstance(a, Value) and a.index in self.held:
            return self.held[a.index]
        if isinstance(a, Value) and a.index in self.given:
            return self.given[a.index]
        scalar = Scalar(a.index) if isinstance(a, Value) else Scalar(None, float(a))
        return f"s{self.scalars.setdefault(scalar, len(self.scalars))}"


def _in_place(name: str, args: tuple[Place, ...], place: Place) -> bool:
    """Tell whether an operation may write over an operand: NumPy's `sign` is ten times slower there."""
    if name == "where":  # written in two passes, the last operand first
        return place not in args[:2]
    return name != "sign"
