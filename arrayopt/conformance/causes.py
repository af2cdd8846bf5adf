"""Causes: what is wrong with a candidate besides, or instead of, its dialect."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Candidate, CannotRunError
from arrayopt.conformance.compare import Ran, distance, run, trajectory
from arrayopt.conformance.dialects import agrees
from arrayopt.conformance.probes import EXAGGERATED, Probe, set_up
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.readers.bounded import DOUBLE

REGROUPED = 256.0
"""Machine epsilons by which the displacements of one leaf may differ with the leaves around it."""


@dataclass(frozen=True)
class Cause:
    """One reason for the verdict.

    Attributes
    ----------
    kind : str
        "fitted", "nearest", "gradient-overwritten", "shared-state", "order-dependent", "ignored-option",
        "float32-scalars" or "cannot-run".
    text : str
        A sentence for people.
    values : dict
        Field -> value, where the cause has one.
    """

    kind: str
    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


def purity(candidate: Candidate, runs: list[Ran], reference: Rule) -> list[Cause]:
    """Look for gradients that are overwritten, state that leaves share, and dependence on their order."""
    causes = []
    touched = sorted({leaf for r in runs for leaf in r.overwritten})
    if touched:
        causes.append(
            Cause("gradient-overwritten", f"it overwrites the gradients it is given (leaf {', '.join(touched)})")
        )
    first = runs[0]
    if len(first.probe.params) == 1:
        return causes
    names = list(first.probe.params)
    try:
        backwards = run(candidate, _only(first.probe, names[::-1]), reference)
        if not _same(first, backwards, names, candidate.dtype):
            causes.append(Cause("order-dependent", "its result depends on the order of the leaves"))
        alone = [run(candidate, _only(first.probe, [name]), reference) for name in names]
        if not all(_same(first, r, [name], candidate.dtype) for r, name in zip(alone, names, strict=True)):
            causes.append(
                Cause(
                    "shared-state",
                    "a leaf alone moves otherwise than among others: leaves share state or a step counter",
                )
            )
    except CannotRunError as error:
        causes.append(Cause("order-dependent", f"it does not run with the leaves reordered or alone: {error}"))
    return causes


def dead_options(candidate: Candidate, first: Ran, reference: Rule) -> list[Cause]:
    """Look for declared hyper-parameters that change nothing although they matter in the reference."""
    causes = []
    base, hyper = set_up(reference, first.probe, candidate.hyper)
    expected = trajectory(base, first.probe)
    for name in candidate.hyper:
        if name not in hyper:
            continue
        other = hyper[name] * 0.5 if hyper[name] else EXAGGERATED.get(name, 0.5)
        if distance(first.probe, trajectory(base.replace(**{name: other}), first.probe), expected) < 1e-3:
            continue
        try:
            moved = run(candidate, first.probe, reference, {name: other})
        except CannotRunError as error:
            try:  # torch's Adafactor refuses a clip threshold under 1
                moved = run(candidate, first.probe, reference, {name: 2 * other + hyper[name]})
            except CannotRunError:
                causes.append(Cause("ignored-option", f"it does not run with {name}={other:g}: {error}", {name: other}))
                continue
        if all(
            np.array_equal(a[k], b[k], equal_nan=True) for a, b in zip(first.path, moved.path, strict=True) for k in a
        ):
            causes.append(Cause("ignored-option", f"it declares {name} but ignores it", {name: hyper[name]}))
    return causes


def fitted(candidate: Candidate, runs: list[Ran], near: list[tuple[float, Rule]], constants: bool) -> Iterator[Rule]:
    """Yield rules that agree everywhere once one number is fitted: a constant of the dialect, or a hyper-parameter."""
    import scipy.optimize

    first = runs[0]
    for _, rule in near:
        placed, hyper = set_up(rule, first.probe, candidate.hyper)
        for name, interval in options.numbers(type(rule)).items():
            if (
                (name in rule.constants) != constants
                or (constants and name in candidate.hyper)
                or callable(getattr(rule, name))
            ):
                continue

            def loss(u: float, name: str = name, placed: Rule = placed, high: float = interval.high) -> float:
                return distance(
                    first.probe,
                    trajectory(placed.replace(**{name: _number(u, high)}), first.probe),
                    first.path,
                )

            start = _unit(hyper[name], interval.high)
            grid = np.linspace(*((1e-3, 1 - 1e-6) if interval.high == 1 else (start - 6, start + 6)), 25)
            best = grid[int(np.argmin([loss(u) for u in grid]))]
            width = grid[1] - grid[0]
            found = scipy.optimize.minimize_scalar(
                loss, bounds=(best - width, best + width), method="bounded", options={"xatol": 1e-12}
            )
            value = _rounded(_number(float(found.x), interval.high))
            if not math.isfinite(value) or found.fun > 1e-4:
                continue
            trial = rule.replace(**{name: value})
            frozen = Candidate(
                candidate.name,
                candidate.make,
                tuple(h for h in candidate.hyper if h != name),
                candidate.dtype,
            )
            if agrees(trial, runs, frozen, DOUBLE):
                yield trial


def _number(u: float, high: float) -> float:
    return min(max(u, 0.0), 1 - 1e-12) if high == 1 else 10.0**u


def _unit(x: float, high: float) -> float:
    return x if high == 1 else math.log10(x) if x > 0 else -8.0


def _rounded(x: float) -> float:
    """Prefer the short decimal that a person would have written, if it is as near as the fit can tell."""
    short = float(f"{x:.4g}")
    return short if math.isclose(short, x, rel_tol=1e-6) else x


def _only(probe: Probe, names: list[str]) -> Probe:
    return Probe(probe.name, probe.reveals, {k: probe.params[k] for k in names},
                 [{k: g[k] for k in names} for g in probe.gradients], probe.hyper, probe.rates)  # fmt: skip


def _same(a: Ran, b: Ran, names: list[str], dtype: str) -> bool:
    """Tell whether two runs agree in some leaves, but for how a compiler fuses operations in trees of different shape."""
    return distance(_only(a.probe, names), a.path, b.path) <= REGROUPED * np.finfo(dtype).eps
