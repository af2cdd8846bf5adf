"""Every rule and dialect, at settings where they are far apart."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from arrayopt.conformance.diagnosis.dialects import space
from arrayopt.conformance.probes import EXAGGERATED
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.errors import LeafError


def exaggerated(cls: type[Rule], **fields: Any) -> Rule:
    """Return a rule at exaggerated settings, with weight decay."""
    names = options.numbers(cls)
    settings = {k: v for k, v in EXAGGERATED.items() if k in names and k not in cls.constants}
    return cls(**settings | fields)


def for_dtype(cls: type[Rule], dtype: Any) -> Rule:
    """Return a rule at exaggerated settings whose epsilons float16 can hold."""
    rule = exaggerated(cls)
    if np.dtype(dtype) != np.float16:
        return rule
    small = [k for k, i in options.numbers(cls).items() if (i.added or k == "eps") and 0 < getattr(rule, k) < 1e-7]
    return rule.replace(**dict.fromkeys(small, 2.0**-10))


def every_dialect(cls: type[Rule]) -> Iterator[Rule]:
    """Yield every dialect of a rule; of a space of more than a few thousand, every pair of values of two fields."""
    return space(exaggerated(cls))


def accepts(rule: Rule, shape: tuple[int, ...]) -> bool:
    """Tell whether a rule takes leaves of this shape; rules on matrices refuse vectors."""
    try:
        rule.for_leaf(leaf := Leaf("w", shape, "float64")).slots(leaf)
    except LeafError:
        return False
    return True


def arrays(shape: tuple[int, ...], dtype: Any, n: int, seed: int = 0) -> list[np.ndarray]:
    """Return n random arrays."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape)).astype(dtype) for _ in range(n)]


def same_bits(a: Any, b: Any) -> bool:
    """Tell whether two arrays hold the same numbers, bit for bit but for the payload of a NaN."""
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and np.array_equal(a, b, equal_nan=True)
        and np.array_equal(np.signbit(a), np.signbit(b))
    )
