"""Translate the options of optimizers: what frameworks call the fields of arrayopt's rules."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from arrayopt.core import options
from arrayopt.firstorder import RULES

NUMBERS = frozenset(name for rule in RULES for name in options.numbers(rule))
"""Fields that mean the same wherever an option has their name; a framework's table holds the other names."""

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
    """The options of an optimizer class or factory that arrayopt has fields for.

    Parameters
    ----------
    target : callable
        The class or factory.
    names : dict of str to str
        Option -> field, where they are called differently; a minus before the field turns the sign.
    fixed : dict
        Options that are held fixed: they are passed on and not declared.
    """

    target: Callable[..., Any]
    names: Mapping[str, str]
    fixed: Mapping[str, Any]

    @functools.cached_property
    def signature(self) -> dict[str, Any]:
        """Return option -> default, None where there is none."""
        every = inspect.signature(self.target).parameters.values()
        free = [p for p in every if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in self.fixed]
        return {p.name: None if p.default is p.empty else p.default for p in free}

    @functools.cached_property
    def entries(self) -> list[Entry]:
        """Return the numbers that it takes."""
        found: list[Entry] = []
        for option, default in self.signature.items():
            if isinstance(default, (tuple, list)) or (option in PAIRS and option not in NUMBERS):
                values = default or [None] * len(PAIRS[option])
                pairs = zip(PAIRS.get(option, ()), values, strict=False)
                # None in a default tuple, as in torch's eps=(None, 1e-3), leaves the choice to the optimizer.
                found += [
                    Entry(option, field, x, place=i)
                    for i, (field, x) in enumerate(pairs)
                    if x is not None or not default
                ]
            elif option in self.names or option in NUMBERS:
                field = self.names.get(option, option)
                sign = -1 if field.startswith("-") else 1
                found.append(Entry(option, field.lstrip("-"), None if default is None else sign * default, sign))
        return found

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the fields that its options set and that are numbers: what it declares."""
        return tuple(entry.field for entry in self.entries if entry.field in NUMBERS)

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

    def make(self, hyper: Mapping[str, float], *params: Any) -> Any:
        """Call the target."""
        return self.target(*params, **self.arguments(hyper), **self.fixed)
