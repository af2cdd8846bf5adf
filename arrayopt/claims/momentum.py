"""Momentum: heavy ball, running mean and Nesterov's two forms."""

from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real
from arrayopt.claims.margins import agreement, largest, same, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import LR, MU, WALK, away, follow, slot, states, updates
from arrayopt.firstorder import SGD, Momentum, Nesterov
from arrayopt.firstorder.momentum import VelocityStep

SURVEY = "survey, section 5"
ROUNDING = ulps(64)
D: dict[str, Element] = {**WALK, "mu": MU, "lr": LR}
ONE = {"dtype": "float64", "steps": 2, "n": 1, "p": [0.0], "mu": 0.5, "lr": 1.0}


def _reach(p: Array, g: Array, mu: float, lr: float) -> float:
    """How far a velocity can carry the parameters."""
    return largest(p) + lr * int(g.shape[0]) * largest(g) / (1 - mu)


def _witness(**fields: Any) -> dict[str, Any]:
    found = {**ONE, "g": [[1.0], [1.0]], **fields}
    return {k: np.asarray(x) if isinstance(x, list) else x for k, x in found.items()}


@claim(article(26), D, kind="equivalence", tolerance=ROUNDING)
def ball_is_mean(p: Array, g: Array, mu: float, lr: float) -> float:
    r"""Heavy ball at the rate $\eta$ is the running mean $m = \mu m + (1-\mu) g$ at the rate $\eta / (1-\mu)$."""
    mean = Momentum(lr=lr / (1 - mu), momentum=mu, form="ema")
    return same(follow(Momentum(lr=lr, momentum=mu), p, g), follow(mean, p, g), _reach(p, g, mu, lr))


@claim(
    SURVEY, D, kind="equivalence", tolerance=ROUNDING, expect="refuted", witness=_witness(),
    instead="momentum.ball_is_mean",
)  # fmt: skip
def ball_is_mean_at_its_rate(p: Array, g: Array, mu: float, lr: float) -> float:
    """Heavy ball and running mean are one at the same rate."""
    mean = Momentum(lr=lr, momentum=mu, form="ema")
    return same(follow(Momentum(lr=lr, momentum=mu), p, g), follow(mean, p, g), _reach(p, g, mu, lr))


@claim(SURVEY, D, kind="equivalence", tolerance=0.0)
def mean_is_dampened(p: Array, g: Array, mu: float, lr: float) -> float:
    r"""Heavy ball with the dampening $\tau = \mu$ is the running mean, bit for bit."""
    ball = Momentum(lr=lr, momentum=mu, dampening=mu)
    return same(follow(ball, p, g), follow(Momentum(lr=lr, momentum=mu, form="ema"), p, g))


@claim(SURVEY, D, kind="equality", tolerance=ROUNDING)
def weights(g: Array, mu: float) -> float:
    r"""$v_t = \sum_{s \le t} \mu^{t-s} g_s$: in the velocity gradients add up and fade by friction."""
    t = g.shape[0]
    total = sum((mu ** (t - 1 - s) * g[s, ...] for s in range(1, t)), mu ** (t - 1) * g[0, ...])
    return agreement(slot(states(Momentum(momentum=mu), g)[-1], "v"), total, scale=t * largest(g))


@claim(SURVEY, D, kind="equality", tolerance=ROUNDING)
def growth(g: Array, steps: int, mu: float) -> float:
    r"""Along a constant gradient step t is $\eta \frac{1 - \mu^t}{1 - \mu} g$, up to $1 / (1 - \mu)$ times SGD's."""
    last = updates(Momentum(lr=1.0, momentum=mu), [g[0, ...]] * steps)[-1]
    return agreement(last, (1 - mu**steps) / (1 - mu) * g[0, ...], scale=steps * largest(g))


@claim(SURVEY, {"form": Choice(("heavy_ball", "ema")), **D}, tolerance=ROUNDING, infimum=0.0)
def bounded(g: Array, mu: float, form: str) -> float:
    r"""$|v_t| \le \max |g| \frac{1-\mu^t}{1-\mu}$, and the running mean $|m_t| \le \max |g| (1 - \mu^t)$; sharp."""
    g = away(g)
    v = slot(states(Momentum(momentum=mu, form=form), g)[-1], "v")  # type: ignore[arg-type]
    xp, full = namespace(g), 1 - mu ** g.shape[0]
    bound = float(xp.max(abs(g))) * (full if form == "ema" else full / (1 - mu))
    return slack(float(xp.max(abs(v))), bound, bound)


@claim(SURVEY, D, kind="equivalence", tolerance=ROUNDING)
def nesterov_fed(p: Array, g: Array, mu: float, lr: float) -> float:
    r"""Nesterov as reformulated is the heavy ball fed $g_t + \mu (g_t - g_{t-1})$, with $g_0 = 0$."""
    fed = [(1 + mu) * g[0, ...]]
    fed += [g[t, ...] + mu * (g[t, ...] - g[t - 1, ...]) for t in range(1, g.shape[0])]
    ball = follow(Momentum(lr=lr, momentum=mu), p, fed)
    return same(follow(Nesterov(lr=lr, momentum=mu), p, g), ball, 2 * _reach(p, g, mu, lr))


@claim(
    SURVEY, D, kind="equivalence", tolerance=ROUNDING, expect="refuted", witness=_witness(),
    instead="momentum.nesterov_fed",
)  # fmt: skip
def nesterov_is_ball(p: Array, g: Array, mu: float, lr: float) -> float:
    """On the same gradients Nesterov as reformulated is the heavy ball."""
    a, b = Nesterov(lr=lr, momentum=mu), Momentum(lr=lr, momentum=mu)
    return same(follow(a, p, g), follow(b, p, g), _reach(p, g, mu, lr))


@claim(
    SURVEY,
    {"place": Choice(("outside", "inside")), **D, "curvature": Numbers(("n",), low=0.0, high=1.0, dtype="dtype")},
    kind="equivalence", tolerance=ulps(256),
)  # fmt: skip
def nesterov_points(p: Array, steps: int, curvature: Array, mu: float, lr: float, place: str) -> float:
    """Nesterov as reformulated goes through the points where the original takes its gradients (on a quadratic)."""
    rule = Nesterov(lr=lr, momentum=mu, lr_place=place)  # type: ignore[arg-type]
    original, here, theta = rule.replace(form="lookahead"), p, p
    state, memory, path, points = rule.init(p), original.init(p), [], []
    for _ in range(steps):
        here, state = rule.update(curvature * here, state, here)
        theta, memory = original.update(curvature * original.lookahead(theta, memory), memory, theta)
        path.append(here)
        points.append(original.lookahead(theta, memory))
    return same(path, points, 4 * largest(p, *path))


PLACES: tuple[Momentum, ...] = tuple(
    Momentum(form=form, decay=decay) for form in ("heavy_ball", "ema") for decay in ("l2", "decoupled", "in_update")
)


@claim(SURVEY, {"rule": Choice(PLACES), **D, "decay": Real(0.0, 0.5)}, kind="equivalence", tolerance=ROUNDING)
def rate_inside(rule: Momentum, p: Array, g: Array, mu: float, lr: float, decay: float) -> float:
    """Rates that do not change may stand inside the velocity or outside."""
    rule = rule.replace(lr=lr, momentum=mu, weight_decay=decay)
    inside = follow(rule.replace(lr_place="inside"), p, g)
    return same(inside, follow(rule, p, g), 2 * _reach(p, g, mu, lr) * (1 + decay * largest(p)))


@claim(
    SURVEY, {**D, "later": LR}, kind="equivalence", tolerance=ROUNDING, expect="refuted",
    witness=_witness(later=0.1), instead="momentum.rate_inside",
)  # fmt: skip
def changing_rate_inside(p: Array, g: Array, mu: float, lr: float, later: float) -> float:
    """Rates that change may stand inside the velocity or outside."""
    rule = Momentum(lr=lambda t: lr if t == 1 else later, momentum=mu)
    inside = follow(rule.replace(lr_place="inside"), p, g)
    return same(inside, follow(rule, p, g), _reach(p, g, mu, max(lr, later)))


RULES: tuple[VelocityStep, ...] = (
    Momentum(momentum=0.0), Momentum(momentum=0.0, form="ema"), Momentum(momentum=0.0, lr_place="inside"),
    Nesterov(momentum=0.0), Nesterov(momentum=0.0, form="lookahead"), Nesterov(momentum=0.0, form="damped"),
    Nesterov(momentum=0.0, form="once_applied"), Nesterov(momentum=0.0, form="bias_corrected"),
)  # fmt: skip


@claim(SURVEY, {"rule": Choice(RULES), **D, "decay": Real(0.0, 0.5)}, kind="equivalence", tolerance=0.0)
def without_momentum(rule: VelocityStep, p: Array, g: Array, lr: float, decay: float) -> float:
    """Without momentum heavy ball, running mean and Nesterov are SGD, bit for bit."""
    return same(follow(rule.replace(lr=lr, weight_decay=decay), p, g), follow(SGD(lr=lr, weight_decay=decay), p, g))


@claim(SURVEY, {**D, "tau": Real(0.0, 0.95)}, kind="equality", tolerance=ROUNDING)
def undamped_start(g: Array, steps: int, mu: float, tau: float) -> float:
    r"""Without dampening the first gradient leaves $\mu^{t-1} \tau g_1$ more in the velocity: it fades with $\mu$."""
    rule = Momentum(momentum=mu, dampening=tau)
    a, b = (slot(states(r, g)[-1], "v") for r in (rule.replace(first="gradient"), rule))
    return agreement(a - b, mu ** (steps - 1) * tau * g[0, ...], scale=steps * largest(g))


@claim(SURVEY, {"q": Integer(1, 30), "mu": Real(0.0, 0.95)}, kind="equality", tolerance=1e-13)
def coasting(q: int, mu: float) -> float:
    r"""After one gradient the ball rolls on by $\eta g \frac{1 - \mu^t}{1 - \mu}$, at last $\eta g / (1-\mu)$."""
    g = [np.ones(1)] + [np.zeros(1)] * (q - 1)
    return agreement(follow(Momentum(lr=1.0, momentum=mu), np.zeros(1), g)[-1], [-(1 - mu**q) / (1 - mu)])
