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
    "momentum_decay_in_velocity_alone": "no edit puts the decay into a slot and not into what is made of it",
    "adagrad_warm_and_decaying": "two numbers are hidden, of which one is a constant of the dialect",
    "rmsprop_hidden_rho": "two numbers are hidden, of which one is a constant of the dialect",
    "adam_one_buffer": "a shared buffer whose absolute value is taken",
    "lamb_one_ratio": "no edit takes a norm over all leaves",
    "lamb_ratio_before_decay": "no edit takes a norm of another quantity",
    "muon_kernels_not_flattened": "no edit changes the shape that a matrix is made of",
    "muon_six_steps": "the number of steps is structure, which is not searched",
    "muon_bfloat16": "its bfloat16 is not rounded where torch's is",
    "shampoo_exponent_of_one_side": "no edit looks into a matrix root",
    "shampoo_hidden_fading": "beta and eps are hidden together, and beta at 1 is another branch",
    "amos_pytorch_optimizer": "a hidden eps shows in the matrix probe alone",
    "amos_hidden_coefficients": "two coefficients are hidden together that are not among the usual numbers",
    "adafactor_optax": "several dialects and a factor of the decay at once",
    "adafactor_no_row_mean": "no edit leaves a reduction out",
    "clip_without_root": "no edit looks into the clipping",
    "clip_after_momentum": "clipping is looked for before the rule only",
}
"""The mutants that are caught but not named, and why."""

__all__ = ["KINDS", "KNOWN_MISSES", "MUST_BE_NAMED", "MUTANTS", "Judgement", "Mutant", "judge", "mutants_in"]
