"""Random projection and CAN against what others do: `python -m validation.sketch [--rounds N] [--json FILE]`.

- `randomized_svd` with two power iterations against scikit-learn's with n_iter=2: time, and error over the optimal one.
- `can` against the article's algorithm, which loops over the uncertain samples: time, and the greatest difference.

One process, one thread (set OMP_NUM_THREADS=1), shuffled rounds, medians of ratios of one round. The exit status is 0
if every target is reached.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from arrayopt.core.results import write_json
from arrayopt.learn import can, top_k_entropy
from arrayopt.sketch import randomized_svd
from tests.learn.oracle import loop, predictions
from validation.problems import page, results
from validation.problems.overhead import measure, ratio

ROUNDS = 31
"""Odd, and enough that the median holds still where other processes share the cores."""
LOOP_ROUNDS = 15
"""Of CAN, whose loop takes a second or more; of few rounds one that is interrupted would decide."""
REPEATED = 20
"""How often a round runs `can`, which takes milliseconds."""
SAMPLES, CLASSES = 4000, 119


@dataclass(frozen=True)
class Matrix:
    """A matrix with singular values that fall as j^-slope, and the rank that is asked for."""

    m: int
    n: int
    slope: float
    rank: int

    @property
    def name(self) -> str:
        return f"svd {self.m}x{self.n}, j^-{self.slope:g}, rank {self.rank}"

    def singular(self) -> np.ndarray:
        return np.arange(1.0, min(self.m, self.n) + 1) ** -self.slope

    def values(self) -> np.ndarray:
        rng, s = np.random.default_rng(1000), self.singular()
        u, v = (np.linalg.qr(rng.standard_normal((size, s.size)))[0] for size in (self.m, self.n))
        return u * s @ v.T


MATRICES = (
    Matrix(500, 500, 1.0, 10),
    Matrix(2000, 1000, 0.5, 20),
    Matrix(1000, 2000, 1.0, 20),
    Matrix(2000, 1000, 1.0, 100),
    Matrix(10000, 300, 1.0, 20),
)


@dataclass(frozen=True)
class Outcome:
    """A number that was measured, and what it was to be."""

    what: str
    wanted: str
    found: float
    reached: bool
    spread: tuple[float, float] | None = None
    """The quartiles of what `found` is the median of: wide where the machine was busy."""


def seconds_of(run: Callable[[], object], times: int = 1) -> float:
    """Return the seconds that one run takes."""
    began = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - began) / times


def quartiles(seconds: Mapping[str, Sequence[float]], way: str, against: str) -> tuple[float, float]:
    """Return those of the ratios of one round."""
    ratios = [a / b for a, b in zip(seconds[way], seconds[against], strict=True)]
    low, _, high = np.quantile(ratios, [0.25, 0.5, 0.75]).tolist()
    return low, high


def theirs(a: np.ndarray, rank: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.utils.extmath import randomized_svd as sklearns

    return sklearns(a, rank, n_iter=2, random_state=seed)


def svd_outcomes(matrix: Matrix, rounds: int) -> tuple[list[Outcome], dict[str, list[float]]]:
    a, tail = matrix.values(), matrix.singular()[matrix.rank :]
    best = float(np.sqrt(tail @ tail))
    seed, errors = iter(range(10**9)), {"ours": 0.0, "scikit-learn": 0.0}
    decompositions = {
        "ours": lambda s: randomized_svd(a, matrix.rank, power_iterations=2, rng=s),
        "scikit-learn": lambda s: theirs(a, matrix.rank, s),
    }
    for name, decompose in decompositions.items():
        for s in range(3):
            u, values, vt = decompose(s)
            errors[name] = max(errors[name], float(np.linalg.norm(a - u * values @ vt)) / best)

    def way(decompose: Callable[[int], object]) -> Callable[[], float]:
        return lambda: seconds_of(lambda: decompose(next(seed)))

    seconds = measure({name: way(f) for name, f in decompositions.items()}, rounds)
    found, spread = ratio(seconds, "ours", "scikit-learn"), quartiles(seconds, "ours", "scikit-learn")
    return [
        Outcome(f"{matrix.name}: time over scikit-learn's", "<= 1.1", found, found <= 1.1, spread),
        Outcome(f"{matrix.name}: error over the optimal", "<= 1.01", errors["ours"], errors["ours"] <= 1.01),
        Outcome(f"{matrix.name}: scikit-learn's error over it", "", errors["scikit-learn"], True),
    ], seconds


def can_outcomes(rounds: int) -> tuple[list[Outcome], dict[str, list[float]]]:
    p, prior = predictions(np.random.default_rng(0), SAMPLES, CLASSES)
    uncertain = int((top_k_entropy(p) >= 0.9).sum())
    far = float(np.abs(can(p, prior) - loop(p, prior)).max())
    ways: Mapping[str, Callable[[], float]] = {
        "loop": lambda: seconds_of(lambda: loop(p, prior)),
        "can": lambda: seconds_of(lambda: can(p, prior), REPEATED),
    }
    seconds = measure(ways, rounds)
    found, spread = ratio(seconds, "loop", "can"), quartiles(seconds, "loop", "can")
    what = f"can {SAMPLES}x{CLASSES}, {uncertain} uncertain"
    return [
        Outcome(f"{what}: times faster than the loop", ">= 500", found, found >= 500, spread),
        Outcome(f"{what}: greatest difference", "<= 1e-15", far, far <= 1e-15),
    ], seconds


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.sketch", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="the beginning of the names of cells")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes and times to this file")
    given = parser.parse_args(arguments)
    cells: dict[str, Callable[[], tuple[list[Outcome], dict[str, list[float]]]]] = {
        m.name: lambda m=m: svd_outcomes(m, given.rounds) for m in MATRICES
    }
    cells["can"] = lambda: can_outcomes(min(given.rounds, LOOP_ROUNDS))
    chosen = {name: run for name, run in cells.items() if name.startswith(given.only)}
    if not chosen:
        parser.error(f"--only: no cell begins with {given.only!r}; there are {', '.join(cells)}")
    outcomes: list[Outcome] = []
    seconds: dict[str, dict[str, list[float]]] = {}
    for name, run in chosen.items():
        found, seconds[name] = run()
        outcomes += found
    rows = [["what", "wanted", "found", "quartiles", "outcome"]]
    for o in outcomes:
        judged = "" if not o.wanted else "reached" if o.reached else "missed"
        spread = "" if o.spread is None else " to ".join(f"{x:.3g}" for x in o.spread)
        rows.append([o.what, o.wanted, f"{o.found:.5g}", spread, judged])
    print(page.plain(rows))
    if given.json is not None:
        told = {"about": results.releases(), "outcomes": [asdict(o) for o in outcomes], "seconds": seconds}
        write_json(given.json, told)
    return 0 if all(o.reached for o in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
