"""The kernel reader: the tape as CUDA kernels that write CuPy arrays in place, one launch for many leaves.

Between a rule's reductions and matrix operations, which are CuPy's own, stand runs of elementwise operations. Leaves
with the same runs share one launch of a multi-tensor kernel, which finds their addresses in a table on the device; the
table is written again only when an address has changed. A run that broadcasts, or whose arrays are not contiguous, is
one `cupy.ElementwiseKernel` a leaf. Numbers are arguments of the kernels, so that a schedule compiles nothing, and
results of reductions stay on the device.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.optimizer import PerLeaf
from arrayopt.core.rule import Rule
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf, describe, label
from arrayopt.errors import LeafError
from arrayopt.readers.kernel.batch import Batch, Member
from arrayopt.readers.kernel.device import CuPy, Device
from arrayopt.readers.kernel.memory import Ranges
from arrayopt.readers.kernel.parts import cut
from arrayopt.readers.kernel.program import Program

ALONE = 1 << 20
"""Elements from which a leaf with intermediate arrays is stepped alone, so that one leaf's exist at a time."""

Step = Callable[[int, Sequence[Array]], None]


class Engine:
    """The engine "cupy".

    Parameters
    ----------
    device : Device, optional
        CuPy's current device by default.

    Raises
    ------
    BackendError
        If CuPy is not installed or finds no device.
    """

    def __init__(self, device: Device | None = None) -> None:
        self.device: Device = CuPy() if device is None else device

    def prepare(
        self,
        rule: PerLeaf,
        leaves: Mapping[str, Array],
        slots: Mapping[str, Mapping[str, Array]],
        threads: int | None = None,
    ) -> Step:
        """Return ``step(t, grads)``, which takes step t in place; `grads` are in the order of `leaves`.

        The same sequence as in the call before stands for the same arrays; it is held until the next call.

        Parameters
        ----------
        rule : Rule or Partition
            The rule.
        leaves : dict of array
            Parameters by path.
        slots : dict of dict of array
            State by slot and path, as `rule.init` made it.
        threads : int, optional
            Of no meaning to a device.

        Raises
        ------
        LeafError
            If an array is not one of the device's, or two that are written may share memory.
        """
        return _Stepper(self.device, rule, leaves, slots)


class _Stepper:
    def __init__(
        self,
        device: Device,
        rule: PerLeaf,
        leaves: Mapping[str, Array],
        slots: Mapping[str, Mapping[str, Array]],
    ) -> None:
        self.device = device
        self.members: list[Member] = []
        self.rules: list[Rule] = []
        written = {}
        for path, p in leaves.items():
            leaf, arrays = describe(path, p), {"p": p, **{s: by[path] for s, by in slots.items() if path in by}}
            for name, x in arrays.items():
                what = f"params: {label(path)}" if name == "p" else f"slot {name!r}: {label(path)}"
                if not device.owns(x):
                    raise LeafError(f"{what} is a {type(x).__name__}; the engine 'cupy' writes CuPy arrays only")
                written[what] = x
            self.rules.append(rule.for_leaf(leaf))
            self.members.append(Member(leaf, arrays))
        self.ranges = Ranges(device, written)
        self.ranges.check()
        self.structures = [r.structure() for r in self.rules]
        self.programs: dict[Any, Program] = {}
        self.batches: dict[Any, list[Batch]] = {}
        self.seen: Sequence[Array] | None = None
        self.kinds: Any = None

    def __call__(self, t: int, grads: Sequence[Array]) -> None:
        """Take one step."""
        if not self.members:
            return
        with self.device.current(self.members[0].arrays["p"]), np.errstate(all="ignore"):
            self._step(t, grads)

    def _step(self, t: int, grads: Sequence[Array]) -> None:
        numbers = _Numbers(t)
        found = [numbers.of(rule, m.leaf) for rule, m in zip(self.rules, self.members, strict=True)]
        kinds = tuple(static for _, static in found)
        if kinds not in self.batches:
            self.batches[kinds] = self._batched(found)
        for m, (h, _) in zip(self.members, found, strict=True):
            m.h = h
        same = grads is self.seen and kinds == self.kinds
        if not same:
            gradients = self.ranges.apart(grads)
            for m, g in zip(self.members, gradients, strict=True):
                m.arrays["g"] = g
            # a copy is made anew at every step
            self.seen = None if any(a is not b for a, b in zip(grads, gradients, strict=True)) else grads
            self.kinds = kinds
        for batch in self.batches[kinds]:
            batch.run(same)

    def _batched(self, found: list[tuple[dict[str, Any], Any]]) -> list[Batch]:
        """Put leaves with the same kernels together."""
        groups: dict[Any, list[tuple[Member, Program]]] = {}
        for n, (m, rule, (h, static)) in enumerate(zip(self.members, self.rules, found, strict=True)):
            shapes = {s: tuple(x.shape) for s, x in m.arrays.items() if s not in ("p", "g")}
            key = (type(rule), self.structures[n], static, m.leaf.shape, m.leaf.dtype, tuple(shapes.items()))
            if key not in self.programs:
                self.programs[key] = Program(cut(trace(rule, m.leaf, h, shapes)))
            program = self.programs[key]
            lonely = len(program.parts) > 1 and m.leaf.size >= ALONE
            groups.setdefault((program.signature, n if lonely else None), []).append((m, program))
        return [Batch(self.device, [m for m, _ in group], [p for _, p in group]) for group in groups.values()]


class _Numbers:
    """The numbers of one step; those of leaves that a rule does not tell apart are worked out once."""

    def __init__(self, t: int) -> None:
        self.t = t
        self._known: dict[int, dict[tuple[str, ...], dict[tuple[Any, ...], tuple[dict[str, Any], Any]]]] = {}

    def of(self, rule: Rule, leaf: Leaf) -> tuple[dict[str, Any], Any]:
        """Return what `step` reads from h at this leaf, and the part of it that is not floats."""
        known = self._known.setdefault(id(rule), {})
        for names, by_value in known.items():
            values = tuple(getattr(leaf, name) for name in names)
            if values in by_value:
                return by_value[values]
        noting = _Noting(leaf)
        h = rule.numbers_at(self.t, cast("Leaf", noting))
        static = tuple((k, v) for k, v in h.items() if not isinstance(v, float))
        by_value = known.setdefault(tuple(noting._seen), {})
        return by_value.setdefault(tuple(noting._seen.values()), (h, static))


class _Noting:
    """A leaf that notes what is read of it."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf, self._seen = leaf, dict[str, Any]()

    def __getattr__(self, name: str) -> Any:
        self._seen[name] = value = getattr(self._leaf, name)
        return value
