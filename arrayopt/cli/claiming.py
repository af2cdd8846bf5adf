"""`arrayopt claims`: what the documents claim, checked and attacked."""

import fnmatch
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from arrayopt.cli.tables import table
from arrayopt.errors import OptionError

ATTACK_SECONDS = 10.0


def claims(
    pattern: Annotated[str, typer.Argument(help="Ids, such as 'logsumexp.*'; the beginning of ids does, too.")] = "*",
    attack: Annotated[
        bool, typer.Option("--attack", help="Minimise the margin of each claim as well, trying to break it.")
    ] = False,
    seconds: Annotated[float, typer.Option(help="The most that an attack on a claim takes.")] = ATTACK_SECONDS,
    backend: Annotated[str, typer.Option(help="The array library: numpy, cupy or array_api_strict.")] = "numpy",
    json: Annotated[Path | None, typer.Option(help="Write the findings to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with formulas to this file.")] = None,
) -> None:
    """Check the claims of the documents; the exit status is 1 if one is not as expected.

    An attack may be stopped by Ctrl-C: what it has found is printed and written, and the exit status is 130.
    """
    from arrayopt.backend import default, use
    from arrayopt.claims import CLAIMS, KNOWN, answered, attacked, report, sampled
    from arrayopt.core.results import write_json

    wanted = pattern if any(c in pattern for c in "*?[") else f"{pattern}*"
    chosen = [c for c in CLAIMS if fnmatch.fnmatchcase(c.id, wanted)]
    known = [k for k in KNOWN if fnmatch.fnmatchcase(k.id, wanted)]
    if not chosen and not known:
        topics = sorted({c.topic for c in CLAIMS} | {k.id.partition(".")[0] for k in KNOWN})
        raise OptionError(f"claims: no id matches {pattern!r}; the topics are {', '.join(topics)}")
    with use(backend):
        xp = None if backend == "numpy" else default()
    left_out = [] if xp is None else [c for c in chosen if not c.portable]
    findings = [sampled(c, xp=xp) for c in chosen if c not in left_out]
    answers = [answered(k) for k in known] if xp is None else []
    stopped = ""
    if attack:
        from rich.progress import track

        every = [c for c in chosen if c.searchable and c not in left_out]
        try:
            for n, c in enumerate(track(every, "attack", transient=True)):
                stopped = f"stopped after {n} of {len(every)} attacks"
                findings.append(attacked(c, seconds))
            stopped = ""
        except KeyboardInterrupt:  # what was found until then is told and written
            pass
    if findings:
        header = ("reader", *report.HEADER) if attack else report.HEADER
        table(header, [((f.reader,) if attack else ()) + report.row(f) for f in findings])
    for f in findings:
        if not f.expected:
            print(f"{f.claim.id}: {f.verdict}, expected {f.claim.expect}: {f.error or report.where(f)}")
    for a in answers:
        if not a.expected:
            print(f"{a.known.id}: {a.value!r}, printed {a.known.printed}")
    if left_out:
        print(f"{len(left_out)} claims need NumPy's or SciPy's functions and were left out on {backend}")
    if stopped:
        print(stopped)
    bad = sum(not f.expected for f in findings) + sum(not a.expected for a in answers)
    print(f"{len(findings)} findings and {len(answers)} known answers, {bad} not as expected")
    if json is not None:
        write_json(json, {"claims": [report.plain(f) for f in findings],
                          "known answers": [report.plain_answer(a) for a in answers]})  # fmt: skip
    if html is not None:
        html.write_text(report.web_page(findings, answers), encoding="utf-8")
        if importlib.util.find_spec("latex2mathml") is None:
            print("formulas are left as LaTeX: latex2mathml is not installed (the extra html)")
    if bad or stopped:
        raise typer.Exit(130 if stopped else 1)
