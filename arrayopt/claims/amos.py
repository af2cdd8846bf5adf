"""Schedules from Amos's idea: what follows, and the alignment that they take for granted."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, norm, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away, follow
from arrayopt.firstorder import Amos, Lion
from arrayopt.firstorder.recipes import amos_schedules
from arrayopt.theory import (
    amos_decay,
    amos_rate_for_half_life,
    amos_rates,
    amos_recursion,
    decay_alignment,
    expected_scale,
    sign_schedule,
    simulate_amos,
)
from arrayopt.theory.amos_schedules import Cosine

AMOS = article(16)
TRAP = f"{AMOS}, trap"
LION = article(24)
KINDS = Choice(("constant", "decaying"))
RATES: dict[str, Element] = {"alpha0": Real(1e-4, 0.1, log=True), "p": Real(0.01, 1.0)}
SCHEDULE: dict[str, Element] = {"cosine": KINDS, "t": Integer(0, 60), **RATES}
VECTORS: dict[str, Element] = {"n": Integer(1, 4), "theta": Numbers(("n",)), "u": Numbers(("n",))}


@claim(AMOS, SCHEDULE, tolerance=1e-13, infimum=0.0)
def bounds_the_recursion(cosine: Cosine, t: int, alpha0: float, p: float) -> float:
    r"""By $S_{t+1} = S_t + \alpha_0 p_t e^{-S_t}$ the decay $e^{-2 S_t}$ is at most that of the schedule."""
    found = amos_decay(t, alpha0, p, cosine)
    return slack(amos_recursion(t, alpha0, p, cosine)[-1], found, found)


@claim(
    AMOS, {**SCHEDULE, "alpha0": Real(0.01, 0.1, log=True)}, kind="equality", tolerance=1e-4, expect="refuted",
    witness={"cosine": "constant", "t": 10, "alpha0": 0.1, "p": 1.0}, instead="amos.bounds_the_recursion",
)  # fmt: skip
def is_the_recursion(cosine: Cosine, t: int, alpha0: float, p: float) -> float:
    """Schedule and recursion are the same; but only in the limit of small steps."""
    return agreement(amos_recursion(t, alpha0, p, cosine)[-1], amos_decay(t, alpha0, p, cosine))


@claim(AMOS, SCHEDULE, kind="equality", tolerance=1e-12)
def integral(cosine: Cosine, t: int, alpha0: float, p: float) -> float:
    r"""$e^{-S_t} = 1 / (1 + \alpha_0 \int_0^t p)$, for a constant cosine and for $p_t = p_0 e^{-S_t}$."""
    nodes, weights = np.polynomial.legendre.leggauss(32)
    s = t * (nodes + 1) / 2
    cosines = np.ones_like(s) if cosine == "constant" else np.sqrt(amos_decay(s, alpha0, p, cosine))
    whole = p * t / 2 * float(weights @ cosines)
    return agreement(math.sqrt(amos_decay(t, alpha0, p, cosine)), 1 / (1 + alpha0 * whole))


@claim(AMOS, {"cosine": KINDS, "half": Real(1.0, 1e6, log=True), "p": Real(0.01, 1.0)}, kind="equality",
       tolerance=1e-13)  # fmt: skip
def half_life(cosine: Cosine, half: float, p: float) -> float:
    r"""Rate and decay halve at T where $\alpha_0 p = (\sqrt 2 - 1) / T$; for a falling cosine $\frac{1}{2 T}$."""
    alpha0 = amos_rate_for_half_life(half, p, cosine)
    rule = (math.sqrt(2) - 1) / half if cosine == "constant" else 1 / (2 * half)
    return min(agreement(amos_decay(half, alpha0, p, cosine), 0.5), agreement(alpha0 * p, rule))


@claim(AMOS, {**SCHEDULE, "q": Real(0.1, 1.0), "scale": Real(0.1, 10.0)}, kind="equality", tolerance=1e-13)
def balance(cosine: Cosine, t: int, alpha0: float, p: float, q: float, scale: float) -> float:
    r"""Decay makes up for the length of the step: $\alpha_t^2 \|u_t\|^2 = 2 \rho_t q \|\varepsilon_t\|^2$."""
    lr, rho = amos_rates(t, alpha0, p, cosine, scale=scale, update_norm=3.0, q=q)
    error = scale**2 * amos_decay(t, alpha0, p, cosine)
    return agreement((3 * lr) ** 2, 2 * rho * q * error)


@claim(AMOS, {**SCHEDULE, "q": Real(0.1, 1.0), "scale": Real(0.1, 10.0)}, kind="equivalence", tolerance=1e-13)
def recipe(cosine: Cosine, t: int, alpha0: float, p: float, q: float, scale: float) -> float:
    r"""Rules take the schedules of the article.

    R1 falls as $(\alpha_0 p t + 1)^{-2}$, R2 as $(2 \alpha_0 p_0 t + 1)^{-1}$.
    """
    alpha, rho = amos_schedules(alpha0, scale, p=p, q=q, cosine="constant" if cosine == "constant" else "falling")
    lr, decay = amos_rates(t, alpha0, p, cosine, scale=scale, q=q)
    return min(agreement(alpha(t), lr), agreement(rho(t), decay))


@claim(
    AMOS,
    {"n": Integer(1, 4), **SCHEDULE, **VECTORS, "c": Real(1e-3, 1e3, log=True)},
    kind="equality",
    tolerance=ulps(64),
)
def step_length(cosine: Cosine, t: int, alpha0: float, p: float, u: Array, c: float) -> float:
    r"""$\|\alpha_t u_t\| = \alpha_0 \|\varepsilon_0\| e^{-2 S_t}$, whatever the size of $u_t$."""
    u = c * away(u)
    lr = amos_rates(t, alpha0, p, cosine, scale=2.0, update_norm=norm(u)).lr
    return agreement(norm(lr * u), 2 * alpha0 * amos_decay(t, alpha0, p, cosine))


@claim(AMOS, {**VECTORS, "optimum": Numbers(("n",)), "lr": Real(0.0, 1.0), "rho": Real(0.0, 0.1)}, kind="equality",
       tolerance=ulps(64))  # fmt: skip
def one_step(theta: Array, u: Array, optimum: Array, lr: float, rho: float) -> float:
    r"""One step $-(\alpha u + \rho \theta)$ changes $\|\varepsilon\|^2$ by three terms, and two of $O(\alpha^3)$.

    $-2\alpha\langle u, \varepsilon\rangle + \alpha^2\|u\|^2 - 2\rho\langle\theta, \varepsilon\rangle$, and
    $2\alpha\rho\langle u, \theta\rangle + \rho^2\|\theta\|^2$, neglected for $\rho = O(\alpha^2)$.
    """
    error, moved, xp = theta - optimum, lr * u + rho * theta, namespace(u)
    kept = norm(error) ** 2 - 2 * lr * float(xp.sum(u * error)) + lr**2 * norm(u) ** 2
    kept -= 2 * rho * float(xp.sum(theta * error))
    rest = 2 * lr * rho * float(xp.sum(u * theta)) + rho**2 * norm(theta) ** 2
    return agreement(norm(error - moved) ** 2, kept + rest, scale=(1 + norm(error) + norm(moved) + norm(theta)) ** 2)


def _gap(instance: Mapping[str, Any]) -> float:
    """Return what the ODE leaves out in 12 steps, relatively.

    That is 3 c^2 a step, c = alpha0 p, which grows on as the error shrinks, and terms of alpha0^3.
    """
    c = instance["alpha0"] * instance["p"]
    return float(1.5 * c * (1 + 12 * c) + 12 * instance["alpha0"] ** 3)


@claim(AMOS, {"cosine": KINDS, "n": Integer(2, 4), "alpha0": Real(1e-3, 0.05, log=True), "p": Real(0.1, 1.0),
              "theta": Numbers(("n",))}, kind="limit", tolerance=_gap)  # fmt: skip
def followed(cosine: Cosine, theta: Array, alpha0: float, p: float) -> float:
    r"""From an optimum of 0, where q = 1, the squared error follows the schedule as $\alpha_0 p \to 0$.

    It differs by $\frac32 \alpha_0 p (1 + \alpha_0 p t)$ of it at most, to first order.
    """
    squares, _ = simulate_amos(away(theta), 0 * theta, alpha0, p, 12, cosine, rng=0)
    return agreement(squares / amos_decay(np.arange(13.0), alpha0, p, cosine), np.ones(13), scale=1.0)


@claim(AMOS, kind="probability")
def simulated() -> float:
    r"""Run with k = 2000, $\alpha_0 = 0.005$, p = 0.1 the squared error is 0.4498 after 1,000 steps, not 0.4444.

    Within 5 standard deviations: $q_0$ varies by $1 / (2 \sqrt k)$, 0.011, of which half a unit is the 0.0054 between
    the two.
    """
    x = np.random.default_rng(0).standard_normal((2, 2000))
    squares, _ = simulate_amos(x[0], x[1], 5e-3, 0.1, 1000, rng=1)
    return slack(abs(squares[-1] - 0.4498), 5 * 0.011 * 2 * 0.0054, 1e-3)


# q --------------------------------------------------------------------------------------------

PAIR: dict[str, Element] = {"n": Integer(2, 4), "theta": Numbers(("n",)), "optimum": Numbers(("n",))}


def _same_length(theta: Array, optimum: Array) -> tuple[Array, Array]:
    """Return both at length 1, and apart."""
    xp = namespace(theta)
    theta, optimum = away(theta), away(optimum)
    theta, optimum = theta / norm(theta), optimum / norm(optimum)
    return theta, -optimum if float(xp.sum(theta * optimum)) > 0 else optimum


@claim(TRAP, PAIR, kind="equality", tolerance=ulps(64))
def alignment(theta: Array, optimum: Array) -> float:
    r"""For a start and an optimum of one length $q = \langle\theta, \varepsilon\rangle/\|\varepsilon\|^2 = \frac12$."""
    return agreement(float(decay_alignment(*_same_length(theta, optimum))), 0.5)


@claim(TRAP, PAIR, kind="equality", tolerance=0.1, expect="refuted", instead="amos.alignment",
       witness={"n": 2, "theta": np.asarray([1.0, 0.0]), "optimum": np.asarray([0.0, 1.0])})  # fmt: skip
def alignment_is_one(theta: Array, optimum: Array) -> float:
    r"""For a start and an optimum of one length q is about 1; but only for an optimum of 0, against that assumption."""
    return agreement(float(decay_alignment(*_same_length(theta, optimum))), 1.0)


@claim(TRAP, {**PAIR, "r": Real(0.1, 1.0)}, kind="equality", tolerance=ulps(256))
def alignment_falls(theta: Array, optimum: Array, r: float) -> float:
    r"""Where $\varepsilon$ has shrunk by r, q is $1 - \frac{1}{2 r}$: 0 half-way, negative beyond."""
    start, end = _same_length(theta, optimum)
    return agreement(float(decay_alignment(end + r * (start - end), end)), 1 - 1 / (2 * r), scale=1 / r)


@claim(TRAP, {**PAIR, "r": Real(0.1, 1.0)}, expect="refuted", instead="amos.alignment_falls",
       witness={"n": 2, "theta": np.asarray([1.0, 0.0]), "optimum": np.asarray([0.0, 1.0]), "r": 0.25})  # fmt: skip
def decay_leads_to_the_optimum(theta: Array, optimum: Array, r: float) -> float:
    r"""Decay leads towards the optimum, $q \ge 0$, to the end."""
    start, end = _same_length(theta, optimum)
    return float(decay_alignment(end + r * (start - end), end))


# Scales ---------------------------------------------------------------------------------------

SCALES: dict[str, Element] = {"k": Integer(1, 10000), "sigma": Real(1e-3, 1.0, log=True)}


def _mean_length(k: int, sigma: float) -> float:
    """Return the expected length of k normal numbers."""
    return sigma * math.sqrt(2) * math.exp(math.lgamma((k + 1) / 2) - math.lgamma(k / 2))


@claim(f"{AMOS}; survey, section 6", SCALES, tolerance=1e-10, infimum=0.0)
def initial_error(k: int, sigma: float) -> float:
    r"""$E\|\varepsilon_0\| \le \sqrt k \sigma$ for normal entries, and at least $\sqrt{k - 1/2}\,\sigma$.

    The rounding of the logarithms of factorials is up to $10^{-16}$ times their size, 4 10^4.
    """
    found, root = _mean_length(k, sigma), expected_scale(k, sigma)
    return min(slack(found, root, root), slack(math.sqrt(1 - 1 / (2 * k)) * root, found, root))


@claim("survey, section 6", SCALES, kind="equality", tolerance=0.3, expect="refuted", instead="amos.initial_error",
       witness={"k": 100, "sigma": 0.5})  # fmt: skip
def initial_error_misprint(k: int, sigma: float) -> float:
    r"""$\|\varepsilon_0\| \approx k \sqrt\sigma$, as a survey prints it."""
    return agreement(_mean_length(k, sigma), k * math.sqrt(sigma))


@claim(LION, {"t": Integer(0, 1000), "n": Integer(1, 5), "alpha0": Real(1e-4, 0.01, log=True),
              "sigma": Real(0.01, 1.0), "p": Real(0.01, 1.0)}, kind="equality", tolerance=1e-13)  # fmt: skip
def signs(t: int, n: int, alpha0: float, sigma: float, p: float) -> float:
    r"""For signs $\alpha_t = \alpha_0 \sigma / (\kappa t + 1)$ and $\lambda = \rho / \alpha = \alpha_0 / (2\sigma)$."""
    schedule = amos_rates(t, alpha0, p, "decaying", scale=expected_scale(n, sigma), update_norm=math.sqrt(n))
    lr, rho, decay = sign_schedule(t, alpha0, sigma, 2 * alpha0 * p)
    found, expected = [lr / schedule.lr, rho / schedule.decay, decay * lr / rho], [1.0, 1.0, 1.0]
    return min(agreement(found, expected), agreement(decay, alpha0 / (2 * sigma)))


@claim(LION, {**VECTORS, **RATES}, kind="equality", tolerance=ulps(16))
def into_a_rule(theta: Array, u: Array, alpha0: float, p: float) -> float:
    r"""Lion takes both schedules as they are: $\theta - \rho_t \theta - \alpha_t \mathrm{sgn}(g)$."""
    alpha, rho = amos_schedules(alpha0, 0.5, p=p)
    (after,) = follow(Lion(lr=alpha, weight_decay=rho, decay_scale="independent"), theta, [away(u)])
    expected = theta - rho(1) * theta - alpha(1) * namespace(u).sign(away(u))
    return agreement(after, expected, scale=1 + norm(theta))


@claim("arXiv 2210.11693; archive 9344 (section 16)", {"k": Integer(-10, 10), **VECTORS}, kind="equality",
       tolerance=ulps(16))  # fmt: skip
def rule_is_scale_free(k: int, theta: Array, u: Array) -> float:
    """Amos does not see the scale of the gradients."""
    a, b = (follow(Amos(lr=0.1, beta=0.5), theta, [c * away(u), c * u])[-1] for c in (1.0, 2.0**k))
    return agreement(a, b, scale=1 + norm(theta))


def _known(name: str, what: str, printed: str, cosine: Cosine, t: int, rate: float, exact: bool) -> Known:
    def compute() -> float:
        return float(amos_decay(t, rate, 0.1, cosine) if exact else amos_recursion(t, rate, 0.1, cosine)[-1])

    return Known(f"amos.{name}", what, AMOS, printed, compute)


KNOWN = (
    _known("recursion_1", r"The recursion at $\alpha_0 p = 10^{-3}$, t = 1000, constant cosine", "0.249913", "constant",
           1000, 0.01, False),
    _known("schedule_1", "and the schedule", "0.25", "constant", 1000, 0.01, True),
    _known("recursion_2", "The recursion with a falling cosine", "0.333211", "decaying", 1000, 0.01, False),
    _known("schedule_2", "and the schedule", "0.333333", "decaying", 1000, 0.01, True),
    _known("error_1000", r"The schedule at $\alpha_0 p = 0.0005$, t = 1000", "0.4444", "constant", 1000, 5e-3, True),
    _known("error_2000", "and at 2000", "0.2500", "constant", 2000, 5e-3, True),
    _known("error_4000", "and at 4000", "0.1111", "constant", 4000, 5e-3, True),
)  # fmt: skip
