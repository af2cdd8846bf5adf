"""Objectives shared by tests, experiments and documentation: test functions, data sets and losses."""

from arrayopt.problems.functions import (
    FUNCTIONS,
    beale,
    brown_badly_scaled,
    himmelblau,
    huber,
    powell_singular,
    quadratic,
    rosenbrock,
    two_basins,
    wood,
)
from arrayopt.problems.logistic import LogisticRegression, logistic_on
from arrayopt.problems.problem import Problem

__all__ = [
    "FUNCTIONS",
    "LogisticRegression",
    "Problem",
    "beale",
    "brown_badly_scaled",
    "himmelblau",
    "huber",
    "logistic_on",
    "powell_singular",
    "quadratic",
    "rosenbrock",
    "two_basins",
    "wood",
]
