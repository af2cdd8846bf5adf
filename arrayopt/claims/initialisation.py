"""Initial weights: what cutting a normal distribution does to its deviation, schemes, and constants of activations."""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Count, Element, Integer, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.theory.dropout import all_masks
from arrayopt.theory.initialisation import initial_weights, scheme_std, uniform_limit
from arrayopt.theory.propagation import gaussian_moment, initial_scale, ntk_linear, selu_constants
from arrayopt.theory.truncation import (
    truncated_normal,
    truncated_normal_nominal,
    truncated_normal_std,
    truncated_normal_variance,
)

SOURCE = article(19)
CONSTANTS = "archive 8620 (section 19)"
ROUNDING = ulps(64)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)
CUT: dict[str, Element] = {"k": Real(0.05, 8.0, log=True)}


def _mean(f: np.ndarray, k: float) -> float:
    """Return the mean of values at the nodes of [-k, k] under the normal distribution that is cut there."""
    density = WEIGHTS * np.exp(-0.5 * (k * NODES) ** 2)
    return float(np.sum(f * density) / np.sum(density))


@claim(SOURCE, CUT, kind="equality", tolerance=ROUNDING)
def variance_of_a_cut(k: float) -> float:
    r"""Cut at k standard deviations the variance is $\gamma = \int_{-k}^k x^2 e^{-x^2/2} / \int_{-k}^k e^{-x^2/2}$."""
    return agreement(truncated_normal_variance(k), _mean((k * NODES) ** 2, k))


@claim(SOURCE, {"k": Real(0.5, 30.0, log=True)}, kind="equality", tolerance=ROUNDING)
def closed_form(k: float) -> float:
    r"""$\gamma = 1 - 2 k \phi(k) / \mathrm{erf}(k / \sqrt 2)$."""
    density = math.exp(-0.5 * k * k) / math.sqrt(2 * math.pi)
    return agreement(truncated_normal_variance(k), 1 - 2 * k * density / math.erf(k / math.sqrt(2)), scale=1.0)


@claim(SOURCE, {"k": Real(1e-3, 1e2, log=True)}, tolerance=ROUNDING, infimum=0.0)
def cutting_narrows(k: float) -> float:
    r"""$\gamma \le \min(1, k^2/3)$: less than the normal distribution and than the uniform one, its two limits."""
    most = min(1.0, k * k / 3)
    return slack(truncated_normal_variance(k), most, most)


@claim(SOURCE, {"k": Real(1e-3, 10.0, log=True), "t": Real(1.0, 10.0, log=True)}, tolerance=ROUNDING, infimum=0.0)
def wider_is_wider(k: float, t: float) -> float:
    r"""$\gamma$ grows with k."""
    return slack(truncated_normal_variance(k), truncated_normal_variance(k * t), truncated_normal_variance(k * t))


STD: dict[str, Element] = {"std": Real(1e-4, 1e2, log=True), "k": Real(1e-2, 10.0, log=True)}


@claim(SOURCE, STD, kind="equality", tolerance=ROUNDING)
def what_to_ask_for(std: float, k: float) -> float:
    r"""For a real deviation $\sigma$ one has to ask for $\sigma / \sqrt\gamma$, at k = 2 for $1.1368 \sigma$."""
    asked = truncated_normal_nominal(std, k)
    return min(
        agreement(asked, std / math.sqrt(_mean((k * NODES) ** 2, k))), agreement(truncated_normal_std(asked, k), std)
    )


@claim(
    SOURCE, {"std": Real(1e-4, 1e2, log=True)}, kind="equality", tolerance=1e-2, expect="refuted",
    witness={"std": 0.02}, instead="initialisation.what_to_ask_for",
)  # fmt: skip
def nominal_is_real(std: float) -> float:
    """Normal numbers that are cut at two standard deviations have that standard deviation, to 1 %."""
    return agreement(truncated_normal_std(std), std)


def _deviations(x: Any, variance: float, fourth: float) -> float:
    """Return by how many standard deviations the mean of squares is off, given what both should be for one number."""
    found = float(np.mean(np.asarray(x) ** 2))
    return abs(found - variance) / math.sqrt((fourth - variance**2) / np.asarray(x).size)


@claim(SOURCE, kind="probability", tolerance=0.0)
def draws() -> float:
    """Draws have the variance that is said, nominal or real: mean squares are within 5 standard deviations of it."""
    variance, fourth = (_mean((2 * NODES) ** power, 2.0) for power in (2, 4))
    nominal = truncated_normal(100_000, nominal=0.02, rng=0)
    real = truncated_normal(100_000, std=0.02, rng=1)
    worst = max(
        _deviations(nominal, variance * 0.02**2, fourth * 0.02**4),
        _deviations(real, 0.02**2, fourth / variance**2 * 0.02**4),
    )
    return slack(worst, 5.0) if float(np.max(np.abs(np.asarray(nominal)))) <= 0.04 else -1.0


@claim(SOURCE, kind="probability", tolerance=0.0)
def draws_are_not_nominal() -> float:
    """So a nominal 0.02 is really 0.0176: draws are more than 50 standard deviations away from 0.02."""
    variance, fourth = (_mean((2 * NODES) ** power, 2.0) for power in (2, 4))
    x = truncated_normal(100_000, nominal=0.02, rng=0)
    return slack(50.0, _deviations(x, 0.02**2, (1 + fourth - variance**2) * 0.02**4))


KURTOSIS = {"normal": 3.0, "uniform": 1.8}


@claim(CONSTANTS, kind="probability", tolerance=0.0)
def schemes() -> float:
    """Each scheme has its real deviation under each distribution: 12 mean squares, within 5 standard deviations."""
    cut = _mean((2 * NODES) ** 4, 2.0) / _mean((2 * NODES) ** 2, 2.0) ** 2
    worst = 0.0
    for i, scheme in enumerate(("xavier", "he", "lecun", "ntk")):
        for j, (law, kurtosis) in enumerate({**KURTOSIS, "truncated_normal": cut}.items()):
            W = initial_weights((200, 100), scheme, distribution=law, rng=10 * i + j)  # type: ignore[arg-type]
            variance = {"xavier": 2 / 300, "he": 2 / 200, "lecun": 1 / 200, "ntk": 1.0}[scheme]
            worst = max(worst, _deviations(W, variance, kurtosis * variance**2))
    return slack(worst, 5.0)


@claim(CONSTANTS, {"std": Real(1e-4, 1e4, log=True)}, kind="equality", tolerance=ROUNDING)
def uniform(std: float) -> float:
    r"""The uniform distribution of deviation $\sigma$ is that on $[-\sqrt3 \sigma, \sqrt3 \sigma]$."""
    a = uniform_limit(std)
    return agreement(float(np.sum(WEIGHTS * (a * NODES) ** 2)) / 2, std * std)


NETS: dict[str, Element] = {
    "n": Integer(1, 6), "x": Numbers(("n",)), "s": Real(1e-2, 1e2, log=True), "u": Real(0.1, 0.9)
}  # fmt: skip
SYMMETRIC: dict[str, Element] = {name: element for name, element in NETS.items() if name != "u"}


def _weights(x: Array, s: float, u: float) -> tuple[Array, Array]:
    """Return all rows of weights with independent entries of a law of two values, mean 0 and deviation s; and odds.

    The values are sqrt((1 - u) / u) with odds u, and -sqrt(u / (1 - u)).
    """
    masks, odds = all_masks(x, u)
    return s * (masks * math.sqrt((1 - u) / u) - (1 - masks) * math.sqrt(u / (1 - u))), odds


@claim(CONSTANTS, NETS, kind="equality", tolerance=ulps(256))
def linear_map(n: int, x: Array, s: float, u: float) -> float:
    r"""A linear map of n inputs with independent weights of variance $s^2$ multiplies second moments by $n s^2$.

    For every fixed x, whatever the law of the weights.
    """
    W, odds = _weights(x, s, u)
    second = float(namespace(x).mean(x * x))
    return agreement(float(odds @ (W @ x) ** 2), n * s * s * second, scale=n * s * s * second + 1e-300)


@claim(CONSTANTS, SYMMETRIC, kind="equality", tolerance=ulps(256))
def relu_halves(x: Array, s: float) -> float:
    r"""With ReLU after it, by half of that, if the law of the weights is symmetric."""
    return _relu(x, s, 0.5)


@claim(
    CONSTANTS, NETS, kind="equality", tolerance=1e-9, expect="refuted", instead="initialisation.relu_halves",
    witness={"n": 1, "x": np.ones(1), "s": 1.0, "u": 0.2},
)  # fmt: skip
def relu_halves_always(x: Array, s: float, u: float) -> float:
    r"""With ReLU after it, by half of that, whatever the law of the weights."""
    return _relu(x, s, u)


def _relu(x: Array, s: float, u: float) -> float:
    xp, second = namespace(x), s * s * float(x @ x)
    W, odds = _weights(x, s, u)
    z = W @ x
    return agreement(float(odds @ xp.where(z > 0, z * z, 0 * z)), second / 2, scale=second + 1e-300)


@claim(CONSTANTS, SYMMETRIC, kind="equality", tolerance=ulps(256))
def schemes_keep(n: int, x: Array) -> float:
    r"""So LeCun's variance $1/n$ keeps second moments, and He's, $2/n$, does with ReLU."""
    xp, second = namespace(x), float(namespace(x).mean(x * x))
    W, odds = _weights(x, scheme_std("lecun", n), 0.5)
    V, _ = _weights(x, scheme_std("he", n), 0.5)
    z = V @ x
    return agreement(
        [float(odds @ (W @ x) ** 2), float(odds @ xp.where(z > 0, z * z, 0 * z))], [second] * 2, scale=second + 1e-300
    )


@claim(SOURCE, {"n": Count(1, 100_000, log=True)}, kind="equality", tolerance=ulps(4), smooth=False)
def xavier_of_squares(n: int) -> float:
    r"""Xavier's deviation for a square map is LeCun's, $1 / \sqrt n$: 0.0361 for BERT's 768."""
    return agreement(scheme_std("xavier", n, n), scheme_std("lecun", n))


LOGITS: dict[str, Element] = {"d": Integer(1, 4), "x": Numbers(("d",)), "u": Real(0.1, 0.9)}


@claim(CONSTANTS, LOGITS, kind="equality", tolerance=ulps(256))
def attention_logits(d: int, x: Array, u: float) -> float:
    r"""$E[(q \cdot k)^2] = d$ for independent entries of mean 0 and variance 1, so attention divides by $\sqrt d$."""
    values, odds = _weights(x, 1.0, u)
    return agreement(float(odds @ ((values @ values.T) ** 2 @ odds)), float(d))


NTK: dict[str, Element] = {
    "n": Integer(1, 4), "x": Numbers((2, "n")), "W": Numbers(("n", 2)), "y": Numbers((2, 2)), "rate": Real(0.0, 1.0)
}  # fmt: skip


@claim(CONSTANTS, NTK, kind="equivalence", tolerance=ROUNDING)
def ntk(n: int, x: Array, W: Array) -> float:
    r"""The NTK parametrisation, $x W / \sqrt n$ with weights of variance 1, is what LeCun's scheme makes of them."""
    scale = n * float(namespace(x).max(abs(x))) * float(namespace(W).max(abs(W))) + 1e-300
    return agreement(ntk_linear(x, W), x @ (W * scheme_std("lecun", n)), scale=scale)


@claim(CONSTANTS, NTK, kind="equivalence", tolerance=ROUNDING)
def ntk_rate(n: int, x: Array, W: Array, y: Array, rate: float) -> float:
    r"""There a step of gradient descent at a rate is one at $1/n$ of the rate of LeCun's parametrisation."""
    root = scheme_std("lecun", n)
    U = W * root
    step = (x * root).T @ (ntk_linear(x, W) - y)  # the gradient of half the squared loss by W
    there, here = (W - rate * step) * root, U - rate / n * (x.T @ (x @ U - y))
    xp = namespace(x)
    size = (1 + float(xp.max(abs(x)))) ** 2 * (1 + float(xp.max(abs(W))) + float(xp.max(abs(y))))
    return agreement(there, here, scale=size * n)


@claim(CONSTANTS, kind="equality", tolerance=ROUNDING)
def selu() -> float:
    r"""SELU of a standard normal number has mean 0 and second moment 1, with $\lambda = 1.0507$, $\alpha = 1.6733$."""
    scale, alpha = selu_constants()
    z = 6 + 6 * NODES  # of both halves, to 12
    density = 6 * WEIGHTS * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    below = alpha * np.expm1(-z)
    first, second = (float(np.sum(density * (z**k + below**k))) for k in (1, 2))
    return min(-abs(scale * first), -abs(scale * scale * second - 1))


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-z)))


@claim(CONSTANTS, kind="equality", tolerance=ROUNDING)
def sigmoid() -> float:
    r"""$\mathrm{sigmoid}(z) / \sqrt{0.29338}$ of a standard normal number has second moment 1."""
    z = 12 * NODES
    mean = float(np.sum(12 * WEIGHTS * _sigmoid(z) ** 2 * np.exp(-0.5 * z * z))) / math.sqrt(2 * math.pi)
    return agreement(mean / gaussian_moment(_sigmoid), 1.0)


KNOWN = (
    Known("initialisation.gamma", r"$\gamma$ at k = 2", SOURCE, "0.7737413035", truncated_normal_variance),
    Known(
        "initialisation.factor", r"$1 / \sqrt\gamma$ at k = 2", SOURCE, "1.1368472",
        lambda: truncated_normal_nominal(1.0),
    ),
    Known("initialisation.bert", "The real deviation of 0.02", SOURCE, "0.0175925", lambda: initial_scale().real),
    Known("initialisation.xavier", r"$1 / \sqrt{768}$", SOURCE, "0.0360844", lambda: initial_scale().xavier),
    Known(
        "initialisation.ratio", "What BERT takes over what Xavier would take", SOURCE, "0.48754",
        lambda: initial_scale().ratio,
    ),
    Known(
        "initialisation.sigmoid_moment", r"$E[\mathrm{sigmoid}(z)^2]$", CONSTANTS, "0.2933790",
        lambda: gaussian_moment(_sigmoid),
    ),
    Known("initialisation.selu_scale", r"$\lambda$ of SELU", CONSTANTS, "1.0507", lambda: selu_constants()[0]),
    Known("initialisation.selu_alpha", r"$\alpha$ of SELU", CONSTANTS, "1.6732632", lambda: selu_constants()[1]),
)  # fmt: skip
