"""The child: hold the optimizers of one framework against their rules and put them to the checks that need none.

`python -m validation.peers.worker MODULE FILE [--path] [--alone]` writes a line of JSON to FILE when it starts with an
optimizer and when it is done with it. Optimizers that FILE has a result of are left out, so that a process can go on
where another ended. With --path it also writes where each optimizer gets to, for the comparison of backends; with
--alone it runs those without a rule for nothing else.
"""

import contextlib
import dataclasses
import importlib
import json
import re
import sys
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from arrayopt.conformance import Candidate, check
from arrayopt.conformance.adapters import Peer
from arrayopt.conformance.candidate import CannotRunError, epsilon
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency import Subject, examine
from arrayopt.conformance.consistency.conditioning import ROUNDED, response
from arrayopt.conformance.consistency.subject import SHAPES, NotRun
from arrayopt.conformance.report import Report
from arrayopt.core.results import plain

SECONDS = 40.0
"""Processor time after which no further check of an optimizer is begun; those that are left are told as not run."""
Item = tuple[str, str]
"""Kind ("rule" or "export") and name."""


def main() -> None:
    module, file, flags = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    done = {(line["kind"], line["name"]) for line in read(file) if "name" in line and line["kind"] != "start"}
    adapter = importlib.import_module(module)
    found: dict[Item, Peer] = {("export", p.name): p for p in adapter.exports()}
    found |= {("rule", p.name): p for p in adapter.peers()}
    with file.open("a", encoding="utf-8") as out:
        _write(out, {"kind": "items", "items": list(found), "version": _version(found)})
        for (kind, name), peer in found.items():
            if (kind, name) in done:
                continue
            _write(out, {"kind": "start", "item": [kind, name], "at": time.time()})
            started, used = time.monotonic(), time.process_time()
            with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
                warnings.simplefilter("ignore")
                try:
                    result = _rule(peer) if kind == "rule" else _export(peer, "--path" in flags, "--alone" in flags)
                except Exception as error:  # a defect of a check: told, and the next optimizer is looked at
                    result = {"failed": _told(error)}
            seconds = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - used}
            _write(out, {"kind": kind, "name": name, **result, **{k: round(x, 1) for k, x in seconds.items()}})
        _write(out, {"kind": "end"})


def read(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a file; a last one that was cut off is left out."""
    lines = []
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
            with contextlib.suppress(json.JSONDecodeError):
                lines += [json.loads(line)] if line.endswith("\n") else []
    return lines


def _told(error: Exception) -> str:
    """Return an error and where in arrayopt it arose, without the machine's paths."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "arrayopt" in Path(f.filename).parts]
    where = f" in {Path(frames[-1].filename).name}, {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}{where}: {error}"


def _version(found: dict[Item, Peer]) -> str:
    return next((p.candidate.source for p in found.values()), "")


def _rule(peer: Peer) -> dict[str, Any]:
    """Hold an optimizer against its rule; its consistency is checked with the optimizer that is exported."""
    report: Report = check(peer.candidate, peer.reference, consistency=False)
    return {
        "rule": type(peer.reference).__name__,
        "verdict": report.verdict,
        "dialect": plain(report.dialect),
        "error": report.error,
        "causes": _plain(report.causes),
        "traits": _plain(report.traits),
        "probes": dict(report.probes),
        "checks": dict(report.checks),
        "summary": report.summary(),
    }


def _export(peer: Peer, compared: bool, alone: bool) -> dict[str, Any]:
    """Put an optimizer to the checks that need no rule."""
    if peer.reason:
        return {"reason": peer.reason}
    try:
        subject, note = settled(peer.candidate)
    except CannotRunError as error:
        return {"reason": f"cannot run: {error}"}
    causes, said = ([], {}) if alone else examine(subject, seconds=SECONDS)
    return {
        "note": note,
        "checks": said,
        "causes": _plain(c for c in causes if c.wrong),
        "traits": _plain(c for c in causes if not c.wrong),
        **(_path(subject) if compared else {}),
    }


def _plain(causes: Iterable[Cause]) -> list[dict[str, Any]]:
    return [plain({"kind": c.kind, "text": c.text, "wrong": c.wrong}) for c in causes]


def settled(candidate: Candidate) -> tuple[Subject, str]:
    """Return a subject with leaves that a candidate takes: all kinds, or matrices alone, or in another precision.

    Raises
    ------
    CannotRunError
        If it runs with none; the error is that of the first.
    """
    first: CannotRunError | None = None
    for subject, note in _attempts(candidate):
        try:
            subject.walk()
        except CannotRunError as error:
            first = first or error
            continue
        return subject, note
    assert first is not None
    raise first


def _attempts(candidate: Candidate) -> Iterator[tuple[Subject, str]]:
    matrices = {k: s for k, s in SHAPES.items() if len(s) == 2}
    other = [d for d in candidate.dtypes if d == "float32"]
    for dtype in (candidate.dtype, *other):
        told = "" if dtype == candidate.dtype else f"in {dtype} only"
        changed = _in(candidate, dtype)
        yield Subject.of(changed), told
        yield Subject.of(changed, shapes=matrices), ", ".join(["matrices only", *([told] if told else [])])


def _in(candidate: Candidate, dtype: str) -> Candidate:
    return candidate if dtype == candidate.dtype else dataclasses.replace(candidate, dtype=dtype, dtypes=())


def _path(subject: Subject) -> dict[str, Any]:
    """Return the parameters before the first step and after each, in float32, and what rounding moves them by.

    They are for the comparison of backends. Rounding is measured, of the hyper-parameters too: a backend may have
    them in float32.
    """
    if "float32" in subject.candidate.dtypes:
        subject = subject.replace(candidate=_in(subject.candidate, "float32"))
    try:
        path = [subject.params, *subject.path]
        tolerance = ROUNDED * response(subject, epsilon(subject.candidate.dtype), hyper=True)
    except (CannotRunError, NotRun):
        return {}
    told = [{k: [float(x) for x in p.ravel()] for k, p in params.items()} for params in path]
    return {"path": told, "tolerance": tolerance}


def _write(out: Any, line: dict[str, Any]) -> None:
    # where an object lies in memory is another place in each run
    out.write(re.sub(r" at 0x[0-9a-f]+", "", json.dumps(line)) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
