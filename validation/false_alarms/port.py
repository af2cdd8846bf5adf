"""A port: an order of operations as the candidate that `check` takes."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from arrayopt.conformance import Candidate
from arrayopt.core import options
from arrayopt.core.rule import Rule
from validation.false_alarms.precision import Half, as_in, dtype_in, single

Slots = dict[str, Any]
Step = Callable[[SimpleNamespace, int, Any, Any, Slots], Any]


@dataclass(frozen=True)
class Order:
    """One way to compute a rule, for one leaf.

    `step(h, t, g, p, s)` returns the new parameter. It may write into `p` and into the slots `s`, but not into the
    gradient. `start(h, p)` makes the slots. `without` are numbers of the rule that it does not take.
    """

    name: str
    step: Step
    start: Callable[[SimpleNamespace, Any], Slots]
    without: tuple[str, ...] = ()


def zeros(*names: str) -> Callable[[SimpleNamespace, Any], Slots]:
    """Start slots of the parameter's shape at zero."""
    return lambda h, p: {name: np.zeros_like(p) for name in names}


class Port:
    """A run of an order of operations on all leaves."""

    def __init__(self, order: Order, precision: str, params: dict[str, np.ndarray], hyper: dict[str, float]) -> None:
        self.order, self.h, self.t = order, SimpleNamespace(**hyper), 0
        self.fused = precision == "bfloat16 in float32"
        self.params = {k: p.view(Half) if precision == "bfloat16" else p for k, p in params.items()}
        self.slots = {k: order.start(self.h, p) for k, p in self.params.items()}

    def set(self, lr: float) -> None:
        self.h.lr = lr

    def step(self, grads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.t += 1
        for k, g in grads.items():
            if g.size:  # nothing has no mean
                self.params[k] = (self._fused if self.fused else self._plain)(k, g)
        return self.params

    def save(self) -> Any:
        return copy.deepcopy((self.params, self.slots, self.t))

    def load(self, state: Any) -> None:
        self.params, self.slots, self.t = copy.deepcopy(state)

    def _plain(self, k: str, g: np.ndarray) -> Any:
        p = self.params[k]
        return self.order.step(self.h, self.t, g.view(Half) if isinstance(p, Half) else g, p, self.slots[k])

    def _fused(self, k: str, g: np.ndarray) -> Any:
        before, p = self.slots[k], self.params[k]
        after = {name: single(x) for name, x in before.items()}
        moved = self.order.step(self.h, self.t, single(g), single(p), after)
        self.slots[k] = {name: as_in(x, before[name]) for name, x in after.items()}
        return as_in(moved, p)


def candidate(rule: type[Rule], order: Order, precision: str) -> Candidate:
    """Return an order of operations as a candidate that declares the numbers of its rule."""
    hyper = tuple(k for k in options.numbers(rule) if k not in order.without)

    def make(params: dict[str, np.ndarray], **given: float) -> Port:
        return Port(order, precision, params, given)

    return Candidate(f"{rule.__name__}, {order.name}, {precision}", make, hyper, dtype=dtype_in(precision))
