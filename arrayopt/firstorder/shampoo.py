"""Shampoo: Adagrad with a matrix for every axis."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.optimizer import Slot
from arrayopt.core.options import ClosedUnitInterval, Epsilon, Rate, UnitInterval
from arrayopt.core.orthogonal import inverse_root
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.schedules import at
from arrayopt.core.trees import Leaf


@final
@dataclass(frozen=True, kw_only=True)
class Shampoo(Rule):
    r"""Shampoo: a gradient between inverse roots of the sums of its Gram matrices.

    .. math::

        L_t &= \beta L_{t-1} + G_t G_t^T, \qquad L_0 = \epsilon I \\
        R_t &= \beta R_{t-1} + G_t^T G_t, \qquad R_0 = \epsilon I \\
        W_t &= W_{t-1} - \eta L_t^{-1/4} G_t R_t^{-1/4}

    A tensor of k axes has such a matrix for each of them, from the gradient unfolded along that axis, and the
    exponent is -1/(2k): a vector goes by :math:`L^{-1/2} g`, the full-matrix Adagrad, and a number as in SGD.

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. The first step has a spectral norm of about lr; with beta = 1 later ones shrink like
        :math:`1/\sqrt t`.
    beta : float or schedule
        :math:`\beta` in [0, 1]. 1: sums (the paper, pytorch_optimizer); less: they fade (the article). At 0 and
        eps = 0 the step is the orthogonal factor of the gradient, as in Muon without momentum.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient's square; its value at the first step. 1e-4.
        At 0 the powers act on the non-zero spectrum only.
    momentum : float or schedule
        :math:`\mu` in [0, 1).
    momentum_form : {"gradient", "feedback"}
        "gradient": :math:`M_t = \mu M_{t-1} + (1 - \mu) G_t` takes the place of the gradient between the roots, not
        in the sums (the authors' TensorFlow code). "feedback": the gradient becomes
        :math:`\mu U_{t-1} + (1 - \mu) G_t` from the second step on, with U the step before the rate, in the sums
        too; and "l2" decay is added after that (pytorch_optimizer).
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`.

    Notes
    -----
    State: l, r and, for further axes, h2, h3, ...: square matrices of the size of each axis, starting at eps times the
    identity; with momentum also m, of the parameter's shape, starting at zero. The roots are taken anew at each step,
    in float64.

    References
    ----------
    arXiv 1802.09568, algorithms 1 and 2; archive 10592.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Shampoo(lr=0.1, eps=0.0), np.zeros((2, 2))
    >>> params, state = rule.update(np.array([[3.0, 0.0], [0.0, -0.5]]), rule.init(params), params)
    >>> params
    array([[-0.1,  0. ],
           [ 0. ,  0.1]])
    """

    lr: Rate = 0.1
    beta: ClosedUnitInterval = 1.0
    eps: Epsilon = 1e-4
    momentum: UnitInterval = 0.0
    momentum_form: Literal["gradient", "feedback"] = "gradient"

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1802.09568, algorithms 1 and 2", {}),
        "pytorch_optimizer": Preset(
            "pytorch_optimizer.Shampoo 4.1.0", {"lr": 1e-3, "eps": 1e-6, "momentum_form": "feedback"}
        ),
    }

    @property
    def remembers(self) -> bool:
        """Whether there is momentum at all."""
        return callable(self.momentum) or self.momentum != 0

    def slots(self, leaf: Leaf) -> Mapping[str, float | Slot]:
        """Keep one matrix for each axis, and the momentum."""
        eps = at(self.eps, 1)
        grams = {s: Slot(eps, (n, n), identity=True) for s, n in zip(_names(leaf), leaf.shape, strict=True)}
        return grams | ({"m": 0.0} if self.remembers else {})

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return how to unfold the leaf along each axis: the sizes before it, of it and after it."""
        shape = leaf.shape
        around = tuple((math.prod(shape[:i]), n, math.prod(shape[i + 1 :])) for i, n in enumerate(shape))
        return {"axes": tuple(zip(_names(leaf), around, strict=True)), "shape": shape, "first": t == 1}

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array | None = None, **grams: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Gupta, Koren and Singer, algorithm 2."""
        feeds_back = self.remembers and self.momentum_form == "feedback"
        if feeds_back and not h.first:
            g = ema(h.momentum, m, g)
        g = u = self.l2(h, g, p)
        if self.remembers and not feeds_back:
            u = m = ema(h.momentum, m, g)
        after: dict[str, Array | None] = {}
        for slot, around in h.axes:
            after[slot] = gram = h.beta * grams[slot] + _gram(xp, g, h.shape, *around)
            u = _apply(xp, inverse_root(xp, gram, order=2 * len(h.axes)), u, h.shape, *around)
        return self.descend(h, p, u), after | {"m": u if feeds_back else m}


def _names(leaf: Leaf) -> tuple[str, ...]:
    return ("l", "r", *(f"h{i}" for i in range(2, leaf.ndim)))[: leaf.ndim]


# A tensor of `shape` is seen along one axis of size n, with sizes `before` and `after` it. The last axis of a matrix
# is the columns, so that the text of a matrix reads G G^T and G^T G.


def _gram(xp: Namespace, x: Array, shape: tuple[int, ...], before: int, n: int, after: int) -> Array:
    """Return the matrix of inner products of the slices along an axis."""
    if after == 1:
        x = _reshaped(xp, x, shape, (before, n))
        return xp.matrix_transpose(x) @ x
    x = _slices(xp, x, shape, before, n, after)
    return x @ xp.matrix_transpose(x)


def _apply(xp: Namespace, root: Array, x: Array, shape: tuple[int, ...], before: int, n: int, after: int) -> Array:
    """Multiply a tensor along an axis by a symmetric matrix."""
    if after == 1:
        return _reshaped(xp, _reshaped(xp, x, shape, (before, n)) @ root, (before, n), shape)
    x = root @ _slices(xp, x, shape, before, n, after)
    if before == 1:
        return _reshaped(xp, x, (n, after), shape)
    return xp.reshape(xp.matrix_transpose(xp.reshape(x, (n * after, before))), shape)


def _slices(xp: Namespace, x: Array, shape: tuple[int, ...], before: int, n: int, after: int) -> Array:
    """Return a matrix whose rows are the slices along an axis."""
    if before == 1:
        return _reshaped(xp, x, shape, (n, after))
    return xp.reshape(xp.matrix_transpose(xp.reshape(x, (before, n * after))), (n, after * before))


def _reshaped(xp: Namespace, x: Array, old: tuple[int, ...], new: tuple[int, ...]) -> Array:
    return x if old == new else xp.reshape(x, new)
