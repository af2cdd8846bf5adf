"""Gradient accumulation hidden in momentum: where it is exact, and what it costs where it is not."""

import itertools
import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import DTYPES, Choice, Element, Integer, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, largest, same, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away, follow, slot, states, updates, whole
from arrayopt.core.optimizer import Optimizer
from arrayopt.firstorder import Accumulate, Adafactor, Adam, Lion, Momentum, Nesterov, Tiger
from arrayopt.theory import accumulated_momentum, hidden_momentum, spread_decay, spread_gap

ARTICLE = article(26)
TIGER = article(25)
ROUNDING = ulps(64)
G: dict[str, Element] = {
    "dtype": DTYPES, "k": Integer(1, 4), "groups": Integer(1, 3), "n": Integer(1, 2),
    "p": Numbers(("n",), dtype="dtype"), "g": Numbers(("groups", "k", "n"), dtype="dtype"),
}  # fmt: skip
BETA = Real(0.0, 0.95)
ONE = {"dtype": "float64", "k": 2, "groups": 1, "n": 1, "p": np.zeros(1), "g": np.asarray([[[1.0], [-0.5]]])}
TWO = {**ONE, "groups": 2, "g": np.asarray([[[1.0], [1.0]], [[1.0], [1.0]]])}


def _calls(g: Array) -> list[Array]:
    """Return gradients call by call."""
    return [g[i, j, :] for i in range(g.shape[0]) for j in range(g.shape[1])]


def _flat(g: Array) -> Array:
    return namespace(g).reshape(g, (g.shape[0] * g.shape[1], g.shape[2]))


FOLDING: tuple[Momentum, ...] = (
    Momentum(lr=0.1, form="ema"), Momentum(lr=0.1), Momentum(lr=0.1, lr_place="inside"),
    Momentum(lr=0.1, dampening=0.3, first="gradient", weight_decay=0.2),
    Momentum(lr=0.1, lr_place="inside", weight_decay=0.2, decay="decoupled"),
)  # fmt: skip


@claim(ARTICLE, {"rule": Choice(FOLDING), **G, "beta": BETA}, kind="equivalence", tolerance=ROUNDING)
def folded(rule: Momentum, k: int, p: Array, g: Array, beta: float) -> float:
    r"""Folded into the momentum accumulation is explicit accumulation: $\beta$ in the first call of a group only.

    Gradients are taken at parameters that rest within a group.
    """
    rule = rule.replace(momentum=beta)
    explicit = follow(Accumulate(rule=rule, k=k), p, _calls(g))
    scale = largest(p) + g.shape[0] * largest(p, g) / (1 - beta)
    return same(follow(rule.replace(accumulate=k), p, _calls(g)), explicit, scale)


@claim(
    f"{ARTICLE}; {TIGER}",
    {"rule": Choice((Tiger(lr=0.1, weight_decay=0.25), Tiger(lr=0.1, scale="none"), Momentum(lr=0.125))),
     "beta": Choice((0.0, 0.5, 0.75)), **G, "k": Choice((1, 2, 4))},
    kind="equivalence", tolerance=0.0,
)  # fmt: skip
def folded_exactly(rule: Tiger | Momentum, beta: float, k: int, p: Array, g: Array) -> float:
    """Where nothing is rounded folding is exact bit for bit: in Tiger, too, and for k = 1 it is the plain rule."""
    rule = rule.replace(beta=beta) if isinstance(rule, Tiger) else rule.replace(momentum=beta, form="ema")
    calls = _calls(whole(g))
    found = follow(rule.replace(accumulate=k), whole(p), calls)
    plain = same(found, follow(rule, whole(p), calls)) if k == 1 else 0.0
    return min(plain, same(found, follow(Accumulate(rule=rule, k=k), whole(p), calls)))


@claim(ARTICLE, {**G, "beta": BETA}, kind="equality", tolerance=ROUNDING)
def hidden(k: int, g: Array, beta: float) -> float:
    r"""$m_t = [(\beta-1)\chi_{(t-1)/k} + 1] m_{t-1} + \frac{1-\beta}{k} g_t$ is the running mean of means of k.

    And it is what the rule keeps.
    """
    m, flat = hidden_momentum(_flat(g), k, beta), _flat(g)
    kept = slot(states(Momentum(momentum=beta, form="ema", accumulate=k), flat)[-1], "v")
    scale = largest(g)
    return min(agreement(m, accumulated_momentum(flat, k, beta), scale), agreement(kept, m[-1, :], scale))


@claim(
    ARTICLE, {**G, "beta": BETA}, kind="equality", tolerance=1e-3, expect="refuted", instead="accumulation.hidden",
    witness={**TWO, "beta": 0.5},
)  # fmt: skip
def decayed_in_every_call(k: int, g: Array, beta: float) -> float:
    r"""Multiplying the running mean by $\beta$ in every call of a group accumulates, too."""
    m, flat = 0 * g[0, 0, :], _flat(g)
    for t in range(flat.shape[0]):
        m = beta * m + (1 - beta) / k * flat[t, :]
    return agreement(m, accumulated_momentum(flat, k, beta)[-1, :], largest(g))


# Adam -----------------------------------------------------------------------------------------

PAIR: dict[str, Element] = {**G, "beta1": BETA, "beta2": BETA}


def _folded_steps(g: Array, k: int, beta1: float, beta2: float, eps: float) -> list[Array]:
    m, v = hidden_momentum(_flat(g), k, beta1), hidden_momentum(_flat(g), k, beta2, power=2)
    return [m[i, :] / (1 - beta1 ** (i + 1)) / (namespace(g).sqrt(v[i, :] / (1 - beta2 ** (i + 1))) + eps)
            for i in range(g.shape[0])]  # fmt: skip


def _true_steps(g: Array, k: int, beta1: float, beta2: float, eps: float) -> list[Array]:
    rule = Accumulate(rule=Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=eps), k=k)
    return updates(rule, _calls(g))[k - 1 :: k]


@claim(ARTICLE, PAIR, tolerance=ROUNDING, infimum=0.0)
def second_moment(k: int, g: Array, beta2: float) -> float:
    r"""Folded into Adam's second mean it gives more, $v \ge v_{true}$: a mean of squares for the square of a mean."""
    xp, flat = namespace(g), _flat(g)
    large, true = (f(flat, k, beta2, power=2) for f in (hidden_momentum, accumulated_momentum))
    return float(xp.min(large - true)) / largest(g) ** 2


@claim(ARTICLE, PAIR, tolerance=ROUNDING, infimum=0.0)
def shorter_steps(k: int, g: Array, beta1: float, beta2: float) -> float:
    """With both means folded Adam's steps are never longer than on mean gradients."""
    pairs = zip(_folded_steps(g, k, beta1, beta2, 0.01), _true_steps(g, k, beta1, beta2, 0.01), strict=True)
    return min(float(namespace(g).min(abs(b) - abs(a))) for a, b in pairs)


@claim(ARTICLE, PAIR, kind="equivalence", tolerance=1e-3, expect="refuted", instead="accumulation.second_moment",
       witness={**ONE, "beta1": 0.5, "beta2": 0.5})  # fmt: skip
def folded_adam(k: int, g: Array, beta1: float, beta2: float) -> float:
    """Adam folds accumulation into both means exactly."""
    return same(_folded_steps(g, k, beta1, beta2, 0.01), _true_steps(g, k, beta1, beta2, 0.01))


@claim(ARTICLE, PAIR, kind="equivalence", tolerance=ulps(256))
def folded_adam_equal(k: int, g: Array, beta1: float, beta2: float) -> float:
    """Adam folds accumulation into both means exactly where the gradients of a group are equal."""
    xp = namespace(g)
    g = xp.concat([g[:, :1, :]] * k, axis=1)
    steps = _folded_steps(g, k, beta1, beta2, 0.01), _true_steps(g, k, beta1, beta2, 0.01)
    return same(*steps, largest(*steps[0]))


@claim(ARTICLE, PAIR, tolerance=1e-3, expect="refuted", instead="accumulation.noise", witness={**ONE, "beta1": 0.0,
       "beta2": 0.0, "g": np.asarray([[[1.0], [-1.0]]])})  # fmt: skip
def at_most_k_times(k: int, g: Array, beta2: float) -> float:
    """Folded, the second mean of Adam is at most k times too large; for noise on average, but not in every sample."""
    flat = _flat(g)
    large, true = (f(flat, k, beta2, power=2)[-1, :] for f in (hidden_momentum, accumulated_momentum))
    return float(namespace(g).min(k * true - large))


@claim(ARTICLE, {"k": Integer(1, 6), "mean": Real(0.0, 3.0), "beta": Real(0.0, 0.95)}, kind="equality",
       tolerance=1e-13)  # fmt: skip
def noise(k: int, mean: float, beta: float) -> float:
    r"""For gradients $\mu \pm 1$ it is on average $\frac{\mu^2 + 1}{\mu^2 + 1/k}$ times too large: k times at 0.

    The law is exact: all $2^k$ signs are coordinates.
    """
    g = mean + np.asarray(list(itertools.product((-1.0, 1.0), repeat=k))).T
    large, true = (f(g, k, beta, power=2).mean() for f in (hidden_momentum, accumulated_momentum))
    return agreement(large / true, (mean**2 + 1) / (mean**2 + 1 / k))


# What cannot be folded ------------------------------------------------------------------------


@claim(ARTICLE, {**G, "mu": BETA}, kind="equality", tolerance=ROUNDING)
def nesterov(k: int, g: Array, mu: float) -> float:
    r"""Nesterov on mean gradients steps by $\bar g + \mu v$: it needs the mean beside the folded velocity."""
    v = slot(states(Momentum(momentum=mu, accumulate=k), _flat(g))[-1], "v")
    mean = namespace(g).mean(g[-1, :, :], axis=0)
    step = updates(Accumulate(rule=Nesterov(lr=1.0, momentum=mu), k=k), _calls(g))[-1]
    return agreement(step, mean + mu * v, scale=2 * g.shape[0] * largest(g))


@claim(
    ARTICLE, {**G, "mu": BETA}, kind="equality", tolerance=1e-3, expect="refuted", instead="accumulation.nesterov",
    witness={**ONE, "mu": 0.5},
)  # fmt: skip
def nesterov_by_the_last(k: int, g: Array, mu: float) -> float:
    r"""Nesterov on mean gradients steps by $g + \mu v$ with the last gradient g: no mean needs to be kept."""
    v = slot(states(Momentum(momentum=mu, accumulate=k), _flat(g))[-1], "v")
    step = updates(Accumulate(rule=Nesterov(lr=1.0, momentum=mu), k=k), _calls(g))[-1]
    return agreement(step, g[-1, -1, :] + mu * v, scale=largest(g))


@claim(
    "archive 9473 (section 24), trap", {"m": Real(-1.0, 1.0), "a": Real(-10.0, 10.0), "b": Real(-10.0, 10.0)},
    kind="equality", tolerance=0.0, expect="refuted", instead="accumulation.folded_exactly",
    witness={"m": 0.91, "a": -8.0, "b": -9.5},
)  # fmt: skip
def lion(m: float, a: float, b: float) -> float:
    """Lion's step follows from its new mean, so that one slot serves for accumulation: two gradients, one mean."""
    steps = []
    for g in (a, b):
        rule, zero = Lion(lr=1.0), np.zeros(1)
        _, state = rule.update(np.asarray([(m - 0.01 * g) / 0.99 / 0.01]), rule.init(zero), zero)
        steps.append(rule.update(np.asarray([g]), state, zero)[0])
    return agreement(steps[0], steps[1], scale=1.0)


def _arrays(rule: Optimizer, shape: tuple[int, ...] = (3,)) -> float:
    """Return the numbers a rule keeps, in units of the parameters."""
    kept = sum(x.size for by in rule.init(np.zeros(shape)).slots.values() for x in by.values())
    return float(kept / math.prod(shape))


@claim(f"{TIGER}; survey, section 7", kind="behaviour")
def memory() -> float:
    """Arrays beside the parameters: Tiger 1, Lion 1, Adam 2; with accumulation Tiger 1, Lion 2, Adam 3."""
    plain = [_arrays(rule) for rule in (Tiger(), Momentum(), Lion(), Adam())]
    folded = [_arrays(rule) for rule in (Tiger(accumulate=4), Momentum(accumulate=4))]
    explicit = [_arrays(Accumulate(rule=rule, k=4)) for rule in (Lion(), Adam())]
    return 1.0 if plain == [1, 1, 1, 2] and folded == [1, 1] and explicit == [2, 3] else -1.0


@claim("survey, section 7", kind="behaviour")
def memory_of_adafactor() -> float:
    """Adafactor without momentum keeps a row and a column; with accumulation 1.x arrays."""
    rule = Adafactor()
    found = _arrays(rule, (200, 300)), _arrays(Accumulate(rule=rule, k=4), (200, 300))
    return 1.0 if 0 < found[0] < 0.02 and 1 < found[1] < 1.02 else -1.0


# A beta closer to one -------------------------------------------------------------------------

SPREAD: dict[str, Element] = {"k": Integer(2, 64), "beta": Real(0.0, 0.999)}


@claim(ARTICLE, SPREAD, infimum=0.0)
def spread_forgets_less(k: int, beta: float) -> float:
    r"""With $\tilde\beta = 1 - (1-\beta)/k$ in every call k calls forget no more: $\tilde\beta^k \ge \beta$."""
    return slack(beta, spread_decay(beta, k) ** k)


@claim(ARTICLE, SPREAD, infimum=0.0)
def spread_gap_at_most(k: int, beta: float) -> float:
    r"""$\tilde\beta^k - \beta \le \frac{k-1}{2k} (1-\beta)^2$, and at least that less a term of third order.

    Which is $\frac{(k-1)(k-2)}{6 k^2} (1-\beta)^3$.
    """
    x = 1 - beta
    relative, first = spread_gap(beta, k) / x**2, (k - 1) / (2 * k)
    return min(first - relative, relative - first + (k - 1) * (k - 2) / (6 * k**2) * x)


@claim(ARTICLE, SPREAD, kind="equality", tolerance=1e-12)
def spread_gap_itself(k: int, beta: float) -> float:
    r"""Without cancellation the gap of k calls is still $\tilde\beta^k - \beta$."""
    return agreement(beta + spread_gap(beta, k), spread_decay(beta, k) ** k, scale=1.0)


@claim(
    ARTICLE, {**G, "beta": BETA}, kind="equality", tolerance=1e-3, expect="refuted",
    instead="accumulation.spread_gap_at_most", witness={**ONE, "beta": 0.5},
)  # fmt: skip
def spread_is_accumulation(k: int, g: Array, beta: float) -> float:
    r"""With $\tilde\beta$ in every call the running mean is that of mean gradients: nearly, not exactly."""
    m = slot(states(Momentum(momentum=spread_decay(beta, k), form="ema"), _calls(away(g)))[-1], "v")
    return agreement(m, accumulated_momentum(_flat(away(g)), k, beta)[-1, :], largest(g))


KNOWN = tuple(
    Known(f"accumulation.gap_{k}", rf"$\tilde\beta^k - \beta$ at $\beta = 0.9$, k = {k}", ARTICLE, printed,
          lambda k=k: spread_gap(0.9, k))  # type: ignore[misc]
    for k, printed in ((2, "0.0025"), (4, "0.003688"), (16, "0.004554"))
)  # fmt: skip
