"""Gradients by the input against gradients by the parameters of a perceptron."""

import numpy as np

from arrayopt.claims.claim import agreement, claim, slack
from arrayopt.claims.domain import Choice, Element, Integer, Numbers
from arrayopt.theory import MLPGradients, mlp_gradients

SOURCE = "archive 8796, arXiv 2111.15090 (section 11)"
NET: dict[str, Element] = {
    "layers": Integer(1, 3), "activation": Choice(("tanh", "relu", "identity")), "x": Numbers((2,)),
    "w": Numbers((3, 2, 2)), "b": Numbers((3, 2)), "c": Numbers((2,)),
}  # fmt: skip


def _pass(layers: int, activation: str, x: np.ndarray, w: np.ndarray, b: np.ndarray, c: np.ndarray) -> MLPGradients:
    """Return the gradients of <c, output>."""
    return mlp_gradients(x, list(w[:layers]), list(b[:layers]), lambda h: (h @ c, c + 0 * h), activation)  # type: ignore[arg-type]


@claim(SOURCE, NET, tolerance=1e-10, infimum=0.0, portable=False)
def bound(layers: int, activation: str, x: np.ndarray, w: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    r"""$\|\nabla_x f\|^2 \sum_t (1 + \|h_t\|^2) / \|W_t\|^2 \|\nabla_x h_t\|^2 \le \|\nabla_\theta f\|^2$.

    For one sample; layer by layer, too.
    """
    found = _pass(layers, activation, x, w, b, c)
    lower, parts = np.asarray(found.layer_bounds()), np.asarray(found.layer_identity())
    size = max(float(parts.sum()), 1e-12)
    whole = slack(float(lower.sum()), float(found.square_of_parameter_gradient), size)
    return float(min(whole, *((parts - lower) / size).tolist()))


@claim(SOURCE, NET, kind="equality", tolerance=1e-12, portable=False)
def identity(layers: int, activation: str, x: np.ndarray, w: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    r"""$\|\nabla_\theta f\|^2 = \sum_t \|\delta_t\|^2 (1 + \|h_t\|^2)$: each gradient of a matrix has rank one."""
    found = _pass(layers, activation, x, w, b, c)
    return agreement(float(found.square_of_parameter_gradient), float(np.asarray(found.layer_identity()).sum()))


@claim(SOURCE, NET, kind="equality", tolerance=1e-11, portable=False)
def of_matrices(layers: int, activation: str, x: np.ndarray, w: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    r"""$h_t (\nabla_x f)' = (\nabla_{W_t} f)' W_t \nabla_x h_t$ for every layer."""
    found = _pass(layers, activation, x, w, b, c)
    pairs = [tuple(map(np.asarray, found.matrix_identity(t))) for t in range(layers)]
    scale = max(1.0, *(float(np.abs(h).max()) for h in found.h)) * max(
        1.0, *(float(np.abs(d).max()) for d in found.deltas)
    ) * max(1.0, float(np.abs(w).max())) ** (2 * layers)  # fmt: skip
    return float(min(agreement(left, right, scale) for left, right in pairs))


@claim(SOURCE, {"x": Numbers((3,)), "w": Numbers((1, 3))}, kind="equality", tolerance=1e-12, portable=False)
def equal_for_linear_models(x: np.ndarray, w: np.ndarray) -> float:
    """With one layer and one output the bound is an equality."""
    if float(np.linalg.norm(w)) < 1e-3:
        return 0.0
    found = mlp_gradients(x, [w], [np.zeros(1)], lambda h: (h[..., 0], 1 + 0 * h), "identity")
    return agreement(float(np.asarray(found.layer_bounds()).sum()), float(found.square_of_parameter_gradient))


@claim(
    SOURCE, {"x": Numbers((2,), low=0.5, high=2.0), "shift": Numbers((1,), low=-1.0, high=1.0)}, tolerance=1e-6,
    portable=False, expect="refuted", witness={"x": np.array([1.0, 1.0]), "shift": np.array([0.0])},
    instead="gradient_penalty.bound",
)  # fmt: skip
def bound_of_batches(x: np.ndarray, shift: np.ndarray) -> float:
    """The bound holds for the mean gradient of a batch: not where two samples pull in opposite ways."""
    w = np.ones((1, 2))
    up = mlp_gradients(x, [w], [shift], lambda h: (h[..., 0], 1 + 0 * h), "identity")
    down = mlp_gradients(x, [w], [shift], lambda h: (-h[..., 0], -1 + 0 * h), "identity")
    two = (up, down)
    weights = np.mean([np.asarray(f.weight_gradients[0]) for f in two], axis=0)
    biases = np.mean([np.asarray(f.bias_gradients[0]) for f in two], axis=0)
    lower = np.mean([float(np.asarray(f.layer_bounds()).sum()) for f in two])
    return slack(float(lower), float(np.sum(weights**2) + np.sum(biases**2)), max(1.0, float(lower)))
