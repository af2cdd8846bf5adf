"""The conformance kit: point it at anybody's optimizer and it says what that computes."""

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.check import check
from arrayopt.conformance.compare import Divergence
from arrayopt.conformance.processes.process import process_candidate
from arrayopt.conformance.report import Report
from arrayopt.conformance.testing.parametrized import parametrize

__all__ = ["Candidate", "Cause", "Divergence", "Report", "check", "parametrize", "process_candidate"]
