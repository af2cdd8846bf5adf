"""Adaptive rates: Adagrad, RMSProp, Adadelta, Adam and AdaBelief."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import DTYPES, Choice, Element, Integer, Numbers, Real
from arrayopt.claims.margins import agreement, same, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away, slot, states, updates
from arrayopt.core.rule import Rule
from arrayopt.core.state import State
from arrayopt.firstorder import AdaBelief, Adadelta, Adagrad, Adam, AdaMax, NAdam, RMSProp

SURVEY = "survey, section 5"
LION = article(24)
ADAM = "arXiv 1412.6980, section 2.1; survey, section 5"
ROUNDING = ulps(64)
BETA = Real(0.0, 0.95)
RHO = Real(0.5, 0.999)
G: dict[str, Element] = {
    "dtype": DTYPES, "steps": Integer(1, 5), "n": Integer(1, 3), "g": Numbers(("steps", "n"), dtype="dtype"),
}  # fmt: skip
BETAS: dict[str, Element] = {**G, "beta1": BETA, "beta2": RHO}


def _rates(rule: Adagrad, g: Any) -> list[Array]:
    """Return the effective rate of each coordinate in each step."""
    sums = [slot(s, "s") for s in states(rule, g)]
    return [rule.lr / (namespace(s).sqrt(s) + rule.eps) for s in sums]


@claim(SURVEY, G, tolerance=ROUNDING, infimum=0.0)
def adagrad_rates_fall(g: Array) -> float:
    r"""Adagrad's effective rates $\eta / (\sqrt{G_t} + \epsilon)$ never increase; a zero gradient leaves them."""
    rates, xp = _rates(Adagrad(eps=1e-3), g), namespace(g)
    falls = [float(xp.min((a - b) / a)) for a, b in pairwise(rates)]
    return min(falls, default=1.0)


@claim(SURVEY, {**G, "c": Real(1e-3, 1e3, log=True)}, tolerance=ROUNDING, infimum=0.0)
def adagrad_rates_vanish(g: Array, c: float) -> float:
    r"""While $|g| \ge c$ Adagrad's rates are at most $\eta / (c \sqrt t)$: they go to zero. Equality for $|g| = c$."""
    xp = namespace(g)
    sized = c * away(xp.abs(g), 1.0) * (2 * xp.astype(g >= 0, g.dtype) - 1)
    rates = _rates(Adagrad(lr=1.0, eps=0.0), sized)
    return min(1 - float(xp.max(r)) * c * math.sqrt(t) for t, r in enumerate(rates, 1))


@claim(
    SURVEY, {"q": Real(0.1, 1.0)}, expect="refuted", witness={"q": 0.5}, instead="adaptive.adagrad_rates_vanish",
)  # fmt: skip
def adagrad_rates_vanish_always(q: float) -> float:
    r"""Adagrad's rates always go to zero, as $1/\sqrt t$; but not where they fall as $q^t$."""
    rates = _rates(Adagrad(lr=1.0, eps=0.0), [np.asarray([q**t]) for t in range(100)])
    return slack(rates[-1][0], 2 / math.sqrt(100) * rates[0][0])


@claim(SURVEY, {**G, "share": Real(1e-3, 1.0)}, tolerance=ROUNDING, infimum=0.0)
def adagrad_boosts_small(g: Array, share: float) -> float:
    """Coordinates with smaller gradients have the larger rates in Adagrad."""
    xp, rule = namespace(g), Adagrad(eps=1e-3)
    large, small = _rates(rule, g)[-1], _rates(rule, share * g)[-1]
    return float(xp.min((small - large) / small))


@claim(SURVEY, {**G, "rho": RHO}, tolerance=ROUNDING, infimum=0.0)
def rmsprop_bounded(g: Array, steps: int, rho: float) -> float:
    r"""RMSProp's $v_t \le (1 - \rho^t) \max g^2$: it does not blow up. Equality for gradients of one size."""
    g, xp = away(g), namespace(g)
    bound = (1 - rho**steps) * float(xp.max(g * g))
    return slack(float(xp.max(slot(states(RMSProp(rho=rho), g)[-1], "v"))), bound, bound)


@claim(SURVEY, {**G, "rho": RHO, "eps": Real(1e-3, 0.1)}, kind="equivalence", tolerance=ROUNDING)
def rmsprop_is_adam(g: Array, rho: float, eps: float) -> float:
    r"""RMSProp is Adam with $\beta_1 = 0$ and no bias corrections."""
    adam = Adam(lr=1.0, beta1=0.0, beta2=rho, eps=eps, bias_correction="none")
    return same(updates(RMSProp(lr=1.0, rho=rho, eps=eps), g), updates(adam, g))


@claim(
    SURVEY, {**G, "rho": RHO, "eps": Real(1e-3, 0.1)}, kind="equivalence", tolerance=ROUNDING, expect="refuted",
    witness={"dtype": "float64", "steps": 1, "n": 1, "g": np.ones((1, 1)), "rho": 0.9, "eps": 0.05},
    instead="adaptive.rmsprop_is_adam",
)  # fmt: skip
def rmsprop_is_adam_corrected(g: Array, rho: float, eps: float) -> float:
    r"""RMSProp is Adam with $\beta_1 = 0$, corrections and all."""
    adam = Adam(lr=1.0, beta1=0.0, beta2=rho, eps=eps)
    return same(updates(RMSProp(lr=1.0, rho=rho, eps=eps), g), updates(adam, g))


RUNNING: dict[str, Element] = {
    "n": Integer(1, 3), "k": Integer(-20, 20), "g": Numbers((3, "n")), "v": Numbers(("n",), low=0.1, high=10.0),
    "u": Numbers(("n",), low=0.1, high=10.0),
}  # fmt: skip


def _adadelta(g: Array, v: Array, u: Array, eps: float) -> list[Array]:
    return updates(Adadelta(eps=eps), g, State(3, {"v": {"": v}, "u": {"": u}}))


@claim(SURVEY, RUNNING, kind="equality", tolerance=0.0)
def adadelta_scale(g: Array, k: int, v: Array, u: Array) -> float:
    r"""With $\epsilon = 0$ an Adadelta that runs does not see the scale of the gradients, $2^k$."""
    c = 2.0**k
    return same(_adadelta(g, v, u, 0.0), _adadelta(c * g, c * c * v, u, 0.0))


@claim(SURVEY, RUNNING, kind="equality", tolerance=0.0)
def adadelta_units(g: Array, k: int, v: Array, u: Array) -> float:
    r"""Adadelta's update has the unit of the parameter: in one $a$ times as large it is $1/a$ of the number."""
    a = 2.0**k
    scaled = _adadelta(a * g, a * a * v, u / (a * a), 0.0)
    return same(_adadelta(g, v, u, 0.0), [a * x for x in scaled])


@claim(
    SURVEY, {**RUNNING, "eps": Real(1e-6, 0.1, log=True)}, kind="equality", expect="refuted",
    witness={"n": 1, "k": 5, "g": np.ones((3, 1)), "v": np.ones(1), "u": np.ones(1), "eps": 0.05},
    instead="adaptive.adadelta_scale",
)  # fmt: skip
def adadelta_scale_with_eps(g: Array, k: int, v: Array, u: Array, eps: float) -> float:
    r"""Adadelta does not see the scale of the gradients with $\epsilon > 0$, either."""
    c = 2.0**k
    return same(_adadelta(g, v, u, eps), _adadelta(c * g, c * c * v, u, eps))


@claim(SURVEY, {**G, "rho": RHO, "eps": Real(1e-6, 0.1, log=True)}, kind="equality", tolerance=ROUNDING)
def adadelta_start(g: Array, rho: float, eps: float) -> float:
    r"""Adadelta starts by $\sqrt\epsilon\, g / \sqrt{(1-\rho) g^2 + \epsilon}$: $\epsilon$ is its initial rate."""
    first = g[0, ...]
    expected = eps**0.5 * first / namespace(g).sqrt((1 - rho) * first * first + eps)
    return agreement(updates(Adadelta(lr=1.0, rho=rho, eps=eps), g)[0], expected, scale=(eps / (1 - rho)) ** 0.5)


@claim(
    SURVEY, {**G, "rho": RHO}, expect="refuted", instead="adaptive.adadelta_start",
    witness={"dtype": "float64", "steps": 1, "n": 1, "g": np.ones((1, 1)), "rho": 0.9},
)  # fmt: skip
def adadelta_starts_without_eps(g: Array, rho: float) -> float:
    r"""Adadelta needs no initial rate: with $\epsilon = 0$, too, it moves where the gradient is not zero."""
    xp = namespace(g)
    moved = min(float(xp.min(abs(u))) for u in updates(Adadelta(lr=1.0, rho=rho, eps=0.0), away(g)))
    return 1.0 if moved > 0 else -1.0


@claim(f"{LION}; {SURVEY}", BETAS, kind="equality", tolerance=ROUNDING)
def adam_constant(g: Array, steps: int, beta1: float, beta2: float) -> float:
    r"""Without $\epsilon$ Adam's first step is $\mathrm{sgn}(g)$, and so is every step along a constant gradient."""
    first = away(g)[0, ...]
    sign = namespace(g).sign(first)
    return same(updates(Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0), [first] * steps), [sign] * steps)


@claim(
    SURVEY, BETAS, kind="equality", tolerance=0.1, expect="refuted", instead="adaptive.adam_constant",
    witness={"dtype": "float64", "steps": 2, "n": 1, "g": np.asarray([[1.0], [-0.5]]), "beta1": 0.9, "beta2": 0.999},
)  # fmt: skip
def adam_stays_sign(g: Array, beta1: float, beta2: float) -> float:
    """Adam's steps stay near the sign of the gradient; but they depart from it with t."""
    found = updates(Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0), away(g))[-1]
    return agreement(found, namespace(g).sign(away(g)[-1, ...]), scale=1.0)


@claim(SURVEY, BETAS, kind="equality", tolerance=ROUNDING)
def adam_uncorrected_start(g: Array, beta1: float, beta2: float) -> float:
    r"""Uncorrected, Adam's first step is $\frac{1 - \beta_1}{\sqrt{1 - \beta_2}} \mathrm{sgn}(g)$."""
    first, ratio = away(g)[0, ...], (1 - beta1) / math.sqrt(1 - beta2)
    rule = Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0, bias_correction="none")
    return agreement(updates(rule, [first])[0], ratio * namespace(g).sign(first), scale=ratio)


@claim(
    SURVEY, BETAS, expect="refuted", instead="adaptive.adam_uncorrected_start",
    witness={"dtype": "float64", "steps": 1, "n": 1, "g": np.ones((1, 1)), "beta1": 0.9, "beta2": 0.999},
)  # fmt: skip
def adam_correction_lengthens(g: Array, beta1: float, beta2: float) -> float:
    """Bias corrections lengthen Adam's first step; but at (0.9, 0.999) it is 3.2 times shorter with them."""
    rule, first = Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0), [away(g)[0, ...]]
    (a,), (b,) = (updates(r, first) for r in (rule.replace(bias_correction="none"), rule))
    return slack(float(abs(a[0])), float(abs(b[0])))


@claim(f"{LION}; archive 10588 (section 6)", {**G, "beta1": Real(0.1, 0.95), "beta2": RHO}, kind="equality",
       tolerance=ulps(640))  # fmt: skip
def adabelief_start(g: Array, beta1: float, beta2: float) -> float:
    r"""AdaBelief's first step without $\epsilon$ is $\mathrm{sgn}(g) / \beta_1$, for $v = (1-\beta_2) \beta_1^2 g^2$.

    The difference $g - m$ loses as many digits as $1/\beta_1$ has, ten times more at most.
    """
    first = away(g)[0, ...]
    rule = AdaBelief(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0)
    return agreement(updates(rule, [first])[0], namespace(g).sign(first) / beta1, scale=1 / beta1)


@claim(article(6), BETAS, kind="equality", tolerance=ROUNDING)
def adabelief_surprise(g: Array, beta1: float) -> float:
    r"""AdaBelief squares $g_t - m_t$ with the new mean, which is $\beta_1 (g_t - m_{t-1})$."""
    xp, rule = namespace(g), AdaBelief(beta1=beta1, beta2=0.0, eps=0.0)
    before, after = (states(rule, x)[-1] for x in (xp.concat([0 * g[:1, ...], g], axis=0)[:-1, ...], g))
    surprise = xp.sqrt(slot(after, "v"))
    return agreement(surprise, beta1 * abs(g[-1, ...] - slot(before, "m")), scale=1 + float(xp.max(abs(g))))


@claim(ADAM, BETAS, tolerance=ROUNDING, infimum=0.0)
def adam_bound(g: Array, beta1: float, beta2: float) -> float:
    r"""Without $\epsilon$ Adam's step is at most $\eta \sqrt{\sum_s a_s^2 / b_s}$, with the weights of both means.

    These are $a_s = \frac{1-\beta_1}{1-\beta_1^t} \beta_1^{t-s}$ and $b_s$ likewise (Cauchy-Schwarz). Equality for
    gradients in proportion to $a_s / b_s$.
    """
    t, xp = g.shape[0], namespace(g)
    a, b = (np.asarray([beta ** (t - s) for s in range(1, t + 1)]) for beta in (beta1, beta2))
    bound = math.sqrt(float(np.sum((a / a.sum()) ** 2 / (b / b.sum()))))
    found = updates(Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0), away(g))[-1]
    return slack(float(xp.max(abs(found))), bound, bound)


@claim(
    ADAM, BETAS, tolerance=1e-3, expect="refuted", instead="adaptive.adam_bound",
    witness={"dtype": "float64", "steps": 2, "n": 1, "g": np.asarray([[0.0], [1.0]]), "beta1": 0.0, "beta2": 0.9},
)  # fmt: skip
def adam_at_most_the_rate(g: Array, beta1: float, beta2: float) -> float:
    r"""Adam's step is at most the rate $\eta$."""
    found = updates(Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0), away(g))[-1]
    return slack(float(namespace(g).max(abs(found))), 1.0)


@claim(ADAM, {"t": Integer(1, 12), "beta": Real(0.01, 0.99)}, kind="equality", tolerance=1e-11)
def adam_mean_of_noise(t: int, beta: float) -> float:
    r"""For independent gradients of mean 0 $E \hat m_t^2 = \frac{1-\beta}{1+\beta} \frac{1+\beta^t}{1-\beta^t} E g^2$.

    That is 1 at t = 1, as large as $\hat v$, and falls: this is how steps depart from the sign. The weights of the mean
    are what it makes of the rows of the identity. 1e-11 for what $1 - \beta^t$ loses at 0.99.
    """
    m = slot(states(Adam(beta1=beta), np.eye(t))[-1], "m") / (1 - beta**t)
    expected = (1 - beta) / (1 + beta) * (1 + beta**t) / (1 - beta**t)
    return agreement(float(np.sum(m * m)), expected)


SCALE_FREE: tuple[Rule, ...] = (
    Adam(eps=0.0), AdaBelief(eps=0.0), Adagrad(eps=0.0), RMSProp(eps=0.0), NAdam(eps=0.0), AdaMax(eps=0.0),
)  # fmt: skip
SCALED: dict[str, Element] = {"k": Integer(-40, 40), **G, "dtype": Choice(("float64",))}


@claim(SURVEY, {"rule": Choice(SCALE_FREE), **SCALED}, kind="equality", tolerance=0.0)
def scale_free(rule: Rule, k: int, g: Array) -> float:
    r"""Without $\epsilon$ an adaptive step does not see the scale of the gradients, $2^k$, bit for bit."""
    return same(updates(rule, away(g)), updates(rule, 2.0**k * away(g)))


@claim(
    SURVEY, {"rule": Choice((Adam(lr=1.0), RMSProp(lr=1.0), Adagrad(lr=1.0))), **SCALED}, kind="equality",
    expect="refuted", instead="adaptive.scale_free",
    witness={"rule": Adam(lr=1.0), "k": -30, "dtype": "float64", "steps": 1, "n": 1, "g": np.ones((1, 1))},
)  # fmt: skip
def scale_free_with_eps(rule: Rule, k: int, g: Array) -> float:
    r"""With the $\epsilon$ that rules have by default they do not see the scale of the gradients."""
    return same(updates(rule, away(g)), updates(rule, 2.0**k * away(g)))


def _zero(rule: Any) -> float:
    return float(updates(rule, np.zeros((1, 1)))[0][0])


@claim(SURVEY, kind="behaviour")
def zero_gradient() -> float:
    r"""Gradients that were always zero give NaN without $\epsilon$, and no step with it."""
    without = [_zero(rule(eps=0.0)) for rule in (Adam, AdaBelief, Adagrad, RMSProp, Adadelta)]
    return 1.0 if all(map(math.isnan, without)) and _zero(Adam()) == _zero(Adagrad()) == 0 else -1.0


@claim(SURVEY, kind="behaviour")
def unsurprised() -> float:
    r"""With $\beta_1 = 0$ nothing surprises AdaBelief: without $\epsilon$ it divides by zero."""
    return 1.0 if math.isinf(float(updates(AdaBelief(beta1=0.0, eps=0.0), np.ones((1, 1)))[0][0])) else -1.0
