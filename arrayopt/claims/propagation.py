"""How variance travels through residual networks: Post-Norm, Pre-Norm, and why BERT starts from 0.02."""

import math
from collections.abc import Callable

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Choice, Count, Element, Integer, Numbers, Orthogonal, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, norm, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.core.random import generator
from arrayopt.theory.dropout import all_masks
from arrayopt.theory.propagation import initial_scale, random_stack, second_moments
from arrayopt.theory.residual import post_norm_weights, pre_norm_variance, residual_stack, rms_norm

SOURCE = article(19)
ROUNDING = ulps(256)
DEEP: dict[str, Element] = {"layers": Count(0, 60), "v": Real(1e-3, 1e2, log=True)}
ORTHOGONAL: dict[str, Element] = {"n": Integer(2, 6), "Q": Orthogonal("n"), "v": Real(1e-2, 1e2, log=True)}


@claim(SOURCE, DEEP, kind="equality", tolerance=ROUNDING, smooth=False)
def squares_add_up(layers: int, v: float) -> float:
    r"""Squares of Post-Norm's weights, $(1 + \sigma^2)^{-l/2}$ and $(1 + \sigma^2)^{-(l-i)/2}$, add up to 1.

    Those of the branches times their variance $\sigma^2$.
    """
    shortcut, branches = post_norm_weights(layers, v)
    return agreement(shortcut**2 + v * float(np.sum(branches**2)), 1.0)


def _independent(n: int, Q: Array, v: float) -> tuple[Array, list[Array]]:
    """Return an x of mean square 1, and n - 1 branches of mean square v, all orthogonal."""
    columns = [math.sqrt(n) * Q[:, i] for i in range(n)]
    return columns[0], [math.sqrt(v) * c for c in columns[1:]]


def _constant(f: Array) -> Callable[[Array], Array]:
    return lambda x: f


@claim(SOURCE, ORTHOGONAL, kind="equality", tolerance=ROUNDING)
def post_norm(n: int, Q: Array, v: float) -> float:
    r"""$x_{t+1} = \mathrm{Norm}(x_t + F_t)$, branches uncorrelated: $x_0$ and the $F_i$ have those weights in $x_l$."""
    x, branches = _independent(n, Q, v)
    shortcut, weights = post_norm_weights(n - 1, v)
    expected = shortcut * x
    for w, f in zip(weights.tolist(), branches, strict=True):
        expected = expected + w * f
    return agreement(residual_stack(x, [_constant(f) for f in branches])[-1], expected)


MAPS: dict[str, Element] = {"n": Integer(1, 4), "layers": Count(1, 5), "A": Orthogonal("n"), "x": Numbers(("n",))}


def _correlated(A: Array, x: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Return x at mean square 1, and a branch of the mean square of what goes in: a rotation."""
    if norm(x) < 1e-6:
        raise Outside
    return rms_norm(x), lambda z: A @ z


@claim(
    SOURCE, MAPS, kind="equality", tolerance=1e-6, expect="refuted", instead="propagation.post_norm", smooth=False,
    witness={"n": 2, "layers": 4, "A": np.eye(2), "x": np.ones(2)},
)  # fmt: skip
def post_norm_of_any_branches(n: int, layers: int, A: Array, x: Array) -> float:
    r"""Whatever the branches of variance 1, Post-Norm leaves $2^{-l/2}$ of $x_0$: the correlation of $x_l$ with it."""
    x, branch = _correlated(A, x)
    return agreement(float(x @ residual_stack(x, [branch] * layers)[-1]) / n, 2 ** (-layers / 2), scale=1.0)


@claim(SOURCE, ORTHOGONAL, kind="equality", tolerance=ROUNDING)
def pre_norm(n: int, Q: Array, v: float) -> float:
    r"""$x_{t+1} = x_t + F_t(\mathrm{Norm}(x_t))$, branches uncorrelated: the variance of $x_l$ is $1 + l \sigma^2$.

    So all branches have the same weight, and $\mathrm{Norm}(x_i)$ is $x_i / \sqrt{1 + i \sigma^2}$.
    """
    x, branches = _independent(n, Q, v)
    states, expected, margins = residual_stack(x, [_constant(f) for f in branches], norm="pre"), x, []
    for i, state in enumerate(states):
        expected = expected + branches[i - 1] if i else expected
        variance = pre_norm_variance(i, v)
        margins += [agreement(state, expected), agreement(norm(state) ** 2 / n, variance)]
        margins += [agreement(rms_norm(state), state / math.sqrt(variance))]
    return min(margins)


@claim(SOURCE, MAPS, tolerance=ROUNDING, infimum=0.0, smooth=False)
def pre_norm_bound(n: int, layers: int, A: Array, x: Array) -> float:
    r"""Whatever the branches of variance 1, that of $x_l$ is at most $(1 + l)^2$, with equality where all are equal."""
    x, branch = _correlated(A, x)
    variance = norm(residual_stack(x, [branch] * layers, norm="pre")[-1]) ** 2 / n
    return slack(variance, (1 + layers) ** 2)


@claim(
    SOURCE, MAPS, kind="equality", tolerance=1e-6, expect="refuted", instead="propagation.pre_norm", smooth=False,
    witness={"n": 2, "layers": 4, "A": np.eye(2), "x": np.ones(2)},
)  # fmt: skip
def pre_norm_of_any_branches(n: int, layers: int, A: Array, x: Array) -> float:
    r"""Whatever the branches of variance 1, the variance of Pre-Norm's $x_l$ is $1 + l$."""
    x, branch = _correlated(A, x)
    variance = norm(residual_stack(x, [branch] * layers, norm="pre")[-1]) ** 2 / n
    return agreement(variance, pre_norm_variance(layers))


@claim(SOURCE, {**DEEP, "t": Real(1.0, 1e2, log=True)}, tolerance=ROUNDING, infimum=0.0, smooth=False)
def smaller_is_nearer(layers: int, v: float, t: float) -> float:
    r"""Smaller branches keep Post-Norm nearer to the identity: the weight of $x_0$ falls as $\sigma^2$ grows."""
    return slack(post_norm_weights(layers, v * t)[0], post_norm_weights(layers, v)[0])


BERT: dict[str, Element] = {
    "width": Count(2, 4096, log=True), "nominal": Real(1e-3, 0.1, log=True), "maps": Count(1, 3), "layers": Count(1, 48)
}  # fmt: skip


@claim(SOURCE, BERT, kind="equality", tolerance=ROUNDING, smooth=False)
def branch_variance(width: int, nominal: float, maps: int, layers: int) -> float:
    r"""$\sigma^2$ is the variance of the output of branches: $(n s^2)^k$ for k linear maps of deviation s."""
    found = initial_scale(width, nominal, maps=maps, layers=layers)
    return agreement(found.shortcut, (1 + (width * found.real**2) ** maps) ** (-layers / 2))


@claim(
    SOURCE, BERT, kind="equality", tolerance=1e-2, expect="refuted", instead="propagation.branch_variance",
    witness={"width": 768, "nominal": 0.02, "maps": 2, "layers": 24}, smooth=False,
)  # fmt: skip
def weight_variance(width: int, nominal: float, maps: int, layers: int) -> float:
    r"""$\sigma^2$ is the variance of the weights, as one may read it: the shortcut's weight is $(1 + s^2)^{-l/2}$."""
    found = initial_scale(width, nominal, maps=maps, layers=layers)
    return agreement(found.shortcut, (1 + found.real**2) ** (-layers / 2))


@claim(SOURCE, kind="probability", tolerance=0.0)
def run_of_bert() -> float:
    r"""24 Post-Norm branches of two random maps at $n s^2 = 0.23769$ leave 0.517 of $x_0$, within 5 deviations.

    Of 64 orthogonal $x_0$ with 256 entries, that of the mean being $\sqrt{(1 - 0.517^2) / 256 / 64}$.
    """
    rng, n, shortcut = generator(0), 256, initial_scale().shortcut
    X = math.sqrt(n) * np.linalg.qr(rng.standard_normal((n, 64)))[0].T
    std = math.sqrt(initial_scale().map_factor / n)

    def branch() -> Callable[[Array], Array]:
        W, V = std * rng.standard_normal((2, n, n))
        return lambda x: x @ W @ V

    found = float(np.mean(X * residual_stack(X, [branch() for _ in range(24)])[-1]))
    return slack(abs(found - shortcut), 5 * math.sqrt((1 - shortcut**2) / n / 64))


NET: dict[str, Element] = {
    "activation": Choice(("linear", "relu")), "x": Numbers((2,)), "s": Real(0.1, 10.0, log=True),
    "r": Real(0.1, 10.0, log=True),
}  # fmt: skip


@claim(SOURCE, NET, kind="equality", tolerance=ROUNDING)
def all_nets(activation: str, x: Array, s: float, r: float) -> float:
    r"""Second moments of a layer after the other: $n s^2$ times that before, half of it with ReLU.

    As the mean of all 256 nets of two layers of two with weights $\pm s$, $\pm r$.
    """
    xp = namespace(x)
    M = xp.reshape(2 * all_masks(xp.concat([x, x]), 0.5)[0] - 1, (16, 2, 2))
    first = _activated(activation, s * (M @ x))
    second = _activated(activation, r * (M[:, None, :, :] @ first[None, :, :, None]))
    found = [float(xp.mean(h * h)) for h in (x, first, second)]
    return agreement(found, second_moments([2, 2], [s, r], activation=activation, first=found[0]))  # type: ignore[arg-type]


def _activated(activation: str, z: Array) -> Array:
    return namespace(z).where(z > 0, z, 0 * z) if activation == "relu" else z


@claim(SOURCE, kind="probability", tolerance=0.0)
def random_nets() -> float:
    """Normal weights do so on average: of 100 nets of three layers within 5 standard errors, linear and with ReLU."""
    widths, stds, x = [30, 40, 20], [0.2, 0.15, 0.1], generator(1000).standard_normal((5, 30))
    worst = 0.0
    for activation in ("linear", "relu"):
        drawn = np.asarray(
            [random_stack(x, [40, 20, 10], stds, activation=activation, rng=seed) for seed in range(100)]
        )[:, 1:]
        expected = second_moments(widths, stds, activation=activation, first=float(np.mean(x * x)))[1:]
        worst = max(worst, float(np.max(np.abs(drawn.mean(axis=0) - expected) / (drawn.std(axis=0) / 10))))
    return slack(worst, 5.0)


@claim(
    SOURCE, {"n": Integer(1, 3), "x": Numbers(("n",)), "W": Numbers(("n", "n")), "layers": Count(1, 5)},
    kind="equivalence", tolerance=0.0, smooth=False,
)  # fmt: skip
def rezero(x: Array, W: Array, layers: int) -> float:
    r"""ReZero and SkipInit, $x + \alpha F(x)$ with $\alpha = 0$ at the start: the network begins as the identity."""
    xp = namespace(x)
    return agreement(residual_stack(x, [lambda z: xp.tanh(W @ z)] * layers, norm="none", alpha=0.0)[-1], x)


GRADIENTS: dict[str, Element] = {"n": Integer(1, 6), "g": Numbers(("n",)), "c": Real(1e-6, 1e6, log=True)}


def _typical(g: Array) -> float:
    """Return the typical update of Adam over its rate, E[g] / sqrt(E[g^2]); that is for gradients other than 0."""
    xp = namespace(g)
    second = float(xp.mean(g * g))
    if second == 0:
        raise Outside
    return float(xp.mean(g)) / math.sqrt(second)


@claim(SOURCE, GRADIENTS, tolerance=ulps(64), infimum=0.0)
def update_of_adam(g: Array) -> float:
    r"""Adam's typical update $\eta E[g] / \sqrt{E[g^2]}$ is at most $\eta$, with equality for equal gradients."""
    return slack(abs(_typical(g)), 1.0)


@claim(SOURCE, GRADIENTS, kind="equality", tolerance=ulps(64))
def whatever_the_scale(g: Array, c: float) -> float:
    """It is the same for gradients of any scale, so that vanishing ones do not stop Adam."""
    return agreement(_typical(c * g), _typical(g), scale=1.0)


KNOWN = (
    Known("propagation.map", r"$n s^2$ of BERT", SOURCE, "0.23769", lambda: initial_scale().map_factor),
    Known("propagation.two_maps", "Of two maps", SOURCE, "0.0565", lambda: initial_scale().branch_variance),
    Known(
        "propagation.shortcut", "What is left of $x_0$ with such branches", SOURCE, "0.517",
        lambda: initial_scale().shortcut,
    ),
    Known("propagation.shortcut_of_one", r"With $\sigma^2 = 1$", SOURCE, "0.00024", lambda: post_norm_weights(24)[0]),
)  # fmt: skip
