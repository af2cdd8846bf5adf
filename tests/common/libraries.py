"""Array libraries to run a test on, as parameters of pytest: one that is not installed is a skip with its reason."""

import importlib
from importlib.util import find_spec
from typing import Any

import pytest

MODULES = {"numpy": "numpy", "strict": "array_api_strict", "torch": "torch", "jax": "jax.numpy"}


def libraries(*names: str) -> list[Any]:
    """Return modules."""
    return [_parameter(name, lambda module: module) for name in names]


def makers(*names: str) -> list[Any]:
    """Return what turns a NumPy array into one of each library."""
    return [_parameter(name, lambda module: module.asarray) for name in names]


def _parameter(name: str, of: Any) -> Any:
    package = MODULES[name].partition(".")[0]
    if find_spec(package) is None:
        return pytest.param(None, id=name, marks=pytest.mark.skip(reason=f"{package} is not installed"))
    return pytest.param(of(importlib.import_module(MODULES[name])), id=name)
