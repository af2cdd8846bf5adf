"""No false alarms: `python -m validation.false_alarms [--seeds 1000] [--rules adam,lion] [--jobs 2] [--json FILE]`.

Correct implementations of every rule in other orders of operations, in float64, float32 and bfloat16, must pass all
probes of every seed. The exit status is 0 if no alarm was raised.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from validation.false_alarms.precision import PRECISIONS
from validation.false_alarms.runs import BY_NAME, WHOLE, Result, block

SCHEMA = 1
BLOCK = 50
HEAD = (
    f"{'rule':<10} {'precision':<20} {'runs':>6} {'alarms':>6} {'largest |off| / bound':<51} {'undecided':>9} "
    f"{'blind':>7} {'s':>6}"
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.false_alarms", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000, help="seeds for each rule (1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--rules", default="", metavar="NAMES", help="rules with commas between (all)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (2)")
    parser.add_argument("--whole", type=int, default=WHOLE, help=f"seeds with the whole check, each ({WHOLE})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every alarm and the table to this file")
    options = parser.parse_args(arguments)
    known = {name.lower(): name for name in BY_NAME}
    unknown = [n for n in options.rules.lower().split(",") if n and n not in known]
    if unknown:
        parser.error(f"unknown rules {', '.join(unknown)}; there are {', '.join(known)}")
    rules = [known[n] for n in options.rules.lower().split(",") if n] or list(BY_NAME)
    began = time.monotonic()
    print(HEAD, flush=True)
    results: list[Result] = []
    seeds = range(options.first, options.first + options.seeds)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for rule in rules:
            tasks = [(rule, seeds[i : i + BLOCK], options.whole) for i in range(0, len(seeds), BLOCK)]
            own = [r for found in pool.imap(block, tasks) for r in found]
            results += own
            print("\n".join(table(own)), flush=True)
            if options.json:
                options.json.write_text(json.dumps(_data(results, options.seeds), indent=1) + "\n", encoding="utf-8")
    alarmed = [r for r in results if r.alarms]
    for r in alarmed:
        print(f"{r.rule}, {r.order}, {r.precision}, seed {r.seed}:", *r.alarms, sep="\n  ")
    print(f"{len(results)} runs, {len(alarmed)} with alarms, {time.monotonic() - began:.0f} s")
    return 1 if alarmed else 0


def table(results: Sequence[Result]) -> list[str]:
    """Return a line for each rule and precision."""
    return [
        f"{x['rule']:<10} {x['precision']:<20} {x['runs']:6d} {x['alarms']:6d} "
        f"{x['worst']:6.2f} {x['where']:<44} {x['undecided']:9.2%} {x['blind']:7.2%} {x['seconds']:6.0f}"
        for x in rows(results)
    ]


def rows(results: Sequence[Result]) -> list[dict[str, object]]:
    """Return the table as data."""
    found = []
    for rule in dict.fromkeys(r.rule for r in results):
        for precision in PRECISIONS:
            own = [r for r in results if (r.rule, r.precision) == (rule, precision)]
            if own:
                worst = max(own, key=lambda r: r.worst)
                found.append({
                    "rule": rule, "precision": precision, "runs": len(own),
                    "alarms": sum(bool(r.alarms) for r in own), "worst": worst.worst,
                    "where": f"{worst.order}, seed {worst.seed}, {worst.where}",
                    "undecided": sum(r.undecided for r in own) / len(own),
                    "blind": sum(r.blind for r in own) / len(own),
                    "whole": sum(r.whole for r in own), "seconds": sum(r.seconds for r in own),
                })  # fmt: skip
    return found


def _data(results: Sequence[Result], seeds: int) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "seeds": seeds,
        "table": rows(results),
        "alarms": [r.to_dict() for r in results if r.alarms],
    }


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # the matrices are tiny; processes share the cores
        os.environ.setdefault(name, "1")
    sys.exit(main())
