"""`check`: say whether a candidate follows a rule, in which dialect, and where it departs."""

from collections.abc import Iterator

from arrayopt.conformance.candidate import Candidate, CannotRunError
from arrayopt.conformance.causes import Cause, dead_options, fitted, purity
from arrayopt.conformance.compare import Divergence, Ran, compare, follow
from arrayopt.conformance.dialects import Named, changes, search, space
from arrayopt.conformance.probes import probes_for
from arrayopt.conformance.report import Report, Verdict
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.firstorder import FAMILIES
from arrayopt.readers.bounded import DOUBLE, SINGLE

NEAREST = 3
"""How many of the nearest dialects a hidden number is fitted in."""


def check(candidate: Candidate, reference: Rule, *, seed: int = 0) -> Report:
    """Check a candidate against a rule.

    Parameters
    ----------
    candidate : Candidate
        What is checked.
    reference : Rule
        The rule that it claims to follow, at the hyper-parameters it ships; the search starts here.
    seed : int
        Seed of the random probes.

    Returns
    -------
    Report
        Verdict, dialect, causes, and where it first departs. A candidate that fails gives "cannot-run".

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
    >>> check(Candidate.from_step(Mine), Momentum()).dialect
    {'form': 'ema'}
    """
    probes = probes_for(reference, seed, single=candidate.tree == "array")
    try:
        runs = follow(candidate, probes, reference)
    except CannotRunError as refusal:
        return Report(candidate.name, reference, "cannot-run", causes=(Cause("cannot-run", str(refusal)),))
    causes = purity(candidate, runs, reference) + dead_options(candidate, runs[0], reference)
    against = {
        unit: [compare(r, reference, candidate, unit) for r in runs if not r.not_run] for unit in (DOUBLE, SINGLE)
    }
    departures = [c.divergence for c in against[DOUBLE] if c.divergence is not None]
    unit = next((u for u, cs in against.items() if all(c.agrees for c in cs)), None)
    found = search([space(reference, candidate.hyper), *_relatives(reference)], runs, candidate)
    if unit is not None:
        same = [r for r in found.equivalent if r != reference]
        return _report(candidate, reference, reference, [reference, *same], unit, runs, causes, departures)
    if found.equivalent:
        match = min(found.equivalent, key=lambda r: len(changes(reference, r)))
        return _report(candidate, reference, match, found.equivalent, found.scalar_unit, runs, causes, departures)
    constant = next(fitted(candidate, runs, found.nearest[:NEAREST], constants=True), None)
    if constant is not None:
        return _report(candidate, reference, constant, [constant], DOUBLE, runs, causes, departures)
    causes += _explanations(candidate, reference, runs, found)
    error = max((c.error for c in against[DOUBLE]), default=None)
    probes_said = {r.probe.name: f"not run: {r.not_run}" if r.not_run else "" for r in runs}
    for r, c in zip([r for r in runs if not r.not_run], against[DOUBLE], strict=True):
        probes_said[r.probe.name] = "agrees" if c.agrees else "departs"
    return Report(
        candidate.name,
        reference,
        "differs",
        None,
        (),
        tuple(causes),
        departures[0] if departures else None,
        error,
        probes_said,
    )


def _relatives(reference: Rule) -> list[Iterator[Rule]]:
    """Return the dialect spaces of the other rules of the reference's family, at its hyper-parameters."""
    spaces: list[Iterator[Rule]] = []
    for family in FAMILIES:
        if type(reference) in family:
            for cls in family:
                if cls is not type(reference):
                    shared = set(options.numbers(cls)) & set(options.numbers(type(reference)))
                    spaces.append(space(cls(**{k: getattr(reference, k) for k in shared | {"decay"}})))
    return spaces


def _report(candidate: Candidate, reference: Rule, match: Rule, equivalent: list[Rule], unit: float, runs: list[Ran],
            causes: list[Cause], departures: list[Divergence]) -> Report:  # fmt: skip
    compared = {r.probe.name: None if r.not_run else compare(r, match, candidate, unit) for r in runs}
    said = {r.probe.name: f"not run: {r.not_run}" if r.not_run else "agrees" for r in runs}
    error = max(c.error for c in compared.values() if c is not None)
    undecided = sum(c.undecided for c in compared.values() if c is not None)
    notes = (f"{undecided} elements hang on rounding and were left out",) if undecided else ()
    wrong = bool(causes)
    if unit == SINGLE:
        text = "the rule is right; its scalars (bias corrections, 1 - beta) are computed in float32"
        causes = [*causes, Cause("float32-scalars", text)]
    verdict: Verdict = "differs" if wrong else "conforms" if match == reference else "dialect"
    shown = departures[0] if departures and match != reference else None
    return Report(candidate.name, reference, verdict, None if wrong else match, () if wrong else tuple(equivalent),
                  tuple(causes), shown, error, said, notes)  # fmt: skip


def _explanations(candidate: Candidate, reference: Rule, runs: list[Ran], found: Named) -> list[Cause]:
    """Say which one number would make it agree, else which dialect comes nearest."""
    for rule in fitted(candidate, runs, found.nearest[:NEAREST], constants=False):
        origin = next(r for _, r in found.nearest if type(r) is type(rule) and r.structure() == rule.structure())
        (name,) = changes(origin, rule)
        value = getattr(rule, name)
        dialect = {k: v for k, v in changes(reference, rule).items() if k != name}
        among = f", in the dialect {', '.join(f'{k}={v!r}' for k, v in dialect.items())}" if dialect else ""
        given = (
            "whatever is given"
            if name in candidate.hyper
            else f"hidden, where the reference has {getattr(origin, name):g}"
        )
        return [
            Cause(
                "fitted",
                f"it behaves as {type(rule).__name__} with {name}={value:g} ({given}){among}",
                {name: value, **dialect},
            )
        ]
    distance, nearest = found.nearest[0]
    dialect = changes(reference, nearest)
    spoken = ", ".join(f"{k}={v!r}" for k, v in dialect.items()) or "the reference itself"
    return [
        Cause(
            "nearest",
            f"no dialect fits; the nearest is {spoken}, off by {distance:.2g} of the displacement",
            dict(dialect),
        )
    ]

