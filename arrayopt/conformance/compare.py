"""Run candidates and rules along probes, and hold their displacements against each other.

What is compared is p_t - p_0, relatively. The tolerance is computed, not chosen: `SLACK` bounds of the
rounding reader for the candidate's precision, which leaves room for another order of operations.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.models import Model, bounded, seen, set_up
from arrayopt.conformance.probes import Probe
from arrayopt.conformance.processes.child import BrokenProcessError
from arrayopt.conformance.slips.slip import joined, joins, keys, parted, plain
from arrayopt.core.trees import Leaf
from arrayopt.readers.bounded import DOUBLE, ORDERS, coarser
from arrayopt.readers.rounding import Rounding, Tracked

SLACK = ORDERS
"""Rounding bounds that two correct implementations may lie apart."""


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
    bounds: dict[Any, list[Arrays]] = field(default_factory=dict, compare=False, repr=False)
    """Rounding bounds that were computed before, by model, precision and unit of scalars."""


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


def run(candidate: Candidate, probe: Probe, reference: Model, hyper: Mapping[str, float] | None = None) -> Ran:
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
    params, gradients = probe.params, []
    for t, g in enumerate(probe.gradients, 1):
        if t in probe.rates:
            running.set(lr=numbers["lr"] * probe.rates[t])
        gradients.append(probe.seen(g, params))
        params, touched = running.step(gradients[-1])
        path.append(params)
        overwritten.update(touched)
    return Ran(dataclasses.replace(probe, gradients=gradients, pull=0.0), path, tuple(sorted(overwritten)))


def trajectory(model: Model, probe: Probe) -> list[Arrays]:
    """Return the parameters of a model along a probe, in float64; the fast way, without checks of arguments."""
    path: list[Arrays] = [{} for _ in probe.gradients]
    with np.errstate(all="ignore"):
        for t, k, p in _stepping(model, probe):
            path[t - 1][k] = p
    return path


def _stepping(model: Model, probe: Probe) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yield step, leaf and new parameter, one leaf after the other."""
    rule, gradients = seen(model, probe)
    if joins(rule):
        for t, _, p in _stepping(plain(rule), _one_leaf(probe, gradients)):
            yield from ((t, k, x) for k, x in parted(p, probe.params).items())
        return
    leaves = {k: Leaf(k, p.shape, "float64") for k, p in probe.params.items()}
    params, slots, key = dict(probe.params), rule.init(probe.params), keys(rule, leaves)
    held = {key[k]: slots.at(k) for k in leaves}
    for t, g in enumerate(gradients, 1):
        for k, leaf in leaves.items():
            params[k], held[key[k]] = rule.on_leaf(np, t, leaf, g[k], params[k], held[key[k]])
            yield t, k, params[k]


def _one_leaf(probe: Probe, gradients: list[Arrays]) -> Probe:
    """Return a probe for a rule that joins all leaves."""
    whole = [{"": joined({k: g[k] for k in probe.params})} for g in gradients]
    return dataclasses.replace(probe, params={"": joined(probe.params)}, gradients=whole)


def distance(probe: Probe, path: list[Arrays], expected: list[Arrays]) -> float:
    """Return the largest relative error of the displacement over steps and leaves, infinite where one is.

    What is no number in `path` is left out, for rounding may decide that: a difference of two terms that rounds to zero
    is then divided by. Where nothing else is there, it is infinite. `compare` sees whether there should be a number.
    """
    with np.errstate(all="ignore"):
        every = zip(path, expected, strict=True)
        held = [(a[k], e[k], p0) for a, e in every for k, p0 in probe.params.items()]
        found = [relative(*x) for x in held if not _lost(x[0])]
    return max(found, default=0.0 if all(_lost(e) for _, e, _ in held) else np.inf)


def _lost(x: np.ndarray) -> bool:
    """Tell whether an array holds nothing but NaN."""
    return bool(x.size) and bool(np.isnan(x).all())


def relative(got: np.ndarray, expected: np.ndarray, start: np.ndarray) -> float:
    """Return the norm of the difference over that of the displacement, without what is NaN in `got`."""
    if (lost := np.isnan(got)).any():
        got, expected, start = got[~lost], expected[~lost], start[~lost]
    off, moved = np.linalg.norm(got - expected), np.linalg.norm(expected - start)
    if off == 0:
        return 0.0
    ratio = float(off / max(moved, np.linalg.norm(got - start)))
    return ratio if np.isfinite(ratio) else np.inf


def bounds(model: Model, probe: Probe, dtype: str, scalar_unit: float = DOUBLE) -> list[Arrays]:
    """Return the rounding bound of every parameter after each step in `dtype`; infinite where it is undecided."""
    # NumPy has no bfloat16: its bounds are those of float32 with a unit 2^16 times as large
    held, factor = ("float32", 2.0**16) if dtype == "bfloat16" else (dtype, 1.0)
    unit = float(np.finfo(held).eps) / 2 * factor
    rule, seen_gradients = seen(model, probe)
    if joins(rule):
        whole = bounds(plain(rule), _one_leaf(probe, seen_gradients), dtype, scalar_unit)
        return [parted(by[""], probe.params) for by in whole]
    gradients = bounded(model, probe, held, unit)
    reader = Rounding(rule, scalar_unit)
    leaves = {k: Leaf(k, p.shape, held) for k, p in probe.params.items()}
    key = keys(rule, leaves)
    path = []
    with np.errstate(all="ignore"), coarser(factor):
        start = reader.start({k: p.astype(held) for k, p in probe.params.items()})
        params = dict(start.params)
        slots = {key[k]: {s: by[k] for s, by in start.slots.items() if k in by} for k in leaves}
        for t, g in enumerate(gradients):
            for k in leaves:  # one at a time: leaves may share slots
                at = Tracked(t, {k: params[k]}, {s: {k: x} for s, x in slots[key[k]].items()})
                after = reader.step({k: g[k]}, at)
                params[k], slots[key[k]] = after.params[k], {s: by[k] for s, by in after.slots.items()}
            path.append({k: np.where(b.undecided, np.inf, b.bound) for k, b in params.items()})
    return path


def tolerances(ran: Ran, model: Model, candidate: Candidate, scalar_unit: float = DOUBLE) -> list[Arrays]:
    """Return the rounding bounds in a probe of a model that is set as the probe says."""
    placed, _ = set_up(model, ran.probe, candidate.hyper)
    key = placed, candidate.dtype, scalar_unit
    if key not in ran.bounds:
        ran.bounds[key] = bounds(placed, ran.probe, candidate.dtype, scalar_unit)
    return ran.bounds[key]


def compare(
    ran: Ran,
    model: Model,
    candidate: Candidate,
    scalar_unit: float = DOUBLE,
    within: list[Arrays] | None = None,
) -> Comparison:
    """Hold what a candidate did against a model, which is set as the probe says.

    `within` are rounding bounds, where they are known from a model that differs by rounding only.
    """
    probe = ran.probe
    within = tolerances(ran, model, candidate, scalar_unit) if within is None else within
    model, _ = set_up(model, probe, candidate.hyper)
    expected = trajectory(model, probe)
    error = distance(probe, ran.path, expected)
    undecided = 0
    for t, (got, exp, bound) in enumerate(zip(ran.path, expected, within, strict=True), 1):
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


def tells(runs: list[Ran], model: Model, candidate: Candidate, scalar_unit: float = DOUBLE) -> bool:
    """Tell whether agreement within the tolerances means anything: a quarter of them are below half a displacement."""
    below = every = 0
    for ran in (r for r in runs if not r.not_run):
        for got, within in zip(ran.path, tolerances(ran, model, candidate, scalar_unit), strict=True):
            for k, p0 in ran.probe.params.items():
                finite = np.isfinite(got[k])
                moved = np.sqrt(np.mean((got[k] - p0)[finite] ** 2)) if finite.any() else 0.0
                below += int(np.sum(~finite | (SLACK * within[k] <= 0.5 * moved)))
                every += p0.size
    return below >= 0.25 * every


def close(ran: Ran, model: Model, candidate: Candidate, within: float) -> bool:
    """Tell whether a model stays within a relative distance of a candidate; stops at the first leaf that does not."""
    placed, _ = set_up(model, ran.probe, candidate.hyper)
    with np.errstate(all="ignore"):
        return all(
            relative(ran.path[t - 1][k], p, ran.probe.params[k]) <= within for t, k, p in _stepping(placed, ran.probe)
        )


def follow(candidate: Candidate, probes: list[Probe], reference: Model) -> list[Ran]:
    """Run a candidate along all probes; only the first must run, a later one that fails is noted as not run."""
    runs = [run(candidate, probes[0], reference)]
    for probe in probes[1:]:
        try:
            runs.append(run(candidate, probe, reference))
        except BrokenProcessError:  # it crashed or hung, which no later probe may hide
            raise
        except CannotRunError as error:
            runs.append(Ran(probe, not_run=str(error)))
    return runs
