"""Adafactor: second moments from the means of rows and columns, and steps relative to the parameter."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.optimizer import Slot
from arrayopt.core.options import Epsilon, NonNegative, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.layerwise import rms

MACHINE_EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


@final
@dataclass(frozen=True, kw_only=True)
class Adafactor(Rule):
    r"""Adafactor: adaptive rates with sublinear memory.

    .. math::

        R_t &= \beta_{2,t} R_{t-1} + (1 - \beta_{2,t})\, \overline{(G_t^2 + \epsilon_1)}^{\text{rows}} \\
        C_t &= \beta_{2,t} C_{t-1} + (1 - \beta_{2,t})\, \overline{(G_t^2 + \epsilon_1)}^{\text{columns}} \\
        U_t &= G_t \big/ \sqrt{R_t C_t / \overline{R_t}}, \qquad
            \hat U_t = U_t / \max(1, \mathrm{RMS}(U_t) / d) \\
        \theta_t &= \theta_{t-1} - \rho_t \max(\epsilon_2, \mathrm{RMS}(\theta_{t-1}))\, \hat U_t

    with :math:`\beta_{2,t} = 1 - t^{-c}` and :math:`\rho_t = \min(\eta, 1/\sqrt t)`. A leaf that is not
    factored keeps :math:`V_t`, the running mean of :math:`G_t^2 + \epsilon_1`, in place of
    :math:`R_t C_t / \overline{R_t}`. (The paper writes sums for the means, which is the same.)

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. The paper, MLX and pytorch_optimizer hold it at 1e-2, their own warm-up is the
        schedule ``lambda t: 1e-6 * t``.
    relative_step : bool
        Whether :math:`1/\sqrt t` bounds the rate (the paper, torch, Keras, MLX, pytorch_optimizer) or
        :math:`\rho_t = \eta` (optax).
    scale_parameter : bool
        Whether the rate is relative to :math:`\max(\epsilon_2, \mathrm{RMS}(\theta))`.
    beta2_power : float or schedule
        c, 0.8 in the paper.
    beta2_max : float or schedule
        Upper bound of :math:`\beta_{2,t}`; 0.999 in pytorch_optimizer and big_vision, 1 for none.
    clip_threshold : float or schedule
        d > 0, the largest root mean square of an update; a huge number for no clipping.
    eps1 : float or schedule
        :math:`\epsilon_1`, in units of the squared gradient where it is "added" and of the gradient where
        it is clamped; with "machine" in units of the machine epsilon of the leaf's dtype.
    eps1_place : {"added", "clamp", "machine"}
        "added": as above (the paper, optax, Keras, MLX, pytorch_optimizer). "clamp": not added, but a lower
        bound of :math:`\overline{R_t}` and of the root that divides :math:`G_t` (torch). "machine": the same
        with torch's default, which depends on the dtype.
    eps2 : float or schedule
        :math:`\epsilon_2`, lower bound of the scale, in units of the parameter.
    factor_min : int
        Least size of both axes of a factored leaf: 0, or 128 in optax.
    axes : {"last", "largest"}
        Which two axes of a leaf with more than two are rows and columns. "largest": optax.
    beta1 : float or schedule
        Decay rate in [0, 1) of a running mean of updates, without correction; 0 for none, 0.9 in
        pytorch_optimizer (there in bfloat16 unless told otherwise).
    momentum_of : {"scaled", "unscaled"}
        Whether that mean is of :math:`\rho_t \max(\epsilon_2, \mathrm{RMS}(\theta)) \hat U_t` (optax, MLX,
        pytorch_optimizer) or of :math:`\hat U_t` (big_vision).
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "decoupled", with :math:`\eta` rather than :math:`\rho_t` (torch, Keras), or
        "independent" (optax). "in_update" multiplies it by the whole relative rate, outside of any
        momentum (MLX, pytorch_optimizer).
    rms_of : {"before_decay", "after_decay"}
        Which parameter the scale is measured of where a decoupled decay is taken before the update:
        the old one (torch, optax) or the decayed one (Keras).

    Notes
    -----
    State: r and c, of the parameter's shape with the column or the row axis at size one, or v of its shape;
    m of its shape if there is momentum; all starting at zero. For a matrix of n rows and m columns that is
    n + m numbers. Since :math:`\beta_{2,1} = 0`, no correction is needed. The two roots are taken apart, so
    that a row and a column that are both zero do not underflow: Keras, which multiplies first, then
    returns NaN in float32.

    References
    ----------
    arXiv 1804.04235, algorithms 4 (matrices), 5 (vectors) and 6 (the constants).

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Adafactor(), np.array([[1.0, -1.0, 1.0], [1.0, 1.0, 1.0]])
    >>> state = rule.init(params)
    >>> {slot: leaves[""].shape for slot, leaves in state.slots.items()}
    {'r': (2, 1), 'c': (1, 3)}
    >>> params, state = rule.update(np.array([[1.0, -2.0, 3.0], [2.0, -4.0, 6.0]]), state, params)
    >>> params.round(4)
    array([[ 0.99, -0.99,  0.99],
           [ 0.99,  1.01,  0.99]])
    """

    lr: Rate = 1e-2
    relative_step: bool = True
    scale_parameter: bool = True
    beta2_power: NonNegative = 0.8
    beta2_max: NonNegative = 1.0
    clip_threshold: NonNegative = 1.0
    eps1: Epsilon = 1e-30
    eps1_place: Literal["added", "clamp", "machine"] = "added"
    eps2: NonNegative = 1e-3
    factor_min: int = 0
    axes: Literal["last", "largest"] = "last"
    beta1: UnitInterval = 0.0
    momentum_of: Literal["scaled", "unscaled"] = "scaled"
    decay: Literal["l2", "decoupled", "in_update"] = "decoupled"
    rms_of: Literal["before_decay", "after_decay"] = "before_decay"

    constants: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "beta2_max": (1.0, 0.999),
        "eps1": (1e-30, 1.0),
        "factor_min": (0, 128),
    }
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1804.04235, algorithms 4 and 5", {}),
        "torch": Preset("torch.optim.Adafactor 2.13.0", {"eps1": 1.0, "eps1_place": "machine"}),
        "optax": Preset(
            "optax.adafactor 0.2.8",
            {
                "lr": 1.0,
                "relative_step": False,
                "factor_min": 128,
                "axes": "largest",
                "decay_scale": "independent",
            },
        ),
        "keras": Preset("keras.optimizers.Adafactor 3.15.1", {"lr": 1e-3, "rms_of": "after_decay"}),
        "mlx": Preset("mlx.optimizers.Adafactor 0.32.4", {"decay": "in_update"}),
        "pytorch_optimizer": Preset(
            "pytorch_optimizer.AdaFactor 4.1.0, its momentum in the dtype of the parameter",
            {"beta1": 0.9, "beta2_max": 0.999, "decay": "in_update"},
        ),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float | Slot]:
        """Row and column means or a whole second moment, and the running mean of updates."""
        mean = {"m": 0.0} if callable(self.beta1) or self.beta1 > 0 else {}
        factored = self.row_and_column(leaf)
        if not factored:
            return {"v": 0.0} | mean
        row, column = factored
        r, c = (tuple(1 if i == a else n for i, n in enumerate(leaf.shape)) for a in (column, row))
        return {"r": Slot(shape=r), "c": Slot(shape=c)} | mean

    def row_and_column(self, leaf: Leaf) -> tuple[int, ...]:
        """Return the row and the column axis of a leaf, and nothing if it is not factored."""
        order = list(range(leaf.ndim))
        if self.axes == "largest":
            order.sort(key=lambda i: leaf.shape[i])
        two = tuple(order[-2:])
        return two if leaf.ndim > 1 and all(leaf.shape[i] >= self.factor_min for i in two) else ()

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Rate and decay rate of step t, the place of eps1, and the two axes."""
        row, column = self.row_and_column(leaf) or (None, None)
        floor = h.eps1 * (MACHINE_EPS[leaf.dtype] if self.eps1_place == "machine" else 1.0)
        return {
            "rho": min(h.lr, t**-0.5) if self.relative_step else h.lr,
            "beta2": min(1 - t**-h.beta2_power, h.beta2_max),
            "added": floor if self.eps1_place == "added" else 0.0,
            "floor": 0.0 if self.eps1_place == "added" else floor,
            "row": row,
            "column": column,
            "empty": leaf.size == 0,
        }

    def step(
        self,
        xp: Namespace,
        h: SimpleNamespace,
        g: Array,
        p: Array,
        r: Array | None = None,
        c: Array | None = None,
        v: Array | None = None,
        m: Array | None = None,
    ) -> tuple[Array, dict[str, Array | None]]:
        """Shazeer and Stern, algorithm 4 for matrices and 5 for vectors."""
        if h.empty:  # has no mean
            return p, {"r": r, "c": c, "v": v, "m": m}
        g = self.l2(h, g, p)
        old, p = p, self.before(h, p)
        alpha = h.rho
        if self.scale_parameter:
            alpha = h.rho * xp.maximum(rms(xp, old if self.rms_of == "before_decay" else p), h.eps2)
        square = g * g + h.added
        if r is not None:
            r = ema(h.beta2, r, xp.mean(square, axis=h.column, keepdims=True))
            c = ema(h.beta2, c, xp.mean(square, axis=h.row, keepdims=True))
            root = xp.sqrt(r / xp.maximum(xp.mean(r, axis=h.row, keepdims=True), h.floor)) * xp.sqrt(c)
        else:
            v = ema(h.beta2, v, square)
            root = xp.sqrt(v)
        u = g / xp.maximum(root, h.floor)
        u = u / xp.maximum(rms(xp, u) / h.clip_threshold, 1.0)
        if m is not None and self.momentum_of == "unscaled":
            u = m = ema(h.beta1, m, u)
        d = alpha * u
        if m is not None and self.momentum_of == "scaled":
            d = m = ema(h.beta1, m, d)
        if h.decays and self.decay == "in_update":  # at the rate of the update, but outside of the mean
            d = d + h.weight_decay * alpha * p
        return self.after(h, p - d), {"r": r, "c": c, "v": v, "m": m}
