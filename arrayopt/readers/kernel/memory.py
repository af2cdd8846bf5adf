"""Which arrays may share memory."""

import bisect
from collections.abc import Mapping, Sequence

from arrayopt.backend import Array
from arrayopt.errors import LeafError
from arrayopt.readers.kernel.device import Device


class Ranges:
    """The memory that a step writes."""

    def __init__(self, device: Device, written: Mapping[str, Array]) -> None:
        self.device = device
        self._ranges = sorted((*self._range(x), what) for what, x in written.items() if x.size)
        self._starts = [start for start, _, _ in self._ranges]
        self._known: tuple[int, ...] = ()
        self._shared: tuple[int, ...] = ()

    def check(self) -> None:
        """Raise if two of the arrays may overlap: the order of writing would decide what is kept."""
        for (_, end, what), (start, _, other) in zip(self._ranges, self._ranges[1:], strict=False):
            if start < end:
                raise LeafError(f"{other} may share memory with {what}; pass a copy of one of them")

    def apart(self, gradients: Sequence[Array]) -> list[Array]:
        """Return the gradients, copied where writing might change them while they are read."""
        addresses = tuple(map(self.device.address, gradients))
        if addresses != self._known:
            self._shared = tuple(n for n, g in enumerate(gradients) if g.size and self._meets(g))
            self._known = addresses
        found = list(gradients)
        for n in self._shared:
            found[n] = found[n].copy()
        return found

    def _meets(self, x: Array) -> bool:
        start, end = self._range(x)
        n = bisect.bisect_left(self._starts, end)
        return n > 0 and self._ranges[n - 1][1] > start

    def _range(self, x: Array) -> tuple[int, int]:
        start = end = self.device.address(x)
        for n, stride in zip(x.shape, x.strides, strict=True):
            start, end = start + min(0, (n - 1) * stride), end + max(0, (n - 1) * stride)
        return start, end + int(x.dtype.itemsize)
