"""Slips: classic mistakes, each as a rule of its own that makes it.

`slipped` derives from a rule the rule that somebody follows who slips: it counts steps from elsewhere, has two numbers
in each other's place, reads a stale moment. What it returns is used as any rule is, by every reader.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from arrayopt.conformance import edits
from arrayopt.core import options, trees
from arrayopt.core.rule import Rule
from arrayopt.core.state import State
from arrayopt.core.tape import Tape
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf
from arrayopt.errors import LeafError

Numbers = Mapping[str, Any]


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
    corrects : str, optional
        The decay rate of a bias correction that the tape has beside the rule's.
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
    corrects: str | None = None
    tape: Callable[[Tape], Tape | None] | None = field(default=None, compare=False)
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
        every = vars(h) | derived
        if slip.edits_after is not None:
            every |= slip.edits_after(every)
        if slip.corrects is not None:
            every["correction"] = 1 - every[slip.corrects] ** count
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
        slots = {s: {k: held[_key(rule, leaf)][s] for k, leaf in described.items()} for s in state.slots}
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


_TAPES: dict[Any, Edited | None] = {}


def _edited(slip: Slip, rule: Rule, leaf: Leaf, h: Numbers) -> Edited:
    """Return the edited tape of a rule; one for each set of statics."""
    static = tuple((k, v) for k, v in sorted(h.items()) if not isinstance(v, float))
    key = slip, type(rule), rule.structure(), tuple(rule.slot_shapes(leaf)), leaf, static
    if key not in _TAPES:
        changed = slip.tape(_traced(rule, leaf, h)) if slip.tape is not None else None
        _TAPES[key] = None if changed is None else Edited(changed)
    found = _TAPES[key]
    if found is None:
        raise SlipError(f"{slip.text}: not in {type(rule).__name__}")
    return found


class SlipError(Exception):
    """A slip that a rule, as it is set, does not allow."""


def _traced(rule: Rule, leaf: Leaf, h: Numbers) -> Tape:
    return trace(rule, leaf, h, rule.slot_shapes(leaf), named=True)


# The catalogue -----------------------------------------------------------------------------------


def catalogue(rule: Rule, declared: tuple[str, ...]) -> Iterator[Slip]:
    """Yield the slips that a rule allows, the commonest first; swaps and signs are of declared numbers."""
    yield from COUNTS
    numbers = options.numbers(type(rule))
    rates = [k for k, i in numbers.items() if i.high == 1 and k in declared]
    for a, b in itertools.combinations(rates, 2):
        yield Slip("swapped", f"it has {a} and {b} in each other's place", twist=_swap(a, b))
    for a, b in itertools.permutations(rates, 2):
        yield Slip("swapped", f"it takes {a} for {b} too", twist=_copy(a, b))
    for a in rates:
        yield Slip("swapped", f"it takes {a} for 1 - {a}", edit=_complement(a))
    if "weight_decay" in declared:
        yield from DECAYS
    if "lr" in declared:
        yield ASCENT
        yield Slip("squared", "it applies the learning rate twice", edit=_powers("lr", 2.0))
        yield Slip("squared", "it multiplies the decay by the learning rate twice", edit=_squares_shrink)
    if "eps" in declared and "eps" in numbers:
        yield Slip("squared", "it squares eps", edit=_powers("eps", 2.0))
        yield Slip("squared", "it takes the root of eps", edit=_powers("eps", 0.5))
    yield SHARED
    yield TRANSPOSED
    yield JOINED
    yield from _of_slots(rule)


def _of_slots(rule: Rule) -> Iterator[Slip]:
    """Yield the slips in the order of updates and in buffers, for every slot."""
    slots = list(rule.slots(Leaf("a", (4, 3), "float64")))
    for s in slots:
        for reader, told in {"p": "the update", **{r: r for r in slots if r != s}}.items():
            stale = functools.partial(_stale, s, reader)
            yield Slip("stale-buffer", f"{told} reads {s} of the step before", tape=stale)
        yield Slip("early-moment", f"{s} is updated before it is used, not after", tape=functools.partial(_early, s))
    for a, b in itertools.permutations(slots, 2):
        yield Slip("aliased-buffer", f"{a} and {b} are one buffer", tape=functools.partial(_aliased, a, b))


def _of_scalars(rule: Rule) -> Iterator[Slip]:
    """Yield the slips in the numbers that the rule derives, such as bias corrections."""
    h = rule.numbers_at(3, Leaf("a", (4, 3), "float64"))
    for name, x in h.items():
        if isinstance(x, float) and name not in options.numbers(type(rule)) and name != "shrink":
            yield Slip("operation", f"{name} is left out", edits_after=_setting(name, lambda x: 1.0))
            yield Slip("operation", f"{name} is squared", edits_after=_setting(name, lambda x: x * x))
            yield Slip("operation", f"{name} is rooted", edits_after=_setting(name, lambda x: x**0.5))
            yield Slip("operation", f"{name} is turned over", edits_after=_setting(name, lambda x: 1 / x))


SHAPES = ((4, 3), (3,), (3, 2, 2, 2))
"""Leaves of which the tapes are edited, since a rule may do something else with each: a matrix, a vector, a kernel."""


def one_operation(rule: Rule) -> Iterator[Slip]:
    """Yield the slips of one operation: missing, the opposite one, or the rate or the decay at another place."""
    rates = [k for k, interval in options.numbers(type(rule)).items() if interval.high == 1]
    decaying = rule.replace(weight_decay=0.1)
    yield from _of_scalars(rule)
    for decays in (True, False):
        found: dict[tuple[str, str, int], None] = {}
        for shape in SHAPES:
            leaf = Leaf("a", shape, "float64")
            try:
                decaying.slots(leaf)
                h = decaying.numbers_at(2, leaf)
                tape = _traced(decaying, leaf, h if decays else h | NO_DECAY)
            except LeafError:  # Muon takes no vectors
                continue
            found |= dict.fromkeys(key for key in _one_off(tape) if decays == (key[0] != "decay-place"))
        for kind, text, n in found:
            edit = functools.partial(_edit, kind, text, n)
            place = None if n == 0 else n
            if kind == "correction-place":
                yield from (Slip(kind, f"{text} of {rate}", place, corrects=rate, tape=edit) for rate in rates)
            elif kind == "decay-place":
                yield Slip(kind, text, place, edit=lambda h: NO_DECAY, tape=edit)
            else:
                yield Slip(kind, text, place, tape=edit)


def _one_off(tape: Tape) -> dict[tuple[str, str, int], Tape]:
    """Return the edits of a tape by their kind, text and, of those with one text, number."""
    found: dict[tuple[str, str, int], Tape] = {}
    for kind, text, edited in edits.one_off(tape):
        n = next(i for i in itertools.count() if (kind, text, i) not in found)
        found[kind, text, n] = edited
    return found


def _edit(kind: str, text: str, n: int, tape: Tape) -> Tape:
    """Edit a tape; one of another leaf, which has no such place, stays as it is."""
    return _one_off(tape).get((kind, text, n), tape)


NO_DECAY: dict[str, Any] = {"decays": False, "shrink": 0.0}
"""What makes a rule leave the decay out, which a slip then puts elsewhere."""


def pins(values: Mapping[str, float]) -> Slip:
    """Return the slip of numbers that are fixed, whatever is given."""
    told = " and ".join(f"{k} is {v:g}" for k, v in values.items())
    return Slip(
        "ignored-option",
        f"{told} whatever is given",
        tuple(values.values()),
        twist=lambda rule: rule.replace(**values),
    )


def scaled(name: str, factor: float) -> Slip:
    """Return the slip of a number that is multiplied by a constant."""
    return Slip("factor", f"{name} is multiplied by {factor:g}", factor, edit=_scaling(name, factor))


def _stale(slot: str, reader: str, tape: Tape) -> Tape | None:
    return edits.stale(tape, slot, reader)


def _early(slot: str, tape: Tape) -> Tape | None:
    return edits.early(tape, slot)


def _aliased(one: str, other: str, tape: Tape) -> Tape | None:
    return edits.aliased(tape, one, other)


def _setting(name: str, change: Callable[[float], float]) -> Callable[[dict[str, Any]], Numbers]:
    return lambda h: {name: change(h[name])}


def _swap(a: str, b: str) -> Callable[[Rule], Rule]:
    return lambda rule: rule.replace(**{a: getattr(rule, b), b: getattr(rule, a)})


def _copy(a: str, b: str) -> Callable[[Rule], Rule]:
    return lambda rule: rule.replace(**{b: getattr(rule, a)})


def _complement(name: str) -> Callable[[dict[str, Any]], Numbers]:
    return lambda h: {name: 1 - h[name]}


def _powers(name: str, power: float) -> Callable[[dict[str, Any]], Numbers]:
    return lambda h: {name: h[name] ** power}


def _scaling(name: str, factor: float) -> Callable[[dict[str, Any]], Numbers]:
    # what decays is h.shrink as well, a product of weight_decay
    also = ("shrink",) if name == "weight_decay" else ()
    return lambda h: {k: factor * h[k] for k in (name, *also)}


def _squares_shrink(h: dict[str, Any]) -> Numbers:
    return {"shrink": h["shrink"] * h["lr"]}


def _reversed(leaf: Leaf) -> Leaf:
    rows, columns = (leaf.shape[0], math.prod(leaf.shape[1:])) if leaf.shape else (1, 1)
    return Leaf(leaf.path, (columns, rows), leaf.dtype)


COUNTS = (
    Slip("step-count", "its step count starts at 2 instead of 1", count=lambda t, i, n: t + 1),
    Slip("step-count", "its step count starts at 0 instead of 1", count=lambda t, i, n: t - 1),
    Slip("shared-state", "its step count goes on with every leaf", count=lambda t, i, n: n * (t - 1) + i + 1),
    Slip("step-count", "its step count does not go on", count=lambda t, i, n: 1),
    Slip("step-count", "its step count is 1 in the first two steps", count=lambda t, i, n: max(t - 1, 1)),
    # beta**t is then 0, and 1 - beta**t is 1
    Slip(
        "step-count",
        "its step count starts at 0, where it corrects nothing",
        count=lambda t, i, n: t - 1 if t > 1 else 10**9,
    ),
)
DECAYS = (
    Slip("decay-sign", "its weight decay has the wrong sign: parameters grow", edit=_scaling("weight_decay", -1)),
    Slip("decay-twice", "it decays the parameters twice", decays=lambda h, g, p: (g, p - h.shrink * p)),
    Slip("decay-twice", "it adds the decay to the gradient twice", edit=_scaling("weight_decay", 2)),
    Slip("decay-twice", "it adds the decay to the gradient and decays the parameter too",
         decays=lambda h, g, p: (g + h.weight_decay * p, p)),
    Slip("decay-twice", "it decays the parameter by lr times the decay too",
         decays=lambda h, g, p: (g, p - h.lr * h.weight_decay * p)),
)  # fmt: skip
ASCENT = Slip("ascent", "it goes up the gradient", edit=lambda h: {"lr": -h["lr"], "shrink": h["shrink"]})
SHARED = Slip("shared-state", "leaves of one shape share their state", shares=lambda leaf: leaf.shape)
JOINED = Slip("shared-state", "all leaves are one array to it, as for its norms", joins=True)
TRANSPOSED = Slip("transposed", "it takes rows for columns in what depends on the shape", seen=_reversed)
