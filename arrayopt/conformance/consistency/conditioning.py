"""Conditioning: measure how a candidate answers rounding, to tell rounding from a mistake without a rule."""

import numpy as np

from arrayopt.conformance.candidate import Arrays, epsilon
from arrayopt.conformance.consistency.subject import Apart, NotRun, Subject, _relative

ROUNDED = 16.0
"""Measured responses to one rounding that two orders of operations may lie apart: a step rounds some ten times."""
INSIDE = {"float32": 2.0**-24, "bfloat16": 2.0**-8}
"""Roundings of lower precisions in which numbers or part of a step may be computed, such as Muon's iteration."""


def response(subject: Subject, unit: float, hyper: bool = False) -> float:
    """Measure by how much of its displacement a run moves when all it is given is off by `unit`, up or down.

    Gradients and parameters are changed, with `hyper` the hyper-parameters too. Rounding inside of the candidate to
    that unit moves it by some multiple.
    """
    moved = perturbed(subject, unit)
    changed = {k: v * (1 - unit) for k, v in subject.hyper.items()} if hyper else {}
    path = moved.walk(hyper=changed)
    departures = [
        _relative(b[k] - moved.params[k], a[k] - p, np.zeros_like(p))
        for a, b in zip(subject.path, path, strict=True)
        for k, p in subject.params.items()
    ]
    # what rounds 1 - beta in one place and not in another is not told by changing beta
    return max([*departures, *(unit / (1 - x) for x in changed.values() if 0.5 < x < 1)])


def perturbed(subject: Subject, unit: float) -> Subject:
    """Return the subject with gradients and parameters off by `unit`, up or down at random."""
    rng = np.random.default_rng(7)

    def off(arrays: Arrays) -> Arrays:
        return {k: x * (1 + unit * rng.choice([-1.0, 1.0], size=x.shape)) for k, x in arrays.items()}

    return subject.replace(params=off(subject.params), gradients=[off(g) for g in subject.gradients])


def coarse(subject: Subject) -> bool:
    """Tell whether part of a step is computed in about bfloat16: its response to small changes jumps.

    Else the response goes with the change. A jump counts if it is four times the response that goes with it, and far
    above rounding in float32 and in the candidate's own precision.
    """
    units = [2.0**-k for k in (20, 17, 14, 11)]
    answers = [response(subject, unit) / unit for unit in units]
    far = max(2.0**-17, ROUNDED * response(subject, epsilon(subject.candidate.dtype)))
    return any(x > 4 * min(answers) and x * unit > far for x, unit in zip(answers, units, strict=True))


def by_place(subject: Subject) -> bool:
    """Tell whether equal elements of a line move apart: random numbers, or whatever else goes by place."""
    vectors = any(p.ndim == 1 for p in subject.params.values())
    leaf = next(iter(subject.params))
    shape = (7,) if vectors else (1, 7)
    line = subject.replace(
        params={leaf: np.full(shape, 0.5)}, gradients=[{leaf: np.full(shape, x)} for x in (1.0, -0.5, 2.0)]
    )
    apart = (np.broadcast_to(p[leaf].flat[0], shape) for p in line.walk())
    spread = line.apart(line.walk(), [{leaf: x} for x in apart])
    return spread is not None and not rounding(line, spread)


def rounding(subject: Subject, apart: Apart) -> str:
    """Return the precision in which rounding explains a departure; the empty string if none does.

    The candidate's own precision comes first, then float32 and, where the candidate is found to be coarse, bfloat16.
    Where two runs of the same differ anyway, they explain it.
    """
    own = subject.candidate.dtype
    try:
        if apart.relative <= ROUNDED * response(subject, epsilon(own), hyper=True):
            return own
        for lower, unit in INSIDE.items():
            if unit <= epsilon(own) or (lower == "bfloat16" and not coarse(subject)):
                continue
            if apart.relative <= ROUNDED * response(subject, unit, hyper=lower == "float32"):
                return lower
    except NotRun:
        return own
    return ""
