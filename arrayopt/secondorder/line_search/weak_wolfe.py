"""The weak Wolfe conditions by bisection and doubling."""

import math
from dataclasses import dataclass
from typing import final

from arrayopt.core.options import Count, Share
from arrayopt.secondorder.line_search.search import SHORTEN, Falling, Line, LineSearch, NoStep, Trials
from arrayopt.secondorder.line_search.wolfe import check_wolfe


@final
@dataclass(frozen=True, kw_only=True)
class WeakWolfe(LineSearch):
    r"""The weak Wolfe conditions: Armijo's decrease, and a slope that is not as steep as it was.

    .. math:: \phi(a) \le \phi(0) + c_1 a \phi'(0), \qquad \phi'(a) \ge c_2 \phi'(0)

    A trial that fails the first is too long, one that fails only the second too short; the next is the middle of the
    interval between, or twice as long while there is no end to it.

    Parameters
    ----------
    c1, c2 : float
        0 < c1 < c2 < 1.
    most : int
        Trials.

    Notes
    -----
    It needs no smoothness: for a function that is absolutely continuous along the line and bounded below it ends.

    References
    ----------
    Lewis and Overton, Nonsmooth optimization via quasi-Newton methods, 2013, section 2.
    """

    c1: Share = 1e-4
    c2: Share = 0.9
    most: Count = 60

    def __post_init__(self) -> None:
        """Check the constants against each other."""
        super().__post_init__()
        check_wolfe(self, self.c1, self.c2)

    def trials(self, line: Line, a: float) -> Trials:
        """Halve the interval from the longest step that was too short to the shortest that was too long."""
        low, high = 0.0, math.inf
        decrease, least_slope = self.c1 * line.slope, self.c2 * line.slope
        for _ in range(self.most):
            f, slope = yield a
            if not f <= line.f + a * decrease:
                high = a
            elif not slope >= least_slope:
                low = a
            else:
                return a
            if high == math.inf:
                a = 2 * low
            elif f == math.inf:
                a = low + SHORTEN * (high - low)
            else:
                a = (low + high) / 2
            if a in (low, high):
                break
        if high == math.inf:
            raise Falling(f"it falls as promised at every one of {self.most} steps, to {low:.3g}")
        raise NoStep(f"no step satisfies the weak Wolfe conditions, down to an interval [{low:.17g}, {high:.17g}]")
