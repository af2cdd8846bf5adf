"""The parent: run jobs in processes of their own, each with time limits, and keep what they wrote."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from validation.peers.jobs import ROOT, Job
from validation.peers.worker import read

POLL = 0.25
TAIL = 2000
"""Characters of what a process printed that are kept when it dies."""

Progress = Callable[[str, int, int, str], None]
"""``progress(job, done, all, what it is at)``."""


@dataclass(frozen=True)
class Limits:
    """Seconds.

    Attributes
    ----------
    peer : float
        For all optimizers of one job; what is left over then is reported as not run.
    optimizer : float
        For one optimizer; it is reported, and the next is looked at in a new process.
    """

    peer: float = 900.0
    optimizer: float = 300.0


@dataclass
class Run:
    """A job on its way.

    Attributes
    ----------
    job : Job
        What is run.
    file : Path
        Where its process writes its results.
    seconds : float
        Time that it has used, over all of its processes.
    """

    job: Job
    file: Path
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    seconds: float = 0.0
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.file.with_suffix(".log")

    def start(self) -> None:
        """Start a process, which goes on after the results that are there."""
        env = {**os.environ, **self.job.env, "PYTHONPATH": os.pathsep.join([str(ROOT), *_inherited()])}
        self._close_line()
        env |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        flags = ["--path"] * bool(self.job.group) + ["--alone"] * self.job.alone
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "validation.peers.worker", self.job.module, str(self.file), *flags],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.began = time.monotonic()

    def kill(self) -> None:
        """End the process and what it started."""
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.seconds += time.monotonic() - self.began
            self.process = None
            self.write({"kind": "used", "seconds": round(self.seconds, 1)})

    def update(self) -> None:
        """Read what was written."""
        self.lines = read(self.file)

    def _last(self, kind: str) -> dict[str, Any]:
        return next((line for line in reversed(self.lines) if line["kind"] == kind), {})

    @property
    def ended(self) -> bool:
        """Tell whether nothing is left to do."""
        return bool(self._last("end"))

    @property
    def error(self) -> str:
        """Return why it ended early; nothing if it did not."""
        return self._last("end").get("error", "")

    @property
    def version(self) -> str:
        """Return package and release."""
        return self._last("items").get("version", "")

    @property
    def items(self) -> list[tuple[str, str]]:
        """Return all optimizers, once the process has found them."""
        return [tuple(x) for x in self._last("items").get("items", [])]

    @property
    def used(self) -> float:
        """Return the seconds that earlier processes wrote down."""
        return float(self._last("used").get("seconds", 0.0))

    @property
    def results(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the results by kind and name."""
        return {(x["kind"], x["name"]): x for x in self.lines if x["kind"] in ("rule", "export")}

    @property
    def at(self) -> tuple[tuple[str, str], float] | None:
        """Return the optimizer that the process is at, and since when; None between two."""
        for line in reversed(self.lines):
            if line["kind"] == "start":
                return tuple(line["item"]), line["at"]
            if line["kind"] in ("rule", "export"):
                return None
        return None

    def write(self, line: dict[str, Any]) -> None:
        """Add a line."""
        self._close_line()
        with self.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        self.update()

    def _close_line(self) -> None:
        """End a line that a dying process left unfinished; nobody will read it."""
        text = self.file.read_bytes() if self.file.exists() else b""
        if text and not text.endswith(b"\n"):
            self.file.write_bytes(text + b"\n")

    def tail(self) -> str:
        """Return the end of what the process printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-TAIL:].strip() if self.log.exists() else ""


def run(
    jobs: Sequence[Job], folder: Path, limits: Limits, at_once: int = 2, progress: Progress = lambda *_: None
) -> list[Run]:
    """Run jobs, some at a time, and return what they wrote.

    Results that are in `folder` already are kept and not made again. If it is interrupted, all processes are ended
    and everything that they wrote stays there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    every = [Run(job, folder / f"{job.name.replace(' ', '_')}.jsonl") for job in jobs]
    for one in every:
        one.update()
        one.seconds = one.used
    waiting = [one for one in every if not one.ended]
    running: list[Run] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                one = waiting.pop(0)
                one.start()
                running.append(one)
            time.sleep(POLL)
            for one in list(running):
                if not _watch(one, limits):
                    running.remove(one)
                at = one.at
                progress(one.job.name, len(one.results), len(one.items), at[0][1] if at else "")
    finally:
        for one in running:
            one.kill()
    return every


def _watch(one: Run, limits: Limits) -> bool:
    """Look after a run; tell whether it goes on."""
    assert one.process is not None
    status = one.process.poll()
    one.update()
    at = one.at
    if status is None and one.seconds + time.monotonic() - one.began > limits.peer:
        one.kill()
        for item in _left(one):
            _fail(one, item, f"not run: the time of {one.job.name} was over")
        one.write({"kind": "end", "error": f"ended after {limits.peer:.0f} s"})
        return False
    if status is None and at is not None and time.time() - at[1] > limits.optimizer:
        one.kill()
        _fail(one, at[0], f"took more than {limits.optimizer:.0f} s")
        one.start()
        return True
    if status is None:
        return True
    one.kill()
    if one.ended:
        return False
    how = f"died with signal {-status}" if status < 0 else f"ended with exit status {status}"
    why = f"the process {how}: {_last_line(one.tail())}"
    if at is not None:
        _fail(one, at[0], why)
        one.start()
        return True
    one.write({"kind": "end", "error": why})
    return False


def _left(one: Run) -> Iterator[tuple[str, str]]:
    yield from (item for item in one.items if item not in one.results)


def _fail(one: Run, item: tuple[str, str], why: str) -> None:
    """Write down why an optimizer has no result."""
    kind, name = item
    one.write({"kind": kind, "name": name, "failed": why})


def _last_line(text: str) -> str:
    return text.splitlines()[-1] if text else "it printed nothing"


def _inherited() -> list[str]:
    return [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
