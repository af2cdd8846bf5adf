"""AdaBelief."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.adam import EpsPlace, eps_under_and_beside


@final
@dataclass(frozen=True, kw_only=True)
class AdaBelief(Rule):
    r"""AdaBelief: Adam with the running variance of the gradient about its mean as its second moment.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) (g_t - m_t)^2 + \epsilon \\
        \theta_t &= \theta_{t-1} - \eta \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. As for Adam, 1e-3.
    beta1, beta2 : float or schedule
        Decay rates in [0, 1) of the two means; 0.9 and 0.999.
    eps : float or schedule
        :math:`\epsilon \ge 0`. What is added in the recursion is, at every step, :math:`\epsilon / (1 - \beta_2)`
        under the corrected root. At beta2 = 0.999 therefore 1e-8 (the paper) acts like an eps of 3e-3 in
        Adam, which suits tasks on which SGD does well, and 1e-16 (optax, pytorch_optimizer) like one of 3e-7.
    eps_root : float or schedule
        A further epsilon in the recursion; optax has it there apart from the one outside.
    eps_in_v : bool
        Whether eps is added in the recursion of v as well (the paper from its second version on,
        pytorch_optimizer). False: its first version, the article; optax with ``eps_root=0``.
    eps_place : {"paper", "hat", "root_corrected", "root_raw", "both"}
        The place of the other eps; see `Adam`. Every framework of the presets has "paper".
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "l2" by default. pytorch_optimizer decays decoupled.

    Notes
    -----
    State: m and v, each of the parameter's shape, starting at zero.

    m is the mean that already holds the gradient, so :math:`g_t - m_t = \beta_1 (g_t - m_{t-1})`. As
    :math:`\epsilon \to 0` the first step is therefore :math:`\eta\, \mathrm{sign}(g_1) / \beta_1`, longer than
    Adam's. Where gradients repeat, v decays and the step grows until epsilon bounds it. At eps = 0, a gradient
    that has always been zero, and any first gradient if beta1 = 0, give a division by zero.

    For parameters scattered independently about some point of a quadratic, the covariance of the gradients is
    that of the parameters times the squared Hessian: v estimates squared curvatures (norms of rows of the
    Hessian, unless it is diagonal).

    References
    ----------
    arXiv 2010.07468, algorithm 2. Hessian view: archive 10588.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = AdaBelief(lr=0.1, beta1=0.8, eps=1e-16), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, -1.0]), rule.init(params), params)
    >>> params.round(4)
    array([ 0.875, -1.875])
    """

    lr: Rate = 1e-3
    beta1: UnitInterval = 0.9
    beta2: UnitInterval = 0.999
    eps: Epsilon = 1e-8
    eps_root: Epsilon = 0.0
    eps_in_v: bool = True
    eps_place: EpsPlace = "paper"

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 2010.07468, algorithm 2", {}),
        "optax": Preset(
            "optax.adabelief 0.2.8 (no default rate)", {"eps": 1e-16, "eps_root": 1e-16, "eps_in_v": False}
        ),
        "pytorch_optimizer": Preset("pytorch_optimizer.AdaBelief 4.1.0", {"eps": 1e-16, "decay": "decoupled"}),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Return the running mean and variance."""
        return {"m": 0.0, "v": 0.0}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the bias corrections, what is added in the recursion, and eps under and beside the root."""
        bc2, within = 1 - h.beta2**t, h.eps_root + (h.eps if self.eps_in_v else 0.0)
        shared = {"bc1": 1 - h.beta1**t, "bc2": bc2, "within": within}
        return shared | eps_under_and_beside(self.eps_place, h.eps, bc2)

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array, v: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Zhuang et al., algorithm 2."""
        g = self.l2(h, g, p)
        m = ema(h.beta1, m, g)
        surprise = g - m
        v = ema(h.beta2, v, surprise * surprise) + h.within
        u = (m / h.bc1) / (xp.sqrt(v / h.bc2 + h.under) + h.beside)
        return self.descend(h, p, u), {"m": m, "v": v}
