"""Consistency: what every optimizer must satisfy, whatever its rule.

Order of leaves, ownership of gradients, save and restore, liveness of options, agreement of code paths: no reference
is needed, so that optimizers without a rule are probed too. To add a check, write a generator of causes in the file of
its topic and a line in that file's `CHECKS`.
"""

import math
import time
from collections.abc import Collection

from arrayopt.conformance.candidate import CannotRunError
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency import (
    edges,
    extremes,
    liveness,
    metamorphic,
    order,
    ownership,
    paths,
    precision,
    restore,
)
from arrayopt.conformance.consistency.subject import Check, NotRun, Subject

CHECKS: dict[str, Check] = {
    c.name: c
    for topic in (order, ownership, paths, liveness, edges, extremes, restore, metamorphic, precision)
    for c in topic.CHECKS
}
"""Every check by name, in the order in which they are run: where time is short the last ones are left out."""


def examine(
    subject: Subject, only: Collection[str] = CHECKS, seconds: float = math.inf
) -> tuple[list[Cause], dict[str, str]]:
    """Run the checks; return the causes found, and for each check "passes", "fails" or "not run: why".

    Once they have taken `seconds` of processor time, no further one is begun.
    """
    causes: list[Cause] = []
    said: dict[str, str] = {}
    started = time.process_time()
    for name in only:
        try:
            if time.process_time() - started > seconds:
                raise NotRun(f"the checks before it took more than {seconds:g} seconds")
            found = list(CHECKS[name].run(subject))
            # what is random by chance once looks like a fault, and not twice
            if any(c.wrong for c in found) and not any(c.wrong for c in CHECKS[name].run(subject.replace())):
                raise NotRun("what it found did not come up again")
        except (NotRun, CannotRunError) as why:
            said[name] = f"not run: {why}"
            continue
        said[name] = "fails" if any(c.wrong for c in found) else "passes"
        causes += found
    return causes, said


__all__ = ["CHECKS", "Check", "NotRun", "Subject", "examine"]
