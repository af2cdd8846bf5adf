"""Illustration: what a report needs for people to look at it, the curves and the script of the departure."""

import dataclasses

from arrayopt.conformance.candidate import Candidate, CannotRunError
from arrayopt.conformance.compare import follow
from arrayopt.conformance.forms import settle
from arrayopt.conformance.models import rule_in
from arrayopt.conformance.probes import probes_for
from arrayopt.conformance.report import Report
from arrayopt.conformance.reports.curves import curves
from arrayopt.conformance.reports.reproduction import reproduction
from arrayopt.readers.bounded import DOUBLE, SINGLE


def illustrated(report: Report, candidate: Candidate, *, seed: int = 0) -> Report:
    """Return a report with its curves, and with a script that shows where it first departs.

    The probes are run once more, and a few dozen smaller ones for the script, so that a check which nobody looks at
    need not pay for it.

    Parameters
    ----------
    report : Report
        What `check` found.
    candidate : Candidate
        What was checked.
    seed : int
        The seed that it was checked with.
    """
    reference = report.reference
    if reference is None:
        return report
    try:
        candidate = settle(candidate, reference)
        probes = probes_for(rule_in(reference), seed, candidate.tree == "array", candidate.dtype)
        runs = follow(candidate, probes, reference)
    except CannotRunError:  # which the report says
        return report
    unit = SINGLE if any(c.kind == "float32-scalars" for c in report.causes) else DOUBLE
    drawn = curves(runs, reference, report.match, candidate, unit)
    first = report.first_divergence
    departing = [r for r in runs if first is not None and r.probe.name == first.probe and not r.not_run]
    script = reproduction(candidate, reference, departing[0]) if departing else ""
    return dataclasses.replace(report, curves=drawn, reproduction=script)
