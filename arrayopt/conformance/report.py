"""Reports: the verdict on a candidate, for people and as data."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from arrayopt.conformance.causes import Cause
from arrayopt.conformance.compare import Divergence
from arrayopt.conformance.diagnosis.dialects import changes
from arrayopt.conformance.models import Model, rule_in
from arrayopt.conformance.reports.curves import Curve
from arrayopt.conformance.slips.slip import original, slip_in
from arrayopt.core import options
from arrayopt.core.results import plain
from arrayopt.core.rule import Rule
from arrayopt.firstorder import Clip

Verdict = Literal["conforms", "dialect", "differs", "consistent", "inconsistent", "cannot-run"]
SCHEMA = 2
"""Version of the form of `Report.to_dict`."""


@dataclass(frozen=True)
class Report:
    """What `check` found.

    Attributes
    ----------
    candidate : str
        The name of what was checked.
    reference : Rule or Clip or None
        The rule it was held against; where none was given, the published rule of `match`.
    verdict : {"conforms", "dialect", "differs", "consistent", "inconsistent", "cannot-run"}
        "conforms": it computes the reference. "dialect": it computes `match`, another dialect.
        "differs": no dialect fits, or something is wrong that `causes` names.
        Without a rule that it follows or claims: "consistent" or "inconsistent", by the checks that need none.
        "cannot-run": it raised, or returned something else than its parameters.
    match : Rule or Clip or None
        What it computes, with the reference's own hyper-parameters; where it slips, a rule that slips in the same way.
    equivalent : tuple of Rule
        All dialects that no probe that ran tells from `match`.
    causes : tuple of Cause
        What speaks for the verdict: what is wrong, and scalars in float32.
    traits : tuple of Cause
        What is worth knowing and not wrong: where a NaN goes, leaves that it refuses.
    first_divergence : Divergence or None
        Where it first departs from the reference.
    error : float or None
        Largest relative error of the displacement against `match`; against the reference where there is none.
    probes : dict of str to str
        Letter of each probe -> "agrees", "departs" or "not run: why", against `match` or else the reference.
    checks : dict of str to str
        Name of each check that needs no rule -> "passes", "fails" or "not run: why".
    notes : tuple of str
        How the reference was chosen, how many elements were left undecided.
    margin : float or None
        How many times farther than `match` the nearest dialect is that does not agree; under 10 none is named.
    curves : tuple of Curve
        Error and tolerance after each step of each probe, where the report is `illustrated`.
    reproduction : str
        A script that shows the first departure without arrayopt, where the report is `illustrated`.
    """

    candidate: str
    reference: Model | None
    verdict: Verdict
    match: Model | None = None
    equivalent: tuple[Model, ...] = ()
    causes: tuple[Cause, ...] = ()
    traits: tuple[Cause, ...] = ()
    first_divergence: Divergence | None = None
    error: float | None = None
    probes: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    margin: float | None = None
    curves: tuple[Curve, ...] = ()
    reproduction: str = ""

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
        if self.verdict == "consistent":
            return "no rule here, no contradiction in itself"
        return "; ".join(str(c) for c in self.causes if c.wrong) or str(self.first_divergence)

    def __str__(self) -> str:
        against = f" against {name_of(self.reference)}" if self.reference is not None else ""
        lines = [f"{self.candidate}{against}: {self.verdict}"]
        if self.match is not None:
            lines.append(f"  computes      {brief(self.match)}")
            if self.dialect:
                lines.append("  dialect       " + ", ".join(f"{k}={v!r}" for k, v in self.dialect.items()))
            lines += [f"  spoken by     {', '.join(who)}"] if (who := speakers(self.match)) and self.dialect else []
        if len(self.equivalent) > 1:
            lines.append(f"  equivalent    {len(self.equivalent)} dialects that these probes do not tell apart")
        if self.error is not None:
            lines.append(f"  error         {self.error:.1e} of the displacement")
        if self.margin is not None and self.margin < float("inf"):
            lines.append(f"  margin        the next dialect is {self.margin:.1e} times as far")
        if self.first_divergence is not None:
            lines.append(f"  first departs {self.first_divergence}")
        lines += [f"  {'cause' if c.wrong else 'note':<13} {c}" for c in (*self.causes, *self.traits)]
        lines += [f"  probe {k}       {v}" for k, v in self.probes.items() if v.startswith("not run")]
        lines += [f"  note          {n}" for n in self.notes]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON, with a schema version."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data: dict[str, Any] = plain({"schema": SCHEMA, **own, "dialect": self.dialect})
        return data


def speakers(match: Model) -> list[str]:
    """Return the presets that speak the dialect of a match; none does where it slips."""
    rule = rule_in(match)
    if slip_in(rule) is not None:
        return []
    return [f"{k} ({p.source})" for k, p in type(rule).presets.items() if _speaks(rule, k)]


def _speaks(match: Rule, framework: str) -> bool:
    """Tell whether a preset has the dialect of `match`; hyper-parameters do not count."""
    theirs = match.preset(framework)
    names = {*options.dialects(type(match)), *match.constants}
    if match.weight_decay == 0:
        names -= {"decay", "decay_scale", "decay_point"}
    return all(getattr(theirs, k) == getattr(match, k) for k in names)


def name_of(model: Model) -> str:
    """Return the name of a model: that of the rule, with the clipping around it."""
    name = original(rule_in(model)).__name__
    return f"Clip({name})" if model is not rule_in(model) else name


def brief(model: Model) -> str:
    """Return a model with the fields that are not the default's, and its slip."""
    rule = rule_in(model)
    changed = [f"{f.name}={getattr(rule, f.name)!r}" for f in dataclasses.fields(rule)
               if f.name == "lr" or getattr(rule, f.name) != f.default]  # fmt: skip
    text = f"{original(rule).__name__}({', '.join(changed)})"
    if isinstance(model, Clip):
        text = f"Clip({model.max_norm:g}, form={model.form!r}, by={model.by!r}, rule={text})"
    slip = slip_in(rule)
    return text if slip is None else f"{text}, but {slip.text}"
