"""Adagrad, and the two places of its epsilon, which RMSProp shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, NonNegative, Rate
from arrayopt.core.rule import Preset, Rule
from arrayopt.core.schedules import at
from arrayopt.core.trees import Leaf

RootPlace = Literal["outside", "inside"]


def under_or_beside(place: RootPlace, eps: float) -> dict[str, float]:
    """Turn the place of eps into two numbers: both places are sqrt(s + under) + beside."""
    return {"under": eps, "beside": 0.0} if place == "inside" else {"under": 0.0, "beside": eps}


@final
@dataclass(frozen=True, kw_only=True)
class Adagrad(Rule):
    r"""Adagrad: each coordinate's rate is divided by the root of the sum of its squared gradients.

    .. math::

        s_t &= s_{t-1} + g_t^2, \qquad s_0 = s_{init} \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{1 + (t - 1) \delta} \frac{g_t}{\sqrt{s_t} + \epsilon}

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`, the size of a coordinate's first step when `initial` is 0. 0.01 to 1: larger than
        for Adam, since the effective rates only fall.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient (of its square for "inside").
    initial : float
        :math:`s_{init} \ge 0`, in units of the squared gradient. 0 (torch, MLX) or 0.1 (optax, Keras), which
        holds the first steps back where gradients are small. Of a schedule, the value at t = 1.
    lr_decay : float or schedule
        :math:`\delta \ge 0`, a further decay of the rate with time (torch). It acts on the update, not on
        decoupled weight decay.
    eps_place : {"outside", "inside"}
        "outside": :math:`\sqrt s + \epsilon` (the paper, torch, MLX). "inside": :math:`\sqrt{s + \epsilon}`
        (optax, Keras; the survey's formula).
    zero_guard : bool
        Whether a coordinate whose sum is still 0 stays where it is (optax). It shows at eps = 0, and where the
        square of a gradient underflows.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "l2" by default, as in torch. Keras decays decoupled.

    Notes
    -----
    State: s, of the parameter's shape.

    The effective rate of a coordinate never increases, and goes to zero unless its squared gradients have a
    finite sum: coordinates that rarely see a gradient keep a large rate, but none is ever sped up again. At
    eps = 0 and without `zero_guard`, a coordinate that has seen only zero gradients gets 0/0 = NaN.

    References
    ----------
    Duchi, Hazan, Singer, Adaptive subgradient methods, JMLR 12 (2011), figure 1, diagonal case.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Adagrad(lr=0.5), np.array([1.0, -2.0])
    >>> state = rule.init(params)
    >>> for _ in range(2):
    ...     params, state = rule.update(np.array([3.0, -1e-3]), state, params)
    >>> (params - [1.0, -2.0]).round(4)  # 0.5, then 0.5 / sqrt(2), whatever the size of the gradient
    array([-0.8536,  0.8536])
    """

    lr: Rate = 0.01
    eps: Epsilon = 1e-10
    initial: NonNegative = 0.0
    lr_decay: NonNegative = 0.0
    eps_place: RootPlace = "outside"
    zero_guard: bool = False

    constants: ClassVar[Mapping[str, tuple[float, ...]]] = {"initial": (0.0, 0.1)}
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("Duchi, Hazan, Singer 2011, figure 1", {}),
        "torch": Preset("torch.optim.Adagrad 2.13.0", {}),
        "optax": Preset(
            "optax.adagrad 0.2.8 (no default rate)",
            {"initial": 0.1, "eps": 1e-7, "eps_place": "inside", "zero_guard": True},
        ),
        "keras": Preset(
            "keras.optimizers.Adagrad 3.15.1",
            {"lr": 1e-3, "initial": 0.1, "eps": 1e-7, "eps_place": "inside", "decay": "decoupled"},
        ),
        "mlx": Preset("mlx.optimizers.Adagrad 0.32.4 (no default rate)", {"eps": 1e-8}),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Return the sum of squares."""
        return {"s": at(self.initial, 1)}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the rate at step t, and eps under and beside the root."""
        return {"lr": h.lr / (1 + (t - 1) * h.lr_decay)} | under_or_beside(self.eps_place, h.eps)

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, s: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Duchi et al., figure 1."""
        g = self.l2(h, g, p)
        s = s + g * g
        root = xp.sqrt(s + h.under) + h.beside
        if self.zero_guard:
            g, root = xp.where(s > 0, g, 0.0), xp.where(s > 0, root, 1.0)
        return self.descend(h, p, g / root), {"s": s}
