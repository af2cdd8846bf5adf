"""`check`: say whether a candidate follows a rule, in which dialect, and where it departs."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from arrayopt.conformance.adapters import adapt
from arrayopt.conformance.candidate import Candidate, CannotRunError
from arrayopt.conformance.causes import Cause, dead_options, follows, purity
from arrayopt.conformance.compare import Comparison, Divergence, Ran, compare, distance, follow, trajectory
from arrayopt.conformance.dialects import COARSE, Named, agrees, changes, search, space
from arrayopt.conformance.fitting import fits
from arrayopt.conformance.forms import settle
from arrayopt.conformance.probes import probes_for, set_up
from arrayopt.conformance.report import Report, Verdict
from arrayopt.conformance.slips import slip_of
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.errors import OptionError
from arrayopt.firstorder import FAMILIES
from arrayopt.readers.bounded import DOUBLE, SINGLE

NEAREST, NEAREST_CONSTANT = 8, 24
"""In how many of the nearest dialects a hidden number is fitted, and a hidden constant, of which there are few."""


def check(candidate: Candidate | Callable[..., Any], reference: Rule, *, seed: int = 0) -> Report:
    """Check a candidate against a rule.

    Parameters
    ----------
    candidate : Candidate or callable
        What is checked. An optimizer class or factory of an installed framework is adapted, any other callable
        wrapped with `Candidate.from_step`.
    reference : Rule
        The rule that it claims to follow, at the hyper-parameters it ships; the search starts here.
    seed : int
        Seed of the random probes.

    Returns
    -------
    Report
        Verdict, dialect, causes, and where it first departs. A candidate that fails gives "cannot-run".

    Raises
    ------
    OptionError
        If the candidate is nothing that can be called, or the reference is no rule.

    Examples
    --------
    >>> from arrayopt import Momentum
    >>> class Mine:
    ...     def __init__(self, params, lr, momentum):
    ...         self.params, self.lr, self.momentum = params, lr, momentum
    ...         self.v = {k: 0 * p for k, p in params.items()}
    ...     def step(self, grads):
    ...         for k, g in grads.items():
    ...             self.v[k] = self.momentum * self.v[k] + (1 - self.momentum) * g
    ...             self.params[k] = self.params[k] - self.lr * self.v[k]
    ...         return self.params
    >>> check(Mine, Momentum()).dialect
    {'form': 'ema'}
    """
    if not isinstance(reference, Rule):
        raise OptionError(f"check: reference must be a rule such as Adam(), got {reference!r}")
    if not isinstance(candidate, Candidate):
        if not callable(candidate):
            raise OptionError(f"check: candidate must be a Candidate, a class or a function, got {candidate!r}")
        candidate = adapt(candidate) or Candidate.from_step(candidate)
    try:
        candidate = settle(candidate, reference)
        probes = probes_for(reference, seed, single=candidate.tree == "array")
        runs = follow(candidate, probes, reference)
    except CannotRunError as refusal:
        return Report(candidate.name, reference, "cannot-run", causes=(Cause("cannot-run", str(refusal)),))
    causes = purity(candidate, runs, reference)
    against = [compare(r, reference, candidate) for r in runs if not r.not_run]
    departures = [c.divergence for c in against if c.divergence is not None]
    found = search([space(reference, candidate.hyper), *_relatives(reference, candidate)], runs, candidate)
    unit = None
    if not departures:
        unit = DOUBLE
    elif agrees(reference, runs, candidate, SINGLE):
        unit = SINGLE
    # a dialect that fits exactly explains more than the reference with scalars in float32
    if unit == DOUBLE or (unit == SINGLE and (found.scalar_unit == SINGLE or not found.equivalent)):
        same = [r for r in found.equivalent if r != reference]
        return _report(candidate, reference, reference, [reference, *same], unit, runs, causes, departures)
    if found.equivalent:
        match = min(found.equivalent, key=lambda r: len(changes(reference, r)))
        return _report(candidate, reference, match, found.equivalent, found.scalar_unit, runs, causes, departures)
    unsure = _distinct(candidate, runs[0], found, NEAREST_CONSTANT, constants=True)
    constant = next(fits(candidate, runs, unsure, constants=True), None)
    if constant is not None:
        rule, unit = constant.rule, constant.scalar_unit
        return _report(candidate, reference, rule, [rule], unit, runs, causes, departures)
    if not causes:  # else the numbers mean nothing
        near = _distinct(candidate, runs[0], found, NEAREST, constants=False)
        causes += dead_options(candidate, runs[0], reference)
        why = _explanations(candidate, reference, runs, near, found.nearest[0][0])
        causes += [c for c in why if not causes or c.kind != "nearest"]
    error = max((c.error for c in against), default=None)
    return Report(
        candidate.name,
        reference,
        "differs",
        None,
        (),
        tuple(causes),
        departures[0] if departures else None,
        error,
        _said(runs, against),
    )


def _relatives(reference: Rule, candidate: Candidate) -> list[Iterator[Rule]]:
    """Return the dialect spaces of the other rules of the reference's family, at its hyper-parameters."""
    spaces: list[Iterator[Rule]] = []
    for family in FAMILIES:
        if type(reference) in family:
            for cls in family:
                if cls is not type(reference):
                    shared = set(options.numbers(cls)) & set(options.numbers(type(reference)))
                    spaces.append(space(cls(**{k: getattr(reference, k) for k in shared | {"decay"}}), candidate.hyper))
    return spaces


def _report(candidate: Candidate, reference: Rule, match: Rule, equivalent: list[Rule], unit: float, runs: list[Ran],
            causes: list[Cause], departures: list[Divergence]) -> Report:  # fmt: skip
    compared = [compare(r, match, candidate, unit) for r in runs if not r.not_run]
    error = max(c.error for c in compared)
    undecided = sum(c.undecided for c in compared)
    notes = (f"{undecided} elements hang on rounding and were left out",) if undecided else ()
    causes = causes + dead_options(candidate, runs[0], match)
    wrong = bool(causes)
    if unit == SINGLE:
        text = "the rule is right; its scalars (bias corrections, 1 - beta) are computed in float32"
        causes = [*causes, Cause("float32-scalars", text)]
    verdict: Verdict = "differs" if wrong else "conforms" if match == reference else "dialect"
    shown = departures[0] if departures and match != reference else None
    return Report(candidate.name, reference, verdict, None if wrong else match, () if wrong else tuple(equivalent),
                  tuple(causes), shown, error, _said(runs, compared), notes)  # fmt: skip


def _said(runs: list[Ran], compared: list[Comparison]) -> dict[str, str]:
    """Say of each probe whether the candidate agrees in it, or why it was not run."""
    said = {r.probe.name: f"not run: {r.not_run}" for r in runs}
    for r, c in zip([r for r in runs if not r.not_run], compared, strict=True):
        said[r.probe.name] = "agrees" if c.agrees else "departs"
    return said


def _distinct(candidate: Candidate, first: Ran, found: Named, most: int, constants: bool) -> list[Rule]:
    """Return the nearest dialects, one of those that the first probe does not tell apart.

    With `constants` those are told apart with every undeclared constant at another value: where it is zero, much is
    the same that it would part.
    """
    near: dict[str, Rule] = {}
    for off, rule in found.nearest:
        hidden = [k for k in rule.constants if k not in candidate.hyper]
        if constants:
            if not hidden:
                continue
            placed, _ = set_up(rule.replace(**dict.fromkeys(hidden, 0.3)), first.probe, candidate.hyper)
            off = distance(first.probe, first.path, trajectory(placed, first.probe))
        near.setdefault(f"{type(rule).__name__} {off:.6g}", rule)
        if len(near) == most:
            break
    return list(near.values())


def _explanations(candidate: Candidate, reference: Rule, runs: list[Ran], near: list[Rule], off: float) -> list[Cause]:
    """Say what would make it agree: a precision, a slip, or one number; else which dialect comes nearest."""
    single = dataclasses.replace(candidate, dtype="float32")
    if candidate.dtype == "float64":
        for rule in near:
            placed, _ = set_up(rule, runs[0].probe, candidate.hyper)
            close = distance(runs[0].probe, runs[0].path, trajectory(placed, runs[0].probe)) < COARSE
            if close and any(agrees(rule, runs, single, unit) for unit in (DOUBLE, SINGLE)):
                text = f"it computes {_told(reference, rule)} in float32, though it is given float64"
                return [Cause("float32", text, changes(reference, rule))]
    slipped = slip_of(candidate, runs, [reference, *near])
    if slipped is not None:
        rule, slip = slipped
        return [Cause(slip.kind, f"it computes {_told(reference, rule)}, but {slip.text}", changes(reference, rule))]
    found = list(fits(candidate, runs, near, constants=False))
    for fit in sorted(found, key=lambda f: (len(changes(reference, f.rule)), len(repr(f.value))))[:1]:
        name, value = fit.name, fit.value
        if name not in candidate.hyper:
            given = f"hidden, where the reference has {fit.before:g}"
        elif follows(candidate, runs[0], reference, name):
            given = f"where {set_up(reference, runs[0].probe, candidate.hyper)[1][name]:g} is given"
        else:
            given = "whatever is given"
        told = _told(reference, fit.rule.replace(**{name: fit.before}))
        values = {name: value, **{k: v for k, v in changes(reference, fit.rule).items() if k != name}}
        return [Cause("fitted", f"it computes {told} with {name}={value:g} ({given})", values)]
    text = f"no dialect fits; the nearest is {_told(reference, near[0])}, off by {off:.2g} of the displacement"
    return [Cause("nearest", text, changes(reference, near[0]))]


def _told(reference: Rule, rule: Rule) -> str:
    dialect = ", ".join(f"{k}={v!r}" for k, v in changes(reference, rule).items() if k != "rule")
    name = type(rule).__name__
    if rule == reference:
        return f"{name} as published"
    return f"{name} in the dialect {dialect}" if dialect else name
