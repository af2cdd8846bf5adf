"""`arrayopt check`: what it runs and shows."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from arrayopt.cli.rules import rule_named
from arrayopt.cli.tables import table
from arrayopt.conformance import Cause, Report, check
from arrayopt.conformance.adapters import FRAMEWORKS, Peer, every_peer
from arrayopt.conformance.processes.process import process_candidate
from arrayopt.conformance.report import SCHEMA, name_of
from arrayopt.conformance.reports.illustrate import illustrated
from arrayopt.conformance.targets import load, referred
from arrayopt.core.results import write_json
from arrayopt.core.rule import Rule

EXIT = {"conforms": 0, "dialect": 0, "consistent": 0, "differs": 1, "inconsistent": 1, "cannot-run": 2}
COLOURS = {
    "conforms": "green", "dialect": "cyan", "consistent": "green",
    "differs": "red", "inconsistent": "red", "cannot-run": "magenta",
}  # fmt: skip
EXAMPLES = Path(__file__).resolve().parents[2] / "validation" / "candidates"
Job = tuple[Peer, str]
"""What is to be checked, and a note on how its reference was chosen."""


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="module:attribute or path.py:function; without any: all installed peers and the bundled examples.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="The rule to hold it against, such as adamw, or any to try all; by default taken from the name."
        ),
    ] = None,
    programs: Annotated[
        list[str] | None,
        typer.Option("--exec", metavar="COMMAND", help="A program that speaks the protocol of docs/protocol.md."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that each answer of a program may take.")] = 10.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the reports to this file.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write a page with pictures to this file.")] = None,
) -> None:
    """Say of optimizers whether they follow the published rule, in which dialect, and where they first depart.

    The exit code is that of the worst target: 0 conforms, dialect or consistent, 1 differs or inconsistent, 2 cannot
    run.
    """
    named = bool(targets or programs)
    given = [*_given(targets or [], against), *_programs(programs or [], against, timeout)]
    jobs, broken = (given, []) if named else everything()
    if not jobs and not broken:
        print(f"nothing to check: install one of {', '.join(FRAMEWORKS)}, or name a target; see arrayopt check --help")
    reports = [*broken, *run(jobs, pictures=html_file is not None)]
    show(reports, whole=named)
    if json_file is not None:
        write_json(json_file, {"schema": SCHEMA, "reports": [r.to_dict() for r in reports]})
    if html_file is not None:
        from arrayopt.conformance.reports.html import page

        html_file.write_text(page(reports), encoding="utf-8")
    sys.exit(max((EXIT[r.verdict] for r in reports), default=0))


def _given(targets: Sequence[str], against: str | None) -> list[Job]:
    jobs = []
    for target in targets:
        candidate, reference, note = load(target, _rule(against), anything=against == ANY)
        jobs.append((Peer(target, candidate, reference), note))
    return jobs


def _programs(commands: Sequence[str], against: str | None, timeout: float) -> list[Job]:
    jobs = []
    for words in commands:
        candidate = process_candidate(words, timeout=timeout)
        names = {"name": candidate.name, "command": words}
        reference, note = referred(candidate, _rule(against), {} if against == ANY else names)
        jobs.append((Peer(candidate.name, candidate, reference), note))
    return jobs


ANY = "any"
"""What is said with --against for all rules to be tried."""


def _rule(against: str | None) -> Rule | None:
    return None if against in (None, ANY) else rule_named(str(against))()  # type: ignore[call-arg]


def everything() -> tuple[list[Job], list[Report]]:
    """Return what is checked without a target, and a report on each installed framework that cannot be adapted."""
    found, broken = every_peer()
    examples = [(Peer(f.stem, *load(str(f))[:2]), "") for f in sorted(EXAMPLES.glob("[a-z]*.py"))]
    reports = [Report(k, None, "cannot-run", causes=(Cause("cannot-run", why),)) for k, why in broken.items()]
    return [*((peer, "") for peer in found), *examples], reports


def run(jobs: Iterable[Job], pictures: bool = False) -> list[Report]:
    """Check every job, with a progress bar on a terminal, gone when it is done; with `pictures` for a page."""
    jobs = list(jobs)
    reports = []
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("checking", total=len(jobs))
        for peer, note in jobs:
            bar.update(task, description=peer.name)
            report = check(peer.candidate, peer.reference)
            report = illustrated(report, peer.candidate) if pictures else report
            reports.append(report.noted(note, name=peer.name))
            bar.advance(task)
    return reports


def show(reports: Sequence[Report], whole: bool) -> None:
    """Print reports: each whole, or all in one table."""
    if not reports:
        return
    if whole:
        print("\n\n".join(map(str, reports)))
        return
    rows = []
    for r in reports:
        error = "" if r.error is None else f"{r.error:.0e}"
        rows.append((r.candidate, against(r), r.verdict, error, r.summary()))
    table(
        ("optimizer", "rule", "verdict", "error", "what it computes, or where it departs"),
        rows,
        colour=2,
        colours=COLOURS,
    )
    counts = {v: sum(r.verdict == v for r in reports) for v in EXIT}
    print("\n" + ", ".join(f"{n} {v}" for v, n in counts.items() if n))


def against(report: Report) -> str:
    """Return the name of the rule that a report is about; nothing where there is none."""
    return "" if report.reference is None else name_of(report.reference)
