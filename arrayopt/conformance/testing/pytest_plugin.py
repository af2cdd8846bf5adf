"""The part of the pytest plugin that is loaded when a candidate is named on the command line.

The options are in `_arrayopt_pytest`. Each candidate has the items that `testing.parametrize` would give it, whose
ids begin with ``arrayopt::``; they come after all others.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.models import Model
from arrayopt.conformance.targets import load
from arrayopt.conformance.testing.cases import Case, ConformanceError
from arrayopt.conformance.testing.parametrized import cases, marks
from arrayopt.errors import ArrayOptError, OptionError
from arrayopt.firstorder import RULES, Clip

CASES = pytest.StashKey[list[Case]]()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Load the candidates, so that what is wrong with them is said before pytest-xdist starts its workers."""
    config = session.config
    try:
        session.stash[CASES] = read(
            config.getoption("--arrayopt-candidate"),
            config.getoption("--arrayopt-against"),
            config.getoption("--arrayopt-expect"),
        )
    except ArrayOptError as error:
        raise pytest.UsageError(f"arrayopt: {error}") from error


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add the items of the candidates, before pytest selects among all by ``-k``, ``--lf`` and the like."""
    items += session.genitems(Candidates.from_parent(session, name="arrayopt", nodeid="arrayopt"))


class Candidates(pytest.Collector):
    """The candidates of the command line."""

    def collect(self) -> "list[CheckItem]":
        """Return an item for each check of each candidate."""
        return [CheckItem.from_parent(self, name=case.id, case=case) for case in self.session.stash[CASES]]


class CheckItem(pytest.Item):
    """One check of one candidate."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        for mark in marks(case):
            self.add_marker(mark)

    def runtest(self) -> None:
        """Run the check."""
        self.case()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the report of a candidate that fails; of anything else the traceback from here on."""
        if type(excinfo.value) in (AssertionError, ConformanceError):
            return str(excinfo.value)
        excinfo.traceback = excinfo.traceback.cut(path=__file__)  # pytest's own calls come before
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return where it is and what to call it, which pytest would take apart at its dots if it were the name."""
        return self.path, None, f"arrayopt: {self.name}"


def read(targets: list[str], against: str | None, expected: list[str]) -> list[Case]:
    """Return the cases that the options ask for, each option as it was written.

    Raises
    ------
    ArrayOptError
        If a target cannot be loaded, or an option is not written as one.
    """
    declared = {}
    for text in expected:
        check, _, reason = text.partition("=")
        declared[check.strip()] = reason
    given = None if against is None else rule_from_text(against)
    pairs: list[tuple[Candidate, Model | None]] = []
    for target in targets:
        candidate, told, _ = load(target, given)
        pairs.append((candidate, told))
    return cases(pairs, expected_failures=lambda candidate: declared)


def rule_from_text(text: str) -> Model:
    """Return the rule of a text such as ``adam`` or ``Adam(eps_place='hat')``, as a failed test proposes it.

    Raises
    ------
    OptionError
        If it is no such text, or there is no such rule or option.
    """
    try:
        return _made(ast.parse(text, mode="eval").body)
    except (SyntaxError, TypeError) as error:
        raise OptionError(f"a rule is written as adam or \"Adam(eps_place='hat')\", got {text!r}") from error


def _made(tree: ast.expr) -> Model:
    """Make the rule of a name, alone or called with options, one of which may be a rule."""
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    if not isinstance(call.func, ast.Name) or call.args or any(k.arg is None for k in call.keywords):
        raise SyntaxError("no name with options")
    known: dict[str, Callable[..., Model]] = {cls.__name__.lower(): cls for cls in RULES} | {"clip": Clip}
    if call.func.id.lower() not in known:
        raise OptionError(f"no rule {call.func.id!r}; the rules are {', '.join(known)}")
    return known[call.func.id.lower()](**{str(k.arg): _value(k.value) for k in call.keywords})


def _value(tree: ast.expr) -> Any:
    if isinstance(tree, ast.Call):
        return _made(tree)
    try:
        return ast.literal_eval(tree)
    except ValueError as error:
        raise SyntaxError("no literal") from error
