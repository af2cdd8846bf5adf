"""Momentum, and the velocity that it shares with Nesterov."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core import options
from arrayopt.core.options import Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule
from arrayopt.core.trees import Leaf


@dataclass(frozen=True, kw_only=True)
class VelocityStep(Rule):
    """What Momentum and Nesterov share: a velocity, and the choice of where the rate enters it."""

    lr: Rate = 0.01
    momentum: UnitInterval = 0.9
    dampening: UnitInterval = 0.0
    form: str
    first: Literal["zero", "gradient"] = "zero"
    lr_place: Literal["outside", "inside"] = "outside"

    constants: ClassVar[Mapping[str, tuple[float, ...]]] = {"dampening": (0.0,)}
    averaging: ClassVar[tuple[str, ...]]
    """The values of `form` whose velocity is a running mean of the gradients."""

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """One velocity."""
        return {"v": 0.0}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the dampening tau: a running mean has tau = momentum, an undamped first step tau = 0."""
        if self.first == "gradient" and t == 1:
            return {"tau": 0.0}
        return {"tau": h.momentum if self.form in self.averaging else h.dampening}

    def rated(self, h: SimpleNamespace, g: Array) -> Array:
        """Multiply the gradient by the rate, where that enters inside the velocity."""
        return h.lr * g if self.lr_place == "inside" else g

    def velocity(self, h: SimpleNamespace, v: Array, s: Array) -> Array:
        """Return the velocity after the gradient, or displacement, `s`."""
        return h.momentum * v + (1 - h.tau) * s

    def move(self, h: SimpleNamespace, p: Array, u: Array) -> Array:
        """Move `p` against `u`, which holds the rate already where that is inside."""
        if self.lr_place == "outside":
            return self.descend(h, p, u)
        if h.decays and self.decay == "in_update":
            u = u + h.lr * h.weight_decay * p
        return self.outside(h, p, u)


@final
@dataclass(frozen=True, kw_only=True)
class Momentum(VelocityStep):
    r"""Momentum: the parameter follows a velocity, which the gradients push and friction slows.

    .. math::

        v_t &= \mu v_{t-1} + (1 - \tau) g_t \\
        \theta_t &= \theta_{t-1} - \eta v_t

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. Along a constant gradient the step grows to :math:`\eta (1 - \tau) / (1 - \mu)`
        gradients, ten of them at the defaults, so take a tenth of the rate of SGD.
    momentum : float or schedule
        :math:`\mu` in [0, 1): the share of the velocity that is kept. 0.9 suits many tasks; 0 is SGD.
    dampening : float or schedule
        :math:`\tau` in [0, 1) of the form "heavy_ball"; the form "ema" has :math:`\tau = \mu` and does not
        read it.
    form : {"heavy_ball", "ema"}
        "heavy_ball": torch, optax, Keras, MLX, tinygrad, scikit-learn. "ema": the velocity is a running mean
        of the gradients (autograd; the article on accumulation, archive 8634). The two are the same at the
        rates :math:`\eta` and :math:`\eta / (1 - \mu)`.
    first : {"zero", "gradient"}
        The velocity of the first step. "zero": it starts from :math:`v_0 = 0` like every other step (optax,
        Keras, MLX). "gradient": :math:`v_1 = g_1`, undamped (torch, SGDW).
    lr_place : {"outside", "inside"}
        "outside": as above. "inside": :math:`v_t = \mu v_{t-1} + (1 - \tau) \eta g_t` and
        :math:`\theta_t = \theta_{t-1} - v_t` (Keras, scikit-learn, tinygrad's ``classic``; the article by
        Sutskever and others). The two are the same as long as the rate does not change.
    accumulate : int
        Calls per step of the parameters, k >= 1. The velocity is multiplied by :math:`\mu` in the first of each k
        calls only, :math:`(1 - \tau) g_t / k` enters in every call, and :math:`\theta` moves in the last: a step
        on the mean gradient of k micro-batches, without a buffer for it (archive 8634). The gradients of a group
        are taken at the same, resting parameters; a schedule counts calls, and a rate inside the velocity must not
        change within a group.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; with "l2" the decay enters the velocity.

    Notes
    -----
    State: v, of the parameter's shape, starting at zero; with the rate inside it has the unit of a parameter.
    torch, Keras, MLX, tinygrad and SGDW have momentum 0 by default and are then `SGD`; the presets keep
    this rule's 0.9. At momentum 0 torch and MLX do not read the dampening either.

    References
    ----------
    Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    Sutskever, Martens, Dahl and Hinton, On the importance of initialization and momentum in deep learning,
    2013, equations 1 and 2.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Momentum(lr=0.1, momentum=0.5), np.array([1.0, -2.0])
    >>> state = rule.init(params)
    >>> for _ in range(2):
    ...     params, state = rule.update(np.array([1.0, -1.0]), state, params)
    >>> params.round(4)
    array([ 0.75, -1.75])
    """

    form: Literal["heavy_ball", "ema"] = "heavy_ball"
    accumulate: int = 1

    averaging: ClassVar[tuple[str, ...]] = ("ema",)
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("Sutskever and others 2013, equations 1 and 2", {"lr_place": "inside"}),
        "torch": Preset("torch.optim.SGD 2.13.0", {"lr": 1e-3, "first": "gradient"}),
        "optax": Preset("optax.sgd 0.2.8", {}),
        "keras": Preset("keras.optimizers.SGD 3.15.1", {"lr_place": "inside", "decay": "decoupled"}),
        "mlx": Preset("mlx.optimizers.SGD 0.32.4", {}),
        "tinygrad": Preset("tinygrad.nn.optim.SGD 0.14.0", {"lr": 1e-3}),
        "pytorch_optimizer": Preset(
            "pytorch_optimizer.SGDW 4.1.0", {"lr": 1e-4, "first": "gradient", "decay": "decoupled"}
        ),
        "sklearn": Preset(
            "sklearn.neural_network._stochastic_optimizers.SGDOptimizer 1.9.1, nesterov=False",
            {"lr": 0.1, "lr_place": "inside"},
        ),
        "autograd": Preset("autograd.misc.optimizers.sgd 1.9.1", {"lr": 0.1, "form": "ema"}),
    }

    def __post_init__(self) -> None:
        """Check the count of calls too."""
        super().__post_init__()
        options.check_count("Momentum", "accumulate", self.accumulate)

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the dampening, and where call t stands in its group."""
        k = self.accumulate
        if k == 1:
            return {**super().scalars(h, t, leaf), "starts": True, "moves": True}
        group, call = 1 + (t - 1) // k, 1 + (t - 1) % k
        return {**super().scalars(h, group, leaf), "starts": call == 1, "moves": call == k}

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, v: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Polyak's heavy ball, written as by Sutskever and others."""
        g = self.l2(h, g, p)
        s = self.rated(h, g)
        if self.accumulate > 1:
            s = s / self.accumulate
        v = self.velocity(h, v, s) if h.starts else v + (1 - h.tau) * s
        return (self.move(h, p, v) if h.moves else p), {"v": v}
