"""Average: a running average of the parameters that a rule visits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.core import options, trees
from arrayopt.core.options import UnitInterval
from arrayopt.core.schedules import at
from arrayopt.core.state import State
from arrayopt.core.trees import Leaf, Tree
from arrayopt.firstorder.wrapper import After, Call, Wrapper, cast, wide


@final
@dataclass(frozen=True, kw_only=True)
class Average(Wrapper):
    r"""Averages of the iterates: the rule steps as ever, and its parameters are averaged beside it.

    .. math::

        \bar\theta_t = \bar\theta_{t-1} + w_n (\theta_t - \bar\theta_{t-1}), \quad n = t - t_0

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer whose parameters are averaged.
    form : {"mean", "ema", "ema_from_start", "ema_debiased"}
        The weight :math:`w_n`. "mean": 1 / n, the mean of :math:`\theta_{t_0+1}, \dots, \theta_t` (Polyak and
        Ruppert; torch's SWA). "ema": :math:`1 - \delta`, but 1 at n = 1, so that the average starts from the first
        iterate (torch's ``get_ema_multi_avg_fn``, Keras' ``use_ema``). "ema_from_start": :math:`1 - \delta`
        always, from :math:`\theta_{t_0}` (timm). "ema_debiased":
        :math:`(1 - \delta) / (1 - \delta^n)`, which is an exponential mean from zero, divided by its weights
        (Adam's paper, section 7.2).
    decay : float or schedule
        :math:`\delta` in [0, 1) of the exponential forms: 0.99 to 0.9999, about 1 / (1 - decay) iterates.
    start : int
        :math:`t_0 \ge 0`, the steps before averaging begins; until then the average is the parameter itself.

    Notes
    -----
    State: ``average.mean``, of the parameter's shape (float32 for half precision). `averaged` reads it. The bound on
    regret of online gradient descent holds for the mean of the iterates, not for the last one.

    References
    ----------
    Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992. arXiv 1803.05407 (SWA).
    arXiv 1412.6980, section 7.2. archive 9902 (averages and regret).

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule, params = Average(rule=SGD(lr=1.0)), np.array([0.0])
    >>> state = rule.init(params)
    >>> for _ in range(3):
    ...     params, state = rule.update(np.array([-1.0]), state, params)
    >>> params, rule.averaged(state, params)
    (array([3.]), array([2.]))
    """

    form: Literal["mean", "ema", "ema_from_start", "ema_debiased"] = "mean"
    decay: UnitInterval = 0.999
    start: int = 0

    def __post_init__(self) -> None:
        """Check the count of steps too."""
        super().__post_init__()
        options.check_count("Average", "start", self.start, least=0)

    def slots(self, leaf: Leaf) -> Mapping[str, Literal["zeros", "params"]]:
        """Return the average."""
        return {"mean": "params"}

    def weight(self, t: int) -> float:
        """Return the share of the way that the average goes to the parameters at step t."""
        n = t - self.start
        decay = options.check_number(type(self), "decay", at(self.decay, t), t)
        if n < 1 or (n == 1 and self.form != "ema_from_start"):
            return 1.0
        return {
            "mean": 1 / n,
            "ema": 1 - decay,
            "ema_from_start": 1 - decay,
            "ema_debiased": (1 - decay) / (1 - decay**n),
        }[self.form]

    def step(self, call: Call) -> After:
        """Step, then move the average."""
        params, inner = self.rule.update(call.grads, call.inner, call.params)
        xp, w = call.xp, self.weight(call.t)
        mean = {
            path: wide(xp, params[path], copy=True)
            if w == 1
            else cast(xp, a + w * (wide(xp, params[path]) - a), a.dtype)
            for path, a in call.own["mean"].items()
        }
        return After(params, inner, {"mean": mean})

    def averaged(self, state: State, params: Tree) -> Tree:
        """Return the averaged parameters as a tree like `params`, which gives structure and dtypes.

        Where another wrapper holds this one, pass ``outer.inner(state)``.
        """
        leaves, spec = trees.flatten(params, "params")
        xp = trees.common_namespace(params=leaves)
        own, _, _ = self._parted(state, leaves)
        return trees.unflatten(spec, {k: cast(xp, own["mean"][k], p.dtype, copy=True) for k, p in leaves.items()})
