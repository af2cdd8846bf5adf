"""Adadelta."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf


@final
@dataclass(frozen=True, kw_only=True)
class Adadelta(Rule):
    r"""Adadelta: the gradient scaled by the ratio of two running RMS values, of updates and of gradients.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2 \\
        d_t &= \frac{\sqrt{u_{t-1} + \epsilon}}{\sqrt{v_t + \epsilon}} g_t \\
        u_t &= \rho u_{t-1} + (1 - \rho) d_t^2 \\
        \theta_t &= \theta_{t-1} - \eta d_t

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. The paper has none, which is 1 (torch, pytorch_optimizer); Keras ships 0.001.
    rho : float or schedule
        :math:`\rho` in [0, 1), the decay rate of both means: 0.9, or 0.95 (the paper, Keras).
    eps : float or schedule
        :math:`\epsilon \ge 0`; it sets the size of the first steps, :math:`\sqrt{\epsilon / (1 - \rho)}`
        for gradients that are large beside it. 1e-6; the choice matters more than in other methods.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "l2" by default, as in torch and optax. Keras decays decoupled.

    Notes
    -----
    State: v and u, each of the parameter's shape, starting at zero.

    But for eps, which stands for a squared update in one root and for a squared gradient in the other, the
    update has the units of the parameter and does not depend on the scale of the gradients. To be had from
    eps = 0 that is only with a u that is not zero: from u = 0 nothing ever moves, and a coordinate whose
    gradients have all been zero gets 0/0 = NaN, as in torch. u follows the step before the rate, so that a
    change of `lr` does not show in the state.

    References
    ----------
    arXiv 1212.5701, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Adadelta(rho=0.75), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, -30.0]), rule.init(params), params)
    >>> (params - [1.0, -2.0]).round(6)  # sqrt(1e-6 / (1 - 0.75))
    array([-0.002,  0.002])
    """

    lr: Rate = 1.0
    rho: UnitInterval = 0.9
    eps: Epsilon = 1e-6

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1212.5701, algorithm 1 and section 4.1", {"rho": 0.95}),
        "torch": Preset("torch.optim.Adadelta 2.13.0", {}),
        "optax": Preset("optax.adadelta 0.2.8 (no default rate)", {}),
        "keras": Preset(
            "keras.optimizers.Adadelta 3.15.1", {"lr": 1e-3, "rho": 0.95, "eps": 1e-7, "decay": "decoupled"}
        ),
        "mlx": Preset("mlx.optimizers.AdaDelta 0.32.4 (no default rate)", {}),
        "pytorch_optimizer": Preset("pytorch_optimizer.AdaDelta 4.1.0", {}),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Return the two running means of squares, of gradients and of updates."""
        return {"v": 0.0, "u": 0.0}

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, v: Array, u: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Zeiler, algorithm 1."""
        g = self.l2(h, g, p)
        v = ema(h.rho, v, g * g)
        d = xp.sqrt(u + h.eps) / xp.sqrt(v + h.eps) * g
        u = ema(h.rho, u, d * d)
        return self.descend(h, p, d), {"v": v, "u": u}
