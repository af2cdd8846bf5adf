"""Accumulate: one step of a rule on the mean gradient of several micro-batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.core import options
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.wrapper import After, Call, Number, Wrapper, cast, wide


@final
@dataclass(frozen=True, kw_only=True)
class Accumulate(Wrapper):
    r"""Gradient accumulation: k calls gather a mean gradient, and the last of them steps.

    .. math::

        a_t &= a_{t-1} + g_t / k \\
        \theta_t &= \theta_{t-1} \text{ unless } k \mid t, \text{ else a step of the rule on } a_t,
            \text{ and then } a_t = 0

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer that receives the mean; its step count, and so its schedules, count one in k calls.
    k : int
        Calls per step, >= 1. The gradients of a group are all taken at the same, resting parameters.

    Notes
    -----
    State: ``accumulate.mean``, of the parameter's shape (float32 for half precision), starting at zero and zero
    after every k-th call. Each gradient is divided before it is added, so that the sum does not overflow
    where the mean would not. Momentum and Tiger can do without this slot, by their own field `accumulate`.

    References
    ----------
    archive 8634.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule, params = Accumulate(rule=SGD(lr=0.1), k=2), np.array([1.0])
    >>> state = rule.init(params)
    >>> for g in [3.0, 5.0]:
    ...     params, state = rule.update(np.array([g]), state, params)
    ...     print(params)
    [1.]
    [0.6]
    """

    k: int = 1

    def __post_init__(self) -> None:
        """Check the count of calls too."""
        super().__post_init__()
        options.check_count("Accumulate", "k", self.k)

    def slots(self, leaf: Leaf) -> Mapping[str, Literal["zeros", "params"]]:
        """Return the mean so far."""
        return {"mean": "zeros"}

    def inner_t(self, t: int, counters: Mapping[str, Number]) -> int:
        """Return the number of whole groups."""
        return t // self.k

    def step(self, call: Call) -> After:
        """Add to the mean; in the last call of a group, step on it."""
        xp = call.xp
        mean = {
            path: cast(xp, a + wide(xp, call.grads[path]) / self.k, a.dtype) for path, a in call.own["mean"].items()
        }
        if call.t % self.k:
            return After(call.params, call.inner, {"mean": mean})
        grads = {path: cast(xp, a, call.grads[path].dtype) for path, a in mean.items()}
        params, inner = self.rule.update(grads, call.inner, call.params)
        return After(params, inner, {"mean": {path: xp.zeros_like(a) for path, a in mean.items()}})
