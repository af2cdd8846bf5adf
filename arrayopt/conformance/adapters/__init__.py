"""Adapters: the optimizers of installed frameworks as candidates.

Each framework has a module here with ``candidate(target, **fixed)``, which adapts one of its optimizer classes or
factories, ``peers()``, which lists those that arrayopt has a rule for, and ``exports()``, which finds every optimizer
that the framework exports. A framework is imported only when its adapter is used.
"""

import dataclasses
import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Any

from arrayopt.conformance.adapters.assembly import Assembly, not_driven
from arrayopt.conformance.adapters.translation import NUMBERS, Options
from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.models import Model
from arrayopt.core.rule import Rule
from arrayopt.errors import MissingPeerError

FRAMEWORKS = (
    "torch", "optax", "keras", "mlx", "sklearn", "autograd", "tinygrad",
    "pytorch_optimizer", "lion_pytorch", "schedulefree",
)  # fmt: skip
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
    reference : Rule or None
        The published rule at the framework's default hyper-parameters; None where no rule is held against it.
    preset : Rule or None
        What the rule's table of presets says that it computes; None where the table has no such row.
    reason : str
        Why gradients are not enough to drive it; its candidate cannot be made then.
    """

    name: str
    candidate: Candidate
    reference: Model | None
    preset: Rule | None = None
    reason: str = ""


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


def exports(framework: str) -> list[Peer]:
    """Find every optimizer that an installed framework exports, at the options it ships with, without a reference.

    All numbers among their options are declared. Those that need more than gradients say so in `Peer.reason`.
    """
    found: list[Peer] = adapter(framework).exports()
    return found


def every_peer() -> tuple[list[Peer], dict[str, str]]:
    """List the optimizers of all installed frameworks, and why a framework cannot be adapted where it cannot."""
    found: list[Peer] = []
    broken = {}
    for framework in installed():
        try:
            found += peers(framework)
        except Exception as error:  # importing somebody's framework may fail in any way; the report says how
            broken[framework] = f"{type(error).__name__}: {error}"
    return found, broken


@dataclass(frozen=True)
class Row:
    """A line of an adapter's table of peers: one optimizer with its options at chosen values.

    Attributes
    ----------
    optimizer : str
        Its name in the framework's module.
    rule : type
        The rule that it claims to follow.
    fixed : dict
        Options that are held, by the framework's names.
    numbers : dict
        Fields of the rule that are not at the framework's default, which would make it another rule.
    dialect : dict
        Fields in which it differs from the framework's preset of the rule.
    """

    optimizer: str
    rule: type[Rule]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    dialect: Mapping[str, Any] = field(default_factory=dict)


def listed(
    framework: str, module: Any, rows: Iterable[Row], names: Mapping[str, str], candidate: Callable[..., Candidate]
) -> list[Peer]:
    """Turn the table of a framework into peers.

    The reference of a row is the published rule, which is the rule's class without any dialect, at the numbers that
    the framework has as defaults. A default that belongs to the dialect, such as an accumulator that starts at 0.1,
    is held fixed for the search to find.
    """
    found = []
    for row in rows:
        target = getattr(module, row.optimizer)
        options = Options(target, names, row.fixed)
        paper = {f.name: f.default for f in dataclasses.fields(row.rule)}
        defaults = {e.field: e.default for e in options.entries if e.default is not None and e.field in paper}
        own = {k for k in row.rule.constants if defaults.get(k, paper[k]) != paper[k] and k not in row.numbers}
        structure = {k: x for k, x in row.numbers.items() if k not in NUMBERS}
        held = {e.option: options.signature[e.option] for e in options.entries if e.field in own}
        held |= options.arguments(structure)
        numbers: dict[str, Any] = {k: x for k, x in defaults.items() if k not in own} | dict(row.numbers)
        shown = {**options.arguments(row.numbers), **row.fixed}
        name = f"{module.__name__}.{row.optimizer}{_call(shown)}"
        adapted = candidate(target, **{**row.fixed, **held})
        preset = row.rule.preset(framework, **row.numbers, **row.dialect) if framework in row.rule.presets else None
        found.append(Peer(name, dataclasses.replace(adapted, name=name), row.rule(**numbers), preset))
    return found


def exported(
    module: str,
    targets: Mapping[str, Callable[..., Any]],
    assembly: Assembly,
    required: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    reasons: Mapping[str, str] = MappingProxyType({}),
    random: Mapping[str, str] = MappingProxyType({}),
) -> list[Peer]:
    """Turn the optimizers that were found in a module into peers without a reference.

    Parameters
    ----------
    module : str
        What stands before the names.
    targets : dict of callable
        The optimizers by name.
    assembly : Assembly
        What makes candidates of them.
    required : dict of dict
        Options without which an optimizer cannot be made, or does not do what it is for, by its name.
    reasons : dict of str
        Why an optimizer cannot be driven with gradients, by its name.
    random : dict of str
        What an optimizer that is random by design draws, by its name.
    """
    found = []
    for own, target in targets.items():
        fixed = required.get(own, {})
        name = f"{module}.{own}" + _call({k: x for k, x in fixed.items() if isinstance(x, (int, float, str))})
        if own in reasons:
            found.append(Peer(name, not_driven(name, assembly.source, reasons[own]), None, reason=reasons[own]))
        else:
            candidate = assembly.candidate(target, name, fixed, every=True)
            found.append(Peer(name, dataclasses.replace(candidate, random=random.get(own, "")), None))
    return found


def named(target: Callable[..., Any], fixed: Mapping[str, Any]) -> str:
    """Return what a report calls an optimizer that was not found in a table."""
    inner = target.func if isinstance(target, functools.partial) else target
    name = getattr(inner, "__qualname__", type(inner).__name__)
    return f"{getattr(inner, '__module__', '')}.{name}".lstrip(".") + _call(fixed)


def release(package: str) -> str:
    """Return the name and release of an installed package; the name alone where it was not installed as a package."""
    distribution = {"sklearn": "scikit-learn"}.get(package, package)
    try:
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return distribution


def _call(options: Mapping[str, Any]) -> str:
    return f"({', '.join(f'{k}={v!r}' for k, v in options.items())})" if options else ""


def _framework_of(target: Callable[..., Any]) -> str | None:
    """Find the framework that an optimizer builds on: where it is defined, or where a base class of it is."""
    if isinstance(target, functools.partial):
        return _framework_of(target.func)
    for cls in getattr(target, "__mro__", (target,)):
        package = getattr(cls, "__module__", "").split(".")[0]
        if package in FRAMEWORKS:
            return package
    return None
