"""Code paths: what is documented to compute the same must."""

import contextlib
from collections.abc import Callable, Iterator

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.conditioning import rounding
from arrayopt.conformance.consistency.contexts import MOST, SOME, among, switched
from arrayopt.conformance.consistency.leaves import joined, restricted
from arrayopt.conformance.consistency.subject import Check, NotRun, Subject

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
            found = list(_departures(said, places, other))
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
        every.append(("a 0-d leaf", joined(subject, {"point": ()}), Subject.walk))
    for where, at, walk in every:
        with contextlib.suppress(CannotRunError, NotRun):
            yield where, at, walk, walk(at)


def _departures(said: str, places: list[Place], other: Candidate) -> Iterator[Cause]:
    """Yield where another path of a candidate first departs from it, or else that it has numbers in less precision."""
    noted: list[Cause] = []
    for where, at, walk, expected in places:
        try:
            path = walk(at.replace(candidate=other))
        except NotRun:
            continue
        except CannotRunError as error:
            yield Cause("code-paths", f"{said} does not run where the plain one does ({where}): {error}")
            return
        apart = at.apart(path, expected)
        inside = "" if apart is None else rounding(at, apart)
        if apart is not None and not inside and walk is Subject.walk and _parted(at, path):
            text = f"{said} gives another result ({where}: {apart}), as if some leaves had an optimizer of their own"
            noted = [Cause("code-paths", text, wrong=False)]
            break
        if apart is not None and not inside:
            yield Cause("code-paths", f"{said} gives another result ({where}: {apart})")
            return
        if inside not in ("", at.candidate.dtype) and not noted:
            text = f"{said} gives another result ({where}: {apart}), as rounding some numbers to {inside} does"
            noted.append(Cause("code-paths", text, {"inside": inside}, wrong=False))
    yield from noted


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
        "and 4-D leaves; in the first of these with every switch turned",
        "a mistake that all paths share, and one that needs more than a few steps",
        _code_paths,
    ),
)
