"""First-order rules: one optimizer a file."""

from arrayopt.firstorder.adam import Adam

RULES = (Adam,)

__all__ = ["RULES", "Adam"]
