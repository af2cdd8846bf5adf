"""MixedPrecision: a float32 copy of half-precision parameters, and a scale that keeps their gradients in range."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, final

from arrayopt.backend import Namespace
from arrayopt.core.options import Interval, check_count
from arrayopt.core.state import State
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.wrapper import HALF, After, Call, Leaves, Number, Wrapper, all_finite, cast, wide

SCALES = Interval(2.0**-126, 2.0**128)
"""The scale is kept in float32, as a normal number."""


@final
@dataclass(frozen=True, kw_only=True)
class MixedPrecision(Wrapper):
    r"""Mixed precision: gradients of a scaled loss, arithmetic and a master copy in float32.

    .. math::

        \theta^{32}_t &= \text{a step of the rule from } \theta^{32}_{t-1} \text{ on } g_t / S \\
        \theta_t &= \text{half precision of } \theta^{32}_t

    The caller multiplies the loss by the scale S of `loss_scale`, so that small gradients do not
    underflow. A step whose gradients overflowed is skipped.

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer of the master copy. It sees true, float32 gradients, so hold a `Clip` inside.
    scale : float
        S > 0, or its first value; a power of two costs no rounding. 1 for bfloat16, whose range is float32's.
    dynamic : bool
        Whether S changes: it is halved by an overflow, and doubled after `interval` steps without one.
    growth, backoff : float
        The factors instead of 2 and 1/2; growth >= 1, backoff in [0, 1).
    interval : int
        Steps without overflow before S grows, >= 1.

    Notes
    -----
    State: ``mixed_precision.master`` for float16 and bfloat16 leaves; the 0-d arrays ``mixed_precision.applied``
    (steps taken, int32) and, if dynamic, ``mixed_precision.scale`` (float32) and ``mixed_precision.good`` (steps
    since S last changed, int32). The rule's slots of half-precision leaves are float32. Leaves of other dtypes are
    stepped as they are. The master is the truth: half-precision values that are passed to `update` are not read.
    A scale that would leave float32's normal range stays. Without a master copy a step under half the spacing of
    numbers at the parameter is absorbed.

    References
    ----------
    arXiv 1710.03740, sections 3.1 and 3.2; torch.amp.GradScaler 2.13.0 (run).

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule, params = MixedPrecision(rule=SGD(lr=1e-4), scale=1024.0), np.ones(1, dtype=np.float16)
    >>> state = rule.init(params)
    >>> for _ in range(8):
    ...     params, state = rule.update(np.full(1, rule.loss_scale(state), dtype=np.float16), state, params)
    >>> params, state.slots["mixed_precision.master"][""].round(5)
    (array([0.999], dtype=float16), array([0.9992], dtype=float32))
    """

    scale: Annotated[float, SCALES] = 65536.0
    dynamic: bool = True
    growth: Annotated[float, Interval(1.0)] = 2.0
    backoff: Annotated[float, Interval(0.0, 1.0)] = 0.5
    interval: int = 2000

    def __post_init__(self) -> None:
        """Check that the scale is a number, not a schedule, and the count of steps."""
        super().__post_init__()
        check_count("MixedPrecision", "interval", self.interval)

    def slots(self, leaf: Leaf) -> Mapping[str, Literal["zeros", "params"]]:
        """Return the master copy."""
        return {"master": "params"} if leaf.dtype in HALF else {}

    def counters(self) -> Mapping[str, Number]:
        """Return the steps of the rule, the scale and how long it has held."""
        return {"applied": 0} | ({"scale": self.scale, "good": 0} if self.dynamic else {})

    def inner_t(self, t: int, counters: Mapping[str, Number]) -> int:
        """Return the steps that were taken."""
        return int(counters["applied"])

    def held_params(self, xp: Namespace, params: Leaves) -> Leaves:
        """Return the parameters in float32 where they are of half precision."""
        return {path: wide(xp, p) for path, p in params.items()}

    def step(self, call: Call) -> After:
        """Step the master copy on unscaled gradients, unless one of them overflowed."""
        xp, master = call.xp, call.own.get("master", {})
        counters = self._counted(call.counters, good := all_finite(xp, call.grads))
        if not good:
            return After(call.params, call.inner, call.own, counters)
        unscale = 1 / float(call.counters.get("scale", self.scale))
        grads = {path: cast(xp, wide(xp, g) * unscale, wide(xp, g).dtype) for path, g in call.grads.items()}
        params, inner = self.rule.update(grads, call.inner, {**call.params, **master})
        half = {path: cast(xp, params[path], call.params[path].dtype) for path in master}
        own = {"master": {path: params[path] for path in master}} if master else {}
        return After({**params, **half}, inner, own, counters)

    def _counted(self, before: Mapping[str, Number], finite: bool) -> dict[str, Number]:
        """Return the counters after a step that was finite or not."""
        after: dict[str, Number] = {"applied": int(before["applied"]) + finite}
        if self.dynamic:
            scale, good = float(before["scale"]), int(before["good"]) + 1 if finite else 0
            changed = scale * self.backoff if not finite else scale * self.growth if good == self.interval else scale
            after["scale"] = changed if SCALES.low <= changed < SCALES.high else scale
            after["good"] = good % self.interval
        return after

    def loss_scale(self, state: State) -> float:
        """Return the number to multiply the loss by before the next gradients are taken."""
        return float(self._counter(state, "scale", self.scale)) if self.dynamic else self.scale
