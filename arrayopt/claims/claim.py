"""Claims: statements as data and one function that measures by how much an instance satisfies them."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from arrayopt.claims.domain import Element
from arrayopt.errors import OptionError

Kind = Literal["inequality", "equality", "limit", "equivalence", "probability", "behaviour"]
Margin = Callable[..., Any]


class Outside(Exception):
    """Raised by a margin: the instance is not of the domain, for a reason that numbers in [0, 1] cannot express."""


@dataclass(frozen=True)
class Claim:
    r"""A statement that can be checked.

    Parameters
    ----------
    id : str
        ``topic.name``.
    statement : str
        What is claimed, in words, with formulas in LaTeX between dollars.
    source : str
        Where it is from: the archive number of an article and the section of the facts, an arXiv id, a section of a
        book.
    domain : mapping
        Name -> `Element`; structural ones first. Without one the margin is called once.
    margin : callable
        By how much an instance satisfies the claim, in units in which 1 is large: of an inequality a difference of the
        sides over their size, of an equality minus the relative error. NaN counts as a violation.
    kind : str
    tolerance : float or callable
        The claim holds of an instance if its margin is at least minus this. A callable is given the instance.
    expect : {"holds", "refuted"}
        Whether it is true. One that is expected to be refuted is a statement as sources have it, or as it is commonly
        believed, which is false.
    witness : mapping or None
        Of a claim to be refuted: an instance that refutes it.
    instead : str
        Of a claim to be refuted: the id of the one that holds in its place.
    infimum : float or None
        Of an inequality: the least margin, or what it comes near to, in its domain: 0 if it is sharp. None if nothing
        is said.
    smooth : bool
        Whether the margin has a gradient nearly everywhere, so that an attack may use differences.
    portable : bool
        Whether it runs on every array library: it needs no special functions.
    """

    id: str
    statement: str
    source: str
    margin: Margin
    domain: Mapping[str, Element] = field(default_factory=dict)
    kind: Kind = "inequality"
    tolerance: float | Callable[[Mapping[str, Any]], float] = 1e-12
    expect: Literal["holds", "refuted"] = "holds"
    witness: Mapping[str, Any] | None = None
    instead: str = ""
    infimum: float | None = None
    smooth: bool = True
    portable: bool = True

    def __post_init__(self) -> None:
        seen = False
        for name, element in self.domain.items():
            if element.structural and seen:
                raise OptionError(f"{self.id}: {name} is structural and has to stand before what is not")
            seen = seen or not element.structural
        if not self.statement:
            raise OptionError(f"{self.id}: a claim needs a statement, the docstring of its margin")
        if self.expect == "refuted" and self.witness is None:
            raise OptionError(f"{self.id}: a claim that is expected to be refuted needs its witness")
        if not set(self.named) <= set(self.domain):
            others = sorted(set(self.named) - set(self.domain))
            raise OptionError(f"{self.id}: its margin names {others}, which are not of its domain")

    @cached_property
    def named(self) -> tuple[str, ...]:
        """The names of the elements that the margin takes."""
        return tuple(inspect.signature(self.margin).parameters)

    @property
    def topic(self) -> str:
        """The first part of the id."""
        return self.id.partition(".")[0]

    def measured(self, instance: Mapping[str, Any]) -> float:
        """Return the margin of an instance, -inf where it is NaN.

        Raises
        ------
        Outside
            If the instance is not of the domain.
        """
        m = float(self.margin(**{name: instance[name] for name in self.named}))
        return -math.inf if math.isnan(m) else m

    def allowed(self, instance: Mapping[str, Any]) -> float:
        """Return the tolerance for an instance."""
        return self.tolerance(instance) if callable(self.tolerance) else self.tolerance

    def satisfied(self, instance: Mapping[str, Any]) -> bool:
        """Tell whether the claim holds of an instance."""
        return self.measured(instance) >= -self.allowed(instance)

    @property
    def searchable(self) -> bool:
        """Whether there are instances to search: it has a domain, and is not about chance or about a refusal."""
        return bool(self.domain) and self.kind not in ("probability", "behaviour")


def claim(source: str, domain: Mapping[str, Element] | None = None, **fields: Any) -> Callable[[Margin], Claim]:
    """Make a claim of its margin function: the id is ``module.function``, the statement the docstring.

    Parameters
    ----------
    source, domain, **fields
        As `Claim` has them.
    """

    def made(margin: Margin) -> Claim:
        topic = margin.__module__.rpartition(".")[2]
        statement = " ".join((inspect.getdoc(margin) or "").split())
        return Claim(f"{topic}.{margin.__name__}", statement, source, margin, domain or {}, **fields)

    return made
