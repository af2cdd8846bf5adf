"""Armijo's rule by backtracking."""

import math
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.core.options import Count, Share
from arrayopt.secondorder.line_search.search import SHORTEN, Line, LineSearch, NoStep, Trials


@final
@dataclass(frozen=True, kw_only=True)
class Armijo(LineSearch):
    r"""Armijo's rule: the decrease is at least a share of what the slope promises.

    .. math:: \phi(a) \le \phi(0) + c_1 a \phi'(0)

    Parameters
    ----------
    c1 : float
        In (0, 1).
    interpolation : {"none", "quadratic"}
        The next trial after one that fails: `factor` times it, or where the parabola through phi(0), phi'(0) and
        phi(a) is least, kept within [0.1, 0.5] of it.
    factor : float
        What a trial that fails is multiplied by, in (0, 1).
    most : int
        Trials.

    References
    ----------
    Armijo, Minimization of functions having Lipschitz continuous first partial derivatives, 1966.
    """

    c1: Share = 1e-4
    interpolation: Literal["none", "quadratic"] = "none"
    factor: Share = 0.5
    most: Count = 60

    slopes = False

    def trials(self, line: Line, a: float) -> Trials:
        """Try a, and shorter steps."""
        for _ in range(self.most):
            f, _slope = yield a
            excess = f - line.f - a * line.slope
            if f <= line.f + self.c1 * a * line.slope:
                return a
            if f == math.inf:
                a *= SHORTEN
            elif self.interpolation == "none":
                a *= self.factor
            else:
                a *= min(max(-a * line.slope / (2 * excess), 0.1), 0.5)
        raise NoStep(f"no step in {self.most} trials decreases the objective enough")
