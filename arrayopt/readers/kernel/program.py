"""A rule's parts for one kind of leaf, with the text of their kernels."""

from collections.abc import Iterator, Mapping
from typing import Any

from arrayopt.core.tape import Value, host_value
from arrayopt.readers.kernel.parts import Parts, Run, Whole
from arrayopt.readers.kernel.source import Source, source


class Program:
    """Parts and sources; leaves whose programs have the same signature can share launches."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.free = parts.parts, parts.free
        self.leaf, self._names, self._host = parts.leaf, parts.numbers, parts.host
        self.on_host = (tuple(parts.numbers.items()), parts.host)
        """What numbers there are and how they follow from h: programs that have this in common have their numbers."""
        self.sources = [source(p, parts.leaf.dtype) if isinstance(p, Run) else None for p in parts.parts]
        self.signature = (parts.leaf.dtype, *map(_signature, self.parts, self.sources))

    def runs(self) -> Iterator[tuple[Run, Source]]:
        """Return the runs with their sources."""
        for part, text in zip(self.parts, self.sources, strict=True):
            if isinstance(part, Run) and text is not None:
                yield part, text

    def numbers(self, h: Mapping[str, Any]) -> dict[int, float]:
        """Return the numbers on the tape, computed in float64."""
        found: dict[int, float] = {v.index: h[name] for name, v in self._names.items()}
        for op in self._host:
            found[op.out.index] = host_value(op.name, *(found[a.index] if isinstance(a, Value) else a for a in op.args))
        return found


def _signature(part: Run | Whole, text: Source | None) -> Any:
    return text.signature if text is not None else (part.op.name, part.op.attrs)  # type: ignore[union-attr]
