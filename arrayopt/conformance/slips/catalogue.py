"""The catalogue of slips: which mistakes a rule allows, the commonest first, and those of a single operation."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from arrayopt.conformance.slips import edits
from arrayopt.conformance.slips.slip import Numbers, Slip, Traced, traced
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.core.tape import Tape
from arrayopt.core.trees import Leaf
from arrayopt.errors import LeafError


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
    if len(slots) > 1:
        yield Slip("stale-buffer", "the update reads all moments of the step before", tape=_all_stale)
    for a, b in itertools.permutations(slots, 2):
        yield Slip("aliased-buffer", f"{a} and {b} are one buffer", tape=functools.partial(_aliased, a, b))


def _of_scalars(rule: Rule) -> Iterator[Slip]:
    """Yield the slips in the numbers that the rule derives, such as bias corrections."""
    h = rule.numbers_at(3, Leaf("a", (4, 3), "float64"))
    own = {*options.numbers(type(rule)), "shrink"}
    names = [name for name, x in h.items() if isinstance(x, float) and name not in own]
    for name in names:
        yield Slip("operation", f"{name} is left out", edits_after=_setting(name, lambda x: 1.0))
        yield Slip("operation", f"{name} is squared", edits_after=_setting(name, lambda x: x * x))
        yield Slip("operation", f"{name} is rooted", edits_after=_setting(name, lambda x: x**0.5))
        yield Slip("operation", f"{name} is turned over", edits_after=_setting(name, lambda x: 1 / x))
        for off, told in ((1, "after"), (-1, "before")):
            yield Slip("step-count", f"{name} is that of the step {told}", later=(name, off))
    for a, b in itertools.combinations(names, 2):
        yield Slip("swapped", f"{a} and {b} are in each other's place", edits_after=_exchange(a, b))


SHAPES = ((4, 3), (3,), (3, 2, 2, 2))
"""Leaves of which the tapes are edited, since a rule may do something else with each: a matrix, a vector, a kernel."""


def one_operation(rule: Rule, declared: tuple[str, ...]) -> Iterator[Slip]:
    """Yield the slips of one operation: missing, the opposite one, or with a number at another place."""
    every = options.numbers(type(rule))
    rates = [k for k, interval in every.items() if interval.high == 1]
    rule = rule.replace(weight_decay=0.1) if "weight_decay" in declared else rule
    yield from _of_scalars(rule)
    for kind, text, n in _places(rule, {}, "decay-place"):
        edit, place = functools.partial(_edit, kind, text, n), n or None
        if kind == "correction-place":
            for rate in rates:
                told = f"{text} a bias correction of {rate}"
                yield Slip(kind, told, place, extra=functools.partial(_correction, rate), tape=edit)
        elif kind == "factor-place":
            for rate in rates:
                yield Slip("operation", f"{text} {rate}", place, extra=functools.partial(_number, rate), tape=edit)
                told = f"{text} 1 - {rate}"
                yield Slip("operation", told, place, extra=functools.partial(_complement_of, rate), tape=edit)
        elif kind == "eps-place":
            if "eps" in every:
                extra = functools.partial(_number, "eps_given")
                yield Slip(kind, text, place, edit=_hide_eps, extra=extra, tape=edit)
        else:
            yield Slip(kind, text, place, tape=edit)
    for kind, text, n in _places(rule, NO_DECAY):
        if kind == "decay-place" and "weight_decay" in declared:
            yield Slip(kind, text, n or None, edit=lambda h: NO_DECAY, tape=functools.partial(_edit, kind, text, n))


def _places(rule: Rule, changed: dict[str, Any], *without: str) -> Iterator[tuple[str, str, int]]:
    """Yield the keys of all edits of the tapes of a rule, for leaves of all kinds."""
    found: dict[tuple[str, str, int], None] = {}
    for shape in SHAPES:
        leaf = Leaf("a", shape, "float64")
        try:
            rule.slots(leaf)
        except LeafError:  # Muon takes no vectors
            continue
        found |= dict.fromkeys(traced(rule, leaf, rule.numbers_at(2, leaf) | changed).one_off)
    yield from (key for key in found if key[0] not in without)


def _edit(kind: str, text: str, n: int, before: Traced) -> Tape:
    """Edit a tape; one of another leaf, which has no such place, stays as it is."""
    return before.one_off.get((kind, text, n), before.tape)


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


def _stale(slot: str, reader: str, before: Traced) -> Tape | None:
    return edits.stale(before.tape, slot, reader)


def _all_stale(before: Traced) -> Tape | None:
    return edits.all_stale(before.tape)


def _early(slot: str, before: Traced) -> Tape | None:
    return edits.early(before.tape, slot)


def _aliased(one: str, other: str, before: Traced) -> Tape | None:
    return edits.aliased(before.tape, one, other)


def _correction(rate: str, h: dict[str, Any], t: int) -> float:
    return float(1 - h[rate] ** t)


def _number(name: str, h: dict[str, Any], t: int) -> float:
    return float(h[name])


def _complement_of(name: str, h: dict[str, Any], t: int) -> float:
    return float(1 - h[name])


def _hide_eps(h: dict[str, Any]) -> Numbers:
    return {"eps": 0.0, "eps_given": h["eps"]}


def _setting(name: str, change: Callable[[float], float]) -> Callable[[dict[str, Any]], Numbers]:
    return lambda h: {name: change(h[name])}


def _swap(a: str, b: str) -> Callable[[Rule], Rule]:
    return lambda rule: rule.replace(**{a: getattr(rule, b), b: getattr(rule, a)})


def _copy(a: str, b: str) -> Callable[[Rule], Rule]:
    return lambda rule: rule.replace(**{b: getattr(rule, a)})


def _complement(name: str) -> Callable[[dict[str, Any]], Numbers]:
    return lambda h: {name: 1 - h[name]}


def _exchange(a: str, b: str) -> Callable[[dict[str, Any]], Numbers]:
    return lambda h: {a: h[b], b: h[a]}


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
