"""IfFinite: steps only on gradients without inf and NaN."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from arrayopt.core import options
from arrayopt.core.state import State
from arrayopt.firstorder.wrapper import After, Call, Number, Wrapper, all_finite


@final
@dataclass(frozen=True, kw_only=True)
class IfFinite(Wrapper):
    r"""Apply if finite: a step whose gradients hold an inf or a NaN is skipped.

    Parameters and the state of the rule, its step count included, then stay as they are.

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer that receives the finite gradients.
    max_consecutive_errors : int, optional
        How many steps in a row may be skipped, >= 0. The next one is taken, finite or not, as optax does:
        a loss that stays non-finite should be seen. By default there is no limit.

    Notes
    -----
    State: the 0-d int32 arrays ``if_finite.applied`` (steps that the rule has taken), ``if_finite.run``
    (non-finite gradients in a row, now) and ``if_finite.total`` (in all), which are optax's
    ``notfinite_count`` and ``total_notfinite``.

    References
    ----------
    optax.apply_if_finite 0.2.8 (run).

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule, params = IfFinite(rule=SGD(lr=1.0)), np.array([0.0, 0.0])
    >>> params, state = rule.update(np.array([np.nan, 1.0]), rule.init(params), params)
    >>> params, rule.skipped(state), rule.inner(state).t
    (array([0., 0.]), 1, 0)
    """

    max_consecutive_errors: int | None = None

    def __post_init__(self) -> None:
        """Check the count of errors too."""
        super().__post_init__()
        if self.max_consecutive_errors is not None:
            options.check_count("IfFinite", "max_consecutive_errors", self.max_consecutive_errors, least=0)

    def counters(self) -> Mapping[str, Number]:
        """Return what optax counts, and the steps of the rule."""
        return {"applied": 0, "run": 0, "total": 0}

    def inner_t(self, t: int, counters: Mapping[str, Number]) -> int:
        """Return the steps that were taken."""
        return int(counters["applied"])

    def step(self, call: Call) -> After:
        """Look, then step or stay."""
        bad = not all_finite(call.xp, call.grads)
        run = int(call.counters["run"]) + 1 if bad else 0
        total = int(call.counters["total"]) + bad
        applied = int(call.counters["applied"])
        gives_up = self.max_consecutive_errors is not None and run > self.max_consecutive_errors
        if bad and not gives_up:
            return After(call.params, call.inner, counters={"applied": applied, "run": run, "total": total})
        params, inner = self.rule.update(call.grads, call.inner, call.params)
        return After(params, inner, counters={"applied": applied + 1, "run": run, "total": total})

    def skipped(self, state: State) -> int:
        """Return how many steps have been skipped."""
        return state.t - self.inner(state).t
