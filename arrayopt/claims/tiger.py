"""Tiger: a step of fixed relative size, and what half precision and NaN make of it."""

import math

import numpy as np

from arrayopt.backend import Array
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Element, Integer, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, largest, norm, same, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import LR, WALK, away, follow, slot, states
from arrayopt.core.schedules import PiecewiseLinear
from arrayopt.firstorder import Lion, Tiger
from arrayopt.firstorder.recipes import tiger_beta

TIGER = article(25)
TRAP = f"{TIGER}, trap"
PAPER = "survey, section 7"
D: dict[str, Element] = {**WALK, "lr": LR}
BETA = Real(0.0, 0.95)


def _rms(x: Array) -> float:
    return norm(x) / math.sqrt(math.prod(x.shape))


@claim(TIGER, D, kind="equality", tolerance=ulps(16))
def relative_step(p: Array, g: Array, lr: float) -> float:
    r"""Tiger's $\|\Delta\theta\| / \|\theta\| = \alpha_t$ without decay where no entry of the momentum is 0."""
    (after,) = follow(Tiger(lr=lr, weight_decay=0.0), away(p), away(g)[:1, ...])
    size = norm(away(p))
    return agreement(norm(after - away(p)), lr * size, scale=size)


@claim(
    TIGER, D, kind="equality", tolerance=1e-4, expect="refuted", instead="tiger.relative_step",
    witness={"dtype": "float64", "steps": 1, "n": 2, "p": np.ones(2), "g": np.asarray([[1.0, 0.0]]), "lr": 0.1},
)  # fmt: skip
def relative_step_always(p: Array, g: Array, lr: float) -> float:
    r"""Tiger's $\|\Delta\theta\| / \|\theta\| = \alpha_t$ without decay, also where the momentum has zeros."""
    (after,) = follow(Tiger(lr=lr, weight_decay=0.0), away(p), g[:1, ...])
    size = norm(away(p))
    return agreement(norm(after - away(p)), lr * size, scale=size)


@claim(TIGER, {**WALK, "lr": Real(0.1, 1.0), "decay": Real(0.0, 0.5)}, tolerance=ulps(160), infimum=0.0)
def relative_step_at_most(p: Array, g: Array, lr: float, decay: float) -> float:
    r"""Tiger's $\|\Delta\theta\| \le \alpha_t \|\theta\| (1 + \lambda \, \mathrm{RMS}(\theta))$; sharp."""
    p = away(p)
    (after,) = follow(Tiger(lr=lr, weight_decay=decay), p, g[:1, ...])
    bound = norm(p) * (1 + decay * _rms(p))
    return slack(norm(after - p) / lr, bound, bound)


@claim(TIGER, D, kind="equivalence", tolerance=ulps(16))
def step_is_lions(p: Array, g: Array, lr: float) -> float:
    r"""Tiger's first step without decay is Lion's times $\mathrm{RMS}(\theta)$: at RMS 1 they are one."""
    tiger, lion = Tiger(lr=lr, beta=0.5, weight_decay=0.0), Lion(lr=lr, beta1=0.5, beta2=0.5)
    (a,), (b,) = (follow(rule, p, g[:1, ...]) for rule in (tiger, lion))
    return agreement(a - p, _rms(p) * (b - p), scale=max(1.0, _rms(p)) * largest(p))


@claim(TIGER, {"rows": Integer(1, 3), "n": Integer(1, 3), "p": Numbers(("rows", "n")), "g": Numbers(("rows", "n")),
               "lr": LR}, kind="equality", tolerance=ulps(16))  # fmt: skip
def embedding_rows(p: Array, g: Array, rows: int, lr: float) -> float:
    """Each row of an embedding moves at its own relative rate."""
    p, rule = away(p), Tiger(lr=lr, weight_decay=0.0)
    tree, _ = rule.update({"embedding": away(g)}, rule.init({"embedding": p}), {"embedding": p})
    moved = tree["embedding"] - p
    return min(agreement(norm(moved[i, :]), lr * norm(p[i, :]), scale=norm(p[i, :])) for i in range(rows))


@claim(TIGER, {"k": Integer(1, 3), **WALK}, kind="equality", tolerance=0.0)
def rests_within_a_group(k: int, p: Array, g: Array, steps: int) -> float:
    """With accumulation over k micro-batches Tiger's parameters move in every k-th call only."""
    path = [p, *follow(Tiger(lr=0.1, accumulate=k), p, g)]
    return min((agreement(path[t], path[t - 1]) for t in range(1, steps + 1) if t % k), default=0.0)


@claim(TRAP, D, kind="equality", tolerance=0.0)
def zeros_rest(p: Array, g: Array, lr: float) -> float:
    """Leaves that start at zero have RMS 0 and never move."""
    return same(follow(Tiger(lr=lr), 0 * p, g), [0 * p] * g.shape[0])


@claim(
    TRAP, D, expect="refuted", instead="tiger.zeros_rest",
    witness={"dtype": "float64", "steps": 1, "n": 1, "p": np.zeros(1), "g": np.ones((1, 1)), "lr": 0.1},
)  # fmt: skip
def every_leaf_moves(p: Array, g: Array, lr: float) -> float:
    """Every leaf moves if its gradient is not zero."""
    return 1.0 if norm(follow(Tiger(lr=lr, weight_decay=0.0), p, away(g)[:1, ...])[0] - p) > 0 else -1.0


KNOTS: dict[str, Element] = {
    "first": Integer(1, 5), "gap": Integer(1, 5), "t": Integer(0, 20), "high": Real(1e-4, 2e-3), "low": Real(0.0, 1e-3),
}  # fmt: skip


@claim(TIGER, KNOTS, kind="equality", tolerance=1e-14)
def schedule(first: int, gap: int, t: int, high: float, low: float) -> float:
    """Piecewise-linear rates rise from 0 at step 0, are linear between its knots and constant after the last."""
    rate = PiecewiseLinear(((first, high), (first + gap, low)))
    return agreement(rate(t), np.interp(t, [0, first, first + gap], [0.0, high, low]), scale=high)


@claim(TIGER, WALK, kind="equality", tolerance=ulps(16))
def warm_up(p: Array, g: Array, steps: int) -> float:
    r"""During a warm-up of T steps Tiger's relative steps are $\alpha t / T$."""
    rule, before = Tiger(lr=PiecewiseLinear(((5, 2e-3),)), weight_decay=0.0), away(p)
    worst = 0.0
    for t, after in enumerate(follow(rule, before, [away(g)[0, ...]] * steps), 1):
        worst = min(worst, agreement(norm(after - before), 2e-3 * t / 5 * norm(before), scale=norm(before)))
        before = after
    return worst


# Half precision -------------------------------------------------------------------------------

HALF: dict[str, Element] = {"x": Real(2.0**-10, 2.0**10, log=True), "lr": Real(6e-8, 1e-3, log=True)}


def _moves(x: float, lr: float) -> bool:
    p = np.asarray([x], np.float16)
    rule = Tiger(lr=lr, scale="none", weight_decay=0.0)
    return bool(follow(rule, p, [np.ones(1, np.float16)])[0][0] != p[0])


@claim(f"{TRAP} (b); {PAPER}", HALF, expect="refuted", witness={"x": 1.0, "lr": 2e-4}, instead="tiger.half_absorbs",
       smooth=False)  # fmt: skip
def half_is_safe(x: float, lr: float) -> float:
    r"""In float16 updates by signs do not get lost if $\eta \ge 6 \cdot 10^{-8}$."""
    return 1.0 if _moves(x, lr) else -1.0


@claim(f"{TRAP} (b)", {**HALF, "lr": Real(6e-8, 1.0, log=True)}, kind="equivalence", smooth=False)
def half_absorbs(x: float, lr: float) -> float:
    r"""$\theta - \eta$ rounds to $\theta$ if $\eta < \frac12 \mathrm{ulp}(\theta)$, and not beyond: absorption.

    The spacing is that below $\theta$, half as wide at a power of two; the rate is that of float16, too.
    """
    half, step = np.float16(x), float(np.float16(lr))
    spacing = float(half) - float(np.nextafter(half, np.float16(0)))
    if step == spacing / 2:
        raise Outside  # a tie, which goes to the even one
    return 1.0 if _moves(float(half), lr) == (step > spacing / 2) else -1.0


@claim(f"{TRAP} (b)", {"ratio": Real(4.2, 90.0)}, kind="equivalence", smooth=False)
def half_large_entries(ratio: float) -> float:
    r"""In float16, at $\eta = 10^{-3}$, entries larger than about 4.1 RMS do not move at all; others do."""
    p = np.ones(10000, np.float16)
    p[0] = ratio / math.sqrt(1 - ratio**2 / 1e4)  # so that it is `ratio` times the RMS
    if float(p[0]) <= 4.1 * _rms(p.astype(float)) or math.log2(p[0]) % 1 == 0:
        raise Outside
    (after,) = follow(Tiger(lr=1e-3, weight_decay=0.0), p, [np.ones_like(p)])
    return 1.0 if after[0] == p[0] and np.all(after[1:] < p[1:]) else -1.0


@claim(f"{TRAP} (b)", kind="behaviour")
def half_at_one() -> float:
    r"""$1 - 2 \cdot 10^{-4}$ is 1 in float16, and less in float32."""
    rule, half = Tiger(lr=2e-4, scale="none", weight_decay=0.0), np.ones(1, np.float16)
    narrow, wide = (follow(rule, x, [x])[0][0] for x in (half, half.astype(np.float32)))
    return 1.0 if narrow == 1 and wide < 1 else -1.0


@claim(f"{TRAP} (d)", kind="behaviour")
def half_near_zero() -> float:
    r"""Beside 0 float16 ends at half its smallest number: a rate of 0.51 of it moves, one of 0.49 does not."""
    smallest, p = 2.0**-24, np.zeros(1, np.float16)
    rule = Tiger(scale="none", weight_decay=0.0)
    more, less = (follow(rule.replace(lr=c * smallest), p, [p + 1])[0][0] for c in (0.51, 0.49))
    return 1.0 if more == -smallest and less == 0 else -1.0


# NaN ------------------------------------------------------------------------------------------

P, GOOD, BAD = np.asarray([1.5, -2.0, 0.25]), np.asarray([0.5, -1.0, 2.0]), np.asarray([1.0, np.nan, 1.0])


@claim(f"{TIGER}; {PAPER}", kind="behaviour")
def nan_shrinks() -> float:
    r"""On a NaN in a leaf's gradient its momentum rests, and $\theta \leftarrow (\theta - c) s + c$; others go on."""
    rule = Tiger(lr=0.1, beta=0.5, shrink_ratio=0.5)
    params = {"gamma": P, "w": P, "v": P}
    one, state = rule.update(dict.fromkeys(params, GOOD), rule.init(params), params)
    two, after = rule.update({"gamma": BAD, "w": BAD, "v": GOOD}, state, one)
    rests = all(np.array_equal(after.slots["m"][k], state.slots["m"][k]) for k in ("gamma", "w"))
    shrunk = np.array_equal(two["gamma"], (one["gamma"] - 1) * 0.5 + 1) and np.array_equal(two["w"], 0.5 * one["w"])
    return 1.0 if rests and shrunk and np.array_equal(two["v"], follow(rule, P, [GOOD, GOOD])[1]) else -1.0


@claim(f"{TRAP} (c)", kind="behaviour")
def nan_skips_the_decay() -> float:
    r"""On a NaN the first micro-batch of a group also skips the factor $\beta$ of the momentum."""
    m = slot(states(Tiger(accumulate=2, beta=0.5), [GOOD, GOOD, BAD, GOOD])[-1], "m")
    return 1.0 if np.array_equal(m, GOOD / 2 + GOOD / 4) else -1.0


@claim(f"{TRAP} (c)", kind="behaviour")
def nan_shrinks_within_a_group() -> float:
    """On a NaN a leaf shrinks in calls that do not move parameters, too."""
    path = follow(Tiger(accumulate=3), P, [GOOD, BAD, BAD])
    return 1.0 if np.array_equal(path[1], 0.99 * P) and np.array_equal(path[2], 0.99 * (0.99 * P)) else -1.0


@claim(f"{TIGER}; {PAPER}", kind="behaviour")
def nan_unguarded() -> float:
    """Without its guard Tiger has a NaN in every entry of the leaf one step later, through the RMS."""
    one, two = follow(Tiger(nan="propagate"), P, [BAD, GOOD])
    return 1.0 if np.isnan(one).sum() == 1 and np.isnan(two).all() else -1.0


KNOWN = (
    Known("tiger.smallest_half", "The smallest number of float16", f"{TIGER}; {PAPER}", "6e-8",
          lambda: float(np.finfo(np.float16).smallest_subnormal)),
    Known("tiger.largest_half", "The largest", f"{TIGER}; {PAPER}", "65504", lambda: float(np.finfo(np.float16).max)),
    Known("tiger.beta_vision", r"Tiger's $\beta$ for vision, the mean of Lion's two", TIGER, "0.945",
          lambda: tiger_beta("vision")),
    Known("tiger.beta_language", r"Tiger's $\beta$ for language", TIGER, "0.965", lambda: tiger_beta("language")),
)  # fmt: skip
