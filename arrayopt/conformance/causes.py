"""Causes: what is wrong with a candidate besides, or instead of, its dialect."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Candidate, CannotRunError
from arrayopt.conformance.compare import Ran, distance, run, trajectory
from arrayopt.conformance.probes import EXAGGERATED, Probe, set_up
from arrayopt.core.rule import Rule

REGROUPED = 256.0
"""Machine epsilons by which the displacements of one leaf may differ with the leaves around it."""


@dataclass(frozen=True)
class Cause:
    """One reason for the verdict.

    Attributes
    ----------
    kind : str
        "step-count", "swapped", "fitted", "nearest", "gradient-overwritten", "shared-state", "order-dependent",
        "ignored-option", "float32", "float32-scalars" or "cannot-run".
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
    """Look for declared hyper-parameters that change nothing although they matter in the rule it seems to follow."""
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


def follows(candidate: Candidate, first: Ran, reference: Rule, name: str) -> bool:
    """Tell whether what a candidate does in the first probe depends on the hyper-parameter `name` that it is given."""
    _, hyper = set_up(reference, first.probe, candidate.hyper)
    try:
        moved = run(candidate, first.probe, reference, {name: 0.5 * hyper[name]})
    except CannotRunError:
        return True
    return not _same(first, moved, list(first.probe.params), candidate.dtype)


def _only(probe: Probe, names: list[str]) -> Probe:
    return Probe(probe.name, probe.reveals, {k: probe.params[k] for k in names},
                 [{k: g[k] for k in names} for g in probe.gradients], probe.hyper, probe.rates)  # fmt: skip


def _same(a: Ran, b: Ran, names: list[str], dtype: str) -> bool:
    """Tell whether two runs agree in some leaves, but for how a compiler fuses operations in other trees."""
    return distance(_only(a.probe, names), a.path, b.path) <= REGROUPED * float(np.finfo(dtype).eps)
