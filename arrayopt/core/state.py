"""The state of an optimizer: a step count and named slots, as plain data."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optree
from optree.registry import __GLOBAL_NAMESPACE as GLOBAL_NAMESPACE

from arrayopt.backend import Array, default, namespace, to_numpy
from arrayopt.core.trees import Tree, flatten
from arrayopt.errors import LeafError


@dataclass(frozen=True)
class State:
    """What a rule remembers between steps.

    A State is a pytree for optree and JAX: its children are the arrays, `t` belongs to the structure.

    Attributes
    ----------
    t : int
        Number of steps taken.
    slots : dict of dict of array
        ``slots[slot][path]``; leaves may differ in their slots.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import Adam
    >>> state = Adam().init({"w": np.zeros(3)})
    >>> state.t, sorted(state.slots), state.slots["m"]["w"]
    (0, ['m', 'v'], array([0., 0., 0.]))
    """

    t: int = 0
    slots: dict[str, dict[str, Array]] = field(default_factory=dict)

    def at(self, path: str) -> dict[str, Array]:
        """Return the slots of one leaf, by name."""
        return {slot: leaves[path] for slot, leaves in self.slots.items() if path in leaves}

    def flat(self) -> dict[str, np.ndarray]:
        """Return a checkpoint: a flat mapping of NumPy arrays that survives `numpy.savez` bit for bit.

        Keys are ``t`` and ``slot/path``. NumPy's file format knows no bfloat16, so such arrays are stored
        as their bits (uint16) under a key that ends in ``:bfloat16``.
        """
        arrays = {"t": np.asarray(self.t, dtype=np.int64)}
        for slot, leaves in self.slots.items():
            for path, x in leaves.items():
                key, host = f"{slot}/{path}", to_numpy(x)
                bits = host.dtype.name == "bfloat16"
                arrays[key + ":bfloat16" * bits] = host.view(np.uint16) if bits else host
        return arrays

    @classmethod
    def from_flat(cls, arrays: Mapping[str, np.ndarray], params: Tree | None = None) -> "State":
        """Rebuild a state from `flat`, in the library and on the device of `params`.

        Without `params` the arrays are created in the library that `arrayopt.use` says, NumPy by default.

        Raises
        ------
        LeafError
            If the mapping has no ``t``, or a key that is not ``slot/path``.
        """
        if "t" not in arrays:
            raise LeafError("arrays: the checkpoint has no key 't'; expected the mapping that State.flat() returns")
        places = {} if params is None else flatten(params, "params")[0]
        slots: dict[str, dict[str, Array]] = {}
        for key in arrays:
            if key == "t":
                continue
            slot, slash, path = key.partition("/")
            if not slash:
                raise LeafError(f"arrays: the key {key!r} is not of the form slot/path")
            x: Array = np.asarray(arrays[key])
            if path.endswith(":bfloat16"):
                import ml_dtypes

                path, x = path.removesuffix(":bfloat16"), x.view(ml_dtypes.bfloat16)
            slots.setdefault(slot, {})[path] = _place(x, path, places) if places else _created(x)
        return cls(int(arrays["t"]), slots)


def _created(x: np.ndarray) -> Array:
    xp = default()
    return x if xp is namespace(x) else xp.asarray(x)


def _place(x: np.ndarray, path: str, places: Mapping[str, Array]) -> Array:
    if not path and x.ndim == 0 and places:  # a wrapper's counter, which belongs to no leaf
        places = {path: next(iter(places.values())), **places}
    if path not in places:
        raise LeafError(f"params: the tree has no leaf {path!r}, which the checkpoint has; pass the same tree")
    p = places[path]
    xp = namespace(p)
    if x.dtype.name == "bfloat16":
        return xp.asarray(x.astype(np.float32), dtype=p.dtype, device=p.device)
    return xp.asarray(x, device=p.device)


def _flatten(state: State) -> tuple[tuple[Array, ...], tuple[Any, ...], tuple[str, ...]]:
    keys = tuple((slot, path) for slot, leaves in state.slots.items() for path in leaves)
    children = tuple(state.slots[slot][path] for slot, path in keys)
    return children, (state.t, tuple(state.slots), keys), tuple(f"{s}/{p}" for s, p in keys)


def _unflatten(structure: tuple[Any, ...], children: tuple[Array, ...]) -> State:
    t, names, keys = structure
    slots: dict[str, dict[str, Array]] = {name: {} for name in names}
    for (slot, path), x in zip(keys, children, strict=True):
        slots[slot][path] = x
    return State(t, slots)


_register: Any = optree.register_pytree_node  # typed for classes that are collections
_register(State, _flatten, _unflatten, namespace=GLOBAL_NAMESPACE)


@functools.cache
def register_with_jax() -> None:
    """Make State a JAX pytree; called when JAX arrays are met, so that JAX is never imported for nothing."""
    import jax

    jax.tree_util.register_pytree_node(State, lambda s: _flatten(s)[:2], _unflatten)
