"""Seconds of ask and tell, against pycma: rounds in turns, and the median of the ratios of one round."""

import random
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

DIMENSIONS = (10, 40, 100)
WARM = 10
GENERATIONS = 40

Timed = Callable[[int, int], float]
"""(n, seed) -> seconds a generation of ask and tell; the objective is not counted."""


@dataclass(frozen=True)
class Cell:
    """A way in n dimensions: microseconds a generation, and how many times as fast as pycma it is."""

    n: int
    way: str
    microseconds: float
    faster: float

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def ellipsoid(n: int) -> Callable[[Any], Any]:
    w = 1e3 ** (np.arange(n) / (n - 1))
    return lambda x: (np.asarray(x) ** 2 * w).sum(axis=-1)


def ours(n: int, seed: int, lazy: float = 1.0) -> float:
    from arrayopt.sampling import CMAES

    f, method = ellipsoid(n), CMAES(sigma=1.0, lazy=lazy)
    state, taken = method.init(np.full(n, 3.0), seed), 0.0
    for t in range(WARM + GENERATIONS):
        began = time.perf_counter()
        x = method.ask(state)
        asked = time.perf_counter()
        values = f(x)
        told = time.perf_counter()
        state = method.tell(state, x, values)
        if t >= WARM:
            taken += time.perf_counter() - told + asked - began
    return taken / GENERATIONS


def pycma(n: int, seed: int) -> float:
    import cma

    f, taken = ellipsoid(n), 0.0
    es = cma.CMAEvolutionStrategy(np.full(n, 3.0), 1.0, {"verbose": -9, "seed": seed + 1})
    for t in range(WARM + GENERATIONS):
        began = time.perf_counter()
        x = es.ask()
        asked = time.perf_counter()
        values = f(x).tolist()
        told = time.perf_counter()
        es.tell(x, values)
        if t >= WARM:
            taken += time.perf_counter() - told + asked - began
    return taken / GENERATIONS


WAYS: dict[str, Timed] = {
    "ours": ours,
    "ours, lazy = 5": lambda n, seed: ours(n, seed, 5.0),
    "pycma": pycma,
}


def cells(
    rounds: int, dimensions: tuple[int, ...] = DIMENSIONS, ways: dict[str, Timed] | None = None
) -> Iterator[Cell]:
    """Yield a cell for each dimension and way."""
    ways, shuffle = WAYS if ways is None else ways, random.Random(0)
    for n in dimensions:
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for seed in range(rounds):
            for way in shuffle.sample(list(ways), len(ways)):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    taken[way].append(ways[way](n, seed))
        for way, mine in taken.items():
            ratios = [a / b for a, b in zip(taken["pycma"], mine, strict=True)]
            yield Cell(n, way, round(1e6 * statistics.median(mine), 1), round(statistics.median(ratios), 3))
