"""Slips: classic mistakes, each as a rule of its own that makes it.

`slipped` derives from a rule the rule that somebody follows who slips: it counts steps from elsewhere, has two numbers
in each other's place, reads a stale moment. What it returns is used as any rule is, by every reader.
"""

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from arrayopt.conformance.slips import edits
from arrayopt.core import trees
from arrayopt.core.rule import Rule
from arrayopt.core.state import State
from arrayopt.core.tape import Tape
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf

Numbers = Mapping[str, Any]


class Traced:
    """The tape of a rule for a leaf, and every tape with one thing wrong."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape

    @functools.cached_property
    def one_off(self) -> dict[tuple[str, str, int], Tape]:
        """Return the edits by their kind, text and, of those with one text, number."""
        found: dict[tuple[str, str, int], Tape] = {}
        for kind, text, edited in edits.one_off(self.tape):
            n = next(i for i in itertools.count() if (kind, text, i) not in found)
            found[kind, text, n] = edited
        return found


@dataclass(frozen=True)
class Slip:
    """One mistake: whatever is given here happens in place of what the rule says.

    Attributes
    ----------
    kind : str
        The kind of the cause that it is, such as "step-count".
    text : str
        What is wrong, for people; two slips are one if text and number are the same.
    number : float or tuple of float, optional
        The constants in it, where it has some; the place on the tape, which may bear a name several times.
    twist : callable, optional
        The rule with its numbers changed, from the rule as given.
    count : callable, optional
        ``count(t, i, n)``: the step count that leaf i of n sees, from 0.
    seen : callable, optional
        The leaf whose shape and name it goes by, from the leaf.
    edit, edits_after : callable, optional
        Numbers of the step that are others, from the hyper-parameters, or from these and what the rule derives.
    later : (str, int), optional
        A derived number, and how many steps later its value is taken.
    extra : callable, optional
        ``extra(numbers, t)``: the number `edits.INSERTED` of the tape.
    tape : callable, optional
        The tape, from that of the rule.
    decays : callable, optional
        ``decays(h, g, p) -> g, p``: what happens before the step.
    shares : callable, optional
        A key of a leaf: leaves with equal keys share their slots.
    joins : bool
        Whether all leaves are one vector to the rule.
    """

    kind: str
    text: str
    number: float | tuple[float, ...] | None = None
    twist: Callable[[Rule], Rule] | None = field(default=None, compare=False)
    count: Callable[[int, int, int], int] | None = field(default=None, compare=False)
    seen: Callable[[Leaf], Leaf] | None = field(default=None, compare=False)
    edit: Callable[[dict[str, Any]], Numbers] | None = field(default=None, compare=False)
    edits_after: Callable[[dict[str, Any]], Numbers] | None = field(default=None, compare=False)
    later: tuple[str, int] | None = None
    extra: Callable[[dict[str, Any], int], float] | None = field(default=None, compare=False)
    tape: Callable[[Traced], Tape | None] | None = field(default=None, compare=False)
    decays: Callable[[Any, Any, Any], tuple[Any, Any]] | None = field(default=None, compare=False)
    shares: Callable[[Leaf], Any] | None = field(default=None, compare=False)
    joins: bool = False


class Edited:
    """A tape as one of the numbers of a step; equal to itself alone."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape


def slipped(rule: Rule, slip: Slip, order: tuple[str, ...] = ()) -> Rule:
    """Return the rule that slips, with the fields of `rule`; `order` is that of the leaves, for `Slip.count`."""
    cls = _class(original(rule), slip, order)
    return cls(**{f.name: getattr(rule, f.name) for f in fields(rule)})


def slip_in(rule: Rule) -> Slip | None:
    """Return the slip of a rule that `slipped` made; None for any other."""
    return getattr(type(rule), "slip", None)


def original(rule: Rule) -> type[Rule]:
    """Return the class of the rule without its slip."""
    return getattr(type(rule), "original", type(rule))


def in_order(rule: Rule, paths: tuple[str, ...]) -> Rule:
    """Return the rule for leaves in an order, which matters to one that counts a step for each of them."""
    slip = slip_in(rule)
    return rule if slip is None or slip.count is None else slipped(rule, slip, paths)


@functools.lru_cache(maxsize=4096)
def _class(cls: type[Rule], slip: Slip, order: tuple[str, ...]) -> type[Rule]:
    """Derive the class of a rule that slips; its text is mechanical, so that it may derive from a final one."""
    places = {path: i for i, path in enumerate(order)}

    def twisted(self: Rule) -> Rule:
        return self if slip.twist is None else slip.twist(self)

    def slots(self: Rule, leaf: Leaf) -> Any:
        return cls.slots(twisted(self), leaf)

    def numbers_at(self: Rule, t: int, leaf: Leaf) -> dict[str, Any]:
        return cls.numbers_at(twisted(self), t, leaf)

    def scalars(self: Rule, h: SimpleNamespace, t: int, leaf: Leaf) -> Numbers:
        if slip.edit is not None:
            h = SimpleNamespace(**vars(h) | dict(slip.edit(dict(vars(h)))))
        count = t if slip.count is None else slip.count(t, places.get(leaf.path, 0), max(len(places), 1))
        derived = dict(cls.scalars(self, h, count, leaf))
        if slip.seen is not None:  # only numbers go by the other shape: the arrays have their own
            other = cls.scalars(self, h, count, slip.seen(leaf))
            derived |= {k: x for k, x in other.items() if isinstance(x, float)}
        if slip.later is not None:
            name, off = slip.later
            derived[name] = cls.scalars(self, h, count + off, leaf)[name]
        every = vars(h) | derived
        if slip.edits_after is not None:
            every |= slip.edits_after(every)
        if slip.extra is not None:
            every[edits.INSERTED] = slip.extra(every, count)
        if slip.tape is not None:
            every["edited"] = _edited(slip, cls(**{f.name: getattr(self, f.name) for f in fields(self)}), leaf, every)
        return every

    def step(self: Rule, xp: Any, h: Any, g: Any, p: Any, **before: Any) -> Any:
        if slip.decays is not None:
            g, p = slip.decays(h, g, p)
        if slip.tape is not None:
            return edits.replay(h.edited.tape, xp, vars(h), {"g": g, "p": p, **before})
        return cls.step(self, xp, h, g, p, **before)

    def update(self: Rule, grads: Any, state: State, params: Any) -> tuple[Any, State]:
        leaves, spec, gradients, xp = self.matched(grads, state, params)
        rule, after, kept = in_order(self, tuple(leaves)), {}, {k: state.at(k) for k in leaves}
        described = {k: trees.describe(k, p) for k, p in leaves.items()}
        held = {_key(rule, leaf): kept[k] for k, leaf in described.items()}
        for k, leaf in described.items():
            key = _key(rule, leaf)
            after[k], held[key] = rule.on_leaf(xp, state.t + 1, leaf, gradients[k], leaves[k], held[key])
        now = {k: held[_key(rule, leaf)] for k, leaf in described.items()}
        slots = {s: {k: x[s] for k, x in now.items() if s in x} for s in state.slots}
        return trees.unflatten(spec, after), State(state.t + 1, slots)

    def init_joined(self: Rule, params: Any) -> State:
        return plain(self).init(joined(trees.flatten(params, "params")[0]))

    def update_joined(self: Rule, grads: Any, state: State, params: Any) -> tuple[Any, State]:
        (leaves, spec), (gradients, _) = trees.flatten(params, "params"), trees.flatten(grads, "grads")
        after, now = plain(self).update(joined(gradients), state, joined(leaves))
        return trees.unflatten(spec, parted(after, leaves)), now

    body = {"slots": slots, "scalars": scalars, "step": step, "numbers_at": numbers_at, "slip": slip, "original": cls}
    if slip.shares is not None or slip.count is not None:
        body["update"] = update
    if slip.joins:
        body |= {"init": init_joined, "update": update_joined}
    made: type[Rule] = type(f"{cls.__name__} where {slip.text}", (cls,), body)
    return made


def plain(rule: Rule) -> Rule:
    """Return the rule without its slip."""
    return original(rule)(**{f.name: getattr(rule, f.name) for f in fields(rule)})


def joins(rule: Rule) -> bool:
    """Tell whether all leaves are one vector to a rule."""
    slip = slip_in(rule)
    return slip is not None and slip.joins


def joined(leaves: Mapping[str, Any]) -> Any:
    """Return the elements of all leaves as one vector."""
    return np.concatenate([np.ravel(x) for x in leaves.values()])


def parted(vector: Any, like: Mapping[str, Any]) -> dict[str, Any]:
    """Return a vector as leaves of the shapes of others."""
    cuts = np.cumsum([np.size(x) for x in like.values()])[:-1]
    parts = np.split(vector, cuts)
    return {k: np.reshape(x, np.shape(p)) for (k, p), x in zip(like.items(), parts, strict=True)}


def _key(rule: Rule, leaf: Leaf) -> Any:
    """Return what leaves that share slots have in common: their own path where none do."""
    slip = slip_in(rule)
    return leaf.path if slip is None or slip.shares is None else slip.shares(leaf)


def keys(rule: Rule, leaves: Mapping[str, Leaf]) -> dict[str, Any]:
    """Return the key of each leaf under which its slots are held."""
    return {path: _key(rule, leaf) for path, leaf in leaves.items()}


_TAPES: dict[Any, Traced] = {}
_EDITED: dict[Any, Edited | None] = {}


def traced(rule: Rule, leaf: Leaf, h: Numbers) -> Traced:
    """Return the tape of a rule; one for each set of statics."""
    static = tuple((k, v) for k, v in sorted(h.items()) if not isinstance(v, float))
    numbers = tuple(sorted(k for k, v in h.items() if isinstance(v, float)))
    key = type(rule), rule.structure(), tuple(rule.slot_shapes(leaf).items()), leaf, static, numbers
    if key not in _TAPES:
        _TAPES[key] = Traced(trace(rule, leaf, h, rule.slot_shapes(leaf), named=True))
    return _TAPES[key]


def _edited(slip: Slip, rule: Rule, leaf: Leaf, h: Numbers) -> Edited:
    """Return the edited tape of a rule."""
    before = traced(rule, leaf, h)
    key = slip, id(before)  # which is never let go
    if key not in _EDITED:
        changed = slip.tape(before) if slip.tape is not None else None
        _EDITED[key] = None if changed is None else Edited(changed)
    found = _EDITED[key]
    if found is None:
        raise SlipError(f"{slip.text}: not in {type(rule).__name__}")
    return found


class SlipError(Exception):
    """A slip that a rule, as it is set, does not allow."""
