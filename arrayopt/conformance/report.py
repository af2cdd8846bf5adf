"""Reports: the verdict on a candidate, for people and as data."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from arrayopt.conformance.causes import Cause
from arrayopt.conformance.compare import Divergence
from arrayopt.conformance.dialects import changes
from arrayopt.core import options
from arrayopt.core.results import plain
from arrayopt.core.rule import Rule

Verdict = Literal["conforms", "dialect", "differs", "cannot-run"]
SCHEMA = 1
"""Version of the form of `Report.to_dict`."""


@dataclass(frozen=True)
class Report:
    """What `check` found.

    Attributes
    ----------
    candidate : str
        The name of what was checked.
    reference : Rule or None
        The rule it was held against.
    verdict : {"conforms", "dialect", "differs", "cannot-run"}
        "conforms": it computes the reference. "dialect": it computes `match`, another dialect.
        "differs": no dialect fits, or one fits only with another value of a given hyper-parameter, or it is impure.
        "cannot-run": it raised, or returned something else than its parameters.
    match : Rule or None
        The rule that it computes, with the reference's own hyper-parameters.
    equivalent : tuple of Rule
        All dialects that no probe that ran tells from `match`.
    causes : tuple of Cause
        What is wrong, or worth knowing.
    first_divergence : Divergence or None
        Where it first departs from the reference.
    error : float or None
        Largest relative error of the displacement against `match`; against the reference where there is none.
    probes : dict of str to str
        Letter of each probe -> "agrees", "departs" or "not run: why", against `match` or else the reference.
    notes : tuple of str
        How the reference was chosen, how many elements were left undecided.
    """

    candidate: str
    reference: Rule | None
    verdict: Verdict
    match: Rule | None = None
    equivalent: tuple[Rule, ...] = ()
    causes: tuple[Cause, ...] = ()
    first_divergence: Divergence | None = None
    error: float | None = None
    probes: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def dialect(self) -> dict[str, Any]:
        """Return the fields in which `match` differs from the reference."""
        return {} if self.match is None or self.reference is None else changes(self.reference, self.match)

    def noted(self, note: str, name: str | None = None) -> "Report":
        """Return the report with a note, and the candidate under another name."""
        notes = (*self.notes, note) if note else self.notes
        return dataclasses.replace(self, notes=notes, candidate=name or self.candidate)

    def summary(self) -> str:
        """Return one line: what it computes, or why not."""
        single = " (scalars in float32)" if any(c.kind == "float32-scalars" for c in self.causes) else ""
        if self.verdict == "conforms":
            return "follows the published rule" + single
        if self.verdict == "dialect":
            return ", ".join(f"{k}={v!r}" for k, v in self.dialect.items()) + single
        return "; ".join(map(str, self.causes)) or str(self.first_divergence)

    def __str__(self) -> str:
        against = type(self.reference).__name__ if self.reference is not None else "?"
        lines = [f"{self.candidate} against {against}: {self.verdict}"]
        if self.match is not None:
            lines.append(f"  computes      {_brief(self.match)}")
            if self.dialect:
                lines.append(f"  dialect       {self.summary()}")
                presets = type(self.match).presets.items()
                who = [f"{k} ({p.source})" for k, p in presets if _speaks(self.match, k)]
                lines += [f"  spoken by     {', '.join(who)}"] if who else []
        if len(self.equivalent) > 1:
            lines.append(f"  equivalent    {len(self.equivalent)} dialects that these probes do not tell apart")
        if self.error is not None:
            lines.append(f"  error         {self.error:.1e} of the displacement")
        if self.first_divergence is not None:
            lines.append(f"  first departs {self.first_divergence}")
        lines += [f"  cause         {c}" for c in self.causes]
        lines += [f"  probe {k}       {v}" for k, v in self.probes.items() if v.startswith("not run")]
        lines += [f"  note          {n}" for n in self.notes]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON, with a schema version."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data: dict[str, Any] = plain({"schema": SCHEMA, **own, "dialect": self.dialect})
        return data


def _speaks(match: Rule, framework: str) -> bool:
    """Tell whether a preset has the dialect of `match`; hyper-parameters do not count."""
    theirs = match.preset(framework)
    names = {*options.dialects(type(match)), *match.constants}
    if match.weight_decay == 0:
        names -= {"decay", "decay_scale", "decay_point"}
    return all(getattr(theirs, k) == getattr(match, k) for k in names)


def _brief(rule: Rule) -> str:
    changed = [f"{f.name}={getattr(rule, f.name)!r}" for f in dataclasses.fields(rule)
               if f.name == "lr" or getattr(rule, f.name) != f.default]  # fmt: skip
    return f"{type(rule).__name__}({', '.join(changed)})"
