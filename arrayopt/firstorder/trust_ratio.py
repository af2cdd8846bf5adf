"""TrustRatio: the steps of any rule, rescaled leaf by leaf to the norm of the parameter."""

from dataclasses import dataclass
from typing import final

import numpy as np

from arrayopt.backend import Array
from arrayopt.core import options
from arrayopt.core.options import Rate
from arrayopt.core.schedules import at
from arrayopt.firstorder.clip import global_norm
from arrayopt.firstorder.wrapper import After, Call, Wrapper, cast, wide


@final
@dataclass(frozen=True, kw_only=True)
class TrustRatio(Wrapper):
    r"""Layer adaptation: every leaf moves by a fixed part of its norm, in the direction that a rule gives.

    .. math::

        h_t &= \text{the step of the rule from } \theta_{t-1} \\
        \theta_t &= \theta_{t-1} + \eta \frac{\|\theta_{t-1}\|}{\|h_t\|} h_t

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer that gives directions. Its own rate matters only where the ratio is not used.
    lr : float or schedule
        :math:`\eta \ge 0`: the norm of a step over the norm of the parameter.

    Notes
    -----
    State: none of its own. Where either norm is zero the step is the rule's. Of `Adam` it is `LAMB`, which measures the
    direction itself and not the difference of two parameters, whose last digits are those of the parameter: at a rate
    of 1 the rule's steps are as long as directions are. Norms are taken in float32 for leaves of half precision.

    References
    ----------
    Archive 7094 (layer adaptation of any optimizer); arXiv 1904.00962 for Adam, arXiv 1708.03888 for momentum.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule, params = TrustRatio(rule=SGD(lr=1.0), lr=0.1), np.array([3.0, -4.0])
    >>> params, state = rule.update(np.array([0.0, -7.0]), rule.init(params), params)
    >>> params
    array([ 3. , -3.5])
    """

    lr: Rate = 1e-3

    def step(self, call: Call) -> After:
        """Let the rule step, and rescale what it did."""
        lr = options.check_number(type(self), "lr", at(self.lr, call.t), call.t)
        stepped, inner = self.rule.update(call.grads, call.inner, call.params)
        return After({path: self._rescaled(call, path, after, lr) for path, after in stepped.items()}, inner)

    def _rescaled(self, call: Call, path: str, after: Array, lr: float) -> Array:
        xp, before = call.xp, wide(call.xp, call.params[path])
        h = cast(xp, wide(xp, after) - before, before.dtype)
        norm_p, norm_h = (global_norm(xp, {"": x}) for x in (before, h))
        used = xp.logical_and(norm_p > 0, norm_h > 0)
        with np.errstate(invalid="ignore"):
            ratio = lr * norm_p / xp.where(used, norm_h, xp.ones_like(norm_h))
            return xp.where(used, cast(xp, before + ratio * h, after.dtype), after)
