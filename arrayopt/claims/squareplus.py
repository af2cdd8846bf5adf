"""SquarePlus: what it is between, what its b has to be to go with softplus, and how not to compute it."""

import math
from decimal import Context, Decimal, localcontext

import numpy as np

from arrayopt.backend import Array
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import DTYPES, Element, Integer, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.smoothing import quadrature
from arrayopt.claims.sources import article
from arrayopt.smooth import (
    RELU,
    StudentT2,
    softplus,
    squareplus,
    squareplus_bound,
    squareplus_derivative,
    squareplus_minimax,
)

SOURCE = article(17)
ROUNDING = ulps(16)
B = Real(1e-2, 1e2, log=True)
POINT = Numbers((1,), spread=3.0, dtype="dtype")
X: dict[str, Element] = {"dtype": DTYPES, "x": POINT}
XB: dict[str, Element] = {**X, "b": B}
XYB: dict[str, Element] = {**X, "y": POINT, "b": B}
SIZE = Real(1e-2, 1e300, log=True)


def _sp(x: Array, b: float) -> float:
    return float(squareplus(x, b)[0])


def _slope(x: Array, b: float, order: int = 1) -> float:
    return float(squareplus_derivative(x, b, order)[0])


def _soft(x: Array) -> float:
    return float(softplus(x)[0])


def _size(b: float, *points: Array) -> float:
    return math.sqrt(b) + max(abs(float(x[0])) for x in points)


@claim(SOURCE, X, kind="equality", tolerance=0.0)
def relu(x: Array) -> float:
    r"""For $b = 0$ it is the ReLU."""
    return agreement(_sp(x, 0.0), max(float(x[0]), 0.0))


@claim(SOURCE, XB, kind="equality", tolerance=ROUNDING)
def difference(x: Array, b: float) -> float:
    r"""$\mathrm{SP}(x) - \mathrm{SP}(-x) = x$."""
    return agreement(_sp(x, b) - _sp(-x, b), float(x[0]), scale=_size(b, x))


@claim(SOURCE, XB, kind="equality", tolerance=ROUNDING)
def product(x: Array, b: float) -> float:
    r"""$\mathrm{SP}(x) \, \mathrm{SP}(-x) = b / 4$."""
    return agreement(_sp(x, b) * _sp(-x, b), b / 4)


@claim(SOURCE, XB, kind="equality", tolerance=ulps(64))
def convolution(x: Array, b: float) -> float:
    r"""It is the ReLU smoothed by the kernel $b / 2 (x^2 + b)^{3/2}$, by quadrature: an instance of section 21."""
    value, _ = quadrature(RELU, float(x[0]), StudentT2(math.sqrt(b)))
    return agreement(_sp(x, b), value, scale=_size(b, x))


@claim(SOURCE, XB, tolerance=ROUNDING, infimum=0.0)
def above_relu(x: Array, b: float) -> float:
    r"""It is above the ReLU: $\mathrm{SP}_b(x) \ge b / 4 \sqrt{x^2 + b}$ for $x \le 0$, sharp far away."""
    least = b / (4 * math.hypot(float(x[0]), math.sqrt(b)))
    return slack(least, _sp(-abs(x), b), scale=least)


@claim(SOURCE, XB, tolerance=ROUNDING, infimum=0.0)
def algebraic_tail(x: Array, b: float) -> float:
    r"""$\mathrm{SP}_b(x) \le b / 4 |x|$ for $x < 0$, sharp far away."""
    return slack(_sp(-abs(x), b) * 4 * abs(float(x[0])), b, scale=b)


@claim(SOURCE, XB, tolerance=ROUNDING, infimum=0.0)
def greatest_gap(x: Array, b: float) -> float:
    r"""$\mathrm{SP}_b(x) - \max(x, 0) = \mathrm{SP}_b(-|x|) \le \sqrt b / 2$, with equality at 0."""
    return slack(_sp(-abs(x), b), math.sqrt(b) / 2, scale=math.sqrt(b))


@claim(SOURCE, XYB, tolerance=ROUNDING, infimum=0.0)
def increasing(x: Array, y: Array, b: float) -> float:
    r"""It is increasing."""
    low, high = sorted((x, y), key=lambda z: float(z[0]))
    return slack(_sp(low, b), _sp(high, b), scale=_size(b, x, y))


@claim(SOURCE, XYB, tolerance=ROUNDING, infimum=0.0)
def convex(x: Array, y: Array, b: float) -> float:
    r"""It is convex: $\mathrm{SP}'(x) (y - x) \le \mathrm{SP}(y) - \mathrm{SP}(x) \le \mathrm{SP}'(y) (y - x)$."""
    apart, change, scale = float(y[0]) - float(x[0]), _sp(y, b) - _sp(x, b), _size(b, x, y)
    return min(slack(_slope(x, b) * apart, change, scale), slack(change, _slope(y, b) * apart, scale))


@claim(SOURCE, XB, kind="equality", tolerance=ROUNDING)
def derivatives(x: Array, b: float) -> float:
    r"""$\mathrm{SP}' = (1 + x / h) / 2 = \mathrm{SP} / h$, $\mathrm{SP}'' = b / 2 h^3$ for $h = \sqrt{x^2 + b}$."""
    root = math.hypot(float(x[0]), math.sqrt(b))
    second = agreement(_slope(x, b, 2), b / (2 * root**3))
    return min(agreement(_slope(x, b), _sp(x, b) / root), second)


@claim(SOURCE, XB, tolerance=ROUNDING, infimum=0.0)
def slope_is_positive(x: Array, b: float) -> float:
    r"""$\mathrm{SP}'(x) \ge b / 4 (x^2 + b) > 0$, sharp far below 0."""
    least = b / (4 * (float(x[0]) ** 2 + b))
    return slack(least, _slope(x, b), scale=least)


@claim(SOURCE, XB, kind="equality", tolerance=ROUNDING)
def slope_is_below_one(x: Array, b: float) -> float:
    r"""$\mathrm{SP}'(x) = 1 - \mathrm{SP}'(-x)$, so that it is below 1 where it is above 0."""
    return agreement(_slope(x, b) + _slope(-x, b), 1.0)


@claim(SOURCE, {"x": Numbers((1,), low=0.0, high=30.0), "r": Real(1e-2, 10.0, log=True), "b": B}, infimum=0.0)
def curvature(x: Array, r: float, b: float) -> float:
    r"""$\mathrm{SP}''(y) \le (\mathrm{SP}'(y) - \mathrm{SP}'(x)) / (y - x) \le \mathrm{SP}''(x)$ for $0 \le x < y$.

    So the second derivative is what its formula has, and the third is negative above 0.
    """
    y = x + r * (x + math.sqrt(b))
    mean = (_slope(-x, b) - _slope(-y, b)) / (float(y[0]) - float(x[0]))  # of tails, which do not cancel
    greatest = b / (2 * math.hypot(float(x[0]), math.sqrt(b)) ** 3)
    return min(slack(_slope(y, b, 2), mean, greatest), slack(mean, greatest, greatest))


@claim(SOURCE, {**X, "times": Real(1.0, 10.0)}, tolerance=ROUNDING, infimum=0.0)
def above_softplus(x: Array, times: float) -> float:
    r"""$\mathrm{SP}_b \ge \mathrm{softplus}$ for all $b \ge 4 \log^2 2$; the difference is even, and can be 0 at 0."""
    below, above = _soft(-abs(x)), _sp(-abs(x), times * squareplus_bound())
    return slack(below, above, scale=above)


@claim(
    SOURCE, {"x": Real(-30.0, 30.0), "times": Real(0.5, 0.999)}, expect="refuted",
    witness={"x": 0.0, "times": 0.999}, instead="squareplus.above_softplus",
)  # fmt: skip
def above_softplus_for_less(x: float, times: float) -> float:
    r"""$\mathrm{SP}_b \ge \mathrm{softplus}$ for some $b < 4 \log^2 2$ too: for none, at 0."""
    return slack(softplus(x), squareplus(x, times * squareplus_bound()))


@claim(SOURCE, X, tolerance=ROUNDING, infimum=0.0)
def product_of_softplus(x: Array) -> float:
    r"""$\mathrm{softplus}(x) \, \mathrm{softplus}(-x) \le \log^2 2$, with equality at 0."""
    return slack(_soft(x) * _soft(-x), math.log(2) ** 2)


@claim(SOURCE, {**X, "y": POINT}, tolerance=ulps(32), infimum=0.0)
def log_softplus_is_concave(x: Array, y: Array) -> float:
    r"""$\log \mathrm{softplus}$ is concave, the reason for the last."""
    ends = (math.log(_soft(x)) + math.log(_soft(y))) / 2
    return slack(ends, math.log(_soft((x + y) / 2)))


@claim(SOURCE, {"x": Numbers((1,), low=-40.0, high=-1.0)}, tolerance=ROUNDING, infimum=0.0)
def no_lower_bound(x: Array) -> float:
    r"""At $x < 0$ and $b = 4 e^x (e^x - x)$, $\mathrm{SP}_b(x) = e^x > \mathrm{softplus}(x)$; b goes to 0 with x.

    So no $b > 0$ makes it a lower bound.
    """
    e = math.exp(float(x[0]))
    return slack(_soft(x), _sp(x, 4 * e * (e - float(x[0]))), scale=e)


@claim(
    SOURCE, {"x": Real(-60.0, 60.0), "b": Real(1e-9, 1e-1, log=True)}, expect="refuted",
    witness={"x": -30.0, "b": 1e-9}, instead="squareplus.no_lower_bound",
)  # fmt: skip
def below_softplus(x: float, b: float) -> float:
    r"""$\mathrm{SP}_b \le \mathrm{softplus}$ for b small enough: for none, since its tail is algebraic."""
    return slack(squareplus(x, b), softplus(x), scale=squareplus(x, b))


@claim(SOURCE, X, tolerance=ulps(64), infimum=0.0)
def best_fit(x: Array) -> float:
    r"""$|\mathrm{SP}_b - \mathrm{softplus}|$ for the best b is nowhere above its error, met at 0 and $\pm x^*$."""
    fit = squareplus_minimax()
    return slack(abs(_sp(-abs(x), fit.b) - _soft(-abs(x))), fit.error, scale=fit.error)


@claim(SOURCE, {"b": Real(0.5, 4.0)}, infimum=0.0)
def no_better_fit(b: float) -> float:
    r"""No b has a smaller error, at 0 and $x^*$ alone: where b is lower the one at 0 grows, else the other."""
    fit = squareplus_minimax()
    return slack(fit.error, max(abs(squareplus(x, b) - softplus(x)) for x in (0.0, fit.at)), scale=fit.error)


@claim(SOURCE, kind="equality", tolerance=1e-13)
def equioscillation() -> float:
    r"""The error of the best b is minus its greatest at 0, and its greatest at $\pm x^*$."""
    fit = squareplus_minimax()
    errors = [squareplus(x, fit.b) - softplus(x) for x in (-fit.at, 0.0, fit.at)]
    return agreement(errors, [fit.error, -fit.error, fit.error])


@claim(SOURCE, {"k": Integer(0, 300), "x": Numbers((1,), low=-1.0, high=1.0), "b": Real(1e-6, 1e6, log=True)},
       kind="equality", tolerance=ulps(8))  # fmt: skip
def stable(x: Array, k: int, b: float) -> float:
    r"""$\max(x, 0) + b / 2 (\sqrt{x^2 + b} + |x|)$ is exact to rounding, up to $|x| = 10^{300}$."""
    x = x * 10.0**k
    with localcontext(Context(prec=50)):
        at, above = Decimal(float(x[0])), Decimal(b)
        exact = float(max(at, Decimal(0)) + above / (2 * ((at * at + above).sqrt() + abs(at))))
    return agreement(_sp(x, b), exact)


def _as_printed(x: float, b: float) -> float:
    """Return the relative margin of the formula as it is printed."""
    x = float(x)
    return agreement((x + float(np.sqrt(np.float64(x) * x + b))) / 2, squareplus(x, b), scale=squareplus(x, b))


@claim(
    SOURCE, {"size": Real(1e-2, 1e12, log=True), "b": B}, kind="equality", tolerance=1e-12, expect="refuted",
    witness={"size": 1e9, "b": 4.0}, instead="squareplus.stable",
)  # fmt: skip
def as_printed_below_zero(size: float, b: float) -> float:
    r"""$(x + \sqrt{x^2 + b}) / 2$ as printed is exact to twelve digits for $x < 0$: it cancels, at -1e9 to 0."""
    return _as_printed(-size, b)


@claim(
    SOURCE, {"size": SIZE, "b": B}, kind="equality", tolerance=1e-12, expect="refuted",
    witness={"size": 1e200, "b": 4.0}, instead="squareplus.stable",
)  # fmt: skip
def as_printed_far_above_zero(size: float, b: float) -> float:
    r"""$(x + \sqrt{x^2 + b}) / 2$ as printed is exact to twelve digits for $x > 0$: $x^2$ overflows."""
    return _as_printed(size, b)


def _on_the_grid() -> tuple[float, float]:
    """Return b and its greatest error over the article's grid, by golden section in the root of b."""
    x = np.arange(-2.0, 4.0, 1e-4)
    soft, ratio = softplus(x), (math.sqrt(5) - 1) / 2

    def error(a: float) -> float:
        return float(np.max(np.abs(squareplus(x, a * a) - soft)))

    low, high = 1.0, 1.5
    while high - low > 1e-9:
        inner = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, inner[1]) if error(inner[0]) < error(inner[1]) else (inner[0], high)
    return low * low, error(low)


KNOWN = (
    Known("squareplus.bound", r"The least b for which $\mathrm{SP}_b \ge \mathrm{softplus}$, $4 \log^2 2$", SOURCE,
          "1.9218120557", squareplus_bound),
    Known("squareplus.best_b", "The b of the best fit to softplus", SOURCE, "1.5238210325187",
          lambda: squareplus_minimax().b),
    Known("squareplus.best_error", "The greatest error of the best fit", SOURCE, "0.0759314499360",
          lambda: squareplus_minimax().error),
    Known("squareplus.best_at", "The x above 0 at which that is attained", SOURCE, "3.5646210",
          lambda: squareplus_minimax().at),
    Known("squareplus.grid_b", "The b of the best fit on the article's grid from -2 to 4 in steps of 0.0001", SOURCE,
          "1.52382103", lambda: _on_the_grid()[0]),
    Known("squareplus.grid_error", "The greatest error on that grid", SOURCE, "0.075931",
          lambda: _on_the_grid()[1]),
)  # fmt: skip
