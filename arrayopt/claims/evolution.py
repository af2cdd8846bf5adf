"""Populations that move by weights, and the family that they are: consensus, MPPI, cross-entropy, PGPE, (1+1)."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.designs import gaussian_design
from arrayopt.claims.domain import Element, Integer, Numbers, Real, Symmetric
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, ulps
from arrayopt.problems.problem import like
from arrayopt.sampling import (
    MPPI,
    PGPE,
    Consensus,
    CrossEntropy,
    EvolutionStrategy,
    OnePlusOne,
    consensus_point,
    pgpe_gradients,
    tempered_weights,
    weighted_mean,
)

CONSENSUS = "Pinnau et al., A consensus-based model for global optimization and its mean-field limit, 2017"
PATH_INTEGRAL = "Williams et al., Information theoretic MPC for model-based reinforcement learning, 2017"
CROSS_ENTROPY = "Rubinstein, The cross-entropy method for combinatorial and continuous optimization, 1999"
EXPLORING = "Sehnke et al., Parameter-exploring policy gradients, 2010"
RECHENBERG = "Rechenberg, Evolutionsstrategie, 1973"
ALPHA = Real(0.05, 20.0, log=True)
POINTS: dict[str, Element] = {
    "n": Integer(2, 8), "d": Integer(1, 3), "x": Numbers(("n", "d")), "f": Numbers(("n",)),
    "mean": Numbers(("d",), low=-2.0, high=2.0), "alpha": ALPHA,
}  # fmt: skip


@claim(CONSENSUS, POINTS, kind="equivalence", tolerance=1e-12)
def consensus(x: Array, f: Array, mean: Array, alpha: float) -> float:
    r"""The consensus point $\sum x_i e^{-f_i / \alpha} / \sum e^{-f_i / \alpha}$ is $\theta$ plus a mean step.

    With the weights of importance sampling and equal densities q.
    """
    w = tempered_weights(f, alpha, log_q=0 * f - 3.7).weights
    return agreement(consensus_point(x, f, alpha), mean + weighted_mean(w, x - mean), size(x, mean))


@claim(PATH_INTEGRAL, POINTS, kind="equivalence", tolerance=1e-12)
def mppi(n: int, x: Array, f: Array, mean: Array, alpha: float) -> float:
    """MPPI is that, too: the same weights, at the temperature lambda, without a division by q."""
    method = MPPI(n=n, temperature=alpha, sigma=0.4)
    after = method.tell(method.init(mean), x, f)
    return agreement(after.mean, consensus_point(x, f, alpha), size(x, mean))


@claim(PATH_INTEGRAL, POINTS, kind="equivalence", tolerance=1e-12)
def mppi_control_cost(n: int, x: Array, f: Array, mean: Array, alpha: float) -> float:
    r"""With the control cost $\gamma = \lambda$ its weights are those of a prior $N(0, \Sigma)$, divided by q."""
    xp, x = namespace(x), mean + x / 10
    method = MPPI(n=n, temperature=alpha, sigma=0.5, control_cost=alpha)
    log_p, log_q = (-2 * xp.sum(y * y, axis=-1) for y in (x, x - mean))
    found = method.weights(method.init(mean), x, f).weights
    return agreement(found, tempered_weights(f, alpha, log_q, log_p).weights, 1 + size(x, mean) ** 2)


@claim(CROSS_ENTROPY, {"n": Integer(2, 8), "d": Integer(1, 2), "x": Numbers(("n", "d")), "f": Numbers(("n",)),
                       "alpha": ALPHA}, kind="equivalence", tolerance=1e-12)  # fmt: skip
def cross_entropy(n: int, d: int, x: Array, f: Array, alpha: float) -> float:
    """The elite of cross-entropy have the importance weights of what is 0 on a quantile, infinite elsewhere."""
    xp, method = namespace(x), CrossEntropy(n=n, elite=0.5, noise=0.1)
    limit = xp.sort(f)[method.elites - 1]
    if int(xp.sum(xp.astype(f <= limit, xp.int64))) != method.elites:
        raise Outside  # ties, of which the first count
    w = tempered_weights(xp.where(f <= limit, 0 * f, 0 * f + math.inf), alpha).weights
    after = method.tell(method.init(0 * x[0, :]), x, f)
    mean = weighted_mean(w, x)
    spread = weighted_mean(w, (x - mean) * (x - mean)) + 0.1
    return min(agreement(after.mean, mean, size(x)), agreement(after.sigma**2, spread, size(x) ** 2))


PAIRS: dict[str, Element] = {
    "d": Integer(1, 3), "n": Integer(1, 4), "u": Numbers(("n", "d"), low=-3.0, high=3.0),
    "values": Numbers((2, "n"), low=-3.0, high=3.0), "sigma": Numbers(("d",), low=0.5, high=2.0),
}  # fmt: skip


@claim(EXPLORING, PAIRS, kind="equivalence", tolerance=1e-13)
def pgpe(u: Array, values: Array, sigma: Array) -> float:
    r"""PGPE is REINFORCE for a Gaussian of parameters, by its mean and its deviations, on the same samples.

    The scores are $a / \sigma^2$ and $(a^2 - \sigma^2) / \sigma^3$ for an action a less the mean.
    """
    xp = namespace(u)
    above, below = values[0, :], values[1, :]
    f, moved = xp.concat([above, below]), sigma * xp.concat([u, -u])
    by_mean = xp.mean(f[:, None] * moved / sigma**2, axis=0)
    by_sigma = xp.mean(f[:, None] * (moved**2 - sigma**2) / sigma**3, axis=0)
    found = pgpe_gradients(above, below, u, sigma)
    return min(agreement(found[0], by_mean, 20.0), agreement(found[1], by_sigma, 60.0))


@claim(
    EXPLORING, {"d": Integer(1, 3), "H": Symmetric("d", -3.0, 3.0), "b": Numbers(("d",), low=-2.0, high=2.0),
            "mu": Numbers(("d",), low=-2.0, high=2.0), "sigma": Numbers(("d",), low=0.5, high=2.0)},
    kind="equality", tolerance=1e-13,
)  # fmt: skip
def pgpe_of_quadratics(d: int, H: Array, b: Array, mu: Array, sigma: Array) -> float:
    r"""On a quadratic its gradients are $\nabla f(\mu)$ and $\sigma \circ \operatorname{diag} H$, in expectation."""
    xp, u = namespace(mu), like(mu, gaussian_design(d))
    above, below = (0.5 * xp.sum((x @ H) * x, axis=-1) + x @ b for x in (mu + sigma * u, mu - sigma * u))
    by_mean, by_sigma = pgpe_gradients(above, below, u, sigma)
    return min(agreement(by_mean, H @ mu + b, 100.0), agreement(by_sigma, xp.linalg.diagonal(H) * sigma, 100.0))


@claim(EXPLORING, {"x": Numbers((3,), low=-2.0, high=2.0), "sigma": Real(0.05, 1.0), "lr": Real(0.01, 1.0)},
       kind="equivalence", tolerance=ulps(512))  # fmt: skip
def pgpe_at_rest(x: Array, sigma: float, lr: float) -> float:
    r"""With deviations held it is an evolution strategy with the rate $\eta \sigma^2$."""
    xp = namespace(x)
    methods = PGPE(n=4, sigma=sigma, lr=lr, lr_sigma=0.0), EvolutionStrategy(n=4, sigma=sigma, lr=lr * sigma**2)
    ends = []
    for method in methods:
        state = method.init(x)
        points = method.ask(state)
        ends.append(method.tell(state, points, xp.sum(points**4, axis=-1)).x)
    return agreement(ends[0], ends[1], 2.0 + lr)


@claim(RECHENBERG, {"d": Integer(1, 6), "place": Integer(0, 4), "sigma": Real(0.1, 10.0)}, kind="equality",
       tolerance=ulps(16))  # fmt: skip
def one_fifth(d: int, sigma: float, place: int) -> float:
    """In the (1+1) strategy one success in five leaves sigma as it is, whichever of the five it is."""
    method = OnePlusOne(sigma=sigma)
    state = method.init(np.zeros(d))
    state = method.tell(state, method.ask(state), np.array([10.0]))
    for k in range(5):
        state = method.tell(state, method.ask(state), np.array([9.0 if k == place else 11.0]))
    return agreement(state.sigma[0], sigma)


@claim(CONSENSUS, kind="probability", tolerance=0.0, portable=False)
def consensus_contracts() -> float:
    r"""Around a consensus at rest the mean square changes by $(1 - \lambda h)^2 + \sigma^2 h$ in a step h of time.

    With isotropic noise by $(1 - \lambda h)^2 + d \sigma^2 h$, which in 20 dimensions grows; by 4.5 standard errors.
    """
    n, margins = 4000, []
    for noise, d in (("anisotropic", 20), ("isotropic", 3), ("isotropic", 20)):
        method = Consensus(n=n, drift=0.9, diffusion=0.7, dt=0.1, noise=noise)  # type: ignore[arg-type]
        state = method.init(np.zeros(d), seed=0)
        x = state.x.copy()
        x[0] = 0.0
        after = method.tell(state, x, np.where(np.arange(n) == 0, 0.0, math.inf)).x  # all follow the first
        ratio = np.sum(after[1:] ** 2, axis=1) / np.sum(x[1:] ** 2, axis=1)
        law = (1 - 0.09) ** 2 + 0.049 * (d if noise == "isotropic" else 1)
        margins.append(4.5 - abs(np.mean(ratio) - law) / np.std(ratio) * math.sqrt(n - 1))
        margins.append(1.0 if (np.mean(ratio) < 1) == (law < 1) else -1.0)
    return float(min(margins))


def size(*arrays: Array) -> float:
    """Return 1 and the largest modulus in any of the arrays."""
    return 1.0 + max(float(namespace(x).max(abs(x))) for x in arrays)


def _progress() -> float:
    """Return the greatest rate of progress on the sphere for large n, times n.

    For the step-size s in units of the distance over n it is s phi(s/2) - s^2/2 (1 - Phi(s/2)).
    """
    from arrayopt import minimize

    def rate(x: np.ndarray) -> float:
        s = float(x[0])
        tail = math.erfc(s / math.sqrt(8)) / 2
        return -(s * math.exp(-s * s / 8) / math.sqrt(2 * math.pi) - s * s / 2 * tail)

    return -float(minimize(rate, np.array([1.0])).fun)


KNOWN = (
    Known("evolution.progress", "n times the best rate of progress of the (1+1) strategy on the sphere", RECHENBERG,
          "0.2", _progress),
)  # fmt: skip
