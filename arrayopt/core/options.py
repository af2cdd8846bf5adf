"""The fields of a rule: numbers with a range, dialects with named values, and what checks them.

A field annotated `Rate`, `NonNegative`, `UnitInterval`, `ClosedUnitInterval` or `Epsilon` is a hyper-parameter: a
float or a schedule. A field annotated ``Literal[...]`` or ``bool`` is a dialect.
Everything else (a count, a tuple of names) is structure.
"""

import dataclasses
import functools
import math
import typing
from typing import Annotated, Any, Literal, Self

import numpy as np

from arrayopt.core.schedules import Number
from arrayopt.errors import OptionError

JUST_ABOVE_ONE = math.nextafter(1.0, 2.0)
JUST_ABOVE_ZERO = math.nextafter(0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Interval:
    """The half-open range [low, high) that a hyper-parameter must lie in; always finite.

    `added` marks a number that is added to arrays to keep a divisor from zero, so that it must not
    underflow to zero in the dtype of a leaf.
    """

    low: float
    high: float = math.inf
    added: bool = False

    def check(self, owner: str, name: str, value: float) -> None:
        """Raise OptionError unless `value` lies in the interval."""
        if not (math.isfinite(value) and self.low <= value < self.high):
            opened, least = ("(0", "> 0") if self.low == JUST_ABOVE_ZERO else (f"[{self.low:g}", f">= {self.low:g}")
            closed = "]" if self.high == JUST_ABOVE_ONE else ")"
            expected = (
                f"a finite number {least}" if self.high == math.inf else f"a number in {opened}, {self.high:g}{closed}"
            )
            raise OptionError(f"{owner}: {name} must be {expected}, got {value!r}")


NonNegative = Annotated[Number, Interval(0.0)]
"""A number in [0, inf)."""
Rate = NonNegative
"""A learning rate, in units of parameter per unit of update."""
UnitInterval = Annotated[Number, Interval(0.0, 1.0)]
"""A decay rate of a running mean, in [0, 1)."""
ClosedUnitInterval = Annotated[Number, Interval(0.0, JUST_ABOVE_ONE)]
"""A decay rate in [0, 1], where 1 makes a sum of what is otherwise a fading memory."""
Epsilon = Annotated[Number, Interval(0.0, added=True)]
"""A number >= 0 that is added to keep a divisor from zero."""

Share = Annotated[float, Interval(JUST_ABOVE_ZERO, 1.0)]
"""A constant in (0, 1), such as the share of a promised decrease that is asked for."""
Positive = Annotated[float, Interval(JUST_ABOVE_ZERO)]
"""A constant > 0."""
Tolerance = Annotated[float, Interval(0.0)]
"""A constant >= 0."""


@dataclasses.dataclass(frozen=True)
class Least:
    """The least value of a count."""

    value: int


Count = Annotated[int, Least(1)]
"""An integer >= 1."""


@functools.cache
def hints(cls: Any) -> dict[str, Any]:
    """Return the type hints of the fields of a dataclass, with their annotations."""
    every = typing.get_type_hints(cls, include_extras=True)
    return {f.name: every[f.name] for f in dataclasses.fields(cls)}


@functools.cache
def numbers(cls: Any) -> dict[str, Interval]:
    """Return the hyper-parameters of a rule class: name -> range."""
    return {
        name: i
        for name, hint in hints(cls).items()
        for i in getattr(hint, "__metadata__", ())
        if isinstance(i, Interval)
    }


@functools.cache
def constants(cls: Any) -> frozenset[str]:
    """Return the names of the hyper-parameters that no schedule can stand for."""
    return frozenset(name for name in numbers(cls) if typing.get_args(hints(cls)[name])[0] is float)


@functools.cache
def counts(cls: Any) -> dict[str, int]:
    """Return the fields that are counts: name -> the least value."""
    return {
        name: least.value
        for name, hint in hints(cls).items()
        for least in getattr(hint, "__metadata__", ())
        if isinstance(least, Least)
    }


@functools.cache
def dialects(cls: Any) -> dict[str, tuple[Any, ...]]:
    """Return the dialect fields of a rule class: name -> the values it takes."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, hint in hints(cls).items():
        if typing.get_origin(hint) is Literal:
            found[name] = typing.get_args(hint)
        elif hint is bool:
            found[name] = (False, True)
    return found


def check_names(cls: Any, given: typing.Iterable[str]) -> None:
    """Raise OptionError for a name that is no field of `cls`, with the nearest one that is."""
    known = [f.name for f in dataclasses.fields(cls)]
    for name in given:
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise OptionError(f"{cls.__name__}: unknown option {name!r}; {hint}the options are {', '.join(known)}")


def check_values(instance: Any) -> None:
    """Validate every field of a frozen dataclass; numbers become Python floats."""
    cls: Any = type(instance)
    for name, interval in numbers(cls).items():
        value = getattr(instance, name)
        fixed = name in constants(cls)
        if callable(value) and not fixed:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            schedule = "" if fixed else " or a schedule (a callable t -> float)"
            raise OptionError(f"{cls.__name__}: {name} must be a number{schedule}, got {value!r}")
        value = float(value)  # a NumPy float64 would turn float32 arrays into float64 ones
        interval.check(cls.__name__, name, value)
        object.__setattr__(instance, name, value)
    for name, least in counts(cls).items():
        check_count(cls.__name__, name, getattr(instance, name), least)
    for name, values in dialects(cls).items():
        value = getattr(instance, name)
        if not any(value is v or (type(value) is type(v) and value == v) for v in values):
            raise OptionError(f"{cls.__name__}: {name} must be one of {', '.join(map(repr, values))}, got {value!r}")


def check_number(cls: Any, name: str, value: float, t: int) -> float:
    """Validate what a schedule returned at step t."""
    numbers(cls)[name].check(f"{cls.__name__} at step {t}", name, value)
    return value


def check_count(owner: str, name: str, value: Any, least: int = 1) -> None:
    """Raise OptionError unless `value` is an integer >= `least`."""
    if type(value) is not int or value < least:
        raise OptionError(f"{owner}: {name} must be an integer >= {least}, got {value!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checked:
    """A frozen dataclass whose fields are options: named when one is unknown, checked when it is made."""

    def __new__(cls, *args: Any, **given: Any) -> Self:
        """Name the options when one is unknown, before the dataclass's own terse error."""
        if args:
            first = dataclasses.fields(cls)[0].name
            raise OptionError(f"{cls.__name__}: options are given by name, as in {cls.__name__}({first}=...)")
        check_names(cls, given)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Check every field."""
        check_values(self)

    def replace(self, **fields: Any) -> Self:
        """Return the same with some fields changed."""
        check_names(type(self), fields)
        return dataclasses.replace(self, **fields)
