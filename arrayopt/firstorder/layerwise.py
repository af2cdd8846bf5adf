"""What the rules that measure a whole leaf share: its root mean square, and when the decay is taken."""

from types import SimpleNamespace
from typing import Any

from arrayopt.backend import Array, Namespace
from arrayopt.core.rule import Rule


def rms(xp: Namespace, x: Array, **axes: Any) -> Array:
    """Return the root mean square of an array, or along some axes.

    It is the Euclidean norm over the root of the size, and stays in range where the sum of squares of a
    large float16 leaf would not.
    """
    return xp.sqrt(xp.mean(x * x, **axes))


def decay_before(rule: Rule, h: SimpleNamespace, p: Array) -> Array:
    """Take a decoupled decay ahead of the update, for rules that then measure the decayed parameter."""
    early = h.decays and rule.decay == "decoupled" and rule.decay_point == "before"
    return p - h.shrink * p if early else p


def decay_after(rule: Rule, h: SimpleNamespace, p: Array) -> Array:
    """Take a decoupled decay of the updated parameter."""
    late = h.decays and rule.decay == "decoupled" and rule.decay_point == "after"
    return p - h.shrink * p if late else p
