"""Signum: descent by the signs of the momentum."""

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
class Signum(Rule):
    r"""Signum: every coordinate moves by the rate, against the sign of its running mean gradient.

    .. math::

        m_t &= \mu m_{t-1} + (1 - \mu) g_t \\
        \theta_t &= \theta_{t-1} - \eta \operatorname{sign}(m_t)

    with sign(0) = 0.

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`: the size of every coordinate's step. A constant rate stalls at about its own
        distance from the optimum, so let it decay.
    momentum : float or schedule
        :math:`\mu` in [0, 1): how long the memory of the mean is; 0.9 or more, and 0 is `SignSGD`.
    form : {"ema", "heavy_ball"}
        "ema": as above (the paper, optax, pytorch_optimizer). "heavy_ball": :math:`m_t = \mu m_{t-1} + g_t`,
        a positive multiple of it at constant momentum, so that every sign is the same up to rounding.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "decoupled" by default (pytorch_optimizer).

    Notes
    -----
    State: m, of the parameter's shape, starting at zero. No bias correction is needed before a sign.
    Scaling the gradients by a positive number, as loss scaling does, changes nothing.

    References
    ----------
    arXiv 1802.04434, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Signum(lr=0.1), np.array([1.0, -2.0])
    >>> state = rule.init(params)
    >>> for gradient in (np.array([1.0, -1.0]), np.array([-0.5, -1.0])):
    ...     params, state = rule.update(gradient, state, params)
    >>> params.round(4)
    array([ 0.8, -1.8])
    """

    lr: Rate = 1e-3
    decay: Literal["l2", "decoupled", "in_update"] = "decoupled"
    momentum: UnitInterval = 0.9
    form: Literal["ema", "heavy_ball"] = "ema"

    inert: ClassVar[Mapping[str, str]] = {
        "form": "the heavy ball is the running mean times 1 / (1 - momentum), and the sign drops the factor"
    }
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1802.04434, algorithm 2", {}),
        "optax": Preset("optax.signum 0.2.8", {}),
        "pytorch_optimizer": Preset("pytorch_optimizer.SignSGD 4.1.0", {}),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """One running mean."""
        return {"m": 0.0}

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Bernstein and others, algorithm 2."""
        g = self.l2(h, g, p)
        m = ema(h.momentum, m, g) if self.form == "ema" else h.momentum * m + g
        return self.descend(h, p, xp.sign(m)), {"m": m}
