"""Optimizer: whatever has `init` and `update`; PerLeaf: one that steps each leaf by a rule of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.core import options, trees
from arrayopt.core.options import Checked
from arrayopt.core.schedules import at
from arrayopt.core.state import State, register_with_jax
from arrayopt.core.trees import Leaf, Tree, label
from arrayopt.errors import LeafError

if TYPE_CHECKING:
    from arrayopt.core.rule import Rule


@dataclass(frozen=True)
class Slot:
    """How a slot starts: an array of `shape` (default: the leaf's) of `fill`, or `fill` times the identity."""

    fill: float = 0.0
    shape: tuple[int, ...] | None = None
    identity: bool = False


@dataclass(frozen=True, kw_only=True)
class Optimizer(Checked, ABC):
    """Anything that steps: a rule, a `Partition` of the leaves among rules, or a wrapper around either.

    It is plain data: a frozen dataclass whose fields are checked, with all that changes in the `State`.
    """

    @abstractmethod
    def init(self, params: Tree) -> State:
        """Return the state before the first step."""

    @abstractmethod
    def update(self, grads: Tree, state: State, params: Tree) -> tuple[Tree, State]:
        """Take one step and return new parameters and the new state; nothing that is passed in is changed."""

    @final
    def checked(
        self, grads: Tree, state: State, params: Tree
    ) -> tuple[dict[str, Array], Any, dict[str, Array], Namespace]:
        """Check what every `update` is given; return leaves, structure, gradients by path and the namespace."""
        leaves, spec = trees.flatten(params, "params")
        gradients = trees.match(grads, "grads", leaves, spec)
        if not isinstance(state, State):
            raise LeafError(f"state: expected what {type(self).__name__}.init returned, got a {type(state).__name__}")
        flat = {f"{s}/{path}": x for s, by in state.slots.items() for path, x in by.items()}
        xp = trees.common_namespace(params=leaves, grads=gradients, state=flat)
        trees.check_real(leaves, xp)
        if any("jax" in type(x).__module__ for x in leaves.values()):
            register_with_jax()
        return leaves, spec, gradients, xp


@dataclass(frozen=True, kw_only=True)
class PerLeaf(Optimizer):
    """An optimizer that steps each leaf by itself, by the rule in charge of it: a `Rule` or a `Partition`."""

    @abstractmethod
    def for_leaf(self, leaf: Leaf) -> Rule:
        """Return the rule in charge of a leaf."""

    @final
    def init(self, params: Tree) -> State:
        """Return the state before the first step.

        Raises
        ------
        LeafError
            If a leaf is not a real floating-point array, or an epsilon underflows to zero in its dtype.
        """
        leaves, _ = trees.flatten(params, "params")
        xp = trees.common_namespace(params=leaves)
        trees.check_real(leaves, xp)
        slots: dict[str, dict[str, Array]] = {}
        for path, p in leaves.items():
            leaf = trees.describe(path, p)
            rule = self.for_leaf(leaf)
            _check_underflow(rule, leaf)
            for slot, start in rule.slots(leaf).items():
                slots.setdefault(slot, {})[path] = _create(xp, p, start if isinstance(start, Slot) else Slot(start))
        return State(0, slots)

    @final
    def update(self, grads: Tree, state: State, params: Tree) -> tuple[Tree, State]:
        """Take one step: the pure reader of the rule's text. Nothing that is passed in is changed.

        Parameters
        ----------
        grads : tree of arrays
            Gradients, with the structure, shapes and dtypes of `params`.
        state : State
            What `init` or the last `update` returned.
        params : tree of arrays
            Parameters, of any one array library.

        Returns
        -------
        params, state
            New parameters and the new state.

        Raises
        ------
        LeafError
            If the trees do not match, with the path of the first leaf that differs.
        """
        leaves, spec, gradients, xp = self.matched(grads, state, params)
        t = state.t + 1
        after: dict[str, Array] = {}
        slots: dict[str, dict[str, Array]] = {slot: {} for slot in state.slots}
        for path, p in leaves.items():
            leaf = trees.describe(path, p)
            after[path], new = self.for_leaf(leaf).on_leaf(xp, t, leaf, gradients[path], p, state.at(path))
            for slot, x in new.items():
                slots[slot][path] = x
        return trees.unflatten(spec, after), State(t, slots)

    @final
    def matched(
        self, grads: Tree, state: State, params: Tree
    ) -> tuple[dict[str, Array], Any, dict[str, Array], Namespace]:
        """Check the arguments of `update`, slots included, and return what `checked` returns."""
        leaves, spec, gradients, xp = self.checked(grads, state, params)
        for path, p in leaves.items():
            leaf = trees.describe(path, p)
            expected, got = self.for_leaf(leaf).slot_shapes(leaf), state.at(path)
            if expected.keys() != got.keys():
                raise LeafError(
                    f"state: {label(path)} has the slots {sorted(got)}, expected {sorted(expected)}; "
                    f"make the state with {type(self).__name__}.init(params)"
                )
            for slot, shape in expected.items():
                if tuple(got[slot].shape) != shape:
                    raise LeafError(
                        f"state: slot {slot!r} of {label(path)} has shape {tuple(got[slot].shape)}, expected {shape}"
                    )
                if got[slot].dtype != p.dtype:
                    raise LeafError(
                        f"state: slot {slot!r} of {label(path)} has dtype {trees.dtype_name(got[slot])}, "
                        f"expected {leaf.dtype}"
                    )
        return leaves, spec, gradients, xp


def _check_underflow(rule: Rule, leaf: Leaf) -> None:
    if leaf.dtype != "float16":
        return
    for name, interval in options.numbers(type(rule)).items():
        value = at(getattr(rule, name), 1)
        if interval.added and value != 0 and np.float16(value) == 0:
            raise LeafError(
                f"params: {label(leaf.path)} is float16, in which {name}={value:g} underflows to 0; "
                f"use {name} >= 6e-8, keep the leaf in float32, or wrap the rule in MixedPrecision"
            )


def _create(xp: Namespace, p: Array, start: Slot) -> Array:
    shape = tuple(p.shape) if start.shape is None else start.shape
    if start.identity:
        x = start.fill * xp.eye(*shape, dtype=p.dtype, device=p.device)
        return x if x.dtype == p.dtype else x.astype(p.dtype)  # NumPy makes float32 of bfloat16 and a number
    return xp.full(shape, start.fill, dtype=p.dtype, device=p.device)
