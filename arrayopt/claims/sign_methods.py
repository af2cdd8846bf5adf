"""Sign methods: signSGD, Signum, Lion, and the majority vote of many workers."""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real, Signs
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, norm, same, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import LR, WALK, away, follow, updates, whole
from arrayopt.core.rule import Rule
from arrayopt.firstorder import SGD, Adam, Lion, MixedPrecision, SignSGD, Signum, Tiger
from arrayopt.firstorder.recipes import lion_from_adamw, sign_rates

SURVEY = "survey, section 6"
LION = article(24)
TIGER = article(25)
BETA = Real(0.0, 0.99)
HALVES = Choice((0.0, 0.25, 0.5, 0.75))
"""Decay rates beside which whole numbers are never rounded."""
DECAY = Real(0.0, 0.5)
DECAYS = Choice(("l2", "decoupled", "in_update"))
G: dict[str, Element] = {k: WALK[k] for k in ("dtype", "steps", "n", "g")}

RULES: tuple[Rule, ...] = (
    SignSGD(lr=0.1, weight_decay=0.3, decay="decoupled"), Signum(lr=0.1, momentum=0.6, weight_decay=0.3),
    Lion(lr=0.1, beta1=0.6, beta2=0.8, weight_decay=0.3), Tiger(lr=0.1, beta=0.6, weight_decay=0.3),
    Tiger(lr=0.1, beta=0.6, weight_decay=0.3, accumulate=2),
)  # fmt: skip
SCALED: dict[str, Element] = {"rule": Choice(RULES), "k": Integer(-30, 30), **WALK}


@claim(f"{LION}; {TIGER}; survey, section 7", SCALED, kind="equality", tolerance=0.0)
def scale_free(rule: Rule, k: int, p: Array, g: Array) -> float:
    r"""No sign rule sees the scale of the gradients, $2^k$: bit for bit, with any decay outside the sign."""
    return same(follow(rule, p, g), follow(rule, p, 2.0**k * g))


@claim("survey, section 7", SCALED, kind="equivalence", tolerance=0.0)
def no_unscaling(rule: Rule, k: int, p: Array, g: Array) -> float:
    """For sign rules gradients of a scaled loss need not be scaled back."""
    unscaled = MixedPrecision(rule=rule, scale=2.0**k, dynamic=False)
    return same(follow(unscaled, p, 2.0**k * g), follow(rule, p, 2.0**k * g))


@claim(
    "survey, section 7",
    {**SCALED, "rule": Choice((SignSGD(lr=0.1, weight_decay=0.3, decay="l2"), SGD(lr=0.1), Adam(lr=0.1, eps=0.05)))},
    kind="equality", expect="refuted", instead="sign_methods.scale_free",
    witness={"rule": SignSGD(lr=0.1, weight_decay=0.3, decay="l2"), "k": 3, "dtype": "float64", "steps": 1, "n": 1,
             "p": np.ones(1), "g": np.full((1, 1), -0.1)},
)  # fmt: skip
def scale_free_rules(rule: Rule, k: int, p: Array, g: Array) -> float:
    """Other rules do not see the scale of the gradients, either; nor do those whose decay enters the sign."""
    return same(follow(rule, p, g), follow(rule, p, 2.0**k * g))


@claim("survey, section 7", kind="behaviour")
def underflow() -> float:
    r"""Sign rules see gradients that underflow: the sign of $2^{-30}$ in float16 is 0, of $2^{-10}$ 1."""
    p, g = np.zeros(1, np.float16), np.full(1, 2.0**-30)
    (lost,), (kept,) = (follow(SignSGD(lr=0.125), p, [(c * g).astype(np.float16)]) for c in (1.0, 2.0**20))
    return 1.0 if lost[0] == 0 and kept[0] == -0.125 else -1.0


MOVES: dict[str, Element] = {**G, "beta1": BETA, "beta2": BETA}


@claim(SURVEY, MOVES, kind="equality", tolerance=0.0)
def moves_or_rests(g: Array, beta1: float, beta2: float) -> float:
    r"""Without decay each entry of Lion's update is $\pm\eta$, or 0."""
    sizes = [abs(u) for u in updates(Lion(lr=0.25, beta1=beta1, beta2=beta2), whole(g))]
    return -max(float(namespace(u).max(u * abs(u - 0.25))) for u in sizes)


@claim(
    SURVEY, MOVES, kind="equality", tolerance=0.0, expect="refuted", instead="sign_methods.moves_or_rests",
    witness={"dtype": "float64", "steps": 1, "n": 1, "g": np.zeros((1, 1)), "beta1": 0.9, "beta2": 0.99},
)  # fmt: skip
def all_move(g: Array, beta1: float, beta2: float) -> float:
    """Every coordinate moves: each entry of Lion's update has modulus 1; but it may be 0."""
    sizes = [abs(u) for u in updates(Lion(lr=0.25, beta1=beta1, beta2=beta2), whole(g))]
    return -max(float(namespace(u).max(abs(u - 0.25))) for u in sizes)


@claim(LION, MOVES, kind="equality", tolerance=ulps(8))
def length(g: Array, n: int, beta1: float, beta2: float) -> float:
    r"""Where no argument is 0 Lion's step has the length $\eta \sqrt k$, whatever the gradients."""
    first = updates(Lion(lr=1.0, beta1=beta1, beta2=beta2), away(g))[0]
    return agreement(norm(first), math.sqrt(n))


@claim(
    SURVEY, {**MOVES, "beta1": Real(0.0, 0.9), "beta2": Real(0.5, 0.999)}, tolerance=1e-3, expect="refuted",
    instead="adaptive.adam_bound",
    witness={"dtype": "float64", "steps": 2, "n": 1, "g": np.asarray([[0.0], [1.0]]), "beta1": 0.0, "beta2": 0.9},
)  # fmt: skip
def longer_than_adam(g: Array, beta1: float, beta2: float) -> float:
    """At one rate Lion's update is at least as long as Adam's; but not where gradients grow."""
    g = away(g)
    lion, adam = Lion(lr=1.0, beta1=beta1, beta2=beta2), Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0)
    return slack(norm(updates(adam, g)[-1]), norm(updates(lion, g)[-1]))


ONE: dict[str, Element] = {**WALK, "beta": BETA, "lr": LR, "decay": DECAY}


@claim(f"{LION}; {SURVEY}", ONE, kind="equivalence", tolerance=0.0)
def lion_is_signum(p: Array, g: Array, beta: float, lr: float, decay: float) -> float:
    r"""Lion with $\beta_1 = \beta_2$ is Signum, bit for bit; with decay, too, where both have it decoupled."""
    lion = Lion(lr=lr, beta1=beta, beta2=beta, weight_decay=decay)
    return same(follow(lion, p, g), follow(Signum(lr=lr, momentum=beta, weight_decay=decay), p, g))


@claim(
    LION, {**WALK, "beta1": Real(0.0, 0.9), "beta2": Real(0.0, 0.9)}, kind="equivalence", expect="refuted",
    instead="sign_methods.lion_is_signum",
    witness={"dtype": "float64", "steps": 2, "n": 1, "p": np.zeros(1), "g": np.asarray([[1.0], [-0.5]]),
             "beta1": 0.6, "beta2": 0.9},
)  # fmt: skip
def lion_is_signum_of_either(p: Array, g: Array, beta1: float, beta2: float) -> float:
    r"""Lion with two different $\beta$ is Signum with one of them."""
    lion = follow(Lion(lr=0.1, beta1=beta1, beta2=beta2), p, g)
    return max(same(lion, follow(Signum(lr=0.1, momentum=beta), p, g)) for beta in (beta1, beta2))


@claim(f"{LION}; {TIGER}", ONE, kind="equivalence", tolerance=ulps(64))
def lion_is_tiger(p: Array, g: Array, beta: float, lr: float, decay: float) -> float:
    r"""Lion with $\beta_1 = \beta_2$ and decay is Tiger without the scale of its rate."""
    lion = Lion(lr=lr, beta1=beta, beta2=beta, weight_decay=decay)
    return same(follow(Tiger(lr=lr, beta=beta, weight_decay=decay, scale="none"), p, g), follow(lion, p, g))


@claim(
    TIGER, ONE, kind="equivalence", tolerance=1e-3, expect="refuted", instead="tiger.step_is_lions",
    witness={"dtype": "float64", "steps": 1, "n": 1, "p": np.full(1, 3.0), "g": np.ones((1, 1)), "beta": 0.5, "lr": 0.1,
             "decay": 0.0},
)  # fmt: skip
def lion_is_tiger_with_its_scale(p: Array, g: Array, beta: float, lr: float, decay: float) -> float:
    r"""Lion with $\beta_1 = \beta_2$ and decay is Tiger."""
    lion = Lion(lr=lr, beta1=beta, beta2=beta, weight_decay=decay)
    return same(follow(Tiger(lr=lr, beta=beta, weight_decay=decay), p, g), follow(lion, p, g))


@claim(SURVEY, {"mu": HALVES, **WALK}, kind="equivalence", tolerance=0.0)
def ball_signs(mu: float, p: Array, g: Array) -> float:
    """Signum's heavy ball has the signs of its running mean."""
    # whole numbers: no rounding decides a sign
    rule = Signum(lr=0.1, momentum=mu)
    return same(follow(rule, p, whole(g)), follow(rule.replace(form="heavy_ball"), p, whole(g)))


@claim(SURVEY, {"place": DECAYS, **WALK, "decay": DECAY}, kind="equivalence", tolerance=0.0)
def signum_is_signsgd(place: str, p: Array, g: Array, decay: float) -> float:
    """Signum without momentum is signSGD."""
    rule = SignSGD(lr=0.1, weight_decay=decay, decay=place)  # type: ignore[arg-type]
    return same(follow(Signum(lr=0.1, momentum=0.0, weight_decay=decay, decay=rule.decay), p, g), follow(rule, p, g))


@claim(
    article(7), {**G, "d": Numbers(("n",), low=-1.0, high=1.0, dtype="dtype")}, tolerance=ulps(8),
    infimum=0.0,
)  # fmt: skip
def steepest(g: Array, d: Array) -> float:
    r"""Of all steps with $\|d\|_\infty \le 1$ the sign step descends most: by $\|g\|_1$."""
    first, xp = away(g)[0, ...], namespace(g)
    step = updates(SignSGD(lr=1.0), [first])[0]
    ours, size = float(xp.sum(first * step)), float(xp.sum(abs(first)))
    return min(slack(-float(xp.sum(first * d)), ours, size), agreement(ours, size))


@claim(article(7), {**G, "o": Signs(("n",))}, tolerance=ulps(8), infimum=0.0)
def nearest(g: Array, o: Array) -> float:
    r"""Of all vectors in $\{\pm 1\}^n$ the signs are nearest to g."""
    first = away(g)[0, ...]
    sign = updates(SignSGD(lr=1.0), [first])[0]
    return slack(norm(sign - first), norm(namespace(g).astype(o, g.dtype) - first))


PARABOLA: dict[str, Element] = {"x": Real(-2.0, 2.0), "lr": Real(0.05, 0.5)}


def _descend(rule: Rule, x: float, steps: int) -> list[float]:
    p, path = np.asarray([x]), []
    state = rule.init(p)
    for _ in range(steps):
        p, state = rule.update(p, state, p)
        path.append(float(p[0]))
    return path


@claim(SURVEY, PARABOLA, infimum=0.0)
def stalls(x: float, lr: float) -> float:
    r"""On $x^2 / 2$ at a constant rate signSGD stalls: of two points one is at least $\eta / 2$ away, unless it hits 0.

    And none is farther than $\eta$.
    """
    a, b = _descend(SignSGD(lr=lr), x, 50)[-2:]
    if a == 0 or b == 0:
        return 1.0
    return min(slack(lr / 2, max(abs(a), abs(b)), lr), slack(max(abs(a), abs(b)), lr, lr))


@claim(SURVEY, PARABOLA, expect="refuted", witness={"x": 1.0, "lr": 0.3}, instead="sign_methods.stalls")
def converges_at_any_rate(x: float, lr: float) -> float:
    """Direction matters more than size: signSGD converges on a quadratic, at a constant rate, too."""
    return slack(min(abs(y) for y in _descend(SignSGD(lr=lr), x, 50)[-2:]), 1e-3, lr)


@claim(SURVEY, {"x": Real(-2.0, 2.0), "c": Real(1.0, 2.0)}, infimum=0.0)
def converges_at_falling_rates(x: float, c: float) -> float:
    r"""At the rates $c / \sqrt t$ signSGD converges: once it has met the optimum it is within the last rate of it."""
    last = _descend(SignSGD(lr=lambda t: c / math.sqrt(t)), x, 40)[-1]
    return slack(abs(last), c / math.sqrt(40), c / math.sqrt(40))


@claim(f"arXiv 2302.06675, section 5; {SURVEY}", {"lr": LR, "decay": DECAY}, kind="equality", tolerance=1e-15)
def decay_per_step(lr: float, decay: float) -> float:
    r"""Lion at a tenth of AdamW's rate and ten times its decay shrinks parameters as much: $\eta \lambda$ stays."""
    rate, more = lion_from_adamw(lr, decay)
    (after,) = follow(Lion(lr=rate, weight_decay=more), np.ones(1), [np.zeros(1)])
    return agreement(after, [1 - lr * decay])


def _known(name: str, what: str, printed: str, compute: Any) -> Known:
    return Known(f"sign_methods.{name}", what, LION, printed, compute)


KNOWN = (
    _known("sigma_768", r"$\sigma = 768^{-1/2}$", "0.036084", lambda: sign_rates(1.0, d=768).lr),
    _known("rate_768", r"Lion's rate at $\alpha_0 = 0.00111$, d = 768", "4.005e-5",
           lambda: sign_rates(1.11e-3, d=768).lr),
    _known("decay_768", r"and its decay $\alpha_0 / (2 \sigma)$", "0.01538",
           lambda: sign_rates(1.11e-3, d=768).weight_decay),
)  # fmt: skip
