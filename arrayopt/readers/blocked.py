"""The engine "numpy": runs replayed as ``ufunc(a, b, out)`` on cache-sized blocks.

Large leaves are cut into blocks, small ones are packed into one: gathered into a buffer of the cache's size, stepped
together and scattered back, unless they lie one after the other already.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import setitem
from typing import Any

import numpy as np

from arrayopt.core.optimizer import PerLeaf
from arrayopt.readers.blocks.layout import joined
from arrayopt.readers.blocks.registers import Run
from arrayopt.readers.blocks.source import Block, block_function

_SET: Any = setitem
_ALL = slice(None)
Copies = tuple[list[memoryview], list[Any]]
"""Where to, and from where: buffers of the same lengths."""
ONE_THREAD = 256 << 10
"""Bytes of a block: a few registers of it stay in a second-level cache of 1 MiB."""
MANY_THREADS = 512 << 10
"""Fewer, longer calls lose less time to the interpreter lock."""


class Bank:
    """The scratch memory of one thread, made once and used by every job in turn."""

    def __init__(self, block: int) -> None:
        self.block = block
        self._held: dict[Any, np.ndarray] = {}
        self._workspaces: dict[Any, Any] = {}
        self._bytes = np.empty(0, np.uint8)

    def array(self, name: str, dtype: Any, size: int | None = None) -> np.ndarray:
        """Return the scratch array of a name and dtype, of a block unless `size` is given."""
        size = self.block if size is None else size
        held = self._held.get((name, dtype))
        if held is None or held.size < size:
            held = self._held[name, dtype] = np.empty(size, dtype)
        return held[:size]

    def registers(self, run: Run, dtype: Any, size: int) -> list[np.ndarray]:
        """Return the registers of a run."""
        return [self.array(f"r{i}", dtype, size) for i in range(run.registers)] + [
            self.array(f"b{i}", np.dtype(bool), size) for i in range(run.booleans)
        ]

    def workspace(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return the workspace of a helper, which all leaves of one shape share."""
        if key not in self._workspaces:
            self._workspaces[key] = make()
        return self._workspaces[key]

    def reserve(self, size: int) -> None:
        """Make room for temporaries of `size` bytes."""
        if self._bytes.size < size:
            self._bytes = np.empty(size, np.uint8)

    def view(self, start: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return a temporary array in the reserved room."""
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        made: np.ndarray = self._bytes[start : start + nbytes].view(dtype).reshape(shape)
        return made


class Packed:
    """One run on leaves that fit into one block together.

    They are copied through memoryviews: NumPy's own copies give up the interpreter lock for arrays of a few KiB, and
    threads that fight for it take longer over it than over the copy.
    """

    def __init__(self, run: Run, block: Block, leaves: Sequence[Any], bank: Bank) -> None:
        self._block, self._indices = block, [x.index for x in leaves]
        size, dtype = sum(x.leaf.size for x in leaves), leaves[0].dtype
        self._gather: list[Copies] = []
        self._scatter: list[Copies] = []
        self._args: list[Any] = []
        self._buffer, self._g = bank.array("x_g", dtype, size), None
        self._parts = _parts(self._buffer, [x.leaf.size for x in leaves])
        for place in run.inputs:
            name = place[2:]
            if name == "g":
                self._g, view = len(self._args), None
            else:
                arrays = [x.arrays[name] for x in leaves]
                view = joined(arrays)
                if view is None:
                    view = bank.array(place, dtype, size)
                    held = [x.reshape(-1).data for x in arrays]
                    parts = _parts(view, [x.size for x in arrays])
                    self._gather.append((parts, held))
                    if place in run.written:
                        self._scatter.append((held, parts))
            self._args.append(view)
        self._args += bank.registers(run, dtype, size)
        self._gathers = self._gather
        self._strided: list[np.ndarray] = []

    def take(self, grads: Sequence[np.ndarray]) -> None:
        """Step along these gradients, in the order of the leaves of the tree."""
        if self._g is None:
            return
        arrays = [grads[i] for i in self._indices]
        view = joined(arrays) if arrays[0].flags.c_contiguous else None
        self._args[self._g] = self._buffer if view is None else view
        self._gathers, self._strided = self._gather, []
        if view is None and all(x.flags.c_contiguous for x in arrays):
            self._gathers = [*self._gather, (self._parts, [x if x.ndim == 1 else x.reshape(-1) for x in arrays])]
        elif view is None:
            self._strided = arrays

    def __call__(self) -> None:
        """Gather, step, scatter."""
        for to, source in self._gathers:
            deque(map(_SET, to, repeat(_ALL), source), 0)
        if self._strided:
            np.concatenate(self._strided, None, self._buffer)
        self._block(*self._args)
        for to, source in self._scatter:
            deque(map(_SET, to, repeat(_ALL), source), 0)


def _parts(buffer: np.ndarray, sizes: Sequence[int]) -> list[memoryview]:
    ends, whole = np.cumsum(sizes), buffer.data
    return [whole[end - n : end] for n, end in zip(sizes, ends.tolist(), strict=True)]


class Spanned:
    """One run on the elements from `start` to `stop` of a contiguous leaf."""

    def __init__(self, run: Run, block: Block, leaf: Any, bank: Bank, start: int, stop: int) -> None:
        self._block, self._index, self._bank = block, leaf.index, bank
        self._start, self._stop, self._size = start, stop, min(bank.block, stop - start)
        self._registers = bank.registers(run, leaf.dtype, self._size)
        self._arrays = [None if p == "x_g" else leaf.arrays[p[2:]].reshape(-1) for p in run.inputs]
        self._g = run.inputs.index("x_g") if "x_g" in run.inputs else None
        self._run, self._leaf = run, leaf
        self._other: Pieces | None = None

    def take(self, grads: Sequence[np.ndarray]) -> None:
        """Step along these gradients."""
        self._other = None
        if self._g is None:
            return
        g = grads[self._index]
        if g.flags.c_contiguous:
            self._arrays[self._g] = g.reshape(-1)
        else:
            self._other = Pieces(self._run, self._block, self._leaf, self._bank, self._start, self._stop)
            self._other.take(grads)

    def __call__(self) -> None:
        """Step block by block."""
        if self._other is not None:
            self._other()
            return
        replay(self._block, self._arrays, self._registers, self._start, self._stop, self._size)


def replay(
    block: Block, arrays: Sequence[Any], registers: Sequence[np.ndarray], start: int, stop: int, size: int
) -> None:
    """Call a block function on blocks of `size` elements of flat arrays."""
    for i in range(start, stop, size):
        j = i + size
        if j <= stop:
            block(*[x[i:j] for x in arrays], *registers)
        else:
            block(*[x[i:stop] for x in arrays], *[r[: stop - i] for r in registers])


class Pieces:
    """One run on a leaf whose arrays lie in memory in different ways; `start` and `stop` bound the first elements.

    A piece is counted to the span in which its first element lies.
    """

    def __init__(self, run: Run, block: Block, leaf: Any, bank: Bank, start: int, stop: int) -> None:
        self._run, self._block, self._leaf, self._bank = run, block, leaf, bank
        self._start, self._stop = start, stop
        self._arrays = [None if p == "x_g" else leaf.arrays[p[2:]] for p in run.inputs]

    def take(self, grads: Sequence[np.ndarray]) -> None:
        """Step along these gradients."""
        if "x_g" in self._run.inputs:
            self._arrays[self._run.inputs.index("x_g")] = grads[self._leaf.index]

    def __call__(self) -> None:
        """Step piece by piece."""
        for where, shape, first in pieces(self._leaf.leaf.shape, self._bank.block):
            if self._start <= first < self._stop:
                registers = self._bank.registers(self._run, self._leaf.dtype, math.prod(shape))
                self._block(*[x[where] for x in self._arrays], *[r.reshape(shape) for r in registers])  # type: ignore[index]


def pieces(shape: tuple[int, ...], block: int) -> Iterator[tuple[Any, tuple[int, ...], int]]:
    """Cut an array into boxes of at most `block` elements: an index, the shape and the first element of each."""
    if not shape:
        yield (...,), (), 0
        return
    axis = 0
    while axis < len(shape) - 1 and math.prod(shape[axis + 1 :]) > block:
        axis += 1
    inner = math.prod(shape[axis + 1 :])
    rows = max(1, block // max(1, inner))
    for n, outer in enumerate(np.ndindex(*shape[:axis])):
        for i in range(0, shape[axis], rows):
            j = min(i + rows, shape[axis])
            yield (*outer, slice(i, j)), (j - i, *shape[axis + 1 :]), (n * shape[axis] + i) * inner


class Engine:
    """Replays with NumPy's ufuncs."""

    def __init__(self, block: int | None = None) -> None:
        self._given = block

    def prepare(
        self, rule: PerLeaf, leaves: Mapping[str, Any], slots: Mapping[str, Mapping[str, Any]], threads: int | None
    ) -> Callable[[int, Sequence[Any]], None]:
        """Bind a rule to arrays; see `arrayopt.readers.inplace`."""
        from arrayopt.readers.blocks.groups import Prepared

        return Prepared(self, rule, leaves, slots, threads)

    def block(self, itemsize: int, threads: int) -> int:
        """Return how many elements a block has."""
        return self._given or max(1, (ONE_THREAD if threads == 1 else MANY_THREADS) // itemsize)

    def jobs(
        self, run: Run, scalars: np.ndarray, units: Sequence[tuple[Sequence[Any], int, int]], bank: Bank
    ) -> list[Any]:
        """Return jobs for units of an elementwise program: leaves to pack, or one leaf from `start` to `stop`."""
        block = block_function(run, zero_dimensional(scalars))
        made: list[Any] = []
        for leaves, start, stop in units:
            if len(leaves) > 1 or (leaves[0].contiguous and stop - start == leaves[0].leaf.size <= bank.block):
                made.append(Packed(run, block, leaves, bank))
            else:
                kind = Spanned if leaves[0].contiguous else Pieces
                made.append(kind(run, block, leaves[0], bank, start, stop))
        return made

    def replayer(self, run: Run, scalars: np.ndarray, bank: Bank) -> Callable[[Sequence[np.ndarray]], None]:
        """Return what replays a run on whole contiguous arrays of one shape, in the order of ``run.inputs``."""
        block = block_function(run, zero_dimensional(scalars))

        def whole(arrays: Sequence[np.ndarray]) -> None:
            flat = [x.reshape(-1) for x in arrays]
            size = min(bank.block, flat[0].size)
            replay(block, flat, bank.registers(run, scalars.dtype, size), 0, flat[0].size, size)

        return whole


def zero_dimensional(scalars: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return every element of a vector as a 0-d array that shares its memory."""
    return tuple(scalars[i : i + 1].reshape(()) for i in range(len(scalars)))
