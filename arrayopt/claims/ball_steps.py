"""Optimisation as sampling, to first order: the mean step on a ball and on a sphere, and the ratio of Bessel functions.

Throughout, k is the concentration: the radius times the length of the gradient, over the temperature.
"""

import functools
import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Count, Element, Integer, Numbers, Real
from arrayopt.claims.margins import agreement, norm, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away
from arrayopt.firstorder import SGD
from arrayopt.problems.problem import like
from arrayopt.sampling import BallStep, ball_log_mean, ball_log_partition, bessel_ratio
from arrayopt.sampling.bessel import Domain

SOURCE = article(3)
DERIVED = f"{SOURCE}, derived"
AMOS = "Amos, Computation of modified Bessel functions and their ratios, 1974"
DOMAIN = Choice(("ball", "sphere"))
N = Count(1, 10**6, log=True)
K = Real(1e-3, 1e4, log=True)
MANY, ANY = Count(1, 10**7, log=True), Real(1e-12, 1e8, log=True)
G: dict[str, Element] = {"n": Integer(1, 6), "g": Numbers(("n",)), "radius": Real(0.05, 5.0, log=True)}


@claim(
    SOURCE, {"domain": DOMAIN, "n": Integer(2, 12), "k": Real(0.1, 30.0, log=True)}, kind="equality", tolerance=1e-12,
    portable=False,
)  # fmt: skip
def mean(domain: Domain, n: int, k: float) -> float:
    r"""The mean of $e^{-\langle g, d \rangle / \alpha}$ has the length $r(k)$ on the unit ball, by quadrature.

    On the ball $r = I_{n/2+1} / I_{n/2}$ at $k = \epsilon \|g\| / \alpha$, on the sphere $I_{n/2} / I_{n/2-1}$.
    """
    u, w = _along(n, domain)
    mass = w * np.exp(k * (u - 1))
    return agreement(bessel_ratio(n, k, domain), np.sum(mass * u) / np.sum(mass))


@claim(
    SOURCE, {"domain": DOMAIN, "g": Numbers((2,), low=-2.0, high=2.0), "k": Real(0.1, 20.0, log=True)},
    kind="equality", tolerance=1e-12,
)  # fmt: skip
def plane(domain: Domain, g: Array, k: float) -> float:
    r"""In the plane that mean is $-\epsilon r(k) g / \|g\|$, by quadrature over the whole disc, or circle."""
    xp, g, radius = namespace(g), away(g), 0.8
    alpha = radius * norm(g) / k
    angle = 2 * np.pi * np.arange(96) / 96
    x, w = np.polynomial.legendre.leggauss(32)
    radii, w = ((x + 1) / 2 * radius, w * (x + 1)) if domain == "ball" else (np.array([radius]), np.ones(1))
    d = like(g, radii[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    p = like(g, w)[:, None] * xp.exp(-(d @ g + radius * norm(g)) / alpha)
    found = xp.sum(p[..., None] * d, axis=(0, 1)) / xp.sum(p)
    return agreement(_step(g, alpha, radius, domain), found)


@claim(DERIVED, {"n": MANY, "k": ANY}, tolerance=ulps(8), infimum=0.0)
def within(n: int, k: float) -> float:
    """The mean step is shorter than the radius, and not zero: the ratio is in (0, 1)."""
    r = bessel_ratio(n, k)
    return min(slack(0.0, r, r), slack(r, 1.0)) if r > 0 else -1.0


@claim(SOURCE, {"domain": DOMAIN, "n": N, "k": K, "more": Real(1.0, 10.0)}, tolerance=ulps(16), infimum=0.0)
def increasing(domain: Domain, n: int, k: float, more: float) -> float:
    """The ratio increases with k: a step grows with the gradient, and with less heat."""
    r = bessel_ratio(n, k * more, domain)
    return slack(bessel_ratio(n, k, domain), r, r)


@claim(DERIVED, {"domain": DOMAIN, "n": N, "k": K}, tolerance=ulps(16), infimum=0.0, smooth=False)
def falls_with_dimension(domain: Domain, n: int, k: float) -> float:
    """The ratio falls with the dimension."""
    r = bessel_ratio(n, k, domain)
    return slack(bessel_ratio(n + 1, k, domain), r, r)


@claim(AMOS, {"n": MANY, "k": ANY}, tolerance=ulps(8), infimum=0.0)
def amos(n: int, k: float) -> float:
    r"""$\frac{k}{\nu + 1 + \sqrt{(\nu+1)^2 + k^2}} \le r(k) \le \frac{k}{\nu + \sqrt{(\nu+2)^2 + k^2}}$, $2\nu = n$.

    Both are equal to it in the limits of small and of large k.
    """
    r, nu = bessel_ratio(n, k), n / 2
    return min(slack(k / (nu + 1 + math.hypot(nu + 1, k)), r, r), slack(r, k / (nu + math.hypot(nu + 2, k)), r))


@claim(DERIVED, {"n": MANY, "k": ANY}, kind="equality", tolerance=ulps(4))
def sphere_is_two_dimensions_up(n: int, k: float) -> float:
    r"""On the sphere the order drops by one: of n + 2 dimensions it is the ratio of the ball of n."""
    return agreement(bessel_ratio(n + 2, k, "sphere"), bessel_ratio(n, k))


@claim(
    DERIVED, {"n": Count(1, 100, log=True), "k": K}, kind="equality", tolerance=1e-9, expect="refuted",
    witness={"n": 2, "k": 1.0}, instead="ball_steps.sphere_is_two_dimensions_up",
)  # fmt: skip
def sphere_is_the_ball(n: int, k: float) -> float:
    """The mean on the sphere of von Mises and Fisher is that on the ball."""
    return agreement(bessel_ratio(n, k, "sphere"), bessel_ratio(n, k))


@claim(DERIVED, {"k": Real(2.0, 300.0, log=True)}, kind="equality", tolerance=ulps(64))
def closed_forms(k: float) -> float:
    r"""For n = 1, $r = \coth k - 1/k$; for n = 3, $\frac{(1 + 3/k^2) \tanh k - 3/k}{1 - \tanh(k) / k}$.

    On the sphere, $\tanh k$ for n = 1, and $\coth k - 1/k$ for n = 3.
    """
    t = math.tanh(k)
    return min(
        agreement(bessel_ratio(1, k), 1 / t - 1 / k),
        agreement(bessel_ratio(3, k), ((1 + 3 / k**2) * t - 3 / k) / (1 - t / k)),
        agreement(bessel_ratio(1, k, "sphere"), t),
        agreement(bessel_ratio(3, k, "sphere"), 1 / t - 1 / k),
    )


@claim(SOURCE, {"domain": DOMAIN, **G, "k": Real(0.1, 100.0, log=True)}, kind="limit", tolerance=1e-10, infimum=0.0)
def hot(domain: Domain, n: int, g: Array, radius: float, k: float) -> float:
    r"""Hot, it is gradient descent with the rate $\epsilon^2 / (\alpha (n+2))$.

    It is shorter, by at most $k^2 / ((n+2)(n+4))$ of it. On the sphere the rate is $\epsilon^2 / (\alpha n)$, and what
    it is short of $k^2 / (n (n+2))$.
    """
    g, less = away(g), n + 2 if domain == "ball" else n
    alpha = radius * norm(g) / k
    rule, zero = SGD(lr=radius**2 / (alpha * less)), 0 * g
    descent, _ = rule.update(g, rule.init(zero), zero)
    left, most = norm(_step(g, alpha, radius, domain) - descent) / norm(descent), k * k / (less * (less + 2))
    return slack(left, most, most)


@claim(SOURCE, {**G, "k": Real(1e-2, 1e6, log=True)}, kind="limit", tolerance=1e-9, infimum=0.0)
def cold(n: int, g: Array, radius: float, k: float) -> float:
    r"""Cold, it is a step of the length $\epsilon$ along $-g$, whatever the gradient.

    It is shorter by at most $(n+1) / (2k)$ of it.
    """
    g = away(g)
    left = norm(_step(g, radius * norm(g) / k, radius) + radius / norm(g) * g) / radius
    most = (n + 1) / (2 * k)
    return slack(left, most, most)


@claim(
    DERIVED, {"domain": DOMAIN, "n": Integer(2, 40), "k": Real(0.1, 100.0, log=True), "radius": Real(0.1, 10.0)},
    kind="equality", tolerance=ulps(512), portable=False,
)  # fmt: skip
def partition(domain: Domain, n: int, k: float, radius: float) -> float:
    r"""$Z = \int e^{-\langle g, d \rangle / \alpha} \mathrm{d}d = (2\pi)^{n/2} \epsilon^n k^{-n/2} I_{n/2}(k)$.

    In logarithms, over the ball, and by quadrature; over the sphere
    $(2\pi)^{n/2} \epsilon^{n-1} k^{1-n/2} I_{n/2-1}(k)$.
    """
    from scipy.special import ive

    u, w = _along(n, domain)
    slices = 0.5 * (n - 1) * math.log(math.pi)  # of the ball they are balls of n - 1 dimensions, of the sphere spheres
    if domain == "ball":
        slices, power, nu = slices - math.lgamma((n + 1) / 2), n, n / 2
    else:
        slices, power, nu = slices + math.log(2) - math.lgamma((n - 1) / 2), n - 1, n / 2 - 1
    by_quadrature = slices + power * math.log(radius) + k + math.log(np.sum(w * np.exp(k * (u - 1))))
    stated = n / 2 * math.log(2 * math.pi) - nu * math.log(k) + power * math.log(radius) + k + math.log(ive(nu, k))
    found, scale = ball_log_partition(n, k, radius, domain), n * (abs(math.log(radius)) + 5) + k
    return min(agreement(found, stated, scale), agreement(found, by_quadrature, scale))


SEGMENT: dict[str, Element] = {
    "domain": DOMAIN, "n": Integer(1, 3), "g": Numbers(("n",), low=-1.0, high=1.0),
    "h": Numbers(("n",), low=-1.0, high=1.0), "alpha": Real(0.5, 20.0, log=True),
}  # fmt: skip


@claim(SOURCE, SEGMENT, kind="equality", tolerance=1e-12)
def slope(domain: Domain, n: int, g: Array, h: Array, alpha: float) -> float:
    r"""The mean step is $-\alpha \nabla_g \log Z$: by its integral from one g to another."""
    return _slope(domain, n, g, h, alpha, alpha)


@claim(
    SOURCE, SEGMENT, kind="equality", tolerance=1e-6, expect="refuted", instead="ball_steps.slope",
    witness={"domain": "ball", "n": 2, "g": np.array([0.6, -1.0]), "h": np.array([1.0, 0.5]), "alpha": 0.6},
)  # fmt: skip
def slope_without_alpha(domain: Domain, n: int, g: Array, h: Array, alpha: float) -> float:
    r"""The mean step is $-\nabla_g \log Z$, as the article has it: right for $\alpha = 1$ only."""
    return _slope(domain, n, g, h, alpha, 1.0)


def _tolerated(instance: Any) -> float:
    """Of a recursion that forgets a rounding after some sqrt(k) terms."""
    return 2e-15 + 4.5e-16 * math.sqrt(float(instance["k"]))


@claim(AMOS, {"n": Count(1, 10**4, log=True), "k": K}, kind="equality", tolerance=_tolerated, smooth=False)
def continued_fraction(n: int, k: float) -> float:
    r"""$r_\nu = k / (2 (\nu + 1) + k r_{\nu+1})$, of some $7 \sqrt k$ terms, is the ratio."""
    return agreement(_fraction(n, k, 10 + math.ceil(7 * math.sqrt(k))), bessel_ratio(n, k))


@claim(
    DERIVED, {"n": Count(1, 10**4, log=True), "k": Real(1.0, 1e8, log=True)}, kind="equality", tolerance=1e-10,
    expect="refuted", witness={"n": 2, "k": 1e8}, instead="ball_steps.continued_fraction", smooth=False,
)  # fmt: skip
def fixed_terms(n: int, k: float) -> float:
    """2,000 terms are enough for every k."""
    return agreement(_fraction(n, k, 2000), bessel_ratio(n, k))


@claim(
    DERIVED, {"n": Count(1, 1000, log=True), "factor": Real(1.0, 100.0, log=True)}, kind="equality", tolerance=1e-12,
    expect="refuted", witness={"n": 200, "factor": 1.1}, instead="ball_steps.amos",
)  # fmt: skip
def hankel(n: int, factor: float) -> float:
    r"""$1 - \frac{2\nu+1}{2k} + \frac{4\nu^2-1}{8k^2}$ is enough for $k > 10^4$ and $k > \nu^2$."""
    k = factor * max(1e4, n * n / 4)
    return agreement(1 - (n + 1) / (2 * k) + (n * n - 1) / (8 * k * k), bessel_ratio(n, k))


@claim(DERIVED, kind="behaviour", portable=False)
def quotient() -> float:
    """The quotient of scaled Bessel functions is no number in many dimensions, where the ratio is one."""
    from scipy.special import ive

    naive = ive([101, 501], [1e-3, 1.0]) / ive([100, 500], [1e-3, 1.0])
    ratio = bessel_ratio(np.asarray([200.0, 1000.0]), np.asarray([1e-3, 1.0]))
    return 1.0 if np.isnan(naive).all() and np.all(ratio > 0) else -1.0


def _step(g: Array, alpha: float, radius: float, domain: Domain = "ball") -> Array:
    rule, zero = BallStep(alpha=alpha, radius=radius, domain=domain), 0 * g
    return rule.update(g, rule.init(zero), zero)[0]


def _slope(domain: Domain, n: int, g: Array, h: Array, alpha: float, factor: float) -> float:
    """Compare the integral of the step along a segment with the change of log Z times -factor."""
    radius = 0.5
    t, w = np.polynomial.legendre.leggauss(16)
    path = sum(
        float(b) / 2 * float((h - g) @ _step(g + (1 + float(a)) / 2 * (h - g), alpha, radius, domain))
        for a, b in zip(t, w, strict=True)
    )
    ends = [ball_log_mean(n, radius * norm(x) / alpha, domain) for x in (g, h)]
    return agreement(path, -factor * (ends[1] - ends[0]), scale=radius * (norm(g) + norm(h)) or 1.0)


def _fraction(n: int, k: float, terms: int) -> float:
    top = n / 2 + terms + 1
    r = k / (top + math.hypot(top, k))
    for j in reversed(range(terms)):
        r = k / (n + 2 * j + 2 + k * r)
    return r


@functools.cache
def _along(n: int, domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights for the first coordinate of what is uniform in the ball, or on the sphere."""
    from scipy.special import roots_jacobi

    a = (n - 1) / 2 if domain == "ball" else (n - 3) / 2
    u, w = roots_jacobi(96, a, a)
    return np.asarray(u), np.asarray(w)
