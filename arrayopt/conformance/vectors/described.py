"""A rule as plain data: how vectors describe it, and how it is read back."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from arrayopt.conformance.fields import has_kind
from arrayopt.conformance.vectors import form
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.errors import ArrayOptError, OptionError
from arrayopt.firstorder import RULES
from arrayopt.readers.formula import formula


def about(rule: Rule) -> dict[str, Any]:
    """Return a rule as plain data: name, source, formula, dialect and structure; its numbers are kept apart."""
    cls = type(rule)
    text = inspect.getdoc(cls) or ""
    references = re.search(r"^References\n-+\n(.*?)(?=\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    apart = {*options.dialects(cls), *options.numbers(cls)}
    return {
        "name": cls.__name__,
        "summary": " ".join(text.split("\n\n")[0].split()),
        "references": " ".join(references[1].split()) if references else "",
        "formula": [line.plain() for line in formula(rule)],
        "dialect": {k: getattr(rule, k) for k in options.dialects(cls)},
        "structure": {k: getattr(rule, k) for k in options.hints(cls) if k not in apart},
    }


def rule_of(data: Mapping[str, Any], where: str) -> Rule:
    """Return the rule that an index describes.

    The name is looked up among the rules and every field is checked by the rule: nothing else is run.
    """
    described = form.get(data, "rule", dict, where)
    name = form.get(described, "name", str, where)
    cls = next((c for c in RULES if c.__name__ == name), None)
    if cls is None:
        raise form.VectorError(f"{where}: no rule {name!r}; the rules are {', '.join(c.__name__ for c in RULES)}")
    fields: dict[str, Any] = {}
    for part in ("dialect", "structure"):
        fields |= {k: _tuple(v) for k, v in form.get(described, part, dict, where).items()}
    apart = {*options.dialects(cls), *options.numbers(cls)}  # which the rule checks
    for k, v in fields.items():
        hint = options.hints(cls).get(k)
        if k not in apart and hint is not None and not has_kind(hint, v):
            raise form.VectorError(f"{where}: {k} must be {getattr(hint, '__name__', hint)}, got {v!r}")
    fields |= {k: form.as_float(v, f"{where}: hyper {k}") for k, v in form.get(data, "hyper", dict, where).items()}
    try:
        return cls(**fields)
    except ArrayOptError as error:
        raise form.VectorError(f"{where}: {error}") from error


def check_numbers(rule: Rule) -> None:
    """Raise OptionError if a hyper-parameter is a schedule."""
    for name in options.numbers(type(rule)):
        if callable(getattr(rule, name)):
            raise OptionError(
                f"{type(rule).__name__}: {name} must be a number in vectors, got a schedule; "
                "the vectors vary the learning rate themselves"
            )


def _tuple(x: Any) -> Any:
    return tuple(map(_tuple, x)) if isinstance(x, list) else x
