"""Tables of results, for a terminal and for docs/problems.md."""

import dataclasses
from collections.abc import Mapping, Sequence

from validation.problems.counting import SMALL_GRADIENT
from validation.problems.results import Result
from validation.problems.running import BUDGET, CONVERGED, FALSE, FLOOR, LINE_SEARCH, TIME
from validation.problems.scores import Score, Scores
from validation.problems.solvers import REFERENCE, SOLVERS
from validation.problems.suites import GROUPS, MOST_VARIABLES, THE_LIST, Suite
from validation.problems.targets import LIST, TARGETS

Rows = list[list[str]]
FEW = 4
ENDINGS = (CONVERGED, FLOOR, LINE_SEARCH, FALSE, BUDGET, TIME)
HEAD = """\
# Our solvers and SciPy's on other people's problems

This page is written by `python -m validation.problems`; do not edit it.

The problems are unconstrained ones of S2MPJ (Gratton and Toint), which is CUTEst in Python, in their default sizes.
Every solver has exact gradients, Newton's methods and trust regions have exact Hessians, and all have the same limits:
the tolerance {gtol:g} for the largest component of the gradient, no other tolerance where a solver has another, and
{cap} evaluations. SciPy's Newton-CG has no tolerance for the gradient; its xtol is 1e-12.

An evaluation is one of value and gradient at a new point, counted by a wrapper of our own around the problem.

- `F`: solved. The first evaluation with f <= f_best + {share:g} (f_0 - f_best), where f_best is the least value that
  any solver of the same table found, so that a worse local minimum counts as not solved.
- `G`: the first evaluation at which no component of the gradient is above {small:g} (1 + |f|).
- `best`, `<= 2x`, `<= 5x`: on how many problems F took no more evaluations than with the best solver, twice and five
  times as many.
- `/ {reference}`: the geometric mean of evaluations to F relative to it, where both solve (on how many).
- Then endings. `precision floor`: rounding hides any further decrease, and the solver says so. `line search`: it found
  no step; SciPy's "precision loss" and "ABNORMAL" are that. `false success`: success is said, but the gradient is above
  the tolerance. `time`: of the processor.

In single precision values, gradients and the start are rounded to float32; the tolerance is {single_gtol:g}, with
{single_cap} evaluations and {single_share:g} in place of {share:g}. Logistic regression is computed in float32
altogether, with the tolerance 1e-6. `mt` is the line search of Moré and Thuente, `hz` that of Hager and Zhang, without
either it is the method's own choice.

"The list" are {listed} problems that no solver solves all of; "all" have up to {most} variables.
"""
TARGET_NOTE = """\
Counts and ratios are of solver runs, not of time, so that one run tells. "Line searches that fail" are scaled to 127
problems, the number that the target was stated for.
"""
MISS_NOTE = """\
The value is the least that the solver evaluated, the gradient that at the point it returned.
"""
DIGIT_NOTE = """\
Correct digits of the worst parameter, up to the 11 that are certified. The tolerance for the gradient is 0 here, so
that solvers go on while they can. The certified parameters were held against S2MPJ's functions: the values there agree
with the certified sums of squares, and Newton's step from there is below the digits given (`nist.doubt`). S2MPJ's
ROSZMAN1LS has b3 with the other sign. LANCZOS1LS to LANCZOS3LS, MGH10LS, MGH10SLS and BENNETT5LS are hard: no digits
are asked for.
"""
SCALE_NOTE = """\
On how many problems it is the same run as with the function as it is: as many evaluations, to F too, and the same
ending. With thresholds that know no scale it is, for a power of two.
"""
TAIL = """\
## How to write this page again

    pip install --group problems -e .
    python -m validation.problems                                    # the list
    python -m validation.problems --problems list --starts 10,100
    python -m validation.problems --problems list --scale 60 \\
        --solvers 'lbfgs,*hz,bfgs,cg*,newton,newton gmw,trust_region,scipy*'
    python -m validation.problems --problems all --solvers 'lbfgs hz,bfgs hz'
    python -m validation.problems --problems outside \\
        --solvers 'scipy l-*,scipy b*,scipy cg,lbfgs,lbfgs hz,bfgs,cg pr+,newton,trust_region'
    python -m validation.problems --problems sample --precision float32
    python -m validation.problems --problems logistic
    python -m validation.problems --problems logistic --precision float32
    python -m validation.problems --problems nist --starts 1,2 --solvers 'scipy*,lbfgs,bfgs,newton*,trust*' --doc

Each writes its part of `validation/problems/results.json`, of which this page is a view.
"""


def solver_rows(scores: Scores, solvers: Sequence[str]) -> Rows:
    """Return a row for each solver, after a header."""
    head = ["solver", f"F of {len(scores.sizes)}", "G", "best", "<= 2x", "<= 5x", f"/ {REFERENCE}", *ENDINGS, "other"]
    rows = [head]
    for solver in solvers:
        mine = scores.of(solver)
        if not mine:
            continue
        ratio, endings = scores.ratio(solver, REFERENCE), scores.endings(solver)
        other = {k: n for k, n in endings.items() if k not in ENDINGS}
        rows.append([
            solver,
            *(str(sum(getattr(x, what) is not None for x in mine)) for what in ("solved", "small")),
            *(str(scores.near_best(solver, factor, solvers)) for factor in (1.0, 2.0, 5.0)),
            "" if ratio is None else f"{ratio[0]:.2f} ({ratio[1]})",
            *(str(endings[name]) for name in ENDINGS),
            ", ".join(f"{n} {name}" for name, n in sorted(other.items())),
        ])  # fmt: skip
    return rows


def digit_rows(scores: Scores, solvers: Sequence[str]) -> Rows:
    """Return a row of correct digits for each problem, after a header."""
    there = [s for s in solvers if scores.of(s)]
    rows = [["problem", *there]]
    for problem in scores.sizes:
        mine = [scores.runs.get((problem, s)) for s in there]
        rows.append([problem, *("" if x is None or x.digits is None else f"{x.digits:.1f}" for x in mine)])
    return rows


def target_rows(results: Mapping[str, Result]) -> Rows:
    """Return a row for each target, after a header."""
    rows = [["what", "where", "wanted", "measured", "outcome"]]
    for target in TARGETS:
        value, status = target.outcome(results)
        shown = "" if value is None else f"{value:.3g}"
        rows.append([target.what, target.suite.key, f"{target.sense} {target.bound:g}", shown, status])
    return rows


def misses(scores: Scores, solvers: Sequence[str]) -> list[str]:
    """Return a line for each problem that a solver does not solve, with who does."""
    lines = []
    for solver in solvers:
        mine = [x for x in scores.of(solver) if x.solved is None]
        lines.append(f"{solver}: {len(mine)} not solved")
        lines += [f"  {_missed(x)}; solved by {_solvers_of(scores, x.problem)}" for x in mine]
    return lines


def _missed(x: Score) -> str:
    return (f"{x.problem}: {x.ending} after {x.evaluations}, f {x.f:.9g} (best {x.best:.9g}), |g| {x.gmax:.1e}"
            + (f" [{x.said[:90]}]" if x.ending not in (BUDGET, TIME) else ""))  # fmt: skip


def _solvers_of(scores: Scores, problem: str) -> str:
    solved = sorted((x.solved, s) for (p, s), x in scores.runs.items() if p == problem and x.solved is not None)
    first = ", ".join(f"{s} {k}" for k, s in solved[:FEW])
    return f"{first}{f' and {len(solved) - FEW} more' if len(solved) > FEW else ''}" or "nobody"


def plain(rows: Rows) -> str:
    """Return a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def markdown(rows: Rows) -> str:
    """Return a table in Markdown."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(x.replace("|", "\\|") for x in row) + " |" for row in lines) + "\n"


def page(results: Mapping[str, Result]) -> str:
    """Return docs/problems.md."""
    parts = [HEAD.format(**_numbers()), "## Targets\n", TARGET_NOTE, markdown(target_rows(results))]
    if LIST.key in results:
        parts += ["## What our methods miss in the list\n", MISS_NOTE, markdown(_miss_rows(results[LIST.key]))]
    every = sorted(results.values(), key=_order)
    for r in every:
        parts += [f"## {_title(r.suite)}\n", _about(r), markdown(solver_rows(r.scores, r.solvers))]
        if r.suite.problems == "logistic":
            parts += [f"Evaluations until no component of the gradient was above {r.suite.limits.gtol:g}:\n",
                      markdown(_logistic_rows(r))]  # fmt: skip
        plain_one = results.get(dataclasses.replace(r.suite, scale=0).key)
        if r.suite.scale and plain_one is not None:
            parts += [SCALE_NOTE, markdown(_same_rows(r, plain_one))]
        if r.suite.problems == "nist":
            parts += [DIGIT_NOTE, markdown(digit_rows(r.scores, r.solvers))]
    absent = _absent_rows(every)
    if len(absent) > 1:
        parts += ["## Problems that are left out\n", markdown(absent)]
    return "\n".join([*parts, TAIL])


def _numbers() -> dict[str, object]:
    double, single = Suite().limits, Suite(precision="float32").limits
    return {
        "listed": len(THE_LIST), "most": MOST_VARIABLES, "small": SMALL_GRADIENT, "reference": REFERENCE,
        "gtol": double.gtol, "cap": double.cap, "share": double.share,
        "single_gtol": single.gtol, "single_cap": single.cap, "single_share": single.share,
    }  # fmt: skip


def _order(result: Result) -> tuple[int, str, float, int]:
    suite = result.suite
    group = GROUPS.index(suite.problems) if suite.problems in GROUPS else len(GROUPS)
    return group, suite.precision != "float64", suite.start, suite.scale


def _title(suite: Suite) -> str:
    names = {
        "list": "The list", "outside": "Outside the list", "all": "All problems", "sample": "The sample",
        "logistic": "Logistic regression", "nist": "NIST's problems",
    }  # fmt: skip
    title = names.get(suite.problems, suite.problems)
    if suite.problems == "nist":
        title += f" from start {suite.start:g}"
    elif suite.start != 1.0:
        title += f" from {suite.start:g} x0"
    if suite.scale:
        title += f", times 2^{suite.scale}"
    return title + (", float32" if suite.precision == "float32" else "")


def _about(result: Result) -> str:
    about, sizes = result.about, result.scores.sizes
    releases = f"SciPy {about['scipy']}, NumPy {about['numpy']}, {about['problems'] or 'no S2MPJ'}"
    return (f"{len(sizes)} problems of {min(sizes.values())} to {max(sizes.values())} variables; {releases}; at most "
            f"{about['seconds']:g} seconds of processor time a run.\n")  # fmt: skip


def _miss_rows(result: Result) -> Rows:
    rows = [["solver", "problem", "ending", "evaluations", "f", "best f", "|g|"]]
    for solver in result.solvers:
        if not SOLVERS[solver].ours:
            continue
        rows += [
            [solver, x.problem, x.ending, str(x.evaluations), f"{x.f:.6g}", f"{x.best:.6g}", f"{x.gmax:.1e}"]
            for x in result.scores.of(solver)
            if x.solved is None
        ]
    return rows


def _logistic_rows(result: Result) -> Rows:
    there = [s for s in result.solvers if result.scores.of(s)]
    rows = [["solver", *result.scores.sizes]]
    for solver in there:
        mine = [result.scores.runs.get((problem, solver)) for problem in result.scores.sizes]
        rows.append([solver, *("" if x is None else str(x.within or f"{x.ending} at {x.gmax:.0e}") for x in mine)])
    return rows


def _same_rows(scaled: Result, other: Result) -> Rows:
    rows = [["solver", "problems", "the same run", "others"]]
    for solver in scaled.solvers:
        both = [(x, y) for x in scaled.scores.of(solver) if (y := other.scores.runs.get((x.problem, solver)))]
        differ = [
            x.problem for x, y in both if (x.evaluations, x.solved, x.ending) != (y.evaluations, y.solved, y.ending)
        ]
        if both:
            rows.append([solver, str(len(both)), str(len(both) - len(differ)), ", ".join(differ[:FEW])])
    return rows


def _absent_rows(results: Sequence[Result]) -> Rows:
    found: dict[tuple[str, str], list[str]] = {}
    for r in results:
        for problem, reason in r.scores.absent.items():
            found.setdefault((problem, reason), []).append(_title(r.suite))
    return [["problem", "why", "where"], *([p, why, ", ".join(w)] for (p, why), w in sorted(found.items()))]
