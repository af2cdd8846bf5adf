"""RMSProp."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, NonNegative, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.schedules import at
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.adagrad import RootPlace, under_or_beside


@final
@dataclass(frozen=True, kw_only=True)
class RMSProp(Rule):
    r"""RMSProp: the gradient divided by the root of a running mean of its square.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, \qquad v_0 = v_{init} \\
        u_t &= \frac{g_t}{\sqrt{v_t} + \epsilon} \\
        \theta_t &= \theta_{t-1} - \eta u_t

    Centered: :math:`\bar g_t = \rho \bar g_{t-1} + (1 - \rho) g_t`, and :math:`v_t - \bar g_t^2` in the root.
    With momentum: :math:`b_t = \mu b_{t-1} + u_t` in place of :math:`u_t`.

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. About the size of a step of each coordinate once v is warm; the first steps are
        :math:`1 / \sqrt{1 - \rho}` times as large unless `initial` or `bias_correction` says otherwise. 1e-3.
    rho : float or schedule
        :math:`\rho` in [0, 1), the decay rate of the means: 0.9, or 0.99 (torch and MLX by default).
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient (of its square for "inside", where a port that keeps
        the number must square it).
    momentum : float or schedule
        :math:`\mu \ge 0`; 0 for none, 0.9 in the recipes of TensorFlow's vision models.
    initial : float
        :math:`v_{init} \ge 0`: 0, or 1 (TensorFlow 1, timm, autograd), which holds the first steps back.
        Of a schedule, the value at t = 1.
    eps_place : {"outside", "inside"}
        "outside": :math:`\sqrt v + \epsilon` (torch, MLX, autograd; optax with ``eps_in_sqrt=False``).
        "inside": :math:`\sqrt{v + \epsilon}` (optax, Keras, TensorFlow, timm).
    centered : bool
        Whether to divide by the standard deviation, arXiv 1308.0850 (an option of torch, optax, Keras, timm).
    lr_place : {"outside", "inside"}
        With momentum: "outside" the buffer, as above (torch), or "inside",
        :math:`b_t = \mu b_{t-1} + \eta u_t` and :math:`\theta_t = \theta_{t-1} - b_t` (optax, Keras,
        TensorFlow, timm). They differ only while the rate changes.
    bias_correction : bool
        Whether the means are divided by :math:`1 - \rho^t` (an option of optax); meant for `initial` = 0.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "l2" by default, as in torch. Keras decays decoupled. "in_update" passes through the
        momentum.

    Notes
    -----
    State: v; mg when centered; b with momentum; each of the parameter's shape.

    From `initial` = 0, v never exceeds the largest squared gradient so far: unlike Adagrad's sum it forgets.
    The centered variance is non-negative in exact arithmetic only: once gradients repeat, rounding can make
    the root a NaN where eps is outside, as in torch; with eps inside it is safe while eps exceeds the
    rounding of v. With bias correction the first variance is always zero. Hinton's lecture has no epsilon, so
    that a zero gradient at the start gives 0/0 = NaN. The centered form with momentum of arXiv 1308.0850,
    equations 38 to 41, is
    ``centered=True, rho=0.95, momentum=0.9, lr=1e-4, eps=1e-4, eps_place="inside", lr_place="inside"``.

    References
    ----------
    Hinton, Srivastava, Swersky, Neural networks for machine learning, lecture 6e (2012).
    Centered: arXiv 1308.0850.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = RMSProp(lr=0.1, rho=0.75), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, -1e-3]), rule.init(params), params)
    >>> params.round(4)  # 0.1 / sqrt(1 - 0.75)
    array([ 0.8, -1.8])
    """

    lr: Rate = 1e-3
    rho: UnitInterval = 0.9
    eps: Epsilon = 1e-8
    momentum: NonNegative = 0.0
    initial: NonNegative = 0.0
    eps_place: RootPlace = "outside"
    centered: bool = False
    lr_place: Literal["outside", "inside"] = "outside"
    bias_correction: bool = False

    constants: ClassVar[Mapping[str, tuple[float, ...]]] = {"initial": (0.0, 1.0)}
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("Hinton, Srivastava, Swersky 2012, lecture 6e", {"eps": 0.0}),
        "torch": Preset("torch.optim.RMSprop 2.13.0", {"lr": 1e-2, "rho": 0.99}),
        "optax": Preset("optax.rmsprop 0.2.8 (no default rate)", {"eps_place": "inside", "lr_place": "inside"}),
        "keras": Preset(
            "keras.optimizers.RMSprop 3.15.1",
            {"eps": 1e-7, "eps_place": "inside", "lr_place": "inside", "decay": "decoupled"},
        ),
        "mlx": Preset("mlx.optimizers.RMSprop 0.32.4 (no default rate)", {"rho": 0.99}),
        "timm": Preset(
            "timm.optim.RMSpropTF at 0d4c04f (read, not run)",
            {"lr": 1e-2, "eps": 1e-10, "initial": 1.0, "eps_place": "inside", "lr_place": "inside"},
        ),
        "autograd": Preset("autograd.misc.optimizers.rmsprop 1.9.1", {"lr": 0.1, "initial": 1.0}),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Return the running mean of squares; that of gradients when centered; the buffer with momentum."""
        mean = {"mg": 0.0} if self.centered else {}
        buffer = {"b": 0.0} if callable(self.momentum) or self.momentum != 0 else {}
        return {"v": at(self.initial, 1)} | mean | buffer

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the bias correction, and eps under and beside the root."""
        return {"bc": 1 - h.rho**t if self.bias_correction else 1.0} | under_or_beside(self.eps_place, h.eps)

    def step(
        self,
        xp: Namespace,
        h: SimpleNamespace,
        g: Array,
        p: Array,
        v: Array,
        mg: Array | None = None,
        b: Array | None = None,
    ) -> tuple[Array, dict[str, Array | None]]:
        """Hinton et al., lecture 6e; Graves, equations 38 to 41 when centered."""
        g = self.l2(h, g, p)
        v = ema(h.rho, v, g * g)
        s = v / h.bc
        if self.centered:
            mg = ema(h.rho, mg, g)
            mean = mg / h.bc
            s = s - mean * mean
        u = self.inside(h, g / (xp.sqrt(s + h.under) + h.beside), p)
        if b is None:
            d = h.lr * u
        elif self.lr_place == "inside":
            d = b = h.momentum * b + h.lr * u
        else:
            b = h.momentum * b + u
            d = h.lr * b
        return self.outside(h, p, d), {"v": v, "mg": mg, "b": b}
