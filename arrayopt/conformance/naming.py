"""Names: which rule an optimizer claims to follow by what it is called."""

import re

from arrayopt.core.rule import Rule
from arrayopt.errors import ArrayOptError
from arrayopt.firstorder import RULES

GENERIC = ("SGD", "Momentum")
"""Rules whose names are also said of parts of other rules, as in NesterovMomentum: taken if no other is named."""


class UnknownReferenceError(ArrayOptError):
    """The names of a target do not say which rule it claims to follow."""


def reference_from_name(name: str) -> Rule:
    """Return the rule that the name of an optimizer claims, at its default hyper-parameters.

    A rule is named by one or more whole words ("my_adam", "AdamWOptimizer"), else by a part of a word
    ("fusedadam"). The longest name counts, of equals the first: AdamW before Adam, but "adam_with_decay" is Adam.

    Raises
    ------
    UnknownReferenceError
        If no rule is named.

    Examples
    --------
    >>> type(reference_from_name("RMSpropTF")).__name__
    'RMSProp'
    """
    known = _known()
    words = [w for w in _words(name) if w != "lambda"]  # lamb
    start = "".join(words).find
    runs = {"".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    for named in ([n for n in known if n in runs], [n for n in known if any(n in w for w in words)]):
        if named:
            return known[max(named, key=lambda n: (type(known[n]).__name__ not in GENERIC, len(n), -start(n)))]
    raise UnknownReferenceError(
        f"the name {name!r} does not say which rule it follows; say it with --against, the rules are {_listed()}"
    )


def _known() -> dict[str, Rule]:
    """Return the rules by name in small letters, at their defaults."""
    return {cls.__name__.lower(): cls() for cls in RULES}  # type: ignore[call-arg]


def _listed() -> str:
    return ", ".join(type(rule).__name__ for rule in _known().values())


def _words(name: str) -> list[str]:
    """Part a name at underscores, other signs and humps: "AdamWOptimizer" -> adam, w, optimizer."""
    return [w.lower() for w in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", name)]
