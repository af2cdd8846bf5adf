"""Clip: bound the gradients before a rule sees them, by their norm or one by one."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.core import options
from arrayopt.core.options import NonNegative
from arrayopt.core.schedules import at
from arrayopt.firstorder.wrapper import After, Call, Leaves, Wrapper, cast, wide


@final
@dataclass(frozen=True, kw_only=True)
class Clip(Wrapper):
    r"""Clipping: gradients that are too long together are shortened together.

    .. math::

        n &= \sqrt{\textstyle\sum_{i} \lVert g_i \rVert^2} \\
        g_i &\leftarrow g_i \min(1, c / n)

    with i over the leaves. By leaf, each has a norm n of its own; by value, every element is brought into [-c, c].

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer that receives the clipped gradients.
    max_norm : float or schedule
        c >= 0, in units of the gradient; 1 is common for language models.
    form : {"torch", "exact", "keras"}
        "torch": :math:`g \min(1, c / (n + 10^{-6}))`, so that a gradient exactly at the limit is shortened by
        :math:`10^{-6}` (torch, MLX). "exact": :math:`(g / n) c` where :math:`n \ge c`, and g itself elsewhere
        (optax). "keras": :math:`g\, c \min(1 / n, 1 / c)`, and every element NaN when n is not finite (Keras,
        TensorFlow); where n < c rounding may change the last bit. By value there is one form.
    by : {"global", "leaf", "value"}
        "global": all leaves together (torch and MLX ``clip_grad_norm``, optax ``clip_by_global_norm``, Keras
        ``global_clipnorm``). "leaf": each by itself (Keras ``clipnorm``). "value": each element (torch
        ``clip_grad_value_``, optax ``clip``, Keras ``clipvalue``).

    Notes
    -----
    State: none of its own. With an infinite element "torch" and "exact" give NaN there and 0 elsewhere; with
    a NaN every form gives NaN everywhere. The direction is kept, so a rule that is invariant to the scale of
    all gradients, such as Lion with a constant factor, sees clipping only through its memory. The norm is
    taken in float32 for leaves of half precision.

    References
    ----------
    arXiv 1211.5063, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule, params = Clip(rule=SGD(lr=1.0), max_norm=1.0, form="exact"), {"w": np.zeros(1), "b": np.zeros(1)}
    >>> params, state = rule.update({"w": np.array([30.0]), "b": np.array([-40.0])}, rule.init(params), params)
    >>> params
    {'w': array([-0.6]), 'b': array([0.8])}
    """

    max_norm: NonNegative = 1.0
    form: Literal["torch", "exact", "keras"] = "torch"
    by: Literal["global", "leaf", "value"] = "global"

    def step(self, call: Call) -> After:
        """Shorten the gradients, then step."""
        return After(*self.rule.update(self.shorten(call.xp, call.t, call.grads), call.inner, call.params))

    def shorten(self, xp: Namespace, t: int, grads: Leaves) -> Leaves:
        """Return the gradients as the rule sees them at call t."""
        limit = options.check_number(type(self), "max_norm", at(self.max_norm, t), t)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # inf and NaN are meant to pass through
            together = self.norm(xp, grads) if self.by == "global" else None
            return {
                path: cast(xp, self._shortened(xp, wide(xp, g), together, limit), g.dtype) for path, g in grads.items()
            }

    def norm(self, xp: Namespace, grads: Leaves) -> Array:
        """Return what is held against `max_norm` when all leaves are clipped together."""
        return global_norm(xp, grads)

    def _shortened(self, xp: Namespace, g: Array, together: Array | None, c: float) -> Array:
        if self.by == "value":
            return xp.minimum(xp.maximum(g, -c * xp.ones_like(g)), c * xp.ones_like(g))
        n = cast(xp, global_norm(xp, {"": g}) if together is None else together, g.dtype)
        one = xp.ones_like(n)
        if self.form == "torch":
            return g * xp.minimum(c / (n + 1e-6), one)
        if self.form == "exact":
            return xp.where(n < c, g, g / n * c)
        return g * (c * xp.minimum(1 / n, one / c) + (n - n))


def global_norm(xp: Namespace, leaves: Leaves) -> Array:
    """Return the Euclidean norm of all leaves as one vector, a 0-d array.

    Examples
    --------
    >>> import numpy as np
    >>> global_norm(np, {"w": np.array([3.0]), "b": np.array([[4.0]])})
    array(5.)
    """
    squares = [xp.sum(x * x) for x in (wide(xp, x) for x in leaves.values())]
    n = xp.sqrt(sum(squares[1:], squares[0]))
    return cast(xp, n, n.dtype)
