"""Ownership: gradients belong to the caller, before and after the step."""

from collections.abc import Iterator

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.subject import Check, Subject


def _overwrites(subject: Subject) -> Iterator[Cause]:
    running = subject.candidate.start(subject.params, subject.hyper)
    touched = {leaf for g in subject.gradients for leaf in running.step(g)[1]}
    if touched:
        leaves = ", ".join(sorted(touched))
        yield Cause("gradient-overwritten", f"it overwrites the gradients it is given (leaf {leaves})")


def _keeps(subject: Subject) -> Iterator[Cause]:
    def reuse(handed: Arrays) -> None:
        for g in handed.values():
            g.fill(np.nan)

    apart = subject.apart(subject.walk(after=reuse), subject.path)
    if apart is not None:
        text = f"it keeps the caller's gradient array and reads it again in a later step ({apart})"
        yield Cause("gradient-kept", text)


CHECKS = (
    Check(
        "gradient-overwritten",
        "the step computes in place on the gradients that it is given",
        "one that writes into a gradient only at other settings, such as with clipping",
        _overwrites,
    ),
    Check(
        "gradient-kept",
        "a moment is the caller's array and not a copy: it changes when the caller fills it for the next step",
        "one that keeps the array but copies it before its next use",
        _keeps,
    ),
)
