"""Leaves: take some of a subject's, or give it others."""

import traceback
from collections.abc import Iterable, Mapping

import numpy as np

from arrayopt.conformance.candidate import Arrays, CannotRunError
from arrayopt.conformance.consistency.conditioning import rounding
from arrayopt.conformance.consistency.subject import Apart, NotRun, Subject

Shape = tuple[int, ...]


def several(subject: Subject) -> list[str]:
    """Return the names of the leaves.

    Raises
    ------
    NotRun
        If there is only one.
    """
    if len(subject.params) == 1:
        raise NotRun("it takes one array, not several leaves")
    return list(subject.params)


def only(arrays: Mapping[str, np.ndarray], names: Iterable[str]) -> Arrays:
    """Return some leaves, in the order of `names`."""
    return {k: arrays[k] for k in names}


def restricted(subject: Subject, names: Iterable[str]) -> Subject:
    """Return the subject with some of its leaves, in the order of `names`; gradients that are missing stay so."""
    names = list(names)
    gradients = [only(g, [k for k in names if k in g]) for g in subject.gradients]
    return subject.replace(params=only(subject.params, names), gradients=gradients)


def joined(subject: Subject, shapes: Mapping[str, Shape]) -> Subject:
    """Return the subject with further leaves of random numbers; if it takes one array, with the last one instead."""
    rng = np.random.default_rng(1)
    single = subject.candidate.tree == "array"

    def extended(arrays: Arrays) -> Arrays:
        new = {k: rng.normal(scale=2.0, size=s).astype(np.float32).astype(np.float64) for k, s in shapes.items()}
        return dict(list(new.items())[-1:]) if single else {**arrays, **new}

    return subject.replace(params=extended(subject.params), gradients=[extended(g) for g in subject.gradients])


def with_leaf(subject: Subject, name: str, shape: Shape) -> Subject:
    """Return the subject with a leaf in another shape of as many elements."""

    def reshaped(arrays: Arrays) -> Arrays:
        return {**arrays, name: arrays[name].reshape(shape)}

    return subject.replace(params=reshaped(subject.params), gradients=[reshaped(g) for g in subject.gradients])


def accepted(subject: Subject) -> None:
    """Make the candidate with the leaves of a subject.

    Raises
    ------
    NotRun
        If it refuses them there and then, as one for matrices alone may do. To fail later, in a step, is no refusal.
    """
    try:
        subject.candidate.start(subject.params, subject.hyper)
    except CannotRunError as refusal:
        raise NotRun(f"it refuses such leaves: {refusal}") from refusal


def at_rest(subject: Subject) -> Arrays:
    """Return where parameters of zero get to by gradients of zero."""
    zero = {k: np.zeros_like(p) for k, p in subject.params.items()}
    return subject.walk([zero] * len(subject.gradients), params=zero)[-1]


def noisy(rest: Arrays) -> bool:
    """Tell whether elements of a leaf move differently at rest, where nothing tells them apart."""
    return any(x.size and not np.array_equal(x, np.full_like(x, x.flat[0]), equal_nan=True) for x in rest.values())


def quiet(subject: Subject) -> Subject:
    """Return a subject whose runs can be held against each other leaf by leaf.

    Raises
    ------
    NotRun
        If it adds noise, of which another number of leaves may draw other numbers from the same seed.
    """
    if noisy(at_rest(subject)):
        raise NotRun("it adds noise, which may be other noise for other leaves")
    return subject


def refuses(error: CannotRunError) -> bool:
    """Tell whether a step that failed refuses such leaves, by a `raise` of its own, or just breaks on them."""
    cause = error.__cause__
    if not isinstance(cause, (ValueError, NotImplementedError)):
        return False
    # that of Python or of an array library for shapes that do not fit is raised in C
    where = traceback.extract_tb(cause.__traceback__)[-1].line
    return where is not None and where.startswith("raise")


def unlike(subject: Subject, path: list[Arrays], expected: list[Arrays]) -> Apart | None:
    """Return where two runs of a subject's leaves part, if no rounding inside of the candidate explains it.

    What computes a part of its step in bfloat16 answers with more than an epsilon where leaves are batched otherwise.
    """
    apart = subject.apart(path, expected)
    return None if apart is None or rounding(subject, apart) else apart


def finite(path: list[Arrays]) -> bool:
    """Tell whether all parameters stay finite."""
    return all(np.isfinite(x).all() for params in path for x in params.values())
