"""The cost reader: bytes and operations per element, read off the tape."""

from dataclasses import dataclass

from arrayopt.core.optimizer import PerLeaf
from arrayopt.core.tape import Value
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf


@dataclass(frozen=True)
class Cost:
    """What one step costs per element of a leaf, if every array is moved once.

    Attributes
    ----------
    reads, writes : float
        Arrays of the leaf's size read and written by a fused step: they give the memory-bandwidth limit.
    flops : float
        Elementwise operations and terms of reductions; matrix products count 2 k per element.
    slots : float
        Numbers of state per parameter.
    opaque : tuple of str
        Helpers whose operations are not counted.
    """

    reads: float
    writes: float
    flops: float
    slots: float
    opaque: tuple[str, ...]

    def bytes(self, itemsize: int) -> float:
        """Bytes moved per element for a dtype of `itemsize` bytes."""
        return (self.reads + self.writes) * itemsize


def cost(rule: PerLeaf, leaf: Leaf | None = None) -> Cost:
    """Return the cost of a step of `rule` on a leaf (default: a float32 matrix of 64 x 64).

    Examples
    --------
    >>> from arrayopt import AdamW
    >>> cost(AdamW()).bytes(itemsize=4)
    28.0
    """
    leaf = Leaf("w", (64, 64), "float32") if leaf is None else leaf
    own = rule.for_leaf(leaf)
    tape = trace(own, leaf, own.numbers_at(1, leaf), own.slot_shapes(leaf))
    used = {a.index for op in tape.ops for a in op.args if isinstance(a, Value)}
    size = max(1, leaf.size)
    flops = 0.0
    for op in tape.ops:
        if op.on_host or op.helper is not None or op.name in ("reshape", "matrix_transpose"):
            continue
        shapes = [a.shape for a in op.args if isinstance(a, Value) and a.shape is not None]
        inner = 2 * shapes[0][-1] if op.name == "matmul" else 1
        flops += inner * max(_size(op.out.shape), *(0 if op.name == "matmul" else _size(s) for s in shapes), 0) / size
    return Cost(
        reads=sum(_size(v.shape) for v in tape.arrays.values() if v.index in used) / size,
        writes=sum(_size(v.shape) for v in tape.outputs.values()) / size,
        flops=flops,
        slots=sum(_size(v.shape) for name, v in tape.arrays.items() if name not in ("p", "g")) / size,
        opaque=tuple(op.name for op in tape.ops if op.helper is not None),
    )


def _size(shape: tuple[int, ...] | None) -> int:
    n = 1
    for s in shape or ():
        n *= s
    return n
