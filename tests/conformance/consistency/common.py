"""What a check finds, for tests."""

from arrayopt.conformance.consistency import CHECKS, Subject

MATRICES = {"a": (4, 3), "b": (3, 5)}


def causes(check, candidate, **options):
    """What a check finds in a candidate, wrong or noted."""
    return list(CHECKS[check].run(Subject.of(candidate, **options)))


def only(check, candidate, **options):
    """The one cause that a check finds."""
    (found,) = causes(check, candidate, **options)
    return found
