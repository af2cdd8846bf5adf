"""Smooth test functions by name, with derivatives, starts and minimisers: what tests, scripts and documents share."""

from collections.abc import Callable, Mapping

from arrayopt.problems.functions.basins import himmelblau, two_basins
from arrayopt.problems.functions.convex import huber, powell_singular, quadratic
from arrayopt.problems.functions.valleys import beale, brown_badly_scaled, rosenbrock, wood
from arrayopt.problems.problem import Problem

FUNCTIONS: Mapping[str, Callable[..., Problem]] = {
    "quadratic": quadratic,
    "rosenbrock": rosenbrock,
    "beale": beale,
    "himmelblau": himmelblau,
    "two_basins": two_basins,
    "powell_singular": powell_singular,
    "wood": wood,
    "brown_badly_scaled": brown_badly_scaled,
    "huber": huber,
}
"""By name: what makes the problem, given its parameters, all of which have defaults."""

__all__ = [
    "FUNCTIONS",
    "beale",
    "brown_badly_scaled",
    "himmelblau",
    "huber",
    "powell_singular",
    "quadratic",
    "rosenbrock",
    "two_basins",
    "wood",
]
