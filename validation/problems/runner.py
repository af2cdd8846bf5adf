"""The parent: problems in blocks, a process for each, every run kept as soon as it has ended."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validation.problems import s2mpj
from validation.problems.running import KILLED
from validation.problems.solvers import SOLVERS
from validation.problems.suites import Suite

ROOT = Path(__file__).resolve().parents[2]
BLOCK = 4
"""Problems of a process: few enough to share among jobs, and enough to pay for its imports."""
POLL = 0.1
GRACE = 40.0
"""Times the seconds of a run after which its process is ended, should the counter not have ended it before: it
evaluates nothing. On an overloaded machine a second of processor time takes long."""
HARNESS = ("counting", "problem", "running", "s2mpj", "worker")
OURS = ("core", "problems", "secondorder", "solve")
LATE = 30.0
"""Seconds for runs that are under way when the time of all is over."""
Row = dict[str, Any]


@dataclass
class Kept:
    """The runs of a folder.

    A file of the folder holds what one solver did under the same conditions, with the same code: that of this package
    for its own solvers, SciPy's release for the others. So a run that was interrupted goes on, and after a change of
    this package SciPy's runs are not made again.
    """

    folder: Path
    seconds: float
    rows: dict[Path, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stamps = {ours: stamp(ours) for ours in (True, False)}

    def file(self, suite: Suite, solver: str) -> Path:
        """Return the file of a solver under some conditions; without a solver, of the problems that cannot be had."""
        limits = suite.limits
        special = suite.problems if suite.problems in ("nist", "logistic") else "s2mpj"
        said = (special, suite.start, suite.scale, suite.precision, limits.gtol, limits.cap, self.seconds)
        who = (SOLVERS[solver], self._stamps[SOLVERS[solver].ours]) if solver else ("", self._stamps[False])
        return self.folder / f"{hashlib.sha256(repr((said, who)).encode()).hexdigest()[:16]}.jsonl"

    def read(self, file: Path) -> list[Row]:
        """Return the rows of a file, read once."""
        if file not in self.rows:
            self.rows[file] = read(file)
        return self.rows[file]

    def add(self, file: Path, row: Row) -> None:
        """Add a row to a file."""
        self.read(file).append(row)
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")

    def of(self, suite: Suite, solvers: Sequence[str]) -> list[Row]:
        """Return the rows of a suite: of its problems and these solvers."""
        names = set(suite.names())
        rows = (row for solver in ("", *solvers) for row in self.read(self.file(suite, solver)))
        found = {(row["problem"], row.get("solver", "")): row for row in rows if row["problem"] in names}
        return list(found.values())


@dataclass
class Block:
    """A process on its way."""

    suite: Suite
    problems: dict[str, list[str]]
    file: Path
    process: subprocess.Popen[bytes]

    @property
    def at(self) -> Row | None:
        """The run that it is at."""
        last = next(reversed(read(self.file)), None)
        return last if last is not None and last["kind"] == "start" else None


def run(
    suite: Suite, solvers: Sequence[str], kept: Kept, jobs: int = 2, minutes: float = 60.0,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> bool:  # fmt: skip
    """Make the runs of a suite that are not kept yet; tell whether there was time for all of them."""
    kept.folder.mkdir(parents=True, exist_ok=True)
    for old in kept.folder.glob("block-*.jsonl"):  # of a run that was interrupted
        _keep(old, kept)
    waiting = list(_blocks(_left(suite, solvers, kept)))
    every, done = sum(len(s) for b in waiting for s in b.values()), 0
    running: list[Block] = []
    end = time.monotonic() + 60 * minutes
    try:
        while running or waiting:
            while waiting and len(running) < jobs and time.monotonic() < end:
                running.append(_start(suite, waiting.pop(0), kept))
            if not running or time.monotonic() > end + LATE:
                break
            time.sleep(POLL)
            for block in list(running):
                if block.process.poll() is None and not _stuck(block, kept.seconds):
                    continue
                running.remove(block)
                _end(block, failed=True)
                rest = _rest(block)
                done += sum(map(len, block.problems.values())) - sum(map(len, rest.values()))
                _keep(block.file, kept)
                progress(done, every)
                if rest:
                    waiting.insert(0, rest)
    finally:
        for block in running:
            _end(block, failed=False)
            _keep(block.file, kept)
    return not waiting and not running


def stamp(ours: bool) -> str:
    """Return a digest of the code that runs depend on, and of releases."""
    import numpy
    import scipy

    here = [Path(__file__).with_name(f"{name}.py") for name in HARNESS]
    package = [f for name in OURS for f in sorted((ROOT / "arrayopt" / name).rglob("*.py"))] if ours else []
    package += [ROOT / "arrayopt" / "backend.py"] if ours else []
    digest = hashlib.sha256(f"{numpy.__version__} {scipy.__version__}".encode())
    if s2mpj.folder() is not None:
        digest.update(s2mpj.release().encode())
    for path in (*here, *package):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read(file: Path) -> list[Row]:
    """Return the lines of a file; one that was cut off is left out."""
    lines = []
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                lines.append(json.loads(line))
    return lines


def _left(suite: Suite, solvers: Sequence[str], kept: Kept) -> dict[str, list[str]]:
    """Return the solvers that each problem is still to be given to."""
    rows = kept.of(suite, solvers)
    absent = {row["problem"] for row in rows if row["kind"] == "absent"}
    done = {(row["problem"], row["solver"]) for row in rows if row["kind"] == "run"}
    left = {name: [s for s in solvers if (name, s) not in done] for name in suite.names() if name not in absent}
    return {name: those for name, those in left.items() if those}


def _blocks(problems: Mapping[str, list[str]]) -> Iterator[dict[str, list[str]]]:
    names = list(problems)
    for i in range(0, len(names), BLOCK):
        yield {name: problems[name] for name in names[i : i + BLOCK]}


def _start(suite: Suite, problems: dict[str, list[str]], kept: Kept) -> Block:
    name = hashlib.sha256(repr((suite, problems)).encode()).hexdigest()[:16]
    file, spec = kept.folder / f"block-{name}.jsonl", kept.folder / f"block-{name}.json"
    about = {"suite": suite.plain(), "seconds": kept.seconds, "problems": problems}
    # for the next command, should this one be ended before it has filed the rows
    every = {"", *(s for those in problems.values() for s in those)}
    about["files"] = {solver: kept.file(suite, solver).name for solver in every}
    spec.write_text(json.dumps(about), encoding="utf-8")
    inherited = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *inherited])}
    env |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    with file.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "validation.problems.worker", str(spec), str(file)],
            env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    return Block(suite, problems, file, process)


def _stuck(block: Block, seconds: float) -> bool:
    """Tell whether a run does not end though its time is over: it evaluates nothing, or the machine is overloaded."""
    at = block.at
    return at is not None and time.time() - at["at"] > GRACE * seconds


def _end(block: Block, failed: bool) -> None:
    """End a process if need be; `failed` says whether the run that it was at, if any, is to be told as such."""
    killed = block.process.poll() is None
    if killed:
        os.killpg(block.process.pid, signal.SIGKILL)
    status, at = block.process.wait(), block.at
    if at is not None and failed:
        why = "it did not end" if killed else f"its process ended with status {status}"
        row = {"kind": "run", "problem": at["problem"], "solver": at["solver"], "ending": KILLED, "said": why}
        with block.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


def _rest(block: Block) -> dict[str, list[str]]:
    """Return what a block that ended early did not get to."""
    rows = read(block.file)
    log = block.file.with_suffix(".log")
    if not rows:
        tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] if log.exists() else []
        raise SystemExit(f"validation.problems: a process ended before its first run: {' '.join(tail)}")
    absent = {row["problem"] for row in rows if row["kind"] == "absent"}
    done = {(row["problem"], row["solver"]) for row in rows if row["kind"] == "run"}
    left = {p: [s for s in those if (p, s) not in done] for p, those in block.problems.items() if p not in absent}
    return {p: those for p, those in left.items() if those}


def _keep(file: Path, kept: Kept) -> None:
    """File the rows of a block, and remove its files."""
    spec = file.with_suffix(".json")
    files = json.loads(spec.read_text(encoding="utf-8"))["files"] if spec.exists() else {}
    for row in read(file) if files else ():
        if row["kind"] != "start":
            kept.add(kept.folder / files[row.get("solver", "")], row)
    for suffix in (".jsonl", ".json", ".log"):
        file.with_suffix(suffix).unlink(missing_ok=True)
