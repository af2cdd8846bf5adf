"""Methods that learn from, or correct, what was learned."""

from arrayopt.learn.alternating_normalisation import can
from arrayopt.learn.entropy import top_k_entropy

__all__ = ["can", "top_k_entropy"]
