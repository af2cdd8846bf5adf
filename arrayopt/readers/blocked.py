"""The blocked reader: the tape replayed in place on cache-sized blocks, bit for bit what the pure rule gives.

A tape is cut at its reductions and matrix products. Between the cuts stand runs of elementwise
operations, which are replayed as ``ufunc(a, b, out)`` block by block in a few scratch registers.
What is cut out is done on whole arrays, since a reduction's rounding depends on how it is split.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.core import trees
from arrayopt.core.optimizer import PerLeaf
from arrayopt.core.rule import Rule
from arrayopt.core.state import State
from arrayopt.core.tape import ELEMENTWISE, Op, Tape, Value, host_value
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf, Tree, label
from arrayopt.errors import LeafError

BLOCK = 1 << 16  # elements: 256 KiB per float32 register, so that a few of them stay in the second-level cache

UFUNCS = {name: getattr(np, {"abs": "absolute", "divide": "true_divide"}.get(name, name)) for name in ELEMENTWISE}


def inplace(rule: PerLeaf, block: int = BLOCK) -> "Blocked":
    """Return a stepper for `rule` that writes NumPy parameters and state in place.

    Parameters
    ----------
    rule : Rule
        The rule to replay.
    block : int
        Elements per block, at least 1.

    Returns
    -------
    Blocked
        With `init` and `update`, which have the signatures of the rule's own.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import Lion
    >>> stepper, params = inplace(Lion(lr=0.1)), np.array([1.0, 2.0])
    >>> state = stepper.init(params)
    >>> _ = stepper.update(np.array([3.0, -4.0]), state, params)
    >>> params
    array([0.9, 2.1])
    """
    return Blocked(rule, block)


@dataclass(frozen=True)
class Blocked:
    """A rule bound to the blocked reader; see `inplace`."""

    rule: PerLeaf
    block: int = BLOCK
    _programs: dict[Any, "Program"] = field(default_factory=dict, compare=False, repr=False)

    def init(self, params: Tree) -> State:
        """Return the state before the first step."""
        return self.rule.init(params)

    def update(self, grads: Tree, state: State, params: Tree) -> tuple[Tree, State]:
        """Take one step in place; return the same parameters, and the state that holds the same slots."""
        leaves, _, gradients, xp = self.rule.matched(grads, state, params)
        for path, p in leaves.items():
            for what, x in {"params": p, **{f"slot {s!r}": x for s, x in state.at(path).items()}}.items():
                if not isinstance(x, np.ndarray):
                    raise LeafError(
                        f"{what}: {label(path)} is a {type(x).__name__}; the blocked reader writes NumPy arrays only"
                    )
                if not x.flags.writeable:
                    raise LeafError(f"{what}: {label(path)} is read-only; pass a writeable array, or use rule.update")
        t = state.t + 1
        for path, p in leaves.items():
            leaf = trees.describe(path, p)
            self._step(xp, leaf, self.rule.for_leaf(leaf), t, gradients[path], p, state.at(path))
        return params, State(t, state.slots)

    def _step(
        self, xp: Namespace, leaf: Leaf, rule: Rule, t: int, g: Array, p: Array, slots: Mapping[str, Array]
    ) -> None:
        if leaf.dtype == "bfloat16" or not all(x.flags.c_contiguous for x in (g, p, *slots.values())):
            # NumPy has no bfloat16 arithmetic, and sums strided arrays in another order: the pure rule has the bits
            after, new = rule.on_leaf(xp, t, leaf, g, p, slots)
            for name, x in {"p": p, **slots}.items():
                x[...] = after if name == "p" else new[name]
            return
        h = rule.numbers_at(t, leaf)
        static = tuple((k, v) for k, v in h.items() if not isinstance(v, float))
        shapes = {s: x.shape for s, x in slots.items()}
        key = (type(rule), rule.structure(), static, leaf.shape, leaf.dtype, tuple(shapes.items()))
        if key not in self._programs:
            self._programs[key] = Program(trace(rule, leaf, h, shapes), self.block)
        self._programs[key].run(xp, h, {"g": g, "p": p, **slots})


class Program:
    """A tape cut into runs of elementwise operations on the leaf's shape, and operations on whole arrays."""

    def __init__(self, tape: Tape, block: int) -> None:
        self.tape, self.block = tape, block
        self.host = [op for op in tape.ops if op.on_host]
        self.parts: list[list[Op]] = []  # a run of elementwise operations, or one whole operation alone
        running = False
        for op in tape.ops:
            if op.on_host:
                continue
            if not (elementwise := self._blocks(op)) or not running:
                self.parts.append([])
            self.parts[-1].append(op)
            running = elementwise
        last = {a.index: i for i, part in enumerate(self.parts) for op in part for a in op.args if isinstance(a, Value)}
        last |= {v.index: len(self.parts) for v in tape.outputs.values() if v in tape.arrays.values()}
        self.last_use = last
        self.slot_of = {v.index: name for name, v in tape.outputs.items()}

    def _blocks(self, op: Op) -> bool:
        return op.helper is None and op.name in UFUNCS and op.out.shape == self.tape.leaf.shape

    def run(self, xp: Namespace, h: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Replay the tape on one leaf, writing `p` and the slots in place."""
        env: dict[int, Any] = {v.index: h[name] for name, v in self.tape.numbers.items()}
        env |= {v.index: arrays[name] for name, v in self.tape.arrays.items()}
        for op in self.host:
            env[op.out.index] = host_value(op.name, *(_get(env, a) for a in op.args))
        for i, part in enumerate(self.parts):
            if self._blocks(part[0]):
                self._run(i, part, env, arrays)
            else:
                env[part[0].out.index] = _whole(xp, part[0], env)
        late = {name: env[v.index] for name, v in self.tape.outputs.items() if env[v.index] is not arrays[name]}
        aliased = [id(x) for x in arrays.values()]
        late = {name: x.copy() if id(x) in aliased else x for name, x in late.items()}
        for name, x in late.items():
            arrays[name][...] = x

    def _run(self, i: int, part: list[Op], env: dict[int, Any], arrays: Mapping[str, Array]) -> None:
        """Replay one run; what outlives it goes to whole arrays, a slot's own where its old value is dead."""
        kept: dict[int, Array] = {}
        for op in part:
            k, slot = op.out.index, self.slot_of.get(op.out.index)
            if slot is not None and self.last_use.get(self.tape.arrays[slot].index, -1) <= i:
                kept[k] = arrays[slot]
            elif slot is not None or self.last_use.get(k, -1) > i:
                kept[k] = np.empty(self.tape.leaf.shape, bool if op.out.boolean else arrays["p"].dtype)
        made = {op.out.index for op in part}
        read = {a.index: env[a.index] for op in part for a in op.args if isinstance(a, Value) and a.index not in made}
        plan, registers = _schedule(part, made, kept)
        scratch: list[Array] = []
        for inside, outside in _block_views(self.tape.leaf.shape, self.block, read, kept):
            like = next(iter(outside.values()))
            scratch = scratch or [np.empty(like.shape, bool if b else arrays["p"].dtype) for b in registers]
            for op, register in plan:
                out = inside[op.out.index] = scratch[register][: len(like)]
                _ufunc(op, [_get(inside, a) for a in op.args], out)
            for k, x in outside.items():
                x[...] = inside[k]
        env |= kept


def _schedule(part: list[Op], made: set[int], kept: Mapping[int, Array]) -> tuple[list[tuple[Op, int]], list[bool]]:
    """Give every operation a scratch register, free again once its result is dead; return also which are boolean."""
    last = {a.index: n for n, op in enumerate(part) for a in op.args if isinstance(a, Value) and a.index in made}
    last |= dict.fromkeys(kept, len(part))
    free: dict[bool, list[int]] = {False: [], True: []}
    held: dict[int, tuple[bool, int]] = {}
    plan: list[tuple[Op, int]] = []
    registers: list[bool] = []
    for n, op in enumerate(part):
        kind = op.out.boolean
        if not free[kind]:
            free[kind].append(len(registers))
            registers.append(kind)
        held[op.out.index] = kind, free[kind].pop()
        plan.append((op, held[op.out.index][1]))
        for k in [k for k in held if last.get(k, n) <= n]:
            kind, register = held.pop(k)
            free[kind].append(register)
    return plan, registers


def _block_views(
    shape: tuple[int, ...], block: int, read: Mapping[int, Any], kept: Mapping[int, Array]
) -> Iterator[tuple[dict[int, Any], dict[int, Array]]]:
    """Cut the operands of a run into blocks: of elements where all are full or single numbers, else of leading rows."""
    full = {k: x for k, x in read.items() if getattr(x, "shape", None) == shape}
    rest = {k: x for k, x in read.items() if k not in full}
    if all(np.ndim(x) == 0 for x in rest.values()):
        full, kept, rows = (
            {k: x.reshape(-1) for k, x in full.items()},
            {k: x.reshape(-1) for k, x in kept.items()},
            block,
        )
        length = math.prod(shape)
    else:
        length, rows = shape[0], max(1, block // max(1, math.prod(shape[1:])))
        full |= {k: x for k, x in rest.items() if np.ndim(x) == len(shape) and x.shape[0] == length}
        rest = {k: x for k, x in rest.items() if k not in full}
    for start in range(0, length, rows):
        cut = slice(start, start + rows)
        yield {k: x[cut] for k, x in full.items()} | rest, {k: x[cut] for k, x in kept.items()}


def _ufunc(op: Op, args: list[Any], out: Array) -> None:
    if op.name == "where":  # np.where has no `out`
        condition, x, y = args
        np.copyto(out, y)
        np.copyto(out, x, where=condition)
    else:
        UFUNCS[op.name](*args, out=out)


def _whole(xp: Namespace, op: Op, env: Mapping[int, Any]) -> Any:
    args = [_get(env, a) for a in op.args]
    if op.helper is not None:
        return op.helper(xp, *args, **dict(op.attrs))
    if op.name in UFUNCS and op.name != "where":
        return UFUNCS[op.name](*args)
    return getattr(xp, op.name)(*args, **dict(op.attrs))


def _get(env: Mapping[int, Any], operand: Any) -> Any:
    return env[operand.index] if isinstance(operand, Value) else operand
