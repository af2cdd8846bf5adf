"""Our solvers and SciPy's on the problems of S2MPJ: `python -m validation.problems [--problems list] [--starts 1,10]`.

Every solver runs on every problem with the same limits, and a wrapper of our own counts evaluations. Every run is kept
when it has ended, so that an interrupted command goes on where it was; SciPy's are made again only when SciPy or this
harness has changed. The results of a suite replace those of the same suite in the JSON, and `--doc` writes
docs/problems.md from it. Needs the dependency group `problems`.
"""

import argparse
import fnmatch
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from validation.problems import page, results, runner, s2mpj, scores
from validation.problems.solvers import SOLVERS, missing
from validation.problems.suites import GROUPS, Suite

RESULTS = Path(__file__).resolve().parent / "results.json"
PAGE = runner.ROOT / "docs" / "problems.md"
FOLDER = Path(tempfile.gettempdir()) / "arrayopt-problems"
SECONDS = 8.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.problems", description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", default="list", help=f"{', '.join(GROUPS)}, or names with commas between")
    parser.add_argument("--starts", default="1", help="factors of the start, with commas between (NIST: 1, 2)")
    parser.add_argument("--scale", type=int, default=0, metavar="K", help="multiply functions and gtol by 2**K")
    parser.add_argument("--precision", choices=("float64", "float32"), default="float64")
    parser.add_argument("--solvers", default="*", help="names or patterns with commas between, such as 'scipy*,lbfgs'")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (2)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="processor time of a run")
    parser.add_argument("--minutes", type=float, default=60.0, help="after these no run is begun; call again")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where results are kept")
    parser.add_argument("--doc", action="store_true", help="write docs/problems.md from them")
    parser.add_argument("--only-doc", action="store_true", help="run nothing")
    parser.add_argument("--misses", action="store_true", help="print every problem that one of our solvers misses")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where runs are kept")
    given = parser.parse_args(arguments)
    if not given.only_doc:
        status = _run(given, parser)
        if status:
            return status
    if given.doc or given.only_doc:
        PAGE.write_text(page.page(results.read(given.json)), encoding="utf-8")
    return 0


def _run(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    try:
        chosen = _chosen(given.solvers)
        suites = [Suite(given.problems, start, given.scale, given.precision) for start in _numbers(given.starts)]
    except ValueError as error:
        parser.error(str(error))
    if given.problems != "logistic" and s2mpj.folder() is None:
        print(f"validation.problems: {s2mpj.WANTED}", file=sys.stderr)
        return 1
    for name in [name for name in chosen if missing(SOLVERS[name])]:
        print(f"{name}: not run, {missing(SOLVERS[name])}")
        chosen.remove(name)
    kept = runner.Kept(given.folder, given.seconds)
    for suite in suites:
        try:
            whole = runner.run(suite, chosen, kept, given.jobs, given.minutes, _progress)
        except KeyboardInterrupt:
            print(f"\ninterrupted; what was done is kept in {given.folder}, and the same command goes on from there")
            return 130
        found = scores.scored(kept.of(suite, chosen), suite.limits.share)
        print(f"\n{suite.key}" + ("" if whole else ": NOT FINISHED, the same command goes on"))
        print(page.plain(page.solver_rows(found, chosen)))
        if suite.problems == "nist":
            print(page.plain(page.digit_rows(found, chosen)))
        if given.misses:
            print("\n".join(page.misses(found, [s for s in chosen if SOLVERS[s].ours])))
        if not whole:
            return 3
        results.merge(given.json, suite, found, chosen, given.seconds)
    print()
    print(page.plain(page.target_rows(results.read(given.json))))
    return 0


def _chosen(patterns: str) -> list[str]:
    wanted = patterns.split(",")
    for pattern in wanted:
        if not fnmatch.filter(SOLVERS, pattern):
            raise ValueError(f"--solvers: no solver is {pattern!r}; there are {', '.join(SOLVERS)}")
    return [s for s in SOLVERS if any(fnmatch.fnmatchcase(s, pattern) for pattern in wanted)]


def _numbers(text: str) -> list[float]:
    return [float(x) for x in text.split(",")]


def _progress(done: int, every: int) -> None:
    print(f"\r{done}/{every} runs", end="", file=sys.stderr, flush=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # the processes that it started are to end with it
    sys.exit(main())
