"""Cases: one check of one candidate, as a callable that raises what is wrong, for any test runner."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from arrayopt.conformance.adapters import adapt
from arrayopt.conformance.candidate import Candidate, CannotRunError, Form
from arrayopt.conformance.check import check
from arrayopt.conformance.consistency import CHECKS, NotRun, Subject
from arrayopt.conformance.forms import FORMS, annotated
from arrayopt.conformance.models import Model, numbers, value
from arrayopt.core.schedules import at

RULE = "rule"
"""The check that holds a candidate against its reference; all others are those of `consistency.CHECKS`."""

Given = Candidate | Callable[..., Any]


class ConformanceError(AssertionError):
    """A candidate fails a check; the text is the report."""

    # as pytest does with its own: the short summary of a failure has room for its text, not for the name of a module
    __module__ = "builtins"


@dataclass(frozen=True, eq=False)
class Case:
    """One check of one candidate: a callable that raises what is wrong.

    Attributes
    ----------
    held : Held
        The candidate, and its reference.
    name : str
        The check.
    reason : str
        Why it is expected to fail; empty if it is not.
    """

    held: "Held" = field(repr=False)
    name: str
    reason: str = ""

    @property
    def id(self) -> str:
        """The name of the candidate and that of the check."""
        return f"{self.held.candidate.name}-{self.name}"

    def __call__(self) -> None:
        """Run the check.

        Raises
        ------
        ConformanceError
            If the candidate fails it.
        AssertionError
            If it passes although it is declared to fail.
        """
        __tracebackhide__ = True
        wrong = why = ""
        try:
            wrong = self.held.wrong(self.name)
        except NotRun as not_run:
            why = str(not_run)
        if why:
            import pytest

            pytest.skip(f"{self.id}: not run: {why}")
        if wrong:
            raise ConformanceError(wrong)
        if self.reason:
            raise AssertionError(
                f"{self.id} is declared as expected failure, but passes: remove it from the expected failures "
                f"(the reason given was: {self.reason})"
            )


class Held:
    """A candidate and the rule that it is held against; what several of its checks need is made once."""

    def __init__(self, given: Given, reference: Model | None, seed: int) -> None:
        self.given, self.reference, self.seed = given, reference, seed
        self.candidate = given if isinstance(given, Candidate) else adapt(given) or Candidate.from_step(given)

    @property
    def checks(self) -> list[str]:
        """The names of its checks."""
        return [RULE, *CHECKS] if self.reference is not None else list(CHECKS)

    def wrong(self, name: str) -> str:
        """Run a check and return what is wrong, empty if nothing is.

        Raises
        ------
        NotRun
            If the check does not apply.
        """
        if name == RULE:
            return self._departure()
        try:
            subject = self._subject
        except CannotRunError as why:
            return f"{self.candidate.name} cannot run: {why}"
        try:
            causes = [c for c in CHECKS[name].run(subject) if c.wrong]
        except CannotRunError as why:  # it does run, but not in the way that this check needs
            raise NotRun(str(why)) from why
        if not causes:
            return ""
        return "\n".join([f"{self.candidate.name} fails {name}", *(f"  cause         {c}" for c in causes)])

    def _departure(self) -> str:
        if self.reference is None:  # never: such a candidate has no check of that name
            raise NotRun("no reference is given")
        report = check(self.candidate, self.reference, seed=self.seed, consistency=False)
        if report.verdict == "conforms":
            return ""
        if report.verdict == "dialect" and report.match is not None:
            return f"{report}\n  if meant      reference={written(report.match)}"
        return str(report)

    @cached_property
    def _subject(self) -> Subject:
        """The candidate where it is known to run, at the reference's numbers where it does not say its own.

        The form of its parameters is the annotated one, else the first in which it runs.

        Raises
        ------
        CannotRunError
            If it runs in none.
        """
        candidate = self.candidate
        if self.reference is not None:
            known = numbers(self.reference)
            theirs = {k: at(value(self.reference, k), 1) for k in candidate.hyper if k in known}
            candidate = dataclasses.replace(candidate, defaults={**theirs, **candidate.defaults})
        reasons = []
        for form in _forms(candidate):
            subject = Subject.of(dataclasses.replace(candidate, tree=form), self.seed)
            try:
                subject.path  # noqa: B018 (runs it, and is kept)
            except CannotRunError as why:
                reasons.append(str(why))
            else:
                return subject
        raise CannotRunError("; ".join(dict.fromkeys(reasons)))


def _forms(candidate: Candidate) -> tuple[Form, ...]:
    if candidate.tree != "auto":
        return (candidate.tree,)
    own = annotated(candidate.make)
    return (own,) if own else FORMS


def written(model: Model) -> str:
    """Return a rule as one writes it: with the fields that are not at their defaults."""
    changed = {f.name: getattr(model, f.name) for f in dataclasses.fields(model)
               if getattr(model, f.name) != f.default}  # fmt: skip
    shown = {k: written(x) if isinstance(x, Model) else repr(x) for k, x in changed.items()}
    return f"{type(model).__name__}({', '.join(f'{k}={x}' for k, x in shown.items())})"
