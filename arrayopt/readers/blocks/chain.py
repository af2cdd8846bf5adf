"""Rules that look at a whole leaf: runs in blocks, and operations on whole arrays between them.

What is handed from one part to the next lies in the leaf's own slots where their old values are dead, else in
temporaries that share one piece of memory a thread.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from array_api_compat import numpy as xp

from arrayopt.core.tape import Op, Value
from arrayopt.readers.blocked import Bank, pieces, zero_dimensional
from arrayopt.readers.blocks.program import UFUNCS, VIEWS, Program, in_run, last_uses
from arrayopt.readers.blocks.registers import Run, allocate
from arrayopt.readers.blocks.source import block_function
from arrayopt.readers.blocks.workspaces import workspace

ALIGNED = 64


class Chain:
    """One leaf's program.

    Parameters
    ----------
    plan : Plan
        Whose program it is; ``plan.values`` holds the numbers of the step, by value index.
    leaf : Bound
        The arrays.
    bank, engine
        Scratch of the thread, and what replays runs.
    """

    def __init__(self, plan: Any, leaf: Any, bank: Bank, engine: Any) -> None:
        self._plan, self._leaf, self._bank, self._engine = plan, leaf, bank, engine
        self._program: Program = plan.program
        self._g: np.ndarray | None = None
        self._steps: list[Callable[[], None]] | None = None
        self._env: dict[int, Any] = {}
        self.room = 0
        self._replays = leaf.contiguous and leaf.leaf.ndim > 0 and leaf.leaf.size > 0
        if self._replays:
            self._place()

    def take(self, grads: Sequence[np.ndarray]) -> None:
        """Step along these gradients."""
        self._g = grads[self._leaf.index]

    def __call__(self) -> None:
        """Take the step of the plan's numbers."""
        if not self._replays or not self._g.flags.c_contiguous:  # type: ignore[union-attr]
            self._pure()
            return
        if self._steps is None:
            self._steps = self._bind()
        env, tape = self._env, self._program.tape
        env.update(self._plan.values)
        env[tape.arrays["g"].index] = self._g
        for step in self._steps:
            step()

    def _pure(self) -> None:
        """Step as the pure rule does: a sum over a strided array depends on how it lies in memory.

        Leaves without elements or axes are not worth a program.
        """
        leaf, arrays = self._leaf, self._leaf.arrays
        slots = {s: x for s, x in arrays.items() if s != "p"}
        p, new = leaf.rule.on_leaf(xp, self._plan.t, leaf.leaf, self._g, arrays["p"], slots)
        for name, x in {"p": p, **new}.items():
            arrays[name][...] = x

    # Where values lie -------------------------------------------------------------------------

    def _place(self) -> None:
        """Give every value that outlives its part a place: a slot, or a stretch of the thread's temporaries."""
        program, shape = self._program, self._leaf.leaf.shape
        last, slots = last_uses(program), self._program.tape.arrays
        results: dict[int, list[str]] = {}
        for name, v in program.outputs.items():
            results.setdefault(v.index, []).append(name)
        self._slot: dict[int, str] = {}
        self._temporary: dict[int, tuple[int, tuple[int, ...], Any]] = {}
        self._last = last
        free: dict[int, list[int]] = {}
        busy: list[tuple[int, int, int]] = []
        for i, part in enumerate(program.parts):
            for op in part:
                k = op.out.index
                if self._is_run(part) and last.get(k, -1) <= i:
                    continue
                if op.name in VIEWS or op.out.shape == () or (op.helper and not self._workspace(op)):
                    continue
                names = results.get(k, [])
                before = i if self._is_run(part) else i - 1  # the last part that may read what is written over
                own = len(names) == 1 and op.out.shape == shape and not op.out.boolean
                if own and last.get(slots[names[0]].index, -1) <= before:
                    self._slot[k] = names[0]
                    continue
                dtype = np.dtype(bool) if op.out.boolean else self._leaf.dtype
                size = -(-math.prod(op.out.shape or ()) * dtype.itemsize // ALIGNED) * ALIGNED
                start = free[size].pop() if free.get(size) else self.room
                self.room = max(self.room, start + size)
                busy.append((last.get(k, i), size, start))
                self._temporary[k] = start, op.out.shape or (), dtype
            for end, size, start in [b for b in busy if b[0] <= i]:
                busy.remove((end, size, start))
                free.setdefault(size, []).append(start)

    def _is_run(self, part: Sequence[Op]) -> bool:
        return in_run(part[0], self._leaf.leaf.shape)

    def _workspace(self, op: Op) -> Any:
        return op.helper and workspace(op.helper, op.args[0].shape, self._leaf.dtype, dict(op.attrs))

    def _storage(self, k: int) -> np.ndarray | None:
        if k in self._slot:
            return self._leaf.arrays[self._slot[k]]  # type: ignore[no-any-return]
        if k in self._temporary:
            return self._bank.view(*self._temporary[k])
        return None

    # The steps --------------------------------------------------------------------------------

    def _bind(self) -> list[Callable[[], None]]:
        program, leaf = self._program, self._leaf
        self._env = {v.index: leaf.arrays[name] for name, v in program.tape.arrays.items() if name != "g"}
        steps = [
            self._run(i, part) if self._is_run(part) else self._whole(part[0]) for i, part in enumerate(program.parts)
        ]
        late = [
            (leaf.arrays[name], v.index)
            for name, v in program.outputs.items()
            if self._slot.get(v.index) != name and v != program.tape.arrays[name]
        ]
        if late:
            steps.append(self._late(late))
        return steps

    def _late(self, late: Sequence[tuple[np.ndarray, int]]) -> Callable[[], None]:
        """Copy what could not be written to its slot before everything had been read."""
        own = {v.index for v in self._program.tape.arrays.values()}
        first = [x for x in late if x[1] in own]
        rest = [x for x in late if x[1] not in own]
        env = self._env

        def copy() -> None:
            moved = [env[k].copy() if len(first) > 1 else env[k] for _, k in first]
            for (x, _), y in zip(first, moved, strict=True):
                x[...] = y
            for x, k in rest:
                x[...] = env[k]

        return copy

    def _run(self, i: int, part: Sequence[Op]) -> Callable[[], None]:
        shape, env, bank, dtype = self._leaf.leaf.shape, self._env, self._bank, self._leaf.dtype
        made = {op.out.index for op in part}
        read = {a.index: a for op in part for a in op.args if isinstance(a, Value) and a.index not in made}
        single = {k for k, v in read.items() if v.shape in (None, ())}
        part = _spread([v for k, v in read.items() if k not in single and v.shape != shape], part, shape)
        places = {k: f"x_{k}" for k in read if k not in single}
        finals = {f"x_{k}": op.out for op in part if (k := op.out.index) in self._slot or k in self._temporary}
        for place, v in finals.items():  # the slot that a result takes over is the same array as its old value
            name = self._slot.get(v.index)
            old = self._program.tape.arrays[name].index if name else None
            if old in places:
                places[old] = place
        kept = {k for k in places if self._last.get(k, -1) > i}
        run = allocate(part, places, finals, kept)
        scalars = np.empty(len(run.scalars), dtype)
        for n, s in enumerate(run.scalars):
            if s.value is None:
                scalars[n] = s.literal
        changing = [(n, s.value) for n, s in enumerate(run.scalars) if s.value is not None]
        outputs = {op.out.index: self._storage(op.out.index) for op in part if f"x_{op.out.index}" in finals}
        source = [next((k for k in (*outputs, *places) if self._same(k, place, places)), -1) for place in run.inputs]
        flat = all(read[k].shape == shape for k in places)
        replay = self._engine.replayer(run, scalars, bank) if flat else _by_rows(run, scalars, bank, shape, dtype)

        def step() -> None:
            env.update(outputs)
            for n, k in changing:
                scalars[n] = env[k]
            replay([env[k] for k in source])

        return step

    def _same(self, k: int, place: str, places: Mapping[int, str]) -> bool:
        return places.get(k, f"x_{k}") == place

    def _whole(self, op: Op) -> Callable[[], None]:
        env, k, out = self._env, op.out.index, self._storage(op.out.index)
        values = [(a.index, None) if isinstance(a, Value) else (None, a) for a in op.args]
        compute = self._computation(op, out)

        def step() -> None:
            env[k] = compute(*[a if j is None else env[j] for j, a in values])

        return step

    def _computation(self, op: Op, out: np.ndarray | None) -> Callable[..., Any]:
        attrs = dict(op.attrs)
        if op.helper is not None:
            make = self._workspace(op)
            if make is not None:
                in_place = self._bank.workspace((op.helper, op.args[0].shape, self._leaf.dtype, op.attrs), make)
                return lambda *args: in_place(*args, out)
            helper = op.helper
            return lambda *args: helper(xp, *args, **attrs)
        function: Callable[..., Any] = UFUNCS.get(op.name) or getattr(xp, op.name)
        if out is None or op.name in VIEWS:
            return lambda *args: function(*args, **attrs)
        kept = out
        if op.name == "where":
            return lambda c, x, y: _where(kept, c, x, y)
        if out.dtype == np.float16:  # means of it are sums in float32, unless they are written to float16
            return lambda *args: _copied(kept, function(*args, **attrs))
        return lambda *args: function(*args, out=kept, **attrs)


def _where(out: np.ndarray, condition: Any, x: Any, y: Any) -> np.ndarray:
    np.copyto(out, y)
    np.copyto(out, x, where=condition)
    return out


def _copied(out: np.ndarray, x: Any) -> np.ndarray:
    out[...] = x
    return out


def _spread(narrow: Sequence[Value], part: Sequence[Op], shape: tuple[int, ...]) -> list[Op]:
    """Copy what is broadcast to blocks of the full shape first: a ufunc would do so in memory that it allocates."""
    wide = {v: Value(-1000 - n, shape, v.boolean) for n, v in enumerate(narrow)}
    copies = [Op("copy", (v,), (), w) for v, w in wide.items()]
    return copies + [
        Op(op.name, tuple(wide.get(a, a) if isinstance(a, Value) else a for a in op.args), op.attrs, op.out, op.helper)
        for op in part
    ]


def _by_rows(run: Run, scalars: np.ndarray, bank: Bank, shape: tuple[int, ...], dtype: Any) -> Callable[[Any], None]:
    """Return a replay of a run some of whose arrays are broadcast, such as one number a row."""
    block = block_function(run, zero_dimensional(scalars))

    def replay(arrays: Sequence[np.ndarray]) -> None:
        wide = [np.broadcast_to(x, shape) if x.shape != shape else x for x in arrays]
        for where, box, _ in pieces(shape, bank.block):
            registers = bank.registers(run, dtype, math.prod(box))
            block(*[x[where] for x in wide], *[r.reshape(box) for r in registers])

    return replay
