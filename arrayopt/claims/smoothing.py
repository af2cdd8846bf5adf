"""What claims about smoothing share: kernels by name, functions to smooth, and quadrature that knows no closed form."""

import math

import numpy as np

from arrayopt.claims.claim import Outside
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real
from arrayopt.smooth import Cauchy, Gaussian, Kernel, Logistic, PiecewisePolynomial, StudentT2

KERNELS: dict[str, type[Kernel]] = {
    "gaussian": Gaussian, "logistic": Logistic, "student": StudentT2, "cauchy": Cauchy,
}  # fmt: skip
ALL = Choice(tuple(KERNELS))
RAMPS = Choice(("gaussian", "logistic", "student"))
"""Those with a first moment, so that they smooth the ReLU."""
MOST = 4
"""The greatest degree of a piece."""
SCALE = Real(0.1, 2.0, log=True)
FUNCTION: dict[str, Element] = {
    "kernel": ALL, "points": Integer(1, 3), "places": Numbers(("points",), low=-3.0, high=3.0),
    "a": Numbers((4, MOST + 1), low=-3.0, high=3.0),
}  # fmt: skip
"""A kernel and what `function` makes a piecewise polynomial of."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
FURTHEST = 45.0
"""In units of the scale: the Gaussian and logistic densities beyond are below 1e-19."""


def function(kernel: str, places: np.ndarray, a: np.ndarray) -> PiecewisePolynomial:
    """Return a piecewise polynomial that a kernel has the moments for: at both ends of a degree that is low enough."""
    points = np.unique(np.asarray(places)).tolist()
    top = int(min(MOST, KERNELS[kernel].order))
    degrees = [top, *(MOST for _ in points[1:]), top]
    return PiecewisePolynomial(
        tuple(points), tuple(tuple(r[: d + 1]) for r, d in zip(a.tolist(), degrees, strict=False))
    )


def positive(f: PiecewisePolynomial) -> PiecewisePolynomial:
    """Return f with moduli of coefficients: at moduli, what the rounding of f is in proportion to."""
    return PiecewisePolynomial(f.breakpoints, tuple(tuple(map(abs, c)) for c in f.coefficients))


def apart(x: float, f: PiecewisePolynomial) -> float:
    """Return the distance of x from the nearest breakpoint."""
    distance = min(abs(x - c) for c in f.breakpoints)
    if distance == 0:
        raise Outside("a breakpoint")
    return distance


def quadrature(f: PiecewisePolynomial, x: float, kernel: Kernel) -> tuple[float, float]:
    """Return f * phi at x by Gauss and Legendre's rule, and the size of what is added up.

    On panels that end at breakpoints; for heavy tails in the angle of which z is the tangent. The densities are written
    out here.
    """
    s = kernel.scale
    cuts = (x - np.asarray(f.breakpoints)) / s
    heavy = isinstance(kernel, (Cauchy, StudentT2))
    end, panels = (math.pi / 2, 24) if heavy else (FURTHEST, 90)
    cuts = np.arctan(cuts) if heavy else cuts
    knots = np.unique(np.clip(np.concatenate([np.linspace(-end, end, panels + 1), cuts]), -end, end))
    half, middle = np.diff(knots) / 2, (knots[1:] + knots[:-1]) / 2
    t = middle[:, None] + half[:, None] * NODES
    z, density = np.tan(t) if heavy else t, np.exp(-np.abs(t))
    if isinstance(kernel, Cauchy):
        density = np.full_like(t, 1 / math.pi)
    elif isinstance(kernel, StudentT2):
        density = np.cos(t) / 2
    elif isinstance(kernel, Gaussian):
        density = np.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    else:
        density = density / (1 + density) ** 2
    y, mass = x - s * z, density * half[:, None] * WEIGHTS
    # each panel is within a piece: of its middle, for its ends round to either side
    piece = np.searchsorted(np.asarray(f.breakpoints), x - s * (np.tan(middle) if heavy else middle), side="right")
    width = max(map(len, f.coefficients), default=0)
    a = np.array([[*c, *(0.0,) * (width - len(c))] for c in f.coefficients])[piece]
    values, sizes = np.zeros_like(y), np.zeros_like(y)
    for k in reversed(range(width)):
        values = values * y + a[:, k, None]
        sizes = sizes * np.abs(y) + np.abs(a[:, k, None])
    return math.fsum((values * mass).ravel()), math.fsum((sizes * mass).ravel())
