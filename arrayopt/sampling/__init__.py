"""Optimisation as sampling: one view from gradient descent and Newton to zeroth order and policy gradient."""

from collections.abc import Callable, Mapping
from typing import Any

METHODS: Mapping[str, Callable[..., Any]] = {}
"""By name, for `arrayopt.minimize`."""
