"""Adapters: the optimizers of installed frameworks as candidates.

Each framework has a module here with ``candidate(target, **fixed)``, which adapts one of its optimizer classes or
factories, and ``peers()``, which lists those that arrayopt has a rule for. A framework is imported only
when its adapter is used.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from arrayopt.conformance.candidate import Candidate
from arrayopt.core.rule import Rule
from arrayopt.errors import MissingPeerError

FRAMEWORKS = ("torch", "optax", "keras", "mlx", "sklearn", "autograd", "tinygrad", "pytorch_optimizer", "lion_pytorch")
"""Importable names of the frameworks with an adapter."""


@dataclass(frozen=True)
class Peer:
    """An optimizer of a framework, and the rule that it claims to follow.

    Attributes
    ----------
    name : str
        As its users write it, with the options that are switched on: "torch.optim.Adam(amsgrad=True)".
    candidate : Candidate
        The optimizer, adapted.
    reference : Rule
        The published rule at the framework's default hyper-parameters.
    preset : Rule or None
        What the rule's table of presets says that it computes; None where the table has no such row.
    """

    name: str
    candidate: Candidate
    reference: Rule
    preset: Rule | None = None


def installed() -> list[str]:
    """Return the frameworks that are installed, without importing them."""
    return [name for name in FRAMEWORKS if importlib.util.find_spec(name) is not None]


def adapter(framework: str) -> ModuleType:
    """Import the adapter of a framework.

    Raises
    ------
    MissingPeerError
        If there is no adapter, or the framework is not installed.
    """
    if framework not in FRAMEWORKS:
        raise MissingPeerError(f"no adapter for {framework!r}; there are adapters for {', '.join(FRAMEWORKS)}")
    if importlib.util.find_spec(framework) is None:
        raise MissingPeerError(f"{framework} is not installed; install it, for example with `pip install {framework}`")
    return importlib.import_module(f"arrayopt.conformance.adapters.{framework}_adapter")


def adapt(target: Callable[..., Any], **fixed: Any) -> Candidate | None:
    """Adapt an optimizer class or factory of a known framework; None if it belongs to none of them."""
    package = _framework_of(target)
    return None if package is None else adapter(package).candidate(target, **fixed)


def peers(framework: str) -> list[Peer]:
    """List the optimizers of an installed framework that arrayopt has a rule for."""
    found: list[Peer] = adapter(framework).peers()
    return found


def _framework_of(target: Callable[..., Any]) -> str | None:
    """Find the framework that an optimizer builds on: where it is defined, or where a base class of it is."""
    for cls in getattr(target, "__mro__", (target,)):
        package = getattr(cls, "__module__", "").split(".")[0]
        if package in FRAMEWORKS:
            return package
    return None
