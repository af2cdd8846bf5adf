"""Leaves that share launches, and the launching."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.tape import Value
from arrayopt.core.trees import Leaf
from arrayopt.readers.kernel.device import Device
from arrayopt.readers.kernel.parts import Place, Run, Whole
from arrayopt.readers.kernel.program import Program
from arrayopt.readers.kernel.source import CHUNK, MADE, Source, Text


class Member:
    """A leaf with its arrays: the parameter, the slots and, during a step, the gradient and its numbers."""

    def __init__(self, leaf: Leaf, arrays: dict[str, Array]) -> None:
        self.leaf, self.arrays = leaf, arrays
        self.h: Mapping[str, Any] = {}


class Row(NamedTuple):
    """A leaf's part in a launch for many."""

    member: int
    size: int
    addresses: tuple[int, ...]


class Batch:
    """Leaves whose programs have the same signature."""

    def __init__(self, device: Device, members: Sequence[Member], programs: Sequence[Program]) -> None:
        self.device, self.members, self.programs = device, members, programs
        self.dtype = members[0].leaf.dtype
        self.wide = MADE[self.dtype]
        self._tables: dict[int, _Table] = {}
        self._rows: dict[int, list[Row]] = {}
        self._texts: dict[tuple[int, tuple[int, ...]], Text] = {}
        kinds: dict[Any, int] = {}
        self._tapes = [kinds.setdefault(p.on_host, len(kinds)) for p in programs]

    def run(self, same: bool = False) -> None:
        """Take the step; `same` says that the arrays are those of the step before."""
        if not same:
            self._rows.clear()
        numbers = self._numbers()
        made: list[dict[int, Array]] = [{} for _ in self.members]
        for i, part in enumerate(self.programs[0].parts):
            if isinstance(part, Run):
                self._launch(i, numbers, made)
            else:
                for m, program, own, n in zip(self.members, self.programs, made, numbers, strict=True):
                    whole = program.parts[i]
                    assert isinstance(whole, Whole)
                    own[whole.op.out.index] = self._whole(whole, m, own, n)
            if self.programs[0].free[i]:
                for program, own in zip(self.programs, made, strict=True):
                    for k in program.free[i]:
                        del own[k]

    def _numbers(self) -> list[Mapping[int, float]]:
        """Return the numbers of each leaf: the same object where they are the same."""
        known: dict[tuple[int, int], Mapping[int, float]] = {}
        found = []
        for m, program, tape in zip(self.members, self.programs, self._tapes, strict=True):
            key = id(m.h), tape
            if key not in known:
                known[key] = program.numbers(m.h)
            found.append(known[key])
        return found

    def _whole(self, part: Whole, m: Member, made: Mapping[int, Array], numbers: Mapping[int, float]) -> Array:
        """Do one operation by the array library, in float32 where the leaf is bfloat16."""
        xp, op = self.device.xp, part.op
        at = {v.index: (_array(place, m, made), place) for v, place in part.reads}
        args: list[Any] = []
        for a in op.args:
            if isinstance(a, Value) and a.shape is not None:
                x, place = at[a.index]
                narrow = place.kind == "leaf" and self.wide != self.dtype
                args.append(xp.astype(x, xp.float32) if narrow else x)
            else:
                args.append(numbers[a.index] if isinstance(a, Value) else a)
        if op.helper is not None:
            return xp.asarray(op.helper(xp, *args, **dict(op.attrs)))
        result = getattr(xp, op.name)(*args, **dict(op.attrs))
        return xp.asarray(result, copy=True if part.copies else None)  # NumPy gives scalars, not 0-d arrays

    def _launch(self, i: int, numbers: Sequence[Mapping[int, float]], made: Sequence[dict[int, Array]]) -> None:
        """Do one run on all leaves."""
        rows = self._rows.get(i)
        if rows is None:
            rows, again = [], True
            for n, (m, program, own) in enumerate(zip(self.members, self.programs, made, strict=True)):
                run, text = program.parts[i], program.sources[i]
                assert isinstance(run, Run)
                assert text is not None
                for v, place in run.writes:
                    if place.kind == "made":
                        own[v.index] = self.device.empty(run.shape, "bool" if v.boolean else self.wide)
                arrays = [_array(x.place, m, own) for x in text.operands]
                if run.size == 0:
                    again = again and all(x.place.kind == "leaf" for x in text.operands)
                elif text.broadcasts or not all(x.flags.c_contiguous for x in arrays):
                    self._one(text, arrays, numbers[n])
                    again = False
                else:
                    rows.append(Row(n, run.size, tuple(map(self.device.address, arrays))))
                    again = again and all(x.place.kind == "leaf" for x in text.operands)
            if again:  # the next step finds the same, unless it brings other gradients
                self._rows[i] = rows
        if rows:
            self._many(i, rows, numbers)

    def _one(self, text: Source, arrays: Sequence[Array], numbers: Mapping[int, float]) -> None:
        bits = text.kind.bits
        seen = [(x.view(bits) if bits and o.store == text.kind.store else x, o.written)
                for x, o in zip(arrays, text.operands, strict=True)]  # fmt: skip
        read = [x for x, written in seen if not written]
        written = [x for x, written in seen if written]
        self.device.launch_one(text.one, [*read, *(text.number(numbers[k]) for k in text.numbers), *written])

    def _many(self, i: int, rows: Sequence[Row], numbers: Sequence[Mapping[int, float]]) -> None:
        key = tuple((row.size, *row.addresses) for row in rows)
        table = self._tables.get(i)
        if table is None or table.key != key:
            table = self._tables[i] = _Table(self.device, key)
        text = self._source(rows[0].member, i)
        first = [numbers[rows[0].member][k] for k in text.numbers]
        varying: tuple[int, ...] = ()
        if any(numbers[row.member] is not numbers[rows[0].member] for row in rows):
            each = [[numbers[row.member][k] for k in self._source(row.member, i).numbers] for row in rows]
            varying = tuple(j for j, x in enumerate(first) if any(own[j] != x for own in each))
        arguments = [table.rows, table.leaf_of]
        if varying:
            differing = [[text.number(own[j]) for j in varying] for own in each]
            arguments.append(self.device.upload(np.array(differing, type(text.number(0.0)))))
        arguments += [text.number(x) for j, x in enumerate(first) if j not in varying]
        if (i, varying) not in self._texts:
            self._texts[i, varying] = text.many(varying)
        self.device.launch(self._texts[i, varying], table.blocks, arguments)

    def _source(self, member: int, i: int) -> Source:
        text = self.programs[member].sources[i]
        assert text is not None
        return text


class _Table:
    """Sizes and addresses of the operands of a launch, on the device."""

    def __init__(self, device: Device, key: tuple[tuple[int, ...], ...]) -> None:
        self.key = key
        chunks = [-(-size // CHUNK) for size, *_ in key]
        first = np.cumsum([0, *chunks])
        self.blocks = int(first[-1])
        self.rows = device.upload(
            np.array([(size, start, *places) for (size, *places), start in zip(key, first[:-1], strict=True)], np.int64)
        )
        self.leaf_of = device.upload(np.repeat(np.arange(len(key), dtype=np.int32), chunks))


def _array(place: Place, m: Member, made: Mapping[int, Array]) -> Array:
    return m.arrays[place.key] if isinstance(place.key, str) else made[place.key]
