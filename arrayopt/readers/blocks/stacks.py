"""Leaves of one shape that a rule steps as matrices, taken together: a stack of matrices is one leaf of three axes.

A step of a small matrix is calls more than arithmetic, and a stack of k of them needs as many calls as one. The bits
stay: NumPy multiplies the matrices of a stack one by one, and sums each as it sums one alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from arrayopt.core.tape import Op
from arrayopt.readers.blocked import Bank
from arrayopt.readers.blocks import program as programs
from arrayopt.readers.blocks.chain import Chain
from arrayopt.readers.blocks.layout import joined
from arrayopt.readers.blocks.plans import Bound, Plan
from arrayopt.readers.blocks.program import UFUNCS, Program
from arrayopt.readers.blocks.workspaces import workspace


def stackable(plan: Plan, leaf: Bound) -> bool:
    """Tell whether leaves like this one may be stacked: all but elementwise operations act on their last two axes."""
    shape = leaf.leaf.shape
    return leaf.alike and len(shape) == 2 and all(_matrixwise(op, shape, leaf.dtype) for op in plan.program.ops)


def _stacked(plan: Plan, leaf: Bound, shape: tuple[int, ...]) -> Program:
    """Trace the rule on a stack: `step` cannot see a shape, so the numbers of the tape stay in their places."""
    own, slots = replace(leaf.leaf, shape=shape), dict.fromkeys(leaf.slots, shape)
    return programs.build(leaf.rule, own, plan.h, slots, plan.every_step)


def _matrixwise(op: Op, shape: tuple[int, ...], dtype: Any) -> bool:
    if op.helper is None:
        return op.name in UFUNCS and op.out.shape == shape
    return workspace(op.helper, op.args[0].shape, dtype, dict(op.attrs)) is not None


@dataclass(frozen=True)
class _Stacked:
    """A plan whose program is that of the stack."""

    program: Program
    values: Mapping[int, Any]


class Stack:
    """Matrices of one shape stepped as one leaf: gathered where they do not lie one after the other already."""

    def __init__(self, plan: Plan, leaves: Sequence[Bound], bank: Bank, engine: Any) -> None:
        first, shape = leaves[0], (len(leaves), *leaves[0].leaf.shape)
        size, dtype = len(leaves) * first.leaf.size, first.dtype
        self._indices = [x.index for x in leaves]
        self._gather: list[tuple[list[np.ndarray], np.ndarray]] = []
        arrays = {}
        for name in first.arrays:
            each = [x.arrays[name] for x in leaves]
            view = joined(each)
            if view is None:
                view = bank.array(f"stack_{name}", dtype, size)
                self._gather.append((each, view))
            arrays[name] = view.reshape(shape)
        self._g = bank.array("stack_g", dtype, size)
        stacked: Any = _Stacked(_stacked(plan, first, shape), plan.values)
        self._chain = Chain(stacked, Bound(0, replace(first.leaf, shape=shape), first.rule, arrays), bank, engine)
        self._chain.take([self._g.reshape(shape)])
        self._shape = shape
        self.room = self._chain.room
        self._grads: Sequence[np.ndarray] = ()

    def take(self, grads: Sequence[np.ndarray]) -> None:
        """Step along these gradients."""
        self._grads = [grads[i] for i in self._indices]

    def __call__(self) -> None:
        """Gather, step, scatter."""
        np.concatenate(self._grads, None, self._g)
        for arrays, stack in self._gather:
            np.concatenate(arrays, None, stack)
        self._chain()
        for arrays, stack in self._gather:
            for x, y in zip(arrays, stack.reshape(self._shape), strict=True):
                x[...] = y
