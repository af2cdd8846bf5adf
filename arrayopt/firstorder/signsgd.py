"""SignSGD: descent by the signs of the gradient."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Rate
from arrayopt.core.rule import Preset, Rule


@final
@dataclass(frozen=True, kw_only=True)
class SignSGD(Rule):
    r"""SignSGD: every coordinate moves by the rate, against the sign of its gradient.

    .. math::

        \theta_t = \theta_{t-1} - \eta \operatorname{sign}(g_t)

    with sign(0) = 0.

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`: the size of every coordinate's step. A constant rate stalls at about its own
        distance from the optimum, so let it decay.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "decoupled" by default (pytorch_optimizer). With "l2" it counts only where it turns a
        sign.

    Notes
    -----
    State: none. It is steepest descent in the maximum norm, less the factor :math:`\|g\|_1`. Scaling the
    gradients by a positive number, as loss scaling does, changes nothing. Workers can vote by one bit a
    coordinate: the sign of the sum of their signs.

    References
    ----------
    arXiv 1802.04434, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = SignSGD(lr=0.1), np.array([1.0, -2.0, 0.5])
    >>> params, state = rule.update(np.array([30.0, -1e-9, 0.0]), rule.init(params), params)
    >>> params.round(4)
    array([ 0.9, -1.9,  0.5])
    """

    lr: Rate = 1e-3
    decay: Literal["l2", "decoupled", "in_update"] = "decoupled"

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1802.04434, algorithm 1", {}),
        "optax": Preset("optax.sign_sgd 0.2.8", {}),
        "pytorch_optimizer": Preset("pytorch_optimizer.SignSGD 4.1.0, momentum=0", {}),
    }

    def step(self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array) -> tuple[Array, dict[str, Array | None]]:
        """Bernstein and others, algorithm 1."""
        g = self.l2(h, g, p)
        return self.descend(h, p, xp.sign(g)), {}
