"""Mutants: optimizers of all families that are deliberately wrong, or that speak another dialect.

They measure the kit. What each computes is known, so that it can be told whether `check` catches it, and whether the
rule that it names in `Report.match` really does what the mutant does: `judge` runs both on fresh gradients.

To add one, write it in the file of its family, as a function of one leaf under `by_leaf` or as a class under `session`.
The decorator takes the kind, the rule that it claims to follow, and the numbers that it declares at ordinary values;
the docstring says what is wrong. One that the kit does not name is listed in `KNOWN_MISSES` with the reason.
"""

from types import ModuleType

from arrayopt.conformance.mutants import (
    adam,
    adam_variants,
    adaptive,
    clipping,
    layerwise,
    matrices,
    momentum,
    signs,
)
from arrayopt.conformance.mutants.judge import Judgement, judge
from arrayopt.conformance.mutants.mutant import KINDS, Mutant


def mutants_in(*modules: ModuleType) -> tuple[Mutant, ...]:
    """Return the mutants that modules define, in the order of their text."""
    return tuple(x for module in modules for x in vars(module).values() if isinstance(x, Mutant))


MUTANTS = mutants_in(momentum, adaptive, adam, adam_variants, signs, matrices, layerwise, clipping)
"""All mutants."""
MUST_BE_NAMED = frozenset(KINDS) - {"other", "correct"}
"""The kinds of which a match can be expected; the share that is named is counted among these."""
KNOWN_MISSES: dict[str, str] = {
    "muon_bfloat16": "its bfloat16 is not rounded where torch's is",
    "clip_after_momentum": "clipping is looked for before the rule only",
}
"""The mutants that are caught but not named, and why."""

__all__ = ["KINDS", "KNOWN_MISSES", "MUST_BE_NAMED", "MUTANTS", "Judgement", "Mutant", "judge", "mutants_in"]
