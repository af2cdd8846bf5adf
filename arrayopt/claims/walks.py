"""What claims about rules share: walks on given gradients, and how far two walks are apart."""

from typing import Any

from arrayopt.backend import Array, namespace
from arrayopt.claims.domain import DTYPES, Element, Integer, Numbers, Real
from arrayopt.core.optimizer import Optimizer
from arrayopt.core.state import State

WALK: dict[str, Element] = {
    "dtype": DTYPES, "steps": Integer(1, 5), "n": Integer(1, 3), "p": Numbers(("n",), dtype="dtype"),
    "g": Numbers(("steps", "n"), dtype="dtype"),
}  # fmt: skip
"""Parameters, and the gradients of some steps."""
LR = Real(1e-3, 1.0, log=True)
MU = Real(0.0, 0.95)


def follow(rule: Optimizer, p: Array, gradients: Any) -> list[Array]:
    """Return the parameters after each step of a rule on given gradients."""
    state, path = rule.init(p), []
    for t in range(len(gradients) if isinstance(gradients, list) else gradients.shape[0]):
        p, state = rule.update(_of(gradients, t), state, p)
        path.append(p)
    return path


def states(rule: Optimizer, gradients: Any) -> list[State]:
    """Return the state after each step, at parameters that are held at zero."""
    zero = 0 * _of(gradients, 0)
    state, found = rule.init(zero), []
    for t in range(len(gradients) if isinstance(gradients, list) else gradients.shape[0]):
        _, state = rule.update(_of(gradients, t), state, zero)
        found.append(state)
    return found


def updates(rule: Optimizer, gradients: Any, state: State | None = None) -> list[Array]:
    """Return what each step subtracts from parameters that are held at zero."""
    zero = 0 * _of(gradients, 0)
    state, found = rule.init(zero) if state is None else state, []
    for t in range(len(gradients) if isinstance(gradients, list) else gradients.shape[0]):
        after, state = rule.update(_of(gradients, t), state, zero)
        found.append(-after)
    return found


def slot(state: State, name: str) -> Array:
    """Return a slot of the only leaf."""
    return state.slots[name][""]


def away(x: Array, by: float = 0.1) -> Array:
    """Push entries away from zero."""
    xp = namespace(x)
    return x + by * (2 * xp.astype(x >= 0, x.dtype) - 1)


def whole(x: Array) -> Array:
    """Round to whole numbers: with powers of two beside them nothing is ever rounded again."""
    return namespace(x).round(x)


def _of(gradients: Any, t: int) -> Array:
    return gradients[t] if isinstance(gradients, list) else gradients[t, ...]
