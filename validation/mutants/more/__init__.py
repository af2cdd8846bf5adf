"""Mutants beyond those of `arrayopt.conformance.mutants`, which no test runs; `validation.mutants --more` does."""

from arrayopt.conformance.mutants import mutants_in
from validation.mutants.more import elementwise, unseen, variants, wholes

MORE = mutants_in(elementwise, variants, wholes, unseen)
