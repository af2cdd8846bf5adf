"""Causes: what is wrong with a candidate besides, or instead of, its dialect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS: Mapping[str, str] = {
    "step-count": "The step count starts at 0 or 2, or stands still.",
    "swapped": "Two decay rates are in each other's place, or one is taken for 1 minus itself.",
    "decay-sign": "The weight decay makes parameters grow.",
    "decay-twice": "The weight decay is applied twice, in one place or in two.",
    "ascent": "The step goes up the gradient.",
    "squared": "A number is applied twice, squared, or rooted.",
    "factor": "A number that is given is multiplied by a constant.",
    "stale-buffer": "The update reads a moment of the step before.",
    "early-moment": "A moment is updated before it is used, where the rule has it after.",
    "aliased-buffer": "Two moments are one buffer.",
    "shared-state": "Leaves share moments, a step count or a norm.",
    "transposed": "Rows are taken for columns in what depends on the shape, or a kernel for a stack of matrices.",
    "operation": "A single operation of the rule is missing, or is the opposite one.",
    "rate-place": "The learning rate is applied to another quantity than the rule's.",
    "decay-place": "The weight decay is added to another quantity than in any dialect.",
    "eps-place": "The eps is added to another quantity than in any dialect.",
    "correction-place": "A bias correction is applied where the rule has none.",
    "fitted": "A number that is not declared has another value than the reference's.",
    "clipping": "Gradients are clipped before the rule sees them, or by something else than their norm.",
    "ignored-option": "A number that is declared changes nothing.",
    "float32": "It computes in float32 though it is given float64.",
    "float32-scalars": "Bias corrections or 1 - beta are computed in float32: the rule is right.",
    "non-finite": "A NaN or an infinity goes elsewhere than in the rule.",
    "ambiguous": "Several dialects come too near to name one.",
    "nearest": "Nothing explains it; the nearest dialect is told.",
    "cannot-run": "It could not be made, or did not return its parameters.",
}
"""Every kind of cause that the diagnosis names; the checks of `consistency` name theirs after themselves."""


REFUSED = "refused"
"""Among the values of a cause: what a candidate raised on leaves of a shape that it does not take."""


@dataclass(frozen=True)
class Cause:
    """One reason for the verdict.

    Attributes
    ----------
    kind : str
        One of `KINDS`, or the name of a check of `arrayopt.conformance.consistency`.
    text : str
        A sentence for people.
    values : dict
        Field -> value, where the cause has one.
    wrong : bool
        Whether it makes the verdict "differs"; False for what is only worth knowing.
    """

    kind: str
    text: str
    values: dict[str, Any] = field(default_factory=dict)
    wrong: bool = True

    def __str__(self) -> str:
        return self.text
