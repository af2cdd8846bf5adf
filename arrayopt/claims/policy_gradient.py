"""Policy gradients of finite policies: exact gradients, baselines, Gumbel noise, and their tie with zeroth order."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.designs import normal_rule
from arrayopt.claims.domain import Element, Exact, Integer, Numbers, Probability, Real
from arrayopt.claims.importance import chances
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, host, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away
from arrayopt.core.logsumexp import softmax
from arrayopt.problems.problem import like
from arrayopt.sampling import (
    expected_reward,
    hard_reward_gradient,
    optimal_baseline,
    policy_gradient,
    reinforce,
    sample_policy,
    score_gradient,
)
from arrayopt.sampling.policy import scores, second_moment
from arrayopt.sampling.smoothing import above_baseline

SOURCE = article(2)
BUY_FOUR = "Kool, van Hoof and Welling, Buy 4 REINFORCE samples, get a baseline for free, 2019"
TAU = Real(0.2, 5.0, log=True)
POLICY: dict[str, Element] = {
    "k": Integer(1, 5), "z": Numbers(("k",), low=-2.0, high=2.0), "r": Numbers(("k",), low=-1.0, high=1.0),
}  # fmt: skip
"""Outputs and rewards."""
CHOICE = {**POLICY, "k": Integer(2, 5)}
"""Of a policy that has a choice."""


@claim(
    SOURCE, {"n": Integer(1, 6), "a": Exact(("n",)), "b": Exact(("n",)), "keys": Numbers(("n",))},
    tolerance=0.0, infimum=0.0,
)  # fmt: skip
def rearrangement(a: Array, b: Array, keys: Array) -> float:
    r"""$\sum a_i b_i \ge \sum a_i c_i \ge \sum a_i b_{n+1-i}$ for a, b in falling order and c any permutation of b.

    Whatever the signs. So of the permutations of a policy the best is ordered as the rewards are, in exact fractions.
    """
    a, b = np.sort(a)[::-1], np.sort(b)[::-1]
    least, any_order, most = sum(a * b[::-1]), sum(a * b[np.argsort(host(keys), kind="stable")]), sum(a * b)
    size = max(1, abs(most), abs(least))
    return float(min((any_order - least) / size, (most - any_order) / size))


@claim(SOURCE, {"n": Integer(1, 6), "r": Numbers(("n",)), "p": Probability("n")}, tolerance=ulps(8), infimum=0.0)
def best_policy(r: Array, p: Array) -> float:
    r"""Of all policies the best has $J = \max r$: it takes outputs of the greatest reward alone."""
    xp = namespace(r)
    return slack(float(xp.sum(p * r)), float(xp.max(r)))


@claim(
    SOURCE, {"n": Integer(2, 6), "r": Numbers(("n",)), "p": Probability("n"), "q": Probability("n")},
    tolerance=1e-6, expect="refuted", instead="policy_gradient.best_policy",
    witness={"n": 2, "r": np.array([3.0, 1.0]), "p": np.array([0.6, 0.4]), "q": np.array([1.0, 0.0])},
)  # fmt: skip
def similar_order_is_best(r: Array, p: Array, q: Array) -> float:
    r"""J is greatest for a policy ordered as the rewards are: among all policies, not only its permutations."""
    xp = namespace(r)
    return slack(xp.sum(q * r), xp.sum(xp.sort(p) * xp.sort(r)))


@claim(SOURCE, {**POLICY, "h": Numbers(("k",), low=-1.0, high=1.0), "tau": TAU}, kind="equality", tolerance=1e-13)
def derivative(z: Array, r: Array, h: Array, tau: float) -> float:
    r"""$\nabla_z J = p \circ (r - \langle p, r \rangle) / \tau$: its integral from z to another is the change of J."""
    z, h = tau * z, tau * h
    t, w = np.polynomial.legendre.leggauss(20)
    xp = namespace(z)
    path = sum(
        float(b) / 2 * float(xp.sum(h * policy_gradient(z + (1 + float(a)) / 2 * h, r, tau)))
        for a, b in zip(t, w, strict=True)
    )
    return agreement(path, float(expected_reward(z + h, r, tau) - expected_reward(z, r, tau)), 1.0)


@claim(SOURCE, {**POLICY, "tau": TAU, "b": Real(-10.0, 10.0)}, kind="equality", tolerance=1e-14)
def score_function(k: int, z: Array, r: Array, tau: float, b: float) -> float:
    r"""$\nabla J = E_{y \sim p}[(r_y - b) \nabla \log p_y]$ for every constant b, since $E \nabla \log p_y = 0$."""
    xp, p = namespace(z), softmax(z, temperature=tau)
    y = xp.arange(k)
    each = xp.stack([reinforce(z, y[i : i + 1], r[i : i + 1] - b, "none", tau) for i in range(k)])
    scale = (1 + abs(b)) / tau
    return min(agreement(p @ each, policy_gradient(z, r, tau), scale), agreement(p @ scores(z, y, tau), 0 * z, 1 / tau))


@claim(SOURCE, {**CHOICE, "b": Real(-2.0, 2.0)}, kind="equality", tolerance=1e-13)
def parabola(z: Array, r: Array, b: float) -> float:
    r"""$E \|(r_y - b) s_y\|^2$ is least for $b^* = E[r_y \|s_y\|^2] / E\|s_y\|^2$.

    For other b it is $(b - b^*)^2 E\|s_y\|^2$ more.
    """
    best = optimal_baseline(z, r)
    weight = second_moment(z, 0 * r, 1.0)
    return agreement(second_moment(z, r, b), second_moment(z, r, best) + (b - best) ** 2 * weight, 10.0)


@claim(SOURCE, CHOICE, tolerance=1e-13, infimum=0.0)
def optimal_is_no_worse(z: Array, r: Array) -> float:
    """The best baseline has no more variance than none, nor than the mean reward."""
    xp = namespace(r)
    span = float(xp.max(r) - xp.min(r))
    if span < 0.1:
        raise Outside
    scale = span**2 * float(second_moment(z, xp.ones_like(r)))
    best = float(second_moment(z, r, optimal_baseline(z, r)))
    return min(slack(best, second_moment(z, r, b), scale) for b in (0.0, expected_reward(z, r)))


@claim(
    SOURCE, CHOICE, tolerance=1e-6, expect="refuted", instead="policy_gradient.optimal_is_no_worse",
    witness={"k": 5, "z": np.log([0.9, 0.025, 0.025, 0.025, 0.025]) + 2, "r": np.array([1.0, 0.0, 0.0, 0.0, 0.0])},
)  # fmt: skip
def mean_reward_is_no_worse(z: Array, r: Array) -> float:
    """The mean reward, the cheap substitute, has no more variance than none."""
    return slack(second_moment(z, r, expected_reward(z, r)), second_moment(z, r), 0.1)


SEVERAL: dict[str, Element] = {"n": Integer(2, 3), **POLICY, "k": Integer(1, 3)}


@claim(BUY_FOUR, SEVERAL, kind="equality", tolerance=1e-14)
def leave_one_out(z: Array, r: Array, n: int) -> float:
    r"""With the mean of the others as the baseline of each of n samples there is no bias, by enumeration.

    With the mean of all n the expectation is $\frac{n-1}{n} \nabla J$.
    """
    exact = policy_gradient(z, r)
    return min(
        agreement(_expected(z, r, n, "leave_one_out"), exact, 1.0),
        agreement(_expected(z, r, n, "mean"), (n - 1) / n * exact, 1.0),
    )


@claim(
    BUY_FOUR, SEVERAL, kind="equality", tolerance=1e-3, expect="refuted",
    witness={"k": 2, "z": np.zeros(2), "r": np.array([1.0, 0.0]), "n": 2}, instead="policy_gradient.leave_one_out",
)  # fmt: skip
def mean_of_all(z: Array, r: Array, n: int) -> float:
    """Nor is there with the mean of all samples: a baseline does not change the expectation."""
    return agreement(_expected(z, r, n, "mean"), policy_gradient(z, r), 1.0)


@claim(SOURCE, POLICY, kind="equality", tolerance=1e-13)
def gumbel(z: Array, r: Array) -> float:
    r"""$P(\arg\max(z + G) = y) = \operatorname{softmax}(z)_y$, by quadrature: the mean of the hard reward is J.

    G are independent with the distribution $e^{-e^{-t}}$. No approximation: of Gumbel noise on outputs J is exactly
    what zeroth order sees.
    """
    xp, t = namespace(z), like(z, np.arange(-9.0, 45.0, 0.2))  # by the trapezoid rule, exact to rounding
    rate = xp.exp(-(t - z[:, None]))
    below = xp.exp(-rate)  # P(z_y + G < t); the density is that times the rate
    p = 0.2 * xp.sum(rate * xp.prod(below, axis=0), axis=1)
    return min(agreement(p, softmax(z), 1.0), agreement(p @ r, expected_reward(z, r), 1.0))


@claim(SOURCE, kind="probability", tolerance=0.0, portable=False)
def gumbel_samples() -> float:
    """Outputs drawn by Gumbel noise have the frequencies of the policy: five binomial tests, each at 1 in 1,000."""
    from scipy.stats import binomtest

    z, n, tau = np.array([0.3, -0.2, 0.6, 0.1, -1.3]), 20_000, 0.7
    y, p = sample_policy(z, n, rng=5, temperature=tau), softmax(z, temperature=tau)
    return min(float(binomtest(int(np.sum(y == j)), n, float(p[j])).pvalue) for j in range(5)) - 1e-3


TWO: dict[str, Element] = {"z": Numbers((2,), low=-2.0, high=2.0), "r": Numbers((2,), low=-1.0, high=1.0), "tau": TAU}


@claim(SOURCE, {**TWO, "part": Real(1e-2, 0.5, log=True)}, kind="limit", tolerance=1e-9, infimum=0.0)
def zeroth_order_limit(z: Array, r: Array, tau: float, part: float) -> float:
    r"""The zeroth-order gradient of J at a temperature tends to its policy gradient as $\epsilon \to 0$.

    Of two outputs, it is within $|r_1 - r_0| \epsilon^2 / (8 \tau^3)$ of it.
    """
    xp, z, epsilon = namespace(z, r), tau * z, part * tau
    if abs(r[1] - r[0]) < 1e-3:
        raise Outside
    u, w = (like(z, x) for x in normal_rule(32, 2))
    j = expected_reward(z + epsilon * u, xp.broadcast_to(r, u.shape), tau) - expected_reward(z, r, tau)
    found = score_gradient(j * w * w.shape[0], u, epsilon)
    most = abs(r[1] - r[0]) * epsilon**2 / (8 * tau**3)
    return slack(xp.max(abs(found - policy_gradient(z, r, tau))), most, most)


CLASSES: dict[str, Element] = {
    "x": Numbers((3,), low=-2.0, high=2.0), "r": Numbers((2,), low=-1.0, high=1.0), "sigma": Real(0.05, 5.0, log=True),
    "gap": Real(-10.0, 10.0),
}  # fmt: skip
"""Two linear outputs of x; the gap in units of its standard deviation."""


@claim(SOURCE, {**CLASSES, "to": Real(-10.0, 10.0)}, kind="equality", tolerance=1e-13)
def hard_reward(x: Array, r: Array, sigma: float, gap: float, to: float) -> float:
    r"""The reward of the greater of two linear outputs has the gradient $\varphi(\Delta/c) (r_1 - r_0) (-x, x) / c$.

    With Gaussian noise of the weights and $c = \epsilon \sqrt2 \|x\|$: its integral along x from one gap $\Delta$ to
    another is the change of $r_0 + (r_1 - r_0) \Phi(\Delta / c)$.
    """
    xp, x = namespace(x), away(x)
    c = sigma * math.sqrt(2) * math.sqrt(float(x @ x))
    t, w = (like(x, v) for v in np.polynomial.legendre.leggauss(64))
    gaps = c * (gap + (1 + t) / 2 * (to - gap))
    g = hard_reward_gradient(gaps, xp.broadcast_to(x, (64, 3)), xp.broadcast_to(r, (64, 2)), sigma)
    path = c * (to - gap) / 2 * (w @ (g[:, 1, :] @ x)) / float(x @ x)
    change = (math.erf(to / math.sqrt(2)) - math.erf(gap / math.sqrt(2))) / 2
    return min(agreement(path, float(r[1] - r[0]) * change, 1.0), agreement(g[:, 0, :], -g[:, 1, :]))


@claim(
    SOURCE, {"x": CLASSES["x"], "r": CLASSES["r"], "delta": Real(-5.0, 5.0), "c": Real(0.2, 20.0, log=True)},
    kind="equality", tolerance=1e-12,
)  # fmt: skip
def parallel(x: Array, r: Array, delta: float, c: float) -> float:
    r"""Of two classes it is parallel to the policy gradient $s(\Delta)(1 - s(\Delta)) (r_1 - r_0) (-x, x)$.

    For every $\epsilon$; only the lengths differ.
    """
    xp, x = namespace(x), away(x)
    if float(abs(r[1] - r[0])) < 0.1:
        raise Outside
    sigma = c / math.sqrt(2 * float(x @ x))
    z = delta / 2 * xp.asarray([-1.0, 1.0])
    soft = policy_gradient(z, r)[:, None] * x
    s = 1 / (1 + math.exp(-delta))
    stated = float(s * (1 - s) * (r[1] - r[0])) * xp.stack([-x, x])
    hard = hard_reward_gradient(xp.asarray(delta), x, r, sigma)
    return min(agreement(soft, stated), agreement(hard / xp.max(abs(hard)), soft / xp.max(abs(soft))))


@claim(
    SOURCE, {"z": Numbers((3,), low=-2.0, high=2.0), "r": Numbers((3,), low=-1.0, high=3.0),
             "sigma": Real(0.3, 16.0, log=True)},
    tolerance=1e-3, portable=False, expect="refuted", instead="policy_gradient.parallel",
    witness={"z": np.array([1.0, 0.0, -2.0]), "r": np.array([0.0, 1.0, 3.0]), "sigma": 0.5},
)  # fmt: skip
def parallel_of_three(z: Array, r: Array, sigma: float) -> float:
    """Of three classes they are parallel, too: the cosine is 1."""
    soft, hard = policy_gradient(z, r), _hard(z, r, sigma)
    lengths = math.sqrt(float(soft @ soft) * float(hard @ hard))
    if lengths < 1e-9:
        raise Outside
    return float(soft @ hard) / lengths - 1.0


def _expected(z: Array, r: Array, n: int, baseline: str) -> Array:
    """Return the expectation of an estimate from n samples, by enumeration."""
    y, chance = chances(n, softmax(z))
    each = reinforce(namespace(z).broadcast_to(z, (*chance.shape, *z.shape)), y, r[y], baseline)  # type: ignore[arg-type]
    return chance @ each


def _hard(z: np.ndarray, r: np.ndarray, sigma: float) -> np.ndarray:
    """Return the zeroth-order gradient of the reward of the greatest of three outputs, by quadrature.

    P(y is the greatest) = E prod of Phi(t + (z_y - z_i) / sigma) over the others.
    """
    from scipy.special import ndtr

    t = np.arange(-9.0, 9.0, 0.1)
    density = 0.1 * np.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    g, eye = np.zeros(3), np.eye(3)
    for y, i, other in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        near = np.exp(-((t + (z[y] - z[i]) / sigma) ** 2) / 2) / math.sqrt(2 * math.pi)
        slope = r[y] * np.sum(density * near * ndtr(t + (z[y] - z[other]) / sigma)) / sigma
        g += slope * (eye[y] - eye[i])
    return g


def _variance(values: list[float]) -> float:
    f = np.asarray(values)
    return float(np.mean(above_baseline(f, "mean", f[:, None]) ** 2))


KNOWN = (
    Known("policy_gradient.narrow", r"Variance of rewards 4, 5, 6", SOURCE, "0.6667", lambda: _variance([4, 5, 6])),
    Known("policy_gradient.wide", r"Variance of rewards -10, 10, 15", SOURCE, "116.667",
          lambda: _variance([-10, 10, 15])),
)  # fmt: skip
