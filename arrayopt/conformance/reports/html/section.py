"""The section of one report: what it computes, why, where it departs, and how to see that."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields

from arrayopt.conformance.causes import KINDS, Cause
from arrayopt.conformance.compare import Divergence
from arrayopt.conformance.diagnosis.dialects import changes
from arrayopt.conformance.models import Model, rule_in
from arrayopt.conformance.report import Report, brief, name_of, speakers
from arrayopt.conformance.reports.curves import Curve
from arrayopt.conformance.reports.html.markup import Markup, element, joined
from arrayopt.conformance.reports.html.plot import SAID, panel
from arrayopt.conformance.reports.html.verdicts import badge
from arrayopt.conformance.slips.slip import original
from arrayopt.readers.formula import formula

SHOWN = 6
"""Equivalent dialects that are shown at once."""


def section(report: Report, anchor: str) -> Markup:
    """Return the section of a report, under an anchor."""
    heading = element("h3", element("a", report.candidate, href=f"#{anchor}"), " ", badge(report.verdict))
    rows = [joined(element("dt", name), element("dd", value)) for name, value in _facts(report)]
    facts = [element("dl", *rows, class_="facts")] if rows else []
    return element("article", heading, *facts, *_plots(report.curves), *_script(report), id=anchor)


def _facts(report: Report) -> Iterator[tuple[str, Markup]]:
    """Yield what is known, with a name for each."""
    if report.reference is not None:
        yield "held against", element("code", brief(report.reference))
    if report.match is not None:
        yield "computes", joined(element("code", brief(report.match)), _formula(report.match))
        if report.dialect:
            yield "dialect", _fields(report.dialect)
            if who := speakers(report.match):
                yield "spoken by", _items(who)
    elif report.reference is not None and report.verdict == "differs":
        yield "expected", _formula(report.reference)
    if len(report.equivalent) > 1:
        yield "equivalent", _equivalent(report)
    for name, wrong in (("causes", True), ("also seen", False)):
        if said := [_cause(c) for c in (*report.causes, *report.traits) if c.wrong == wrong]:
            yield name, _items(said)
    if report.first_divergence is not None:
        yield "first departs", _divergence(report.first_divergence)
    if report.error is not None:
        rule = "the rule it computes" if report.match is not None else "the rule it is held against"
        size = f"{report.error:.1e} of the displacement" if report.error else "none"
        yield "error", joined(f"{size}, against {rule}")
    if report.margin is not None and report.margin < float("inf"):
        yield "margin", joined(f"the next dialect is {report.margin:.1e} times as far")
    if report.probes or report.checks:
        yield "checks", _checks({**report.probes, **report.checks})
    if report.notes:
        yield "notes", _items(report.notes)


def _formula(model: Model) -> Markup:
    """Write the update; of a rule that slips, that of the rule without the slip, which is told beside it."""
    rule = rule_in(model)
    cls = original(rule)
    straight = rule if cls is type(rule) else cls(**{f.name: getattr(rule, f.name) for f in fields(rule)})
    return element("pre", "\n".join(e.plain() for e in formula(straight)), class_="formula")


def _fields(values: Mapping[str, object]) -> Markup:
    return joined(*(element("code", f"{k}={v!r}") for k, v in values.items()), between=" ")


def _items(items: Iterable[str]) -> Markup:
    return element("ul", *(element("li", x) for x in items))


def _cause(cause: Cause) -> Markup:
    kind = element("strong" if cause.wrong else "span", cause.kind, class_="kind", title=KINDS.get(cause.kind))
    return joined(kind, f" {cause.text}")


def _equivalent(report: Report) -> Markup:
    """List the dialects that the probes do not tell apart, as they differ from the reference."""
    told = []
    for model in report.equivalent:
        changed = changes(report.reference, model) if report.reference is not None else {"rule": name_of(model)}
        told.append(_fields(changed) if changed else joined("as published"))
    text = joined(f"{len(told)} dialects that the probes do not tell apart:")
    if len(told) <= SHOWN:
        return joined(text, _items(told))
    more = element("details", element("summary", f"{len(told) - SHOWN} more"), _items(told[SHOWN:]))
    return joined(text, _items(told[:SHOWN]), more)


def _divergence(d: Divergence) -> Markup:
    leaf = f"{d.path}[{', '.join(map(str, d.index))}]"
    return joined(
        f"probe {d.probe}, step {d.step}, leaf ",
        element("code", leaf),
        ": expected ",
        element("code", f"{d.expected:.10g}"),
        ", got ",
        element("code", f"{d.got:.10g}"),
        f" (displacement off by {d.relative_error:.2g})",
    )


def _checks(probes: Mapping[str, str]) -> Markup:
    """Show what each probe and check said: those that said the same in one line."""
    said: dict[str, list[str]] = {}
    for name, text in probes.items():
        said.setdefault(text, []).append(name)
    order = sorted(said, key=lambda text: text in ("agrees", "passes"))
    return _items(joined(element("b", text), f": {', '.join(said[text])}") for text in order)


def _plots(curves: tuple[Curve, ...]) -> list[Markup]:
    if not curves:
        return []
    against = dict.fromkeys(c.against for c in curves)
    keys = [element("span", f"from {SAID[a]}", class_=f"key {a}") for a in against]
    whose = " the dialect found" if "match" in against else ""
    keys.append(element("span", f"what rounding allows{whose}", class_="key allowed"))
    told = "error of the displacement by step; a filled mark is beyond what rounding allows"
    legend = element("p", *keys, element("span", told), class_="keys")
    by_probe = {name: [c for c in curves if c.probe == name] for name in dict.fromkeys(c.probe for c in curves)}
    departing = {k: cs for k, cs in by_probe.items() if any(c.departs for c in cs)}
    agreeing = {k: cs for k, cs in by_probe.items() if k not in departing}
    shown = [_panels(departing)] if departing else []
    if agreeing:
        noun = "probe that stays" if len(agreeing) == 1 else "probes that stay"
        folded = element("summary", f"{len(agreeing)} {noun} within rounding: {', '.join(agreeing)}")
        shown.append(element("details", folded, _panels(agreeing)))
    return [element("h4", "Divergence by step"), legend, *shown]


def _panels(curves: Mapping[str, Sequence[Curve]]) -> Markup:
    figures = [element("figure", element("figcaption", f"probe {k}"), panel(cs)) for k, cs in curves.items()]
    return element("div", *figures, class_="panels")


def _script(report: Report) -> list[Markup]:
    if not report.reproduction:
        return []
    text = element("pre", element("code", report.reproduction), class_="script", tabindex=0)
    return [element("h4", "Reproduction without arrayopt"), text]
