"""AdaMax."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf


@final
@dataclass(frozen=True, kw_only=True)
class AdaMax(Rule):
    r"""AdaMax: Adam with a decaying maximum of gradient magnitudes in place of the root of the second moment.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        u_t &= \max(\beta_2 u_{t-1}, |g_t|) \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{1 - \beta_1^t} \frac{m_t}{u_t}

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. Hardly any step of a coordinate is longer: 1.009 times at the default beta1 and
        beta2. 2e-3.
    beta1, beta2 : float or schedule
        Decay rates in [0, 1) of the mean and of the maximum; 0.9 and 0.999.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient; not read for "none".
    eps_place : {"none", "in_max", "outside"}
        "none": the paper. "in_max": :math:`u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon)` (torch, optax,
        pytorch_optimizer). "outside": :math:`m_t / (u_t + \epsilon)` (Keras, MLX).
    bias_correction : {"first", "none"}
        Whether m is corrected; "none": MLX. The maximum needs no correction.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "l2" by default, as in torch. Keras decays decoupled.

    Notes
    -----
    State: m and u, each of the parameter's shape, starting at zero.

    Without an epsilon the update does not depend on the scale of the gradients, its first step is the sign,
    and a coordinate whose gradients have all been zero gets 0/0 = NaN. "in_max" and "outside" part only where
    gradients are about as small as epsilon. The paper bounds a step by :math:`\eta`; a mean of gradients that
    fall by the factor beta2 a step exceeds that, so the bound is :math:`\eta (1 - \beta_1) / (1 - \beta_1 /
    \beta_2)` for beta1 < beta2.

    References
    ----------
    arXiv 1412.6980, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = AdaMax(lr=0.1), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, -1e-3]), rule.init(params), params)
    >>> params.round(4)
    array([ 0.9, -1.9])
    """

    lr: Rate = 2e-3
    beta1: UnitInterval = 0.9
    beta2: UnitInterval = 0.999
    eps: Epsilon = 1e-8
    eps_place: Literal["none", "in_max", "outside"] = "none"
    bias_correction: Literal["first", "none"] = "first"

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1412.6980, algorithm 2", {}),
        "torch": Preset("torch.optim.Adamax 2.13.0", {"eps_place": "in_max"}),
        "optax": Preset("optax.adamax 0.2.8 (no default rate)", {"eps_place": "in_max"}),
        "keras": Preset(
            "keras.optimizers.Adamax 3.15.1",
            {"lr": 1e-3, "eps": 1e-7, "eps_place": "outside", "decay": "decoupled"},
        ),
        "mlx": Preset(
            "mlx.optimizers.Adamax 0.32.4 (no default rate)",
            {"eps_place": "outside", "bias_correction": "none"},
        ),
        "pytorch_optimizer": Preset("pytorch_optimizer.AdaMax 4.1.0", {"lr": 1e-3, "eps_place": "in_max"}),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Return the running mean and the decaying maximum."""
        return {"m": 0.0, "u": 0.0}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the bias correction, and the part of eps within the maximum and beside it."""
        return {
            "bc1": 1 - h.beta1**t if self.bias_correction == "first" else 1.0,
            "within": h.eps if self.eps_place == "in_max" else 0.0,
            "beside": h.eps if self.eps_place == "outside" else 0.0,
        }

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array, u: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Kingma and Ba, algorithm 2."""
        g = self.l2(h, g, p)
        m = ema(h.beta1, m, g)
        u = xp.maximum(h.beta2 * u, xp.abs(g) + h.within)
        return self.descend(h, p, (m / h.bc1) / (u + h.beside)), {"m": m, "u": u}
