"""LAMB: Adam's update, rescaled leaf by leaf to the norm of the parameter."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf
from arrayopt.errors import OptionError
from arrayopt.firstorder.adam import EpsPlace, eps_under_and_beside
from arrayopt.firstorder.layerwise import rms


@final
@dataclass(frozen=True, kw_only=True)
class LAMB(Rule):
    r"""LAMB: layer-wise adaptive moments for large batches.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        u_t &= \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} + \lambda \theta_{t-1} \\
        \theta_t &= \theta_{t-1} - \eta \frac{\|\theta_{t-1}\|}{\|u_t\|} u_t

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`: the norm of a step over the norm of the parameter.
    beta1, beta2 : float or schedule
        Decay rates in [0, 1) of the two means.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient.
    eps_root : float or schedule
        A second epsilon under the root (optax).
    eps_place : {"paper", "hat", "root_corrected", "root_raw", "both"}
        See `Adam`.
    bias_correction : {"both", "none", "first"}
        "both": as above (the paper, optax, Keras, tinygrad, timm). "none": neither mean is corrected.
        "first": neither, but the rate is divided by :math:`1 - \beta_1^t`, beyond the reach of the
        trust ratio (pytorch_optimizer).
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "in_update", as in the paper. As "decoupled" before the update, the decayed parameter
        is what the trust ratio measures (Keras, pytorch_optimizer, timm).
    adapt : {"always", "with_decay"}
        When the trust ratio :math:`\|\theta\| / \|u\|` is used; without it the step is Adam's.
        "with_decay": only where the decay is not zero (timm).
    clamp : float, optional
        Upper bound of :math:`\|\theta\|` in the ratio; 10 in pytorch_optimizer.
    max_ratio : float, optional
        Upper bound of the ratio itself; 1 in timm's ``trust_clip`` (LAMBC).
    eps_in_ratio : bool
        Whether eps is also added to :math:`\|u\|` in the ratio (pytorch_optimizer).

    Notes
    -----
    State: m and v, of the parameter's shape, starting at zero. The ratio is 1 where either norm is zero.
    Clipping the gradients' global norm first, timm's default, is a wrapper's business.
    In float16 squares under 6e-8 vanish, so a leaf of entries under 2e-4 counts as zero.

    References
    ----------
    arXiv 1904.00962, algorithm 2; archive 7094 (layer adaptation of any rule).

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = LAMB(lr=0.1), np.array([3.0, -4.0])
    >>> after, state = rule.update(np.array([1e-3, 20.0]), rule.init(params), params)
    >>> float(np.linalg.norm(after - params) / np.linalg.norm(params))
    0.1
    """

    lr: Rate = 1e-3
    beta1: UnitInterval = 0.9
    beta2: UnitInterval = 0.999
    eps: Epsilon = 1e-6
    eps_root: Epsilon = 0.0
    eps_place: EpsPlace = "paper"
    bias_correction: Literal["both", "none", "first"] = "both"
    decay: Literal["l2", "decoupled", "in_update"] = "in_update"
    adapt: Literal["always", "with_decay"] = "always"
    clamp: float | None = None
    max_ratio: float | None = None
    eps_in_ratio: bool = False

    constants: ClassVar[Mapping[str, tuple[Any, ...]]] = {"clamp": (None, 10.0)}
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1904.00962, algorithm 2", {}),
        "optax": Preset("optax.lamb 0.2.8", {}),
        "keras": Preset("keras.optimizers.Lamb 3.15.1", {"eps": 1e-7, "decay": "decoupled"}),
        "tinygrad": Preset("tinygrad.nn.optim.LAMB 0.14.0", {}),
        "pytorch_optimizer": Preset(
            "pytorch_optimizer.Lamb 4.1.0",
            {"bias_correction": "first", "decay": "decoupled", "clamp": 10.0, "eps_in_ratio": True},
        ),
        "timm": Preset(
            "timm.optim.Lamb 1e19b29 without its clipping (read)",
            {"weight_decay": 0.01, "adapt": "with_decay"},
        ),
    }

    def __post_init__(self) -> None:
        """Check the bounds too."""
        super().__post_init__()
        for name in ("clamp", "max_ratio"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise OptionError(f"LAMB: {name} must be None or a number > 0, got {bound!r}")

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Two running means."""
        return {"m": 0.0, "v": 0.0}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Bias corrections, the place of eps, and the bounds in units of the root mean square."""
        bc1, bc2 = 1 - h.beta1**t, 1 - h.beta2**t
        if self.bias_correction != "both":
            bc2 = 1.0
        root = max(leaf.size, 1) ** 0.5
        return {
            "bc1": bc1 if self.bias_correction == "both" else 1.0,
            "bc2": bc2,
            "lr": h.lr / bc1 if self.bias_correction == "first" else h.lr,
            "adapts": leaf.size > 0 and (h.decays or self.adapt == "always"),
            "beside_norm": h.eps / root,
            "max_norm": 0.0 if self.clamp is None else self.clamp / root,
            "max_ratio": 0.0 if self.max_ratio is None else float(self.max_ratio),
        } | eps_under_and_beside(self.eps_place, h.eps, bc2, h.eps_root)

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array, v: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """You et al., algorithm 2."""
        g = self.l2(h, g, p)
        p = self.before(h, p)
        m = ema(h.beta1, m, g)
        v = ema(h.beta2, v, g * g)
        u = self.inside(h, (m / h.bc1) / (xp.sqrt(v / h.bc2 + h.under) + h.beside), p)
        rate = h.lr * self.trust_ratio(xp, h, p, u) if h.adapts else h.lr
        return self.after(h, p - rate * u), {"m": m, "v": v}

    def trust_ratio(self, xp: Namespace, h: SimpleNamespace, p: Array, u: Array) -> Array:
        """Return the norm of p over the norm of u, both over the root of the size; 1 if either is zero."""
        norm_p, norm_u = rms(xp, p), rms(xp, u)
        both = xp.logical_and(norm_p > 0, norm_u > 0)
        if self.clamp is not None:
            norm_p = xp.minimum(norm_p, h.max_norm)
        if self.eps_in_ratio:
            norm_u = norm_u + h.beside_norm
        ratio = xp.where(both, norm_p / xp.where(both, norm_u, 1.0), 1.0)
        return ratio if self.max_ratio is None else xp.minimum(ratio, h.max_ratio)
