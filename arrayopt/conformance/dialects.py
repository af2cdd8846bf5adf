"""The space of dialects of a rule, and the search for the one that a candidate speaks."""

import dataclasses
import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.compare import Ran, compare, distance, trajectory
from arrayopt.conformance.probes import set_up
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.errors import ArrayOptError
from arrayopt.readers.bounded import DOUBLE, SINGLE

COARSE = 1e-2
"""Relative distance below which a dialect is worth its rounding bound."""


LIMIT = 4000
"""Number of dialects up to which a space is searched whole."""
DECAY = ("decay", "decay_scale", "decay_point")
"""The fields that say nothing where there is no weight decay."""


@dataclasses.dataclass(frozen=True)
class Named:
    """What the search found: the dialects that agree in every probe, and all by distance in the first."""

    equivalent: list[Rule]
    nearest: list[tuple[float, Rule]]
    scalar_unit: float


def space(reference: Rule, declared: Collection[str] = ()) -> Iterator[Rule]:
    """Yield the rules that differ from `reference` in dialects and undeclared constants only, itself first.

    Of a space beyond `LIMIT` (Muon's has 10^5 dialects), those that differ from the reference in at most two fields,
    and those that differ from a preset in at most one.
    """
    cls = type(reference)
    values = {k: _own_first(getattr(reference, k), v) for k, v in options.dialects(cls).items()}
    for name, others in reference.constants.items():
        if name not in declared:
            values[name] = _own_first(getattr(reference, name), tuple(others))
    decays = callable(reference.weight_decay) or reference.weight_decay != 0 or "weight_decay" in declared
    if not decays:
        for name in DECAY:
            values[name] = values[name][:1]
    if math.prod(map(len, values.values())) <= LIMIT:
        every: Iterator[dict[str, Any]] = (
            dict(zip(values, v, strict=True)) for v in itertools.product(*values.values())
        )
    else:
        starts = [{k: getattr(cls.preset(name), k) for k in values} for name in cls.presets]
        every = itertools.chain(_changed({}, values, 0, 2), *(_changed(start, values, 0, 1) for start in starts))
    seen = set()
    for fields in every:
        if fields.get("decay", reference.decay) != "decoupled":  # where these two are not read
            fields = {k: v for k, v in fields.items() if k not in ("decay_scale", "decay_point")}
        try:
            rule = reference.replace(**fields)
        except ArrayOptError:
            continue  # a combination that the rule refuses
        if rule not in seen:
            seen.add(rule)
            yield rule


def _changed(
    start: dict[str, Any], values: Mapping[str, tuple[Any, ...]], least: int, most: int
) -> Iterator[dict[str, Any]]:
    """Yield `start` with `least` to `most` of its fields at each of their values."""
    for n in range(least, most + 1):
        for names in itertools.combinations(values, n):
            for chosen in itertools.product(*(values[k] for k in names)):
                yield start | dict(zip(names, chosen, strict=True))


def changes(reference: Rule, rule: Rule) -> dict[str, object]:
    """Return the fields in which `rule` differs from `reference`; of another class, its name too."""
    if type(rule) is not type(reference):
        own = {
            f.name: getattr(rule, f.name)
            for f in dataclasses.fields(rule)
            if f.name in {*options.dialects(type(rule)), *rule.constants}
        }
        return {"rule": type(rule).__name__} | {k: v for k, v in own.items() if v != getattr(type(rule), k, None)}
    return {
        f.name: getattr(rule, f.name)
        for f in dataclasses.fields(rule)
        if getattr(rule, f.name) != getattr(reference, f.name)
    }


def agrees(rule: Rule, runs: list[Ran], candidate: Candidate, scalar_unit: float) -> bool:
    """Tell whether a candidate agrees with `rule` in every probe that ran."""
    return all(compare(r, rule, candidate, scalar_unit).agrees for r in runs if not r.not_run)


def search(spaces: list[Iterator[Rule]], runs: list[Ran], candidate: Candidate) -> Named:
    """Rank the dialects by distance in the first probe; keep those that agree in all."""
    first = runs[0]
    ranked, every = [], list(itertools.chain(*spaces))
    for rule in every:
        placed, _ = set_up(rule, first.probe, candidate.hyper)
        ranked.append((distance(first.probe, first.path, trajectory(placed, first.probe)), rule))
    ranked.sort(key=lambda pair: pair[0])  # stable: of equals, the one nearest to the reference comes first
    close = [rule for d, rule in ranked if d < COARSE]
    for unit in (DOUBLE, SINGLE):
        found = {rule for rule in close if agrees(rule, runs, candidate, unit)}
        if found:  # in the order of the space, in which the commoner values of a field come first
            return Named([rule for rule in every if rule in found], ranked, unit)
    return Named([], ranked, DOUBLE)


def _own_first(own: object, values: tuple[object, ...]) -> tuple[object, ...]:
    return (own, *(v for v in values if v != own))
