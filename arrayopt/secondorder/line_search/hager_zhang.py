"""The Wolfe or the approximate Wolfe conditions by the search of Hager and Zhang."""

import math
from dataclasses import dataclass
from typing import final

from arrayopt.core.options import Count, Positive, Share
from arrayopt.errors import OptionError
from arrayopt.secondorder.line_search.search import SHORTEN, Falling, Line, LineSearch, NoStep, Trials
from arrayopt.secondorder.line_search.wolfe import check_wolfe


@final
@dataclass(frozen=True, kw_only=True)
class HagerZhang(LineSearch):
    r"""The Wolfe conditions, or approximate ones that rounding errors of the values do not blur.

    .. math::
        \phi(a) \le \phi(0) + \delta a \phi'(0), \qquad \phi'(a) \ge \sigma \phi'(0) \\
        \text{or} \quad (2 \delta - 1) \phi'(0) \ge \phi'(a) \ge \sigma \phi'(0), \qquad
        \phi(a) \le \phi(0) + \epsilon_k

    An interval with opposite slopes at its ends shrinks by pairs of secant steps, or by bisection where they do not
    shrink it by `gamma`.

    Parameters
    ----------
    delta, sigma : float
        0 < delta < 1/2, delta <= sigma < 1.
    epsilon : float
        :math:`\epsilon_k` is `epsilon`, or four times the distance from 1 to the next number if that is more, times
        the running mean of abs(f).
    theta, gamma : float
        Where an interval is divided while its values are too high, and the factor that it has to shrink by; in (0, 1).
    rho : float
        How a step grows until its slope is not negative, > 1.
    most : int
        Trials.

    Notes
    -----
    Near a minimiser phi(a) - phi(0) is lost in the rounding of phi(0) when a slope still has half of its digits. The
    approximate conditions are the exact ones for a parabola, written in slopes.

    References
    ----------
    Hager and Zhang, A new conjugate gradient method with guaranteed descent and an efficient line search, 2005,
    section 4; Algorithm 851, 2006.
    """

    delta: Share = 0.1
    sigma: Share = 0.9
    epsilon: Positive = 1e-6
    theta: Share = 0.5
    gamma: Share = 0.66
    rho: Positive = 5.0
    most: Count = 60

    def __post_init__(self) -> None:
        """Check the constants against each other."""
        super().__post_init__()
        check_wolfe(self, self.delta, self.sigma, "delta < sigma")
        if not (self.delta < 0.5 and self.rho > 1):
            raise OptionError(f"HagerZhang: delta < 1/2 and rho > 1 must hold, got {self.delta} and {self.rho}")

    def trials(self, line: Line, a: float) -> Trials:
        """Lengthen the step until the slope is not negative, then shrink the interval by secant steps."""
        f0, slope0 = line.f, line.slope
        decrease, steepest, flattest = self.delta * slope0, self.sigma * slope0, (2 * self.delta - 1) * slope0
        allowed = f0 + max(self.epsilon, 4 * line.eps) * line.scale
        # At low the value is allowed and the slope negative; at high the slope is not; at top it is negative again,
        # but the value is too high, so that there is a minimiser between low and top.
        low, low_slope, high, high_slope, top = 0.0, slope0, math.inf, math.nan, math.inf
        stage, width = 0, math.inf
        first = first_slope = last = last_slope = c = math.nan
        for _ in range(self.most):
            f, slope = yield a
            if slope >= steepest and (f <= f0 + a * decrease or (slope <= flattest and f <= allowed)):
                return a
            if slope >= 0.0:
                high, high_slope, top = a, slope, math.inf
            elif f <= allowed:
                low, low_slope = a, slope
            else:
                top = a
            if top < high:
                a = low + (SHORTEN if f == math.inf else self.theta) * (top - low)
                if not low < a < top:
                    raise NoStep(f"values are too high beyond a step of {low:.17g}, and fall until there")
                continue
            if high == math.inf:
                a *= self.rho
                continue
            while True:
                if stage == 0:
                    stage, width = 1, high - low
                    first, first_slope, last, last_slope = low, low_slope, high, high_slope
                    c = _secant(low, low_slope, high, high_slope)
                elif stage == 1:
                    stage = 2
                    if c == high:
                        c = _secant(last, last_slope, high, high_slope)
                    elif c == low:
                        c = _secant(first, first_slope, low, low_slope)
                    else:
                        continue
                else:
                    stage = 0
                    if high - low <= self.gamma * width:
                        continue
                    c = low + (high - low) / 2
                    if not low < c < high:
                        raise NoStep(f"no step satisfies the Wolfe conditions, down to [{low:.17g}, {high:.17g}]")
                if low < c < high:
                    a = c
                    break
        if high == top == math.inf:
            raise Falling(f"it falls as promised at every one of {self.most} steps, to {low:.3g}")
        raise NoStep(f"no step in {self.most} trials satisfies the Wolfe conditions")


def _secant(a: float, slope_a: float, b: float, slope_b: float) -> float:
    """Return where the line through two slopes is zero, NaN if nowhere."""
    rise = slope_b - slope_a
    return (a * slope_b - b * slope_a) / rise if rise != 0.0 else math.nan
