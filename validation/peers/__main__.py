"""The matrix: `python -m validation.peers [--only torch,optax] [--jobs 2] [--json FILE] [--table FILE]`.

Every optimizer of every installed peer is held against the rule that it claims to follow, and every one that a peer
exports is put to the checks that need no rule, in a process for each peer. Writes results.json beside this file and
docs/peers.md. The exit status is 0 if every peer ran to its end and every finding was found again.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from validation.peers import confirming, results, table
from validation.peers.jobs import ROOT, jobs, stamp
from validation.peers.runner import Limits, Progress, Run, run

RESULTS = Path(__file__).resolve().parent / "results.json"
TABLE = ROOT / "docs" / "peers.md"
FOLDER = Path(tempfile.gettempdir()) / "arrayopt-peers"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.peers", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", metavar="PEERS", help="names of packages with commas between; others are kept")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (2)")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where results are written")
    parser.add_argument("--table", type=Path, default=TABLE, metavar="FILE", help="where the table is written")
    parser.add_argument("--seconds", type=float, default=Limits.peer, help="time limit for each peer")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where an interrupted run is kept")
    options = parser.parse_args(arguments)
    chosen = jobs(options.only.split(",") if options.only else None)
    if not chosen:
        print("validation.peers: no peer is installed; see validation/peers/requirements.txt")
        return 1
    folder = options.folder / stamp()
    began = time.monotonic()
    try:
        runs = run(chosen, folder, Limits(peer=options.seconds), options.jobs, _progress())
    except KeyboardInterrupt:
        print(f"\ninterrupted; what was done is kept in {folder}, and the same command goes on from there")
        return 130
    peers = results.merged(runs, results.read(options.json))
    env = {job.name: job.env for job in jobs()}
    confirmed, unconfirmed, stale = confirming.sorted_out(peers, env=env, at_once=options.jobs)
    results.write(options.json, peers, confirmed, unconfirmed)
    options.table.parent.mkdir(parents=True, exist_ok=True)
    options.table.write_text(table.page(json.loads(options.json.read_text(encoding="utf-8"))), encoding="utf-8")
    for one in runs:
        one.file.unlink(missing_ok=True)
        one.log.unlink(missing_ok=True)
    return _told(runs, confirmed, unconfirmed, stale, time.monotonic() - began)


def _told(runs: Sequence[Run], confirmed: list[dict], unconfirmed: list[dict], stale: list[str], seconds: float) -> int:
    """Print what came out; return the exit status."""
    for one in runs:
        failed = sum("failed" in x for x in one.results.values())
        print(f"{one.job.name:<20} {one.seconds:6.0f} s  {len(one.results):4d} results, {failed} without an end"
              + (f"  {one.error}" if one.error else ""))  # fmt: skip
    for f in confirmed:
        print(f"finding: {f['optimizer']} ({f['version']}): {f['what']}")
    for text in stale:
        print(f"not found again: {text}")
    print(f"{len(confirmed)} findings, {len(unconfirmed)} not confirmed, {seconds:.0f} s")
    return 1 if stale or any(one.error for one in runs) else 0


def _progress() -> Progress:
    """Return what shows where every job is: on a terminal in one line, else a line for each tenth of a job."""
    now: dict[str, str] = {}
    tenth: dict[str, int] = {}

    def show(job: str, done: int, every: int, at: str) -> None:
        now[job] = f"{job} {done}/{every}"
        if sys.stderr.isatty():
            print(f"\r{', '.join(now.values())}: {at}"[:118].ljust(119), end="", file=sys.stderr, flush=True)
        elif every and tenth.get(job) != (reached := 10 * done // every):
            tenth[job] = reached
            print(now[job], file=sys.stderr, flush=True)

    return show


if __name__ == "__main__":
    sys.exit(main())
