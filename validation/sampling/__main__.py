"""CMA-ES against pycma: `python -m validation.sampling [--part bbob|speed] [--seeds 5]`.

Writes validation/sampling/results.json and docs/sampling.md. Needs the dependency group `sampling`; set
OMP_NUM_THREADS=1. The part that is not run keeps its results.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from validation.sampling import bbob, page, results, speed

RESULTS = Path(__file__).resolve().parent / "results.json"
PAGE = RESULTS.parents[2] / "docs" / "sampling.md"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.sampling", description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=("all", "bbob", "speed"), default="all")
    parser.add_argument("--n", type=int, default=10, help="dimensions of the BBOB functions: 2, 3, 5, 10, 20 or 40")
    parser.add_argument("--budget", type=int, default=10_000, help="evaluations on each problem")
    parser.add_argument("--functions", default="1-24", metavar="A-B")
    parser.add_argument("--instances", type=int, default=2, help="the first so many")
    parser.add_argument("--seeds", type=int, default=5, help="the first so many")
    parser.add_argument("--rounds", type=int, default=31, help="of the timing")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time, for BBOB")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where results are kept")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="where the page goes")
    parser.add_argument("--only-doc", action="store_true", help="run nothing, write the page")
    given = parser.parse_args(arguments)
    found = results.read(given.json)
    if not given.only_doc:
        absent = [name for name in ("cma", "cocoex") if find_spec(name) is None]
        if absent:
            print(f"validation.sampling: needs {' and '.join(absent)}: pip install --group sampling", file=sys.stderr)
            return 1
        about = {**found.about, "releases": results.releases()}
        if given.part != "speed":
            found = dataclasses.replace(found, runs=_runs(given))
            about |= {"n": given.n, "budget": given.budget}
        if given.part != "bbob":
            found = dataclasses.replace(found, cells=tuple(speed.cells(given.rounds)))
            about |= {"rounds": given.rounds}
        found = dataclasses.replace(found, about=about)
        results.write(given.json, found)
    given.page.write_text(page.page(found), encoding="utf-8")
    tables = [page.target_rows(found), page.score_rows(found.runs), page.speed_rows(found)]
    print("\n\n".join(page.plain(rows) for rows in tables if len(rows) > 1))
    return 0


def _runs(given: argparse.Namespace) -> tuple[bbob.Run, ...]:
    first, _, last = given.functions.partition("-")
    functions = range(int(first), int(last or first) + 1)
    with ProcessPoolExecutor(given.jobs, initializer=os.nice, initargs=(10,)) as pool:
        jobs = [
            pool.submit(_block, function, given.instances, given.seeds, given.n, given.budget) for function in functions
        ]
        return tuple(run for job in jobs for run in job.result())


def _block(function: int, instances: int, seeds: int, n: int, budget: int) -> list[bbob.Run]:
    return list(bbob.runs([function], range(1, instances + 1), range(seeds), n, budget))


if __name__ == "__main__":
    sys.exit(main())
