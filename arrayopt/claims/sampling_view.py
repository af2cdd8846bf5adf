"""Optimisation as sampling, to second order: Newton and Levenberg-Marquardt as means of Gaussians; free energies."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Element, Integer, Numbers, Real, Symmetric
from arrayopt.claims.margins import agreement, norm, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away
from arrayopt.errors import OptionError
from arrayopt.problems.problem import like
from arrayopt.sampling import (
    BallStep,
    gaussian_step,
    quadratic_log_partition,
    tempered_weights,
    weighted_mean,
)

SOURCE = article(3)
DERIVED = f"{SOURCE}, derived"
PLANE: dict[str, Element] = {
    "g": Numbers((2,), low=-2.0, high=2.0), "H": Symmetric(2, 0.5, 2.0), "alpha": Real(1e-2, 1e2, log=True),
}  # fmt: skip
PRIOR: dict[str, Element] = {
    "g": Numbers((2,), low=-2.0, high=2.0), "H": Symmetric(2, -0.5, 2.0), "alpha": Real(1e-2, 1e2, log=True),
    "damping": Real(1.0, 4.0), "centre": Numbers((2,), low=-1.0, high=1.0),
}  # fmt: skip
GRID = 1e-11
"""The exponents of a grid are up to some 2,000 in size, and rounded."""
WITNESS = {"g": np.array([0.9, -0.7]), "H": np.array([[2.0, 0.6], [0.6, 1.0]])}


@claim(SOURCE, PLANE, kind="equality", tolerance=GRID)
def newton(g: Array, H: Array, alpha: float) -> float:
    r"""To second order, H positive definite: the mean is Newton's step at every $\alpha$.

    The covariance is $\alpha H^{-1}$. By the trapezoid rule over the plane, which for Gaussians is exact to rounding.
    """
    inverse, found = namespace(H).linalg.inv(H), gaussian_step(g, H, alpha)
    _, mean, covariance = on_a_grid(g, H, alpha, 0.0, 0 * g, found.mean)
    size = norm(found.mean) + math.sqrt(2 * alpha)
    return min(
        agreement(mean, -inverse @ g, size), agreement(found.mean, -inverse @ g, size),
        agreement(covariance, alpha * inverse), agreement(found.covariance, alpha * inverse),
    )  # fmt: skip


@claim(
    SOURCE, PLANE, kind="equality", tolerance=1e-6, expect="refuted", instead="sampling_view.newton",
    witness={**WITNESS, "alpha": 0.3},
)  # fmt: skip
def covariance_without_alpha(g: Array, H: Array, alpha: float) -> float:
    r"""The covariance is $H^{-1}$, as the article has it."""
    _, _, covariance = on_a_grid(g, H, alpha, 0.0, 0 * g, gaussian_step(g, H, alpha).mean)
    return agreement(covariance, namespace(H).linalg.inv(H))


@claim(SOURCE, PLANE, kind="equality", tolerance=GRID)
def square(g: Array, H: Array, alpha: float) -> float:
    r"""Completing the square leaves $\frac12 g' H^{-1} g$.

    $\log Z = \frac n2 \log(2 \pi \alpha) - \frac12 \log \det H + \frac{1}{2 \alpha} g' H^{-1} g$.
    """
    log_z, stated = _square(g, H, alpha, namespace(H).linalg.inv(H))
    found = quadratic_log_partition(g, H, alpha)
    return min(agreement(x, stated, 5 + abs(log_z)) for x in (log_z, found))


@claim(
    SOURCE, PLANE, kind="equality", tolerance=1e-6, expect="refuted", instead="sampling_view.square",
    witness={**WITNESS, "alpha": 0.3},
)  # fmt: skip
def square_without_inverse(g: Array, H: Array, alpha: float) -> float:
    r"""Completing the square leaves $\frac12 g' H g$, as the article has it."""
    return agreement(*_square(g, H, alpha, H))


@claim(
    SOURCE, {**PLANE, "alpha": Real(1e3, 1e6, log=True)}, expect="refuted", tolerance=0.0,
    witness={**WITNESS, "alpha": 1e6}, instead="sampling_view.bounded_step_vanishes",
)  # fmt: skip
def unbounded_step_vanishes(g: Array, H: Array, alpha: float) -> float:
    r"""The mean step tends to 0 as $\alpha \to \infty$, without a bound on steps: at most $\|g\| / \sqrt\alpha$."""
    if norm(g) < 1e-6:
        raise Outside
    return slack(norm(gaussian_step(g, H, alpha).mean), norm(g) / math.sqrt(alpha), norm(g))


@claim(
    SOURCE, {"n": Integer(1, 6), "g": Numbers(("n",)), "radius": Real(0.1, 5.0), "alpha": Real(1e-2, 1e6, log=True)},
    tolerance=ulps(16), infimum=0.0,
)  # fmt: skip
def bounded_step_vanishes(n: int, g: Array, radius: float, alpha: float) -> float:
    r"""On a ball it does: the step to first order is at most $\epsilon^2 \|g\| / (\alpha (n + 2))$ long."""
    g = away(g)
    rule, zero = BallStep(alpha=alpha, radius=radius), 0 * g
    step, _ = rule.update(g, rule.init(zero), zero)
    most = radius**2 * norm(g) / (alpha * (n + 2))
    return slack(norm(step), most, most)


@claim(
    SOURCE,
    {
        "n": Integer(2, 5), "x": Numbers(("n", 2)), "gap": Real(0.1, 10.0), "above": Numbers(("n",), low=0.0, high=3.0),
        "alpha": Real(0.1, 10.0),
    },
    kind="limit", tolerance=1e-10, infimum=0.0,
)  # fmt: skip
def cold(n: int, x: Array, gap: float, above: Array, alpha: float) -> float:
    r"""As $\alpha \to 0$ the mean step tends to the minimiser of l, if there is one only.

    Of n steps: $\|E d - d_*\| \le (n - 1) e^{-\delta / \alpha} \max \|d_i - d_*\|$ where all others are worse by
    $\delta$.
    """
    xp = namespace(x)
    first = xp.arange(n) == 0
    f = alpha * xp.where(first, xp.zeros_like(above), above + gap)
    off = x - x[0:1, :]
    largest = float(xp.max(xp.linalg.vector_norm(off, axis=-1)))
    if largest < 1e-6:
        raise Outside
    most = (n - 1) * math.exp(-gap) * largest
    return slack(norm(weighted_mean(tempered_weights(f, alpha).weights, off)), most, most)


@claim(
    SOURCE, {**PLANE, "alpha": Real(1e-6, 1e-2, log=True)}, expect="refuted", tolerance=1e-2,
    witness={"g": np.array([1.0, 1.0]), "H": np.diag([0.5, 2.0]), "alpha": 1e-6}, instead="sampling_view.cold",
)  # fmt: skip
def cold_is_steepest(g: Array, H: Array, alpha: float) -> float:
    r"""As $\alpha \to 0$ the mean step is along the direction of the fastest descent, $-g$: the cosine is 1."""
    if norm(g) < 1e-6:
        raise Outside
    step = gaussian_step(g, H, alpha).mean
    return float(-(g @ step)) / (norm(g) * norm(step)) - 1.0


@claim(SOURCE, kind="behaviour", portable=False)
def indefinite() -> float:
    r"""Where H is not positive definite p cannot be normalised: the integral grows without end, and it is refused.

    With a prior it can, if $H + (\alpha / \sigma^2) I$ is positive definite.
    """
    fine = True
    for lowest in (-1.0, 0.0):
        H, g = np.diag([2.0, lowest]), np.array([0.9, -0.7])
        masses = [np.trapezoid(np.exp(-0.5 * lowest * d**2), d) for d in (np.linspace(-s, s, 4001) for s in (8, 16))]
        fine = fine and bool(masses[1] > 1.9 * masses[0])
        for refusing in (
            lambda g=g, H=H: gaussian_step(g, H, 1.0),
            lambda g=g, H=H: quadratic_log_partition(g, H, 1.0),
        ):
            try:
                refusing()
                fine = False
            except OptionError:
                pass
        fine = fine and bool(np.isfinite(gaussian_step(g, H, 1.0, 0.9).mean).all())
    return 1.0 if fine else -1.0


@claim(DERIVED, PRIOR, kind="equality", tolerance=GRID)
def levenberg_marquardt(g: Array, H: Array, alpha: float, damping: float, centre: Array) -> float:
    r"""With a prior $N(\mu, \sigma^2 I)$ of steps, the mean is $(H + \lambda I)^{-1} (\lambda \mu - g)$.

    With $\lambda = \alpha / \sigma^2$: Levenberg's and Marquardt's. The covariance is $\alpha (H + \lambda I)^{-1}$. By
    the trapezoid rule; H may be indefinite.
    """
    found = gaussian_step(g, H, alpha, math.sqrt(alpha / damping), centre)
    _, mean, covariance = on_a_grid(g, H, alpha, damping, centre, found.mean)
    inverse = namespace(H).linalg.inv(H + damping * like(H, np.eye(2)))
    stated, size = inverse @ (damping * centre - g), norm(found.mean) + math.sqrt(2 * alpha)
    return min(
        agreement(mean, stated, size), agreement(found.mean, stated, size),
        agreement(covariance, alpha * inverse), agreement(found.covariance, alpha * inverse),
    )  # fmt: skip


@claim(
    DERIVED, {"n": Integer(1, 6), "g": Numbers(("n",)), "alpha": Real(0.05, 20.0, log=True), "sigma": Real(0.1, 5.0)},
    kind="equality", tolerance=ulps(64),
)  # fmt: skip
def linear_with_prior(n: int, g: Array, alpha: float, sigma: float) -> float:
    r"""For linear l and a prior $N(0, \sigma^2 I)$ it is $-(\sigma^2 / \alpha) g$ exactly."""
    xp = namespace(g)
    found = gaussian_step(g, xp.zeros((n, n), dtype=g.dtype), alpha, sigma)
    return min(
        agreement(found.mean, -(sigma**2 / alpha) * g),
        agreement(found.covariance, sigma**2 * xp.eye(n, dtype=g.dtype)),
    )


def on_a_grid(
    g: Array, H: Array, alpha: float, damping: float, centre: Array, middle: Array
) -> tuple[float, Array, Array]:
    """Return the log of the mass, the mean and the covariance of exp(-(l + damping |d - centre|^2 / 2) / alpha)."""
    xp = namespace(g, H)
    w = xp.linalg.eigvalsh(H + damping * like(H, np.eye(2)))
    h = 0.6 * math.sqrt(alpha / w[-1])
    count = math.ceil(9 * math.sqrt(alpha / w[0]) / h)
    side = h * like(g, np.arange(-count, count + 1))
    off = xp.reshape(xp.stack(xp.meshgrid(side, side, indexing="ij"), axis=-1), (-1, 2))
    d = off + middle
    l = d @ g + 0.5 * xp.sum((d @ H) * d, axis=1) + 0.5 * damping * xp.sum((d - centre) ** 2, axis=1)
    least = float(xp.min(l))
    p = xp.exp((least - l) / alpha)
    mass = float(xp.sum(p))
    shift = p @ off / mass
    covariance = (off - shift).T @ (p[:, None] * (off - shift)) / mass
    return math.log(mass * h * h) - least / alpha, middle + shift, covariance


def _square(g: Array, H: Array, alpha: float, middle: Array) -> tuple[float, float]:
    """Return log Z by the grid, and what it is stated to be, with a matrix in the middle of g'.g."""
    xp = namespace(g, H)
    log_z, _, _ = on_a_grid(g, H, alpha, 0.0, 0 * g, -xp.linalg.solve(H, g))
    volume = math.log(2 * math.pi * alpha) - 0.5 * math.log(xp.linalg.det(H))
    return log_z, float(volume + g @ middle @ g / (2 * alpha))
