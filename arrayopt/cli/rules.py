"""Rules by the name that somebody types."""

from arrayopt.core.rule import Rule
from arrayopt.errors import OptionError
from arrayopt.firstorder import RULES


def rule_named(name: str) -> type[Rule]:
    """Return the rule class of a name, whatever its case."""
    for cls in RULES:
        if cls.__name__.lower() == name.lower():
            return cls
    raise OptionError(f"no rule {name!r}; the rules are {', '.join(c.__name__.lower() for c in RULES)}")
