"""Lion: signs of a gradient that leans on the momentum."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf


@final
@dataclass(frozen=True, kw_only=True)
class Lion(Rule):
    r"""Lion: the sign of the gradient mixed with a running mean, which learns of the gradient afterwards.

    .. math::

        u_t &= \operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) g_t) \\
        \theta_t &= \theta_{t-1} - \eta (u_t + \lambda \theta_{t-1}) \\
        m_t &= \beta_2 m_{t-1} + (1 - \beta_2) g_t

    with sign(0) = 0.

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`: the size of every coordinate's step. About a tenth of AdamW's: 3e-4 for base
        models, 2e-4 or 1e-4 from 10^9 parameters on. `lion_from_adamw` and `sign_rates` compute it.
    beta1 : float or schedule
        :math:`\beta_1` in [0, 1): the weight of the mean in the update; 0.9, or 0.95 for language.
    beta2 : float or schedule
        :math:`\beta_2` in [0, 1): the decay rate of the mean; 0.99, or 0.98 for language.
    weight_decay : float or schedule
        :math:`\lambda \ge 0`: about ten times that of AdamW, so that :math:`\eta \lambda` stays.
    decay, decay_scale, lr_peak, decay_point
        See `Rule`; "decoupled" by default. The scale "relative" is lion_pytorch's
        ``decoupled_weight_decay``, "independent" is pytorch_optimizer's ``fixed_decay``.

    Notes
    -----
    State: m, of the parameter's shape, starting at zero: half of AdamW's. Scaling the gradients by a positive
    number, as loss scaling does, changes nothing. The update needs the mean and the gradient of the whole
    batch apart, so gradient accumulation cannot be folded into m. With ``beta1 == beta2`` and no decay it is
    `Signum`. Its authors advise batches of at least 64.

    References
    ----------
    arXiv 2302.06675, algorithm 2; archive 9473.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Lion(lr=0.1, weight_decay=0.5), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, 1e-9]), rule.init(params), params)
    >>> params.round(4)
    array([ 0.85, -2. ])
    """

    lr: Rate = 1e-4
    decay: Literal["l2", "decoupled", "in_update"] = "decoupled"
    beta1: UnitInterval = 0.9
    beta2: UnitInterval = 0.99

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 2302.06675, algorithm 2; google/automl 6a54c87", {}),
        "optax": Preset("optax.lion 0.2.8", {"weight_decay": 1e-3}),
        "keras": Preset("keras.optimizers.Lion 3.15.1", {"lr": 1e-3}),
        "mlx": Preset("mlx.optimizers.Lion 0.32.4", {}),
        "pytorch_optimizer": Preset("pytorch_optimizer.Lion 4.1.0", {}),
        "lion_pytorch": Preset("lion_pytorch.Lion 0.2.5", {}),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """One running mean."""
        return {"m": 0.0}

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Chen and others, algorithm 2: the mean is updated after it has been used."""
        g = self.l2(h, g, p)
        u = xp.sign(ema(h.beta1, m, g))
        m = ema(h.beta2, m, g)
        return self.descend(h, p, u), {"m": m}
