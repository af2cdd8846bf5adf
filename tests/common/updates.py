"""What a rule subtracts at every step, seen apart from where the parameters have got to."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from arrayopt.core.rule import Rule
from arrayopt.core.state import State


def updates(rule: Rule, gradients: Any, state: State | None = None) -> np.ndarray:
    """Return the displacements -(p_t - p_{t-1}), with the parameters put back to zero before every step."""
    zero = np.zeros_like(gradients[0])
    state = rule.init(zero) if state is None else state
    found = []
    for g in gradients:
        after, state = rule.update(g, state, zero)
        found.append(-after)
    return np.array(found)


def final_state(rule: Rule, gradients: Sequence[Any]) -> State:
    """Return the state after the gradients, with the parameters kept at zero."""
    zero = np.zeros_like(gradients[0])
    state = rule.init(zero)
    for g in gradients:
        _, state = rule.update(g, state, zero)
    return state


def weights(beta: float, t: int) -> np.ndarray:
    """Return the weights of g_1 ... g_t in a running mean that starts at zero; they sum to 1 - beta^t."""
    return (1 - beta) * beta ** np.arange(t - 1, -1, -1.0)
