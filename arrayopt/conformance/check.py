"""`check`: say what a candidate computes, whether that is the rule it claims, and where it departs."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from arrayopt.conformance.adapters import adapt
from arrayopt.conformance.candidate import Candidate, CannotRunError
from arrayopt.conformance.causes import REFUSED, Cause
from arrayopt.conformance.compare import Comparison, Ran, compare, follow, run
from arrayopt.conformance.consistency import CHECKS, Subject, examine
from arrayopt.conformance.diagnosis.dead import dead_options
from arrayopt.conformance.diagnosis.diagnose import Diagnosis, diagnose, published
from arrayopt.conformance.forms import settle
from arrayopt.conformance.models import Model, as_candidate, covering, over, rule_in, set_up
from arrayopt.conformance.probes import non_finite, probes_for
from arrayopt.conformance.report import Report, Verdict
from arrayopt.conformance.slips.catalogue import pins
from arrayopt.conformance.slips.slip import slipped
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.errors import OptionError
from arrayopt.firstorder import Clip, Muon
from arrayopt.readers.bounded import DOUBLE


def check(
    candidate: Candidate | Callable[..., Any],
    reference: Model | None = None,
    *,
    seed: int = 0,
    consistency: bool = True,
) -> Report:
    """Check a candidate against a rule, or find the rule that it follows.

    Parameters
    ----------
    candidate : Candidate or callable
        What is checked. An optimizer class or factory of an installed framework is adapted, any other callable
        wrapped with `Candidate.from_step`.
    reference : Rule or Clip, optional
        The rule that it claims to follow, at the hyper-parameters it ships; the search starts here. Without
        one all rules are tried.
    seed : int
        Seed of the random probes.
    consistency : bool
        Whether it is also put to the checks that need no rule.

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
    if reference is not None and not isinstance(reference, (Rule, Clip)):
        raise OptionError(f"check: reference must be a rule such as Adam(), or Clip(rule=Adam()), got {reference!r}")
    if not isinstance(candidate, Candidate):
        if not callable(candidate):
            raise OptionError(f"check: candidate must be a Candidate, a class or a function, got {candidate!r}")
        candidate = adapt(candidate) or Candidate.from_step(candidate)
    first: Model = covering(candidate) if reference is None else reference
    try:
        candidate = settle(candidate, first)
        runs = _runs(candidate, first, seed, matrices=reference is None)
    except CannotRunError as refusal:
        return Report(candidate.name, reference, "cannot-run", causes=(Cause("cannot-run", str(refusal)),))
    found = diagnose(candidate, runs, reference)
    causes, said = _consistency(candidate, first, seed) if consistency else ([], {})
    if found.match is None:
        return _unexplained(candidate, reference, runs, found, causes, said)
    if reference is None:
        reference = published(found.match)
    return _explained(candidate, reference, found.match, runs, found, causes, said, seed)


def _runs(candidate: Candidate, first: Model, seed: int, matrices: bool) -> list[Ran]:
    """Run all probes; on matrices alone, if that is allowed, where the candidate refuses vectors."""
    single = candidate.tree == "array"
    try:
        return follow(candidate, probes_for(rule_in(first), seed, single, candidate.dtype), first)
    except CannotRunError:
        if not matrices:
            raise
        return follow(candidate, probes_for(Muon(), seed, single, candidate.dtype), first)


def _consistency(candidate: Candidate, reference: Model, seed: int) -> tuple[list[Cause], dict[str, str]]:
    """Put a candidate to the checks that need no rule, at the settings of the first probe."""
    return examine(_subject(candidate, reference, seed))


def _subject(candidate: Candidate, reference: Model, seed: int) -> Subject:
    subject = Subject.of(candidate, seed)
    _, hyper = set_up(reference, probes_for(rule_in(reference), seed)[0], candidate.hyper)
    return subject.replace(hyper={**subject.hyper, **{k: v for k, v in hyper.items() if k in candidate.hyper}})


def _beside_the_rule(causes: list[Cause], candidate: Candidate, match: Model, seed: int) -> list[Cause]:
    """Return the causes without what the rule itself does, as AdaMax makes NaN of a zero gradient.

    Leaves that it refuses are no fault where the numbers are right.
    """
    every = [c for c in causes if c.kind != "ignored-option"]  # the probes and `dead_options` know better
    subject = _subject(as_candidate(match, candidate.hyper, candidate.dtype), match, seed)
    own, _ = examine(subject, {c.kind for c in every} & set(CHECKS))
    faults, traits = {c.kind for c in own if c.wrong}, {c.text for c in own}
    return [
        dataclasses.replace(c, wrong=c.wrong and REFUSED not in c.values)
        for c in every
        if c.text not in traits and not (c.wrong and c.kind in faults)
    ]


def _explained(candidate: Candidate, reference: Model, match: Model, runs: list[Ran], found: Diagnosis,
               causes: list[Cause], said: dict[str, str], seed: int) -> Report:  # fmt: skip
    ran = [r for r in runs if not r.not_run]
    compared = [compare(r, match, candidate, found.scalar_unit) for r in ran]
    against = compared if match == reference else [compare(r, reference, candidate) for r in ran]
    departures = [c.divergence for c in against if c.divergence is not None]
    undecided = sum(c.undecided for c in compared)
    notes = (f"{undecided} elements hang on rounding and were left out",) if undecided else ()
    every = [*found.causes, *_beside_the_rule(causes, candidate, match, seed)]
    if not found.causes:
        dead = dead_options(candidate, runs[0], match, reference)
        every, match = every + dead, _pinned(match, dead)
    every += _elsewhere(candidate, match, reference, seed)
    if found.scalar_unit != DOUBLE and not any(c.kind == "float32" for c in every):
        text = "the rule is right; its scalars (bias corrections, 1 - beta) are computed in float32"
        every.append(Cause("float32-scalars", text, wrong=False))
    wrong = any(c.wrong for c in every)
    verdict: Verdict = "differs" if wrong else "conforms" if match == reference else "dialect"
    return Report(
        candidate.name, reference, verdict, match, tuple(found.equivalent), *_parted(every),
        departures[0] if departures else None, max(c.error for c in compared),
        _said(runs, compared), said, notes, found.margin,
    )  # fmt: skip


def _pinned(match: Model, dead: list[Cause]) -> Model:
    """Return the model that takes no notice of dead options either."""
    own = options.numbers(type(rule_in(match)))
    values = {k: x for c in dead for k, x in c.values.items() if k in own}
    return over(match, slipped(rule_in(match), pins(values))) if values else match


def _parted(every: list[Cause]) -> tuple[tuple[Cause, ...], tuple[Cause, ...]]:
    """Part what speaks for the verdict from what is only worth knowing."""
    told = [c.wrong or c.kind == "float32-scalars" for c in every]
    return tuple(c for c, t in zip(every, told, strict=True) if t), tuple(
        c for c, t in zip(every, told, strict=True) if not t
    )


def _unexplained(candidate: Candidate, reference: Model | None, runs: list[Ran], found: Diagnosis,
                 causes: list[Cause], said: dict[str, str]) -> Report:  # fmt: skip
    ran = [r for r in runs if not r.not_run]
    against = [] if reference is None else [compare(r, reference, candidate) for r in ran]
    departures = [c.divergence for c in against if c.divergence is not None]
    every = [*causes, *found.causes]
    if reference is not None:
        verdict: Verdict = "differs"
    else:
        verdict = "inconsistent" if any(c.wrong for c in causes) else "consistent"
    return Report(
        candidate.name, reference, verdict, None, tuple(found.equivalent), *_parted(every),
        departures[0] if departures else None, max((c.error for c in against), default=None),
        _said(runs, against) if against else {}, said, (), found.margin,
    )  # fmt: skip


def _elsewhere(candidate: Candidate, match: Model, reference: Model, seed: int) -> list[Cause]:
    """Say where a NaN or an infinity goes otherwise than in the rule that it follows."""
    probe = non_finite(rule_in(match), seed, candidate.tree == "array")
    try:
        ran = run(candidate, probe, reference)
    except CannotRunError as error:
        return [Cause("non-finite", f"it does not take a NaN or an infinity: {error}", wrong=False)]
    compared = compare(ran, match, candidate)
    if compared.agrees:
        return []
    return [Cause("non-finite", f"with non-finite gradients {_spread(ran)}", wrong=False)]


def _spread(ran: Ran) -> str:
    """Say what a candidate did with the NaN in the first leaf at the second step."""
    before, after = ran.path[0], ran.path[1]
    if all(np.array_equal(before[k], after[k]) for k in before):
        return "it skips the step"
    lost = {k: int(np.isnan(x).sum()) for k, x in after.items()}
    leaf, *others = lost
    if any(lost[k] for k in others):
        return "a NaN reaches all leaves" if all(lost.values()) else "a NaN reaches other leaves"
    if lost[leaf] == after[leaf].size:
        return "a NaN reaches its whole leaf"
    return "a NaN stays in its element" if lost[leaf] == 1 else f"a NaN reaches {lost[leaf]} elements of its leaf"


def _said(runs: list[Ran], compared: list[Comparison]) -> dict[str, str]:
    """Say of each probe whether the candidate agrees in it, or why it was not run."""
    said = {r.probe.name: f"not run: {r.not_run}" for r in runs}
    for r, c in zip([r for r in runs if not r.not_run], compared, strict=True):
        said[r.probe.name] = "agrees" if c.agrees else "departs"
    return said
