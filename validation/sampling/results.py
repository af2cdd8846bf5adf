"""The file of results: the runs on BBOB, a line each, and the seconds of ask and tell."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from validation.sampling.bbob import Run
from validation.sampling.speed import Cell

SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Results:
    """What was measured, and with what."""

    runs: tuple[Run, ...] = ()
    cells: tuple[Cell, ...] = ()
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def releases() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "cma", "coco-experiment")}


def read(file: Path) -> Results:
    """Return the results of a file; none if there is no file of this schema."""
    data = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if data.get("schema") != SCHEMA:
        return Results()
    return Results(tuple(_made(Run, data["runs"])), tuple(_made(Cell, data["cells"])), data["about"])


def _made(kind: Any, rows: Iterable[list[Any]]) -> Iterable[Any]:
    return (kind(*row) for row in rows)


def write(file: Path, results: Results) -> None:
    """Write a file: a run a line."""
    parts = [f' "{name}": [\n' + ",\n".join(f"  {json.dumps(list(x.plain().values()))}" for x in rows) + "\n ]"
             for name, rows in (("runs", results.runs), ("cells", results.cells))]  # fmt: skip
    head = f' "schema": {SCHEMA},\n "about": {json.dumps(dict(results.about))}'
    file.write_text("{\n" + ",\n".join([head, *parts]) + "\n}\n", encoding="utf-8")
