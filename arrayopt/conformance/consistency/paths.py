"""Code paths: what is documented to compute the same must."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.conditioning import rounding
from arrayopt.conformance.consistency.contexts import MOST, SOME, among, switched
from arrayopt.conformance.consistency.leaves import joined, only, restricted
from arrayopt.conformance.consistency.subject import Check, NotRun, Subject

POINT, FORTRAN, LATE = "a 0-d leaf", "gradients in Fortran order", "a leaf whose first gradient comes late"
HANDED_OVER = POINT, FORTRAN, LATE
"""Where leaves and gradients are handed over otherwise."""
Walk = Callable[[Subject], list[Arrays]]
Place = tuple[str, Subject, Walk, list[Arrays]]
"""What it is called, the subject there, how it is run, and what comes out."""


def _code_paths(subject: Subject) -> Iterator[Cause]:
    _ = subject.path  # which tells whether runs can be held against each other
    refusals: dict[str, str] = {}
    told: set[str] = set()
    ran = False
    for label, turned in switched(subject):
        if not set(turned.candidate.variants) - told:
            continue
        places = list(_places(turned, everywhere=not label))
        for name, make in turned.candidate.variants.items():
            if name in told:  # it is mostly the same with every switch
                continue
            said = f"{label}the code path {name}"
            try:
                other = make()
                turned.replace(candidate=other).walk()
            except CannotRunError as refusal:
                refusals[said] = str(refusal)
                told.add(name)
                continue
            ran = True
            found = _departures(said, places, other)
            if found:
                told.add(name)
            yield from found
    if not ran:
        raise NotRun("; ".join(f"{said} does not run: {why}" for said, why in refusals.items()) or "it has but one")
    for said, why in refusals.items():
        yield Cause("code-paths", f"{said} does not run: {why}", wrong=False)


def _places(subject: Subject, everywhere: bool) -> Iterator[Place]:
    """Yield where paths are compared and what the candidate itself does there; what it refuses, they may too."""
    every: list[tuple[str, Subject, Walk]] = [
        (where, at, Subject.walk) for where, at in among(subject, MOST if everywhere else SOME)
    ]
    if everywhere and subject.hyper.get("lr"):
        every.append(("lr changed on the way", subject, _with_changed_rate))
    if everywhere:
        every += [(where, at, Subject.walk) for where, at in _handed_over(subject)]
    for where, at, walk in every:
        with contextlib.suppress(CannotRunError, NotRun):
            yield where, at, walk, walk(at)


def _handed_over(subject: Subject) -> Iterator[tuple[str, Subject]]:
    """Yield where leaves and gradients are not what a path may take them to be: each reveals a fault of its own."""
    yield POINT, joined(subject, {"point": ()})
    if any(p.ndim > 1 for p in subject.params.values()):
        turned = [{k: np.asfortranarray(x) for k, x in g.items()} for g in subject.gradients]
        yield FORTRAN, subject.replace(gradients=turned)
    others = list(subject.params)[1:]
    if subject.candidate.missing and others:
        yield LATE, subject.replace(gradients=[only(subject.gradients[0], others), *subject.gradients[1:]])


def _departures(said: str, places: list[Place], other: Candidate) -> list[Cause]:
    """Return where another path of a candidate first departs from it, or else that it has numbers in less precision.

    One that departs nowhere else is told wherever leaves are handed over otherwise.
    """
    found: list[Cause] = []
    for place in places:
        cause = _departure(said, place, other)
        if cause is None:
            continue
        found.append(cause)
        if "inside" not in cause.values and place[0] not in HANDED_OVER:
            break
    # what is wrong says more than what is noted, and a note for all leaves more than one on rounding
    notes = sorted((c for c in found if not c.wrong), key=lambda c: "inside" in c.values)
    return [c for c in found if c.wrong] or notes[:1]


def _departure(said: str, place: Place, other: Candidate) -> Cause | None:
    """Return how another path departs in one place."""
    where, at, walk, expected = place
    try:
        path = walk(at.replace(candidate=other))
    except NotRun:
        return None
    except CannotRunError as error:
        return Cause("code-paths", f"{said} does not run where the plain one does ({where}): {error}")
    apart = at.apart(path, expected)
    if apart is None:
        return None
    text = f"{said} gives another result ({where}: {apart})"
    inside = rounding(at, apart)
    if inside == at.candidate.dtype:
        return None
    if inside:
        text += f", as rounding some numbers to {inside} does"
        return Cause("code-paths", text, {"inside": inside}, wrong=False)
    if walk is Subject.walk and _parted(at, path):
        return Cause("code-paths", f"{text}, as if some leaves had an optimizer of their own", wrong=False)
    return Cause("code-paths", text)


def _parted(subject: Subject, path: list[Arrays]) -> bool:
    """Tell whether a run is that of two optimizers, for the first leaves and for the others.

    Where a quantity of all leaves enters, such as a norm, two parameter groups may have one each.
    """
    names = list(subject.params)
    for i in range(1, len(names)):
        parts = [restricted(subject, part).walk() for part in (names[:i], names[i:])]
        if subject.apart(path, [{**one, **other} for one, other in zip(*parts, strict=True)]) is None:
            return True
    return False


def _with_changed_rate(subject: Subject) -> list[Arrays]:
    running = subject.candidate.start(subject.params, subject.hyper)
    path = []
    for t, g in enumerate(subject.gradients, 1):
        if t == 3:
            try:
                running.set(lr=0.25 * subject.hyper["lr"])
            except (AttributeError, CannotRunError) as refusal:  # as where the rate is a schedule
                raise NotRun("its rate cannot be changed") from refusal
        path.append(running.step(g)[0])
    return path


CHECKS = (
    Check(
        "code-paths",
        "a documented code path (fused, vectorised over leaves, compiled, two groups, the negative maximised) that "
        "computes something else or fails where the plain one runs: at exaggerated settings, as it ships, with every "
        "number switched on and a burst, with tiny and zero gradients, from zero, with lr changed on the way, on 0-d "
        "and 4-D leaves, with gradients in Fortran order, and where a leaf gets its first gradient in the second step; "
        "in the first of these with every switch turned",
        "a mistake that all paths share, and one that needs more than a few steps",
        _code_paths,
    ),
)
