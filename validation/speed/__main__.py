"""Time the steps: `python -m validation.speed [--only CELLS] [--rounds N] [--quick] [--json F] [--png F] [--readme]`.

All alternatives of a cell run in one process in shuffled rounds; what is compared are medians of ratios of the same
round. A full run takes about a quarter of an hour and 12 GiB on two quiet cores. `--only adamw,many/own` takes the
cells whose names begin so; `--quick` takes small arrays and few rounds, to see that everything runs: its times say
nothing.
`--readme` writes the README's table, from this run or with `--from F` from the JSON of an earlier one.
"""

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from validation.speed import matrices, readme, report
from validation.speed.cells import Cell, cells
from validation.speed.memory import memory
from validation.speed.rounds import Samples, measure
from validation.speed.targets import TARGETS, outcome

ROUNDS, SLOW_ROUNDS = 15, 3
QUICK_ROUNDS, QUICK_SCALE = 2, 1e-4
README = Path(__file__).parents[2] / "README.md"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=lambda s: tuple(s.split(",")), default=("",), help="beginnings of names")
    parser.add_argument("--rounds", type=int, help=f"rounds of a cell (default: {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its times say nothing")
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--png", type=Path, help="where to draw the times by size; needs matplotlib")
    parser.add_argument("--readme", action="store_true", help="write the README's table")
    parser.add_argument("--from", dest="earlier", type=Path, help="take the JSON of an earlier run")
    given = parser.parse_args(argv)
    if given.readme and given.quick:
        parser.error("--quick has no times for the README")
    if given.earlier:
        result = json.loads(given.earlier.read_text())
        if result.get("schema") != report.SCHEMA:
            parser.error(f"--from: expected schema {report.SCHEMA}, got {result.get('schema')}")
    else:
        scale = QUICK_SCALE if given.quick else 1.0
        chosen = [c for c in cells(scale) if c.name.startswith(given.only)]
        if not chosen:
            parser.error(f"--only: no cell begins with {' or '.join(given.only)}")
        rounds = given.rounds or (QUICK_ROUNDS if given.quick else ROUNDS)
        result = run(chosen, rounds, scale, memories=given.only == ("",))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    if given.png:
        report.draw(result["cells"], given.png)
    if given.readme:
        readme.write(README, result)
    return 0


def run(chosen: Sequence[Cell], rounds: int, scale: float, memories: bool) -> dict[str, Any]:
    """Measure and print."""
    about = {**report.machine(), "rounds": rounds, "scale": scale}
    blas = {k: v for k, v in os.environ.items() if k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    print(f"{about['cores']} cores, load {about['load_before']}, {about['versions']}, {blas or 'BLAS threads unset'}")
    print(report.header())
    measured: dict[str, Samples] = {}
    missing: dict[str, dict[str, str]] = {}
    for cell in chosen:
        ways = cell.make()
        missing[cell.name] = {way: x for way, x in ways.items() if isinstance(x, str)}
        runs = {way: x for way, x in ways.items() if not isinstance(x, str)}
        measured[cell.name] = measure(runs, min(rounds, SLOW_ROUNDS) if cell.slow else rounds)
        del ways, runs
        gc.collect()
        shown = report.result(about, [cell], measured, missing, [], [], None)["cells"][0]
        print(report.line(shown), flush=True)
    judged = measured if scale == 1.0 else {}  # a smoke run reaches and misses nothing
    outcomes = [outcome(t, judged, missing) for t in TARGETS]
    error = matrices.error_of_msign(scale) if "msign/768x3072" in measured else None
    found = list(memory(scale)) if memories else []
    result = report.result(about, chosen, measured, missing, outcomes, found, error)
    print("", *report.reasons(result["cells"]), "", *report.target_lines(outcomes), sep="\n")
    if error is not None:
        print(f"error of msign/768x3072: {error:.1e} (at most 1e-7 is wanted)")
    if found:
        print("", *report.memory_lines(found), sep="\n")
    if scale != 1.0:
        print("\nThis was a smoke run: none of the times above say anything.")
    return result


if __name__ == "__main__":
    sys.exit(main())
