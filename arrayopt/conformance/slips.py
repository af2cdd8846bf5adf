"""Slips: mistakes that are no dialect, and how each would show.

A slip is a way to follow a rule wrongly: from another step count, or with two numbers in each other's place. One that
makes a rule agree with a candidate in every probe is its cause.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.compare import Ran, compare
from arrayopt.core import options
from arrayopt.core.rule import Rule


@dataclass(frozen=True)
class Slip:
    """One mistake.

    Attributes
    ----------
    kind : str
        "step-count" or "swapped".
    text : str
        What is wrong, for people.
    start : int
        The step count before the first step.
    twist : callable, optional
        What it makes of the rule.
    """

    kind: str
    text: str
    start: int = 0
    twist: Callable[[Rule], Rule] | None = None


def catalogue(rule: Rule, candidate: Candidate) -> Iterator[Slip]:
    """Yield the slips that a rule allows: swaps are of declared decay rates."""
    yield Slip("step-count", "its step count starts at 2 instead of 1", start=1)
    yield Slip("step-count", "its step count starts at 0 instead of 1", start=-1)
    rates = [k for k, i in options.numbers(type(rule)).items() if i.high == 1 and k in candidate.hyper]
    for a, b in itertools.combinations(rates, 2):
        yield Slip("swapped", f"it has {a} and {b} in each other's place", twist=_swap(a, b))


def slip_of(candidate: Candidate, runs: list[Ran], near: list[Rule]) -> tuple[Rule, Slip] | None:
    """Return the first of some rules, and the slip with which it agrees with a candidate in every probe."""
    ran = [r for r in runs if not r.not_run]
    for rule in near:
        for slip in catalogue(rule, candidate):
            try:
                if all(compare(r, rule, candidate, start=slip.start, twist=slip.twist).agrees for r in ran):
                    return rule, slip
            except ZeroDivisionError:  # a bias correction at step 0
                continue
    return None


def _swap(a: str, b: str) -> Callable[[Rule], Rule]:
    return lambda rule: rule.replace(**{a: getattr(rule, b), b: getattr(rule, a)})
