"""Test vectors: what a rule computes, as files that an implementation in any language can be held against."""

from arrayopt.conformance.vectors.diagnosis import Diagnosis
from arrayopt.conformance.vectors.form import VectorError
from arrayopt.conformance.vectors.verification import Departure, Outcome, Verification, verify
from arrayopt.conformance.vectors.writing import export

__all__ = ["Departure", "Diagnosis", "Outcome", "VectorError", "Verification", "export", "verify"]
