"""The exact step of a quadratic."""

import math
from dataclasses import dataclass
from typing import final

from arrayopt.secondorder.line_search.search import Falling, Line, LineSearch, NoStep, Trials


@final
@dataclass(frozen=True, kw_only=True)
class Exact(LineSearch):
    r"""The step to the minimiser along the line, for a quadratic objective.

    .. math:: a = -\frac{\phi'(0)}{\phi''(0)}, \qquad \phi''(0) = d^\top H d

    The curvature is that of the objective's `hess` or `hessp`; without them it is the difference of the slopes at 0
    and at one trial step, which is the same on a quadratic.

    Notes
    -----
    On another objective it is a step of Newton's method, or of the secant method, along the line: nothing is promised.
    `Bisection` finds a stationary point along the line of any smooth objective.
    """

    def trials(self, line: Line, a: float) -> Trials:
        """Find the curvature, by a trial if need be, and take the step."""
        if line.curvature is not None:
            curvature = line.curvature()
        else:
            _f, slope = yield a
            if slope == 0.0:
                return a
            curvature = (slope - line.slope) / a
        if curvature <= 0.0:
            raise Falling(f"the curvature along the direction is {curvature:.3g}")
        exact = -line.slope / curvature
        if line.curvature is None and exact == a:
            return a
        f = math.inf if math.isnan(exact) else (yield exact)[0]
        if f == math.inf:
            raise NoStep("a quadratic is finite everywhere, but this objective is not")
        return exact
