"""Tables of results, for a terminal and for docs/sampling.md."""

from collections.abc import Sequence

from validation.sampling.bbob import SOLVERS, Run, score
from validation.sampling.results import Results

Rows = list[list[str]]
HEAD = """\
# CMA-ES against pycma

This page is written by `python -m validation.sampling`; do not edit it. Compared: {about}.

## Targets
"""
BBOB = """\
## The BBOB functions

24 functions in {n} dimensions, instances {instances}, with the seeds {seeds}: {problems} problems a seed. A problem is
solved when f is within 1e-8 of the optimum after at most {budget} evaluations. Both solvers start at the same point, a
uniform one in [-4, 4], with sigma = 2, the default population, an active update and restarts there with twice the
population; each ends its runs by its own conditions. A counter of our own counts. "/ pycma" is the geometric mean of
evaluations over pycma's, where both solve (on how many), plus or minus its standard error. "ours" has the constants of
the tutorial's edition of 2016, the default of `CMAES`; pycma has a numerator of the edition of 2023.
"""
EACH = """\
How many of the {runs} runs on a function each solves; functions that nobody solves are left out.
"""
SPEED = """\
## The time of ask and tell

On an ellipsoid, one core, without the objective and without tests for an end. Both decompose C as often, with
`lazy = 5` it is as seldom as in pycma's `purecma`. "faster": the median of {rounds} rounds in turns.
"""
TAIL = """\
## How to write this page again

    pip install --group sampling -e .
    OMP_NUM_THREADS=1 python -m validation.sampling

It writes `validation/sampling/results.json`, of which this page is a view.
"""


def target_rows(results: Results) -> Rows:
    """Return a row for each target, after a header."""
    rows = [["what", "wanted", "measured", "outcome"]]
    if results.runs:
        mine, seeds = score(results.runs, "ours"), len({r.seed for r in results.runs})
        problems = mine["runs"] / seeds
        rows.append(
            _row(f"BBOB: solved, of {problems:g}, mean of the seeds", mine["solved"] / seeds, ">=", 22 / 48 * problems)
        )
        if mine["ratio"] is not None:
            rows.append(_row("BBOB: evaluations / pycma", mine["ratio"], "<=", 1.1))
    for cell in results.cells:
        if cell.way == "ours":
            rows.append(_row(f"ask and tell, n = {cell.n}: times as fast as pycma", cell.faster, ">=", 2.0))
    return rows


def _row(what: str, value: float, sense: str, bound: float) -> list[str]:
    held = value >= bound if sense == ">=" else value <= bound
    return [what, f"{sense} {bound:g}", f"{value:.3g}", "reached" if held else "missed"]


def score_rows(runs: Sequence[Run]) -> Rows:
    """Return a row for each solver, after a header."""
    seeds = sorted({r.seed for r in runs})
    rows = [["solver", "solved", *(f"seed {s}" for s in seeds), "/ pycma", "seconds"]]
    for solver in (s for s in SOLVERS if any(r.solver == s for r in runs)):
        x = score(runs, solver)
        each = [sum(r.solved is not None for r in runs if (r.solver, r.seed) == (solver, s)) for s in seeds]
        ratio = "" if x["ratio"] is None else f"{x['ratio']:.3f} ({x['both']})"
        ratio += "" if x["error"] is None or solver == "pycma" else f" ± {x['error']:.3f}"
        rows.append([solver, f"{x['solved']} of {x['runs']}", *map(str, each), ratio, f"{x['seconds']:g}"])
    return rows


def function_rows(runs: Sequence[Run]) -> Rows:
    """Return a row for each function that somebody solves, after a header."""
    solvers = [s for s in SOLVERS if any(r.solver == s for r in runs)]
    rows = [["function", *solvers]]
    for function in sorted({r.function for r in runs}):
        counts = [sum(r.solved is not None for r in runs if (r.solver, r.function) == (s, function)) for s in solvers]
        if any(counts):
            rows.append([f"f{function}", *map(str, counts)])
    return rows


def speed_rows(results: Results) -> Rows:
    """Return a row for each dimension, after a header."""
    ways = list(dict.fromkeys(c.way for c in results.cells))
    head = ["n", *(f"{way}, µs" for way in ways), *(f"{way}: faster" for way in ways if way != "pycma")]
    rows = [head]
    for n in dict.fromkeys(c.n for c in results.cells):
        by = {c.way: c for c in results.cells if c.n == n}
        rows.append(
            [str(n), *(f"{by[w].microseconds:g}" for w in ways), *(f"{by[w].faster:.2f}" for w in ways if w != "pycma")]
        )
    return rows


def plain(rows: Rows) -> str:
    """Return a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def markdown(rows: Rows) -> str:
    """Return a table in Markdown."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines) + "\n"


def page(results: Results) -> str:
    """Return docs/sampling.md."""
    about = dict(results.about)
    releases = ", ".join(f"{name} {release}" for name, release in about.get("releases", {}).items())
    parts = [HEAD.format(about=releases), markdown(target_rows(results))]
    if results.runs:
        seeds, instances = ({getattr(r, name) for r in results.runs} for name in ("seed", "instance"))
        mine = [r for r in results.runs if r.solver == "ours"]
        shown = BBOB.format(
            n=about["n"], budget=about["budget"], problems=len(mine) // len(seeds),
            instances=", ".join(map(str, sorted(instances))), seeds=", ".join(map(str, sorted(seeds))),
        )  # fmt: skip
        per = len(instances) * len(seeds)
        parts += [
            shown,
            markdown(score_rows(results.runs)),
            EACH.format(runs=per),
            markdown(function_rows(results.runs)),
        ]
    if results.cells:
        parts += [SPEED.format(rounds=about["rounds"]), markdown(speed_rows(results))]
    return "\n".join([*parts, TAIL])
