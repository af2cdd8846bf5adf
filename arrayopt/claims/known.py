"""Known answers: numbers that the documents print, and what computes them here."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from arrayopt.claims.finding import silent


@dataclass(frozen=True)
class Known:
    """A number that a document prints.

    Parameters
    ----------
    id : str
        ``topic.name``.
    what : str
        What it is, with formulas in LaTeX between dollars.
    source : str
        Where it is printed.
    printed : str
        As it is printed: so many digits, so good a check. An answer counts if it is within one unit of the last digit.
    compute : callable
        Without arguments, to a number.
    """

    id: str
    what: str
    source: str
    printed: str
    compute: Callable[[], float]

    @property
    def unit(self) -> float:
        """One unit of the last digit that is printed."""
        return float(Decimal((0, (1,), int(Decimal(self.printed).as_tuple().exponent))))

    def agrees(self, value: float) -> bool:
        """Tell whether a value is what is printed."""
        return math.isfinite(value) and abs(value - float(self.printed)) <= self.unit * (1 + 1e-9)


@dataclass(frozen=True)
class Answer:
    """What was computed."""

    known: Known
    value: float
    seconds: float

    @property
    def expected(self) -> bool:
        """Whether it agrees with what is printed."""
        return self.known.agrees(self.value)


def answered(known: Known) -> Answer:
    """Compute a known answer."""
    began = time.perf_counter()
    with silent():
        value = float(known.compute())
    return Answer(known, value, time.perf_counter() - began)
