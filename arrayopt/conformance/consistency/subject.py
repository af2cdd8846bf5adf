"""Subject: a candidate with settings at which it is run, and what two of its runs may lie apart."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate, epsilon
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.probes import EXAGGERATED, SHAPES

REGROUPED = 256.0
"""Machine epsilons by which one displacement may differ when a compiler fuses or orders operations otherwise."""
LARGEST = 0.125
"""The most that two runs may differ in any precision, or nothing could fail in half precision."""


class NotRun(Exception):
    """A check does not apply to a candidate; the text says why."""


@dataclass(frozen=True)
class Subject:
    """A candidate, and where and how it is run. No rule is needed.

    Attributes
    ----------
    candidate : Candidate
        What is looked at.
    hyper : dict of float
        The hyper-parameters that every run gets unless it says otherwise: `EXAGGERATED` where declared, else as it
        ships.
    params, gradients : dict of array, list of dict of array
        The start and the gradients of each step of every run that does not bring its own.
    """

    candidate: Candidate
    hyper: Mapping[str, float]
    params: Arrays
    gradients: list[Arrays]

    @classmethod
    def of(cls, candidate: Candidate, seed: int = 0, shapes: Mapping[str, tuple[int, ...]] = SHAPES) -> "Subject":
        """Make a subject with random numbers that float32 and bfloat16 hold exactly enough; one leaf for an array."""
        rng = np.random.default_rng(seed)
        if candidate.tree == "array":
            shapes = dict(list(shapes.items())[:1])
        hyper = {**candidate.defaults, **{k: EXAGGERATED[k] for k in candidate.hyper if k in EXAGGERATED}}
        params, *gradients = [
            {k: rng.normal(scale=2.0, size=s).astype(np.float32).astype(np.float64) for k, s in shapes.items()}
            for _ in range(9)
        ]
        return cls(candidate, hyper, params, gradients)

    def replace(self, **fields: object) -> "Subject":
        """Return the subject with some attributes changed."""
        return dataclasses.replace(self, **fields)  # type: ignore[arg-type]

    @cached_property
    def path(self) -> list[Arrays]:
        """The parameters after each step of the run that others are held against.

        Raises
        ------
        NotRun
            If a second such run differs, so that nothing can be held against the first.
        """
        path = self.walk()
        if self.apart(self.walk(), path) is not None:
            raise NotRun("two of its runs from the same start differ")
        return path

    def walk(
        self,
        gradients: list[Arrays] | None = None,
        *,
        params: Arrays | None = None,
        hyper: Mapping[str, float] | None = None,
        dtypes: Mapping[str, str] | None = None,
        after: Callable[[Arrays], None] | None = None,
    ) -> list[Arrays]:
        """Run the candidate from a fresh start and return the parameters after each step.

        Raises
        ------
        CannotRunError
            If the candidate raises, or returns something else than its parameters.
        """
        running = self.candidate.start(params or self.params, {**self.hyper, **(hyper or {})}, dtypes)
        return [running.step(g, after)[0] for g in (gradients or self.gradients)]

    def apart(self, path: list[Arrays], expected: list[Arrays], params: Arrays | None = None) -> "Apart | None":
        """Return where two runs part by more than rounding and regrouping explain; None if they do not.

        What is compared is p_t - p_0, relative to the largest displacement in the leaf. A step may also round p itself,
        which matters where it is much larger than the displacement.
        """
        unit = epsilon(self.candidate.dtype)
        tolerance = min(REGROUPED * unit, LARGEST)
        for t, (got, want) in enumerate(zip(path, expected, strict=True), 1):
            for k, x in want.items():
                off = _relative(got[k], x, (params or self.params)[k], t * unit)
                if off > tolerance:
                    return Apart(t, k, off)
        return None


@dataclass(frozen=True)
class Apart:
    """Where two runs part: the step, the leaf, and by how much of the displacement."""

    step: int
    leaf: str
    relative: float

    def __str__(self) -> str:
        return f"from step {self.step} on in leaf {self.leaf!r}, by {self.relative:.2g} of the displacement"


def _relative(got: np.ndarray, want: np.ndarray, start: np.ndarray, rounding: float = 0.0) -> float:
    if np.array_equal(got, want, equal_nan=True):
        return 0.0
    with np.errstate(all="ignore"):
        moved = max(np.max(np.abs(want - start)), np.max(np.abs(got - start)))
        off = float(np.max(np.maximum(np.abs(got - want) - rounding * np.abs(want), 0.0)) / moved)
    return off if np.isfinite(off) else np.inf


@dataclass(frozen=True)
class Check:
    """One thing that an optimizer of any kind must satisfy.

    Attributes
    ----------
    name : str
        A word or two with hyphens; the kind of the causes it finds, and part of the id of a test.
    reveals : str
        What a failure tells.
    misses : str
        What passes it wrongly.
    run : callable
        ``run(subject)`` yields the causes found; it raises `NotRun` where the check does not apply.
    """

    name: str
    reveals: str
    misses: str
    run: Callable[[Subject], Iterator[Cause]] = field(repr=False)
