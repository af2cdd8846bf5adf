"""NAdam."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, NonNegative, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.schedules import at
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.adam import EpsPlace, eps_under_and_beside


@final
@dataclass(frozen=True, kw_only=True)
class NAdam(Rule):
    r"""NAdam: Adam whose numerator looks one step of momentum ahead, after Nesterov.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \mu_t &= \beta_1 (1 - \tfrac12 0.96^{t \psi}), \qquad \Pi_t = \prod_{i \le t} \mu_i \\
        \theta_t &= \theta_{t-1} - \eta \frac{\mu_{t+1} m_t / (1 - \Pi_{t+1}) + (1 - \mu_t) g_t / (1 - \Pi_t)}
            {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. About the size of a step of each coordinate. 2e-3 (torch) or 1e-3 (Keras).
    beta1, beta2 : float or schedule
        Decay rates in [0, 1) of the two means; 0.9 and 0.999. A schedule of beta1 is asked for step
        t + 1 as well.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient (of its square for the "root" places).
    eps_root : float or schedule
        A second epsilon under the root, beside that of `eps_place` (optax).
    momentum_decay : float or schedule
        :math:`\psi \ge 0`, how fast :math:`\mu_t` rises from about half of beta1 to beta1; only "dozat"
        reads it. 0.004 (Dozat, torch) takes thousands of steps, 1 (Keras) about a hundred.
    schedule : {"dozat", "constant", "simple"}
        The numerator. "dozat": the above (torch, Keras). "constant": :math:`\mu_t = \beta_1`, that is
        :math:`\beta_1 m_t / (1 - \beta_1^{t+1}) + (1 - \beta_1) g_t / (1 - \beta_1^t)` (optax). "simple":
        :math:`(\beta_1 m_t + (1 - \beta_1) g_t) / (1 - \beta_1^t)` (timm's NAdamW; arXiv 1910.05446).
    eps_place : {"paper", "hat", "root_corrected", "root_raw", "both"}
        See `Adam`; every framework of the presets has "paper".
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "l2" by default, as in torch. Keras and timm decay decoupled.

    Notes
    -----
    State: m and v, each of the parameter's shape, starting at zero. The product :math:`\Pi_t` is a function
    of t and so no state; torch keeps it as one, in float32, which costs up to 1e-7 of a step.

    m is a mean with the constant beta1, not with :math:`\mu_t`, in Dozat's report and everywhere. "constant"
    is "dozat" for :math:`\psi \to \infty`, and its numerator is Nesterov's momentum, damped and
    bias-corrected. At :math:`\psi = 0` "dozat" does not become it: then :math:`\mu_t = \beta_1 / 2`.

    References
    ----------
    Dozat, Incorporating Nesterov momentum into Adam, Stanford CS229 report 054 (2015); ICLR workshop (2016).

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = NAdam(lr=0.1, schedule="constant"), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, -1e-3]), rule.init(params), params)
    >>> (params - [1.0, -2.0]).round(4)  # Nesterov's first step: 0.1 (1 + 0.9 / (1 + 0.9))
    array([-0.1474,  0.1474])
    """

    lr: Rate = 2e-3
    beta1: UnitInterval = 0.9
    beta2: UnitInterval = 0.999
    eps: Epsilon = 1e-8
    eps_root: Epsilon = 0.0
    momentum_decay: NonNegative = 0.004
    schedule: Literal["dozat", "constant", "simple"] = "dozat"
    eps_place: EpsPlace = "paper"

    constants: ClassVar[Mapping[str, tuple[float, ...]]] = {"momentum_decay": (0.004, 1.0)}
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("Dozat 2015", {}),
        "torch": Preset("torch.optim.NAdam 2.13.0", {}),
        "optax": Preset("optax.nadam 0.2.8 (no default rate)", {"schedule": "constant"}),
        "keras": Preset(
            "keras.optimizers.Nadam 3.15.1",
            {"lr": 1e-3, "eps": 1e-7, "momentum_decay": 1.0, "decay": "decoupled"},
        ),
        "timm": Preset(
            "timm.optim.NAdamW at 03fa149 (read, not run)",
            {"lr": 1e-3, "schedule": "simple", "weight_decay": 1e-2, "decay": "decoupled"},
        ),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Return the two running means."""
        return {"m": 0.0, "v": 0.0}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the weights of m and of g in the numerator, and the numbers of the denominator."""
        if self.schedule == "dozat":
            ahead = self._mu(t + 1) / (1 - self._product(t + 1))
            now = (1 - self._mu(t)) / (1 - self._product(t))
        else:
            reach = t + 1 if self.schedule == "constant" else t
            ahead = h.beta1 / (1 - h.beta1**reach)
            now = (1 - h.beta1) / (1 - h.beta1**t)
        bc2 = 1 - h.beta2**t
        eps = eps_under_and_beside(self.eps_place, h.eps, bc2, h.eps_root)
        return {"ahead": ahead, "now": now, "bc2": bc2} | eps

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array, v: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Dozat's report, with the factors of m and g left to `scalars`."""
        g = self.l2(h, g, p)
        m = ema(h.beta1, m, g)
        v = ema(h.beta2, v, g * g)
        u = (h.ahead * m + h.now * g) / (xp.sqrt(v / h.bc2 + h.under) + h.beside)
        return self.descend(h, p, u), {"m": m, "v": v}

    def _mu(self, t: int) -> float:
        return at(self.beta1, t) * (1 - 0.5 * math.pow(0.96, t * at(self.momentum_decay, t)))

    def _product(self, t: int) -> float:
        """Return mu_1 ... mu_t; what is known is kept, so that a step costs one multiplication, not t."""
        known = self._products
        for i in range(len(known), t + 1):
            if known[i - 1] < 2.0**-60:  # from here on 1 - product rounds to 1, so nothing more need be kept
                return 0.0
            known[i] = known[i - 1] * self._mu(i)
        return known[t]

    @functools.cached_property
    def _products(self) -> dict[int, float]:
        return {0: 1.0}  # a dict, so that two threads that extend it write the same entries
