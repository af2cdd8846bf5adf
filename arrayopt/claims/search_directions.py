"""Estimates of gradients from a sample of directions: pairs, frames, baselines, their errors by kind, and MeZO."""

import itertools
import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.designs import DESIGNS, gaussian_design, samples
from arrayopt.claims.domain import Choice, Count, Element, Integer, Numbers, Orthogonal, Real, Symmetric
from arrayopt.claims.margins import agreement, ulps
from arrayopt.claims.policy_gradient import BUY_FOUR
from arrayopt.claims.walks import away
from arrayopt.claims.zeroth_order import QUADRATIC, SMOOTHING, rounding, value
from arrayopt.core.random import normal, stream
from arrayopt.problems.problem import like
from arrayopt.sampling import MeZO, antithetic_gradient, draw_directions, score_gradient
from arrayopt.sampling.smoothing import above_baseline

STRATEGY = "Salimans et al., Evolution strategies as a scalable alternative, arXiv 1703.03864"
STRUCTURED = "Choromanski et al., Structured evolution with compact architectures, arXiv 1804.02395"
MEMORY = "Malladi et al., Fine-tuning language models with just forward passes, arXiv 2305.17333"
SAMPLE: dict[str, Element] = {
    "d": Integer(1, 4), "n": Integer(1, 5), "u": Numbers(("n", "d")), "f": Numbers(("n",)),
    "theta": Numbers(("d",), low=-4.0, high=4.0), "sigma": Real(0.05, 2.0, log=True),
}  # fmt: skip
ANTITHETIC: dict[str, Element] = {
    "d": Integer(1, 4), "n": Integer(1, 5), "u": Numbers(("n", "d"), low=-3.0, high=3.0),
    "H": Symmetric("d", -3.0, 3.0), "b": Numbers(("d",), low=-2.0, high=2.0),
    "x": Numbers(("d",), low=-2.0, high=2.0), "sigma": Real(0.1, 2.0, log=True),
}  # fmt: skip


@claim(STRATEGY, SAMPLE, kind="equivalence", tolerance=1e-15)
def is_the_score_function_estimator(u: Array, f: Array, theta: Array, sigma: float) -> float:
    r"""It is REINFORCE, on the same samples, for the policy $N(\theta, \sigma^2 I)$.

    Its score is $(a - \theta) / \sigma^2$ for the action a.
    """
    xp = namespace(u)
    power = 2.0 ** round(math.log2(sigma))  # of which products are exact
    u, theta = xp.round(u * 2**20) / 2**20, xp.round(theta * 4) / 4
    score = ((theta + power * u) - theta) / power**2
    scale = float(xp.max(xp.mean(abs(f)[:, None] * abs(score), axis=0)))
    return agreement(score_gradient(f, u, power), xp.mean(f[:, None] * score, axis=0), scale + 1e-300)


@claim(STRATEGY, ANTITHETIC, kind="equality", tolerance=1e-14)
def antithetic(n: int, u: Array, H: Array, b: Array, x: Array, sigma: float) -> float:
    r"""Antithetic pairs cancel the curvature of a quadratic: they give $\frac1n \sum u_i u_i' \nabla f$."""
    found = antithetic_gradient(value(x + sigma * u, H, b, 0.0), value(x - sigma * u, H, b, 0.0), u, sigma)
    return agreement(found, u.T @ (u @ (H @ x + b)) / n, 100 + 100 / sigma)


@claim(STRUCTURED, {**QUADRATIC, "Q": Orthogonal("d")}, kind="equality", tolerance=1e-14)
def orthogonal(d: int, H: Array, b: Array, x: Array, c: float, sigma: float, Q: Array) -> float:
    """As many orthogonal directions as dimensions give the exact gradient of a quadratic."""
    u = math.sqrt(d) * Q
    found = antithetic_gradient(value(x + sigma * u, H, b, c), value(x - sigma * u, H, b, c), u, sigma)
    return agreement(found, H @ x + b, rounding(sigma))


@claim(BUY_FOUR, {**SAMPLE, "n": Integer(2, 6)}, kind="equivalence", tolerance=ulps(32))
def leave_one_out(n: int, u: Array, f: Array, sigma: float) -> float:
    r"""Leaving one out is the mean as baseline times $\frac{n}{n-1}$: $f_i - \frac{1}{n-1} \sum_{j \ne i} f_j$."""
    xp = namespace(f)
    others = (xp.sum(f) - f) / (n - 1)
    size = float(xp.max(abs(f))) + 1e-300
    left, mean = (score_gradient(f, u, sigma, how) for how in ("leave_one_out", "mean"))
    return min(
        agreement(above_baseline(f, "leave_one_out", u), f - others, size),
        agreement(left, mean * (n / (n - 1)), size * float(xp.max(abs(u))) / sigma + 1e-300),
    )


LAWS = Choice((
    *(("gaussian", d, n) for d, n in ((1, 1), (1, 3), (2, 1), (2, 2), (3, 1))),
    *(("rademacher", d, n) for d, n in ((1, 1), (2, 1), (2, 3), (3, 1), (3, 3), (5, 2))),
    *(("sphere", d, n) for d, n in ((2, 1), (2, 3), (3, 1), (3, 2))),
    *(("orthogonal", d, n) for d, n in ((1, 1), (2, 1), (4, 3), (5, 2), (5, 5))),
))  # fmt: skip


@claim(STRUCTURED, {"law": LAWS, "g": Numbers((5,), low=-2.0, high=2.0)}, kind="equality", tolerance=1e-12)
def relative_error(law: tuple[str, int, int], g: Array) -> float:
    r"""On a linear function the mean square error over $\|g\|^2$ is $\frac{d+1}{n}$ for n Gaussian directions.

    It is $\frac{d-1}{n}$ for Rademacher ones and on the sphere, $\frac{d-n}{n}$ for orthogonal ones. By enumeration of
    designs with their moments; of frames, by that of the n of d rows of one.
    """
    kind, d, n = law
    g = away(g[:d])
    if kind == "orthogonal":
        frame = draw_directions(d, d, "orthogonal", rng=2)
        u = np.array([frame[list(rows)] for rows in itertools.combinations(range(d), n)])
    else:
        u = samples(DESIGNS[kind](d), n)
    return agreement(namespace(g).mean(_relative(like(g, u), g)), _law(kind, d, n), (d + 1) / n)


@claim(STRUCTURED, kind="probability", tolerance=0.0, portable=False)
def relative_error_of_drawn_directions() -> float:
    """For d = 20, n = 5 these are 4.2, 3.8, 3.8 and 3.0; 2,000 draws of each kind agree, to 4.5 standard errors."""
    margins = []
    for kind in ("gaussian", "rademacher", "sphere", "orthogonal"):
        found = _relative(draw_directions(5, 20, kind, rng=6, draws=2000), np.linspace(-1, 2, 20))
        margins.append(4.5 - abs(np.mean(found) - _law(kind, 20, 5)) / np.std(found) * math.sqrt(2000))
    return float(min(margins))


@claim(
    SMOOTHING, {"g": Numbers((2,), low=-2.0, high=2.0), "level": Real(-10.0, 10.0), "sigma": Real(0.1, 2.0, log=True)},
    kind="equality", tolerance=1e-12,
)  # fmt: skip
def level(g: Array, level: float, sigma: float) -> float:
    r"""Without a baseline it is $d f(x)^2 / (n \sigma^2 \|g\|^2)$ more than with f(x) as baseline.

    The latter are forward differences.
    """
    xp, g = namespace(g), away(g)
    u = like(g, gaussian_design(2))[:, None, :]
    errors = score_gradient(level + sigma * (u @ g), u, sigma) - g
    stated = 3 * (g @ g) + 2 * level**2 / sigma**2
    return agreement(xp.mean(xp.sum(errors**2, axis=-1)), stated)


WALK: dict[str, Element] = {
    "theta": Numbers((4,), spread=2.0), "sigma": Real(1e-3, 1.0, log=True), "lr": Real(1e-3, 1.0, log=True),
    "seed": Count(0, 999),
}  # fmt: skip


@claim(MEMORY, WALK, kind="equivalence", tolerance=ulps(64))
def mezo(theta: Array, sigma: float, lr: float, seed: int) -> float:
    """A step of MeZO, in place, is that of SPSA with one Gaussian direction, up to roundings over sigma."""
    xp, method = namespace(theta), MeZO(sigma=sigma, lr=lr, seed=seed)
    after, z = xp.asarray(theta, copy=True), like(theta, normal(seed, 0, stream(""), (4,)))
    method.step(_cubic, after, method.init(after))
    f = [like(theta, [_cubic(theta + s * z)]) for s in (sigma, -sigma)]
    stated = theta - lr * antithetic_gradient(f[0], f[1], z[None, :], sigma)
    terms = _cubic(abs(theta) + sigma * abs(z))
    return agreement(after, stated, xp.max(abs(theta)) + sigma + lr * terms / sigma * xp.max(abs(z)))


@claim(MEMORY, WALK, kind="equality", tolerance=0.0)
def mezo_restores(theta: Array, sigma: float, seed: int) -> float:
    """With what was rounded off kept, the parameters are back, bit for bit, after a step of no length."""
    return _walked("compensated", theta, sigma, seed)


@claim(
    MEMORY, WALK, kind="equality", tolerance=0.0, expect="refuted",
    instead="search_directions.mezo_restores",
    witness={"theta": np.array([0.1, 0.2, 0.3, 0.7]), "sigma": 0.1, "lr": 1.0, "seed": 0},
)  # fmt: skip
def mezo_restores_by_walking(theta: Array, sigma: float, seed: int) -> float:
    r"""So they are after $\theta + \sigma z$, $- 2 \sigma z$, $+ \sigma z$ alone."""
    return _walked("walk", theta, sigma, seed)


def _walked(restore: str, theta: Array, sigma: float, seed: int) -> float:
    method = MeZO(sigma=sigma, lr=0.0, seed=seed, restore=restore)  # type: ignore[arg-type]
    after = namespace(theta).asarray(theta, copy=True)
    method.step(lambda p: 0.0, after, method.init(after))
    return agreement(after, theta)


def _cubic(x: Array) -> float:
    return float(namespace(x).sum(x**3))


def _relative(u: Array, g: Array) -> Array:
    """Return the square errors of antithetic estimates of g, one for each u of shape (n, d), over that of g."""
    slope = u @ g
    return namespace(u, g).sum((antithetic_gradient(slope, -slope, u, 1.0) - g) ** 2, axis=-1) / (g @ g)


def _law(kind: str, d: int, n: int) -> float:
    return {"gaussian": d + 1, "rademacher": d - 1, "sphere": d - 1, "orthogonal": d - n}[kind] / n
