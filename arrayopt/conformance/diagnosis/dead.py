"""Dead options: hyper-parameters that a candidate declares, and that change nothing."""

import numpy as np

from arrayopt.conformance.candidate import Candidate, CannotRunError, epsilon
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.compare import Ran, distance, run, trajectory
from arrayopt.conformance.models import Model, numbers, set_up
from arrayopt.conformance.probes import EXAGGERATED


def visible(candidate: Candidate) -> float:
    """Return the change of the displacement that a precision cannot hide by rounding after every operation."""
    return max(1e-3, 8 * epsilon(candidate.dtype))


def dead_options(candidate: Candidate, first: Ran, match: Model, reference: Model) -> list[Cause]:
    """Look for declared hyper-parameters that change nothing although they matter in the rule it seems to follow."""
    causes = []
    base, _ = set_up(match, first.probe, candidate.hyper)
    hyper = set_up(reference, first.probe, candidate.hyper)[1]
    expected, least = trajectory(base, first.probe), visible(candidate)
    for name in candidate.hyper:
        if name not in hyper:
            continue
        other = hyper[name] * 0.5 if hyper[name] else EXAGGERATED.get(name, 0.5)
        known = name in numbers(match)  # another rule of the family may do without it: then it must change something
        if known and distance(first.probe, trajectory(base.replace(**{name: other}), first.probe), expected) < least:
            continue
        try:
            moved = run(candidate, first.probe, reference, {name: other})
        except CannotRunError as error:
            try:  # torch's Adafactor refuses a clip threshold under 1
                moved = run(candidate, first.probe, reference, {name: 2 * other + hyper[name]})
            except CannotRunError:
                causes.append(Cause("ignored-option", f"it does not run with {name}={other:g}: {error}"))
                continue
        if all(
            np.array_equal(a[k], b[k], equal_nan=True) for a, b in zip(first.path, moved.path, strict=True) for k in a
        ):
            causes.append(Cause("ignored-option", f"it declares {name} but ignores it", {name: hyper[name]}))
    return causes
