"""Confirm: run the scripts of findings, and part what failed in a run into findings and what is none."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from validation.peers.findings import FINDINGS, REPRODUCTIONS, Finding

SECONDS = 120.0


def reproduce(command: str, env: Mapping[str, str], folder: Path = REPRODUCTIONS) -> tuple[bool, str]:
    """Run a script; tell whether it shows the departure, and what it printed."""
    name, *arguments = command.split()
    try:
        done = subprocess.run(
            [sys.executable, str(folder / name), *arguments],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"took more than {SECONDS:.0f} s"
    return done.returncode == 1 and "Traceback" not in done.stderr, (done.stdout or done.stderr).strip()


def sorted_out(
    peers: Mapping[str, Any],
    findings: Iterable[Finding] = FINDINGS,
    env: Mapping[str, Mapping[str, str]] | None = None,
    folder: Path = REPRODUCTIONS,
    at_once: int = 2,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Part what failed in a run into findings and what is not confirmed.

    Parameters
    ----------
    peers : dict
        The results of a run by job.
    findings : iterable of Finding
        What was confirmed by hand.
    env : dict of dict
        The environment of each job.
    folder : Path
        Where the reproductions are.
    at_once : int
        How many of them run at a time.

    Returns
    -------
    confirmed, unconfirmed : list of dict
        ``{peer, version, optimizer, what, probe, reproduction}`` each, without the last where it is not confirmed.
    stale : list of str
        Findings whose check did not fail, or whose script does not show them; those of peers that did not run are not
        among them.
    """
    tripped = {(t["peer"], t["optimizer"], t["probe"]): t for t in failures(peers)}
    ran = sorted((f for f in findings if f.peer in peers), key=lambda f: (f.peer, f.optimizer, f.probe))
    failing = [f for f in ran if (f.peer, f.optimizer, f.probe) in tripped]
    with ThreadPoolExecutor(at_once) as pool:
        shown = dict(zip(failing, pool.map(lambda f: reproduce(f.reproduction, (env or {}).get(f.peer, {}), folder),
                                           failing), strict=True))  # fmt: skip
    confirmed, stale = [], []
    for f in ran:
        there, printed = shown.get(f, (False, ""))
        if f not in shown:
            stale.append(f"{f.peer} {f.optimizer}: the check {f.probe} does not fail")
        elif there:
            found = tripped[f.peer, f.optimizer, f.probe]
            confirmed.append({**found, "what": f.what, "reproduction": f"reproductions/{f.reproduction}"})
        else:
            stale.append(f"{f.peer} {f.optimizer}: {f.reproduction} does not show it: {printed}")
    keys = {(c["peer"], c["optimizer"], c["probe"]) for c in confirmed}
    return confirmed, [t for key, t in tripped.items() if key not in keys], stale


def failures(peers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every check that failed and every wrong cause, as candidates for findings."""
    found = []
    for peer, result in peers.items():
        for one in [*result["exports"], *result["rules"]]:
            wrong = {c["kind"]: c["text"] for c in reversed(one.get("causes", [])) if c["wrong"]}
            found += [
                {"peer": peer, "version": result["version"], "optimizer": one["name"], "what": text, "probe": kind}
                for kind, text in reversed(wrong.items())
            ]
    return found
