"""Run candidates and rules along probes, and hold their displacements against each other.

What is compared is p_t - p_0, relatively. The tolerance is computed, not chosen: `SLACK` bounds of the
rounding reader for the candidate's precision, which leaves room for another order of operations.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.probes import Probe, set_up
from arrayopt.core import trees
from arrayopt.core.rule import Rule
from arrayopt.readers.bounded import DOUBLE
from arrayopt.readers.rounding import Rounding

SLACK = 4.0
"""Rounding bounds that two correct implementations may lie apart: 2.05 is the most that was met."""


@dataclass(frozen=True)
class Divergence:
    """Where a candidate first departs from a rule.

    Attributes
    ----------
    probe : str
        The letter of the probe.
    step : int
        The step, from 1.
    path : str
        The leaf.
    index : tuple of int
        The element that is off the most.
    expected, got : float
        The parameter there, by the rule and by the candidate.
    relative_error : float
        The difference over the larger of the two displacements from the start.
    """

    probe: str
    step: int
    path: str
    index: tuple[int, ...]
    expected: float
    got: float
    relative_error: float

    def __str__(self) -> str:
        where = f"{self.path}[{', '.join(map(str, self.index))}]"
        return (f"probe {self.probe}, step {self.step}, leaf {where}: expected {self.expected:.10g}, "
                f"got {self.got:.10g} "
                f"(displacement off by {self.relative_error:.2g})")  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """What a candidate did in a probe: its parameters after each step, or why it did not take part."""

    probe: Probe
    path: list[Arrays] = field(default_factory=list)
    overwritten: tuple[str, ...] = ()
    not_run: str = ""


@dataclass(frozen=True)
class Comparison:
    """How far a candidate is from a rule in one probe.

    Attributes
    ----------
    agrees : bool
        Whether every decided element is within the tolerance.
    error : float
        The largest norm of the difference over that of the displacement, over steps and leaves.
    undecided : int
        Elements left out, because a sign or an overflow hangs on rounding.
    divergence : Divergence or None
        The first departure.
    """

    agrees: bool
    error: float
    undecided: int = 0
    divergence: Divergence | None = None


def run(candidate: Candidate, probe: Probe, reference: Rule, hyper: Mapping[str, float] | None = None) -> Ran:
    """Run a candidate along a probe, at the hyper-parameters of `reference` as the probe sets them.

    Raises
    ------
    CannotRunError
        If the candidate raises, or returns something else than its parameters.
    """
    _, numbers = set_up(reference, probe, candidate.hyper)
    if probe.rates and "lr" not in candidate.hyper:
        return Ran(probe, not_run="it does not declare lr")
    running = candidate.start(probe.params, {**numbers, **(hyper or {})})
    if probe.rates and not running.can("set"):
        return Ran(probe, not_run="it offers no set(lr=...)")
    path: list[Arrays] = []
    overwritten: set[str] = set()
    for t, g in enumerate(probe.gradients, 1):
        if t in probe.rates:
            running.set(lr=numbers["lr"] * probe.rates[t])
        params, touched = running.step(g)
        path.append(params)
        overwritten.update(touched)
    return Ran(probe, path, tuple(sorted(overwritten)))


def trajectory(rule: Rule, probe: Probe, start: int = 0) -> list[Arrays]:
    """Return the parameters of a rule along a probe, in float64; the fast way, without checks of arguments.

    Counting from `start` + 1 is what an optimizer does whose step count is off.
    """
    leaves = {k: trees.Leaf(k, p.shape, "float64") for k, p in probe.params.items()}
    rules = {k: rule.for_leaf(leaf) for k, leaf in leaves.items()}
    params, slots = dict(probe.params), rule.init(probe.params)
    held = {k: slots.at(k) for k in leaves}
    path = []
    with np.errstate(all="ignore"):
        for t, g in enumerate(probe.gradients, start + 1):
            for k, leaf in leaves.items():
                params[k], held[k] = rules[k].on_leaf(np, t, leaf, g[k], params[k], held[k])
            path.append(dict(params))
    return path


def distance(probe: Probe, path: list[Arrays], expected: list[Arrays]) -> float:
    """Return the largest relative error of the displacement over steps and leaves; infinite where not finite."""
    worst = 0.0
    with np.errstate(all="ignore"):
        for a, e in zip(path, expected, strict=True):
            for k, p0 in probe.params.items():
                off, moved = np.linalg.norm(a[k] - e[k]), np.linalg.norm(e[k] - p0)
                if off == 0 or (np.isnan(a[k]).any() and np.array_equal(a[k], e[k], equal_nan=True)):
                    continue
                ratio = float(off / max(moved, np.linalg.norm(a[k] - p0)))
                worst = max(worst, ratio if np.isfinite(ratio) else np.inf)
    return worst


def bounds(rule: Rule, probe: Probe, dtype: str, scalar_unit: float = DOUBLE, start: int = 0) -> list[Arrays]:
    """Return the rounding bound of every parameter after each step in `dtype`; infinite where it is undecided."""
    reader = Rounding(rule, scalar_unit)
    with np.errstate(all="ignore"):
        at = dataclasses.replace(reader.start({k: p.astype(dtype) for k, p in probe.params.items()}), t=start)
        path = []
        for g in probe.gradients:
            at = reader.step({k: x.astype(dtype) for k, x in g.items()}, at)
            path.append({k: np.where(at.params[k].undecided, np.inf, at.params[k].bound) for k in probe.params})
    return path


def compare(
    ran: Ran,
    rule: Rule,
    candidate: Candidate,
    scalar_unit: float = DOUBLE,
    start: int = 0,
    twist: Callable[[Rule], Rule] | None = None,
) -> Comparison:
    """Hold what a candidate did against a rule, which is set as the probe says, then changed by `twist`."""
    probe = ran.probe
    rule, _ = set_up(rule, probe, candidate.hyper, start)
    rule = rule if twist is None else twist(rule)
    expected = trajectory(rule, probe, start)
    error = distance(probe, ran.path, expected)
    undecided = 0
    for t, (got, exp, bound) in enumerate(
        zip(ran.path, expected, bounds(rule, probe, candidate.dtype, scalar_unit, start), strict=True), 1
    ):
        for k, p0 in probe.params.items():
            both_nan = np.isnan(got[k]) & np.isnan(exp[k])
            with np.errstate(invalid="ignore"):
                off = np.where(both_nan | (got[k] == exp[k]), 0.0, np.abs(got[k] - exp[k]))
            off = np.where(np.isnan(off), np.inf, off)
            decided = np.isfinite(bound[k]) | ~np.isfinite(exp[k])
            undecided += int(np.sum(~decided))
            wrong = decided & (off > SLACK * np.where(np.isfinite(bound[k]), bound[k], 0.0))
            if wrong.any():
                index = tuple(int(i) for i in np.unravel_index(np.argmax(np.where(wrong, off, -1.0)), off.shape))
                e, a, origin = float(exp[k][index]), float(got[k][index]), float(p0[index])
                moved = max(abs(e - origin), abs(a - origin))
                relative = abs(a - e) / moved if moved > 0 else float("inf")
                return Comparison(False, error, undecided, Divergence(probe.name, t, k, index, e, a, relative))
    return Comparison(True, error, undecided)


def follow(candidate: Candidate, probes: list[Probe], reference: Rule) -> list[Ran]:
    """Run a candidate along all probes; only the first must run, a later one that fails is noted as not run."""
    runs = [run(candidate, probes[0], reference)]
    for probe in probes[1:]:
        try:
            runs.append(run(candidate, probe, reference))
        except CannotRunError as error:
            runs.append(Ran(probe, not_run=str(error)))
    return runs
