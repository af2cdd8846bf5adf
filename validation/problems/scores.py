"""From runs to scores: what was solved, after how many evaluations, and how the rest ended."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from validation.problems.counting import threshold

UNBOUNDED = 1e15
"""A value below -UNBOUNDED (1 + |f0|) says that a function has no minimum."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """A run, scored.

    Attributes
    ----------
    solved : int or None
        F: after how many evaluations the value was as near to the best of all solvers as asked for.
    """

    problem: str
    solver: str
    ending: str
    said: str
    evaluations: int
    hessians: int
    solved: int | None
    small: int | None
    within: int | None
    f: float
    best: float
    gmax: float
    dtype: str
    digits: float | None = None


@dataclass(frozen=True)
class Scores:
    """All runs of a suite.

    Attributes
    ----------
    runs : dict
        By problem and solver.
    sizes : dict of int
        How many variables each problem has.
    absent : dict of str
        Why problems are not among them.
    """

    runs: Mapping[tuple[str, str], Score]
    sizes: Mapping[str, int]
    absent: Mapping[str, str]

    @property
    def problems(self) -> list[str]:
        return list(self.sizes)

    def of(self, solver: str) -> list[Score]:
        """Return the runs of a solver."""
        return [score for (_, name), score in self.runs.items() if name == solver]

    def count(self, solver: str, what: str = "solved") -> int | None:
        """Return how many problems a solver solved ("solved", "small", "within"); None if it was not run on all."""
        mine = self.of(solver)
        whole = bool(mine) and len(mine) == len(self.sizes)
        return sum(getattr(x, what) is not None for x in mine) if whole else None

    def ratio(self, solver: str, against: str, what: str = "solved") -> tuple[float, int] | None:
        """Return the geometric mean of ratios of evaluations where both have them, and on how many problems."""
        pairs = [
            (getattr(mine, what), getattr(theirs, what))
            for problem in self.sizes
            if (mine := self.runs.get((problem, solver))) and (theirs := self.runs.get((problem, against)))
        ]
        logs = [math.log(a / b) for a, b in pairs if a is not None and b is not None]
        return (math.exp(statistics.fmean(logs)), len(logs)) if logs else None

    def near_best(self, solver: str, factor: float, others: Iterable[str]) -> int:
        """Return on how many problems a solver took at most `factor` times the evaluations of the best of all."""
        found = 0
        for problem in self.sizes:
            mine = self.runs.get((problem, solver))
            every = [x.solved for s in others if (x := self.runs.get((problem, s))) and x.solved is not None]
            found += mine is not None and mine.solved is not None and mine.solved <= factor * min(every)
        return found

    def endings(self, solver: str) -> Counter[str]:
        """Return how often each ending came."""
        return Counter(x.ending for x in self.of(solver))


def scored(rows: Sequence[Row], share: float) -> Scores:
    """Score the runs of a suite; `share` as in `suites.Limits`."""
    absent = {row["problem"]: row["reason"] for row in rows if row["kind"] == "absent"}
    by_problem: dict[str, list[Row]] = {}
    for row in rows:
        if row["kind"] == "run":
            by_problem.setdefault(row["problem"], []).append(row)
    runs: dict[tuple[str, str], Score] = {}
    sizes: dict[str, int] = {}
    for problem, mine in sorted(by_problem.items()):
        whole = [row for row in mine if row.get("falls")]
        if not whole:
            absent[problem] = "no solver evaluated it"
            continue
        start, best = whole[0]["f0"], min(row["falls"][-1][1] for row in whole)
        if best < -UNBOUNDED * (1 + abs(start)):
            absent[problem] = f"it has no minimum: {best:.2g} was reached"
            continue
        sizes[problem] = whole[0]["n"]
        enough = threshold(start, best, share)
        for row in mine:
            runs[problem, row["solver"]] = _score(row, best, enough)
    return Scores(runs, sizes, absent)


def _score(row: Row, best: float, enough: float) -> Score:
    falls = row.get("falls") or []
    return Score(
        row["problem"], row["solver"], row["ending"], row["said"],
        evaluations=row.get("evaluations", 0),
        hessians=row.get("hessians", 0),
        solved=next((k for k, f in falls if f <= enough), None),
        small=row.get("small"),
        within=row.get("within"),
        f=falls[-1][1] if falls else math.inf,
        best=best,
        gmax=row.get("gmax", math.inf),
        dtype=row.get("dtype", ""),
        digits=row.get("digits"),
    )  # fmt: skip
