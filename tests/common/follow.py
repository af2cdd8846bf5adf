"""Run a rule along given gradients and compare the displacements, relatively."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from arrayopt.core.rule import Rule

P0 = np.array([1.5, -2.0, 0.25])
"""The parameters that every hand computation starts from."""
GRADIENTS = np.array([[0.5, -1.0, 2.0], [-0.25, 3.0, 1.0]])
"""The two gradients of every hand computation."""


def follow(rule: Rule, p0: Any, gradients: Any) -> list[Any]:
    """Return the parameters after each step of `rule` on the given gradients."""
    params, state, path = p0, rule.init(p0), []
    for g in gradients:
        params, state = rule.update(g, state, params)
        path.append(params)
    return path


def assert_displacements(actual: Sequence[Any], expected: Sequence[Any], p0: Any, rel: float = 1e-14) -> None:
    """Assert p_t - p_0 equal to `rel` of the largest expected displacement, step by step."""
    assert len(actual) == len(expected)
    for t, (a, e) in enumerate(zip(actual, expected, strict=True), 1):
        moved = np.asarray(e, dtype=float) - np.asarray(p0)
        error = np.max(np.abs(np.asarray(a) - np.asarray(e, dtype=float)))
        assert error <= rel * max(np.max(np.abs(moved)), np.max(np.abs(p0))), f"step {t}: {a} != {e}"
