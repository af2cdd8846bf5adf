"""Threads for the in-place readers: one pool a process, and a count that is found by trying.

NumPy's ufuncs and the compiled loops release the interpreter lock, so threads share the memory's bandwidth. How many
pay depends on the machine, its load and the rule, so nothing is assumed: the first steps of a stepper are taken with
1, 2, 4, ... threads, up to the cores the process may use, and the count whose fastest step was fastest stays. The
results do not depend on it, and no step is taken twice.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

Job = Callable[[], None]

TRIALS = 4
"""Steps per count while it is being chosen; the first one warms caches and is not counted."""
GAIN = 0.95
"""More threads must take at most this part of the time of fewer, or they are not worth their noise."""

_pool: ThreadPoolExecutor | None = None


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _forget() -> None:
    global _pool
    _pool = None  # its threads did not survive the fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run(lists: Sequence[Sequence[Job]]) -> None:
    """Run lists of jobs side by side, the first in this thread; raise what the first failing job raised."""
    if len(lists) > 1:
        global _pool
        if _pool is None or _pool._max_workers < len(lists) - 1:
            _pool = ThreadPoolExecutor(max(len(lists) - 1, cores() - 1), thread_name_prefix="arrayopt")
        errors = np.geterr()  # of this thread: NumPy keeps it by thread
        others = [_pool.submit(_run, jobs, errors) for jobs in lists[1:]]
        try:
            for job in lists[0]:
                job()
        finally:
            waited = [other.exception() for other in others]
        for error in waited:
            if error is not None:
                raise error
    else:
        for job in lists[0]:
            job()


def _run(jobs: Sequence[Job], errors: Any) -> None:
    with np.errstate(**errors):
        for job in jobs:
            job()


class Trial:
    """Finds the count of threads: ask `count` before each step, tell `took` how long it took."""

    def __init__(self, most: int) -> None:
        self._most, self.count, self.settled = most, 1, most <= 1
        self._times: list[float] = []
        self._best = (float("inf"), 1)

    def took(self, seconds: float) -> None:
        """Note the time of a step with `count` threads, and settle or try more."""
        self._times.append(seconds)
        if len(self._times) < TRIALS:
            return
        fastest, self._times = min(self._times[1:]), []
        better = fastest < self._best[0] * (GAIN if self.count > 1 else 1.0)
        if better:
            self._best = fastest, self.count
        if better and self.count < self._most:
            self.count = min(2 * self.count, self._most)
        else:
            self.count, self.settled = self._best[1], True


clock = time.perf_counter
