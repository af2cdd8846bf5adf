"""Mini-batches: the rows of some arrays, once each, in batches and in random order."""

from __future__ import annotations  # naming numpy.random in a signature would import it

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, namespace
from arrayopt.core.random import generator
from arrayopt.errors import LeafError, OptionError


def minibatches(
    *arrays: Array,
    batch_size: int,
    rng: int | np.random.Generator | None = None,
    last: Literal["keep", "drop", "wrap"] = "keep",
    shuffle: bool = True,
) -> Iterator[tuple[Array, ...]]:
    """Iterate over one epoch: the rows of `arrays` in batches, the same rows of every array together.

    The order is drawn when the function is called, so epochs that share a generator get its permutations
    in the order of the calls.

    Parameters
    ----------
    *arrays : array
        Arrays of one library that share the length n >= 1 of their first axis, the rows.
    batch_size : int
        Rows per batch, at least 1. 16 to 512 are usual; sign rules such as Lion want 64 or more.
    rng : None, int or numpy.random.Generator
        Where the order comes from (SPEC 7). None: fresh entropy. An integer is a seed, so that every call has
        the same order: to reshuffle each epoch, make one Generator and hand it to every call.
    last : {"keep", "drop", "wrap"}
        What becomes of the n % batch_size rows at the end. "keep": they make a smaller batch. "drop": this
        epoch does without them. "wrap": the batch is filled up with the first rows of the epoch.
    shuffle : bool
        Whether the order is random; if not, it is that of the arrays.

    Returns
    -------
    iterator of tuples of arrays
        One array for each of `arrays`, on its device, always a copy; a tuple also where there is one array.

    Raises
    ------
    OptionError
        If an option has no such value, `rng` is no generator, or "drop" would leave no batch.
    LeafError
        If there is no array, an array has no rows, or their numbers of rows differ.
    BackendError
        If the arrays come from different libraries.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.arange(10).reshape(5, 2), np.arange(5)
    >>> for xb, yb in minibatches(x, y, batch_size=2, shuffle=False):
    ...     print(xb.tolist(), yb.tolist())
    [[0, 1], [2, 3]] [0, 1]
    [[4, 5], [6, 7]] [2, 3]
    [[8, 9]] [4]
    """
    size: Any = batch_size  # which may be anything, whatever its annotation says
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise OptionError(f"minibatches: batch_size must be an integer >= 1, got {size!r}")
    if last not in ("keep", "drop", "wrap"):
        raise OptionError(f"minibatches: last must be 'keep', 'drop' or 'wrap', got {last!r}")
    n = _rows(arrays)
    order = generator(rng).permutation(n) if shuffle else np.arange(n)
    if last == "drop":
        order = order[: n - n % size]
        if not order.size:
            raise OptionError(
                f"minibatches: batch_size={size} is more than the {n} rows, so that last='drop' leaves no "
                "batch; use a smaller batch_size, last='keep' or last='wrap'"
            )
    elif last == "wrap":
        order = np.resize(order, n + -n % size)  # which repeats it as often as it takes
    return _batches(arrays, order, int(size))


def _rows(arrays: tuple[Array, ...]) -> int:
    """Return the number of rows that all arrays have."""
    if not arrays:
        raise LeafError("minibatches: expected at least one array, got none")
    namespace(*arrays)
    shapes = [tuple(x.shape) for x in arrays]
    for i, shape in enumerate(shapes):
        if not shape or not shape[0]:
            raise LeafError(f"minibatches: array {i} has shape {shape}, expected at least one row")
        if shape[0] != shapes[0][0]:
            raise LeafError(
                f"minibatches: array {i} has {shape[0]} rows, but array 0 has {shapes[0][0]}; "
                "all arrays must share their first axis"
            )
    return int(shapes[0][0])


def _batches(arrays: tuple[Array, ...], order: np.ndarray, size: int) -> Iterator[tuple[Array, ...]]:
    xp = namespace(*arrays)
    rows = [xp.asarray(order, device=device(x)) for x in arrays]
    for start in range(0, len(order), size):
        stop = min(start + size, len(order))
        yield tuple(xp.take(x, i[start:stop], axis=0) for x, i in zip(arrays, rows, strict=True))
