"""Legends: what the verdicts, probes and checks mean, folded away at the top of the page."""

from collections.abc import Iterable

from arrayopt.conformance.consistency import CHECKS
from arrayopt.conformance.probes import probes_for
from arrayopt.conformance.reports.html.markup import Markup, element, joined
from arrayopt.conformance.reports.html.verdicts import WORDS, badge
from arrayopt.firstorder import SGD


def legend_of_verdicts() -> Markup:
    """Say what the verdicts mean."""
    return _folded("What the verdicts mean", ((badge(v), text) for v, (_, text) in WORDS.items()))


def legend_of_checks() -> Markup:
    """Say what each probe and each check reveals, and what passes it wrongly."""
    probes = [(f"probe {p.name}", f"{p.reveals}. Misses {p.misses}.") for p in probes_for(SGD())]
    checks = [(c.name, f"{c.reveals}. Misses {c.misses}.") for c in CHECKS.values()]
    return _folded("What the probes and checks reveal", [*probes, *checks])


def _folded(title: str, rows: Iterable[tuple[str, str]]) -> Markup:
    items = [joined(element("dt", name), element("dd", text)) for name, text in rows]
    return element("details", element("summary", title), element("dl", *items, class_="legend"))
