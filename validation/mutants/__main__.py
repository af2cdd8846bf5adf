"""How well mutants are named: `python -m validation.mutants [--more] [--only NAMES] [--jobs 2] [--json FILE]`.

Every mutant is checked as a user would check it, and what the report says is judged on fresh gradients. The table of
misses comes last. The exit status is 0 if every mutant was caught, no correct one raised an alarm, and at least 95 % of
those that a rule can name were named.
"""

import argparse
import collections
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import arrayopt
from arrayopt.conformance import check
from arrayopt.conformance.mutants import KINDS, MUST_BE_NAMED, MUTANTS, Judgement, Mutant, judge
from validation.mutants.more import MORE

SCHEMA = 1
ENOUGH = 0.95
SAID = 150
"""How much is printed of what a report says in the table of all; the table of misses has the whole."""
EVERY = {m.name: m for m in (*MUTANTS, *MORE)}


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: a line of the table."""

    name: str
    family: str
    kind: str
    verdict: str
    caught: bool
    named: bool
    error: float | None
    tolerance: float | None
    seconds: float
    said: str
    why: str


def outcome(name: str) -> Outcome:
    mutant, began = EVERY[name], time.perf_counter()
    try:
        report = check(mutant.candidate(), mutant.reference)
    except Exception as error:  # a fault of the kit, which the table must show and not end at
        verdict, said = "crashed", f"{type(error).__name__}: {error}"
        found = Judgement(False, False, why="check raised it")
    else:
        verdict, said, found = report.verdict, report.summary(), judge(mutant, report)
    return Outcome(name, mutant.family, mutant.kind, verdict, found.caught, found.named, found.error, found.tolerance,
                   time.perf_counter() - began, said, found.why)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--more", action="store_true", help="also those that no test runs")
    parser.add_argument("--only", metavar="NAMES", help="names with commas between")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results")
    options = parser.parse_args(arguments)
    chosen = _chosen(options.only.split(",") if options.only else None, options.more)
    began, outcomes = time.perf_counter(), []
    for one in _outcomes([m.name for m in chosen], options.jobs):
        outcomes.append(one)
        print(_line(one), flush=True)
    _counts(outcomes)
    _misses(outcomes)
    print(f"{time.perf_counter() - began:.0f} s")
    if options.json:
        results = {"schema": SCHEMA, "arrayopt": arrayopt.__version__, "results": [asdict(one) for one in outcomes]}
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    needed = [one for one in outcomes if one.kind in MUST_BE_NAMED]
    enough = sum(one.named for one in needed) >= ENOUGH * len(needed)
    return 0 if enough and all(one.caught for one in outcomes) else 1


def _outcomes(names: Sequence[str], jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from map(outcome, names)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(outcome, names)


def _chosen(names: Sequence[str] | None, more: bool) -> list[Mutant]:
    if names is None:
        return [*MUTANTS, *(MORE if more else ())]
    unknown = [name for name in names if name not in EVERY]
    if unknown:
        sys.exit(f"validation.mutants: no mutant is called {', '.join(unknown)}")
    return [EVERY[name] for name in names]


def _line(one: Outcome) -> str:
    said = one.said if len(one.said) <= SAID else one.said[:SAID] + " ..."
    off = "" if one.error is None else f"{one.error:.0e} of {one.tolerance:.0e}"
    return (f"{one.name:<32} {one.family:<14} {one.kind:<9} {one.verdict:<8} {'named' if one.named else 'MISSED':<6} "
            f"{off:<15} {one.seconds:5.1f} s  {said}")  # fmt: skip


def _counts(outcomes: Sequence[Outcome]) -> None:
    """Print how many were caught and named, by family and by kind."""
    for title, key in (("family", lambda one: one.family), ("kind", lambda one: one.kind)):
        print(f"\n{title:<16} mutants  caught  named")
        groups = collections.defaultdict(list)
        for one in outcomes:
            groups[key(one)].append(one)
        for name, group in groups.items():
            print(f"{name:<16} {len(group):7} {sum(o.caught for o in group):7} {sum(o.named for o in group):6}")
    print("\nOf the kind other, named means that no wrong rule was; of the kind correct, that there was no alarm.")
    needed = [one for one in outcomes if one.kind in MUST_BE_NAMED]
    if needed:
        named = sum(one.named for one in needed)
        print(f"{named} of {len(needed)} that a rule can name were named: {named / len(needed):.1%}")


def _misses(outcomes: Sequence[Outcome]) -> None:
    """Print everything that was not caught or not named, and why."""
    missed = [one for one in outcomes if not (one.caught and one.named)]
    print(f"\n{len(missed)} misses" + (":" if missed else ""))
    for one in missed:
        print(
            f"{one.name} ({KINDS[one.kind].rstrip('.').lower()}: {EVERY[one.name].what})\n    {one.why}\n    {one.said}"
        )


if __name__ == "__main__":
    sys.exit(main())
