"""Fitting one hidden number: the value at which a dialect would agree with a candidate."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.compare import Ran, distance, trajectory
from arrayopt.conformance.dialects import agrees
from arrayopt.conformance.probes import set_up
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.readers.bounded import DOUBLE, SINGLE

DECADES = 6
"""How far from its own value a number is looked for."""
CLOSE = 1e-3
"""Relative distance that a fit must reach before it is worth its rounding bounds."""


@dataclass(frozen=True)
class Fit:
    """A rule that agrees with the candidate in every probe, once one number has another value.

    Attributes
    ----------
    rule : Rule
        The dialect with the number at its fitted value.
    name : str
        The field of the number.
    before : float
        Its value in the dialect before.
    scalar_unit : float
        The unit roundoff of scalars with which it agrees.
    """

    rule: Rule
    name: str
    before: float
    scalar_unit: float

    @property
    def value(self) -> float:
        """The fitted value."""
        return float(getattr(self.rule, self.name))


def fits(candidate: Candidate, runs: list[Ran], near: list[Rule], constants: bool) -> Iterator[Fit]:
    """Yield the fits of one number in the dialects `near`: of undeclared dialect constants, or of all other numbers."""
    for rule in near:
        for name in options.numbers(type(rule)):
            hidden = name in rule.constants and name not in candidate.hyper
            if hidden == constants and not callable(getattr(rule, name)):
                found = _fit(candidate, runs, rule, name)
                if found is not None:
                    yield found


def _fit(candidate: Candidate, runs: list[Ran], rule: Rule, name: str) -> Fit | None:
    import scipy.optimize

    first = runs[0]
    placed, hyper = set_up(rule, first.probe, candidate.hyper)

    def loss(value: float) -> float:
        return distance(first.probe, trajectory(placed.replace(**{name: value}), first.probe), first.path)

    unit_interval = options.numbers(type(rule))[name].high == 1
    if unit_interval:
        grid, back = np.linspace(0.0, 1 - 1e-6, 31), _same
    else:
        centre = math.log10(hyper[name]) if hyper[name] > 0 else -3.0
        grid, back = np.linspace(centre - DECADES, centre + DECADES, 31), _decade
    best = int(np.argmin([loss(back(u)) for u in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = scipy.optimize.minimize_scalar(
        lambda u: loss(back(u)), bounds=(low, high), method="bounded", options={"xatol": 1e-13}
    )
    value, least = min(((back(found.x), found.fun), (0.0, loss(0.0))), key=lambda pair: pair[1])
    if not least < CLOSE:
        return None
    trial = rule.replace(**{name: _shortest(value, least, loss, options.numbers(type(rule))[name].high)})
    frozen = dataclasses.replace(candidate, hyper=tuple(h for h in candidate.hyper if h != name))
    unit = next((u for u in (DOUBLE, SINGLE) if agrees(trial, runs, frozen, u)), None)
    return None if unit is None else Fit(trial, name, getattr(rule, name), unit)


def _same(u: float) -> float:
    return float(u)


def _decade(u: float) -> float:
    return float(10.0**u)


def _shortest(value: float, least: float, loss: Callable[[float], float], high: float) -> float:
    """Return the shortest decimal that fits as well: what a person would have written."""
    for digits in range(1, 9):
        short = float(f"{value:.{digits}g}")
        if short < high and loss(short) <= least + 1e-9:
            return short
    return value
