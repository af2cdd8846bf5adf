"""The one table of methods: every name that `minimize` takes."""

from collections.abc import Callable, Mapping

from arrayopt.core.method import Method
from arrayopt.core.optimizer import Optimizer
from arrayopt.firstorder import RULES
from arrayopt.secondorder import METHODS as SECOND_ORDER

METHODS: Mapping[str, Callable[..., Method | Optimizer]] = {
    **SECOND_ORDER,
    **{rule.__name__.lower(): rule for rule in RULES},
}
"""By name: what makes the method, given its options."""
