"""Translate the options of optimizers: what frameworks call the fields of arrayopt's rules."""

import dataclasses
import functools
import inspect
import math
import types
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from arrayopt.core import options
from arrayopt.firstorder import RULES

NUMBERS = frozenset(name for rule in RULES for name in options.numbers(rule))
"""Fields that mean the same wherever an option has their name; a framework's table holds the other names."""
COMMON = frozenset(("lr", "beta1", "beta2", "eps", "momentum", "weight_decay"))
"""Fields that mean the same in optimizers that follow no rule of arrayopt."""

PAIRS: Mapping[str, tuple[str, ...]] = {"betas": ("beta1", "beta2"), "eps": ("eps1", "eps2")}
"""Options that are tuples of numbers."""


@dataclass(frozen=True)
class Entry:
    """A number among the options of an optimizer.

    Attributes
    ----------
    option : str
        What the framework calls it.
    field : str
        What arrayopt calls it.
    default : float or None
        Its default, as arrayopt's field has it; None where it has none.
    sign : int
        -1 where the framework has the opposite number.
    place : int or None
        Its place, where the option is a tuple.
    """

    option: str
    field: str
    default: float | None
    sign: int = 1
    place: int | None = None


@dataclass(frozen=True)
class Options:
    """The options of an optimizer class or factory.

    Parameters
    ----------
    target : callable
        The class or factory.
    names : dict of str to str
        Option -> field, where they are called differently; a minus before the field turns the sign.
    fixed : dict
        Options that are held fixed: they are passed on and not declared.
    every : bool
        Whether numbers that arrayopt has no field for are declared too, under their own names. `names` then counts
        for `COMMON` fields only: what ``alpha`` is in RMSprop it is nowhere else.
    inert : container of str
        Options that are neither declared nor turned.
    """

    target: Callable[..., Any]
    names: Mapping[str, str]
    fixed: Mapping[str, Any]
    every: bool = False
    inert: Container[str] = ()

    @functools.cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Return the options that are not held, and the arguments before them."""
        every = inspect.signature(self.target).parameters.values()
        return {p.name: p for p in every
                if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in self.fixed}  # fmt: skip

    @functools.cached_property
    def signature(self) -> dict[str, Any]:
        """Return option -> default, None where there is none."""
        return {k: None if p.default is p.empty else p.default for k, p in self.parameters.items()}

    @functools.cached_property
    def entries(self) -> list[Entry]:
        """Return the numbers that it takes."""
        every = self.signature.items()
        return [e for option, default in every if option not in self.inert for e in self._entries(option, default)]

    def _entries(self, option: str, default: Any) -> list[Entry]:
        field = self._field(option)
        if isinstance(default, (tuple, list)) or (option in PAIRS and field not in NUMBERS):
            values = default or [None] * len(PAIRS[option])
            if default and not all(x is None or isinstance(x, (int, float)) for x in default):
                return []
            # None in a default tuple, as in torch's eps=(None, 1e-3), leaves the choice to the optimizer.
            return [
                Entry(option, name, x, place=i)
                for i, (name, x) in enumerate(zip(self._places(option, len(values)), values, strict=False))
                if x is not None or not default
            ]
        known = field in NUMBERS or (option in self.names and not self.every)
        if known or (self.every and self._is_number(option, default)):
            sign = -1 if field.startswith("-") else 1
            return [Entry(option, field.lstrip("-"), None if default is None else sign * default, sign)]
        return []

    def _field(self, option: str) -> str:
        field = self.names.get(option, option)
        taken = field != option and field in self.signature
        return option if self.every and (taken or field.lstrip("-") not in COMMON) else field

    def _places(self, option: str, length: int) -> tuple[str, ...]:
        """Name the places of a tuple: betas are beta1 and beta2."""
        if not self.every:
            return PAIRS.get(option, ())
        return tuple(f"{option if option == 'eps' else option.removesuffix('s')}{i}" for i in range(1, length + 1))

    def _is_number(self, option: str, default: Any) -> bool:
        """Tell floats from whole numbers, which are structure; frameworks write 0 for 0.0 where they say float."""
        if isinstance(default, float):
            return True
        said = str(self.parameters[option].annotation)
        whole = isinstance(default, int) and not isinstance(default, bool)
        return whole and "float" in said and "int" not in said

    @property
    def fields(self) -> tuple[str, ...]:
        """Return what it declares: the fields that its options set and that are numbers."""
        return tuple(entry.field for entry in self.entries if self.every or entry.field in NUMBERS)

    @property
    def defaults(self) -> dict[str, float]:
        """Return the numbers at which what it declares ships, without those that are switched off by infinity."""
        known = {e.field: e.default for e in self.entries if e.default is not None and e.field in self.fields}
        return {k: float(x) for k, x in known.items() if math.isfinite(x)}

    def turned(self) -> dict[str, tuple[str, Any]]:
        """Return switches and choices at their other values: ``"amsgrad=True"`` -> ``("amsgrad", True)``."""
        found: dict[str, tuple[str, Any]] = {}
        for option, default in self.signature.items():
            if option in self.inert:
                continue
            if isinstance(default, bool):
                found[f"{option}={not default}"] = (option, not default)
            elif isinstance(default, Enum):
                others = [x for x in type(default) if x is not default]
                found |= {f"{option}={x.name}": (option, x) for x in others}
            else:
                others = [x for x in _choices(self.parameters[option].annotation) if x != default]
                found |= {f"{option}={x!r}": (option, x) for x in others if default is not None}
        return found

    def holding(self, **fixed: Any) -> "Options":
        """Return the same with more options held fixed."""
        return dataclasses.replace(self, fixed={**self.fixed, **fixed})

    def arguments(self, hyper: Mapping[str, float]) -> dict[str, Any]:
        """Return its keyword arguments at the fields of `hyper`, without those held fixed."""
        given: dict[str, Any] = {}
        for e in self.entries:
            if e.field in hyper:
                value = e.sign * hyper[e.field]
                if e.place is None:
                    given[e.option] = value
                else:
                    whole = list(given.get(e.option) or self.signature[e.option] or [None] * len(PAIRS[e.option]))
                    whole[e.place] = value
                    given[e.option] = tuple(whole)
        return given

    def changed(self, hyper: Mapping[str, float], current: Mapping[str, float]) -> dict[str, Any]:
        """Return the keyword arguments that `hyper` touches, at all fields of `current`."""
        every = self.arguments({**current, **hyper})
        return {option: every[option] for option in self.arguments(hyper)}

    def make(self, hyper: Mapping[str, float], *params: Any, instead: Callable[[float], Any] | None = None) -> Any:
        """Call the target; its learning rate is given in the form that `instead` returns."""
        given = self.arguments(hyper)
        if instead is not None:
            given |= {e.option: instead(given[e.option]) for e in self.entries if e.field == "lr" and e.option in given}
        return self.target(*params, **given, **self.fixed)


def _choices(annotation: Any) -> tuple[Any, ...]:
    """Return the values of a Literal, also where it is one of several types."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(x for part in get_args(annotation) for x in _choices(part))
    return ()
