"""Liveness: every documented option must change something somewhere."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.contexts import LONG, SLOW, SOME, among, contexts, patience, rare, switched
from arrayopt.conformance.consistency.subject import Check, NotRun, Subject
from arrayopt.conformance.probes import EXAGGERATED


def _ignored_options(subject: Subject) -> Iterator[Cause]:
    if not subject.candidate.hyper:
        raise NotRun("it declares no hyper-parameters")
    _ = subject.path  # which tells whether runs can be held against each other
    waiting = {name: others(subject, name) for name in subject.candidate.hyper}
    ran: dict[str, set[float]] = {name: set() for name in waiting}
    refusal: dict[str, str] = {}
    for most, at in _for_options(subject):
        try:
            base = at.walk(after=patience(LONG * SLOW))
        except (CannotRunError, NotRun) as error:
            refusal |= {name: str(error) for name in waiting if name not in refusal}
            continue
        for name in [n for n in waiting if n in at.candidate.hyper]:
            if _alive(at, base, name, waiting[name][:most], ran[name], refusal):
                del waiting[name]
        if not waiting:
            return
    for name, values in waiting.items():
        if not ran[name]:
            text = f"{name} could not be tried: {refusal.get(name, 'it did not run')}"
            yield Cause("ignored-option", text, {name: values}, wrong=False)
            continue
        tried = sorted(ran[name])
        listed = ", ".join(f"{x:g}" for x in tried)
        if any(_saved_differs(subject, subject.replace(hyper={**subject.hyper, name: x})) for x in tried):
            text = f"{name} changes what it saves, but never the parameters, at {listed}"
            yield Cause("ignored-option", text, {name: tried}, wrong=False)
        else:
            text = f"it declares {name} but ignores it: nothing changes with {name} at {listed}"
            yield Cause("ignored-option", text, {name: tried})


def _for_options(subject: Subject) -> Iterator[tuple[int, Subject]]:
    """Yield how many values to try, and where an option may show: it may be for a switch, or act late."""
    yield from ((9, at) for _, at in contexts(subject))
    yield from ((2, at) for label, turned in switched(subject) if label for _, at in among(turned, SOME))
    yield from ((1, at) for _, at in rare(subject))


def others(subject: Subject, name: str) -> list[float]:
    """Return values to try for an option: near and far from those at which it ships and is exaggerated."""
    ships = subject.candidate.defaults.get(name)
    known = [x for x in (subject.hyper.get(name), ships, EXAGGERATED.get(name)) if x]
    near = [f * x for x in known for f in (0.5, 2.0, 0.01, 100.0)]
    return list(dict.fromkeys([*near[:2], *(x for x in known if x != subject.hyper.get(name)), *near[2:4], 0.3, 0.9]))


def _alive(
    at: Subject, base: list[Arrays], name: str, values: list[float], ran: set[float], refusal: dict[str, str]
) -> bool:
    """Tell whether an option changes something; those values that change nothing, and a refusal, are added."""
    for value in values:
        if value == at.hyper.get(name):
            continue
        try:
            path = at.walk(hyper={name: value})
        except CannotRunError as error:
            refusal[name] = str(error)
            continue
        if _differ(path, base):
            return True
        ran.add(value)
    return False


def _ignored_switches(subject: Subject) -> Iterator[Cause]:
    if not subject.candidate.switches:
        raise NotRun("it has no switches")
    _ = subject.path
    for name, make in subject.candidate.switches.items():
        alive, refusal = _alive_somewhere(subject, name)
        if alive:
            continue
        if refusal:
            text = f"the documented option {name} could not be tried: {refusal}"
            yield Cause("ignored-switch", text, {"switch": name}, wrong=False)
            continue
        saved = _saved_differs(subject, subject.replace(candidate=make()))
        what = "changes what is saved, but never the parameters" if saved else "changes nothing"
        yield Cause("ignored-switch", f"the documented option {name} {what}", {"switch": name}, wrong=not saved)


def _alive_somewhere(subject: Subject, name: str) -> tuple[bool, str]:
    """Tell whether a switch changes something, be it that it refuses what runs without it; if it ran nowhere, why."""
    ran, failed, refusal = False, False, ""
    for at, other in _for_switches(subject, name):
        try:
            base = at.walk(after=patience(LONG * SLOW))
        except (CannotRunError, NotRun):
            continue
        try:
            turned = dataclasses.replace(other(), dtype=at.candidate.dtype)
            alive = _differ(at.replace(candidate=turned).walk(), base)
        except CannotRunError as error:
            refusal = refusal or str(error)
            failed = failed or str(error).startswith("step")  # not for its numbers, which are refused when it is made
        else:
            if alive:
                return True, ""
            ran = True
        if ran and failed:
            return True, ""
    return False, "" if ran else refusal


def _for_switches(subject: Subject, name: str) -> Iterator[tuple[Subject, Callable[[], Candidate]]]:
    """Yield where a switch may show, and what makes the candidate with it: it may be for another switch, or act late.

    A switch for another one is found if the candidate with that one turned has switches of its own.
    """
    turn = subject.candidate.switches[name]
    yield from ((at, turn) for _, at in contexts(subject))
    for label, turned in switched(subject):
        if label and name in turned.candidate.switches:
            yield from ((at, turned.candidate.switches[name]) for _, at in among(turned, SOME))
    yield from ((at, turn) for _, at in rare(subject))


def _saved_differs(subject: Subject, other: Subject) -> bool:
    """Tell whether the arrays that two runs save differ, of those that are shaped as a leaf."""
    try:
        one, two = _saved(subject), _saved(other)
    except CannotRunError:  # they ran elsewhere
        return False
    return len(one) != len(two) or any(
        a.shape != b.shape or not np.array_equal(a, b, equal_nan=True) for a, b in zip(one, two, strict=True)
    )


def _saved(subject: Subject) -> list[np.ndarray]:
    running = subject.candidate.start(subject.params, subject.hyper)
    if not running.can("save"):
        return []
    for g in subject.gradients:
        running.step(g)
    shapes = {p.shape for p in subject.params.values()}
    return [np.asarray(x) for x in _flat(running.save()) if tuple(getattr(x, "shape", (None,))) in shapes]


def _flat(tree: Any) -> Iterator[Any]:
    """Yield what a saved state holds, whatever containers a framework has made it of."""
    if isinstance(tree, Mapping):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        for x in tree:
            yield from _flat(x)
    else:
        yield tree


def _differ(path: list[Arrays], base: list[Arrays]) -> bool:
    return any(not np.array_equal(a[k], b[k], equal_nan=True) for a, b in zip(path, base, strict=True) for k in b)


CHECKS = (
    Check(
        "ignored-option",
        "a declared number that changes nothing: not at exaggerated settings, nor as it ships, with everything else "
        "switched on, after a burst, with tiny, huge or zero gradients, at a large rate, in 30 and in 1,200 steps, on "
        "a 4-D or a large leaf, in low precision, nor with any switch turned. What changes the saved state alone is "
        "noted",
        "one that changes something, but not what it says. Blamed wrongly is one for an option that is not declared, "
        "such as a count that ships as None",
        _ignored_options,
    ),
    Check(
        "ignored-switch",
        "a documented option that changes nothing in any of those contexts, nor with another switch turned",
        "one that changes something, but not what it says. Blamed wrongly is one for an option that is not declared, "
        "or that only checks its arguments",
        _ignored_switches,
    ),
)
