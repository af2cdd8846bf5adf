"""CMA-ES and pycma on the BBOB functions: the same starts, step-sizes, budgets and restarts, and one counter."""

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

FUNCTIONS = 24
SIGMA = 2.0
HALF_WIDTH = 4.0
RESTARTS = 9


@dataclass(frozen=True)
class Run:
    """One solver on one problem: the evaluations that reached the target 1e-8, None if the budget did not."""

    function: int
    instance: int
    seed: int
    solver: str
    solved: int | None
    evaluations: int
    seconds: float

    @property
    def key(self) -> tuple[int, int, int]:
        return self.function, self.instance, self.seed

    def plain(self) -> dict[str, Any]:
        return asdict(self)


class DoneError(Exception):
    """The target is reached, or the budget is spent."""


class Counter:
    """A BBOB problem that counts, and ends a run."""

    def __init__(self, problem: Any, budget: int) -> None:
        self.problem, self.budget, self.evaluations = problem, budget, 0

    def __call__(self, x: Any) -> float:
        if self.problem.final_target_hit or self.evaluations >= self.budget:
            raise DoneError
        self.evaluations += 1
        return float(self.problem(x))


def ours(f: Callable[[Any], float], x0: Any, seed: int, edition: str = "2016") -> None:
    from arrayopt.sampling import CMAES, Restarted

    method = Restarted(method=CMAES(sigma=SIGMA, edition=edition), restarts=RESTARTS)
    state = method.init(x0, seed)
    while not method.stopped(state):
        x = method.ask(state)
        state = method.tell(state, x, np.array([f(row) for row in x]))


def pycma(f: Callable[[Any], float], x0: Any, seed: int) -> None:
    import cma

    quiet = {"verbose": -9, "verb_log": 0, "signals_filename": None, "seed": seed + 1}  # 0 stands for the clock
    cma.fmin2(f, x0, SIGMA, quiet, restarts=RESTARTS, incpopsize=2)


SOLVERS: dict[str, Callable[[Callable[[Any], float], Any, int], None]] = {
    "ours": ours,
    "ours 2023": lambda f, x0, seed: ours(f, x0, seed, "2023"),
    "pycma": pycma,
}


def runs(
    functions: Iterable[int], instances: Iterable[int], seeds: Iterable[int], n: int, budget: int
) -> Iterator[Run]:
    """Yield a run of every solver on every problem."""
    import cocoex

    for instance in instances:
        for function in functions:
            for seed in seeds:
                for name, solve in SOLVERS.items():
                    suite = cocoex.Suite(
                        "bbob", f"instances: {instance}", f"dimensions: {n} function_indices: {function}"
                    )
                    counter = Counter(suite[0], budget)
                    start = np.random.default_rng([function, instance, seed]).uniform(-HALF_WIDTH, HALF_WIDTH, n)
                    began = time.process_time()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        with contextlib.suppress(DoneError):
                            solve(counter, start, seed)
                    seconds = round(time.process_time() - began, 3)
                    solved = counter.evaluations if counter.problem.final_target_hit else None
                    yield Run(function, instance, seed, name, solved, counter.evaluations, seconds)


def score(found: Iterable[Run], solver: str, against: str = "pycma") -> dict[str, Any]:
    """Return how many problems a solver solves, and its evaluations over the other's where both do."""
    by = {(r.solver, r.key): r for r in found}
    mine = {key: r for (s, key), r in by.items() if s == solver}
    both = [
        math.log(r.solved / by[against, key].solved)
        for key, r in mine.items()
        if r.solved is not None and (against, key) in by and by[against, key].solved is not None
    ]
    return {
        "solver": solver,
        "runs": len(mine),
        "solved": sum(r.solved is not None for r in mine.values()),
        "ratio": math.exp(math.fsum(both) / len(both)) if both else None,
        "error": float(np.std(both) / math.sqrt(len(both))) if len(both) > 1 else None,
        "both": len(both),
        "seconds": round(sum(r.seconds for r in mine.values()), 1),
    }
