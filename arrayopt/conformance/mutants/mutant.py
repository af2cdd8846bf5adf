"""A mutant: an optimizer whose mistake, or whose dialect, is known, and the two forms in which one is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.models import Model
from arrayopt.conformance.report import name_of

Kind = Literal["dialect", "constant", "slip", "ignored", "impure", "precision", "other", "correct"]
KINDS: Mapping[Kind, str] = {
    "dialect": "It speaks another dialect of the rule.",
    "constant": "A number is fixed in it that the rule has otherwise.",
    "slip": "It makes a mistake.",
    "ignored": "It declares a number that changes nothing.",
    "impure": "Its steps are right, but it writes into the caller's gradients or keeps them.",
    "precision": "The rule is right, but something is computed in fewer bits.",
    "other": "It follows another rule, which arrayopt does not have: none may be named.",
    "correct": "It follows the rule in another order of operations: there must be no alarm.",
}
"""The kinds of mutants, and what is known of one."""
Array = Any
Numbers = Any


class Kept(SimpleNamespace):
    """What is kept for a leaf: the step count `t` from 1, and arrays by name, which are zeros until they are set."""

    def __init__(self, like: Array) -> None:
        super().__init__(t=0, like=like)

    def __getattr__(self, name: str) -> Array:
        return np.zeros_like(self.like)


class Session:
    """A session in which every leaf is moved by itself; the numbers are attributes of `h`."""

    def __init__(self, params: Arrays, **hyper: float) -> None:
        self.params, self.h = params, SimpleNamespace(**hyper)
        self.kept = {k: Kept(p) for k, p in params.items()}

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters."""
        vars(self.h).update(hyper)

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        for k, g in self._seen(grads).items():
            s = self.kept[k]
            s.t += 1
            self.params[k] = self._moved(self.h, s, g, self.params[k])
        return self.params

    def _seen(self, grads: Arrays) -> Arrays:
        """Return the gradients that the leaves see."""
        return grads

    def _moved(self, h: Numbers, s: Kept, g: Array, p: Array) -> Array:
        """Return the new parameter."""
        raise NotImplementedError


@dataclass(frozen=True)
class Mutant:
    """An optimizer of which it is known what it computes.

    Attributes
    ----------
    name : str
        What tables call it.
    what : str
        What is wrong with it, or how it speaks.
    kind : str
        One of `KINDS`.
    reference : Rule or Clip
        What it claims to follow.
    make : callable
        ``make(params, **hyper) -> Session``.
    ordinary : dict of float
        The numbers that it declares, at ordinary values.
    dtype : str
        The precision that it computes in.
    """

    name: str
    what: str
    kind: Kind
    reference: Model
    make: Callable[..., Any]
    ordinary: Mapping[str, float] = field(hash=False)
    dtype: str = "float64"

    @property
    def family(self) -> str:
        """Return the name of the rule that it claims to follow."""
        return name_of(self.reference)

    def candidate(self) -> Candidate:
        """Return it as what `check` takes."""
        return Candidate(self.name, self.make, tuple(self.ordinary), self.dtype)


def session(
    kind: Kind, reference: Model, dtype: str = "float64", /, **ordinary: float
) -> Callable[[Callable[..., Any]], Mutant]:
    """Make a mutant of a class of sessions, or a function that returns one; its docstring is what is told of it."""

    def made(make: Callable[..., Any]) -> Mutant:
        what = " ".join((make.__doc__ or "").split())
        return Mutant(make.__name__, what, kind, reference, make, ordinary, dtype)

    return made


def by_leaf(
    kind: Kind, reference: Model, dtype: str = "float64", /, **ordinary: float
) -> Callable[[Callable[[Numbers, Kept, Array, Array], Array]], Mutant]:
    """Make a mutant of a function ``(h, s, g, p) -> new p`` of one leaf, as `Session` calls it."""

    def made(moved: Callable[[Numbers, Kept, Array, Array], Array]) -> Mutant:
        body = {"_moved": staticmethod(moved), "__doc__": moved.__doc__}
        return session(kind, reference, dtype, **ordinary)(type(moved.__name__, (Session,), body))

    return made
