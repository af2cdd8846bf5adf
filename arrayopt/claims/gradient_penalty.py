"""Gradients by the input against gradients by the parameters of a perceptron."""

from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers
from arrayopt.claims.margins import agreement, largest, same, slack
from arrayopt.claims.walks import away
from arrayopt.theory import MLPGradients, initial_weights, mlp_gradients

SOURCE = "archive 8796, arXiv 2111.15090 (section 11)"
NET: dict[str, Element] = {
    "layers": Integer(1, 3), "activation": Choice(("tanh", "relu", "identity")), "x": Numbers((2,)),
    "w": Numbers((3, 2, 2)), "b": Numbers((3, 2)), "c": Numbers((2,)),
}  # fmt: skip


def _linear(c: Array) -> Any:
    """Return <c, h> and its gradient as a function of h."""
    return lambda h: (namespace(h).sum(c * h), c + 0 * h)


def _pass(layers: int, activation: Any, x: Array, w: Array, b: Array | None, c: Array) -> MLPGradients:
    """Return the gradients of <c, output>."""
    biases = None if b is None else [b[t, :] for t in range(layers)]
    return mlp_gradients(x, [w[t, :, :] for t in range(layers)], biases, _linear(c), activation)


def _margin(lower: Array, parts: Array) -> float:
    """Return the margin of lower <= parts, over the sum of these."""
    xp = namespace(lower)
    return float(xp.min(parts - lower)) / max(float(xp.sum(parts)), 1e-12)


@claim(SOURCE, NET, tolerance=1e-10, infimum=0.0)
def bound(layers: int, activation: str, x: Array, w: Array, b: Array, c: Array) -> float:
    r"""$\|\nabla_x f\|^2 \sum_t (1 + \|h_t\|^2) / \|W_t\|^2 \|\nabla_x h_t\|^2 \le \|\nabla_\theta f\|^2$.

    For one sample; layer by layer, too.
    """
    found = _pass(layers, activation, x, w, b, c)
    lower, whole = namespace(x).sum(found.layer_bounds()), found.square_of_parameter_gradient
    return min(_margin(lower, whole), _margin(found.layer_bounds(), found.layer_identity()))


@claim(SOURCE, NET, tolerance=1e-10, infimum=0.0)
def bound_by_frobenius_norms(layers: int, activation: str, x: Array, w: Array, b: Array, c: Array) -> float:
    """With Frobenius norms of matrices and Jacobians it is valid, and weaker."""
    found = _pass(layers, activation, x, w, b, c)
    weaker = found.layer_bounds("frobenius")
    return min(_margin(weaker, found.layer_bounds()), _margin(weaker, found.layer_identity()))


@claim(SOURCE, {**NET, "activation": Choice(("tanh", "relu"))}, tolerance=1e-10, infimum=0.0)
def bound_without_biases(layers: int, activation: str, x: Array, w: Array, c: Array) -> float:
    r"""Without biases $\|\nabla_x f\|^2 \sum_t \|h_t\|^2 / \|W_t\|^2 \|\nabla_x h_t\|^2 \le \|\nabla_\theta f\|^2$."""
    found = _pass(layers, activation, x, w, None, c)
    return _margin(found.layer_bounds(), found.layer_identity())


@claim(
    f"{SOURCE}, trap", {"x": Numbers((2,), low=-1.0, high=1.0), "w": Numbers((1, 2), low=0.5, high=2.0)},
    tolerance=1e-6, expect="refuted", witness={"x": np.array([1.0, 1.0]), "w": np.array([[1.0, 1.0]])},
    instead="gradient_penalty.bound_without_biases",
)  # fmt: skip
def bound_with_one_but_without_biases(x: Array, w: Array) -> float:
    """The "1 +" stays if there are no biases."""
    one = namespace(x).ones((1,), dtype=x.dtype)
    left = mlp_gradients(x, [w], [0 * one], _linear(one), "identity").layer_bounds()
    return _margin(left, mlp_gradients(x, [w], None, _linear(one), "identity").square_of_parameter_gradient)


@claim(f"{SOURCE}, trap", {"x": Numbers((2,)), "w": Numbers((2, 2, 2)), "b": Numbers((2,), low=-9.0, high=-1.0)},
       kind="equality", tolerance=0.0)  # fmt: skip
def dead_layer(x: Array, w: Array, b: Array) -> float:
    r"""Behind a layer of ReLU that is dead both sides are 0, and not 0/0: $\nabla_x h = 0$ and $\nabla_x f = 0$."""
    first = -abs(w[0, :, :]) * abs(x)[None, :] - 1  # no unit is above its bias
    found = mlp_gradients(abs(x), [first, w[1, :, :]], [b, b], _linear(namespace(x).ones_like(x)), "relu")
    return same([found.input_gradient, found.layer_bounds()], [0 * x, 0 * found.layer_bounds()], 1.0)


@claim(
    f"{SOURCE}, trap", {"n": Integer(1, 4), "m": Integer(1, 4), "w": Numbers(("n", "m"))}, tolerance=1e-12, infimum=0.0
)
def spectral_norm(n: int, m: int, w: Array) -> float:
    r"""$\|W\|_2^2 \ge \|W\|_F^2 / \min(n, m)$: initial matrices that keep second moments have norms of 1 and more."""
    size = float(namespace(w).sum(w * w))
    top = float(namespace(w).linalg.matrix_norm(w, ord=2))
    return (top * top - size / min(n, m)) / size if size > 1e-6 else 0.0


@claim(f"{SOURCE}, trap", kind="probability")
def initial_norms() -> float:
    """And not near 0, as the paper has it: those of LeCun, He and Xavier have norms from 1 to 4.5 (seed 0)."""
    norms = [
        float(np.linalg.norm(np.asarray(initial_weights(shape, scheme, rng=0)), 2))
        for scheme in ("lecun", "he", "xavier") for shape in ((64, 64), (64, 256), (256, 64))
    ]  # fmt: skip
    return min(min(norms) - 1, 4.5 - max(norms))


@claim(SOURCE, NET, kind="equality", tolerance=1e-12)
def identity(layers: int, activation: str, x: Array, w: Array, b: Array, c: Array) -> float:
    r"""$\|\nabla_\theta f\|^2 = \sum_t \|\delta_t\|^2 (1 + \|h_t\|^2)$: each gradient of a matrix has rank one."""
    found = _pass(layers, activation, x, w, b, c)
    return agreement(found.square_of_parameter_gradient, namespace(x).sum(found.layer_identity()))


@claim(SOURCE, NET, kind="equality", tolerance=1e-11)
def of_matrices(layers: int, activation: str, x: Array, w: Array, b: Array, c: Array) -> float:
    r"""$h_t (\nabla_x f)' = (\nabla_{W_t} f)' W_t \nabla_x h_t$ for every layer."""
    found = _pass(layers, activation, x, w, b, c)
    pairs = [found.matrix_identity(t) for t in range(layers)]
    scale = largest(*found.h) * largest(*found.deltas) * largest(w) ** (2 * layers)
    return min(agreement(left, right, scale) for left, right in pairs)


@claim(SOURCE, {"x": Numbers((3,)), "w": Numbers((1, 3))}, kind="equality", tolerance=1e-12)
def equal_for_linear_models(x: Array, w: Array) -> float:
    """With one layer and one output the bound is an equality."""
    one = namespace(x).ones((1,), dtype=x.dtype)
    found = mlp_gradients(x, [away(w)], [one], _linear(one), "identity")
    return agreement(found.layer_bounds()[0], found.square_of_parameter_gradient)


@claim(
    SOURCE, {"x": Numbers((2,), low=0.5, high=2.0), "shift": Numbers((1,), low=-1.0, high=1.0)}, tolerance=1e-6,
    expect="refuted", witness={"x": np.array([1.0, 1.0]), "shift": np.array([0.0])},
    instead="gradient_penalty.bound",
)  # fmt: skip
def bound_of_batches(x: Array, shift: Array) -> float:
    """The bound holds for the mean gradient of a batch: not where two samples pull in opposite ways."""
    one = namespace(x).ones((1,), dtype=x.dtype)
    two = [mlp_gradients(x, [one[:, None] + 0 * x], [shift], _linear(sign * one), "identity") for sign in (1, -1)]
    mean = [(g + h) / 2 for g, h in zip(*(net.weight_gradients + net.bias_gradients for net in two), strict=True)]
    lower = sum(float(net.layer_bounds()[0]) for net in two) / 2
    return slack(lower, sum(float(namespace(g).sum(g * g)) for g in mean))
