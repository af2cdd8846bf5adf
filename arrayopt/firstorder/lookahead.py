"""Lookahead: slow parameters that follow the fast ones of a rule, and pull them back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.core import options
from arrayopt.core.options import NonNegative
from arrayopt.core.schedules import at
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.wrapper import After, Call, Number, Wrapper, cast, wide


@final
@dataclass(frozen=True, kw_only=True)
class Lookahead(Wrapper):
    r"""Lookahead: k steps forward with a rule, then one step back.

    .. math::

        \theta_t &= \text{a step of the rule from } \theta_{t-1} \\
        \Theta &\leftarrow \Theta + \alpha (\theta_t - \Theta), \quad \theta_t \leftarrow \Theta
            \quad \text{if } k \mid t

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer of the fast parameters :math:`\theta`.
    k : int
        Steps between two synchronisations, >= 1; 5 to 10.
    alpha : float or schedule
        :math:`\alpha \ge 0`, the share of the way that the slow parameters :math:`\Theta` go: 0.5, or 0.8. At 1
        nothing is pulled back, and the wrapper changes nothing.
    at_sync : {"keep", "reset"}
        What becomes of the rule's own state at a synchronisation. "keep": nothing (the paper's default).
        "reset": it starts anew, with its step count (optax's ``reset_state``).

    Notes
    -----
    State: ``lookahead.slow``, of the parameter's shape (float32 for half precision), starting at the parameters. The
    parameters that `update` returns are the fast ones.

    References
    ----------
    arXiv 1907.08610, algorithm 1; archive 7094.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule, params = Lookahead(rule=SGD(lr=1.0), k=2, alpha=0.5), np.array([0.0])
    >>> state = rule.init(params)
    >>> for _ in range(3):
    ...     params, state = rule.update(np.array([-1.0]), state, params)
    ...     print(params)
    [1.]
    [1.]
    [2.]
    """

    k: int = 5
    alpha: NonNegative = 0.5
    at_sync: Literal["keep", "reset"] = "keep"

    def __post_init__(self) -> None:
        """Check the count of steps too."""
        super().__post_init__()
        options.check_count("Lookahead", "k", self.k)

    def slots(self, leaf: Leaf) -> Mapping[str, Literal["zeros", "params"]]:
        """Return the slow parameters."""
        return {"slow": "params"}

    def inner_t(self, t: int, counters: Mapping[str, Number]) -> int:
        """Return the steps of the rule since it last started anew."""
        return t % self.k if self.at_sync == "reset" else t

    def step(self, call: Call) -> After:
        """Zhang, Lucas, Hinton and Ba, algorithm 1."""
        fast, inner = self.rule.update(call.grads, call.inner, call.params)
        if call.t % self.k:
            return After(fast, inner, call.own)
        alpha = options.check_number(type(self), "alpha", at(self.alpha, call.t), call.t)
        xp, slow = call.xp, call.own["slow"]
        slow = {path: cast(xp, s + alpha * (wide(xp, fast[path]) - s), s.dtype) for path, s in slow.items()}
        # a copy, lest a caller who writes into the parameters writes into the state
        fast = {path: cast(xp, s, fast[path].dtype, copy=True) for path, s in slow.items()}
        return After(fast, self.rule.init(fast) if self.at_sync == "reset" else inner, {"slow": slow})
