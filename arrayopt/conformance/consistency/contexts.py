"""Contexts: designed settings, starts and gradients, in one of which an option or a code path shows."""

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.consistency.subject import NotRun, Subject
from arrayopt.conformance.probes import EXAGGERATED

ON = 0.1
"""The value of an option that ships at zero and has no exaggerated one, where it is switched on."""

LONG = 1200
"""Steps of a run in which a thing that happens every thousand steps happens."""
QUICK, SLOW = 1e-3, 1e-2
"""Seconds of a step from which on a quicker code path is looked for, and from which on there are no long runs."""
SOME = ("exaggerated", "as it ships", "a burst, then quiet", "a 4-D leaf")
"""The contexts in which candidates with a switch turned are run, of which there may be many."""
MOST = (*SOME, "from zero", "zero gradients", "gradients of 1e-8 as it ships")
"""The contexts in which code paths are held against each other."""


def shipped(subject: Subject) -> dict[str, float]:
    """Return the hyper-parameters as the candidate ships, the subject's own where they are not known."""
    return {**subject.hyper, **subject.candidate.defaults}


def switched_on(subject: Subject) -> dict[str, float]:
    """Return the subject's hyper-parameters with every declared one that is zero or unknown at another value."""
    return {k: subject.hyper.get(k) or EXAGGERATED.get(k, ON) for k in subject.candidate.hyper}


def contexts(subject: Subject) -> Iterator[tuple[str, Subject]]:
    """Yield where to run a candidate, by name; most things show in the first ones."""
    on = switched_on(subject)
    ships, every = subject.replace(hyper=shipped(subject)), subject.replace(hyper=on)
    first, *rest = subject.gradients
    tiny = [scaled(g, 1e-8) for g in subject.gradients]
    yield "exaggerated", subject
    yield "as it ships", ships
    yield "everything on", every
    yield "a burst, then quiet", every.replace(gradients=[scaled(first, 10.0), *(scaled(g, 0.01) for g in rest)])
    for name in (k for k, x in subject.candidate.defaults.items() if x == 0):  # others may exclude each other
        yield f"as it ships with {name} on", subject.replace(hyper={**shipped(subject), name: on[name]})
    yield "gradients of 1e-8", subject.replace(gradients=tiny)
    yield "gradients of 1e-8 as it ships", ships.replace(gradients=tiny)
    yield "gradients of 1e4", every.replace(gradients=[scaled(g, 1e4) for g in subject.gradients])
    yield "a rate of 2", every.replace(hyper={**on, "lr": 2.0})
    yield "from zero", every.replace(params=scaled(subject.params, 0.0))
    yield "zero gradients", every.replace(gradients=[scaled(g, 0.0) for g in subject.gradients])
    yield "a 4-D leaf", on_leaves(every, {"a": (4, 3, 2, 2)})
    yield "30 steps", lasting(every, 30)
    yield "30 steps as it ships", lasting(ships, 30)


def rare(subject: Subject) -> Iterator[tuple[str, Subject]]:
    """Yield where that shows what does not before: in low precision, on a large leaf and in long runs."""
    ships = subject.replace(hyper=shipped(subject))
    for dtype in subject.candidate.dtypes:  # for stochastic rounding, or a sum that is compensated
        candidate = dataclasses.replace(subject.candidate, dtype=dtype)
        yield f"in {dtype}", lasting(subject.replace(candidate=candidate), 30)
    large = on_leaves(ships, {"a": (130, 129)}, steps=3)
    yield "a large leaf of small numbers", large.replace(params=scaled(large.params, 1e-3))
    small = on_leaves(ships, {"a": (24, 23)})
    if _seconds(small, small.candidate) < SLOW:
        yield f"{LONG} steps as it ships", lasting(small, LONG)


def quickest(subject: Subject) -> Subject:
    """Return the subject with that of its code paths that takes the least time a step, if its own takes long.

    Raises
    ------
    NotRun
        If that takes too long for a long run.
    """
    own = subject.candidate
    taken = _seconds(subject, own)
    if taken > QUICK:
        every = [(_seconds(subject, path), path) for path in (make() for make in own.variants.values())]
        taken, own = min([(taken, own), *every], key=lambda timed: timed[0])
    if taken > SLOW:
        raise NotRun(f"its steps take {taken:.2g} seconds, too much for a long run")
    return subject.replace(candidate=own)


def patience(seconds: float) -> Callable[[Arrays], None]:
    """Return what ends a run that takes more processor time with `NotRun`, to be called after every step."""
    start = time.process_time()

    def after(handed: Arrays) -> None:
        if time.process_time() - start > seconds:
            raise NotRun(f"a run takes more than {seconds:g} seconds")

    return after


def _seconds(subject: Subject, candidate: Candidate) -> float:
    """Return the processor time of a step of a candidate."""
    try:
        running = candidate.start(subject.params, subject.hyper)
        for g in subject.gradients[:2]:  # it may compile
            running.step(g)
        start = time.process_time()
        for g in subject.gradients[2:]:
            running.step(g)
    except CannotRunError:
        return math.inf
    return (time.process_time() - start) / max(1, len(subject.gradients) - 2)


def on_leaves(subject: Subject, shapes: Mapping[str, tuple[int, ...]], steps: int = 6, seed: int = 1) -> Subject:
    """Return the subject with random leaves of other shapes."""
    made = Subject.of(subject.candidate, seed, shapes)
    return subject.replace(params=made.params, gradients=made.gradients[:steps])


def switched(subject: Subject) -> Iterator[tuple[str, Subject]]:
    """Yield the subject, and with each documented switch turned that can be; the name is empty or "with SWITCH"."""
    yield "", subject
    for name, make in subject.candidate.switches.items():
        try:
            turned = subject.replace(candidate=make())
            _ = turned.path
        except (CannotRunError, NotRun):  # which are told by "ignored-switch"
            continue
        yield f"with {name} ", turned


def among(subject: Subject, names: tuple[str, ...]) -> Iterator[tuple[str, Subject]]:
    """Yield the contexts of these names."""
    return ((where, at) for where, at in contexts(subject) if where in names)


def lasting(subject: Subject, steps: int) -> Subject:
    """Return the subject with its gradients over and over."""
    return subject.replace(gradients=list(itertools.islice(itertools.cycle(subject.gradients), steps)))


def scaled(arrays: Arrays, factor: float) -> Arrays:
    """Return arrays times a number."""
    return {k: factor * x for k, x in arrays.items()}
