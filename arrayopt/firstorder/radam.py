"""RAdam."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.adam import EpsPlace, eps_under_and_beside


@final
@dataclass(frozen=True, kw_only=True)
class RAdam(Rule):
    r"""RAdam: Adam that trusts its second moment only as far as the number of gradients behind it warrants.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad \hat m_t = m_t / (1 - \beta_1^t) \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad \hat v_t = v_t / (1 - \beta_2^t) \\
        \rho_\infty &= \frac{2}{1 - \beta_2} - 1, \qquad
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t} \\
        r_t &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}
            {(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}} \\
        \theta_t &= \theta_{t-1} - \eta
            \begin{cases} r_t \hat m_t / (\sqrt{\hat v_t} + \epsilon) & \rho_t > \text{threshold} \\
                          \hat m_t & \text{otherwise} \end{cases}

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. As for Adam, 1e-3; a warm-up is built in.
    beta1, beta2 : float or schedule
        Decay rates in [0, 1) of the two means; 0.9 and 0.999. For beta2 up to 0.6 (threshold 4) or 2/3 (5)
        the second moment is never used.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient (of its square for the "root" places).
    eps_root : float or schedule
        A second epsilon under the root, beside that of `eps_place` (optax).
    threshold : {4, 5}
        4: the paper, where :math:`r_t` becomes defined. 5: torch, optax, pytorch_optimizer.
        For beta2 = 0.999 they differ at step 5 alone, where :math:`\rho_t = 4.996`.
        Some frameworks ask for :math:`\rho_t \ge 5`; equality does not occur.
    below : {"momentum", "skip"}
        What is done up to the threshold. "momentum": a step along the corrected mean, whose size has the
        units of the gradient (the paper, torch, optax). "skip": the parameter stays, and does not decay
        either; the means go on (pytorch_optimizer by default).
    eps_place : {"paper", "hat", "root_corrected", "root_raw", "both"}
        See `Adam`. "paper": optax. "hat": torch, pytorch_optimizer. The paper itself has no epsilon.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "l2" by default, as in torch. pytorch_optimizer decays decoupled.

    Notes
    -----
    State: m and v, each of the parameter's shape, starting at zero.

    :math:`\rho_t` is one plus twice the mean age of the gradients in v: close to t at first, and
    :math:`\rho_\infty` in the end. The formula above subtracts two numbers near :math:`\rho_\infty`, which in
    float64 leaves 11 digits at beta2 = 0.999 and 7 at 0.99999; the first steps are therefore summed here, and
    frameworks may differ from them by that much.

    References
    ----------
    arXiv 1908.03265, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = RAdam(lr=0.1), np.array([1.0])
    >>> state = rule.init(params)
    >>> for t in range(1, 7):
    ...     before = params
    ...     params, state = rule.update(np.array([3.0]), state, params)
    ...     print(t, (before - params).round(4))
    1 [0.3]
    2 [0.3]
    3 [0.3]
    4 [0.3]
    5 [0.0017]
    6 [0.0026]
    """

    lr: Rate = 1e-3
    beta1: UnitInterval = 0.9
    beta2: UnitInterval = 0.999
    eps: Epsilon = 1e-8
    eps_root: Epsilon = 0.0
    threshold: Literal[4, 5] = 4
    below: Literal["momentum", "skip"] = "momentum"
    eps_place: EpsPlace = "paper"

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1908.03265, algorithm 2", {"eps": 0.0}),
        "torch": Preset("torch.optim.RAdam 2.13.0", {"threshold": 5, "eps_place": "hat"}),
        "optax": Preset("optax.radam 0.2.8 (no default rate)", {"threshold": 5}),
        "pytorch_optimizer": Preset(
            "pytorch_optimizer.RAdam 4.1.0",
            {"threshold": 5, "eps_place": "hat", "below": "skip", "decay": "decoupled"},
        ),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Return the two running means."""
        return {"m": 0.0, "v": 0.0}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the bias corrections, eps under and beside the root, whether to rectify and by how much."""
        bc2, rho, end = 1 - h.beta2**t, length(h.beta2, t), 2 / (1 - h.beta2) - 1
        rectified = rho > self.threshold
        r = ((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho)) ** 0.5 if rectified else 1.0
        shared = {"bc1": 1 - h.beta1**t, "bc2": bc2, "rectified": rectified, "r": r}
        return shared | eps_under_and_beside(self.eps_place, h.eps, bc2, h.eps_root)

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array, v: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Liu et al., algorithm 2."""
        g = self.l2(h, g, p)
        m = ema(h.beta1, m, g)
        v = ema(h.beta2, v, g * g)
        u = m / h.bc1
        if h.rectified:
            u = h.r * u / (xp.sqrt(v / h.bc2 + h.under) + h.beside)
        elif self.below == "skip":
            return p, {"m": m, "v": v}
        return self.descend(h, p, u), {"m": m, "v": v}


def length(beta2: float, t: int) -> float:
    """Return rho_t, the length of the window of v: one plus twice the mean age of its gradients."""
    if t <= 64:  # the closed form cancels: see the Notes of RAdam
        weights = [beta2**age for age in range(t)]
        return 1 + 2 * sum(age * w for age, w in enumerate(weights)) / sum(weights)
    return 2 / (1 - beta2) - 1 - 2 * t * beta2**t / (1 - beta2**t)
