"""Interleaved timing: each round takes every alternative once, in an order of its own, and only ratios of the same
round are formed, so that what else goes on in the machine falls on both sides."""

import contextlib
import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Run = Callable[[], object]
Clock = Callable[[], float]

LEAST = 1e-3
"""Seconds that a sample lasts at least: quick calls are repeated."""
WARM = 0.02
"""Seconds of a call beyond which an untimed one before each sample would warm nothing."""
SLOW = 0.3
"""Seconds of a call beyond which an alternative takes part in a few rounds only."""
FEW = 5
REST = 0.01
"""Seconds before each sample, in which the threads of the library timed before it stop spinning: OpenMP's wait busily
for some milliseconds after their last loop, and would hold a core that the next alternative should have."""


@dataclass(frozen=True)
class Samples:
    """Seconds a call by alternative and round; None where a slow alternative sat a round out."""

    seconds: Mapping[str, list[float | None]]
    waited: float | None
    """Part of the time in which this process was ready to run and something else ran; None where nobody counts it."""

    def median(self, way: str) -> float:
        return statistics.median(x for x in self.seconds[way] if x is not None)

    def ratio(self, way: str, against: str) -> float:
        """Return the median of the ratios of one round."""
        pairs = zip(self.seconds[way], self.seconds[against], strict=True)
        return statistics.median(a / b for a, b in pairs if a is not None and b is not None)


def measure(ways: Mapping[str, Run], rounds: int, seed: int = 0, clock: Clock = time.perf_counter) -> Samples:
    """Time the alternatives in `rounds` shuffled rounds."""
    calls, taken, warms = {}, {}, {}
    for name, run in ways.items():
        once = _timed(run, 1, True, clock)
        warms[name] = once < WARM
        calls[name] = max(1, min(1000, round(LEAST / max(once, 1e-7) + 0.5)))
        taken[name] = min(rounds, FEW) if once > SLOW else rounds
    shuffle = random.Random(seed)
    seconds: dict[str, list[float | None]] = {name: [] for name in ways}
    began, waiting = clock(), _waited()
    for n in range(rounds):
        for name in shuffle.sample(list(ways), len(ways)):
            seconds[name].append(_timed(ways[name], calls[name], warms[name], clock) if n < taken[name] else None)
    now = _waited()
    part = None if waiting is None or now is None else (now - waiting) / max(clock() - began, 1e-9)
    return Samples(seconds, part)


def _timed(run: Run, calls: int, warm: bool, clock: Clock) -> float:
    time.sleep(REST)
    if warm:
        run()
    collects = gc.isenabled()
    gc.disable()
    try:
        began = clock()
        for _ in range(calls):
            run()
        return (clock() - began) / calls
    finally:
        if collects:
            gc.enable()


def _waited() -> float | None:
    """Return the seconds that the main thread has waited for a core; Linux alone tells."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/schedstat").read_text().split()[1]) * 1e-9
    return None
