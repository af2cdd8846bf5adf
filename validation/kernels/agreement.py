"""How far steps on a device are from the pure rule on NumPy, in ulps and in bounds of the rounding reader."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from arrayopt.core.rule import Rule
from arrayopt.core.state import State
from arrayopt.core.trees import Leaf
from arrayopt.readers.kernel.engine import Engine
from arrayopt.readers.kernel.parts import Whole
from arrayopt.readers.kernel.source import CHUNK
from arrayopt.readers.rounding import Rounding
from tests.common.rules import accepts, arrays
from validation.kernels.cases import SHAPES, STEPS, programs

LARGE = {"large": (2 * CHUNK + 3,), "matrix": (130, 140), "empty": (0, 3)}
MOST = 1 << 20
"""Elements of the largest slot."""


@dataclass(frozen=True)
class Agreement:
    """The largest differences of parameters and slots after one step from the same state.

    A rule of elementwise operations has to agree to the bit. Sums and matrix products depend on their order: both
    results are within one bound of the exact one, so their difference is within two.
    """

    rule: str
    dtype: str
    elementwise: bool
    ulps: float
    bounds: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is one that may be."""
        return self.ulps == 0 if self.elementwise else self.bounds <= 2


def leaves_for(rule: Rule) -> dict[str, tuple[int, ...]]:
    """Return the shapes that a rule takes, but for those with slots that are huge: Shampoo's are squares of axes."""
    fitting = {k: s for k, s in {**SHAPES, **LARGE}.items() if accepts(rule, s)}
    return {k: s for k, s in fitting.items()
            if all(math.prod(x) <= MOST for x in rule.slot_shapes(Leaf(k, s, "float32")).values())}  # fmt: skip


def agreement(
    rule: Rule, dtype: str, engine: Engine, put: Callable[[np.ndarray], Any], get: Callable[[Any], np.ndarray]
) -> Agreement:
    """Take a few steps, every one from the state that the pure rule has reached."""
    shapes = leaves_for(rule)
    params = {k: arrays(s, dtype, 1, seed=i)[0] for i, (k, s) in enumerate(shapes.items())}
    state, reader = rule.init(params), Rounding(rule)
    ulps = bounds = 0.0
    there = {k: put(p) for k, p in params.items()}
    slots = {s: {k: put(x) for k, x in by.items()} for s, by in state.slots.items()}
    step = engine.prepare(rule, there, slots)
    for t in STEPS:
        grads = {k: arrays(p.shape, dtype, 1, seed=100 * t + i)[0] for i, (k, p) in enumerate(params.items())}
        for k, p in params.items():
            there[k][...] = put(p)
        for s, by in state.slots.items():
            for k, x in by.items():
                slots[s][k][...] = put(x)
        with np.errstate(all="ignore"):
            tracked = reader.step(grads, reader.start(params, State(t - 1, state.slots)))
            params, state = rule.update(grads, state, params)
        step(t, [put(g) for g in grads.values()])
        pairs = [(p, get(there[k]), tracked.params[k].bound) for k, p in params.items()]
        pairs += [(x, get(slots[s][k]), tracked.slots[s][k].bound) for s, by in state.slots.items()
                  for k, x in by.items()]  # fmt: skip
        for expected, actual, bound in pairs:
            ulps = max(ulps, _ulps(expected, actual))
            bounds = max(bounds, _in_bounds(expected, actual, bound))
    elementwise = not any(isinstance(part, Whole) for p in programs(rule, dtype) for part in p.parts)
    return Agreement(type(rule).__name__, dtype, elementwise, ulps, bounds)


def _off(expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
    with np.errstate(all="ignore"):
        off = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    off = np.where(np.isnan(off), np.inf, off)
    return np.where(same, 0.0, off)


def _ulps(expected: np.ndarray, actual: np.ndarray) -> float:
    with np.errstate(all="ignore"):
        spacing = np.spacing(np.abs(expected)).astype(np.float64)
        return float(np.max(np.where((off := _off(expected, actual)) == 0, 0.0, off / spacing), initial=0.0))


def _in_bounds(expected: np.ndarray, actual: np.ndarray, bound: Any) -> float:
    off = _off(expected, actual)
    bound = np.broadcast_to(np.asarray(bound, np.float64), off.shape)
    with np.errstate(all="ignore"):
        return float(np.max(np.where((off == 0) | ~np.isfinite(bound), 0.0, off / bound), initial=0.0))
