"""Orthogonal factors and inverse roots of matrices: what Muon and Shampoo compute with.

The helpers `newton_schulz`, `msign` and `inverse_root` are opaque: one operation of the tape each. Every one has an
attribute ``error``, which bounds in the Frobenius norm how far its result moves when its argument does.
"""

from arrayopt.core.orthogonal.iteration import newton_schulz
from arrayopt.core.orthogonal.polynomials import (
    KELLER,
    QUINTIC,
    TAYLOR,
    Polynomial,
    coefficients,
    composite,
    named,
    polar_express,
    take,
)
from arrayopt.core.orthogonal.spectral import inverse_root, msign

__all__ = [
    "KELLER",
    "QUINTIC",
    "TAYLOR",
    "Polynomial",
    "coefficients",
    "composite",
    "inverse_root",
    "msign",
    "named",
    "newton_schulz",
    "polar_express",
    "take",
]
