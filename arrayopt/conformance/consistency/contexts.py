"""Contexts: designed settings, starts and gradients, in one of which an option or a code path shows."""

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.consistency.subject import NotRun, Subject
from arrayopt.conformance.probes import EXAGGERATED

ON = 0.1
"""The value of an option that ships at zero and has no exaggerated one, where it is switched on."""

LONG = 1200
"""Steps of a run in which a thing that happens every thousand steps happens."""
QUICK = 1e-3
"""Seconds for a step that is quick enough for a long run."""
SOME = ("exaggerated", "as it ships", "a burst, then quiet", "a 4-D leaf")
"""The contexts in which candidates with a switch turned are run, of which there may be many."""
MOST = (*SOME, "from zero", "zero gradients", "gradients of 1e-8 as it ships", "30 steps as it ships")
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
    yield "from zero", every.replace(params=scaled(subject.params, 0.0))
    yield "zero gradients", every.replace(gradients=[scaled(g, 0.0) for g in subject.gradients])
    yield "a 4-D leaf", on_leaves(every, {"a": (4, 3, 2, 2)})
    yield "30 steps", every.replace(gradients=subject.gradients * 5)
    yield "30 steps as it ships", ships.replace(gradients=subject.gradients * 5)


def rare(subject: Subject) -> Iterator[tuple[str, Subject]]:
    """Yield where that shows what does not before: in low precision, on a large leaf and in long runs."""
    ships = subject.replace(hyper=shipped(subject))
    for dtype in subject.candidate.dtypes:  # for stochastic rounding, or a sum that is compensated
        candidate = dataclasses.replace(subject.candidate, dtype=dtype)
        yield f"in {dtype}", subject.replace(candidate=candidate, gradients=subject.gradients * 5)
    large = on_leaves(ships, {"a": (130, 129)}, steps=3)
    yield "a large leaf of small numbers", large.replace(params=scaled(large.params, 1e-3))
    small = on_leaves(ships, {"a": (3, 2)})
    yield f"{LONG} steps as it ships", small.replace(gradients=small.gradients * (LONG // 6))


def quickest(subject: Subject) -> Subject:
    """Return the subject with that of its code paths that takes the least time a step, if its own takes long."""

    def seconds(candidate: Candidate) -> float:
        try:
            running = candidate.start(subject.params, subject.hyper)
            for g in subject.gradients[:2]:  # it may compile
                running.step(g)
            start = time.perf_counter()
            for g in subject.gradients[2:]:
                running.step(g)
        except CannotRunError:
            return math.inf
        return (time.perf_counter() - start) / max(1, len(subject.gradients) - 2)

    own = subject.candidate
    if seconds(own) < QUICK:
        return subject
    return subject.replace(candidate=min((own, *(make() for make in own.variants.values())), key=seconds))


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


def scaled(arrays: Arrays, factor: float) -> Arrays:
    """Return arrays times a number."""
    return {k: factor * x for k, x in arrays.items()}
