"""Diagnosis: which dialect of a rule the results of an implementation are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.compare import Ran
from arrayopt.conformance.diagnosis.dialects import changes, search, space
from arrayopt.conformance.models import Model, rule_in
from arrayopt.core.rule import Rule
from arrayopt.readers.bounded import SINGLE
from arrayopt.readers.formula import formula


@dataclass(frozen=True)
class Diagnosis:
    """What results compute instead of the rule of their vectors.

    Attributes
    ----------
    rule : Rule
        The rule of the vectors.
    match : Rule, Clip or None
        The dialect that they agree with in every vector, of several the nearest to `rule`; None if there is none.
    equivalent : tuple of Rule or Clip
        All dialects that they agree with.
    single : bool
        Whether they agree only within the rounding of scalars (bias corrections, 1 - beta) in float32.
    nearest : Rule or Clip
        The dialect that comes nearest in the first vector.
    error : float
        How far off that is, relative to the displacement.
    """

    rule: Rule
    match: Model | None
    equivalent: tuple[Model, ...]
    single: bool
    nearest: Model
    error: float

    def __str__(self) -> str:
        name = type(self.rule).__name__
        if self.match is None:
            near = _listed(changes(self.rule, self.nearest)) or "the rule itself"
            return f"no dialect of {name} fits; the nearest is {near}, off by {self.error:.2g} of the displacement"
        scalars = "within the rounding of scalars (bias corrections, 1 - beta) in float32"
        if self.match == self.rule:
            return f"the results are {name} as exported, {scalars}"
        lines = [f"the results are {name} with {_listed(changes(self.rule, self.match))}"]
        if self.single:
            lines[0] += f", {scalars}"
        if len(self.equivalent) > 1:
            lines[0] += f" (or one of {len(self.equivalent) - 1} other dialects that these vectors do not tell from it)"
        exported, got = ([line.plain() for line in formula(rule_in(x))] for x in (self.rule, self.match))
        lines += [f"  exported  {x}" for x in exported if x not in got]
        lines += [f"  results   {x}" for x in got if x not in exported]
        return "\n".join(lines)


def diagnose(rule: Rule, varied: Sequence[str], runs: Sequence[Ran], dtype: str) -> Diagnosis:
    """Search the dialects of a rule for one that some recorded runs agree with."""
    candidate = Candidate("results", _recorded, tuple(varied), dtype)
    found = search([space(rule, candidate.hyper)], list(runs), candidate)
    match = min(found.equivalent, key=lambda r: len(changes(rule, r)), default=None)
    error, nearest = found.nearest[0]
    return Diagnosis(rule, match, tuple(found.equivalent), found.scalar_unit == SINGLE, nearest, error)


def _recorded(*_: Any, **__: Any) -> Any:
    raise NotImplementedError("recorded results cannot be run again")


def _listed(fields: dict[str, object]) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in fields.items())
