"""Fields of a rule given as text, as on a command line: ``eps_place=hat``, ``lr=0.1``."""

import math
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.errors import OptionError

R = TypeVar("R", bound=Rule)


def with_fields(rule_class: type[R], fields: Sequence[str]) -> R:
    """Make a rule from texts of the form ``name=value``; every other field has its default.

    Parameters
    ----------
    rule_class : type
        A rule, such as ``Adam``.
    fields : sequence of str
        A named value is written as it is, a number in decimal, a bool as ``true`` or ``false``, a missing number as
        ``none``, a tuple with commas between its elements, a tuple of tuples with semicolons between these.

    Raises
    ------
    OptionError
        If a text is no ``name=value``, a name is unknown or given twice, or the field cannot have the value.

    Examples
    --------
    >>> from arrayopt import Adam
    >>> rule = with_fields(Adam, ["eps_place=hat", "lr=0.1"])
    >>> rule.eps_place, rule.lr
    ('hat', 0.1)
    """
    given: dict[str, Any] = {}
    for text in fields:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise OptionError(f"{rule_class.__name__}: expected name=value, got {text!r}")
        options.check_names(rule_class, [name])
        if name in given:
            raise OptionError(f"{rule_class.__name__}: {name} is given twice")
        given[name] = _parsed(rule_class, name, value.strip())
    return rule_class(**given)


def _parsed(rule_class: type[Rule], name: str, text: str) -> Any:
    """Return the value of a field that a text stands for; the rule itself checks its range."""
    owner = f"{rule_class.__name__}: {name}"
    if name in options.numbers(rule_class):
        return _number(text, owner, float)
    if name in options.dialects(rule_class):
        values = {str(v).lower() if isinstance(v, bool) else str(v): v for v in options.dialects(rule_class)[name]}
        word = text.lower() if text.lower() in ("true", "false") else text
        if word not in values:
            raise OptionError(f"{owner} must be one of {', '.join(values)}, got {text!r}")
        return values[word]
    return _structure(text, owner, options.hints(rule_class)[name])


def _structure(text: str, owner: str, hint: Any) -> Any:
    """Read a field that is neither a number with a range nor a dialect: a count, an optional number, a tuple."""
    if isinstance(hint, types.UnionType) and types.NoneType in typing.get_args(hint):
        (kind,) = (a for a in typing.get_args(hint) if a is not types.NoneType)
        return None if text.lower() == "none" else _structure(text, owner, kind)
    if hint is str:
        return text
    if hint in (int, float):
        return _number(text, owner, hint)
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        separator = ";" if typing.get_origin(kinds[0]) is tuple else ","
        items = [item.strip() for item in text.split(separator)] if text else []
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(items)
        if len(items) != len(kinds):
            raise OptionError(f"{owner} must have {len(kinds)} elements, got {text!r}")
        return tuple(_structure(item, owner, kind) for item, kind in zip(items, kinds, strict=True))
    raise OptionError(f"{owner} cannot be given as text; make the rule in Python")


def _number(text: str, owner: str, kind: Any) -> Any:
    try:
        value = kind(text)
        finite = math.isfinite(value)
    except (ValueError, OverflowError):  # no number, or an integer beyond every float
        finite = False
    if not finite:
        raise OptionError(f"{owner} must be {'an integer' if kind is int else 'a finite number'}, got {text!r}")
    return value


def has_kind(hint: Any, value: Any) -> bool:
    """Tell whether a value is of the kind that a type hint names, as far as fields of rules have such hints."""
    if isinstance(hint, types.UnionType):
        return any(has_kind(kind, value) for kind in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        if not isinstance(value, tuple):
            return False
        kinds = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
        return len(kinds) == len(value) and all(map(has_kind, kinds, value))
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint
