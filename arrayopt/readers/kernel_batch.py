"""Leaves that share launches, and the launching."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.tape import Value
from arrayopt.core.trees import Leaf
from arrayopt.readers.kernel_device import Device
from arrayopt.readers.kernel_parts import Place, Run, Whole
from arrayopt.readers.kernel_program import Program
from arrayopt.readers.kernel_source import CHUNK, MADE, Source


class Member:
    """A leaf with its arrays: the parameter, the slots and, during a step, the gradient and its numbers."""

    def __init__(self, leaf: Leaf, arrays: dict[str, Array]) -> None:
        self.leaf, self.arrays = leaf, arrays
        self.h: Mapping[str, Any] = {}

    def begin(self, g: Array, h: Mapping[str, Any]) -> None:
        """Take what a step brings."""
        self.arrays["g"], self.h = g, h

    def end(self) -> None:
        """Let go of the gradient."""
        del self.arrays["g"]


class Batch:
    """Leaves whose programs have the same signature."""

    def __init__(self, device: Device, members: Sequence[Member], programs: Sequence[Program]) -> None:
        self.device, self.members, self.programs = device, members, programs
        self.dtype = members[0].leaf.dtype
        self.wide = MADE[self.dtype]
        self._tables: dict[int, _Table] = {}

    def run(self) -> None:
        """Take the step."""
        # leaves with the same h have the same numbers, if they have the same tape
        known: dict[tuple[int, int], dict[int, float]] = {}
        numbers = []
        for m, program in zip(self.members, self.programs, strict=True):
            key = id(m.h), id(program)
            if key not in known:
                known[key] = program.numbers(m.h)
            numbers.append(known[key])
        made: list[dict[int, Array]] = [{} for _ in self.members]
        for i, part in enumerate(self.programs[0].parts):
            if isinstance(part, Run):
                self._launch(i, numbers, made)
            else:
                for m, program, own, n in zip(self.members, self.programs, made, numbers, strict=True):
                    whole = program.parts[i]
                    assert isinstance(whole, Whole)
                    own[whole.op.out.index] = self._whole(whole, m, own, n)
            for program, own in zip(self.programs, made, strict=True):
                for k in program.free[i]:
                    del own[k]

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
        return xp.asarray(getattr(xp, op.name)(*args, **dict(op.attrs)))  # NumPy gives scalars, not 0-d arrays

    def _launch(self, i: int, numbers: Sequence[Mapping[int, float]], made: Sequence[dict[int, Array]]) -> None:
        """Do one run on all leaves."""
        rows: list[tuple[int, int, Source, list[Array]]] = []
        for n, (m, program, own) in enumerate(zip(self.members, self.programs, made, strict=True)):
            run, text = program.parts[i], program.sources[i]
            assert isinstance(run, Run)
            assert text is not None
            for v, place in run.writes:
                if place.kind == "made":
                    own[v.index] = self.device.empty(run.shape, "bool" if v.boolean else self.wide)
            arrays = [_array(x.place, m, own) for x in text.operands]
            if run.size == 0:
                continue
            if text.broadcasts or not all(x.flags.c_contiguous for x in arrays):
                self._one(text, arrays, numbers[n])
            else:
                rows.append((n, run.size, text, arrays))
        if rows:
            self._many(i, rows, [[numbers[n][k] for k in text.numbers] for n, _, text, _ in rows])

    def _one(self, text: Source, arrays: Sequence[Array], numbers: Mapping[int, float]) -> None:
        kind = text.kind
        seen = [x.view(kind.bits) if kind.bits and _is_bits(o.store) else x
                for x, o in zip(arrays, text.operands, strict=True)]  # fmt: skip
        read = [x for x, o in zip(seen, text.operands, strict=True) if not o.written]
        written = [x for x, o in zip(seen, text.operands, strict=True) if o.written]
        self.device.launch_one(text.one, [*read, *(text.number(numbers[k]) for k in text.numbers), *written])

    def _many(self, i: int, rows: Sequence[tuple[int, int, Source, list[Array]]], numbers: list[list[float]]) -> None:
        text = rows[0][2]
        address = self.device.address
        key = tuple((size, *map(address, arrays)) for _, size, _, arrays in rows)
        table = self._tables.get(i)
        if table is None or table.key != key:
            table = self._tables[i] = _Table(self.device, key)
        varying = tuple(j for j in range(len(text.numbers)) if any(row[j] != numbers[0][j] for row in numbers))
        arguments = [table.rows, table.leaf_of]
        if varying:
            dtype = type(text.number(0.0))
            differing = [[text.number(row[j]) for j in varying] for row in numbers]
            arguments.append(self.device.upload(np.array(differing, dtype)))
        arguments += [text.number(x) for j, x in enumerate(numbers[0]) if j not in varying]
        self.device.launch(text.many(varying), table.blocks, arguments)


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


def _is_bits(store: str) -> bool:
    return store == "unsigned short"
