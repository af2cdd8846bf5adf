"""Wrapper: what surrounds the steps of a rule, such as clipping, averaging or a loss scale.

A wrapper is an optimizer that holds another one and is used like a rule. Its state is a plain `State`: the
slots of what it holds, and beside them its own, under names such as ``lookahead.slow``. Its `t` counts the
calls of `update`. Numbers that do not follow from t, such as how many steps were skipped, are 0-d arrays
under the path "". Unlike a rule, a wrapper may look at numbers that live on a device.
"""

import dataclasses
import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, final

import numpy as np

from arrayopt.backend import Array, Namespace, to_numpy
from arrayopt.core import trees
from arrayopt.core.optimizer import Optimizer
from arrayopt.core.state import State
from arrayopt.core.trees import Leaf, Tree, label
from arrayopt.errors import LeafError, OptionError

Leaves = Mapping[str, Array]
"""Arrays by the path of their leaf."""
Number = int | float


@dataclass(frozen=True)
class Call:
    """What the `step` of a wrapper is given: one call of `update`, with trees as arrays by path."""

    xp: Namespace
    t: int
    """This call's number, from 1."""
    grads: Leaves
    params: Leaves
    own: Mapping[str, Leaves]
    """The wrapper's slots by name; float32 for leaves of half precision."""
    counters: Mapping[str, Number]
    inner: State
    """The state of the optimizer that is held."""


@dataclass(frozen=True)
class After:
    """What the `step` of a wrapper returns."""

    params: Leaves
    inner: State
    own: Mapping[str, Leaves] = field(default_factory=dict)
    counters: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Wrapper(Optimizer):
    """Base of every wrapper.

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer that is held; wrappers nest.
    """

    rule: Optimizer

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if not isinstance(self.rule, Optimizer):
            raise OptionError(
                f"{type(self).__name__}: rule must be a rule, such as Adam(), a Partition or a wrapper, "
                f"got {self.rule!r}"
            )

    # What a concrete wrapper writes ----------------------------------------------------------

    def slots(self, leaf: Leaf) -> Mapping[str, Literal["zeros", "params"]]:
        """Return the wrapper's own slots of a leaf, which have its shape, and what they start as."""
        return {}

    def counters(self) -> Mapping[str, Number]:
        """Return the wrapper's own numbers and what they start as; a float is kept in float32."""
        return {}

    def inner_t(self, t: int, counters: Mapping[str, Number]) -> int:
        """Return how many steps the held optimizer has taken after t calls."""
        return t

    def held_params(self, xp: Namespace, params: Leaves) -> Leaves:
        """Return the parameters that the held optimizer starts with."""
        return params

    @abstractmethod
    def step(self, call: Call) -> After:
        """Take one step, by way of ``self.rule.update``."""

    # What callers use ------------------------------------------------------------------------

    @final
    def replace(self, **fields: Any) -> Self:
        """Return the wrapper with some fields changed; those that are not its own are changed in what it holds."""
        own = {f.name for f in dataclasses.fields(self)}
        held = {k: v for k, v in fields.items() if k not in own}
        mine = {k: v for k, v in fields.items() if k in own}
        return super().replace(**mine, **({"rule": mine.get("rule", self.rule).replace(**held)} if held else {}))

    @final
    def init(self, params: Tree) -> State:
        """Return the state before the first call.

        Raises
        ------
        LeafError
            If a leaf is not a real floating-point array, or the held optimizer refuses it.
        """
        leaves, _ = trees.flatten(params, "params")
        xp = trees.common_namespace(params=leaves)
        trees.check_real(leaves, xp)
        inner = self.rule.init(self.held_params(xp, leaves))
        own: dict[str, dict[str, Array]] = {}
        for path, p in leaves.items():
            for name, start in self.slots(trees.describe(path, p)).items():
                own.setdefault(name, {})[path] = wide(xp, p, copy=True) if start == "params" else wide_zeros(xp, p)
        return self._joined(xp, leaves, 0, inner, own, self.counters())

    @final
    def update(self, grads: Tree, state: State, params: Tree) -> tuple[Tree, State]:
        """Take one call; nothing that is passed in is changed. Arguments and result are those of a rule's `update`.

        Raises
        ------
        LeafError
            If the trees do not match, with the path of the first leaf that differs.
        """
        leaves, spec, gradients, xp = self.checked(grads, state, params)
        own, counters, inner = self._parted(state, leaves)
        after = self.step(Call(xp, state.t + 1, gradients, leaves, own, counters, inner))
        new = self._joined(xp, leaves, state.t + 1, after.inner, after.own, after.counters)
        return trees.unflatten(spec, {path: after.params[path] for path in leaves}), new

    @final
    def inner(self, state: State) -> State:
        """Return the part of `state` that belongs to the held optimizer, as its own State."""
        numbers = {name: self._counter(state, name, start) for name, start in self.counters().items()}
        mine = f"{self._tag()}."
        slots = {name: by for name, by in state.slots.items() if not name.startswith(mine)}
        return State(self.inner_t(state.t, numbers), slots)

    # How the two states lie in one -----------------------------------------------------------

    def _tag(self) -> str:
        """Name this wrapper among those it holds: the second Lookahead from inside is ``lookahead2``."""
        same, held = 1, self.rule
        while isinstance(held, Wrapper):
            same, held = same + (type(held) is type(self)), held.rule
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()
        return f"{name}{same}" if same > 1 else name

    def _joined(
        self,
        xp: Namespace,
        leaves: Leaves,
        t: int,
        inner: State,
        own: Mapping[str, Leaves],
        counters: Mapping[str, Number],
    ) -> State:
        device = getattr(next(iter(leaves.values())), "device", None)
        kinds = {int: xp.int32, float: xp.float32}
        numbers = {name: {"": xp.asarray(n, dtype=kinds[type(n)], device=device)} for name, n in counters.items()}
        mine = {f"{self._tag()}.{name}": dict(by) for name, by in {**own, **numbers}.items()}
        return State(t, {**inner.slots, **mine})

    def _parted(self, state: State, leaves: Leaves) -> tuple[dict[str, dict[str, Array]], dict[str, Number], State]:
        """Take a state apart, the reverse of `_joined`, and check the wrapper's own part of it."""
        counters = {name: self._counter(state, name, start) for name, start in self.counters().items()}
        own: dict[str, dict[str, Array]] = {}
        for path, p in leaves.items():
            for name in self.slots(trees.describe(path, p)):
                x = self._own(state, name, path)
                if tuple(x.shape) != tuple(p.shape):
                    raise LeafError(
                        f"state: slot '{self._tag()}.{name}' of {label(path)} has shape {tuple(x.shape)}, "
                        f"expected {tuple(p.shape)}"
                    )
                own.setdefault(name, {})[path] = x
        return own, counters, self.inner(state)

    def _own(self, state: State, name: str, path: str) -> Array:
        slot = f"{self._tag()}.{name}"
        if path not in state.slots.get(slot, {}):
            raise LeafError(
                f"state: {label(path)} lacks the slot {slot!r}; make the state with {type(self).__name__}.init(params)"
            )
        return state.slots[slot][path]

    def _counter(self, state: State, name: str, start: Number) -> Number:
        return type(start)(to_numpy(self._own(state, name, "")).item())


HALF = ("float16", "bfloat16")


def wide(xp: Namespace, x: Array, copy: bool = False) -> Array:
    """Return an array in the precision that a wrapper computes in: float32 for half precision, else its own."""
    return cast(xp, x, xp.float32 if trees.dtype_name(x) in HALF else x.dtype, copy)


def wide_zeros(xp: Namespace, p: Array) -> Array:
    """Return zeros of an array's shape, in the precision of `wide`."""
    dtype = xp.float32 if trees.dtype_name(p) in HALF else p.dtype
    return xp.zeros(tuple(p.shape), dtype=dtype, device=getattr(p, "device", None))


def cast(xp: Namespace, x: Array, dtype: Any, copy: bool = False) -> Array:
    """Return an array, made of a scalar where NumPy turned a 0-d result into one, in `dtype`."""
    if isinstance(x, (np.ndarray, np.generic)):
        return np.array(x, dtype=dtype) if copy else np.asarray(x, dtype=dtype)
    return xp.astype(x, dtype, copy=copy)


def all_finite(xp: Namespace, leaves: Leaves) -> bool:
    """Tell whether every element of every leaf is finite, with one look at the device."""
    finite = [xp.all(xp.isfinite(wide(xp, x))) for x in leaves.values()]
    return bool(to_numpy(xp.all(xp.stack(finite))))
