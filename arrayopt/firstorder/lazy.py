"""Lazy: rows without a gradient, such as those of words that a batch does not hold, stay as they are."""

from dataclasses import dataclass
from typing import final

from arrayopt.backend import Array, Namespace
from arrayopt.core.state import State
from arrayopt.firstorder.wrapper import After, Call, Leaves, Wrapper


@final
@dataclass(frozen=True, kw_only=True)
class Lazy(Wrapper):
    r"""Lazy updates: of an embedding only the rows move whose gradient is not zero.

    .. math::

        \theta_{t,i}, \; m_{t,i}, \; \dots \leftarrow \theta_{t-1,i}, \; m_{t-1,i}, \; \dots
            \quad \text{for every row i with } g_{t,i} = 0

    Parameters
    ----------
    rule : Rule, Partition or Wrapper
        The optimizer of the other rows.
    leaves : tuple of str, optional
        Leaves whose path has one of these as a component, such as ``("embedding",)``. By default every leaf with two
        axes or more, of which the first one counts rows.

    Notes
    -----
    State: none of its own. Slots of the parameter's shape keep their rows, too; others (the columns of Adafactor,
    counters) are the rule's. The rule's step count is that of calls, not of the visits of a row, so that its bias
    corrections are those of a row that was visited in every call: as in torch's SparseAdam and TensorFlow's LazyAdam.
    Decay and momentum do nothing to a row while it rests. A NaN is not zero.

    References
    ----------
    Archive 7094. torch.optim.SparseAdam 2.13.0 (run) is ``Lazy(rule=Adam(eps_place="hat"))``.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.momentum import Momentum
    >>> rule, params = Lazy(rule=Momentum(lr=1.0, momentum=0.5)), np.zeros((2, 1))
    >>> state = rule.init(params)
    >>> for g in ([[1.0], [1.0]], [[1.0], [0.0]]):
    ...     params, state = rule.update(np.array(g), state, params)
    >>> params
    array([[-2.5],
           [-1. ]])
    """

    leaves: tuple[str, ...] | None = None

    def step(self, call: Call) -> After:
        """Let the rule step, then put back the rows that rest."""
        stepped, inner = self.rule.update(call.grads, call.inner, call.params)
        moves = {path: _moves(call.xp, g) for path, g in call.grads.items() if self._is_lazy(path, g)}

        def kept(before: Leaves, after: Leaves) -> dict[str, Array]:
            return {
                path: call.xp.where(moves[path], x, before[path])
                if path in moves and tuple(x.shape) == tuple(call.params[path].shape)
                else x
                for path, x in after.items()
            }

        slots = {name: kept(call.inner.slots[name], by) for name, by in inner.slots.items()}
        return After(kept(call.params, stepped), State(inner.t, slots))

    def _is_lazy(self, path: str, x: Array) -> bool:
        named = self.leaves is None or any(part in self.leaves for part in path.split("/"))
        return x.ndim >= 2 and named


def _moves(xp: Namespace, g: Array) -> Array:
    """Return which rows move, with an axis of length one for each of the others."""
    return xp.any(g != 0, axis=tuple(range(1, g.ndim)), keepdims=True)
