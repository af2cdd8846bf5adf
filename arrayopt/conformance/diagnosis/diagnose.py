"""Diagnosis: find the model that does what a candidate did, from the likeliest explanation to the least.

The dialects of the rule come first, then hidden constants, other rules of the family, slips, a fitted number, clipping,
any single operation that is missing or its opposite, at last several numbers at once. An explanation counts only if its
model agrees with the candidate in every probe to the rounding bound.

One file, long as that makes it: each explanation is a few lines, all look at the same case, and their order matters.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from arrayopt.conformance.candidate import Candidate, CannotRunError
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.compare import Ran, close, compare, distance, run, trajectory
from arrayopt.conformance.diagnosis.dead import visible
from arrayopt.conformance.diagnosis.dialects import (
    Named,
    changes,
    climb,
    coarse,
    explains,
    margin,
    search,
    space,
    units,
)
from arrayopt.conformance.diagnosis.fitting import Fit, fit, fit_factor, free, subsets
from arrayopt.conformance.models import Model, at_numbers_of, covering, numbers, over, rule_in, set_up, value
from arrayopt.conformance.probes import EXAGGERATED, accepts
from arrayopt.conformance.slips.catalogue import catalogue, one_operation, pins
from arrayopt.conformance.slips.clipping import clip_slip_in, clip_slips
from arrayopt.conformance.slips.slip import Slip, SlipError, original, slip_in, slipped
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.firstorder import FAMILIES, RULES, Clip
from arrayopt.readers.bounded import DOUBLE

MARGIN = 10.0
"""How many times farther than the best the nearest other dialect must be for the best to be named."""
NEAR = 8
"""In how many of the nearest dialects slips and numbers are looked for."""
WIDE = 2
"""How many fields from the start dialects may be in which every slip is looked for, near or not."""


@dataclass(frozen=True)
class Diagnosis:
    """What explains a candidate.

    Attributes
    ----------
    match : Rule or Clip or None
        The model that agrees in every probe; a rule with a slip where that is what it takes.
    equivalent : list of Rule or Clip
        All dialects that no probe tells from `match`, itself included.
    scalar_unit : float
        The unit roundoff of scalars with which it agrees.
    causes : list of Cause
        What is wrong, in words; empty for a dialect.
    margin : float or None
        How many times farther than the match the nearest dialect is that does not agree.
    nearest : tuple of float and model, or None
        The nearest dialect by distance in the first probe.
    """

    match: Model | None
    equivalent: list[Model] = field(default_factory=list)
    scalar_unit: float = DOUBLE
    causes: list[Cause] = field(default_factory=list)
    margin: float | None = None
    nearest: tuple[float, Model] | None = None


def diagnose(candidate: Candidate, runs: list[Ran], reference: Model | None) -> Diagnosis:
    """Find what a candidate computes from what it did in the probes.

    Parameters
    ----------
    candidate : Candidate
        It is run again, to see which of its hyper-parameters change anything.
    runs : list of Ran
        What it did.
    reference : Rule or Clip, optional
        Where the search starts; without one the rules of all families are tried at their defaults.
    """
    own = [space(reference, candidate.hyper)] if reference is not None else _every(candidate, runs)
    named = search(own, runs, candidate)
    if not named.equivalent and reference is not None:
        named = climb(named, runs, candidate)
    if named.equivalent:
        return _dialect(named, margin(named, runs, candidate), reference)
    start = reference if reference is not None else published(named.nearest[0][1])
    case = _Case(candidate, runs, start, named)
    for explain in EXPLANATIONS:
        found = explain(case)
        if found is not None:
            return dataclasses.replace(found, nearest=named.nearest[0])
    off, model = named.nearest[0]
    where = f"off by {off:.2g} of the displacement in probe {runs[0].probe.name}"
    text = f"no dialect fits; the nearest is {told(start, model)}, {where}"
    return Diagnosis(None, causes=[Cause("nearest", text, changes(start, model))], nearest=named.nearest[0])


def published(match: Model) -> Model:
    """Return the rule of a match without dialects, at the numbers of the match."""
    rule = rule_in(match)
    cls = original(rule)
    given = {k: getattr(rule, k) for k in options.numbers(cls) if k not in cls.constants}
    return over(match, cls(**given))


def told(reference: Model, model: Model) -> str:
    """Say a model in words, as it differs from the reference."""
    name = f"{original(rule_in(model)).__name__}"
    if isinstance(model, Clip):
        name += f" with gradients clipped by {model.by} at {model.max_norm:g}"
    dialect = ", ".join(f"{k}={v!r}" for k, v in changes(reference, model).items() if k not in ("rule", "max_norm"))
    if not dialect:
        return f"{name} as published" if original(rule_in(model)) is original(rule_in(reference)) else name
    return f"{name} in the dialect {dialect}"


@dataclass(frozen=True)
class _Case:
    """What the explanations look at."""

    candidate: Candidate
    runs: list[Ran]
    start: Model
    named: Named

    @functools.cached_property
    def telling(self) -> list[Ran]:
        """Return the runs, those first in which the nearest dialect departs: what agrees there is rare."""
        model = self.named.nearest[0][1]
        return sorted(self.runs, key=lambda r: not r.not_run and compare(r, model, self.candidate).agrees)

    def near(self, most: int = NEAR) -> list[Model]:
        """Return the start and the nearest dialects, one of those that two probes do not tell apart."""
        found: dict[str, Model] = {"start": self.start}
        # what the first probe does not tell apart may differ in its shapes
        shapes = next((r for r in self.runs if r.probe.name == "M" and not r.not_run), self.runs[0])
        for off, model in self.named.nearest:
            placed, _ = set_up(model, shapes.probe, self.candidate.hyper)
            there = distance(shapes.probe, shapes.path, trajectory(placed, shapes.probe))
            found.setdefault(f"{original(rule_in(model)).__name__} {off:.6g} {there:.6g}", model)
            if len(found) == most:
                break
        return list(found.values())

    def first(self, models: Iterable[Model]) -> tuple[Model, float] | None:
        """Return the first model that agrees in every probe, and the unit of its scalars."""
        for model in models:
            try:
                if not close(self.runs[0], model, self.candidate, coarse(self.candidate)):
                    continue
                for unit in units(self.candidate):
                    if explains(model, self.telling, self.candidate, unit):
                        return model, unit
            except (SlipError, ValueError, ArithmeticError):  # a slip that leaves no rule, as 1 / (1 - beta**0)
                continue
        return None


def _every(candidate: Candidate, runs: list[Ran]) -> Iterator[Iterator[Model]]:
    """Yield the dialects of every rule that takes the leaves of the runs, at the numbers that the candidate ships."""
    start = covering(candidate)
    shapes = {p.shape for r in runs if not r.not_run for p in r.probe.params.values()}
    for cls in RULES:
        rule = at_numbers_of(start, cls, candidate.hyper)
        if all(accepts(rule, shape) for shape in shapes):
            yield space(rule, candidate.hyper)


def _dialect(named: Named, apart: float, reference: Model | None) -> Diagnosis:
    """Return the dialect nearest to the reference of those that agree, if nothing else comes as near."""
    order = named.equivalent
    match = order[0] if reference is None else min(order, key=lambda m: (m != reference, len(changes(reference, m))))
    if apart < MARGIN and (reference is None or match != reference):
        text = (
            f"{told(reference or published(match), match)} agrees, but another dialect comes within a factor of "
            f"{apart:.2g}: too near to be sure"
        )
        return Diagnosis(None, order, named.scalar_unit, [Cause("ambiguous", text)], apart, named.nearest[0])
    return Diagnosis(match, order, named.scalar_unit, [], apart, named.nearest[0])


# Explanations, one a function: a diagnosis, or None -------------------------------------------------


def _constant(case: _Case) -> Diagnosis | None:
    """Try constants that belong to the dialect at values that no framework has."""
    for model in _parted(case, 24):
        for name in rule_in(model).constants:
            if name not in case.candidate.hyper and name in numbers(model):
                found = fit(case.candidate, case.runs, model, [name])
                if found is not None:
                    return Diagnosis(found.model, [found.model], found.scalar_unit)
    return None


def _parted(case: _Case, most: int) -> list[Model]:
    """Return the nearest dialects that differ once their hidden constants are not zero, where much is the same."""
    near: dict[str, Model] = {}
    first = case.runs[0]
    for _, model in case.named.nearest[:200]:
        constants = [k for k in rule_in(model).constants if k in numbers(model)]
        hidden = [k for k in constants if k not in case.candidate.hyper]
        if hidden:
            placed, _ = set_up(model.replace(**dict.fromkeys(hidden, 0.3)), first.probe, case.candidate.hyper)
            off = distance(first.probe, first.path, trajectory(placed, first.probe))
            near.setdefault(f"{type(rule_in(model)).__name__} {off:.6g}", model)
        if len(near) == most:
            break
    return list(near.values())


def _ignored(case: _Case) -> Diagnosis | None:
    """Try numbers that it declares and ignores, at the reference's values or its own."""
    dead = _dead(case)
    if not dead:
        return None
    alive = dataclasses.replace(case.candidate, hyper=tuple(k for k in case.candidate.hyper if k not in dead))
    without = {k: 0.0 for k in dead if k == "weight_decay"}
    spaces = [space(case.start.replace(**without), alive.hyper)]
    if isinstance(case.start, Clip) and "max_norm" in dead:
        spaces = [space(rule_in(case.start).replace(**without), alive.hyper)]
    named = search(spaces, case.runs, alive)
    if named.equivalent:
        model = named.equivalent[0]
        held = options.numbers(type(rule_in(model)))
        fixed = {k: float(value(model, k)) for k in dead if k in held}
        model = model.replace(**{k: value(case.start, k) for k in without})
        if not fixed:  # a limit that is never applied
            text = f"it computes {told(case.start, model)}, and ignores {', '.join(dead)}"
            return Diagnosis(model, [model], named.scalar_unit, [Cause("ignored-option", text)])
        return _with(case, model, pins(fixed), named.scalar_unit, fixed)
    for names in subsets(dead, min(len(dead), 3)):
        for _, model in _one_of_each(named.nearest, NEAR):
            hidden = [k for k in names if k in options.numbers(type(rule_in(model)))]
            if len(hidden) == len(names):
                found = fit(case.candidate, case.runs, model, hidden)
                if found is not None:
                    return _fit(case, found, "ignored-option")
    return None


def _dead(case: _Case) -> list[str]:
    """Return the declared numbers that change nothing, though they would in the start or in a near dialect."""
    first = case.runs[0]
    _, hyper = set_up(case.start, first.probe, case.candidate.hyper)
    found = []
    for name in case.candidate.hyper:
        if name not in hyper:
            continue
        other = hyper[name] * 0.5 if hyper[name] else EXAGGERATED.get(name, 0.5)
        try:
            moved = run(case.candidate, first.probe, case.start, {name: other})
        except CannotRunError:
            continue
        if distance(first.probe, moved.path, first.path) == 0 and any(
            name in numbers(m) and _matters(m, name, other, first, case.candidate) for m in case.near()
        ):
            found.append(name)
    return found


def _matters(model: Model, name: str, other: float, first: Ran, candidate: Candidate) -> bool:
    placed, _ = set_up(model, first.probe, candidate.hyper)
    here = trajectory(placed, first.probe)
    return distance(first.probe, trajectory(placed.replace(**{name: other}), first.probe), here) > visible(candidate)


def _relative(case: _Case) -> Diagnosis | None:
    """Try the other rules of the family."""
    rule = rule_in(case.start)
    spaces = []
    for family in FAMILIES:
        if type(rule) in family:
            for cls in family:
                if cls is not type(rule):
                    shared = set(options.numbers(cls)) & set(options.numbers(type(rule)))
                    relative = cls(**{k: getattr(rule, k) for k in shared | {"decay"}})
                    spaces.append(space(over(case.start, relative), case.candidate.hyper))
    named = search(spaces, case.runs, case.candidate)
    return _dialect(named, margin(named, case.runs, case.candidate), case.start) if named.equivalent else None


def _single(case: _Case) -> Diagnosis | None:
    """Try float32, though it is given float64."""
    if case.candidate.dtype != "float64":
        return None
    single = dataclasses.replace(case.candidate, dtype="float32")
    found = dataclasses.replace(case, candidate=single).first(case.near())
    if found is None:
        return None
    model, unit = found
    text = f"it computes {told(case.start, model)} in float32, though it is given float64"
    return Diagnosis(model, [model], unit, [Cause("float32", text, changes(case.start, model))])


def _slip(case: _Case) -> Diagnosis | None:
    """Try the classic mistakes in the start and in near dialects."""
    return _slipping(case, case.near())


def _slip_anywhere(case: _Case) -> Diagnosis | None:
    """Try the classic mistakes in dialects that the mistake may make look far."""
    same = (m for _, m in case.named.nearest if original(rule_in(m)) is original(rule_in(case.start)))
    return _slipping(case, [m for m in same if len(changes(case.start, m)) <= WIDE])


def _slipping(case: _Case, models: Sequence[Model]) -> Diagnosis | None:
    found = case.first(_slips(models, case.candidate))
    if found is None:
        return None
    model, unit = found
    slip = slip_in(rule_in(model))
    assert slip is not None
    return _because(case, model, slip, unit, {})


def _slips(models: Sequence[Model], candidate: Candidate) -> Iterator[Model]:
    """Yield the models with each slip; the models of one slip together, since it is the likelier the fewer changes."""
    every = [(m, list(catalogue(rule_in(m), candidate.hyper))) for m in models]
    order = dict.fromkeys(slip for _, slips in every for slip in slips)
    for slip in order:
        for m, slips in every:
            if slip in slips:
                yield over(m, slipped(rule_in(m), slip))


def _number(case: _Case) -> Diagnosis | None:
    """Try undeclared numbers at other values, and declared ones times a constant."""
    constants = [m for _, m in case.named.nearest if {*changes(case.start, m)} & {*rule_in(m).constants}]
    alone = [m for m in constants if len(changes(case.start, m)) == 1]  # what is hidden may hide beside another
    likely = sorted(dict.fromkeys([*case.near(), *alone]), key=lambda m: len(changes(case.start, m)))
    for _, models in itertools.groupby(likely, key=lambda m: len(changes(case.start, m))):
        found = [fit(case.candidate, case.runs, m, [k]) for m in models for k in _hidden(case, m)]
        if any(found):
            return _fit(case, min(filter(None, found), key=lambda f: f.length), "fitted")
    for model in case.near(4):
        for name in case.candidate.hyper:
            interval = options.numbers(type(rule_in(model))).get(name)
            if interval is not None and interval.high > 1:
                factor = fit_factor(case.candidate, case.runs, model, name)
                if factor is not None:
                    slip = slip_in(rule_in(factor.model))
                    assert slip is not None
                    return _because(case, factor.model, slip, factor.scalar_unit, dict(factor.values))
    return None


def _numbers(case: _Case) -> Diagnosis | None:
    """Try several undeclared numbers at other values."""
    for model in case.near(4):
        hidden = free(case.candidate, (), model)
        for several in (*itertools.combinations(hidden, 2), *itertools.combinations(_usual(hidden), 3)):
            found = fit(case.candidate, case.runs, model, several)
            if found is not None:
                return _fit(case, found, "fitted")
    return None


USUAL = ("beta1", "beta2", "rho", "beta", "momentum", "eps", "weight_decay")
"""Numbers that are fitted three at once; of others two."""


def _usual(names: Sequence[str]) -> list[str]:
    return [k for k in USUAL if k in names]


def _hidden(case: _Case, model: Model) -> list[str]:
    """Return the undeclared numbers of a model, without the constants that were fitted before."""
    return [k for k in free(case.candidate, (), model) if k not in rule_in(model).constants]


def _clipped(case: _Case) -> Diagnosis | None:
    """Try clipped gradients, or a mistake in how they are clipped."""
    if isinstance(case.start, Clip):
        clips = [m for m in case.near() if isinstance(m, Clip)]
        found_slip = case.first(wrong for m in clips for wrong in clip_slips(m))
        if found_slip is None:
            return None
        wrong, unit = found_slip
        text = f"it computes {told(case.start, wrong)}, but {clip_slip_in(wrong)}"
        return Diagnosis(wrong, [wrong], unit, [Cause("clipping", text, changes(case.start, wrong))])
    for model in case.near(4):
        for form, by in (
            ("exact", "global"),
            ("torch", "global"),
            ("exact", "leaf"),
            ("torch", "leaf"),
            ("exact", "value"),
        ):
            clip = Clip(rule=rule_in(model), form=form, by=by)  # type: ignore[arg-type]
            found = fit(case.candidate, case.runs, clip, ["max_norm"])
            if found is not None:
                return _fit(case, found, "clipping")
    return None


def _operation(case: _Case) -> Diagnosis | None:
    """Try what is wrong in one operation."""
    for model in case.near(4):
        rule = rule_in(model)
        found = case.first(over(model, slipped(rule, slip)) for slip in one_operation(rule, case.candidate.hyper))
        if found is not None:
            wrong, unit = found
            slip = slip_in(rule_in(wrong))
            assert slip is not None
            return _because(case, wrong, slip, unit, {})
    return None


EXPLANATIONS = (
    _constant, _ignored, _relative, _single, _slip, _number, _clipped, _operation, _numbers, _slip_anywhere,
)  # fmt: skip
"""From the likeliest to the least, and of those alike from the cheapest on."""

# What they say ---------------------------------------------------------------------------------------


def _fit(case: _Case, found: Fit, kind: str) -> Diagnosis:
    base = found.base
    told_values = " and ".join(f"{k}={v:g}" for k, v in found.values.items())
    dead = [k for k in found.values if k in case.candidate.hyper]
    if dead:
        how = "whatever is given"
    else:
        before = ", ".join(f"{value(base, k):g}" for k in found.values)
        how = f"hidden, where the reference has {before}"
    text = f"it computes {told(case.start, base)} with {told_values} ({how})"
    values = {**found.values, **{k: v for k, v in changes(case.start, base).items() if k not in found.values}}
    return Diagnosis(found.model, [found.model], found.scalar_unit, [Cause(kind, text, values)])


def _with(case: _Case, model: Model, slip: Slip, unit: float, values: dict[str, float]) -> Diagnosis:
    return _because(case, over(model, slipped(rule_in(model), slip)), slip, unit, values)


def _because(case: _Case, model: Model, slip: Slip, unit: float, values: dict[str, float]) -> Diagnosis:
    text = f"it computes {told(case.start, model)}, but {slip.text}"
    cause = Cause(slip.kind, text, {**changes(case.start, model), **values})
    return Diagnosis(model, [model], unit, [cause])


def _one_of_each(nearest: Sequence[tuple[float, Model]], most: int) -> list[tuple[float, Model]]:
    """Return the nearest, one of those at the same distance."""
    groups = itertools.groupby(nearest, key=lambda pair: f"{pair[0]:.6g}")
    return [next(group) for _, group in itertools.islice(groups, most)]


__all__ = ["MARGIN", "Diagnosis", "Rule", "diagnose", "published", "told"]
