"""The strong Wolfe conditions by the search of Moré and Thuente."""

import math
from dataclasses import dataclass
from typing import final

from arrayopt.core.options import Count, Share, Tolerance
from arrayopt.secondorder.line_search.search import SHORTEN, Falling, Line, LineSearch, NoStep, Trials
from arrayopt.secondorder.line_search.wolfe import check_wolfe

SHRINK = 0.66
"""The interval shrinks by this factor in two trials, or is halved."""
LEAST_GROWTH, MOST_GROWTH = 1.1, 4.0
"""Of the last change of the step, while no interval holds a minimiser yet."""


@final
@dataclass(frozen=True, kw_only=True)
class MoreThuente(LineSearch):
    r"""The strong Wolfe conditions: Armijo's decrease, and a slope of small modulus.

    .. math:: \phi(a) \le \phi(0) + c_1 a \phi'(0), \qquad |\phi'(a)| \le c_2 |\phi'(0)|

    An interval is kept that holds such steps, and shrinks by safeguarded cubic and quadratic interpolation. Until a
    trial has :math:`\psi(a) = \phi(a) - \phi(0) - c_1 a \phi'(0) \le 0` and :math:`\phi'(a) \ge \min(c_1, c_2)
    \phi'(0)`, it is :math:`\psi` that is interpolated, so that trials go where Armijo's decrease is.

    Parameters
    ----------
    c1, c2 : float
        0 < c1 < c2 < 1. c2 is 0.9 for Newton's method and quasi-Newton methods, 0.1 for conjugate gradients.
    rounding : float
        Values that differ by no more than this times :math:`\epsilon C`, with the eps of the dtype and the running
        mean C of abs(f), count as equal; >= 0. Then the condition on the slope is enough, and interpolation takes the
        difference of the values from the slopes. With 0 the conditions are those above, and the search fails where
        rounding errors hide the decrease.
    most : int
        Trials.

    Notes
    -----
    `rounding` is an addition to the published search, in the spirit of the approximate conditions of Hager and Zhang:
    a step is found down to the floor of precision, and until there trials are the published ones.

    References
    ----------
    Moré and Thuente, Line search algorithms with guaranteed sufficient decrease, 1994, sections 2-4.
    """

    c1: Share = 1e-4
    c2: Share = 0.9
    rounding: Tolerance = 100.0
    most: Count = 30

    def __post_init__(self) -> None:
        """Check the constants against each other."""
        super().__post_init__()
        check_wolfe(self, self.c1, self.c2)

    def trials(self, line: Line, a: float) -> Trials:
        """Interpolate in the interval between x, the step of least value so far, and y."""
        f0, slope0 = line.f, line.slope
        decrease, steepest = self.c1 * slope0, -self.c2 * slope0
        f, slope = yield a
        if f <= f0 + a * decrease and abs(slope) <= steepest:
            return a
        blur = self.rounding * line.eps * line.scale if self.rounding else -1.0
        x, fx, gx = y, fy, gy = 0.0, f0, slope0
        on_psi, bracketed = True, False
        low, high, ceiling = 0.0, a + MOST_GROWTH * a, math.inf
        width = before = math.inf
        for _ in range(self.most - 1):
            if abs(slope) <= steepest and (f <= f0 + a * decrease or abs(f - f0) <= blur):
                return a
            if f == math.inf:
                if a < x:
                    x, fx, gx = 0.0, f0, slope0
                ceiling, bracketed, width, before = a, False, math.inf, math.inf
                a = x + SHORTEN * (a - x)
            else:
                if abs(f - fx) <= blur:
                    f = fx + (a - x) * (gx + slope) / 2
                promised = f0 + a * decrease
                if f <= promised and slope >= decrease:
                    on_psi = False
                # Subtracting the line that Armijo's rule bounds phi by makes psi out of phi.
                tilt = decrease if on_psi and promised < f <= fx else 0.0
                at, fa, ga = a, f - a * tilt, slope - tilt
                fx, gx, fy, gy = fx - x * tilt, gx - tilt, fy - y * tilt, gy - tilt
                a, bracketed = _next(x, fx, gx, y, fy, gy, at, fa, ga, bracketed, low, high)
                if fa > fx:
                    y, fy, gy = at, fa, ga
                else:
                    if (ga < 0.0) != (gx < 0.0):
                        y, fy, gy = x, fx, gx
                    x, fx, gx = at, fa, ga
                fx, gx, fy, gy = fx + x * tilt, gx + tilt, fy + y * tilt, gy + tilt
            if bracketed:
                if abs(y - x) >= SHRINK * before:
                    a = x + (y - x) / 2
                before, width = width, abs(y - x)
                low, high = min(x, y), max(x, y)
                if not low < a < high:
                    a = x + (y - x) / 2
                if width <= line.eps * high or a in (low, high):
                    raise NoStep(f"no step satisfies the strong Wolfe conditions, down to [{low:.17g}, {high:.17g}]")
            else:
                low, high = a + LEAST_GROWTH * (a - x), a + MOST_GROWTH * (a - x)
                if ceiling < math.inf:
                    a = min(a, x + (ceiling - x) / 2)
                    high = min(high, a + (ceiling - a) / 2)
                    low = min(low, high)
                    if not x < a < ceiling:
                        raise NoStep(f"the objective is finite up to a step of {x:.17g} only, and falls until there")
            f, slope = yield a
        if abs(slope) <= steepest and (f <= f0 + a * decrease or abs(f - f0) <= blur):
            return a
        if not bracketed and ceiling == math.inf:
            raise Falling(f"it falls as promised at every one of {self.most} steps, to {a:.3g}")
        raise NoStep(f"no step in {self.most} trials satisfies the strong Wolfe conditions")


def _next(
    x: float, fx: float, gx: float, y: float, fy: float, gy: float, a: float, fa: float, ga: float,
    bracketed: bool, low: float, high: float,
) -> tuple[float, bool]:  # fmt: skip
    """Return the next trial, by the four cases of section 4, and whether x, y and a bracket a minimiser."""
    if fa > fx:  # 1: higher, so there is a minimiser between
        cubic = _cubic(x, fx, gx, a, fa, ga)
        quadratic = x + (a - x) * (gx / ((fx - fa) / (a - x) + gx)) / 2
        return (cubic if abs(cubic - x) < abs(quadratic - x) else cubic + (quadratic - cubic) / 2), True
    secant = a + (x - a) * (ga / (ga - gx)) if ga != gx else math.inf
    if (ga < 0.0) != (gx < 0.0):  # 2: lower, and the slope has changed its sign
        cubic = _cubic(x, fx, gx, a, fa, ga)
        return (cubic if abs(cubic - a) > abs(secant - a) else secant), True
    if abs(ga) <= abs(gx):  # 3: lower, the slope flatter: the cubic may have no minimiser beyond a
        cubic = _cubic_beyond(x, fx, gx, a, fa, ga, low, high)
        if not bracketed:
            trial = cubic if abs(cubic - a) > abs(secant - a) else secant
            return min(max(trial, low), high), False
        trial = cubic if abs(cubic - a) < abs(secant - a) else secant
        bound = a + SHRINK * (y - a)
        return (min(trial, bound) if a > x else max(trial, bound)), True
    if bracketed:  # 4: lower, the slope steeper
        return _cubic(a, fa, ga, y, fy, gy), True
    return (high if a > x else low), False


def _cubic(u: float, fu: float, gu: float, v: float, fv: float, gv: float) -> float:
    """Return the minimiser of the cubic with these values and slopes at u and v."""
    theta = 3 * (fu - fv) / (v - u) + gu + gv
    gamma = math.copysign(_root(theta, gu, gv), v - u)
    return u + ((gamma - gu) + theta) / (((gamma - gu) + gamma) + gv) * (v - u)


def _cubic_beyond(x: float, fx: float, gx: float, a: float, fa: float, ga: float, low: float, high: float) -> float:
    """Return the cubic's minimiser beyond a as seen from x; where there is none, the end of the interval there."""
    theta = 3 * (fx - fa) / (a - x) + gx + ga
    gamma = math.copysign(_root(theta, gx, ga), x - a)
    p, q = (gamma - ga) + theta, (gamma + (gx - ga)) + gamma
    if gamma != 0.0 and q != 0.0 and p / q < 0.0:
        return a + (p / q) * (x - a)
    return high if a > x else low


def _root(theta: float, u: float, v: float) -> float:
    """Return the root of theta^2 - u v, 0 if that is negative, without overflow."""
    s = max(abs(theta), abs(u), abs(v))
    return s * math.sqrt(max(0.0, (theta / s) ** 2 - (u / s) * (v / s))) if s > 0.0 else 0.0
