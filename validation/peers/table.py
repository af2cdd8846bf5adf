"""The page of the documentation that is written from results.json."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from validation.peers.results import BACKENDS

HEAD = """\
# What the optimizers of other libraries compute

This page is written by `python -m validation.peers`; do not edit it.

Every optimizer of the peers below was held against the rule that it claims to follow:

- `conforms`: it computes the published rule.
- `dialect`: it computes the rule in the dialect that is told. `arrayopt explain RULE` says what its fields mean.
- `differs`: no dialect fits, or an option does nothing.

The error is the largest relative error of the displacement from the start, over all probes. In float32 it is largest
where decay rates of 0.99999 are probed. Where a part of the step is in bfloat16, as in some Muons, two that are right
may lie a tenth apart. What is allowed is the bound on rounding that is computed for each probe.

Then every optimizer that a peer exports, with a rule or without, was put to checks that need no rule: the order of the
leaves, the ownership of gradients, save and restore, options that do nothing, code paths and backends that are
documented to compute the same. A check is not run where it does not apply, such as one for several precisions where
there is one, or where the checks before it took too long; `results.json` says why. A check that fails is not always a
fault: that gradients are overwritten, say, is nothing that a library promises not to do. Findings are.
"""
FINDINGS = """\
A finding is a check that failed where the peer contradicts its own documentation, its own other code path, or itself
when leaves are handed over in another order. A dialect that it documents is none. Each was looked at by hand, and its
script, a few lines in the peer's own API, shows it without arrayopt: it exits with 1 where the departure is there.
"""
TAIL = """\
## How to write this page again

    pip install -r validation/peers/requirements.txt
    python -m validation.peers                    # all peers, two at a time
    python -m validation.peers --only torch,optax # these; what is known of others is kept

The command writes `validation/peers/results.json`, of which this page is a view: every check of every optimizer, with
its causes, what is noted, the time of each, and the list `unconfirmed` of failures that are no findings. An interrupted
run goes on where it was. A finding is listed if its check failed in the run and its script shows it. The scripts are in
`validation/peers/reproductions`.
"""


def page(data: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    parts = [HEAD, "## Peers\n", _peers(data), "## Findings\n", FINDINGS, _findings(data["findings"])]
    for peer, result in data["peers"].items():
        parts += [f"## {peer}\n", _rules(result["rules"]), _exports(result["exports"])]
    return "\n".join(part for part in [*parts, TAIL] if part)


def _peers(data: Mapping[str, Any]) -> str:
    rows = []
    for peer, r in data["peers"].items():
        verdicts = [x.get("verdict", "no result") for x in r["rules"]]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(sorted(verdicts)))
        note = f" ({r['error']})" if r["error"] else ""
        checked = [x for x in r["exports"] if x.get("checks")]
        rows.append((peer, r["version"] + note, counts or "no rule", str(len(r["exports"])), str(len(checked)),
                     str(sum(bool(_said(x, "fails")) for x in checked)), f"{r['cpu_seconds']:.0f} s"))  # fmt: skip
    header = ("peer", "release", "held against rules", "exported", "checked without", "of these fail a check",
              "processor time")  # fmt: skip
    return _table(header, rows)


def _findings(findings: Sequence[Mapping[str, Any]]) -> str:
    """Show what is one fault of several optimizers in one row."""
    together: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for f in findings:
        together.setdefault((f["what"], f["probe"]), []).append(f)
    rows = [
        (_each(f"`{f['optimizer']}`" for f in same), _each(f["version"] for f in same), what, probe,
         _each(f"`{f['reproduction'].partition(' ')[0].removeprefix('reproductions/')}`" for f in same))
        for (what, probe), same in together.items()
    ]  # fmt: skip
    return _table(("optimizer", "release", "what", "check", "script"), rows) if rows else "None.\n"


def _each(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _rules(rules: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for r in rules:
        dialect = ", ".join(f"{k}={v!r}" for k, v in r.get("dialect", {}).items())
        departs = "" if r.get("verdict") == "conforms" else r.get("summary", "")
        shown = departs if r.get("verdict") == "differs" else dialect or r.get("failed", "") or departs
        error = "" if r.get("error") is None else f"{r['error']:.0e}"
        rows.append((f"`{r['name']}`", r.get("rule", ""), r.get("verdict", "no result"), shown, error))
    return _table(("optimizer", "rule", "verdict", "dialect, or where it departs", "error"), rows) if rows else ""


def _exports(exports: Sequence[Mapping[str, Any]]) -> str:
    compared = [e for e in exports if e.get("checks")]
    if compared and all(set(e["checks"]) == {BACKENDS} for e in compared):
        others = [f"`{e['name']}`" for e in compared if e["checks"][BACKENDS] != "passes"]
        outcome = "all agree but " + ", ".join(others) if others else "all agree"
        return (
            f"In float32, {len(compared)} optimizers were held against the same ones above, and no more: {outcome}.\n"
        )
    rows = []
    for e in exports:
        if "checks" in e:
            passed, failed, left = (_said(e, said) for said in ("passes", "fails", "not run"))
            chance = [t["text"] for t in e["traits"] if t["kind"] == "repeatable"]  # which says that it is random
            note = ", ".join(x for x in (e["note"], *chance) if x)
            rows.append((f"`{e['name']}`", str(len(passed)), ", ".join(failed), str(len(left)), note))
        else:
            why = e.get("reason") or e.get("failed", "")
            rows.append((f"`{e['name']}`", "", "", "all", why.splitlines()[-1] if why else ""))
    return _table(("optimizer", "passed", "failed", "not run", "note, or why it was not checked"), rows) if rows else ""


def _said(export: Mapping[str, Any], what: str) -> list[str]:
    """Return the checks of which such is said."""
    return [name for name, said in export.get("checks", {}).items() if said.partition(":")[0] == what]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(x) for x in row) + " |" for row in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
