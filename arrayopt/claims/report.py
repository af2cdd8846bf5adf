"""Findings as rows, as plain data, and as a page."""

import html
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from arrayopt.claims.claim import Claim
from arrayopt.claims.finding import Finding
from arrayopt.claims.known import Answer, Known
from arrayopt.claims.sources import ARTICLES, BLOG

HEADER = ("claim", "expected", "verdict", "margin", "instances", "time", "statement", "source")
MOST = 6
"""Elements of an array that are shown."""


def row(found: Finding) -> tuple[str, ...]:
    """Return a finding as a row of the table."""
    c = found.claim
    verdict = found.verdict if found.expected else f"{found.verdict} !"
    return (c.id, c.expect, verdict, f"{found.margin:.2g}", str(found.count), f"{found.seconds:.2f} s",
            plain_text(c.statement), c.source)  # fmt: skip


def plain(found: Finding) -> dict[str, Any]:
    """Return a finding as plain data."""
    c = found.claim
    return {
        "id": c.id, "statement": c.statement, "source": c.source, "kind": c.kind, "expect": c.expect,
        "verdict": found.verdict, "as_expected": found.expected, "reader": found.reader, "margin": found.margin,
        "where": {k: shown(v) for k, v in found.where.items()}, "instances": found.count, "seconds": found.seconds,
        "error": found.error, "instead": c.instead,
    }  # fmt: skip


def plain_answer(answer: Answer) -> dict[str, Any]:
    """Return a known answer as plain data."""
    k = answer.known
    return {"id": k.id, "what": k.what, "source": k.source, "printed": k.printed, "computed": answer.value,
            "as_expected": answer.expected, "seconds": answer.seconds}  # fmt: skip


def shown(x: Any) -> Any:
    """Return a value of an instance so that it can be written down."""
    if isinstance(x, np.ndarray):
        flat = x.ravel().tolist()
        text = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in flat[:MOST]]
        more = f", ... ({'x'.join(map(str, x.shape))})" if len(flat) > MOST else ""
        return f"[{', '.join(text)}{more}]"
    return x if isinstance(x, (bool, int, float, str)) else str(x)


def where(found: Finding) -> str:
    """Return the instance of the least margin in a line."""
    parts = ((k, shown(v)) for k, v in found.where.items())
    return ", ".join(f"{k} = {v:.4g}" if isinstance(v, float) else f"{k} = {v}" for k, v in parts)


def plain_text(statement: str) -> str:
    """Return a statement for a terminal: without dollars, and with signs for the commonest commands of LaTeX."""
    text = statement.replace("$", "")
    for pattern, sign in SIGNS:
        text = re.sub(pattern, sign, text)
    return re.sub(r"\\([A-Za-z]+)\s?", r"\1 ", text).replace("{", "").replace("}", "")


SIGNS = (
    (r"\\(?:operatorname|mathrm|text|mathbb|mathcal|bar|hat|tilde)\s?\{?(\w+)\}?", r"\1"),
    (r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1)/(\2)"),
    (r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)"),
    (r"\\le(?![a-zA-Z])", "<="), (r"\\ge(?![a-zA-Z])", ">="), (r"\\ne(?![a-zA-Z])", "!="),
    (r"\\to(?![a-zA-Z])", "->"), (r"\\infty(?![a-zA-Z])", "inf"), (r"\\langle\s?", "<"), (r"\s?\\rangle", ">"),
    (r"\\cdot(?![a-zA-Z])", "*"), (r"\\times(?![a-zA-Z])", "x"), (r"\\[cl]?dots(?![a-zA-Z])", "..."),
    (r"\\(?:left|right|big|Big)(?![a-zA-Z])", ""), (r"\\\|", "||"), (r"\\[,;! ]", " "), (r"\\([{}])", r"\1"),
)  # fmt: skip
"""What stands for commands of LaTeX in a terminal."""


def page(claims: Sequence[Claim], known: Sequence[Known]) -> str:
    """Return the documentation's page of claims, in Markdown with formulas between dollars."""
    holds = sum(c.expect == "holds" for c in claims)
    lines = [
        "# Claims",
        "",
        "<!-- Written by `python -m scripts.pages`. -->",
        "",
        f"{len(claims)} statements of the documents, as declarations that `arrayopt claims` checks: {holds} that hold,",
        f"{len(claims) - holds} that are refuted by a witness though sources or common belief have them; and",
        f"{len(known)} numbers that are printed somewhere and computed here.",
        "",
        "`arrayopt claims PATTERN` measures the margins of those whose names hold the pattern, on instances of their",
        "domains; with `--attack` this library's optimizers look for the worst instance. In Python a claim is data,",
        "`arrayopt.claims.muon.nuclear`, and `arrayopt.claims.attacked` takes it.",
        "",
        "An inequality, an equality or a limit has a margin, which may be as low as minus its tolerance; equivalences",
        "are of two methods or formulas; behaviours (refusals, overflows) and statements in probability are tested",
        "as they stand. A **refuted** statement is one that a source prints, or that one might believe, with an",
        'instance that shows that it is false; an attack finds one without being shown it. "Trap" stands beside',
        "the sources of both it and of what is true in its place.",
        "",
        f"Archive N is the post {BLOG}/N of Su Jianlin (in Chinese); the survey is",
        "one of optimizers from gradient descent to Tiger that goes round as a repost. Statements on",
        "second-order methods are numbered, too; the book or paper beside the number is where they, or what they are",
        "about, are to be read. The sections, and their posts:",
        "",
        *(f"- {k}: [{number}]({BLOG}/{number}), {title}" for k, (number, title) in ARTICLES.items()),
        "",
    ]
    for topic in dict.fromkeys(c.topic for c in claims):
        lines += [f"## {topic}", "", "| claim | statement | kind | source |", "| --- | --- | --- | --- |"]
        for c in (c for c in claims if c.topic == topic):
            mark = "" if c.expect == "holds" else " **Refuted.**"
            instead = f" In its place: `{c.instead}`." if c.instead else ""
            lines.append(f"| `{c.id}` | {_cell(c.statement)}{mark}{instead} | {c.kind} | {c.source} |")
        lines.append("")
    if known:
        lines += ["## Known answers", "", "| what | printed | source |", "| --- | --- | --- |"]
        lines += [f"| {_cell(k.what)} | {k.printed} | {k.source} |" for k in known]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return a cell of a table: a bar would end it, even in a formula."""
    parts = text.replace(r"\|", r"\Vert ").split("$")
    return "$".join(x.replace("|", r"\vert " if i % 2 else r"\|") for i, x in enumerate(parts))


def web_page(findings: Sequence[Finding], answers: Sequence[Answer]) -> str:
    """Return findings as one HTML file that needs nothing else: formulas as MathML."""
    rows = []
    for f in findings:
        c = f.claim
        style = "" if f.expected else ' class="bad"'
        cells = (f"<code>{c.id}</code>", rendered(c.statement), c.source, c.expect, f.verdict, f"{f.margin:.3g}",
                 html.escape(where(f)), str(f.count), f"{f.seconds:.2f}")  # fmt: skip
        rows.append(f"<tr{style}>" + "".join(f"<td>{x}</td>" for x in cells) + "</tr>")
    for a in answers:
        style = "" if a.expected else ' class="bad"'
        told = (f"<code>{a.known.id}</code>", rendered(a.known.what), a.known.source, a.known.printed,
                 "agrees" if a.expected else "differs", f"{a.value:.12g}", "", "1", f"{a.seconds:.2f}")  # fmt: skip
        rows.append(f"<tr{style}>" + "".join(f"<td>{x}</td>" for x in told) + "</tr>")
    head = "".join(f"<th>{x}</th>" for x in ("claim", "statement", "source", "expected", "verdict", "margin", "where",
                                              "instances", "seconds"))  # fmt: skip
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>arrayopt claims</title><style>'
        "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.3em .6em;text-align:left;"
        "border-bottom:1px solid #ddd;vertical-align:top}.bad{background:#fdd}</style></head><body>"
        f"<h1>Claims</h1><table><tr>{head}</tr>{''.join(rows)}</table></body></html>\n"
    )


def rendered(statement: str) -> str:
    """Return a statement as HTML, its formulas as MathML, or as they are where latex2mathml is not installed."""
    try:
        from latex2mathml.converter import convert
    except ImportError:
        return html.escape(statement)
    parts = statement.split("$")
    return "".join(convert(x) if i % 2 else html.escape(x) for i, x in enumerate(parts))
