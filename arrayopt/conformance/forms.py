"""Forms of parameters: people write optimizers for a dict of arrays, a list of them, or one array."""

import dataclasses
import inspect
import re
from typing import Any

from arrayopt.conformance.candidate import Candidate, CannotRunError, Form
from arrayopt.conformance.compare import run
from arrayopt.conformance.models import Model, rule_in
from arrayopt.conformance.probes import probes_for

ANNOTATIONS: dict[str, Form] = {
    "dict": "dict", "mapping": "dict", "mutablemapping": "dict",
    "list": "list", "sequence": "list", "iterable": "list",
    "ndarray": "array", "array": "array", "arraylike": "array",
}  # fmt: skip
"""Annotation of the first parameter, without module and brackets -> the form in which leaves are handed over."""
FORMS: tuple[Form, ...] = ("dict", "list", "array")


def settle(candidate: Candidate, reference: Model) -> Candidate:
    """Decide on the form of parameters where it is "auto": the annotated one, else the first in which it runs.

    Raises
    ------
    CannotRunError
        If it runs in none, with the reason in each.
    """
    if candidate.tree != "auto":
        return candidate
    own = annotated(candidate.make)
    reasons = []
    for form in (own,) if own else FORMS:
        settled = dataclasses.replace(candidate, tree=form)
        try:
            run(settled, probes_for(rule_in(reference), single=form == "array")[0], reference)
        except CannotRunError as error:
            reasons.append(f"with {'one array' if form == 'array' else f'a {form} of arrays'}: {error}")
        else:
            return settled
    # it is mostly one reason, which has nothing to do with the form
    plain = [r.partition(": ")[2] for r in reasons]
    raise CannotRunError(plain[0] if len(set(plain)) == 1 else "; ".join(reasons))


def annotated(make: Any) -> Form | None:
    """Read the form from the annotation of the first parameter."""
    try:
        first = next(iter(inspect.signature(make).parameters.values()), None)
    except (TypeError, ValueError):  # built in, tells nothing
        return None
    if first is None or first.annotation is first.empty:
        return None
    annotation = first.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    found = re.match(r"[\w.]+", text)
    return ANNOTATIONS.get(found[0].rpartition(".")[2].lower()) if found else None
