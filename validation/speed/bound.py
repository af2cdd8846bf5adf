"""The fused-traffic bound: a compiled loop that reads and writes what a fused step does and hardly computes."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.readers.blocks import threads
from arrayopt.readers.cost import cost


def streams(rule: Rule, size: int) -> tuple[int, int]:
    """Return how many arrays of a leaf's size a fused step reads and writes, of a leaf that is a vector."""
    found = cost(rule, Leaf("w", (size,), "float32"))
    return round(found.reads), round(found.writes)


def bound(rule: Rule, size: int, count: int) -> Callable[[], None] | str:
    """Return the loop on arrays of its own, by `count` threads; what it lacks where it cannot be."""
    try:
        import numba
    except ImportError:
        return "numba is not installed"
    reads, writes = streams(rule, size)
    if (reads, writes) not in LOOPS:
        return f"no loop of {reads} reads and {writes} writes"
    loop: Any = numba.njit(nogil=True)(LOOPS[reads, writes])
    arrays = [np.full(size, 0.5, np.float32) for _ in range(reads)]
    cuts = [size * k // count for k in range(count + 1)]
    parts = [[x[i:j] for x in arrays] for i, j in pairwise(cuts)]
    jobs = [[lambda part=part: loop(*part)] for part in parts]
    return lambda: threads.run(jobs)


def _three_two(g, p, m):
    for i in range(g.size):
        old = p[i]
        p[i] = g[i] - m[i]
        m[i] = old


def _four_three(g, p, m, v):
    for i in range(g.size):
        old = p[i]
        p[i] = g[i] - m[i]
        m[i] = v[i]
        v[i] = old


LOOPS = {(3, 2): _three_two, (4, 3): _four_three}
"""By reads and writes. Values go round and stay bounded, so that no compiler can leave a write out."""
