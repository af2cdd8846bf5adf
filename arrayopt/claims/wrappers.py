"""What any base rule can be given: decay, layer adaptation, lookahead, accumulation, clipping, partition."""

from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Real, Signs
from arrayopt.claims.margins import agreement, largest, norm, same, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import LR, WALK, away, follow, updates
from arrayopt.core.rule import Rule
from arrayopt.firstorder import (
    LAMB,
    SGD,
    Accumulate,
    Adagrad,
    Adam,
    AdamW,
    Average,
    Clip,
    IfFinite,
    Lazy,
    Lion,
    Lookahead,
    MixedPrecision,
    Momentum,
    Partition,
    SignSGD,
    Tiger,
    TrustRatio,
)
from arrayopt.firstorder.partition import HasAxes
from arrayopt.firstorder.wrapper import Wrapper
from arrayopt.theory import amos_rates

ARTICLE = article(27)
LINKS = "archives 7094, 9344 and 9512 (links between articles)"
ROUNDING = ulps(64)
DECAY = Real(0.0, 0.5)
D: dict[str, Element] = {**WALK, "lr": LR, "decay": DECAY}
ONE = {"dtype": "float64", "steps": 1, "n": 1, "p": np.full(1, 2.0), "g": np.ones((1, 1)), "lr": 0.1, "decay": 0.5}
BASES: tuple[Rule, ...] = (SGD(lr=0.1), Momentum(lr=0.1), Adam(lr=0.1, eps=0.05), Lion(lr=0.1), Tiger(lr=0.1))


@claim(ARTICLE, {**D, "beta1": Real(0.0, 0.95), "beta2": Real(0.5, 0.999)}, kind="equality", tolerance=ulps(32))
def lamb_step(p: Array, g: Array, lr: float, decay: float, beta1: float, beta2: float) -> float:
    r"""LAMB's step has the length $\gamma \|\theta\|$, with decay or without.

    Gradients are of the sign of the parameters here, so that decay cannot cancel the update.
    """
    p, rule = away(p), LAMB(lr=lr, beta1=beta1, beta2=beta2, weight_decay=decay)
    (after,) = follow(rule, p, [away(abs(g[0, ...])) * (2 * namespace(p).astype(p >= 0, p.dtype) - 1)])
    return agreement(norm(after - p), lr * norm(p), scale=norm(p))


@claim(ARTICLE, D, kind="equality", tolerance=ROUNDING)
def lamb_from_zero(g: Array, lr: float) -> float:
    r"""LAMB's step at $\theta = 0$ is Adam's: unlike Tiger's, its leaves of zeros move."""
    lamb, adam = (follow(rule, 0 * g[0, ...], g[:1, ...])[0] for rule in (LAMB(lr=lr, eps=1e-3), Adam(lr=lr, eps=1e-3)))
    return agreement(lamb, adam)


@claim(ARTICLE, {**WALK, "lr": Real(1e-3, 0.3)}, kind="equivalence", tolerance=ulps(1024))
def lamb_is_adapted_adam(p: Array, g: Array, lr: float) -> float:
    r"""LAMB is Adam with layer adaptation, $\theta \leftarrow \theta - \gamma h \|\theta\| / \|h\|$ for its step h.

    The wrapper sees h as the difference of two parameters.
    """
    p, g, adam, path = away(p), abs(away(g)), Adam(lr=1.0, eps=1e-3), []
    at = p
    for h in updates(adam, g):
        at = at - lr * norm(at) / norm(h) * h
        path.append(at)
    size = largest(p, *path)
    return same([*follow(LAMB(lr=lr, eps=1e-3), p, g), *follow(TrustRatio(rule=adam, lr=lr), p, g)], path * 2, size)


EMBEDDING: dict[str, Element] = {
    "rule": Choice((Momentum(lr=0.1, weight_decay=0.5), AdamW(lr=0.1, eps=0.05), Lion(lr=0.1, weight_decay=0.5))),
    "steps": Integer(1, 4), "p": Numbers((3, 2)), "g": Numbers(("steps", 3, 2)), "moves": Signs(("steps", 3)),
}  # fmt: skip


@claim(ARTICLE, EMBEDDING, kind="equality", tolerance=0.0)
def lazy(rule: Rule, p: Array, g: Array, moves: Array) -> float:
    """Lazy rows rest while they have no gradient, the others step as they would: parameters and memory, bit for bit."""
    xp, held, g = namespace(p), Lazy(rule=rule), away(g) * namespace(p).astype(moves > 0, p.dtype)[:, :, None]
    state, apart = held.init(p), 0.0
    for t in range(g.shape[0]):
        (after, new), (eager, eager_state) = held.update(g[t, ...], state, p), rule.update(g[t, ...], state, p)
        pairs = [(after, p, eager), *((new.slots[k][""], state.slots[k][""], eager_state.slots[k][""])
                                      for k in state.slots)]  # fmt: skip
        for found, before, then in pairs:
            apart = min(apart, agreement(found, xp.where((moves[t, :] > 0)[:, None], then, before)))
        p, state = after, new
    return apart


@claim(ARTICLE, EMBEDDING, kind="equality", tolerance=1e-3, expect="refuted", instead="wrappers.lazy",
       witness={"rule": Momentum(lr=0.1, weight_decay=0.5), "steps": 2, "p": np.ones((3, 2)), "g": np.ones((2, 3, 2)),
                "moves": np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])})  # fmt: skip
def lazy_changes_nothing(rule: Rule, p: Array, g: Array, moves: Array) -> float:
    """Rows without a gradient rest under any rule, lazy or not: momentum and decay move them."""
    g = away(g) * namespace(p).astype(moves > 0, p.dtype)[:, :, None]
    return same(follow(Lazy(rule=rule), p, g), follow(rule, p, g))


@claim(LINKS, {**WALK, "lr": LR, "cosine": Real(0.1, 1.0)}, kind="equality", tolerance=ulps(64))
def one_family(p: Array, g: Array, lr: float, cosine: float) -> float:
    r"""LAMB, Tiger and Amos take steps of $\alpha_t$ times a length: $\|\theta\|$, $\sqrt k$ RMS, $\|\varepsilon_0\|$.

    From $\theta^* = 0$ and in a first step without decay the three are one.
    """
    p, u = away(p), away(g[0, ...])
    (lamb,), (tiger,) = (follow(rule, p, [u]) for rule in (LAMB(lr=lr), Tiger(lr=lr, weight_decay=0.0)))
    amos = norm(amos_rates(0, lr, cosine, scale=norm(p), update_norm=norm(u)).lr * u)
    return agreement([norm(lamb - p), norm(tiger - p), amos], [lr * norm(p)] * 3, scale=norm(p))


# Decay ----------------------------------------------------------------------------------------


@claim(ARTICLE, D, kind="equivalence", tolerance=ROUNDING)
def decay_is_l2_for_sgd(p: Array, g: Array, lr: float, decay: float) -> float:
    r"""For SGD decay of the parameter, $\theta \leftarrow \theta - \gamma (g + \lambda \theta)$, is L2 in the loss."""
    rule = SGD(lr=lr, weight_decay=decay)
    return same(follow(rule.replace(decay="decoupled"), p, g), follow(rule, p, g), largest(p) + g.shape[0] * largest(g))


OTHERS: tuple[Rule, ...] = (Momentum(), Adam(eps=0.05), Adagrad(eps=0.05), SignSGD(), Lion())


@claim(ARTICLE, {"rule": Choice(OTHERS), **D}, kind="equivalence", tolerance=1e-3, expect="refuted",
       witness={**ONE, "rule": Adam(eps=0.05)}, instead="wrappers.decay_is_l2_for_sgd")  # fmt: skip
def decay_is_l2(rule: Rule, p: Array, g: Array, lr: float, decay: float) -> float:
    """Decay of the parameter is L2 in the loss for any rule."""
    rule = rule.replace(lr=lr, weight_decay=decay, decay="l2")
    return same(follow(rule.replace(decay="decoupled"), p, g), follow(rule, p, g))


def _shrunk(rule: Rule, p: Array, g: Array) -> Array:
    """Return what decay changes in a first step."""
    (a,), (b,) = (follow(r, p, [g[0, ...]]) for r in (rule, rule.replace(weight_decay=0.0)))
    return a - b


@claim(ARTICLE, D, kind="equality", tolerance=ROUNDING)
def decoupled_shrinks_alike(p: Array, g: Array, lr: float, decay: float) -> float:
    r"""Decoupled decay takes $\gamma \lambda \theta$ of every coordinate, whatever its gradients."""
    found = _shrunk(AdamW(lr=lr, weight_decay=decay), p, g)
    return agreement(found, -lr * decay * p, scale=largest(p))


@claim(ARTICLE, D, kind="equality", tolerance=1e-3, expect="refuted", witness=ONE,
       instead="wrappers.decoupled_shrinks_alike")  # fmt: skip
def l2_shrinks_alike(p: Array, g: Array, lr: float, decay: float) -> float:
    r"""L2 in Adam's gradient takes $\gamma \lambda \theta$, too; but it is divided by the root of the second mean."""
    return agreement(_shrunk(Adam(lr=lr, weight_decay=decay), p, g), -lr * decay * p, scale=largest(p))


@claim(ARTICLE, D, kind="equivalence", tolerance=0.0)
def adamw_is_adam(p: Array, g: Array, lr: float, decay: float) -> float:
    """Adam with decoupled decay is AdamW, bit for bit."""
    adam = Adam(lr=lr, weight_decay=decay, decay="decoupled")
    return same(follow(AdamW(lr=lr, weight_decay=decay), p, g), follow(adam, p, g))


# Lookahead ------------------------------------------------------------------------------------

AHEAD: dict[str, Element] = {"k": Integer(1, 4), **WALK, "alpha": Real(0.01, 1.0)}


@claim(ARTICLE, {"rule": Choice(BASES), **AHEAD}, kind="equality", tolerance=ROUNDING)
def lookahead(rule: Rule, k: int, p: Array, g: Array, alpha: float) -> float:
    r"""Lookahead is its rule, but for $\theta = \Theta \leftarrow \Theta + a (\theta - \Theta)$ every k steps."""
    state, slow, fast, path = rule.init(p), p, p, []
    for t in range(1, g.shape[0] + 1):
        fast, state = rule.update(g[t - 1, ...], state, fast)
        if t % k == 0:
            slow = fast = slow + alpha * (fast - slow)
        path.append(fast)
    return same(follow(Lookahead(rule=rule, k=k, alpha=alpha), p, g), path)


@claim(ARTICLE, AHEAD, kind="equivalence", tolerance=ROUNDING)
def lookahead_of_linear(k: int, p: Array, g: Array, steps: int, alpha: float) -> float:
    r"""Lookahead of SGD on a linear loss is SGD at the rate $a \gamma$, seen every k steps."""
    walk = [g[0, ...]] * (k * steps)
    slow = follow(Lookahead(rule=SGD(lr=0.1), k=k, alpha=alpha), p, walk)[k - 1 :: k]
    return same(slow, follow(SGD(lr=0.1 * alpha), p, walk)[k - 1 :: k], largest(p) + steps * largest(g))


def _descend(rule: Any, p: Array, steps: int) -> list[Array]:
    """Return the path on |p|^2 / 2."""
    state, path = rule.init(p), []
    for _ in range(steps):
        p, state = rule.update(p, state, p)
        path.append(p)
    return path


@claim(ARTICLE, AHEAD, kind="equivalence", tolerance=1e-3, expect="refuted", instead="wrappers.lookahead_of_linear",
       witness={"k": 4, "dtype": "float64", "steps": 5, "n": 1, "p": np.full(1, 2.0), "g": np.ones((5, 1)),
                "alpha": 0.5})  # fmt: skip
def lookahead_of_quadratic(k: int, p: Array, steps: int, alpha: float) -> float:
    r"""Lookahead of SGD is SGD at the rate $a \gamma$, seen every k steps, on any loss."""
    slow = _descend(Lookahead(rule=SGD(lr=0.5), k=k, alpha=alpha), p, k * steps)[k - 1 :: k]
    plain = _descend(SGD(lr=0.5 * alpha), p, k * steps)[k - 1 :: k]
    return same(slow, plain, largest(p))


# The rest -------------------------------------------------------------------------------------


@claim(ARTICLE, {"rule": Choice(BASES), "k": Integer(1, 3), **WALK, "more": Numbers((3, "n"), dtype="dtype")},
       kind="equivalence", tolerance=0.0)  # fmt: skip
def accumulates_means(rule: Rule, k: int, p: Array, more: Array) -> float:
    """Explicit accumulation over k calls is one step on the sum of $g / k$: the mean gradient."""
    total = 0 * more[0, ...]
    for t in range(k):
        total = total + more[t, ...] / k
    return agreement(follow(Accumulate(rule=rule, k=k), p, more)[k - 1], follow(rule, p, [total])[0])


IDLE: tuple[Wrapper, ...] = tuple(
    wrapped
    for rule in BASES
    for wrapped in (
        Accumulate(rule=rule, k=1), Clip(rule=rule, max_norm=1e9, form="exact"), Average(rule=rule),
        IfFinite(rule=rule), MixedPrecision(rule=rule, scale=1.0, dynamic=False), Lookahead(rule=rule, k=9),
    )
)  # fmt: skip


@claim(ARTICLE, {"wrapped": Choice(IDLE), **WALK}, kind="equivalence", tolerance=0.0)
def idle(wrapped: Wrapper, p: Array, g: Array) -> float:
    """Wrappers that have nothing to do leave the path of their rule alone, bit for bit."""
    return same(follow(wrapped, p, g), follow(wrapped.rule, p, g))


@claim(ARTICLE, {"rule": Choice(BASES), **WALK}, kind="equivalence", tolerance=0.0)
def partition(rule: Rule, p: Array, g: Array) -> float:
    """One rule for every part is that rule."""
    both = Partition.by(HasAxes(2, 2), rule.replace(lr=9.0), rule)
    return same(follow(both, p, g), follow(rule, p, g))


@claim("arXiv 1211.5063; archive 7094 (section 27)", {**WALK, "c": Real(0.1, 10.0, log=True)}, tolerance=ROUNDING,
       infimum=0.0)  # fmt: skip
def clipped(g: Array, c: float) -> float:
    """Clipped to the norm c gradients are no longer than c, and keep their direction."""
    first = away(g)[0, ...]
    step = -follow(Clip(rule=SGD(lr=1.0), max_norm=c, form="exact"), 0 * first, [first])[0]
    bound = min(c, norm(first))
    return min(slack(norm(step), c, c), agreement(step, bound / norm(first) * first, scale=c))
