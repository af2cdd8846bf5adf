"""Which arrays may share memory."""

import bisect
from collections.abc import Mapping

from arrayopt.backend import Array
from arrayopt.errors import LeafError
from arrayopt.readers.kernel_device import Device


class Ranges:
    """The memory that a step writes."""

    def __init__(self, device: Device, written: Mapping[str, Array]) -> None:
        self.device = device
        self._ranges = sorted((*self._range(x), what) for what, x in written.items() if x.size)
        self._starts = [start for start, _, _ in self._ranges]
        self._known: tuple[int, ...] = ()
        self._shared: frozenset[str] = frozenset()

    def check(self) -> None:
        """Raise if two of the arrays may overlap: the order of writing would decide what is kept."""
        for (_, end, what), (start, _, other) in zip(self._ranges, self._ranges[1:], strict=False):
            if start < end:
                raise LeafError(f"{other} may share memory with {what}; pass a copy of one of them")

    def apart(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """Return the gradients, copied where writing might change them while they are read."""
        addresses = tuple(map(self.device.address, gradients.values()))
        if addresses != self._known:
            self._shared = frozenset(path for path, g in gradients.items() if g.size and self._meets(g))
            self._known = addresses
        return {path: g.copy() if path in self._shared else g for path, g in gradients.items()}

    def _meets(self, x: Array) -> bool:
        start, end = self._range(x)
        n = bisect.bisect_left(self._starts, end)
        return n > 0 and self._ranges[n - 1][1] > start

    def _range(self, x: Array) -> tuple[int, int]:
        start = end = self.device.address(x)
        for n, stride in zip(x.shape, x.strides, strict=True):
            start, end = start + min(0, (n - 1) * stride), end + max(0, (n - 1) * stride)
        return start, end + int(x.dtype.itemsize)
