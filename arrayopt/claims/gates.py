"""The identity times a smoothed step: Swish and GELU are neither convex nor above the ReLU, unlike convolutions."""

import math
from typing import Any

from arrayopt.backend import Array
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import DTYPES, Element, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.smoothing import ALL, KERNELS, RAMPS
from arrayopt.claims.sources import article
from arrayopt.smooth import (
    STEP,
    Gaussian,
    Logistic,
    gate_minimum,
    gated,
    gaussian_relu,
    gelu,
    mollify,
    softplus,
    swish,
)

SOURCE = article(21)
ROUNDING = ulps(16)
SCALE = Real(1e-2, 1e2, log=True)
POINT = Numbers((1,), spread=1.0, dtype="dtype")
UNITS: dict[str, Element] = {"dtype": DTYPES, "z": POINT, "scale": SCALE}
"""A point in units of the scale."""
SEGMENT: dict[str, Element] = {"x": Real(-6.0, 6.0), "y": Real(-6.0, 6.0)}
"""Ends of a segment."""


def _middle(gate: Any, x: float, y: float) -> float:
    """Return the margin of convexity at the middle of a segment."""
    return slack(gate((x + y) / 2), (gate(x) + gate(y)) / 2)


@claim(SOURCE, {"kernel": ALL, **UNITS}, kind="equality", tolerance=ROUNDING, portable=False)
def product(kernel: str, z: Array, scale: float) -> float:
    r"""$x \, \sigma(tx)$ and GELU are x times the step convolved with a kernel, the logistic and the Gaussian one."""
    x, of = z * scale, KERNELS[kernel](scale)
    gate = swish(x, scale) if kernel == "logistic" else gelu(x, scale) if kernel == "gaussian" else gated(x, of)
    return agreement(gate, x * mollify(STEP, x, of), scale=scale + abs(float(x[0])))


@claim(SOURCE, UNITS, kind="equality", tolerance=ROUNDING, portable=False)
def gelu_by_erf(z: Array, scale: float) -> float:
    r"""$\mathrm{GELU}(x) = \frac12 x [1 + \mathrm{erf}(x / \sqrt2 \sigma)]$."""
    x = z * scale
    expected = float(x[0]) * (1 + math.erf(float(x[0]) / scale / math.sqrt(2))) / 2
    return agreement(gelu(x, scale)[0], expected, scale=scale + abs(float(x[0])))


@claim(SOURCE, UNITS, kind="equality", tolerance=ROUNDING)
def swish_difference(z: Array, scale: float) -> float:
    r"""$x \sigma(tx) - (-x) \sigma(-tx) = x$: what is below the ReLU is even."""
    x = z * scale
    return agreement(swish(x, scale) - swish(-x, scale), x, scale=scale + abs(float(x[0])))


@claim(SOURCE, UNITS, kind="equality", tolerance=ulps(32))
def entropy(z: Array, scale: float) -> float:
    r"""Softplus is Swish plus the entropy of $\sigma(tx)$ over t (sections 10 and 21: where Gibbs' bound is sharp)."""
    x, v = z * scale, abs(float(z[0]))
    q = math.exp(-v) / (1 + math.exp(-v))
    bits = -(q * math.log(q) + (1 - q) * math.log1p(-q))
    return agreement(softplus(x, scale)[0] - swish(x, scale)[0], scale * bits, scale=scale + abs(float(x[0])))


@claim(SOURCE, UNITS, kind="equality", tolerance=ROUNDING, portable=False)
def density(z: Array, scale: float) -> float:
    r"""The Gaussian ReLU is GELU plus $\sigma^2$ times the density."""
    x = z * scale
    between = scale * scale * Gaussian(scale).density(float(x[0]))
    return agreement(gaussian_relu(x, scale) - gelu(x, scale), [between], scale=scale + abs(float(x[0])))


@claim(SOURCE, {"kernel": ALL, **UNITS}, tolerance=ROUNDING, infimum=0.0, portable=False)
def below_relu(kernel: str, z: Array, scale: float) -> float:
    r"""$x \, \Phi(x) \le \max(x, 0)$, with equality at 0: below the ReLU, not above."""
    x = z * scale
    return slack(gated(x, KERNELS[kernel](scale))[0], max(float(x[0]), 0.0), scale=scale + abs(float(x[0])))


@claim(SOURCE, {"kernel": RAMPS, **UNITS}, tolerance=ROUNDING, infimum=0.0, portable=False)
def least(kernel: str, z: Array, scale: float) -> float:
    r"""$x \, \Phi(x)$ is nowhere below its minimum, proportional to the scale: -0.278 for Swish, -0.170 for GELU."""
    of = KERNELS[kernel](scale)
    return slack(gate_minimum(of).value, gated(z * scale, of)[0], scale=scale)


@claim(SOURCE, {"kernel": RAMPS, **UNITS}, tolerance=ulps(128), infimum=0.0, portable=False)
def greatest_gap(kernel: str, z: Array, scale: float) -> float:
    r"""$x \, \Phi(x)$ is at most minus its minimum below the ReLU, on either side of 0."""
    x, of = z * scale, KERNELS[kernel](scale)
    gap = max(float(x[0]), 0.0) - float(gated(x, of)[0])
    return slack(gap, -gate_minimum(of).value, scale=scale)


@claim(SOURCE, {"z": Real(-40.0, 40.0), "scale": SCALE}, tolerance=1e-14, infimum=0.0)
def cauchy_limit(z: float, scale: float) -> float:
    r"""For the Cauchy kernel $x \, \Phi(x) \ge -a / \pi$, its limit far below 0: no minimum."""
    return slack(-1 / math.pi, gated(math.sinh(z) * scale, KERNELS["cauchy"](scale)) / scale)


@claim(SOURCE, SEGMENT, expect="refuted", witness={"x": -6.0, "y": -2.0}, instead="mollifiers.convex")
def swish_is_convex(x: float, y: float) -> float:
    r"""Swish is convex: it is a product, not a convolution."""
    return _middle(swish, x, y)


@claim(SOURCE, SEGMENT, expect="refuted", witness={"x": -4.0, "y": -2.0}, instead="mollifiers.convex")
def gelu_is_convex(x: float, y: float) -> float:
    r"""GELU is convex: it is a product, not a convolution."""
    return _middle(gelu, x, y)


@claim(SOURCE, {"x": Real(-6.0, 6.0)}, expect="refuted", witness={"x": -1.278464543}, instead="gates.below_relu")
def swish_is_above_relu(x: float) -> float:
    r"""Swish is above the ReLU, as softplus is."""
    return slack(max(x, 0.0), swish(x))


@claim(SOURCE, {"x": Real(-6.0, 6.0)}, expect="refuted", witness={"x": -0.7517915}, instead="gates.below_relu")
def gelu_is_above_relu(x: float) -> float:
    r"""GELU is above the ReLU, as the Gaussian ReLU is."""
    return slack(max(x, 0.0), gelu(x))


KNOWN = (
    Known("gates.swish_minimum", "The least value of Swish", SOURCE, "-0.278464543",
          lambda: gate_minimum(Logistic()).value),
    Known("gates.gelu_minimum", "The least value of GELU", SOURCE, "-0.169971207",
          lambda: gate_minimum(Gaussian()).value),
)  # fmt: skip
