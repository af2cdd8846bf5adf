"""The space of dialects of a rule, and the search for the one that a candidate speaks."""

import dataclasses
import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from arrayopt.conformance.candidate import Candidate, epsilon
from arrayopt.conformance.compare import Ran, close, compare, distance, tells, tolerances, trajectory
from arrayopt.conformance.models import Model, rule_in, set_up
from arrayopt.conformance.slips.slip import original
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.errors import ArrayOptError
from arrayopt.firstorder import Clip
from arrayopt.readers.bounded import DOUBLE, SINGLE

COARSE = 1e-2
"""Relative distance below which a dialect is worth its rounding bound."""
ALIKE = 1e-6
"""Relative distance to which a model must do what a candidate does where rounding bounds tell nothing."""
CLEAR = 100.0
"""How many times farther a dialect must be in the first probe not to be looked at in all."""
HALF = 2.0**-8
"""Unit roundoff of bfloat16."""
FRONT = 4
"""How many of the nearest dialects the search goes on from where a space is too large."""
LIMIT = 4000
"""Number of dialects up to which a space is searched whole."""
DECAY = ("decay", "decay_scale", "decay_point")
"""The fields that say nothing where there is no weight decay."""


@dataclasses.dataclass(frozen=True)
class Named:
    """What the search found: the dialects that agree in every probe, and all by distance in the first."""

    equivalent: list[Model]
    nearest: list[tuple[float, Model]]
    scalar_unit: float


def space(reference: Model, declared: Collection[str] = ()) -> Iterator[Model]:
    """Yield the models that differ from `reference` in dialects and undeclared constants only, itself first.

    Of a space beyond `LIMIT` (Muon's has 10^5 dialects), those that differ from the reference in at most two fields,
    and those that differ from a preset in at most one.
    """
    if isinstance(reference, Clip):
        rules = list(space(rule_in(reference), declared))
        for form, by in itertools.product(*(options.dialects(Clip)[k] for k in ("form", "by"))):
            if by != "value" or form == "exact":  # where there is one form only
                yield from (dataclasses.replace(reference, rule=rule, form=form, by=by) for rule in rules)
        return
    cls = type(reference)
    values = _values(reference, declared)
    if math.prod(map(len, values.values())) <= LIMIT:
        every: Iterator[dict[str, Any]] = (
            dict(zip(values, v, strict=True)) for v in itertools.product(*values.values())
        )
    else:
        starts = [{k: getattr(cls.preset(name), k) for k in values} for name in cls.presets]
        every = itertools.chain(_changed({}, values, 0, 2), *(_changed(start, values, 0, 1) for start in starts))
    yield from _made(reference, every)


def neighbours(model: Model, declared: Collection[str] = ()) -> Iterator[Model]:
    """Yield the models that differ from one in a single dialect or undeclared constant."""
    if isinstance(model, Clip):
        yield from (dataclasses.replace(model, rule=rule) for rule in neighbours(rule_in(model), declared))
        return
    values = _values(model, declared)
    yield from _made(model, _changed({k: getattr(model, k) for k in values}, values, 1, 1))


def _values(reference: Rule, declared: Collection[str]) -> dict[str, tuple[Any, ...]]:
    """Return the values of every field that a search may change, that of the reference first."""
    values = {k: _own_first(getattr(reference, k), v) for k, v in options.dialects(type(reference)).items()}
    for name, others in reference.constants.items():
        if name not in declared:
            values[name] = _own_first(getattr(reference, name), tuple(others))
    decays = callable(reference.weight_decay) or reference.weight_decay != 0 or "weight_decay" in declared
    if not decays:
        for name in DECAY:
            values[name] = values[name][:1]
    return values


def _made(reference: Rule, every: Iterable[dict[str, Any]]) -> Iterator[Rule]:
    """Yield the rules with some fields changed, each once."""
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


def changes(reference: Model, model: Model) -> dict[str, object]:
    """Return the fields in which `model` differs from `reference`; of another class, its name too."""
    found: dict[str, object] = {}
    if isinstance(model, Clip):
        before = reference if isinstance(reference, Clip) else None
        found = {k: getattr(model, k) for k in ("max_norm", "form", "by")
                 if before is None or getattr(before, k) != getattr(model, k)}  # fmt: skip
        if before is None:
            found = {"rule": f"Clip({type(model.rule).__name__})"} | found
    old, new = rule_in(reference), rule_in(model)
    cls, fields = original(new), dataclasses.fields(new)
    if cls is not type(old):
        own = {f.name: getattr(new, f.name) for f in fields if f.name in {*options.dialects(cls), *new.constants}}
        return {"rule": cls.__name__} | {k: v for k, v in own.items() if v != getattr(cls, k, None)} | found
    return found | {f.name: getattr(new, f.name) for f in fields if getattr(new, f.name) != getattr(old, f.name)}


def agrees(model: Model, runs: list[Ran], candidate: Candidate, scalar_unit: float) -> bool:
    """Tell whether a candidate agrees with a model in every probe that ran."""
    return all(compare(r, model, candidate, scalar_unit).agrees for r in runs if not r.not_run)


def explains(model: Model, runs: list[Ran], candidate: Candidate, scalar_unit: float) -> bool:
    """Tell whether a model agrees in every probe, and not only because rounding leaves everything open.

    Where it does, as in an iteration in bfloat16, the model must do the same to within `ALIKE`.
    """
    if not agrees(model, runs, candidate, scalar_unit):
        return False
    return tells(runs, model, candidate, scalar_unit) or all(
        close(r, model, candidate, ALIKE) for r in runs if not r.not_run
    )


def coarse(candidate: Candidate) -> float:
    """Return the relative distance below which a dialect is worth its rounding bound."""
    return max(COARSE, 64 * epsilon(candidate.dtype))


def search(spaces: Iterable[Iterable[Model]], runs: list[Ran], candidate: Candidate) -> Named:
    """Rank the dialects by distance in the first probe; keep those that agree in all."""
    every = list(itertools.chain(*spaces))
    return _named([(_off(model, runs[0], candidate), model) for model in every], runs, candidate)


def climb(named: Named, runs: list[Ran], candidate: Candidate) -> Named:
    """Go on from the nearest dialects, one field at a time, as far as that leads nearer.

    A space that is too large is searched in parts, and the dialect that a candidate speaks may be in none of them.
    """
    ranked = dict((model, d) for d, model in named.nearest)
    front: list[Model] = []
    while (ahead := sorted(ranked, key=lambda m: ranked[m])[:FRONT]) != front:
        front = ahead
        for model in itertools.chain(*(neighbours(m, candidate.hyper) for m in front)):
            if model not in ranked:
                ranked[model] = _off(model, runs[0], candidate)
    return _named([(d, model) for model, d in ranked.items()], runs, candidate)


def _off(model: Model, ran: Ran, candidate: Candidate) -> float:
    placed, _ = set_up(model, ran.probe, candidate.hyper)
    return distance(ran.probe, ran.path, trajectory(placed, ran.probe))


def _named(every: list[tuple[float, Model]], runs: list[Ran], candidate: Candidate) -> Named:
    # stable: of those that are equal but for rounding, the one nearest to the reference comes first
    ranked = sorted(every, key=lambda pair: max(float(f"{pair[0]:.6g}"), 1e-12))
    near = [model for d, model in ranked if d < coarse(candidate)]
    for unit in units(candidate):
        best = next((model for model in near if agrees(model, runs, candidate, unit)), None)
        if best is not None:
            found = {best, *_same(best, near, runs, candidate, unit)}
            # in the order of the space, in which the commoner values of a field come first
            return Named([model for _, model in every if model in found], ranked, unit)
    return Named([], ranked, DOUBLE)


def _same(best: Model, near: list[Model], runs: list[Ran], candidate: Candidate, unit: float) -> Iterator[Model]:
    """Yield those that agree within the bounds of the best, which are theirs too where they are the same."""
    ran = [(r, tolerances(r, best, candidate, unit)) for r in runs if not r.not_run]
    for model in near:
        if all(compare(r, model, candidate, unit, within).agrees for r, within in ran):
            yield model


def margin(named: Named, runs: list[Ran], candidate: Candidate) -> float:
    """Return how many times farther the nearest dialect is, at least, that does not agree.

    By the first probe where that parts them clearly, else by the probe that parts them best.
    """
    ran, equivalent = [r for r in runs if not r.not_run], set(named.equivalent)

    def off(model: Model) -> list[float]:
        placed = ((r, set_up(model, r.probe, candidate.hyper)[0]) for r in ran)
        return [distance(r.probe, r.path, trajectory(m, r.probe)) for r, m in placed]

    best = [max(d, 2.0**-53) for d in off(named.equivalent[0])]
    others = [(d / best[0], model) for d, model in named.nearest if model not in equivalent]
    return min(
        (ratio if ratio > CLEAR else max(d / b for d, b in zip(off(m), best, strict=True)) for ratio, m in others),
        default=math.inf,
    )


def units(candidate: Candidate) -> tuple[float, ...]:
    """Return the unit roundoffs that its scalars may have: a double's, a single's, that of its own leaves."""
    return (DOUBLE, SINGLE, HALF) if candidate.dtype in ("bfloat16", "float16") else (DOUBLE, SINGLE)


def _own_first(own: object, values: tuple[object, ...]) -> tuple[object, ...]:
    return (own, *(v for v in values if v != own))
