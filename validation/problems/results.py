"""The file of results: suites by their key, each with a line for every problem."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from validation.problems import s2mpj
from validation.problems.scores import Score, Scores
from validation.problems.suites import Suite

SCHEMA = 1
FIELDS = tuple(f.name for f in dataclasses.fields(Score) if f.name not in ("problem", "solver", "best"))


@dataclasses.dataclass(frozen=True)
class Result:
    """A suite with its scores."""

    suite: Suite
    solvers: Sequence[str]
    scores: Scores
    about: Mapping[str, Any]


def merge(file: Path, suite: Suite, scores: Scores, solvers: Sequence[str], seconds: float) -> None:
    """Put the scores of a suite into the file, in place of older ones of the same suite."""
    results = read(file)
    results[suite.key] = Result(suite, list(solvers), scores, {**releases(), "seconds": seconds})
    write(file, results)


def releases() -> dict[str, str]:
    """Return what was compared."""
    import numpy
    import scipy

    problems = s2mpj.release() if s2mpj.folder() is not None else ""
    return {"scipy": scipy.__version__, "numpy": numpy.__version__, "problems": problems}


def read(file: Path) -> dict[str, Result]:
    """Return the results of a file; none if there is no file of this schema."""
    data = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {key: _result(x) for key, x in data["suites"].items()} if data.get("schema") == SCHEMA else {}


def write(file: Path, results: Mapping[str, Result]) -> None:
    """Write a file: a problem a line."""
    suites = []
    for key, r in sorted(results.items()):
        head = {"suite": r.suite.plain(), "solvers": r.solvers, "about": r.about, "fields": FIELDS,
                "absent": r.scores.absent}  # fmt: skip
        lines = [
            f"   {json.dumps(p)}: {json.dumps({'n': n, 'best': _told(_best(r.scores, p)), 'runs': _runs(r.scores, p)})}"
            for p, n in r.scores.sizes.items()
        ]
        fields = ",\n  ".join(f"{json.dumps(k)}: {json.dumps(x)}" for k, x in head.items())
        suites.append(f' {json.dumps(key)}: {{\n  {fields},\n  "problems": {{\n' + ",\n".join(lines) + "\n  }}")
    text = f'{{\n"schema": {SCHEMA},\n"suites": {{\n' + ",\n".join(suites) + "\n}}\n"
    file.write_text(text, encoding="utf-8")


def _best(scores: Scores, problem: str) -> float:
    return next(x.best for (p, _), x in scores.runs.items() if p == problem)


def _runs(scores: Scores, problem: str) -> dict[str, list[Any]]:
    mine = {solver: x for (p, solver), x in scores.runs.items() if p == problem}
    return {solver: [_told(getattr(x, field)) for field in FIELDS] for solver, x in mine.items()}


def _told(value: Any) -> Any:
    """Return a value as the file has it: floats in seven digits, what is not finite as text."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else str(value)
    return value[:200] if isinstance(value, str) else value


def _result(data: Mapping[str, Any]) -> Result:
    runs: dict[tuple[str, str], Score] = {}
    for problem, line in data["problems"].items():
        for solver, values in line["runs"].items():
            fields = dict(zip(data["fields"], values, strict=True))
            for name in ("f", "gmax"):
                fields[name] = float(fields[name])
            runs[problem, solver] = Score(problem, solver, best=float(line["best"]), **fields)
    sizes = {problem: line["n"] for problem, line in data["problems"].items()}
    return Result(Suite(**data["suite"]), data["solvers"], Scores(runs, sizes, data["absent"]), data["about"])
