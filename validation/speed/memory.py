"""Memory: state per parameter, and what a step takes beside the arrays that it is given."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from arrayopt import BackendError, inplace
from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.firstorder import RULES
from arrayopt.readers.cost import cost

SHAPE, SMALL = (1024, 1024), (128, 128)
"""Of the leaf; the small one for rules that decompose matrices, which takes seconds at the large one."""
DECOMPOSES = ("Shampoo",)


@dataclass(frozen=True)
class Memory:
    """What one rule takes by one engine with two threads.

    `state` is in bytes per parameter as made by `init`, `documented` as the tape has it. `held` is the scratch that a
    stepper keeps, `peak` the most that was allocated at any time of the first three steps, both without the state;
    `later` is the peak of one more step alone. In bytes.
    """

    rule: str
    engine: str
    shape: tuple[int, ...]
    state: float
    documented: float
    held: int | None
    peak: int | None
    later: int | None
    reason: str = ""


def memory(scale: float = 1.0) -> Iterator[Memory]:
    """Measure every rule."""
    for cls in RULES:
        shape = SMALL if cls.__name__ in DECOMPOSES else SHAPE
        shape = tuple(max(4, round(n * scale**0.5)) for n in shape)
        for engine in ("numpy", "numba"):
            yield measure(cls(), shape, engine)


def measure(rule: Rule, shape: tuple[int, ...], engine: Any) -> Memory:
    """Measure one rule."""
    rng = np.random.default_rng(0)
    p, *grads = (rng.standard_normal(shape, dtype=np.float32) for _ in range(5))
    state = rule.init(p)
    size = sum(x.nbytes for by in state.slots.values() for x in by.values()) / p.size
    documented = p.itemsize * cost(rule, Leaf("", shape, "float32")).slots
    name = type(rule).__name__
    try:
        stepper = inplace(rule, threads=2, engine=engine)
    except BackendError as error:
        return Memory(name, engine, shape, size, documented, None, None, None, str(error))
    warm, q = inplace(rule, threads=2, engine=engine), p.copy()
    warm.update(grads[0], warm.init(q), q)  # compiles, and fills what is kept for all steppers
    tracemalloc.start()
    try:
        for g in grads[:3]:
            _, state = stepper.update(g, state, p)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        stepper.update(grads[3], state, p)
        later = tracemalloc.get_traced_memory()[1] - held
    finally:
        tracemalloc.stop()
    return Memory(name, engine, shape, size, documented, held, peak, max(0, later))
