"""Steps in place: the rule's `init` and `update`, with parameters and state written where they lie.

An *engine* does the work. It is an object with

``prepare(rule, leaves, slots, threads) -> step``
    `leaves` maps paths to parameters, `slots` maps a slot's name to arrays by path. It checks that it can write
    them, and binds to them. The result is called as ``step(t, grads)``, with t from 1 and a list of gradients in the
    order of `leaves`; the very same list as in the call before means the very same arrays. Anything that can be
    refused must be refused before the first write.

and this module calls `prepare` again only when the arrays of the parameters or of the state are others than before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from operator import attrgetter
from typing import Any, Literal, Protocol

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.core import options, trees
from arrayopt.core.optimizer import PerLeaf
from arrayopt.core.state import State
from arrayopt.core.trees import Tree
from arrayopt.errors import BackendError, OptionError
from arrayopt.readers.blocks import layout

Step = Callable[[int, Sequence[Array]], None]
Name = Literal["auto", "numpy", "numba", "cupy"]
_writeable = attrgetter("flags.writeable")


class Engine(Protocol):
    """What writes in place; see the module."""

    def prepare(
        self, rule: PerLeaf, leaves: Mapping[str, Array], slots: Mapping[str, Mapping[str, Array]], threads: int | None
    ) -> Step:
        """Bind to arrays."""


def inplace(rule: PerLeaf, threads: int | None = None, block: int | None = None, engine: Name = "auto") -> "Stepper":
    """Return a stepper for `rule` that writes parameters and state in place, bit for bit as `rule.update` would.

    Parameters
    ----------
    rule : Rule or Partition
        The rule to replay.
    threads : int, optional
        How many threads share a step, at least 1. By default as many as pay, up to the cores that the process may
        use: the first steps try 1, 2, 4, ... and the fastest count stays.
    block : int, optional
        Elements per block, at least 1. By default 256 KiB per array, with several threads 512 KiB.
    engine : {"auto", "numpy", "numba", "cupy"}
        "numpy": ufuncs on blocks. "numba": one compiled loop (extra ``fast``). "cupy": one kernel, to which `threads`
        and `block` mean nothing. "auto": "cupy" for CuPy arrays, else "numba" where it is installed, else "numpy".

    Returns
    -------
    Stepper
        With `init` and `update`, which have the signatures of the rule's own.

    Raises
    ------
    OptionError
        If an option is out of range, or `rule` is a wrapper, which steps by what it holds.
    BackendError
        If the engine's library is not installed.

    Notes
    -----
    A step allocates nothing that grows with the leaves, with these exceptions: leaves in bfloat16, leaves that are
    not contiguous under a rule that sums over them, and the helpers that decompose matrices (``orthogonalize="exact"``,
    Shampoo's roots) or draw noise. Products of Newton-Schulz iterations of wide matrices are taken in another order
    than in `rule.update`; all else has the same bits.

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
    if not isinstance(rule, PerLeaf):
        raise OptionError(f"inplace: expected a rule or a Partition, got a {type(rule).__name__}; step what it holds")
    for name, value in {"threads": threads, "block": block}.items():
        if value is not None:
            options.check_count("inplace", name, value)
    if engine not in ("auto", "numpy", "numba", "cupy"):
        raise OptionError(f"inplace: engine must be 'auto', 'numpy', 'numba' or 'cupy', got {engine!r}")
    return Stepper(rule, threads, block, engine)


def engine_for(name: str, block: int | None = None) -> Engine:
    """Return the engine of a name; its library is imported here.

    Raises
    ------
    BackendError
        If the library is not installed.
    """
    try:
        if name == "cupy":
            from arrayopt.readers.kernel import engine as kernel

            return kernel.Engine()
        if name == "numba":
            from arrayopt.readers import compiled

            return compiled.Engine(block)
    except ImportError as error:
        raise BackendError(
            f"engine {name!r} is not installed; install arrayopt[{'fast' if name == 'numba' else 'cuda13'}], "
            "or use engine 'numpy'"
        ) from error
    from arrayopt.readers import blocked

    return blocked.Engine(block)


class Stepper:
    """A rule that steps in place; see `inplace`."""

    def __init__(self, rule: PerLeaf, threads: int | None, block: int | None, engine: Name) -> None:
        self.rule, self.threads, self.block, self.engine = rule, threads, block, engine
        self._engines: dict[str, Engine] = {}
        if engine != "auto":
            self._engine(engine)  # raises now rather than at the first step
        self._seen: _Seen | None = None

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            self._engines[name] = engine_for(name, self.block)
        return self._engines[name]

    def init(self, params: Tree) -> State:
        """Return the state before the first step, with the arrays of each slot in one buffer per dtype."""
        state = self.rule.init(params)
        for by in state.slots.values():
            if all(isinstance(x, np.ndarray) for x in by.values()):
                together = layout.views_of_one(by)
                for path, x in by.items():
                    together[path][...] = x
                by.update(together)
        return state

    def update(self, grads: Tree, state: State, params: Tree) -> tuple[Tree, State]:
        """Take one step in place; return the same parameters, and a state that holds the same slots.

        Whether a parameter may be written is looked at in each step; what else there is to know of an array, such as
        what it overlaps, when it is first met.

        Raises
        ------
        LeafError
            If the trees do not match, or a leaf cannot be written; nothing has been changed then.
        FloatingPointError
            From NumPy, inside ``np.errstate(...="raise")``. This one and KeyboardInterrupt can come half-way, when
            some elements are those of the next step and others are not, and carry a note that says so.
        """
        seen = self._seen
        if seen is None or not (
            seen.params.same(params) and seen.slots.same(state.slots) and all(map(_writeable, seen.written))
        ):
            seen = self._bind(grads, state, params)
        elif not seen.grads.same(grads):
            self._follow(seen, grads)
        t = state.t + 1
        try:
            seen.step(t, seen.grads.leaves)
        except (FloatingPointError, KeyboardInterrupt, MemoryError) as error:
            error.add_note(
                f"step {t} of {type(self.rule).__name__} in place did not end: parameters and state may be partly "
                "written; restore them, or use rule.update, which changes nothing"
            )
            raise
        return params, State(t, state.slots)

    def _follow(self, seen: "_Seen", grads: Tree) -> None:
        """Take new gradients, quickly where they are like those before."""
        new = layout.Seen(grads)
        if not new.like(seen.grads):
            trees.match(grads, "grads", seen.leaves, seen.spec)
            trees.common_namespace(params=seen.leaves, grads=dict(zip(seen.leaves, new.leaves, strict=True)))
        seen.grads = new

    def _bind(self, grads: Tree, state: State, params: Tree) -> "_Seen":
        leaves, spec, _, _ = self.rule.matched(grads, state, params)
        name = self.engine
        if name == "auto":
            cupy = "cupy" in namespace(*leaves.values()).__name__
            name = "cupy" if cupy else "numba" if find_spec("numba") else "numpy"
        step = self._engine(name).prepare(self.rule, leaves, state.slots, self.threads)
        slots = layout.SeenSlots(state.slots)
        written = [x for x in leaves.values() if isinstance(x, np.ndarray)]
        self._seen = _Seen(layout.Seen(params), layout.Seen(grads), slots, leaves, spec, step, written)
        return self._seen


@dataclass
class _Seen:
    """What the last step met, so that the next one looks at it again only where it differs."""

    params: layout.Seen
    grads: layout.Seen
    slots: layout.SeenSlots
    leaves: Mapping[str, Array]
    spec: Any
    step: Step
    written: Sequence[np.ndarray]
    """The parameters, as far as they can be read-only."""
