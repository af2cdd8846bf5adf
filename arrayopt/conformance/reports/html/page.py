"""The page: all reports in one file, a matrix of verdicts first, then a section for each."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from arrayopt.conformance.report import Report, name_of
from arrayopt.conformance.reports.html.legend import legend_of_checks, legend_of_verdicts
from arrayopt.conformance.reports.html.markup import Markup, element, joined
from arrayopt.conformance.reports.html.section import section
from arrayopt.conformance.reports.html.style import STYLE
from arrayopt.conformance.reports.html.verdicts import WORDS, badge

FILES = "files"
"""What stands in the place of a framework for what belongs to none."""
NO_RULE = "no rule"


@dataclass(frozen=True)
class Entry:
    """A report with its place on the page.

    Attributes
    ----------
    report : Report
        What is shown.
    id : str
        The anchor of its section.
    framework, name : str
        The parts of the candidate's name, see `parted`.
    rule : str
        The rule that it is held against.
    """

    report: Report
    id: str
    framework: str
    name: str
    rule: str


def page(reports: Sequence[Report], title: str = "What these optimizers compute") -> str:
    """Return reports as one HTML page, which refers to nothing outside of itself and runs no scripts.

    Parameters
    ----------
    reports : sequence of Report
        What is shown, in this order. Those that are `illustrated` have plots and a script.
    title : str
        The title of the page.

    Returns
    -------
    str
        The page; the same reports give the same text.

    Examples
    --------
    >>> from arrayopt.conformance import Report
    >>> text = page([Report("torch.optim.Adam", None, "cannot-run")])
    >>> text.splitlines()[0]
    '<!DOCTYPE html>'
    """
    entries = placed(reports)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    header = element("header", element("h1", title), _counted(reports), legend_of_verdicts(), legend_of_checks())
    main = element("main", _matrix(entries), *_sections(entries))
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n{element("body", header, main)}\n</html>\n'


# Placing --------------------------------------------------------------------------------------


def placed(reports: Sequence[Report]) -> list[Entry]:
    """Give every report an anchor, a framework and a rule."""
    taken: dict[str, int] = {}
    entries = []
    for report in reports:
        slug = re.sub(r"[^a-z0-9]+", "-", report.candidate.lower()).strip("-") or "optimizer"
        taken[slug] = taken.get(slug, 0) + 1
        anchor = f"r-{slug}" if taken[slug] == 1 else f"r-{slug}--{taken[slug]}"
        rule = NO_RULE if report.reference is None else name_of(report.reference)
        entries.append(Entry(report, anchor, *parted(report), rule))
    return entries


def parted(report: Report) -> tuple[str, str]:
    """Return the framework of a candidate and what it is called there.

    The framework is the first part of a dotted name, "torch" of "torch.optim.Adam(amsgrad=True)", which is called
    "Adam(amsgrad=True)". Names without a dot belong to "files", as do paths, which are called by their last part; but
    a report without a rule, on a whole framework that cannot be adapted, has that framework's name.
    """
    name = report.candidate
    dotted = re.match(r"([A-Za-z_]\w*)[.:]([\w.:]*)", name)
    if dotted is None and report.verdict == "cannot-run" and report.reference is None and name.isidentifier():
        return name, name
    if dotted is None or re.search(r"\.py\b|[/\\]", name.partition("(")[0]):
        return FILES, re.sub(r"^\S*[/\\]", "", name)
    options = name[dotted.end() :]
    return dotted[1], re.split(r"[.:]", dotted[2])[-1] + options


def _order(values: Iterable[str], last: str) -> list[str]:
    """Return every value once, as they come, but one of them at the end."""
    return sorted(dict.fromkeys(values), key=lambda v: v == last)


# Parts ----------------------------------------------------------------------------------------


def _counted(reports: Sequence[Report]) -> Markup:
    numbers = [(sum(r.verdict == v for r in reports), v) for v in WORDS]
    counts = [element("span", badge(v), f" {n}") for n, v in numbers if n]
    noun = "optimizer" if len(reports) == 1 else "optimizers"
    return element("p", element("span", f"{len(reports)} {noun}:"), *counts, class_="counts")


def _matrix(entries: Sequence[Entry]) -> Markup:
    """Lay out the verdicts: a row for each rule, a column for each framework."""
    frameworks = _order((e.framework for e in entries), last=FILES)
    rules = sorted({e.rule for e in entries}, key=lambda r: (r == NO_RULE, r.lower()))
    head = element("tr", element("th", "rule", scope="col"), *(element("th", f, scope="col") for f in frameworks))
    rows = []
    for rule in rules:
        cells = [
            element(
                "td",
                *(_chip(e) for e in entries if (e.rule, e.framework) == (rule, f)),
                data_framework=f,
            )
            for f in frameworks
        ]
        rows.append(element("tr", element("th", rule, scope="row"), *cells))
    table = element("table", element("thead", head), element("tbody", *rows), class_="matrix")
    return element(
        "section", element("h2", "Verdicts", id="verdicts"), element("div", table, class_="wide", tabindex=0)
    )


def _chip(e: Entry) -> Markup:
    symbol, _ = WORDS[e.report.verdict]
    name, _, options = e.name.partition("(")
    said = _kinds(e.report) if e.report.verdict != "dialect" else e.report.summary()
    return element(
        "a",
        element("span", symbol, class_="symbol", aria_hidden="true"),
        element("span", f"{e.report.verdict}: ", class_="spoken"),
        _breakable(name),
        *([element("span", _breakable(options.removesuffix(")")), class_="options")] if options else []),
        *([element("small", _breakable(said))] if said else []),
        href=f"#{e.id}",
        class_=f"chip {e.report.verdict}",
        title=f"{e.report.candidate}: {e.report.verdict}",
    )


def _breakable(text: str) -> Markup:
    """Escape a text that may be broken at = and _, so that no word is broken."""
    return Markup(re.sub(r"([=_])", r"\1<wbr>", joined(text)))


def _kinds(report: Report) -> str:
    """Say in words of the catalogue what is wrong."""
    return ", ".join(dict.fromkeys(c.kind for c in report.causes if c.wrong))


def _sections(entries: Sequence[Entry]) -> list[Markup]:
    """Write one section for each framework, with one for each of its reports inside."""
    parts = []
    for framework in _order((e.framework for e in entries), last=FILES):
        inside = [section(e.report, e.id) for e in entries if e.framework == framework]
        parts.append(element("section", element("h2", framework), *inside))
    return parts
