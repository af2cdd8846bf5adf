"""Convolutions with kernels that tend to Dirac's delta: closed forms, limits, and what they keep."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import DTYPES, Element, Numbers, Real
from arrayopt.claims.margins import agreement, host, slack, ulps
from arrayopt.claims.smoothing import ALL, FUNCTION, KERNELS, RAMPS, SCALE, apart, function, positive, quadrature
from arrayopt.claims.sources import article
from arrayopt.core.logsumexp import logsumexp
from arrayopt.errors import OptionError
from arrayopt.smooth import (
    RELU,
    STEP,
    Cauchy,
    Gaussian,
    Logistic,
    PiecewisePolynomial,
    gaussian_relu,
    mollify,
    softplus,
)

SOURCE = article(21)
X = Real(-8.0, 8.0)
XS: dict[str, Element] = {"x": X, "scale": SCALE}
HINGES: dict[str, Element] = {
    "kernel": RAMPS, "places": Numbers((3,), low=-3.0, high=3.0), "weights": Numbers((3,), low=0.0, high=2.0),
    "scale": SCALE, "x": X,
}  # fmt: skip
GAPS = {"gaussian": 1 / math.sqrt(2 * math.pi), "logistic": math.log(2), "student": 0.5}
NEAR = 1e-13
"""The scale at which limits are looked at, in distances to what is to vanish; moments of heavy tails add logarithms."""
VANISHING = 1e-11


@claim(SOURCE, {**FUNCTION, "x": Real(-5.0, 5.0), "scale": SCALE}, kind="equality", tolerance=ulps(1024))
def closed_form(kernel: str, places: Array, a: Array, x: float, scale: float) -> float:
    r"""Any piecewise polynomial convolved with a kernel that has the moments, in closed form, is what quadrature gives.

    With all four kernels.
    """
    f, of = function(kernel, places, host(a)), KERNELS[kernel](scale)
    value, size = quadrature(f, x, of)
    return agreement(mollify(f, x, of), value, scale=max(size, 1e-3))


@claim(SOURCE, XS, kind="equality", tolerance=ulps(64))
def logistic_relu(x: float, scale: float) -> float:
    r"""The ReLU convolved with the logistic kernel is $\log(1 + e^{tx}) / t$, softplus."""
    value, _ = quadrature(RELU, x, Logistic(scale))
    return agreement([value, softplus(x, scale)], 2 * [scale * math.log(1 + math.exp(x / scale))], scale=abs(x) + scale)


@claim(SOURCE, XS, kind="equality", tolerance=ulps(64))
def gaussian_rectifier(x: float, scale: float) -> float:
    r"""That with the Gaussian one $\frac12 [x \, \mathrm{erf}(x / \sqrt2 \sigma) + x + \sqrt{2 / \pi} \sigma \phi(x)]$.

    With $\phi(x) = e^{-x^2 / 2 \sigma^2}$.
    """
    value, _ = quadrature(RELU, x, Gaussian(scale))
    z = x / scale
    printed = (x * math.erf(z / math.sqrt(2)) + x + math.sqrt(2 / math.pi) * scale * math.exp(-z * z / 2)) / 2
    return agreement([value, gaussian_relu(x, scale)], [printed, printed], scale=abs(x) + scale)


@claim(SOURCE, XS, kind="equality", tolerance=ulps(64))
def cauchy_step(x: float, scale: float) -> float:
    r"""The step convolved with the Cauchy kernel is $\frac12 + \arctan(x / a) / \pi$."""
    value, _ = quadrature(STEP, x, Cauchy(scale))
    return agreement([value, mollify(STEP, x, Cauchy(scale))], 2 * [0.5 + math.atan(x / scale) / math.pi], scale=1.0)


@claim(SOURCE, {"dtype": DTYPES, "x": Numbers((1,), spread=5.0, dtype="dtype"), "tau": Real(1e-2, 1e2, log=True)},
       kind="equality", tolerance=ulps(16))  # fmt: skip
def softplus_is_logsumexp(x: Array, tau: float) -> float:
    r"""Softplus is the logsumexp of two, $\tau \log(e^{0} + e^{x / \tau})$ (sections 10 and 21)."""
    both = (x - x[0]), x  # 0 and x
    pair = namespace(x).concat(both)
    return agreement(softplus(x, tau)[0], logsumexp(pair, temperature=tau), scale=tau + abs(float(x[0])))


@claim(SOURCE, {**HINGES, "y": X, "t": Real(0.0, 1.0)}, infimum=0.0)
def convex(kernel: str, places: Array, weights: Array, scale: float, x: float, y: float, t: float) -> float:
    r"""A convex f stays convex: $\sum_j w_j \max(x - c_j, 0)$, $w_j \ge 0$, by symmetric kernels with a mean."""
    f, of = _hinges(places, weights), KERNELS[kernel](scale)
    at, left, right = (mollify(f, z, of) for z in (t * x + (1 - t) * y, x, y))
    return slack(at, t * left + (1 - t) * right)


@claim(SOURCE, HINGES, infimum=0.0)
def above(kernel: str, places: Array, weights: Array, scale: float, x: float) -> float:
    r"""$f * \phi \ge f$ for a convex f and a symmetric kernel, by Jensen's inequality."""
    f = _hinges(places, weights)
    return slack(f(x), mollify(f, x, KERNELS[kernel](scale)))


@claim(SOURCE, {"kernel": RAMPS, "z": Real(-9.0, 9.0), "scale": Real(1e-3, 1e3, log=True)}, infimum=0.0)
def greatest_gap(kernel: str, z: float, scale: float) -> float:
    r"""The smoothed ReLU is at most $\log 2 / t$, $\sigma / \sqrt{2 \pi}$, $\sqrt b / 2$ above it: equal at 0."""
    x = z * scale
    return slack(mollify(RELU, x, KERNELS[kernel](scale)) - max(x, 0.0), GAPS[kernel] * scale, scale=scale)


@claim(SOURCE, {**FUNCTION, "x": Real(-5.0, 5.0)}, kind="limit", tolerance=VANISHING)
def converges(kernel: str, places: Array, a: Array, x: float) -> float:
    r"""$f * \phi \to f$ where f is continuous, as the scale falls to 0: at 1e-13 of the distance to a breakpoint."""
    f = function(kernel, places, host(a))
    of = KERNELS[kernel](NEAR * min(apart(x, f), 1.0))
    return agreement(mollify(f, x, of), f(x), scale=1 + positive(f)(abs(x)) + _largest(a))


@claim(SOURCE, FUNCTION, kind="limit", tolerance=VANISHING)
def middle_of_a_jump(kernel: str, places: Array, a: Array) -> float:
    r"""$f * \phi \to \frac12 [f(c-) + f(c+)]$ at a jump, since the kernel is symmetric."""
    f, c, distance = _first_jump(kernel, places, a)
    below, beyond = (sum(v * c**k for k, v in enumerate(f.coefficients[j])) for j in (0, 1))
    return agreement(mollify(f, c, KERNELS[kernel](NEAR * distance)), (below + beyond) / 2, scale=_largest(a))


@claim(
    SOURCE, FUNCTION, kind="limit", tolerance=VANISHING, expect="refuted",
    witness={"kernel": "gaussian", "points": 1, "places": np.zeros(1), "a": np.eye(4, 5, k=-1)},
    instead="mollifiers.middle_of_a_jump",
)  # fmt: skip
def value_at_a_jump(kernel: str, places: Array, a: Array) -> float:
    r"""$f * \phi \to f$ everywhere, at a jump too."""
    f, c, distance = _first_jump(kernel, places, a)
    return agreement(mollify(f, c, KERNELS[kernel](NEAR * distance)), f(c), scale=_largest(a))


@claim(SOURCE, {"kernel": ALL, "x": X, "scale": Real(1e-3, 1e3, log=True), "jumps": Numbers((3,), low=-2.0, high=2.0),
                "places": Numbers((3,), low=-3.0, high=3.0)}, infimum=0.0)  # fmt: skip
def error_of_steps(kernel: str, x: float, scale: float, jumps: Array, places: Array) -> float:
    r"""$|(f * \phi)(x) - f(x)| \le \sum_j |J_j| \Phi(-|x - c_j|)$ for steps $J_j$: it vanishes with the scale."""
    steps = _stairs(places, jumps)
    of = KERNELS[kernel](scale)
    bound = sum(
        abs(b[0] - a[0]) * of.cdf(-abs(x - c))
        for c, a, b in zip(steps.breakpoints, _full(steps)[:-1], _full(steps)[1:], strict=True)
    )
    at = 0.5 * (steps(x) + steps(math.nextafter(x, -math.inf)))  # the middle of a jump
    if not bound > 1e-2 * float(namespace(jumps).sum(abs(jumps))):
        raise Outside("hidden by rounding, beside the steps")
    return slack(abs(mollify(steps, x, of) - at), bound, scale=bound)


@claim(SOURCE, kind="behaviour")
def cauchy_refuses() -> float:
    r"""The ReLU and the Cauchy kernel are refused: the kernel has no first moment and the integral diverges."""
    try:
        mollify(RELU, 0.0, Cauchy())
    except OptionError:
        return 1.0
    return -1.0


@claim(SOURCE, {"end": Real(1.0, 1e9, log=True), "scale": SCALE}, kind="equality", tolerance=ulps(64))
def cauchy_diverges(end: float, scale: float) -> float:
    r"""The ReLU cut off at R is smoothed to $\frac{a}{2 \pi} \log(1 + R^2 / a^2) + R \, \Phi(-R)$ at 0: without bound.

    By the Cauchy kernel.
    """
    z = end / scale
    grows = scale * (math.log1p(z * z) / (2 * math.pi) + z * math.atan2(1.0, z) / math.pi)
    return agreement(mollify(_cut_off(end), 0.0, Cauchy(scale)), grows)


@claim(
    SOURCE, {"end": Real(1.0, 1e9, log=True), "scale": SCALE}, expect="refuted",
    witness={"end": 1e9, "scale": 1.0}, instead="mollifiers.cauchy_diverges",
)  # fmt: skip
def cauchy_is_bounded(end: float, scale: float) -> float:
    r"""The Cauchy kernel smooths the ReLU too: cut off at R it stays below 2a at 0, as R grows."""
    return slack(mollify(_cut_off(end), 0.0, Cauchy(scale)), 2 * scale, scale=scale)


def _cut_off(end: float) -> PiecewisePolynomial:
    return PiecewisePolynomial((0.0, end), ((), (0.0, 1.0), (end,)))


def _hinges(places: Array, weights: Array) -> PiecewisePolynomial:
    """Return the sum of ReLUs."""
    pieces = np.cumsum([np.zeros(2), *(w * np.array([-c, 1.0]) for c, w in _sorted(places, weights))], axis=0)
    return PiecewisePolynomial(tuple(c for c, _ in _sorted(places, weights)), tuple(map(tuple, pieces.tolist())))


def _stairs(places: Array, jumps: Array) -> PiecewisePolynomial:
    """Return the sum of steps."""
    pieces = np.cumsum([0.0, *(j for _, j in _sorted(places, jumps))])
    return PiecewisePolynomial(tuple(c for c, _ in _sorted(places, jumps)), tuple((v,) for v in pieces.tolist()))


def _sorted(places: Array, weights: Array) -> list[tuple[float, float]]:
    """Return places in order, each once, and the sum of its weights."""
    xp = namespace(places)
    return [(c, float(xp.sum(weights[places == c]))) for c in np.unique(host(places)).tolist()]


def _full(f: PiecewisePolynomial) -> list[tuple[float, ...]]:
    return [a or (0.0,) for a in f.coefficients]


def _first_jump(kernel: str, places: Array, a: Array) -> tuple[PiecewisePolynomial, float, float]:
    """Return a function, its first breakpoint, and how far that is from the next, at most 1."""
    f = function(kernel, places, host(a))
    c = f.breakpoints[0]
    return f, c, min([1.0, *(d - c for d in f.breakpoints[1:2])])


def _largest(a: Array) -> float:
    """Return a size of the function between and near its breakpoints."""
    return float(namespace(a).max(abs(a))) * 3.0**4 + 1.0
