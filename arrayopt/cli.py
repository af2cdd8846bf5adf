"""The command line: `arrayopt check`, `explain` and `list`."""

import inspect
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from arrayopt.conformance import Cause, Report, check
from arrayopt.conformance.adapters import FRAMEWORKS, Peer, every_peer
from arrayopt.conformance.report import SCHEMA
from arrayopt.conformance.targets import load
from arrayopt.core import options
from arrayopt.core.results import write_json
from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.errors import ArrayOptError, OptionError
from arrayopt.firstorder import RULES
from arrayopt.readers.cost import cost
from arrayopt.readers.formula import LEAF, formula, host_numbers, latex

app = typer.Typer(
    name="arrayopt",
    help="The executable reference for optimisation: check optimizers, explain rules.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
EXIT = {"conforms": 0, "dialect": 0, "differs": 1, "cannot-run": 2}
COLOURS = {"conforms": "green", "dialect": "cyan", "differs": "red", "cannot-run": "magenta"}
EXAMPLES = Path(__file__).resolve().parents[1] / "validation" / "candidates"


def main() -> None:
    """Run the command line; errors that arrayopt raises on purpose are one line, exit code 2."""
    try:
        app()
    except ArrayOptError as error:
        Console(stderr=True).print(f"[red]arrayopt:[/red] {error}", highlight=False)
        sys.exit(2)


def _print_version(wanted: bool) -> None:
    if wanted:
        import arrayopt

        print(arrayopt.__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("check")
def check_command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="module:attribute or path.py:function; without any: all installed peers and the bundled examples.",
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="The rule to hold it against, such as adamw; by default taken from the name.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the reports to this file.")] = None,
) -> None:
    """Say of optimizers whether they follow the published rule, in which dialect, and where they first depart.

    The exit code is that of the worst target: 0 conforms or dialect, 1 differs, 2 cannot run.
    """
    jobs, broken = (_given(targets, against), []) if targets else everything()
    if not jobs and not broken:
        print(f"nothing to check: install one of {', '.join(FRAMEWORKS)}, or name a target; see arrayopt check --help")
    reports = [*broken, *run(jobs)]
    show(reports, whole=bool(targets))
    if json_file is not None:
        write_json(json_file, {"schema": SCHEMA, "reports": [r.to_dict() for r in reports]})
    sys.exit(max((EXIT[r.verdict] for r in reports), default=0))


@app.command("explain")
def explain(
    rule: Annotated[str, typer.Argument(help="A rule, such as adamw.")],
    as_latex: Annotated[bool, typer.Option("--latex", help="Print the update in LaTeX and nothing else.")] = False,
) -> None:
    """Print a rule: its update, hyper-parameters, dialects and who speaks them, state and cost."""
    cls = rule_named(rule)
    if as_latex:
        print(latex(cls()))  # type: ignore[call-arg]
        return
    print(explanation(cls))


@app.command("list")
def list_command() -> None:
    """List the rules: slots per parameter, bytes moved per float32 element, presets."""
    rows = []
    for cls in RULES:
        c = cost(cls())  # type: ignore[call-arg]
        rows.append(
            (cls.__name__.lower(), f"{c.slots:.3g}", f"{c.bytes(4):.3g}", ", ".join(cls.presets), _sentence(cls))
        )
    table(("rule", "slots", "bytes", "presets", "what"), rows)


def rule_named(name: str) -> type[Rule]:
    """Return the rule class of a name, whatever its case."""
    for cls in RULES:
        if cls.__name__.lower() == name.lower():
            return cls
    raise OptionError(f"no rule {name!r}; the rules are {', '.join(c.__name__.lower() for c in RULES)}")


def explanation(cls: type[Rule]) -> str:
    """Return what `explain` prints."""
    rule = cls()  # type: ignore[call-arg]
    c = cost(rule)
    equations = formula(rule)
    lines = [f"{cls.__name__}: {_sentence(cls)}", "", *(f"    {e.plain()}" for e in equations), ""]
    steps = {t: host_numbers(rule, equations, t) for t in (1, 10, 1000)}
    if steps[1]:
        lines.append(f"computed once a step, in float64, here for a leaf of {' x '.join(map(str, LEAF.shape))}")
        for k in steps[1]:
            lines.append(f"    {k:<16} {', '.join(f'{h[k]:.6g} at t = {t}' for t, h in steps.items())}")
        lines.append("")
    lines.append("hyper-parameters")
    for name, interval in options.numbers(cls).items():
        high = "inf" if interval.high == float("inf") else f"{interval.high:g}"
        lines.append(f"    {name:<16} {getattr(rule, name)!r:<10} in [{interval.low:g}, {high})")
    lines += ["", "dialects (the first is the default)"]
    for name, values in options.dialects(cls).items():
        default = getattr(rule, name)
        shown = [f"{v} ({', '.join(who)})" if (who := _speakers(cls, name, v)) else str(v)
                 for v in (default, *(v for v in values if v != default))]  # fmt: skip
        lines.append(f"    {name:<16} {', '.join(shown)}")
    lines += ["", "presets", *(f"    {k:<18}{p.source}" for k, p in cls.presets.items()), ""]
    starts = rule.slots(Leaf("w", (64, 64), "float32"))
    lines.append(f"state             {', '.join(starts) or 'none'}: {c.slots:.3g} numbers per parameter")
    helpers = f" besides {', '.join(c.opaque)}" if c.opaque else ""
    lines.append(f"cost per element  {c.bytes(4):.3g} bytes in float32, {c.flops:.3g} operations{helpers}")
    return "\n".join(lines)


def _sentence(cls: type) -> str:
    first = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")
    return first.removeprefix(f"{cls.__name__}: ")


def _speakers(cls: type[Rule], name: str, value: object) -> list[str]:
    return [k for k, p in cls.presets.items() if p.fields.get(name, getattr(cls(), name)) == value]  # type: ignore[call-arg]


# What `check` runs and shows ------------------------------------------------------------------


def _given(targets: Sequence[str], against: str | None) -> list[tuple[Peer, str]]:
    jobs = []
    for target in targets:
        candidate, reference, note = load(target, None if against is None else rule_named(against)())  # type: ignore[call-arg]
        jobs.append((Peer(target, candidate, reference), note))
    return jobs


def everything() -> tuple[list[tuple[Peer, str]], list[Report]]:
    """Return what is checked without a target, and a report on each installed framework that cannot be adapted."""
    found, broken = every_peer()
    examples = [(Peer(f.stem, *load(str(f))[:2]), "") for f in sorted(EXAMPLES.glob("[a-z]*.py"))]
    reports = [Report(k, None, "cannot-run", causes=(Cause("cannot-run", why),)) for k, why in broken.items()]
    return [*((peer, "") for peer in found), *examples], reports


def run(jobs: Iterable[tuple[Peer, str]]) -> list[Report]:
    """Check every job, with a progress bar on a terminal, gone when it is done."""
    jobs = list(jobs)
    reports = []
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("checking", total=len(jobs))
        for peer, note in jobs:
            bar.update(task, description=peer.name)
            reports.append(check(peer.candidate, peer.reference).noted(note, name=peer.name))
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
        rows.append((r.candidate, type(r.reference).__name__ if r.reference else "", r.verdict, error, r.summary()))
    table(("optimizer", "rule", "verdict", "error", "what it computes, or where it departs"), rows, colour=2)
    counts = {v: sum(r.verdict == v for r in reports) for v in EXIT}
    print("\n" + ", ".join(f"{n} {v}" for v, n in counts.items() if n))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], colour: int | None = None) -> None:
    """Print a table: coloured and folded on a terminal, aligned plain text otherwise."""
    console = Console()
    if not console.is_terminal:
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            print("  ".join(f"{x:<{w}}" for x, w in zip(row, widths, strict=True)).rstrip())
        return
    shown = Table(*header, box=None, pad_edge=False)
    for row in rows:
        style = COLOURS.get(row[colour], "") if colour is not None else ""
        shown.add_row(*(f"[{style}]{x}[/{style}]" if style and i == colour else x for i, x in enumerate(row)))
    console.print(shown)
