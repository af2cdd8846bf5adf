"""Mutants beyond those of `arrayopt.conformance.mutants`: the tests run none, so nothing is tuned for them."""

from arrayopt.conformance.mutants import mutants_in
from validation.mutants.more import elementwise, unseen, variants, wholes

MORE = mutants_in(elementwise, variants, wholes, unseen)
