"""The page of the documentation that is written from results.json."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HEAD = """\
# What the optimizers of other libraries compute

This page is written by `python -m validation.peers`; do not edit it.

Every optimizer of the peers below was held against the rule that it claims to follow. `conforms`: it computes the
published rule. `dialect`: it computes the rule in the dialect that is told, which `arrayopt explain RULE` describes.
`differs`: no dialect fits. The error is the largest relative error of the displacement from the start. Then every
optimizer that a peer exports, with a rule or without, was put to checks that need no rule: the order of the leaves,
the ownership of gradients, save and restore, options that do nothing, code paths that are documented to compute the
same.
"""
TAIL = """\
## How to write this page again

    pip install -r validation/peers/requirements.txt
    python -m validation.peers                    # all peers, two at a time
    python -m validation.peers --only torch,optax # these; what is known of others is kept

The command writes `validation/peers/results.json`, of which this page is a view: every check of every optimizer, with
its causes, the time of each, and the list `unconfirmed` of failures that nobody has looked at by hand. An interrupted
run goes on where it was. A finding is in the list above if its check failed in the run and its script, a few lines in
the framework's own API, shows it; the scripts are in `validation/peers/reproductions` and exit with 1 where the
departure is there.
"""


def page(data: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    parts = [HEAD, "## Peers\n", _peers(data), "## Findings\n", _findings(data["findings"])]
    for peer, result in data["peers"].items():
        parts += [f"## {peer}\n", _rules(result["rules"]), _exports(result["exports"])]
    return "\n".join(part for part in [*parts, TAIL] if part)


def _peers(data: Mapping[str, Any]) -> str:
    rows = []
    for peer, r in data["peers"].items():
        verdicts = [x.get("verdict", "no result") for x in r["rules"]]
        failing = sum(bool(_failed(x)) for x in r["exports"])
        driven = sum("checks" in x for x in r["exports"])
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(sorted(verdicts)))
        note = f" ({r['error']})" if r["error"] else ""
        rows.append((peer, r["version"] + note, counts or "no rule", str(len(r["exports"])), str(driven), str(failing),
                     f"{r['seconds']:.0f} s"))  # fmt: skip
    header = ("peer", "release", "held against rules", "exported", "checked without", "of these fail a check", "time")
    return _table(header, rows)


def _findings(findings: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (f"`{f['optimizer']}`", f["version"], f["what"], f["probe"], f"`validation/peers/{f['reproduction']}`")
        for f in findings
    ]
    return _table(("optimizer", "release", "what", "probe", "reproduction"), rows) if rows else "None.\n"


def _rules(rules: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for r in rules:
        dialect = ", ".join(f"{k}={v!r}" for k, v in r.get("dialect", {}).items())
        error = "" if r.get("error") is None else f"{r['error']:.0e}"
        rows.append(
            (
                f"`{r['name']}`",
                r.get("rule", ""),
                r.get("verdict", "no result"),
                dialect or r.get("failed", "") or ("" if r.get("verdict") == "conforms" else r.get("summary", "")),
                error,
            )
        )
    return _table(("optimizer", "rule", "verdict", "dialect, or where it departs", "error"), rows) if rows else ""


def _exports(exports: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for e in exports:
        checks = e.get("checks", {})
        passed = sum(said == "passes" for said in checks.values())
        failed = _failed(e)
        said = ", ".join(failed) or e.get("reason", "") or e.get("failed", "").splitlines()[-1:]
        told = said if isinstance(said, str) else "".join(said)
        rows.append((f"`{e['name']}`", f"{passed} of {len(checks)}" if checks else "", told, e.get("note", "")))
    return _table(("optimizer", "checks passed", "failed, or why it was not checked", "note"), rows) if rows else ""


def _failed(export: Mapping[str, Any]) -> list[str]:
    return [name for name, said in export.get("checks", {}).items() if said == "fails"]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(x) for x in row) + " |" for row in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
