"""Whether a candidate agrees with a rule: the condition under which `check` says "conforms", without the search."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from arrayopt.conformance import Candidate, check
from arrayopt.conformance.compare import SLACK, Comparison, Ran, compare, distance, follow, tolerances, trajectory
from arrayopt.conformance.diagnosis.dialects import coarse, units
from arrayopt.conformance.models import set_up
from arrayopt.conformance.probes import probes_for
from arrayopt.core.rule import Rule


@dataclass
class Agreement:
    """How a candidate came out.

    Attributes
    ----------
    alarms : list of str
        What would keep `check` from saying "conforms": probe, step, leaf and numbers. Empty where it agrees.
    ratio : float
        The largest distance to the rule over its rounding bound; `SLACK` is what is allowed.
    where : str
        The probe, the step and the leaf of `ratio`.
    undecided : float
        The share of elements that were left out because they hang on rounding.
    blind : float
        The share of elements that move in the rule, and of which no motion at all would be taken for rounding.
    scalar_unit : float
        The unit roundoff of scalars with which it agrees, or the last that was tried.
    """

    alarms: list[str] = field(default_factory=list)
    ratio: float = 0.0
    where: str = ""
    undecided: float = 0.0
    blind: float = 0.0
    scalar_unit: float = 0.0


def agrees_with(candidate: Candidate, reference: Rule, seed: int) -> Agreement:
    """Run a candidate along all probes of a seed and hold it against a rule.

    `check` looks at all dialects and takes the nearest that agrees; here only the rule itself is asked.
    """
    runs = follow(candidate, probes_for(reference, seed, False, candidate.dtype), reference)
    found = Agreement([f"probe {r.probe.name}: not run: {r.not_run}" for r in runs if r.not_run])
    ran = [r for r in runs if not r.not_run]
    for unit in units(candidate):
        compared = [compare(r, reference, candidate, unit) for r in ran]
        found.scalar_unit = unit
        if all(c.agrees for c in compared):
            break
    found.alarms += [str(c.divergence) for c in compared if c.divergence is not None]
    first, limit = _distance(ran[0], reference, candidate), coarse(candidate)
    if not first < limit:
        found.alarms.append(f"probe {ran[0].probe.name}: off by {first:.2g} of the displacement, at most {limit:.2g}")
    found.undecided = _undecided(ran, compared)
    moved = unseen = 0
    for r in ran:
        for name, off, motion, bound in _elements(r, reference, candidate, found.scalar_unit):
            with np.errstate(all="ignore"):
                ratio = off / bound
            ratio = float(np.max(np.where(np.isfinite(ratio), ratio, 0.0), initial=0.0))
            if ratio > found.ratio:
                found.ratio, found.where = ratio, name
            moved += int(np.sum(motion > 0))
            unseen += int(np.sum((motion > 0) & (motion <= SLACK * bound)))
    found.blind = unseen / moved
    return found


def conforms(candidate: Candidate, reference: Rule, seed: int) -> list[str]:
    """Put a candidate to the whole of `check`; return what it says if not "conforms"."""
    report = check(candidate, reference, seed=seed)
    if report.verdict == "conforms":
        return []
    said = "; ".join(c.text for c in report.causes if c.wrong)
    return [f'check says "{report.verdict}": {report.dialect or said} ({report.first_divergence})']


def _distance(ran: Ran, reference: Rule, candidate: Candidate) -> float:
    placed, _ = set_up(reference, ran.probe, candidate.hyper)
    return distance(ran.probe, ran.path, trajectory(placed, ran.probe))


def _undecided(ran: list[Ran], compared: list[Comparison]) -> float:
    size = sum(x.size for r in ran for params in r.path for x in params.values())
    return sum(c.undecided for c in compared) / size


def _elements(
    ran: Ran, reference: Rule, candidate: Candidate, unit: float
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield step and leaf, and of its elements the distance to the rule, the way from the start and the bound."""
    placed, _ = set_up(reference, ran.probe, candidate.hyper)
    expected, within = trajectory(placed, ran.probe), tolerances(ran, reference, candidate, unit)
    for t, (got, exp, bound) in enumerate(zip(ran.path, expected, within, strict=True), 1):
        for k, start in ran.probe.params.items():
            with np.errstate(all="ignore"):
                yield f"{ran.probe.name}{t} {k}", np.abs(got[k] - exp[k]), np.abs(exp[k] - start), bound[k]
