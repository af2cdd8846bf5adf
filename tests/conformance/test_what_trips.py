"""Every check and every probe is there for something: each trips on an optimizer that is wrong in that way alone."""

import pytest

from arrayopt.conformance.consistency import CHECKS, Subject
from tests.conformance.consistency import mistakes, ports_meta


def suspects(check):
    """Candidates that a check is there for."""
    return [
        *map(mistakes.mutant, mistakes.WRONG.get(check, ())),
        *ports_meta.WRONG.get(check, ()),
        *ports_meta.NOTED.get(check, ()),
    ]


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_trips_on_something(check):
    assert any(c.kind == check for suspect in suspects(check) for c in CHECKS[check].run(Subject.of(suspect)))
