"""SGD: gradient descent, on all the data or on a part of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Rate
from arrayopt.core.rule import Preset, Rule


@final
@dataclass(frozen=True, kw_only=True)
class SGD(Rule):
    r"""Gradient descent: a step against the gradient, a stochastic one if it comes from a part of the data.

    .. math::

        \theta_t = \theta_{t-1} - \eta g_t

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. On a loss whose curvature is at most K it descends for :math:`\eta < 2 / K`. With
        stochastic gradients a constant rate reaches a neighbourhood of the optimum, a decaying one
        (`InverseSqrt`) the optimum itself.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`. Here "l2" (torch, MLX, tinygrad), "in_update" and "decoupled" (Keras, SGDW) at the scale
        "lr" and the point "before" are one and the same.

    Notes
    -----
    State: none. The direction :math:`-g` is the steepest in the Euclidean norm. `minibatches` cuts the data
    of an epoch into batches.

    References
    ----------
    Robbins and Monro, A stochastic approximation method, 1951. Decoupled decay (SGDW): arXiv 1711.05101,
    algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = SGD(lr=0.1), np.array([1.0, -2.0])
    >>> params, state = rule.update(2 * params, rule.init(params), params)
    >>> params.round(4)
    array([ 0.8, -1.6])
    """

    lr: Rate = 0.01

    inert: ClassVar[Mapping[str, str]] = {
        "decay=in_update": "the gradient is the update, so that it is the same sum as with l2"
    }
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("Robbins and Monro 1951", {}),
        "torch": Preset("torch.optim.SGD 2.13.0, momentum=0", {"lr": 1e-3}),
        "optax": Preset("optax.sgd 0.2.8, momentum=None", {}),
        "keras": Preset("keras.optimizers.SGD 3.15.1, momentum=0", {"decay": "decoupled"}),
        "mlx": Preset("mlx.optimizers.SGD 0.32.4, momentum=0", {}),
        "tinygrad": Preset("tinygrad.nn.optim.SGD 0.14.0, momentum=0", {"lr": 1e-3}),
        "pytorch_optimizer": Preset("pytorch_optimizer.SGDW 4.1.0, momentum=0", {"lr": 1e-4, "decay": "decoupled"}),
        "sklearn": Preset("sklearn.neural_network._stochastic_optimizers.SGDOptimizer 1.9.1, momentum=0", {"lr": 0.1}),
        "autograd": Preset("autograd.misc.optimizers.sgd 1.9.1, mass=0", {"lr": 0.1}),
    }

    def step(self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array) -> tuple[Array, dict[str, Array | None]]:
        """Robbins and Monro, 1951."""
        g = self.l2(h, g, p)
        return self.descend(h, p, g), {}
