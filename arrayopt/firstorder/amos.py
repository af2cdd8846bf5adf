"""Amos: Adam-like scaling with a decay and a rate that lead each parameter to its expected scale."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.optimizer import Slot
from arrayopt.core.options import NonNegative, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf


@final
@dataclass(frozen=True, kw_only=True)
class Amos(Rule):
    r"""Amos: adaptive weight decay towards a model-oriented scale.

    .. math::

        v_t &= \beta v_{t-1} + (1 - \beta) \overline{g_t^2}, \qquad r_t = (1 - \beta^t) / v_t \\
        \gamma_t &= (1 + \zeta_c \sqrt{\xi}\, b_{t-1})^{-1/2} \, \xi^2 r_t \overline{g_t^2} \\
        \theta_t &= \theta_{t-1} - \frac{\xi \eta \sqrt{r_t}\, g_t + \tfrac12 \gamma_t \theta_{t-1}}
            {1 + \zeta_d \sqrt{\xi \eta}\, b_{t-1}} \\
        b_t &= b_{t-1} + \gamma_t (1 + b_{t-1})

    where the bar is the mean over the axes of `reduce`.

    Parameters
    ----------
    lr : float or schedule
        :math:`\xi \ge 0`, the same for every parameter: about one over the root of the number of
        independent batches. It needs no decay, since b brings one.
    eta : float or schedule
        :math:`\eta \ge 0`, the expected size of the entries of a trained parameter.
    eta_by : {"shape", "number"}
        "number": `eta` itself (jestimator, which asks for one per variable; see `Partition`). "shape": `eta`
        times 1/2 for at most one axis, :math:`\sqrt{2/n}` for two, :math:`\sqrt{1/n}` for more, with n the
        size of the second axis (pytorch_optimizer, whose kernels are (out, in, ...)).
    beta : float or schedule
        :math:`\beta` in [0, 1); :math:`1 - \beta` about as large as :math:`\xi`.
    c_coef, d_coef : float or schedule
        :math:`\zeta_c, \zeta_d \ge 0`: how fast decay and rate fall with b. One number, 0.25, in the paper.
    reduce : {"none", "all", "first", "last"}
        Axes over which squares are averaged, and v and b have size one. "none": jestimator's default.
        "all": one number a leaf (pytorch_optimizer). "first", "last": one for each output of a kernel
        (in, out) or (out, in), which saves nearly all of the memory too.
    momentum : float or schedule
        Decay rate in [0, 1) of a running mean of the updates, without correction; 0 for none.
    extra_l2 : float or schedule
        A constant beside :math:`\gamma_t / 2`.
    extra_l2_form : {"added", "subtracted"}
        "added": :math:`\tfrac12 \gamma_t + \text{extra}` (jestimator). "subtracted":
        :math:`\tfrac12 (\gamma_t - \text{extra})` (pytorch_optimizer), which lets parameters grow.
    eps : float or schedule
        Guard of the division by v, in units of the squared gradient. In float16 it is at least
        :math:`2^{-14}`, since the inverse must be finite too.
    eps_place : {"max", "added"}
        "max": :math:`\max(v, \epsilon)` (jestimator, with :math:`2^{-125}`, whose inverse float32 still
        holds). "added": :math:`v + \epsilon` (pytorch_optimizer, with 1e-18).
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`: a decay beside the one that Amos brings, 0 by default. "in_update" adds
        :math:`\lambda\theta` to :math:`\eta \sqrt{r}\, g`.

    Notes
    -----
    State: v and b, of the parameter's shape with the axes of `reduce` at size one, and m of the parameter's
    shape if there is momentum; all starting at zero. :math:`1 + b_t` is the product of all
    :math:`1 + \gamma_s` so far. While gradients are pure noise and b is small, entries settle at a standard
    deviation of :math:`\eta`.

    References
    ----------
    arXiv 2210.11693, the update rule; archive 9344; github.com/google-research/jestimator (amos.py).

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Amos(lr=0.1, eta_by="number", eta=0.5), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, -1e-3]), rule.init(params), params)
    >>> params.round(4)
    array([ 0.945, -1.94 ])
    """

    lr: Rate = 1e-2
    eta: NonNegative = 1.0
    eta_by: Literal["shape", "number"] = "shape"
    beta: UnitInterval = 0.999
    c_coef: NonNegative = 0.25
    d_coef: NonNegative = 0.25
    reduce: Literal["none", "all", "first", "last"] = "none"
    momentum: UnitInterval = 0.0
    extra_l2: NonNegative = 0.0
    extra_l2_form: Literal["added", "subtracted"] = "added"
    eps: NonNegative = 2.0**-125  # not an Epsilon, which float16 leaves would refuse: see `scalars`
    eps_place: Literal["max", "added"] = "max"

    constants: ClassVar[Mapping[str, tuple[float, ...]]] = {"eps": (2.0**-125, 1e-18)}
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 2210.11693", {"eta_by": "number"}),
        "jestimator": Preset("jestimator.amos.amos 78e96ee, eta from its eta_fn (read)", {"eta_by": "number"}),
        "pytorch_optimizer": Preset(
            "pytorch_optimizer.Amos 4.1.0",
            {"lr": 1e-3, "reduce": "all", "eps": 1e-18, "eps_place": "added", "extra_l2_form": "subtracted"},
        ),
    }

    def slots(self, leaf: Leaf) -> Mapping[str, float | Slot]:
        """Return a reduced second moment and the decay factor b, and the running mean of updates."""
        axes = self.axes(leaf)
        small = Slot(shape=tuple(1 if i in axes else n for i, n in enumerate(leaf.shape)))
        mean = {"m": 0.0} if callable(self.momentum) or self.momentum > 0 else {}
        return {"v": small, "b": small} | mean

    def axes(self, leaf: Leaf) -> tuple[int, ...]:
        """Return the axes that squares are averaged over."""
        every = tuple(range(leaf.ndim))
        return {"none": (), "all": every, "first": every[:1], "last": every[-1:]}[self.reduce]

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Bias correction, target scale and what multiplies b and the parameter."""
        eta = h.eta * (by_shape(leaf.shape) if self.eta_by == "shape" else 1.0)
        return {
            "bc": 1 - h.beta**t,
            "eta": eta,
            "c": h.c_coef * math.sqrt(h.lr),
            "d": h.d_coef * math.sqrt(h.lr * eta),
            "eps": max(h.eps, 2.0**-14) if leaf.dtype == "float16" else h.eps,
            "extra": h.extra_l2 if self.extra_l2_form == "added" else -h.extra_l2 / 2,
            "axes": self.axes(leaf),
            "empty": leaf.size == 0,
        }

    def step(
        self,
        xp: Namespace,
        h: SimpleNamespace,
        g: Array,
        p: Array,
        v: Array,
        b: Array,
        m: Array | None = None,
    ) -> tuple[Array, dict[str, Array | None]]:
        """Tian and Parikh, in the order of the authors' code."""
        if h.empty:  # has no mean
            return p, {"v": v, "b": b, "m": m}
        g = self.l2(h, g, p)
        square = xp.mean(g * g, axis=h.axes, keepdims=True) if h.axes else g * g
        v = ema(h.beta, v, square)
        r = h.bc / (xp.maximum(v, h.eps) if self.eps_place == "max" else v + h.eps)
        gamma = h.lr * h.lr * r * square / xp.sqrt(1 + h.c * b)
        u = h.lr * self.inside(h, h.eta * xp.sqrt(r) * g, p) + (gamma / 2 + h.extra) * p
        d = u / (1 + h.d * b)
        if m is not None:
            d = m = ema(h.momentum, m, d)
        return self.outside(h, p, d), {"v": v, "b": b + gamma * (1 + b), "m": m}


def by_shape(shape: tuple[int, ...]) -> float:
    """Return pytorch_optimizer's target scale of a parameter of this shape."""
    if len(shape) < 2:
        return 0.5
    return math.sqrt((2 if len(shape) == 2 else 1) / max(shape[1], 1))
