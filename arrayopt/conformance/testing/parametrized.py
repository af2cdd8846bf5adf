"""Test suites: one pytest id for each check of each candidate.

A check passes, fails, is skipped with the reason why it does not apply, or fails as its caller has declared. pytest is
imported only where it is asked for a mark or a skip: the cases themselves are callables that any test runner can call.
"""

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.models import Model
from arrayopt.conformance.testing.cases import RULE, Case, ConformanceError, Given, Held
from arrayopt.errors import OptionError

if TYPE_CHECKING:
    import pytest

Candidates = Iterable[Given | tuple[Given, Model | None]] | Mapping[Any, Model | None]
Declared = Mapping[str, Any]  # check -> reason, which must be a text
Expected = Mapping[Any, Declared] | Callable[[Given], Declared | None]


def parametrize(
    candidates: Candidates, reference: Model | None = None, *, expected_failures: Expected | None = None, seed: int = 0
) -> "pytest.MarkDecorator":
    """Parametrize a pytest function with every check of every candidate.

    The function takes an argument ``check`` and calls it. Its ids are ``NAME-CHECK``, such as ``MyAdam-rule``.

    Parameters
    ----------
    candidates : list, or mapping of candidate to rule
        What is tested, each a `Candidate`, or a class or function as `conformance.check` takes it. In a list, a pair
        ``(candidate, reference)`` has a reference of its own.
    reference : Rule or Clip, optional
        The rule that they claim to follow, in the dialect that they are meant to speak. Without one a candidate has
        no check "rule", only those that hold for every optimizer.
    expected_failures : mapping or callable, optional
        ``{candidate: {check: reason}}``, or a function that returns ``{check: reason}`` of a candidate: what is known
        to fail, and why. Such a failure is an xfail. One that passes is an error: take it out.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    pytest.MarkDecorator

    Raises
    ------
    OptionError
        If an argument is not as described here, two candidates have one name, a declared check does not exist, or a
        reason is empty.

    Examples
    --------
    >>> from arrayopt import SGD
    >>> class Descent:
    ...     def __init__(self, params, lr):
    ...         self.params, self.lr = params, lr
    ...     def step(self, grads):
    ...         self.params = {k: p - self.lr * grads[k] for k, p in self.params.items()}
    ...         return self.params
    >>> @parametrize([Descent], reference=SGD())
    ... def test_descent(check):
    ...     check()
    """
    __tracebackhide__ = True
    import pytest

    made = cases(candidates, reference, expected_failures=expected_failures, seed=seed)
    return pytest.mark.parametrize("check", [pytest.param(c, id=c.id, marks=marks(c)) for c in made])


def marks(case: Case) -> "list[pytest.MarkDecorator]":
    """Return the xfail mark of a case that is declared to fail. Only a `ConformanceError` is what was declared."""
    import pytest

    if not case.reason:
        return []
    return [pytest.mark.xfail(raises=ConformanceError, reason=case.reason, strict=True)]


def cases(
    candidates: Candidates, reference: Model | None = None, *, expected_failures: Expected | None = None, seed: int = 0
) -> list[Case]:
    """Return what `parametrize` runs, in the order of the candidates and of the checks; nothing is computed yet."""
    __tracebackhide__ = True
    held = [Held(given, rule, seed) for given, rule in _pairs(candidates, reference)]
    names = [h.candidate.name for h in held]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise OptionError(
            f"parametrize: several candidates are called {twice[0]!r}; give each a name of its own: "
            "Candidate.from_step(..., name=...)"
        )
    if isinstance(expected_failures, Mapping):
        for key in expected_failures:
            if not any(key == h.given for h in held):
                told = f"expected_failures names {key!r}, which is none of the candidates"
                raise OptionError(f"parametrize: {told}; write {{candidate: {{check: reason}}}}")
    made = []
    for h in held:
        declared = _declared(h, expected_failures)
        made += [Case(h, name, declared.get(name, "")) for name in h.checks]
    return made


# Reading the arguments -------------------------------------------------------------------------


def _pairs(candidates: Candidates, reference: Model | None) -> list[tuple[Given, Model | None]]:
    """Return each candidate with its reference."""
    __tracebackhide__ = True
    if isinstance(candidates, str | Candidate) or not isinstance(candidates, Iterable):
        raise OptionError(f"parametrize: candidates must be a list such as [MyAdam], got {candidates!r}")
    every = candidates.items() if isinstance(candidates, Mapping) else candidates
    pairs: list[tuple[Any, Any]] = [x if isinstance(x, tuple) and len(x) == 2 else (x, reference) for x in every]
    if not pairs:
        raise OptionError("parametrize: no candidates, so that nothing would be tested")
    for given, rule in pairs:
        if not isinstance(given, Candidate) and not callable(given):
            raise OptionError(f"parametrize: a candidate is a Candidate, a class or a function, got {given!r}")
        if rule is not None and not isinstance(rule, Model):
            raise OptionError(f"parametrize: reference must be a rule such as Adam(), got {rule!r}")
    return pairs


def _declared(held: Held, expected: Expected | None) -> Declared:
    """Return what is declared of a candidate: check -> reason."""
    __tracebackhide__ = True
    if expected is None:
        return {}
    if isinstance(expected, Mapping):
        declared = next((d for key, d in expected.items() if key == held.given), {})
    else:
        declared = expected(held.given) or {}
    whose = f"parametrize: expected_failures of {held.candidate.name}"
    if not isinstance(declared, Mapping):
        raise OptionError(f"{whose} must be a mapping such as {{'rule': 'a reason'}}, got {declared!r}")
    for name, reason in declared.items():
        if name not in held.checks:
            raise OptionError(f"{whose} name no check {name!r}{_near(name, held.checks)}")
        if not isinstance(reason, str) or not reason.strip():
            raise OptionError(f"{whose} give no reason for {name!r}; say why it fails, got {reason!r}")
    return declared


def _near(name: str, known: Collection[str]) -> str:
    if name == RULE:
        return ", as no reference is given"
    near = difflib.get_close_matches(str(name), known, 2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"{hint} the checks are {', '.join(known)}" if near else f"; the checks are {', '.join(known)}"
