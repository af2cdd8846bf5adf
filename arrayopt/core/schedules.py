"""Schedules: a number as a function of the step t = 1, 2, 3, ...

Every hyper-parameter that is a number also takes a schedule. A schedule is evaluated on the host in
float64; any callable ``t -> float`` serves, these are the usual ones as plain data.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from arrayopt.errors import OptionError

Schedule = Callable[[int], float]
Number = float | Schedule


def at(number: Number, t: int) -> float:
    """Evaluate a number or schedule at step t."""
    return float(number(t)) if callable(number) else number


@dataclass(frozen=True)
class Constant:
    """The same value at every step."""

    value: float

    def __call__(self, t: int) -> float:
        """Return the value."""
        return self.value


@dataclass(frozen=True)
class PiecewiseLinear:
    """Linear between the points (step, value), constant after the last one.

    An implicit point (0, 0) is added when no point is at step 0, as Tiger's schedule does
    (bojone/tiger 43fb6b6), so that the first segment is a warm-up.

    Parameters
    ----------
    points : tuple of (int, float)
        Steps, strictly increasing, and the values there.

    Examples
    --------
    >>> rate = PiecewiseLinear(((10, 1.0), (30, 0.5)))
    >>> rate(5), rate(10), rate(20), rate(99)
    (0.5, 1.0, 0.75, 0.5)
    """

    points: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        """Check the order of the points."""
        points = tuple((int(s), float(v)) for s, v in self.points)
        if not points:
            raise OptionError("PiecewiseLinear: points is empty; expected at least one (step, value)")
        if points[0][0] != 0:
            points = ((0, 0.0), *points)
        if any(a[0] >= b[0] for a, b in itertools.pairwise(points)) or points[0][0] < 0:
            raise OptionError(f"PiecewiseLinear: steps must be non-negative and increase, got {self.points}")
        object.__setattr__(self, "points", points)

    def __call__(self, t: int) -> float:
        """Interpolate at step t."""
        for (s0, v0), (s1, v1) in itertools.pairwise(self.points):
            if t <= s1:
                return v0 + (v1 - v0) * (t - s0) / (s1 - s0)
        return self.points[-1][1]


@dataclass(frozen=True)
class WarmupDecay:
    r"""Linear warm-up to `peak`, then a cosine or linear decay to `end`.

    With :math:`s = (t - \text{warmup}) / (\text{total} - \text{warmup})` clipped to [0, 1], the value is
    :math:`\text{peak}\, t / \text{warmup}` up to `warmup`, afterwards
    :math:`\text{end} + (\text{peak} - \text{end}) (1 + \cos \pi s) / 2` or
    :math:`\text{end} + (\text{peak} - \text{end}) (1 - s)`.

    Parameters
    ----------
    peak : float
        The value at step `warmup`.
    warmup, total : int
        Length of the warm-up and of the whole schedule, in steps; ``0 <= warmup < total``.
    end : float
        The value at step `total` and later.
    shape : {"cosine", "linear"}
        Form of the decay; "cosine" is that of SGDR without restarts (arXiv 1608.03983, equation 5).
    """

    peak: float
    warmup: int
    total: int
    end: float = 0.0
    shape: Literal["cosine", "linear"] = "cosine"

    def __post_init__(self) -> None:
        """Check lengths and the name of the shape."""
        if not 0 <= self.warmup < self.total:
            raise OptionError(f"WarmupDecay: expected 0 <= warmup < total, got {self.warmup} and {self.total}")
        if self.shape not in ("cosine", "linear"):
            raise OptionError(f"WarmupDecay: shape must be 'cosine' or 'linear', got {self.shape!r}")

    def __call__(self, t: int) -> float:
        """Return the value at step t."""
        if t <= self.warmup:
            return self.peak * t / self.warmup if self.warmup else self.peak
        s = min(1.0, (t - self.warmup) / (self.total - self.warmup))
        factor = (1 + math.cos(math.pi * s)) / 2 if self.shape == "cosine" else 1 - s
        return self.end + (self.peak - self.end) * factor


@dataclass(frozen=True)
class InverseSqrt:
    r"""The rate :math:`\alpha / \sqrt t` of online gradient descent (Zinkevich 2003).

    Parameters
    ----------
    alpha : float
        The value at t = 1.
    """

    alpha: float

    def __call__(self, t: int) -> float:
        """Return alpha / sqrt(t)."""
        return self.alpha / math.sqrt(t)


@dataclass(frozen=True)
class InverseTime:
    r"""The rate :math:`\alpha / (\kappa t + 1)^{p}`.

    With power 2 and :math:`\kappa = \alpha_0 p` it is the first Amos schedule, with power 1 and
    :math:`\kappa = 2 \alpha_0 p_0` the second (arXiv 2210.11693; archive 9344, results R1 and R2).

    Parameters
    ----------
    alpha : float
        The value at t = 0.
    kappa : float
        Inverse time constant, per step; the half-life is 1/kappa for power 1, (sqrt(2) - 1)/kappa for power 2.
    power : float
        The exponent, 1 or 2 in the article.
    """

    alpha: float
    kappa: float
    power: float = 1.0

    def __call__(self, t: int) -> float:
        """Return alpha / (kappa t + 1)^power."""
        return self.alpha * math.pow(self.kappa * t + 1, -self.power)
