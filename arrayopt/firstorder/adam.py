"""Adam, and the text that AdamW shares with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf

EpsPlace = Literal["paper", "hat", "root_corrected", "root_raw", "both"]


@dataclass(frozen=True, kw_only=True)
class AdamStep(Rule):
    """The step of Adam and AdamW, which differ in their defaults for weight decay only."""

    lr: Rate = 1e-3
    beta1: UnitInterval = 0.9
    beta2: UnitInterval = 0.999
    eps: Epsilon = 1e-8
    eps_root: Epsilon = 0.0
    eps_place: EpsPlace = "paper"
    bias_correction: Literal["both", "none", "first", "second"] = "both"
    amsgrad: Literal["none", "max_raw", "max_corrected"] = "none"

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Two running means, and their maximum for AMSGrad."""
        return {"m": 0.0, "v": 0.0} | ({} if self.amsgrad == "none" else {"vmax": 0.0})

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Bias corrections, and the part of eps under and beside the root of v / bc2."""
        bc1 = 1 - h.beta1**t if self.bias_correction in ("both", "first") else 1.0
        bc2 = 1 - h.beta2**t if self.bias_correction in ("both", "second") else 1.0
        return {"bc1": bc1, "bc2": bc2} | eps_under_and_beside(self.eps_place, h.eps, bc2, h.eps_root)

    def step(
        self,
        xp: Namespace,
        h: SimpleNamespace,
        g: Array,
        p: Array,
        m: Array,
        v: Array,
        vmax: Array | None = None,
    ) -> tuple[Array, dict[str, Array | None]]:
        """Kingma and Ba, algorithm 1; Reddi et al., algorithm 2 for the maximum."""
        g = self.l2(h, g, p)
        m = ema(h.beta1, m, g)
        v = ema(h.beta2, v, g * g)
        s = v / h.bc2
        if self.amsgrad == "max_raw":
            vmax = xp.maximum(vmax, v)
            s = vmax / h.bc2
        elif self.amsgrad == "max_corrected":
            s = vmax = xp.maximum(vmax, s)
        u = (m / h.bc1) / (xp.sqrt(s + h.under) + h.beside)
        return self.descend(h, p, u), {"m": m, "v": v, "vmax": vmax}


def eps_under_and_beside(place: EpsPlace, eps: float, bc2: float, eps_root: float = 0.0) -> dict[str, float]:
    """Turn the place of eps into two numbers: every place is sqrt(v / bc2 + under) + beside."""
    under = {"root_corrected": eps, "root_raw": eps / bc2, "both": eps}.get(place, 0.0)
    beside = {"paper": eps, "hat": eps / bc2**0.5, "both": eps}.get(place, 0.0)
    return {"under": under + eps_root, "beside": beside}


@final
@dataclass(frozen=True, kw_only=True)
class Adam(AdamStep):
    r"""Adam: running means of the gradient and of its square, both corrected for their zero start.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \theta_t &= \theta_{t-1} - \eta \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. About the size of a step of each coordinate. 1e-3 suits many tasks; less for large models.
    beta1, beta2 : float or schedule
        Decay rates in [0, 1) of the two means; 0.9 and 0.999, or 0.95 for beta2 in language models.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient (of its square for the "root" places).
    eps_root : float or schedule
        A second epsilon under the root, beside that of `eps_place` (optax).
    eps_place : {"paper", "hat", "root_corrected", "root_raw", "both"}
        The denominator, with :math:`\hat v = v / (1 - \beta_2^t)`.
        "paper": :math:`\sqrt{\hat v} + \epsilon` (torch, optax, MLX, tinygrad).
        "hat": :math:`(\sqrt v + \epsilon) / \sqrt{1 - \beta_2^t}` (Keras, TensorFlow, torch SparseAdam; the end
        of section 2 of the paper). "root_corrected": :math:`\sqrt{\hat v + \epsilon}` (optax's ``eps_root``).
        "root_raw": :math:`\sqrt{v + \epsilon} / \sqrt{1 - \beta_2^t}`.
        "both": :math:`\sqrt{\hat v + \epsilon} + \epsilon`.
    bias_correction : {"both", "none", "first", "second"}
        Which means are corrected. "none": MLX by default, BERT. "second": AdamD (arXiv 2110.10828).
    amsgrad : {"none", "max_raw", "max_corrected"}
        Divide by the largest second moment so far. "max_raw": maximum of v, then the current correction
        (torch, Keras). "max_corrected": maximum of :math:`\hat v` (optax).
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "l2" by default, as in torch.optim.Adam. Keras decays decoupled.

    Notes
    -----
    State: m, v and, for AMSGrad, vmax; each of the parameter's shape, starting at zero.
    The first step is close to ``lr * sign(g)``. At eps = 0 and a zero gradient the update is 0/0 = NaN,
    as in torch, optax, Keras and MLX.

    References
    ----------
    arXiv 1412.6980, algorithm 1. AMSGrad: arXiv 1904.09237, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Adam(lr=0.1), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, -1e-3]), rule.init(params), params)
    >>> params.round(4)
    array([ 0.9, -1.9])
    """

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1412.6980, algorithm 1", {}),
        "torch": Preset("torch.optim.Adam 2.13.0", {}),
        "optax": Preset("optax.adam 0.2.8", {}),
        "keras": Preset("keras.optimizers.Adam 3.15.1", {"eps": 1e-7, "eps_place": "hat", "decay": "decoupled"}),
        "mlx": Preset("mlx.optimizers.Adam 0.32.4", {"bias_correction": "none"}),
        "tinygrad": Preset("tinygrad.nn.optim.Adam 0.14.0", {}),
        "sklearn": Preset("sklearn.neural_network._stochastic_optimizers.AdamOptimizer 1.9.1", {"eps_place": "hat"}),
        "autograd": Preset("autograd.misc.optimizers.adam 1.9.1", {}),
    }
