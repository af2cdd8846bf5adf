"""The one table of methods: every name that `minimize` takes."""

import functools
from collections.abc import Callable, Mapping

from arrayopt.constrained import METHODS as CONSTRAINED
from arrayopt.constrained import AugmentedLagrangian
from arrayopt.core.method import Method
from arrayopt.core.optimizer import Optimizer
from arrayopt.core.population import Population
from arrayopt.firstorder import RULES
from arrayopt.sampling import METHODS as SAMPLING
from arrayopt.secondorder import LBFGSB
from arrayopt.secondorder import METHODS as SECOND_ORDER

METHODS: Mapping[str, Callable[..., Method | Optimizer | Population]] = {
    **SECOND_ORDER,
    **CONSTRAINED,
    **SAMPLING,
    "augmented_lagrangian": functools.partial(AugmentedLagrangian, inner=LBFGSB()),
    **{rule.__name__.lower(): rule for rule in RULES},
}
"""By name: what makes the method, given its options."""
