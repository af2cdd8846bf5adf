"""Where arrays lie in memory: what may be written, what overlaps, what is adjacent, and leaves in one buffer."""

from collections.abc import Iterable, Mapping, Sequence
from operator import is_
from typing import Any

import numpy as np
import optree

from arrayopt.backend import Array
from arrayopt.core import trees
from arrayopt.core.trees import Tree, label
from arrayopt.errors import LeafError


def flatten_leaves(params: Tree) -> Tree:
    """Return the same tree with its leaves copied into one buffer per dtype, each leaf a view of its part.

    A step over many small leaves is then a step over one long array. `init` of a stepper lays the state out in the
    same way; gradients may be laid out so, too, and are gathered otherwise.

    Parameters
    ----------
    params : tree of arrays
        NumPy arrays, of any dtypes. They are copied.

    Raises
    ------
    LeafError
        If a leaf is no NumPy array.

    Examples
    --------
    >>> import numpy as np
    >>> params = flatten_leaves({"w": np.ones((2, 3)), "b": np.zeros(2)})
    >>> params["w"].base is params["b"].base, params["w"].shape
    (True, (2, 3))
    """
    leaves, spec = trees.flatten(params, "params")
    for path, x in leaves.items():
        if not isinstance(x, np.ndarray):
            raise LeafError(f"params: {label(path)} is a {type(x).__name__}; flatten_leaves lays out NumPy arrays only")
    new = {**views_of_one(leaves)}
    for path, x in leaves.items():
        new[path][...] = x
    return trees.unflatten(spec, {path: new[path] for path in leaves})


def views_of_one(like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays of the given shapes and dtypes that lie one after the other, in a buffer per dtype."""
    buffers = {
        dtype: np.empty(sum(x.size for x in like.values() if x.dtype == dtype), dtype)
        for dtype in {x.dtype for x in like.values()}
    }
    start = dict.fromkeys(buffers, 0)
    made = {}
    for path, x in like.items():
        i = start[x.dtype]
        made[path] = buffers[x.dtype][i : i + x.size].reshape(x.shape)
        start[x.dtype] = i + x.size
    return made


def address(x: np.ndarray) -> int:
    """Return where the data of an array begin."""
    return x.__array_interface__["data"][0]  # type: ignore[no-any-return]


def root(x: np.ndarray) -> Any:
    """Return the object that owns an array's memory."""
    base: Any = x
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return base


def joined(arrays: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return one flat view of contiguous arrays that lie one after the other in one buffer; None if they do not."""
    first = arrays[0]
    if len(arrays) == 1:
        return first.reshape(-1)
    if first.base is None or any(x.base is None for x in arrays):
        return None
    owner, end = root(first), address(first)
    for x in arrays:
        if root(x) is not owner or not x.flags.c_contiguous or address(x) != end:
            return None
        end += x.nbytes
    return np.lib.stride_tricks.as_strided(first.reshape(-1), (sum(x.size for x in arrays),), (first.itemsize,))


def check_writeable(named: Iterable[tuple[str, str, Array]]) -> None:
    """Raise unless every array, given as (what, path, array), is a NumPy array that may be written."""
    for what, path, x in named:
        if not isinstance(x, np.ndarray):
            raise LeafError(
                f"{what}: {label(path)} is a {type(x).__name__}; this engine writes NumPy arrays only, use rule.update"
            )
        if not x.flags.writeable:
            raise LeafError(f"{what}: {label(path)} is read-only; pass a writeable array, or use rule.update")
        if not x.dtype.isnative or not x.flags.aligned:
            raise LeafError(f"{what}: {label(path)} is not aligned or not in the byte order of this machine; copy it")


def check_apart(written: Sequence[tuple[str, str, np.ndarray]], read: Sequence[tuple[str, str, np.ndarray]]) -> None:
    """Raise if an array that is written shares memory with another one, written or read."""
    spans = [(*np.lib.array_utils.byte_bounds(x), True, what, path, x) for what, path, x in written if x.size]
    spans += [(*np.lib.array_utils.byte_bounds(x), False, what, path, x) for what, path, x in read if x.size]
    spans.sort(key=lambda s: (s[0], s[1]))
    open_: list[tuple[Any, ...]] = []
    for span in spans:
        open_ = [s for s in open_ if s[1] > span[0]]
        for other in open_:
            if (span[2] or other[2]) and np.shares_memory(span[5], other[5]):
                a, b = sorted((other, span), key=lambda s: not s[2])
                raise LeafError(
                    f"{a[3]}: {label(a[4])} overlaps {b[3]} {label(b[4])} in memory, so a step in place would "
                    "change what it still has to read; pass a copy of one of them, or use rule.update"
                )
        open_.append(span)


class Seen:
    """A tree as it was last seen: tells cheaply whether it still holds the very same arrays in the same structure."""

    def __init__(self, tree: Tree) -> None:
        self.tree, self._type = tree, type(tree)
        self.leaves, self._spec = optree.tree_flatten(tree)
        self._keys: list[Any] | None = None
        if self._type is dict and all(map(optree.tree_is_leaf, tree.values())):  # the usual case, made quick
            self._keys, self._values = list(tree), list(tree.values())

    def same(self, tree: Tree) -> bool:
        """Tell whether `tree` holds the arrays of the tree that was seen."""
        if tree is self.tree and self._type is np.ndarray:
            return True
        if type(tree) is not self._type or self._type is np.ndarray:
            return False
        if self._keys is not None:
            return list(tree) == self._keys and all(map(is_, tree.values(), self._values))
        leaves, spec = optree.tree_flatten(tree)
        return len(leaves) == len(self.leaves) and all(map(is_, leaves, self.leaves)) and bool(spec == self._spec)

    def like(self, other: "Seen") -> bool:
        """Tell whether two trees hold NumPy arrays of the same shapes and dtypes in the same structure."""
        return bool(self._spec == other._spec) and all(
            type(x) is type(y) is np.ndarray and x.shape == y.shape and x.dtype is y.dtype
            for x, y in zip(self.leaves, other.leaves, strict=True)
        )


class SeenSlots:
    """The slots of a state as they were last seen."""

    def __init__(self, slots: Mapping[str, Mapping[str, Array]]) -> None:
        self._all = [(slot, list(by), list(by.values())) for slot, by in slots.items()]
        self._few = [(slot, path, x) for slot, by in slots.items() for path, x in by.items()]
        self._is_small = len(self._few) <= 16

    def same(self, slots: Mapping[str, Mapping[str, Array]]) -> bool:
        """Tell whether a state holds the arrays that were seen, and no other slots."""
        if len(slots) != len(self._all):
            return False
        try:
            if self._is_small:
                for slot, path, x in self._few:
                    if slots[slot][path] is not x:
                        return False
            else:
                for slot, paths, arrays in self._all:
                    by = slots[slot]
                    if list(by) != paths or not all(map(is_, by.values(), arrays)):
                        return False
        except KeyError:
            return False
        return True
