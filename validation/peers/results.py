"""Put the results of all jobs together: one file, in a stable order, the same from run to run but for times."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arrayopt.conformance.adapters import FRAMEWORKS
from validation.peers.jobs import Job
from validation.peers.runner import Run

SCHEMA = 1
BACKENDS = "same-on-every-backend"
"""The check that compares backends."""


def merged(runs: Sequence[Run], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results by job: those of `runs`, and of other jobs what was there before."""
    peers = {**before, **{one.job.name: _of(one) for one in runs}}
    _compare(runs, peers)
    return dict(sorted(peers.items(), key=lambda item: (_rank(item[0]), item[0])))


def read(file: Path) -> dict[str, Any]:
    """Return the results that a file holds by job; none if there is no file of this schema."""
    if not file.exists():
        return {}
    data = json.loads(file.read_text(encoding="utf-8"))
    return dict(data["peers"]) if data.get("schema") == SCHEMA else {}


def write(file: Path, peers: Mapping[str, Any], findings: Sequence[Any], unconfirmed: Sequence[Any]) -> None:
    """Write the file of results."""
    whole = {
        "schema": SCHEMA,
        **{k: round(sum(p[k] for p in peers.values()), 1) for k in ("seconds", "cpu_seconds")},
        "findings": list(findings),
        "unconfirmed": list(unconfirmed),
        "peers": dict(peers),
    }
    file.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _rank(name: str) -> int:
    framework = name.split()[0]
    return FRAMEWORKS.index(framework) if framework in FRAMEWORKS else len(FRAMEWORKS)


def _of(one: Run) -> dict[str, Any]:
    results = one.results
    by_kind: dict[str, list[dict[str, Any]]] = {"rule": [], "export": []}
    for kind, name in one.items:
        line = results.get((kind, name), {"name": name, "failed": "not run"})
        by_kind[kind].append(copy.deepcopy({k: x for k, x in line.items() if k not in ("kind", "path", "tolerance")}))
    return {
        "version": one.version,
        "seconds": round(one.seconds, 1),
        "cpu_seconds": round(sum(line.get("cpu_seconds", 0.0) for line in results.values()), 1),
        "error": one.error,
        "rules": by_kind["rule"],
        "exports": sorted(by_kind["export"], key=lambda x: x["name"].lower()),
    }


def _compare(runs: Sequence[Run], peers: Mapping[str, Any]) -> None:
    """Hold the runs of one optimizer on several backends against each other, and write the check into the results."""
    groups: dict[str, list[Run]] = {}
    for one in runs:
        if one.job.group:
            groups.setdefault(one.job.group, []).append(one)
    for group in groups.values():
        first, *others = group
        for other in others:
            for item, line in first.results.items():
                if item[0] == "export" and item in other.results:
                    said = _agreement(line, other.results[item], other.job)
                    for job in (first.job, other.job):
                        _note(peers[job.name], item[1], said)


def _agreement(one: Mapping[str, Any], other: Mapping[str, Any], job: Job) -> str:
    """Say "passes", or "fails: where", or why two runs are not compared."""
    a, b = one.get("path", []), other.get("path", [])
    if not a or not b or a[0] != b[0]:
        return "not run: it does not run on both, or not with the same leaves"
    for t in range(1, len(a)):
        for leaf, start in a[0].items():
            x, y, p = (np.array(v, dtype=float) for v in (a[t][leaf], b[t][leaf], start))
            if np.array_equal(x, y, equal_nan=True):
                continue
            with np.errstate(all="ignore"):
                off = np.max(np.abs(x - y)) / max(np.max(np.abs(x - p)), np.max(np.abs(y - p)))
            if not off <= max(one["tolerance"], other["tolerance"]):
                return f"fails: {job.name} gives another result from step {t} on in leaf {leaf!r}, by {off:.2g}"
    return "passes"


def _note(peer: Mapping[str, Any], name: str, said: str) -> None:
    for one in peer["exports"]:
        if one["name"] == name and "checks" in one:
            one["checks"][BACKENDS] = said.partition(":")[0] if said.startswith("fails") else said
            if said.startswith("fails"):
                one["causes"].append({"kind": BACKENDS, "text": said.removeprefix("fails: "), "wrong": True})
