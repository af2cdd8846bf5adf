"""The rounding reader: a rule run on numbers that carry a bound of their own rounding error.

The arithmetic is that of `arrayopt.readers.bounded`. Numbers of `h` are exact where they are
hyper-parameters. Those that `scalars` derives from them carry the rounding of their derivation: a bias
correction 1 - beta**t in float32 is wrong by 1e-5 at beta = 0.999.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from arrayopt.core import options, trees
from arrayopt.core.optimizer import PerLeaf
from arrayopt.core.rule import Rule
from arrayopt.core.state import State
from arrayopt.core.trees import Leaf, Tree
from arrayopt.errors import OptionError
from arrayopt.readers.bounded import DOUBLE, NAMESPACE, Bounded, Scalar

NUDGE = 2.0**-26
"""Relative step of the difference quotients of scalars: the root of the unit roundoff."""


@dataclass(frozen=True)
class Tracked:
    """Parameters and slots with their bounds after `t` steps."""

    t: int
    params: dict[str, Bounded]
    slots: dict[str, dict[str, Bounded]]


@dataclass(frozen=True)
class Rounding:
    """A rule bound to the rounding reader.

    Parameters
    ----------
    rule : Rule
        The rule to analyse.
    scalar_unit : float
        Unit roundoff of the arithmetic that derives scalars such as bias corrections: `DOUBLE` or `SINGLE`.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import Adam
    >>> reader, params = Rounding(Adam(lr=0.1)), np.array([1.0, -2.0], dtype=np.float32)
    >>> after = reader.step(np.array([0.3, 1e-3], dtype=np.float32), reader.start(params))
    >>> after.params[""].bound < 2e-7
    array([ True,  True])
    """

    rule: PerLeaf
    scalar_unit: float = DOUBLE

    def start(self, params: Tree, state: State | None = None) -> Tracked:
        """Take parameters, and a state if not the initial one, as exact."""
        state = self.rule.init(params) if state is None else state
        leaves, _ = trees.flatten(params, "params")
        slots = {s: {path: Bounded.exact(x) for path, x in by.items()} for s, by in state.slots.items()}
        return Tracked(state.t, {path: Bounded.exact(p) for path, p in leaves.items()}, slots)

    def step(self, grads: Tree, tracked: Tracked) -> Tracked:
        """Take one step. Gradients have the dtype of the parameters; they are exact, or carry a bound already."""
        bounded = isinstance(grads, dict) and all(isinstance(g, Bounded) for g in grads.values())
        gradients = grads if bounded else {k: Bounded.exact(g) for k, g in trees.flatten(grads, "grads")[0].items()}
        t = tracked.t + 1
        params: dict[str, Bounded] = {}
        slots: dict[str, dict[str, Bounded]] = {s: {} for s in tracked.slots}
        for path, p in tracked.params.items():
            leaf = trees.describe(path, p.value)
            rule = self.rule.for_leaf(leaf)
            h = SimpleNamespace(**_scalars(rule, t, leaf, self.scalar_unit))
            before = {s: by[path] for s, by in tracked.slots.items() if path in by}
            with np.errstate(all="ignore"):
                params[path], after = rule.step(NAMESPACE, h, gradients[path], p, **before)
            for s, x in after.items():
                if x is not None:
                    slots[s][path] = x
        return Tracked(t, params, slots)


def _scalars(rule: Rule, t: int, leaf: Leaf, unit: float) -> dict[str, Any]:
    """Return `h` with every derived float as a Scalar whose error is its sensitivity to rounded inputs."""
    names = options.numbers(type(rule))
    h = rule.numbers_at(t, leaf)
    bounds = {k: 4 * unit * abs(v) for k, v in h.items() if isinstance(v, float) and k not in names}
    for name in names:
        nudged = _nudged(rule, name)
        moved = {} if nudged is None else nudged.numbers_at(t, leaf)
        for k in bounds:
            change = abs(moved[k] - h[k]) if isinstance(moved.get(k), float) else 0.0
            bounds[k] += change / NUDGE * unit if math.isfinite(change) else math.inf
    return {k: Scalar(v, bounds.get(k, 0.0)) if isinstance(v, float) else v for k, v in h.items()}


def _nudged(rule: Rule, name: str) -> Rule | None:
    """Return the rule with a number larger by the factor 1 + `NUDGE`, at every step; None where that is no rule."""
    number = getattr(rule, name)
    if number == 0:
        return None
    larger = (lambda t: number(t) * (1 + NUDGE)) if callable(number) else number * (1 + NUDGE)
    try:
        return rule.replace(**{name: larger})
    except OptionError:
        return None
