"""Methods with Lagrange multipliers: Newton on the KKT system, ascent-descent, the method of multipliers."""

from collections.abc import Callable, Mapping

from arrayopt.constrained.ascent_descent import AscentDescent
from arrayopt.constrained.augmented import AugmentedLagrangian
from arrayopt.constrained.kkt import inertia, kkt_matrix, kkt_step, nearest_multipliers
from arrayopt.constrained.newton import KKTNewton
from arrayopt.core.method import Method

METHODS: Mapping[str, Callable[..., Method]] = {
    "kkt_newton": KKTNewton,
    "ascent_descent": AscentDescent,
}
"""Names that `minimize` takes; it adds "augmented_lagrangian", whose inner method is of another package."""

__all__ = [
    "METHODS",
    "AscentDescent",
    "AugmentedLagrangian",
    "KKTNewton",
    "inertia",
    "kkt_matrix",
    "kkt_step",
    "nearest_multipliers",
]
