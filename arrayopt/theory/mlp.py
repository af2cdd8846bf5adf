r"""A multilayer perceptron by hand: gradients by the input and by the parameters, and how the two are related.

.. math:: h^{(1)} = x, \qquad z^{(t+1)} = W^{(t)} h^{(t)} + b^{(t)}, \qquad h^{(t+1)} = g(z^{(t+1)}), \qquad
          \delta^{(t)} = \partial f / \partial z^{(t+1)}, \qquad t = 1, \dots, l

With spectral norms of matrices, layer by layer,

.. math:: \frac{\|\nabla_x f\|^2 \, (1 + \|h^{(t)}\|^2)}{\|W^{(t)}\|^2 \|\nabla_x h^{(t)}\|^2} \le
          \|\nabla_{W^{(t)}} f\|_F^2 + \|\nabla_{b^{(t)}} f\|^2 = \|\delta^{(t)}\|^2 (1 + \|h^{(t)}\|^2)

for each single sample; for averages over samples the inequality is false.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import reals
from arrayopt.core.orthogonal.precision import at_least_single
from arrayopt.errors import LeafError, OptionError
from arrayopt.theory.dual_norms import primal_norm
from arrayopt.theory.norms import vector_norm

__all__ = ["MLPGradients", "mlp_gradients"]

Activation = Literal["tanh", "relu", "identity"]


def _activate(xp: Namespace, kind: str, z: Array) -> tuple[Array, Array]:
    """Return g(z) and g'(z)."""
    if kind == "tanh":  # 1 - tanh^2 would cancel
        root = xp.exp(-xp.abs(z))
        small = root * root
        return xp.tanh(z), 4 * small / ((1 + small) * (1 + small))
    if kind == "relu":
        return xp.where(z > 0, z, 0 * z), xp.astype(z > 0, z.dtype)
    if kind == "identity":
        return z, xp.ones_like(z)
    raise OptionError(f'activations: expected "tanh", "relu" or "identity", got {kind!r}')


@dataclass(frozen=True)
class MLPGradients:
    r"""A pass forwards and one backwards through a perceptron of l layers.

    Parameters
    ----------
    value : array, shape (...)
        f.
    weights : tuple of l arrays
        :math:`W^{(t)}`.
    h : tuple of l + 1 arrays
        :math:`h^{(1)} = x, \dots, h^{(l+1)}`, shape (..., n_t).
    z : tuple of l arrays
        :math:`z^{(2)}, \dots, z^{(l+1)}`.
    jacobians : tuple of l + 1 arrays
        :math:`\nabla_x h^{(t)}`, shape (..., n_t, n_1), the first an identity.
    deltas : tuple of l arrays
        :math:`\delta^{(t)}`.
    weight_gradients, bias_gradients : tuple of l arrays
        :math:`\delta^{(t)} h^{(t)\prime}` and :math:`\delta^{(t)}`, of each sample; without biases none of the latter.
    input_gradient : array, shape (..., n_1)
        :math:`\nabla_x f`.
    """

    value: Array
    weights: tuple[Array, ...]
    h: tuple[Array, ...]
    z: tuple[Array, ...]
    jacobians: tuple[Array, ...]
    deltas: tuple[Array, ...]
    weight_gradients: tuple[Array, ...]
    bias_gradients: tuple[Array, ...]
    input_gradient: Array

    @property
    def square_of_parameter_gradient(self) -> Array:
        r""":math:`\|\nabla_\theta f\|^2`, shape (...): the squares of all entries of all gradients, added up."""
        xp = reals(x=self.input_gradient)
        total = sum(xp.sum(g * g, axis=(-2, -1)) for g in self.weight_gradients)
        return total + sum(xp.sum(g * g, axis=-1) for g in self.bias_gradients)

    def layer_identity(self) -> Array:
        r"""Return :math:`\|\delta^{(t)}\|^2 (1 + \|h^{(t)}\|^2)`, shape (..., l), whose sum is the square above."""
        xp = reals(x=self.input_gradient)
        one = 1 if self.bias_gradients else 0
        parts = []
        for d, h in zip(self.deltas, self.h, strict=False):
            part = vector_norm(xp, d) * _with_bias(xp, vector_norm(xp, h), one)
            parts.append(part * part)
        return xp.stack(parts, axis=-1)

    def layer_bounds(self, norm: Literal["spectral", "frobenius"] = "spectral") -> Array:
        r"""Return the left sides of the inequality of each layer, shape (..., l).

        .. math:: \|\nabla_x f\|^2 (1 + \|h^{(t)}\|^2) / (\|W^{(t)}\|^2 \|\nabla_x h^{(t)}\|^2)

        0 for layers past a dead one, whose Jacobian is 0: the gradient by the input is 0 then, too. Without biases
        there is no "1 +". Frobenius norms give a weaker bound.
        """
        xp = reals(x=self.input_gradient)
        one = 1 if self.bias_gradients else 0
        g = vector_norm(xp, self.input_gradient)
        parts = []
        for W, J, h in zip(self.weights, self.jacobians, self.h, strict=False):
            stretch = _matrix_norm(xp, W, norm) * _matrix_norm(xp, J, norm)
            dead = stretch == 0
            ratio = xp.where(dead, xp.zeros_like(g), g / xp.where(dead, xp.ones_like(stretch), stretch))
            part = ratio * _with_bias(xp, vector_norm(xp, h), one)
            parts.append(part * part)
        return xp.stack(parts, axis=-1)

    def matrix_identity(self, layer: int) -> tuple[Array, Array]:
        r"""Return both sides of :math:`h^{(t)} (\nabla_x f)' = (\nabla_{W^{(t)}} f)' \, W^{(t)} \nabla_x h^{(t)}`.

        Parameters
        ----------
        layer : int
            t - 1, from 0.
        """
        xp = reals(x=self.input_gradient)
        left = self.h[layer][..., :, None] * self.input_gradient[..., None, :]
        gradient = xp.matrix_transpose(self.weight_gradients[layer])
        return left, gradient @ (self.weights[layer] @ self.jacobians[layer])


def _with_bias(xp: Namespace, length: Array, one: int) -> Array:
    """Return the root of one plus a square that may overflow."""
    return xp.hypot(one * xp.ones_like(length), length)


def _matrix_norm(xp: Namespace, x: Array, norm: str) -> Array:
    if norm == "spectral":
        return primal_norm(x, "spectral")
    if norm != "frobenius":
        raise OptionError(f'norm: expected "spectral" or "frobenius", got {norm!r}')
    return vector_norm(xp, xp.reshape(x, (*x.shape[:-2], -1)))


def mlp_gradients(
    x: Array,
    weights: Sequence[Array],
    biases: Sequence[Array] | None,
    f: Callable[[Array], tuple[Array, Array]],
    activations: Activation | Sequence[Activation] = "tanh",
) -> MLPGradients:
    r"""Return the gradients of f of the output of a perceptron, by its input and its parameters.

    .. math:: \delta^{(l)} = g'(z^{(l+1)}) \circ \nabla_h f, \qquad
              \delta^{(t)} = g'(z^{(t+1)}) \circ W^{(t+1)\prime} \delta^{(t+1)}, \qquad
              \nabla_x f = W^{(1)\prime} \delta^{(1)}

    Parameters
    ----------
    x : array, shape (..., n_1)
        One sample, or as many as there are leading axes, each with its own gradients.
    weights : sequence of l arrays, shape (n_{t+1}, n_t)
    biases : sequence of l arrays, shape (n_{t+1},), or None
    f : callable
        ``f(h)`` gives values, shape (...), and gradients, shape (..., n_{l+1}).
    activations : {"tanh", "relu", "identity"} or a sequence of l of them
        The derivative of "relu" at 0 is 0.

    Raises
    ------
    LeafError, OptionError
        If there is no layer, shapes do not fit, or an activation is unknown.

    Notes
    -----
    float16 is computed, and given back, in float32.

    References
    ----------
    arXiv 2111.15090; kexue.fm/archives/8796, whose inequality this module states; the identity is derived here.

    Examples
    --------
    A linear model attains the bound.

    >>> import numpy as np
    >>> x, W, b = np.asarray([3.0, 4.0]), np.asarray([[1.0, 2.0]]), np.asarray([0.5])
    >>> net = mlp_gradients(x, [W], [b], lambda h: (h[..., 0], np.ones_like(h)), "identity")
    >>> float(net.square_of_parameter_gradient), net.layer_bounds().round(9), net.layer_identity().round(9)
    (26.0, array([26.]), array([26.]))
    """
    xp = reals(x=x, **{f"weights[{i}]": W for i, W in enumerate(weights)})
    kinds = [activations] * len(weights) if isinstance(activations, str) else list(activations)
    if not weights or len(kinds) != len(weights) or (biases is not None and len(biases) != len(weights)):
        raise OptionError("weights: expected at least one layer, and as many biases and activations as weights")
    x = at_least_single(xp, x)
    W_of = [at_least_single(xp, W) for W in weights]
    n = x.shape[-1]
    hs, zs, slopes = [x], [], []
    jacobians = [xp.eye(n, dtype=x.dtype, device=x.device)]
    for t, W in enumerate(W_of):
        if W.ndim != 2 or W.shape[1] != hs[-1].shape[-1]:
            raise LeafError(f"weights[{t}]: expected a matrix of {hs[-1].shape[-1]} columns, got {tuple(W.shape)}")
        z = xp.sum(W * hs[-1][..., None, :], axis=-1)
        z = z if biases is None else z + at_least_single(xp, biases[t])
        h, slope = _activate(xp, kinds[t], z)
        hs.append(h)
        zs.append(z)
        slopes.append(slope)
        jacobians.append(slope[..., :, None] * (W @ jacobians[-1]))
    value, back = f(hs[-1])
    deltas: list[Array] = []
    for W, slope in zip(reversed(W_of), reversed(slopes), strict=True):
        deltas.insert(0, slope * back)
        back = xp.sum(W * deltas[0][..., :, None], axis=-2)
    return MLPGradients(
        value,
        tuple(W_of),
        tuple(hs),
        tuple(zs),
        tuple(jacobians),
        tuple(deltas),
        tuple(d[..., :, None] * h[..., None, :] for d, h in zip(deltas, hs, strict=False)),
        () if biases is None else tuple(deltas),
        back,
    )
