"""Slips in clipping: a `Clip` that measures the gradients by something else than their norm, or that always scales."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from arrayopt.firstorder import Clip

Measure = Callable[[Mapping[str, Any]], Any]


def _elements(grads: Mapping[str, Any]) -> Any:
    return np.concatenate([np.ravel(g) for g in grads.values()])


MEASURES: Mapping[str, Measure] = {
    "the sum of squares is taken for the norm, without the root": lambda g: np.sum(_elements(g) ** 2),
    "the sum of absolute values is taken for the norm": lambda g: np.sum(np.abs(_elements(g))),
    "the largest absolute value is taken for the norm": lambda g: np.max(np.abs(_elements(g))),
    "the root of the mean square is taken for the norm": lambda g: np.sqrt(np.mean(_elements(g) ** 2)),
    "the sum of the norms of all leaves is taken for the norm": lambda g: sum(np.linalg.norm(x) for x in g.values()),
}
"""What is wrong in words -> what is compared with ``max_norm``, from gradients by leaf."""
ALWAYS = "gradients are scaled to the norm where they are shorter, too"


@lru_cache
def _class(text: str) -> type[Clip]:
    """Derive the clipping that makes a mistake; its text is mechanical, so that it may derive from a final one."""

    def measured(self: Clip, xp: Any, g: Any, together: Any, c: float) -> Any:
        n = MEASURES[text]({"": g}) if together is None else together
        return Clip._shortened(self, xp, g, np.asarray(n), c)

    def always(self: Clip, xp: Any, g: Any, together: Any, c: float) -> Any:
        n = np.linalg.norm(g) if together is None else together
        return g * (c / (n + 1e-6)) if self.form == "torch" else g / n * c

    def norm(self: Clip, xp: Any, grads: Mapping[str, Any]) -> Any:
        return MEASURES[text](grads)

    body: dict[str, Any] = {"slip": text}
    body |= {"_shortened": always} if text == ALWAYS else {"_shortened": measured, "norm": norm}
    return type(f"Clip where {text}", (Clip,), body)


def clip_slips(model: Clip) -> list[Clip]:
    """Return a clipping with each of the mistakes; by value there is no norm to mistake."""
    if model.by == "value":
        return []
    wrong = (_class(text) for text in (*MEASURES, ALWAYS))
    return [cls(rule=model.rule, max_norm=model.max_norm, form=model.form, by=model.by) for cls in wrong]


def clip_slip_in(model: Any) -> str:
    """Return what is wrong with a clipping that `clip_slips` made; nothing for any other model."""
    return str(getattr(type(model), "slip", "")) if isinstance(model, Clip) else ""
