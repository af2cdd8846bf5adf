"""Curves: how far a candidate is from a rule after each step of a probe, beside what rounding allows."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.compare import SLACK, Ran, bounds, trajectory
from arrayopt.conformance.models import Model, set_up
from arrayopt.readers.bounded import DOUBLE


@dataclass(frozen=True)
class Curve:
    """The error of one probe, step by step.

    Each step is represented by the element that is furthest beyond its tolerance, or comes nearest to it. The error is
    above the tolerance at a step exactly if the candidate departs there.

    Attributes
    ----------
    probe : str
        The letter of the probe.
    against : {"reference", "match"}
        Which rule it is the distance to.
    errors : tuple of float
        The difference at that element over the largest displacement in its leaf; infinite where it is not finite.
    tolerances : tuple of float
        What the element may be off, over the same displacement.
    """

    probe: str
    against: Literal["reference", "match"]
    errors: tuple[float, ...]
    tolerances: tuple[float, ...]

    @property
    def departs(self) -> int | None:
        """The first step at which the error is beyond its tolerance."""
        steps = enumerate(zip(self.errors, self.tolerances, strict=True), 1)
        return next((t for t, (error, tolerance) in steps if error > tolerance), None)


def curve(
    ran: Ran,
    model: Model,
    candidate: Candidate,
    against: Literal["reference", "match"] = "reference",
    scalar_unit: float = DOUBLE,
) -> Curve:
    """Return the curve of what a candidate did against a rule, which is set as the probe says.

    Parameters
    ----------
    ran : Ran
        A probe that was run.
    model : Rule or Clip
        The reference or the match, at the hyper-parameters of the reference.
    candidate : Candidate
        What was run.
    against : {"reference", "match"}
        What the rule is called.
    scalar_unit : float
        The unit roundoff of its scalars.
    """
    probe = ran.probe
    model, _ = set_up(model, probe, candidate.hyper)
    expected, allowed = trajectory(model, probe), bounds(model, probe, candidate.dtype, scalar_unit)
    points = [
        max((_point(got[k], want[k], bound[k], p0) for k, p0 in probe.params.items()), key=_beyond)
        for got, want, bound in zip(ran.path, expected, allowed, strict=True)
    ]
    return Curve(probe.name, against, tuple(e for e, _ in points), tuple(t for _, t in points))


def curves(
    runs: list[Ran], reference: Model, match: Model | None, candidate: Candidate, scalar_unit: float = DOUBLE
) -> tuple[Curve, ...]:
    """Return the curves of all probes that ran against the reference, and against the match where it is another."""
    found = []
    for ran in runs:
        if not ran.not_run:
            found.append(curve(ran, reference, candidate, "reference", scalar_unit))
            if match is not None and match != reference:
                found.append(curve(ran, match, candidate, "match", scalar_unit))
    return tuple(found)


def _point(got: np.ndarray, want: np.ndarray, bound: np.ndarray, start: np.ndarray) -> tuple[float, float]:
    """Return error and tolerance at the element of a leaf that is furthest beyond it, over the leaf's displacement."""
    decided = np.isfinite(bound) | ~np.isfinite(want)
    if not decided.any():
        return 0.0, 0.0
    with np.errstate(all="ignore"):
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        off = np.where(same, 0.0, np.abs(got - want))
        off = np.where(np.isnan(off), np.inf, off)[decided]
        tolerance = np.where(np.isfinite(bound), SLACK * bound, 0.0)[decided]
        ratio = np.where(off == 0, 0.0, off / tolerance)
        moved = max(_largest(want - start), _largest(got - start))
    worst = np.lexsort((tolerance, ratio))[-1]
    return _over(float(off[worst]), moved), _over(float(tolerance[worst]), moved)


def _largest(displacement: np.ndarray) -> float:
    return float(np.abs(displacement[np.isfinite(displacement)]).max(initial=0.0))


def _over(x: float, moved: float) -> float:
    return x / moved if moved > 0 else (0.0 if x == 0 else float("inf"))


def _beyond(point: tuple[float, float]) -> tuple[float, float]:
    error, tolerance = point
    ratio = error / tolerance if tolerance > 0 else (0.0 if error == 0 else float("inf"))
    return ratio, tolerance
