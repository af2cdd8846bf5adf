"""Muon of optax, told which leaves are matrices."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import optax.contrib

MATRICES = (
    "muon_weight_dimension_numbers=lambda params: [optax.contrib.MuonDimensionNumbers(0, (*range(1, p.ndim),)) "
    "if p.ndim > 1 else None for p in params]"
)
"""How a script tells an optimizer what `MUON` tells it."""


def _matrices(params: Any) -> Any:
    """Return which axes of a leaf are rows, the first, and which are columns, all others; None for vectors."""
    return jax.tree.map(
        lambda p: optax.contrib.MuonDimensionNumbers(0, tuple(range(1, p.ndim))) if p.ndim > 1 else None, params
    )


@functools.wraps(optax.contrib.muon)
def _muon(*args: Any, **options: Any) -> Any:
    """Tell Muon that kernels are matrices too; by itself it takes nothing for one but what has two axes."""
    return optax.contrib.muon(*args, **{"muon_weight_dimension_numbers": _matrices, **options})


MUON: Callable[..., Any] = _muon
