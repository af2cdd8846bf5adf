"""The engine "numba": a run as one fused loop over all leaves of a group, bit for bit what NumPy gives.

Fast-math is off, so nothing is reordered or contracted. The numbers of a step are arguments, so a changing rate
compiles nothing. Source and machine code are kept on disk, in ``ARRAYOPT_CACHE_DIR`` or the user's cache directory;
where neither can be written, a kernel is compiled once per process.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from arrayopt.readers import blocked
from arrayopt.readers.blocked import Bank
from arrayopt.readers.blocks import loops
from arrayopt.readers.blocks.layout import address
from arrayopt.readers.blocks.registers import Run

Kernel = Callable[[int, int, int, int], None]


@intrinsic  # type: ignore[untyped-decorator]
def pointer(typing_context: Any, number: Any) -> Any:
    """Turn an address into a pointer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(number), generate


@functools.lru_cache(1024)
def kernel(run: Run, dtype: Any) -> Kernel:
    """Return the compiled loop of a run; see `loops.source` for its arguments."""
    text = loops.source("kernel", run, dtype)
    name = f"kernel_{hashlib.sha256(f'{dtype} {text} 2'.encode()).hexdigest()[:24]}"  # count up with `pointer`
    text = text.replace("def kernel(", f"def {name}(", 1)
    path = _stored(name, text)
    scalar = dtype.type
    space: dict[str, Any] = {
        "__name__": __name__,  # where numba looks for a cached function's globals
        **{"pointer": pointer, "carray": numba.carray, "sqrt": np.sqrt, "DTYPE": scalar, "MASK": np.bool_},
        **{"ZERO": scalar(0), "ONE": scalar(1), "INFINITY": scalar(np.inf)},
        **{"ADDRESS": np.uint64, "LENGTH": np.int64},
    }
    exec(compile(text, path or f"<{name}>", "exec"), space)  # nothing but what `loops` wrote
    signature = types.void(types.uint64, types.uint64, types.int64, types.uint64)
    made: Kernel = numba.njit([signature], nogil=True, error_model="numpy", cache=path is not None)(space[name])
    return made


def _stored(name: str, text: str) -> str | None:
    """Write source to where numba can keep machine code beside it; None where that cannot be."""
    root = os.environ.get("ARRAYOPT_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "arrayopt")
    path = Path(root).expanduser() / f"{name}.py"
    try:
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}")
            part.write_text(text)
            part.replace(path)
    except OSError:
        return None
    return str(path)


class Engine(blocked.Engine):
    """Replays with compiled loops; with ufuncs what they cannot do bit for bit."""

    def jobs(
        self, run: Run, scalars: np.ndarray, units: Sequence[tuple[Sequence[Any], int, int]], bank: Bank
    ) -> list[Any]:
        """Return one job for all contiguous leaves, and blocked ones for the rest."""
        mine = [u for u in units if u[0][0].contiguous]
        if not mine or not loops.can_compile(run, scalars.dtype):
            return super().jobs(run, scalars, units, bank)
        rest = [u for u in units if not u[0][0].contiguous]
        return [Fused(run, scalars, mine, bank, super().jobs), *super().jobs(run, scalars, rest, bank)]

    def replayer(self, run: Run, scalars: np.ndarray, bank: Bank) -> Callable[[Sequence[np.ndarray]], None]:
        """Return what replays a run on whole contiguous arrays of one shape."""
        if not loops.can_compile(run, scalars.dtype):
            return super().replayer(run, scalars, bank)
        compute = kernel(run, scalars.dtype)
        table, lengths = np.empty((1, len(run.inputs)), np.uint64), np.empty(1, np.int64)
        call = _Call(table, lengths, scalars)

        def whole(arrays: Sequence[np.ndarray]) -> None:
            table[0] = [address(x) for x in arrays]
            lengths[0] = arrays[0].size
            compute(*call.arguments)

        return whole


class _Call:
    """The arguments of a kernel, with the arrays that they point to."""

    def __init__(self, table: np.ndarray, lengths: np.ndarray, scalars: np.ndarray) -> None:
        self._held = table, lengths, scalars
        self.arguments = address(table), address(lengths), len(lengths), address(scalars)


class Fused:
    """One run on many stretches of memory: a table of addresses and one call.

    Small leaves' gradients are gathered where they are new, since asking an array for its address takes longer than
    copying it; when the same ones come again, their addresses go into the table.
    """

    def __init__(self, run: Run, scalars: np.ndarray, units: Sequence[Any], bank: Bank, blocks: Any) -> None:
        self._run, self._scalars, self._units, self._bank, self._blocks = run, scalars, units, bank, blocks
        self._kernel = kernel(run, scalars.dtype)
        self._g = run.inputs.index("x_g") if "x_g" in run.inputs else None
        rows = [(x, start, stop) for u in units for x, start, stop in _rows(u)]
        self._leaves = [x for x, _, _ in rows]
        self._offsets = np.array([start for _, start, _ in rows], np.uint64) * np.uint64(scalars.itemsize)
        self._lengths = np.array([stop - start for _, start, stop in rows], np.int64)
        self._table = np.zeros((len(rows), len(run.inputs)), np.uint64)
        for column, place in enumerate(run.inputs):
            if column != self._g:
                self._table[:, column] = [address(x.arrays[place[2:]]) for x in self._leaves]
                self._table[:, column] += self._offsets
        self._gathering = self._gather_tables()
        self._only_batches = len(self._gathering) == len(units)
        self._grads: Sequence[np.ndarray] = ()
        self._met = self._pointed = False
        self._calls: list[_Call] = []
        self._strided: list[Any] = []

    def _gather_tables(self) -> list[tuple[list[int], np.ndarray, "_Call"]]:
        """Return for each batch the gradients' indices, the buffer to gather them in, and the call that steps."""
        made, row = [], 0
        for leaves, start, stop in self._units:
            small = len(leaves) > 1 or (stop - start == leaves[0].leaf.size and 2 * stop <= self._bank.block)
            if small and self._g is not None:
                lengths = self._lengths[row : row + len(leaves)]
                buffer = self._bank.array("x_g", self._scalars.dtype, int(lengths.sum()))
                table = self._table[row : row + len(leaves)].copy()
                starts = np.cumsum(lengths) - lengths
                table[:, self._g] = address(buffer) + starts.astype(np.uint64) * np.uint64(buffer.itemsize)
                call = _Call(*_merged(table, lengths, buffer.itemsize), self._scalars)
                made.append(([x.index for x in leaves], buffer, call))
            row += len(leaves)
        return made

    def take(self, grads: Sequence[np.ndarray]) -> None:
        """Step along these gradients."""
        self._grads, self._met, self._pointed = grads, False, False

    def __call__(self) -> None:
        """Step along the gradients of the last `take`."""
        if not self._pointed:
            if self._only_batches and not self._met:
                self._met = True
                self._gathered()
                return
            self._point()
        for call in self._calls:
            self._kernel(*call.arguments)
        for job in self._strided:
            job()

    def _gathered(self) -> None:
        """Gather each batch's gradients into the cache and step it."""
        grads = self._grads
        for indices, buffer, call in self._gathering:
            if len(indices) == 1:
                buffer[...] = grads[indices[0]].reshape(-1)
            else:
                np.concatenate([grads[i] for i in indices], None, buffer)
            self._kernel(*call.arguments)

    def _point(self) -> None:
        """Put the gradients' addresses into the table."""
        self._pointed, table, lengths = True, self._table, self._lengths
        self._strided = []
        if self._g is not None:
            mine = [self._grads[x.index] for x in self._leaves]
            table[:, self._g] = [address(g) for g in mine]
            table[:, self._g] += self._offsets
            contiguous = np.array([g.flags.c_contiguous for g in mine])
            if not contiguous.all():
                table, lengths = table[contiguous], lengths[contiguous]
                self._strided = self._others(np.flatnonzero(~contiguous))
        self._calls = [_Call(*_merged(table, lengths, self._scalars.itemsize), self._scalars)]

    def _others(self, rows: Any) -> list[Any]:
        """Return jobs for the rows whose gradients are not contiguous."""
        spans = [(int(self._offsets[k]) // self._scalars.itemsize, int(self._lengths[k])) for k in rows]
        units = [([self._leaves[k]], start, start + n) for k, (start, n) in zip(rows, spans, strict=True)]
        made: list[Any] = self._blocks(self._run, self._scalars, units, self._bank)
        for job in made:
            job.take(self._grads)
        return made


def _rows(unit: tuple[Sequence[Any], int, int]) -> list[tuple[Any, int, int]]:
    leaves, start, stop = unit
    return [(x, 0, x.leaf.size) for x in leaves] if len(leaves) > 1 else [(leaves[0], start, stop)]


def _merged(table: np.ndarray, lengths: np.ndarray, itemsize: int) -> tuple[np.ndarray, np.ndarray]:
    """Join rows that follow one another in all arrays."""
    if len(lengths) < 2:
        return table, lengths
    ends = table[:-1] + (lengths[:-1, None] * itemsize).astype(np.uint64)
    first = np.concatenate([[True], np.any(table[1:] != ends, axis=1)])
    starts = np.flatnonzero(first)
    return np.ascontiguousarray(table[first]), np.add.reduceat(lengths, starts)
