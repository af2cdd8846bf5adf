"""Domains: what a claim is about, as a map from numbers in [0, 1] to instances.

One text serves every reader. Sampling draws the numbers, hypothesis shrinks them, an attack minimises over them: what a
domain cannot reach, none of them reaches. An element that others depend on (a size, a dtype) is named before them.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, final

import numpy as np

from arrayopt.errors import OptionError

Known = Mapping[str, Any]
Length = int | str
"""A number, or the name of an element that holds it."""
EDGE = 1e-12
"""How near to 0 and 1 the logistic quantile is taken: 27.6 times its scale."""


@dataclass(frozen=True)
class Element:
    """Something that varies in a domain."""

    structural: ClassVar[bool] = False
    """Whether it decides sizes or kinds, so that nothing is smooth in it."""

    @final
    def size(self, known: Known) -> int:
        """Return how many numbers it takes, given what is named before it."""
        return self._size(known)

    @final
    def decode(self, u: np.ndarray, known: Known) -> Any:
        """Return the value for numbers in [0, 1]."""
        return self._decode(u, known)

    @abstractmethod
    def _size(self, known: Known) -> int: ...

    @abstractmethod
    def _decode(self, u: np.ndarray, known: Known) -> Any: ...


def _length(n: Length, known: Known) -> int:
    return int(known[n]) if isinstance(n, str) else n


@final
@dataclass(frozen=True)
class Integer(Element):
    """An integer from `low` to `high`, both included."""

    low: int
    high: int
    structural = True

    def _size(self, known: Known) -> int:
        return 1

    def _decode(self, u: np.ndarray, known: Known) -> int:
        return self.low + min(int(u[0] * (self.high - self.low + 1)), self.high - self.low)


@final
@dataclass(frozen=True)
class Choice(Element):
    """One of some values."""

    values: tuple[Any, ...]
    structural = True

    def _size(self, known: Known) -> int:
        return 1

    def _decode(self, u: np.ndarray, known: Known) -> Any:
        return self.values[min(int(u[0] * len(self.values)), len(self.values) - 1)]


@final
@dataclass(frozen=True)
class Real(Element):
    """A number from `low` to `high`, both included; evenly spread, or with `log` in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and not self.low > 0):
            raise OptionError(f"Real: expected low < high, and 0 < low with log, got {self.low!r} and {self.high!r}")

    def _size(self, known: Known) -> int:
        return 1

    def _decode(self, u: np.ndarray, known: Known) -> float:
        t = float(u[0])
        if not self.log:
            return min(max(self.low + t * (self.high - self.low), self.low), self.high)
        return float(min(max(self.low * (self.high / self.low) ** t, self.low), self.high))


@final
@dataclass(frozen=True)
class Count(Element):
    """An integer from `low` to `high` that decides no size: searched like a number, in its logarithm with `log`."""

    low: int
    high: int
    log: bool = False

    def _size(self, known: Known) -> int:
        return 1

    def _decode(self, u: np.ndarray, known: Known) -> int:
        return min(int(Real(self.low, self.high + 1.0, self.log).decode(u, known)), self.high)


@final
@dataclass(frozen=True)
class Numbers(Element):
    r"""An array of numbers.

    Parameters
    ----------
    shape : tuple of int or str
    spread : float or str
        The scale of the logistic quantile, or the name of an element that holds it: entries are mostly within a few of
        it, and at most 27.6 times it.
    low, high : float, optional
        Evenly spread between these instead.
    dtype : str
        The dtype, or the name of an element that holds it.
    """

    shape: tuple[Length, ...]
    spread: float | str = 1.0
    low: float | None = None
    high: float | None = None
    dtype: str = "float64"

    def _size(self, known: Known) -> int:
        return math.prod(_length(n, known) for n in self.shape)

    def _decode(self, u: np.ndarray, known: Known) -> np.ndarray:
        shape = tuple(_length(n, known) for n in self.shape)
        if self.low is not None and self.high is not None:
            x = np.clip(self.low + u * (self.high - self.low), self.low, self.high)
        else:
            spread = known[self.spread] if isinstance(self.spread, str) else self.spread
            x = spread * logit(u)
        return np.reshape(x, shape).astype(known.get(self.dtype, self.dtype))


@final
@dataclass(frozen=True)
class Probability(Element):
    """A probability vector; zeros are at its edge, and reached unless `positive`."""

    n: Length
    positive: bool = False
    dtype: str = "float64"

    def _size(self, known: Known) -> int:
        return _length(self.n, known)

    def _decode(self, u: np.ndarray, known: Known) -> np.ndarray:
        w = -np.log1p(-np.clip(u, 0.0, 1 - EDGE))  # of exponential variables: evenly spread on the simplex
        if self.positive:
            w = np.maximum(w, 1e-6)
        if not w.any():
            w = np.ones_like(w)
        return np.asarray(w / w.sum(), dtype=known.get(self.dtype, self.dtype))


@final
@dataclass(frozen=True)
class Orthogonal(Element):
    """An orthogonal matrix, shape (n, n)."""

    n: Length

    def _size(self, known: Known) -> int:
        return _length(self.n, known) ** 2

    def _decode(self, u: np.ndarray, known: Known) -> np.ndarray:
        n = _length(self.n, known)
        a = np.reshape(logit(u), (n, n)) + 1e-3 * np.eye(n)  # so that numbers that are all the same have a basis
        return np.asarray(np.linalg.qr(a)[0])


@final
@dataclass(frozen=True)
class Symmetric(Element):
    """A symmetric matrix with eigenvalues between `low` and `high`, evenly spread, or in their logarithm."""

    n: Length
    low: float
    high: float
    log: bool = False

    def _size(self, known: Known) -> int:
        n = _length(self.n, known)
        return n * n + n

    def _decode(self, u: np.ndarray, known: Known) -> np.ndarray:
        n = _length(self.n, known)
        q = Orthogonal(n).decode(u[n:], known)
        of = Real(self.low, self.high, self.log)
        eigenvalues = np.array([of.decode(u[i : i + 1], known) for i in range(n)])
        a = (q * eigenvalues) @ q.T
        return np.asarray((a + a.T) / 2)


@final
@dataclass(frozen=True)
class Exact(Element):
    """An array of fractions with numerators in [-`most`, `most`] and a denominator, as objects."""

    shape: tuple[Length, ...]
    most: int = 9
    denominator: int = 1

    def _size(self, known: Known) -> int:
        return math.prod(_length(n, known) for n in self.shape)

    def _decode(self, u: np.ndarray, known: Known) -> np.ndarray:
        span = 2 * self.most + 1
        numbers = [Fraction(min(int(t * span), span - 1) - self.most, self.denominator) for t in u]
        found = np.empty(len(numbers), dtype=object)
        found[:] = numbers
        return np.reshape(found, tuple(_length(n, known) for n in self.shape))


@final
@dataclass(frozen=True)
class Signs(Element):
    """An array of -1.0 and 1.0, and of 0.0 unless `nonzero`."""

    shape: tuple[Length, ...]
    nonzero: bool = True

    def _size(self, known: Known) -> int:
        return math.prod(_length(n, known) for n in self.shape)

    def _decode(self, u: np.ndarray, known: Known) -> np.ndarray:
        x = np.where(u < 0.5, -1.0, 1.0) if self.nonzero else np.floor(np.minimum(u, 1 - EDGE) * 3) - 1
        return np.reshape(x, tuple(_length(n, known) for n in self.shape))


DTYPES = Choice(("float64", "float32"))


def logit(u: np.ndarray) -> np.ndarray:
    """Return the logistic quantile, which is 0 at 1/2, cut off at `EDGE` from the ends."""
    u = np.clip(u, EDGE, 1 - EDGE)
    return np.asarray(np.log(u / (1 - u)))


def instance(domain: Mapping[str, Element], u: np.ndarray) -> dict[str, Any]:
    """Return the instance for numbers in [0, 1], as many as `length` says; what is missing counts as 1/2.

    Examples
    --------
    >>> instance({"n": Integer(1, 4), "x": Numbers(("n",))}, np.array([0.3, 0.5, 0.5]))
    {'n': 2, 'x': array([0., 0.])}
    """
    known: dict[str, Any] = {}
    at = 0
    for name, element in domain.items():
        size = element.size(known)
        mine = u[at : at + size]
        if mine.size < size:
            mine = np.concatenate([mine, np.full(size - mine.size, 0.5)])
        known[name] = element.decode(mine, known)
        at += size
    return known


def length(domain: Mapping[str, Element], structure: Known) -> int:
    """Return how many numbers an instance of a structure takes."""
    return sum(element.size(structure) for element in domain.values())


def structure_of(domain: Mapping[str, Element], u: np.ndarray) -> dict[str, Any]:
    """Return the structural elements of an instance, which are to come first in their domain."""
    known: dict[str, Any] = {}
    for at, (name, element) in enumerate(domain.items()):
        if not element.structural:
            break
        known[name] = element.decode(u[at : at + 1], known)
    return known
