"""What a reader of a claim found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arrayopt.backend import Namespace
from arrayopt.claims.claim import Claim, Outside
from arrayopt.claims.domain import instance

NOTHING = "no instance of the domain was met"
"""The error of a reader to which every instance was `Outside`."""


@dataclass
class Finding:
    """The least margin that a reader met, and where."""

    claim: Claim
    reader: str
    margin: float = float("inf")
    where: Mapping[str, Any] = field(default_factory=dict)
    refuted: bool = False
    count: int = 0
    seconds: float = 0.0
    error: str = ""

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.error:
            return "error"
        return "refuted" if self.refuted else "holds"

    @property
    def expected(self) -> bool:
        """Whether it is what the claim says of itself; a reader that was not to search proves no refutation."""
        return not self.error and self.verdict == self.claim.expect

    def look(self, where: Mapping[str, Any], xp: Namespace | None = None) -> float:
        """Measure an instance and keep it if none was worse; one that is not of the domain counts as +inf."""
        claim = self.claim
        with silent():
            try:
                m = claim.measured(where if xp is None else moved(where, xp))
            except Outside:
                return float("inf")
        self.count += 1
        short = m + claim.allowed(where) < 0
        if (short, -m) > (self.refuted, -self.margin) or not self.count - 1:
            self.margin, self.where, self.refuted = m, where, short
        return m

    def look_at(self, u: np.ndarray, xp: Namespace | None = None) -> float:
        """Measure the instance of numbers in [0, 1]."""
        return self.look(instance(self.claim.domain, u), xp)


@contextmanager
def silent() -> Iterator[None]:
    """Let margins overflow and divide by zero without a warning: instances are extreme on purpose."""
    import warnings

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def moved(where: Mapping[str, Any], xp: Namespace) -> dict[str, Any]:
    """Return an instance with its arrays in another library."""
    return {name: xp.asarray(x) if isinstance(x, np.ndarray) and x.dtype != object else x for name, x in where.items()}
