"""Free energies of the sampling view: between the least value and the mean, by temperature."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Probability, Real
from arrayopt.claims.margins import agreement, norm, slack, ulps
from arrayopt.claims.sampling_view import DERIVED, GRID, PRIOR, on_a_grid
from arrayopt.claims.walks import away
from arrayopt.problems.problem import like
from arrayopt.sampling import (
    empirical_free_energy,
    gaussian_step,
    linear_on_ball,
    linear_under_gaussian,
    quadratic_under_gaussian,
)
from arrayopt.sampling.bessel import Domain

VALUES: dict[str, Element] = {
    "n": Integer(2, 6), "f": Numbers(("n",), low=-1.0, high=1.0), "alpha": Real(1e-2, 1e2, log=True),
}  # fmt: skip


@claim(DERIVED, {**VALUES, "p": Probability("n"), "more": Real(1.0, 10.0)}, tolerance=ulps(64), infimum=0.0)
def increases(f: Array, alpha: float, p: Array, more: float) -> float:
    r"""$F(\alpha) = -\alpha \log E e^{-l / \alpha}$ increases with $\alpha$."""
    return slack(empirical_free_energy(f, alpha, p), empirical_free_energy(f, alpha * more, p))


@claim(DERIVED, VALUES, kind="limit", tolerance=ulps(512), infimum=0.0)
def cold(n: int, f: Array, alpha: float) -> float:
    r"""$\min l \le F \le \min l + \alpha \log n$, for n values alike: as $\alpha \to 0$ it is the least."""
    xp, found = namespace(f), float(empirical_free_energy(f, alpha))
    least, scale = float(xp.min(f)), alpha * math.log(n)
    return min(slack(least, found, scale), slack(found, least + scale, scale))


@claim(DERIVED, {**VALUES, "p": Probability("n")}, kind="limit", tolerance=1e-11, infimum=0.0)
def hot(f: Array, alpha: float, p: Array) -> float:
    r"""$E l - \frac{1}{8 \alpha} (\max l - \min l)^2 \le F \le E l$: as $\alpha \to \infty$ it is the mean."""
    xp = namespace(f, p)
    span = float(xp.max(f) - xp.min(f))
    if span < 1e-3:
        raise Outside
    f = (f - xp.min(f)) / span
    under, most = float(xp.sum(p * f) - empirical_free_energy(f, alpha, p)), 1 / (8 * alpha)
    return min(slack(0.0, under, most), slack(under, most, most))


@claim(
    DERIVED, {"domain": Choice(("ball", "sphere")), "n": Integer(1, 6), "g": Numbers(("n",)),
            "radius": Real(0.1, 2.0), "k": Real(1e-2, 1e4, log=True), "more": Real(1.0, 3.0)},
    tolerance=ulps(64), infimum=0.0,
)  # fmt: skip
def of_linear_on_ball(domain: Domain, n: int, g: Array, radius: float, k: float, more: float) -> float:
    r"""Of a linear l on the ball it increases with $\alpha$ from $-\epsilon \|g\|$ to 0."""
    f = _of_linear(domain, g, radius, k)
    later = _of_linear(domain, g, radius, k / more)
    return min(slack(-1.0, f, 1.0), slack(f, later, 1.0), slack(later, 0.0, 1.0))


@claim(
    DERIVED, {"domain": Choice(("ball", "sphere")), "n": Integer(1, 6), "g": Numbers(("n",)),
            "radius": Real(0.1, 2.0), "k": Real(1e-2, 1e2, log=True)},
    kind="limit", tolerance=1e-10, infimum=0.0,
)  # fmt: skip
def of_linear_when_hot(domain: Domain, n: int, g: Array, radius: float, k: float) -> float:
    r"""It is at least $-\frac{1}{2 \alpha} \operatorname{var} l$, with the variance $\epsilon^2 \|g\|^2 / (n + 2)$.

    On the sphere with $\epsilon^2 \|g\|^2 / n$.
    """
    most = k / (2 * (n + 2 if domain == "ball" else n))
    return slack(-_of_linear(domain, g, radius, k), most, most)


@claim(DERIVED, PRIOR, kind="equality", tolerance=GRID)
def of_quadratic(g: Array, H: Array, alpha: float, damping: float) -> float:
    r"""Of a quadratic l under $N(0, \sigma^2 I)$ the free energy is as follows, by the trapezoid rule.

    $\frac\alpha2 \log \det(I + H / \lambda) - \frac12 g' (H + \lambda I)^{-1} g$ with $\lambda = \alpha / \sigma^2$.
    For H = 0: $-\sigma^2 \|g\|^2 / (2 \alpha)$.
    """
    xp, margins = namespace(g, H), []
    for B in (H, 0 * H):
        sigma, A = math.sqrt(alpha / damping), B + damping * like(H, np.eye(2))
        log_mass, _, _ = on_a_grid(g, B, alpha, damping, 0 * g, -xp.linalg.solve(A, g))
        by_grid = -alpha * (log_mass - math.log(2 * math.pi * sigma**2))
        stated = alpha / 2 * math.log(xp.linalg.det(A / damping)) - g @ xp.linalg.solve(A, g) / 2
        size = abs(stated) + 10 * alpha
        found = [quadratic_under_gaussian(g, B, alpha, sigma)] + (
            [] if B is H else [linear_under_gaussian(g, alpha, sigma)]
        )
        margins += [agreement(x, stated, size) for x in (by_grid, *found)]
    return min(margins)


@claim(DERIVED, {**PRIOR, "h": Numbers((2,), low=-2.0, high=2.0)}, kind="equality", tolerance=1e-13)
def slope(g: Array, H: Array, alpha: float, damping: float, h: Array) -> float:
    r"""The mean step is the slope of the free energy by g.

    As it is linear in g, $F(h) - F(g)$ is its value halfway times $h - g$.
    """
    sigma = math.sqrt(alpha / damping)
    ends = [float(quadratic_under_gaussian(x, H, alpha, sigma)) for x in (g, h)]
    halfway = gaussian_step((g + h) / 2, H, alpha, sigma).mean
    return agreement(ends[1] - ends[0], float((h - g) @ halfway), scale=10 + 4 * alpha)


def _of_linear(domain: Domain, g: Array, radius: float, k: float) -> float:
    """Return the free energy over the radius times the length of g, at a concentration."""
    g = away(g)
    scale = radius * norm(g)
    return float(linear_on_ball(g, scale / k, radius, domain)) / scale
