"""Random projections: how far the squared norm of a Gaussian vector strays, and how many dimensions keep distances."""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Choice, Count, Element, Integer, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.sketch import gaussian_projection, jl_dimension, norm_log_bound, norm_log_tail
from arrayopt.theory import angle_density, angle_variance

SOURCE = article(22)
UNIT: dict[str, Element] = {"n": Count(1, 10**4, log=True), "eps": Real(1e-3, 0.999)}
PAIR: dict[str, Element] = {"n": Integer(1, 6), "u": Numbers(("n",)), "v": Numbers(("n",))}
DIMENSION: dict[str, Element] = {
    "bound": Choice(("article", "dasgupta_gupta", "chi2")), "points": Count(2, 10**5, log=True),
    "eps": Real(0.05, 0.9), "more": Real(1.0, 1.5),
}  # fmt: skip
TIMES = 40
POINTS = 1000
"""The seed of points: of the seed of a projection they would be its own rows, and no lemma is about those."""


@claim(SOURCE, UNIT, tolerance=1e-9, infimum=math.log(2))
def norm_tail(n: int, eps: float) -> float:
    r"""$P(|\|u\|^2 - 1| \ge \epsilon) \le 2 e^{-n \epsilon^2 / 8}$ for $u_i \sim N(0, 1/n)$ and $\epsilon < 1$.

    In logs; for one dimension and a small epsilon the probability tends to 1, the bound to 2.
    """
    return slack(norm_log_tail(n, eps), norm_log_bound(n, eps, "article"), 1.0)


@claim(SOURCE, UNIT, tolerance=1e-9, infimum=math.log(2))
def chernoff_tail(n: int, eps: float) -> float:
    """The tail is below Chernoff's bound, and that below the article's."""
    sharp = float(norm_log_bound(n, eps, "chernoff"))
    return min(
        slack(norm_log_tail(n, eps), sharp, 1.0),
        math.log(2) + slack(sharp, norm_log_bound(n, eps, "article"), 1.0),
    )


@claim(
    SOURCE, {"n": Count(1, 10**4, log=True), "eps": Real(1.63, 3.0)}, expect="refuted", tolerance=1e-9,
    witness={"n": 1000, "eps": 1.7}, instead="random_projection.norm_tail",
)  # fmt: skip
def upper_tail_far(n: int, eps: float) -> float:
    r"""The upper tail is below $e^{-n \epsilon^2 / 8}$ for every $\epsilon$: beyond 1.6238 not for large n."""
    return slack(norm_log_tail(n, eps, "upper"), -n * eps * eps / 8, 1.0)


@claim(SOURCE, {"eps": Real(1e-6, 1.6237)}, tolerance=1e-12, infimum=0.0)
def upper_exponent(eps: float) -> float:
    r"""$\log(1 + \epsilon) - \epsilon \le -\epsilon^2 / 4$ up to $\epsilon = 1.6237$."""
    return slack(math.log1p(eps) - eps, -eps * eps / 4)


@claim(
    SOURCE, {"eps": Real(1e-6, 3.0)}, expect="refuted", witness={"eps": 2.0}, tolerance=1e-12,
    instead="random_projection.upper_exponent",
)  # fmt: skip
def upper_exponent_everywhere(eps: float) -> float:
    r"""$\log(1 + \epsilon) - \epsilon \le -\epsilon^2 / 4$ for every $\epsilon > 0$."""
    return float(upper_exponent.margin(eps))


@claim(SOURCE, {"eps": Real(1e-6, 0.999)}, tolerance=1e-12, infimum=0.0)
def lower_exponent(eps: float) -> float:
    r"""$\log(1 - \epsilon) + \epsilon \le -\epsilon^2 / 2$ on $(0, 1)$, twice as good as the upper one."""
    return slack(math.log1p(-eps) + eps, -eps * eps / 2)


@claim(SOURCE, PAIR, kind="equality", tolerance=ulps(64))
def polarisation(u: Array, v: Array) -> float:
    r"""$\langle u, v \rangle = \frac12 (\|(u + v)/\sqrt2\|^2 - \|(u - v)/\sqrt2\|^2)$."""
    s, d = (u + v) / math.sqrt(2), (u - v) / math.sqrt(2)
    size = max(1.0, float(u @ u), float(v @ v))
    return agreement(float(u @ v), (float(s @ s) - float(d @ d)) / 2, size)


@claim(SOURCE, {"n": Count(1, 2000, log=True), "eps": Real(1e-3, 0.999)}, tolerance=1e-9, infimum=math.log(4))
def inner_product_tail(n: int, eps: float) -> float:
    r"""So for two such vectors $P(|\langle u, v \rangle| \ge \epsilon) \le 4 e^{-n \epsilon^2 / 8}$, by the exact law.

    Which is $E \, \mathrm{erfc}(\epsilon \sqrt{n / 2} / r)$ over the length r of one of them, by quadrature. In logs.
    """
    t, w = np.polynomial.legendre.leggauss(200)
    low, high = max(0.0, 1 - 9 / math.sqrt(n)), 1 + 9 / math.sqrt(n)
    r = low + (high - low) * (1 + t) / 2
    log_density = math.log(2) + n / 2 * math.log(n / 2) - math.lgamma(n / 2) + (n - 1) * np.log(r) - n * r * r / 2
    tails = np.array([math.erfc(min(eps * math.sqrt(n / 2) / x, 27.0)) for x in r])
    probability = (high - low) / 2 * float(np.sum(w * np.exp(log_density) * tails))
    return slack(math.log(probability) if probability else -math.inf, math.log(4) - n * eps * eps / 8, 1.0)


@claim(SOURCE, PAIR, tolerance=1e-12, infimum=0.0)
def inner_products_of_any(u: Array, v: Array) -> float:
    r"""A that keeps $\|u \pm v\|^2$ to $\epsilon$ keeps $\langle u, v \rangle$ to $\frac\epsilon2 (\|u\|^2 + \|v\|^2)$.

    Here A takes the first entry times $\sqrt n$.
    """
    off, inner, squares = _one_entry(u, v)
    return slack(inner, off * sum(squares) / 2, max(1.0, *squares))


@claim(
    f"{SOURCE}, misprint", PAIR, tolerance=1e-9, expect="refuted", instead="random_projection.inner_products_of_any",
    witness={"n": 2, "u": np.array([3.0, 3.0]), "v": np.array([3.0, -2.0])},
)  # fmt: skip
def inner_products_without_squares(u: Array, v: Array) -> float:
    r"""It keeps $\langle u, v \rangle$ to $\frac\epsilon2 (\|u\| + \|v\|)$, as printed: where these are short."""
    off, inner, squares = _one_entry(u, v)
    return slack(inner, off * sum(math.sqrt(square) for square in squares) / 2, max(1.0, *squares))


def _one_entry(u: Array, v: Array) -> tuple[float, float, tuple[float, float]]:
    """Return epsilon of root n times the first entry, how far it is from <u, v>, and the squares of u and v."""
    xp, n = namespace(u), u.shape[0]
    apart = [(n * float(x[0]) ** 2, float(xp.sum(x * x))) for x in (u + v, u - v)]
    if min(whole for _, whole in apart) < 1e-6:
        raise Outside
    inner = abs(n * float(u[0]) * float(v[0]) - float(xp.sum(u * v)))
    return max(abs(one / whole - 1) for one, whole in apart), inner, (float(xp.sum(u * u)), float(xp.sum(v * v)))


@claim(SOURCE, {"points": Count(2, 10**6, log=True), "eps": Real(0.05, 0.999)}, infimum=0.0, tolerance=1e-9)
def existence(points: int, eps: float) -> float:
    r"""With 16 in place of 24 dimensions per $\log N / \epsilon^2$ the probability of success is at least $1 / N$."""
    n = math.ceil(16 * math.log(points) / eps**2)
    pairs = math.log(points) + math.log(points - 1)
    return slack(pairs - n * eps * eps / 8, math.log1p(-1 / points), 1.0)


@claim(SOURCE, {"points": Count(2, 10**5, log=True), "eps": Real(0.05, 0.75)}, infimum=0.0, smooth=False)
def exact_law_needs_less(points: int, eps: float) -> float:
    r"""The exact law needs no more dimensions than Dasgupta's and Gupta's bound, and that no more than the article's.

    For $\epsilon \le 3/4$, where these two are one; beyond, the article's is the smaller.
    """
    exact, other, article = (jl_dimension(points, eps, bound=b) for b in ("chi2", "dasgupta_gupta", "article"))
    return min(slack(exact, other), slack(other, article))


@claim(SOURCE, DIMENSION, infimum=0.0, smooth=False)
def monotone(bound: Any, points: int, eps: float, more: float) -> float:
    """More points never need fewer dimensions, and a larger epsilon never more."""
    here = jl_dimension(points, eps, bound=bound)
    wider, others = (jl_dimension(points, min(0.95, eps * more), bound=bound),
                     jl_dimension(math.ceil(points * more), eps, bound=bound))  # fmt: skip
    return min(slack(wider, here), slack(here, others))


@claim(
    SOURCE, {"points": Count(3, 10**5, log=True), "eps": Real(0.05, 0.6)}, infimum=None, smooth=False,
    kind="equivalence",
)  # fmt: skip
def smallest(points: int, eps: float) -> float:
    """The dimension by the exact law holds the failure under 1/N, and one dimension less does not."""
    from arrayopt.sketch import jl_log_failure

    n = jl_dimension(points, eps, bound="chi2")
    goal = -math.log(points)
    enough = float(jl_log_failure(n, points, eps, "chi2")) <= goal
    return 1.0 if enough and not float(jl_log_failure(n - 1, points, eps, "chi2")) <= goal else -1.0


@claim(SOURCE, kind="probability")
def kept() -> float:
    """With the exact dimension for failure in one of 20 projections, at most 7 of 40 fail (seeds 0 to 39).

    Eight or more have a probability below one in a thousand by the binomial law.
    """
    count, eps = 20, 0.5
    n = jl_dimension(count, eps, delta=0.05, bound="chi2")
    x = np.random.default_rng(POINTS).standard_normal((count, 30))
    pairs = np.triu_indices(count, 1)
    before = _squares(x)[pairs]
    failed = 0
    for seed in range(TIMES):
        after = _squares(x @ np.asarray(gaussian_projection(n, 30, rng=seed)).T)[pairs]
        failed += bool(np.any(np.abs(after / before - 1) > eps))
    return 1.0 if failed <= 7 else -1.0


@claim(
    f"{SOURCE}, trap", {"n": Integer(1, 3), "a": Numbers(("n", 4)), "length": Real(0.1, 10.0)}, tolerance=0.0,
    expect="refuted", instead="random_projection.kept", witness={"n": 1, "a": np.ones((1, 4)), "length": 1.0},
)  # fmt: skip
def kept_whatever_the_points(a: Array, length: float) -> float:
    """A projection keeps distances to 0.9 even of points chosen with regard to it: not of those it maps to one."""
    lost = length * namespace(a).linalg.svd(a)[2][-1, :]
    before, after = float(namespace(a).sum(lost**2)), float(namespace(a).sum((a @ lost) ** 2))
    return slack(abs(after - before), 0.9 * before, before)


@claim(SOURCE, kind="probability")
def inner_products() -> float:
    """Of 50 unit vectors and 400 dimensions the largest error of an inner product is 0.173 on average, to 0.01.

    Over 100 projections; it is within 0.3, which by the article needs 1,044.
    """
    v = np.random.default_rng(POINTS).standard_normal((50, 500))
    v = v / np.linalg.norm(v, axis=1)[:, None]
    pairs, errors = np.triu_indices(50, 1), []
    for seed in range(100):
        after = v @ np.asarray(gaussian_projection(400, 500, rng=seed)).T
        errors.append(float(np.abs((after @ after.T - v @ v.T)[pairs]).max()))
    return min(0.01 - abs(float(np.mean(errors)) - 0.173), 0.3 - max(errors))


@claim(SOURCE, {"n": Count(3, 500)}, tolerance=1e-9, infimum=0.0)
def angle_spread(n: int) -> float:
    r"""The variance of the angle between random directions is at most $1/(n-1)$, and within $1/n^3$ of it."""
    apart = 1 / (n - 1) - float(angle_variance(n))
    return min(slack(0.0, apart, 1.0), slack(apart, 1 / n**3, 1.0))


@claim(SOURCE, {"n": Integer(2, 60)}, kind="equality", tolerance=1e-12)
def angle_law(n: int) -> float:
    """The density of the angle integrates to 1, and its variance is the one in closed form."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    theta = math.pi / 2 * (1 + nodes)
    mass = math.pi / 2 * weights * np.asarray(angle_density(theta, n))
    variance = float(np.sum(mass * (theta - math.pi / 2) ** 2))
    return min(agreement(float(mass.sum()), 1.0), agreement(variance, float(angle_variance(n))))


@claim("archive 7076", {"theta": Real(0.0, math.pi)}, kind="equality", tolerance=1e-14)
def uniform_angle(theta: float) -> float:
    r"""In two dimensions the angle is uniform, $1/\pi$; in three the cosine: the angle has $\frac12 \sin\theta$."""
    return agreement([float(angle_density(theta, n)) for n in (2, 3)], [1 / math.pi, math.sin(theta) / 2], 1.0)


def _end() -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda x: math.log1p(x) - x + x * x / 4, 1.0, 2.0, xtol=1e-12))


def _squares(x: Array) -> Array:
    norms = namespace(x).sum(x * x, axis=1)
    return norms[:, None] + norms[None, :] - 2 * x @ x.T


KNOWN = (
    *(
        Known(f"random_projection.dimension_{bound}_{points}_{eps}",
              f"dimensions for {points} points, epsilon = {eps}, by the bound '{bound}'", SOURCE, printed,
              lambda bound=bound, points=points, eps=eps: jl_dimension(points, eps, bound=bound))  # type: ignore[misc]
        for bound, points, eps, printed in (
            ("chi2", 100, 0.1, "4597"), ("chi2", 100, 0.3, "560"), ("chi2", 100, 0.5, "222"),
            ("chi2", 1000, 0.1, "7403"), ("chi2", 1000, 0.3, "916"), ("chi2", 1000, 0.5, "364"),
            ("article", 100, 0.1, "11053"), ("article", 100, 0.3, "1229"), ("article", 100, 0.5, "443"),
            ("article", 1000, 0.1, "16579"), ("article", 1000, 0.3, "1843"), ("article", 1000, 0.5, "664"),
        )
    ),
    Known("random_projection.inner_products_50_0.3", "dimensions for the inner products of 50 points, epsilon = 0.3",
          SOURCE, "1044", lambda: jl_dimension(50, 0.3)),
    Known("random_projection.end", "The end of $\\log(1 + \\epsilon) - \\epsilon \\le -\\epsilon^2 / 4$", SOURCE,
          "1.62377", _end),
    *(
        Known(f"random_projection.upper_tail_{n}_{eps}", f"log of the upper tail for n = {n}, epsilon = {eps}", SOURCE,
              printed, lambda n=n, eps=eps: float(norm_log_tail(n, eps, "upper")))  # type: ignore[misc]
        for n, eps, printed in ((100, 2.0, "-48.65"), (1000, 1.7, "-357.93"))
    ),
    *(
        Known(f"random_projection.angle_variance_{n}", f"the variance of the angle in {n} dimensions", "archive 7076",
              printed, lambda n=n: float(angle_variance(n)))  # type: ignore[misc]
        for n, printed in ((3, ".467401"), (10, ".110661"), (20, ".0525832"), (100, ".0101007"), (200, ".00502508"),
                           (1000, ".001001"))
    ),
)  # fmt: skip
"""Numbers that the articles, or notes on them, print."""
