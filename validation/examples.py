"""The main job on real input: `python -m validation.examples [--json FILE]`.

Every optimizer of every installed peer is held against the rule that it claims to follow, and so is every port under
candidates/, whose first line says the verdict that it must get. The exit status is 0 if each port gets the verdict
written in it and every optimizer of a peer can be run.
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arrayopt.cli import checking
from arrayopt.cli.tables import table
from arrayopt.conformance import Report
from arrayopt.conformance.adapters import Peer, every_peer
from arrayopt.conformance.diagnosis.dialects import changes
from arrayopt.conformance.report import SCHEMA
from arrayopt.conformance.targets import load

CANDIDATES = Path(__file__).resolve().parent / "candidates"
FIRST_LINE = re.compile(r'"""verdict: (conforms|dialect|differs|cannot-run)(?: (\S.*?))? \| (\S.*)')


def examples(folder: Path = CANDIDATES) -> list[Path]:
    return sorted(folder.glob("[a-z]*.py"))


def expected_verdict(path: Path) -> tuple[str, dict[str, Any]]:
    """Read the verdict from the first line of a file, and the fields of the dialect where it is one.

    The line is `verdict: VERDICT [field=value, ...] | what it is`; the values are Python literals.
    """
    line = path.read_text(encoding="utf-8").partition("\n")[0]
    parts = FIRST_LINE.match(line)
    try:
        verdict, fields, _ = parts.groups()
        call = ast.parse(f"dict({fields or ''})", mode="eval").body
        values = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
        if call.args or None in values or bool(values) != (verdict == "dialect"):
            raise ValueError
    except (AttributeError, SyntaxError, ValueError):
        raise ValueError(f'{path}: expected """verdict: VERDICT [field=value, ...] | text, got {line}') from None
    return verdict, values


def as_written(report: Report, verdict: str, fields: dict[str, Any]) -> bool:
    """Tell whether a report has the verdict, and the fields among the changes of one of its equivalent dialects."""
    if report.verdict != verdict:
        return False
    rules = [r for r in (report.match, *report.equivalent) if r is not None] if fields else []
    return not fields or any(fields.items() <= changes(report.reference, r).items() for r in rules)


def main(arguments: Sequence[str] | None = None, folder: Path = CANDIDATES) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.examples", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all reports to this file")
    options = parser.parse_args(arguments)
    paths = examples(folder)
    written = [expected_verdict(path) for path in paths]
    found, broken = every_peer()
    jobs = [(peer, "") for peer in found]
    for path in paths:
        candidate, reference, note = load(str(path))
        jobs.append((Peer(path.name, candidate, reference), note))
    reports = checking.run(jobs)
    of_peers, of_examples = reports[: len(found)], reports[len(found) :]
    kept = [as_written(r, *w) for r, w in zip(of_examples, written, strict=True)]

    if of_peers:
        checking.show(of_peers, whole=False)
        print()
    rows = [
        (r.candidate, type(r.reference).__name__, r.verdict, "yes" if ok else f"NO: {_said(*w)}", r.summary())
        for r, w, ok in zip(of_examples, written, kept, strict=True)
    ]
    table(
        ("example", "rule", "verdict", "as written", "what it computes, or where it departs"),
        rows,
        colour=2,
        colours=checking.COLOURS,
    )
    failed = [r.candidate for r in of_peers if r.verdict == "cannot-run"]
    for framework, why in broken.items():
        print(f"{framework} cannot be adapted: {why}")
    print(f"\n{sum(kept)} of {len(kept)} examples get the verdict written in them")
    if of_peers or broken:
        print(f"{len(of_peers) - len(failed)} of {len(of_peers) + len(broken)} optimizers of peers could be run")
    if options.json is not None:
        _write(options.json, of_peers, of_examples, written, kept, broken)
    return 0 if all(kept) and not failed and not broken else 1


def _said(verdict: str, fields: dict[str, Any]) -> str:
    return f"{verdict} {', '.join(f'{k}={v!r}' for k, v in fields.items())}".strip()


def _write(
    path: Path,
    of_peers: list[Report],
    of_examples: list[Report],
    written: list[tuple[str, dict[str, Any]]],
    kept: list[bool],
    broken: dict[str, str],
) -> None:
    told = [
        {"written": {"verdict": v, "dialect": fields}, "as_written": ok, "report": r.to_dict()}
        for r, (v, fields), ok in zip(of_examples, written, kept, strict=True)
    ]
    whole = {"schema": SCHEMA, "peers": [r.to_dict() for r in of_peers], "not_adapted": broken, "examples": told}
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
