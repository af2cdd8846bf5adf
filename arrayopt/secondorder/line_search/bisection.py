"""A stationary point along the line, to full precision."""

import math
from dataclasses import dataclass
from typing import final

from arrayopt.core.options import Count
from arrayopt.secondorder.line_search.search import SHORTEN, Falling, Line, LineSearch, NoStep, Trials


@final
@dataclass(frozen=True, kw_only=True)
class Bisection(LineSearch):
    r"""A step where the slope is zero, or changes its sign between neighbouring numbers: the exact line search.

    .. math:: \phi'(a) = 0

    The step doubles until the slope is not negative, and the interval is halved from then on. It costs some sixty
    trials, and is meant for statements about exact line searches on objectives that are not quadratic.

    Parameters
    ----------
    most : int
        Trials.
    """

    most: Count = 200

    def trials(self, line: Line, a: float) -> Trials:
        """Halve the interval from a negative slope to one that is not."""
        low, high = 0.0, math.inf
        for _ in range(self.most):
            f, slope = yield a
            if slope == 0.0:
                return a
            if slope < 0.0:
                low = a
            else:
                high = a
            following = 2 * a if high == math.inf else low + (SHORTEN if f == math.inf else 0.5) * (high - low)
            if following in (low, high):
                if f == math.inf:
                    break
                return a
            a = following
        if high == math.inf:
            raise Falling(f"it falls at every one of {self.most} steps, to {low:.3g}")
        raise NoStep(f"the slope does not change its sign down to [{low:.17g}, {high:.17g}]")
