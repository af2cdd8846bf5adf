"""Fitting hidden numbers: the values at which a model would agree with a candidate.

A number is looked for over its range by a grid, then by a bounded search; several at once by bounded least squares on
the displacements, started from the best of the grids. What fits is a claim: it counts only if the model then
agrees in every probe.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.compare import Ran, compare, distance, trajectory
from arrayopt.conformance.diagnosis.dialects import explains, units
from arrayopt.conformance.models import Model, numbers, over, rule_in, set_up, value
from arrayopt.conformance.slips.catalogue import pins, scaled
from arrayopt.conformance.slips.slip import slipped
from arrayopt.core.options import JUST_ABOVE_ONE
from arrayopt.firstorder import Clip

DECADES = 6
"""How far from its own value a number is looked for."""
COMMON = {
    "rate": (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999),
    "eps": (0.0, 1e-30, 1e-18, 1e-16, 1e-15, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3),
    "weight_decay": (0.0, 1e-4, 5e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2),
}
"""What people write: tried first where several numbers are hidden, since what is exact needs no search."""
EXACT = 1e-9
"""Relative distance below which one of those is the number."""
CLOSE = 1e-3
"""Relative distance that a fit must reach before it is worth its rounding bounds."""


@dataclass(frozen=True)
class Fit:
    """A model that agrees with the candidate in every probe, once some numbers have other values.

    Attributes
    ----------
    model : Rule or Clip
        The dialect with the numbers at their fitted values; those that the candidate declares are pinned or scaled.
    base : Rule or Clip
        The dialect before.
    values : dict of float
        The fitted values.
    scalar_unit : float
        The unit roundoff of scalars with which it agrees.
    """

    model: Model
    base: Model
    values: Mapping[str, float]
    scalar_unit: float

    @property
    def length(self) -> int:
        """How many letters it takes to write the values: people write short numbers."""
        return sum(len(repr(v)) for v in self.values.values())


def fit(candidate: Candidate, runs: list[Ran], base: Model, names: Sequence[str]) -> Fit | None:
    """Fit the numbers `names` of a model, all at once; None if no values agree in every probe.

    Those that the candidate declares are fitted as numbers that it does not take from the caller.
    """
    axes = [_Axis.of(base, name, candidate, runs[0]) for name in names]
    dead = [name for name in names if name in candidate.hyper]

    def made(values: Sequence[float]) -> Model:
        given = dict(zip(names, values, strict=True))
        changed = base.replace(**given)
        if not dead:
            return changed
        return over(changed, slipped(rule_in(changed), pins({k: given[k] for k in dead})))

    return _fitted(candidate, runs, base, made, axes)


def fit_factor(candidate: Candidate, runs: list[Ran], base: Model, name: str) -> Fit | None:
    """Fit a constant by which the candidate multiplies a number that it is given."""
    axis = _Axis(name, -3.0, 3.0, 31, False, math.inf)

    def made(values: Sequence[float]) -> Model:
        return over(base, slipped(rule_in(base), scaled(name, values[0])))

    found = _fitted(candidate, runs, base, made, [axis])
    return None if found is None or abs(found.values[name] - 1) < 1e-6 else found


@dataclass(frozen=True)
class _Axis:
    """A number as the search moves it: itself in [0, 1), else its decimal logarithm."""

    name: str
    low: float
    high: float
    points: int
    linear: bool
    limit: float

    @classmethod
    def of(cls, base: Model, name: str, candidate: Candidate, first: Ran) -> "_Axis":
        interval = numbers(base)[name]
        if interval.high <= JUST_ABOVE_ONE:
            return cls(name, 0.0, 1 - 1e-6, 31, True, 1.0)
        before = set_up(base, first.probe, candidate.hyper)[1][name]
        centre = math.log10(before) if before > 0 else -3.0
        return cls(name, centre - DECADES, centre + DECADES, 31, False, interval.high)

    def value(self, u: float) -> float:
        return float(u if self.linear else 10.0**u)

    @property
    def common(self) -> tuple[float, ...]:
        """What people write for it."""
        kind = "rate" if self.linear else "weight_decay" if self.name == "weight_decay" else "eps"
        return COMMON[kind]

    @property
    def grid(self) -> np.ndarray:
        return np.linspace(self.low, self.high, self.points)


def _fitted(
    candidate: Candidate,
    runs: list[Ran],
    base: Model,
    made: Callable[[Sequence[float]], Model],
    axes: Sequence[_Axis],
) -> Fit | None:
    showing = next((r for r in runs if not r.not_run and not compare(r, base, candidate).agrees), runs[0])
    first = _beginning(showing, whole=isinstance(base, Clip))

    def loss(values: Sequence[float]) -> float:
        try:
            placed, _ = set_up(made(values), first.probe, candidate.hyper)
            return distance(first.probe, trajectory(placed, first.probe), first.path)
        except (ValueError, ArithmeticError):  # no such rule, as with a decay rate beyond 1
            return math.inf

    values, least = _line(loss, axes[0]) if len(axes) == 1 else _least_squares(candidate, first, base, made, axes, loss)
    if not least < CLOSE:
        return None
    values = _shortest(values, least, loss, axes)
    model = made(values)
    unit = next((u for u in units(candidate) if explains(model, [showing, *runs], candidate, u)), None)
    return None if unit is None else Fit(model, base, dict(zip((a.name for a in axes), values, strict=True)), unit)


def _beginning(ran: Ran, whole: bool) -> Ran:
    """Return a run cut down to five steps, and to its first leaf unless a norm of all goes in: enough to fit."""
    leaves = list(ran.probe.params) if whole else list(ran.probe.params)[:1]
    gradients = [{k: g[k] for k in leaves} for g in ran.probe.gradients[:5]]
    probe = dataclasses.replace(ran.probe, params={k: ran.probe.params[k] for k in leaves}, gradients=gradients)
    return Ran(probe, [{k: p[k] for k in leaves} for p in ran.path[:5]])


def _line(loss: Callable[[Sequence[float]], float], axis: _Axis) -> tuple[list[float], float]:
    """Search one number: a grid, then between the neighbours of its best point; and zero."""
    import scipy.optimize

    usual = min(((x, loss([x])) for x in axis.common), key=lambda pair: pair[1])
    if usual[1] < EXACT:
        return [usual[0]], usual[1]
    grid = axis.grid
    losses = [loss([axis.value(u)]) for u in grid]
    best = int(np.argmin(losses))
    at_zero = loss([0.0])
    if min(losses[best], at_zero) > 0.9 * max(losses):  # it does not matter here
        return [axis.value(grid[best])], losses[best]
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = scipy.optimize.minimize_scalar(
        lambda u: loss([axis.value(u)]), bounds=(low, high), method="bounded", options={"xatol": 1e-13}
    )
    return min((([axis.value(found.x)], float(found.fun)), ([0.0], at_zero)), key=lambda pair: pair[1])


def _least_squares(
    candidate: Candidate,
    first: Ran,
    base: Model,
    made: Callable[[Sequence[float]], Model],
    axes: Sequence[_Axis],
    loss: Callable[[Sequence[float]], float],
) -> tuple[list[float], float]:
    """Search several numbers: a coarse grid of all together, then least squares from its best points."""
    import scipy.optimize

    scale = [
        max(float(np.linalg.norm(x - p0)), 1e-300)
        for p in first.path
        for x, p0 in zip(p.values(), first.probe.params.values(), strict=True)
    ]

    size = sum(x.size for p in first.path for x in p.values())

    def residual(u: np.ndarray) -> np.ndarray:
        try:
            placed, _ = set_up(made([a.value(x) for a, x in zip(axes, u, strict=True)]), first.probe, candidate.hyper)
            path = trajectory(placed, first.probe)
        except (ValueError, ArithmeticError):
            return np.full(size, 1e3)
        offs = (e[k] - p[k] for e, p in zip(path, first.path, strict=True) for k in p)
        r = np.concatenate([np.ravel(off) / s for off, s in zip(offs, scale, strict=True)])
        return np.where(np.isfinite(r), r, 1e3)

    common = itertools.product(*(a.common for a in axes))
    exact = min(((list(v), loss(v)) for v in common), key=lambda pair: pair[1])
    if exact[1] < EXACT:
        return exact
    coarse = [np.linspace(a.low, a.high, 7 if len(axes) > 2 else 13) for a in axes]
    starts = sorted(itertools.product(*coarse), key=lambda u: float(np.linalg.norm(residual(np.array(u)))))[:3]
    low, high = [a.low for a in axes], [a.high for a in axes]
    best: tuple[list[float], float] = ([], math.inf)
    for start in starts:
        inside = np.clip(start, np.add(low, 1e-9), np.subtract(high, 1e-9))
        found = scipy.optimize.least_squares(residual, inside, bounds=(low, high), xtol=1e-15, ftol=1e-15, gtol=1e-15)
        values = [a.value(u) for a, u in zip(axes, found.x, strict=True)]
        best = min(best, (values, loss(values)), key=lambda pair: pair[1])
    return best


def _shortest(
    values: Sequence[float], least: float, loss: Callable[[Sequence[float]], float], axes: Sequence[_Axis]
) -> list[float]:
    """Return the shortest decimals that fit as well: what a person would have written."""
    kept = list(values)
    for i, axis in enumerate(axes):
        for digits in range(1, 9):
            short = float(f"{kept[i]:.{digits}g}")
            trial = [*kept[:i], short, *kept[i + 1 :]]
            if short < axis.limit and loss(trial) <= least + 1e-9:
                kept = trial
                break
    return kept


def free(candidate: Candidate, dead: Sequence[str], model: Model) -> list[str]:
    """Return the numbers of a model that the candidate has its own way with: undeclared, or declared and ignored."""
    return [
        name
        for name in numbers(model)
        if (name not in candidate.hyper or name in dead) and not callable(value(model, name))
    ]


def subsets(names: Sequence[str], most: int) -> Iterator[tuple[str, ...]]:
    """Yield the choices of one name, of two, and so on."""
    for n in range(1, most + 1):
        yield from itertools.combinations(names, n)


__all__ = ["Fit", "fit", "fit_factor", "free", "subsets"]
