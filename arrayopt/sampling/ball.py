"""The sampling view to first order: the mean of exp(-<g, d> / alpha) on a ball is a step along -g."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import JUST_ABOVE_ZERO, Interval, Rate
from arrayopt.core.rule import Preset, Rule
from arrayopt.core.schedules import Number
from arrayopt.core.tape import opaque
from arrayopt.core.trees import Leaf
from arrayopt.sampling.bessel import Domain, bessel_ratio

AboveZero = Annotated[Number, Interval(JUST_ABOVE_ZERO)]
"""A number > 0, or a schedule of such."""


def _ratio_error(k: Any, *, norm_of_error: Any = 0.0, unit: float = 0.0, n: int, domain: Domain) -> Any:
    """Bound the change of `mean_length`: the ratio is concave for k >= 0, so that its slope is greatest at 0."""
    steepest = 1 / (n + 2 if domain == "ball" else n)
    return norm_of_error * steepest + 8 * unit * np.abs(bessel_ratio(n, np.asarray(k, np.float64), domain))


def with_error(helper: Any) -> Any:
    """Give the helper the bound that the rounding reader asks for."""
    helper.error = _ratio_error
    return helper


@opaque()
@with_error
def mean_length(xp: Namespace, k: Array, *, n: int, domain: Domain) -> Array:
    """Return the length of the mean on the unit ball at concentration k; see `bessel_ratio`."""
    return bessel_ratio(n, k, domain)


@final
@dataclass(frozen=True, kw_only=True)
class BallStep(Rule):
    r"""The mean of :math:`p(d) \propto e^{-\langle g, d \rangle / \alpha}` on the ball :math:`\|d\| \le \epsilon`.

    .. math::

        \theta_t = \theta_{t-1} - \eta \epsilon \, r(k) \, \frac{g}{\|g\|}, \qquad k = \frac{\epsilon \|g\|}{\alpha},
        \qquad r(k) = \frac{I_{n/2+1}(k)}{I_{n/2}(k)}

    The temperature :math:`\alpha` trades speed for stability. Cold, r is 1: a normalised step of length
    :math:`\epsilon`, however small the gradient. Hot, r is :math:`k / (n + 2)`: gradient descent at the rate
    :math:`\epsilon^2 / (\alpha (n + 2))`. In between the step grows with the gradient and never leaves the ball.

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`, a factor of the mean; 1.
    alpha : float or schedule
        The temperature :math:`\alpha > 0`, in units of the objective; its reciprocal is the beta of other texts.
    radius : float or schedule
        :math:`\epsilon > 0`, in units of the parameter.
    domain : {"ball", "sphere"}
        "sphere": the mean on the surface alone, :math:`r = I_{n/2} / I_{n/2-1}` (von Mises and Fisher). Hot, the
        rate is :math:`\epsilon^2 / (\alpha n)`.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "decoupled" by default.

    Notes
    -----
    State: none. Each leaf has a ball of its own, of as many dimensions as it has elements; lay parameters out as one
    array for one ball. A gradient of zero gives a step of zero. The step is :math:`-\alpha \nabla_g \log Z`, with the
    partition function `ball_log_partition`; the article omits this :math:`\alpha`, which is right for 1 only.

    References
    ----------
    archive 7521 (the view; the closed form is derived here). Amos 1974 (the ratio).

    Examples
    --------
    >>> rule, params = BallStep(alpha=1e-9, radius=0.5), np.zeros(2)
    >>> params, state = rule.update(np.array([3.0, -4.0]), rule.init(params), params)
    >>> params.round(6)
    array([-0.3,  0.4])
    >>> BallStep(alpha=1e9, radius=0.5).update(np.array([3.0, -4.0]), state, np.zeros(2))[0] * (1e9 * 4 / 0.5**2)
    array([-3.,  4.])
    """

    lr: Rate = 1.0
    alpha: AboveZero = 1.0
    radius: AboveZero = 0.1
    domain: Literal["ball", "sphere"] = "ball"
    decay: Literal["l2", "decoupled", "in_update"] = "decoupled"

    presets: ClassVar[Mapping[str, Preset]] = {"paper": Preset("archive 7521", {})}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the dimension, its root, which makes a norm of a root mean square, and the root of k per mean square.

        The root, for it fits into the dtype where radius / alpha may not.
        """
        root = math.sqrt(max(leaf.size, 1))
        half = math.sqrt(root * h.radius) / math.sqrt(h.alpha)
        half = min(half, float(np.finfo("float32" if leaf.dtype == "bfloat16" else leaf.dtype).max))
        return {"n": leaf.size, "root": root, "half": half, "empty": leaf.size == 0}

    def step(self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array) -> tuple[Array, dict[str, Array | None]]:
        """Take the mean."""
        g = self.l2(h, g, p)
        if h.empty:
            return p, {}
        largest = xp.max(xp.abs(g))  # so that no square overflows or vanishes
        unit = g / xp.where(largest > 0, largest, 1.0)
        size = xp.sqrt(xp.mean(unit * unit))  # in [1 / root, 1]
        unit = unit / xp.where(largest > 0, size, 1.0)
        k = h.half * (h.half * (largest * size))
        r = xp.reshape(mean_length(xp, xp.reshape(k, (1, 1)), n=h.n, domain=self.domain), ())
        u = (h.radius / h.root) * (r * unit)
        return self.descend(h, p, u), {}
