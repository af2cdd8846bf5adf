r"""Steepest descent under a norm: the direction, the scalar that methods drop into their rate, and the value.

.. math:: \arg\min_\Delta \frac{\|\Delta\|^2}{2 \eta} + \langle g, \Delta \rangle = -\eta \|g\|_\dagger \phi^*, \qquad
          \|g\|_\dagger = \max_{\|\phi\| = 1} \langle g, \phi \rangle = \langle g, \phi^* \rangle,

of value :math:`-\tfrac{\eta}{2} \|g\|_\dagger^2`. The norm is p in [1, inf] for the vectors of the last axis, or
"spectral" for the matrices of the last two: 2 is gradient descent, inf sign descent, "spectral" Muon. The last two drop
the scalar :math:`\|g\|_\dagger`, which ``scaled=False`` does, too.
"""

import math
from typing import Any, Literal

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import reals
from arrayopt.core.orthogonal import msign
from arrayopt.core.orthogonal.precision import at_least_single, finite_or_zero
from arrayopt.errors import LeafError, OptionError
from arrayopt.theory.norms import size_and_unit

__all__ = [
    "dual_exponent",
    "dual_norm",
    "primal_norm",
    "steepest_direction",
    "steepest_model",
    "steepest_step",
    "steepest_value",
]

Norm = float | Literal["spectral"]


def dual_exponent(p: Any) -> float:
    """Return q with 1/p + 1/q = 1.

    Examples
    --------
    >>> dual_exponent(2.0), dual_exponent(1.0), dual_exponent(math.inf), dual_exponent(4.0)
    (2.0, inf, 1.0, 1.33333...)
    """
    if isinstance(p, str) or not p >= 1:
        raise OptionError(f'norm: expected a number p in [1, inf], or "spectral", got {p!r}')
    return math.inf if p == 1 else 1.0 if p == math.inf else p / (p - 1)


def primal_norm(x: Array, norm: Norm) -> Array:
    """Return the p-norm of vectors, or the spectral norm of matrices.

    Examples
    --------
    >>> import numpy as np
    >>> float(primal_norm(np.asarray([3.0, -4.0]), 1.0)), float(primal_norm(np.diag([3.0, -4.0]), "spectral"))
    (7.0, 4.0)
    """
    xp = _namespace(x, norm)
    if isinstance(norm, str):
        values = _singular_values(xp, x)
        top = xp.max(values, axis=-1) if values.shape[-1] else xp.sum(values, axis=-1)
        return xp.astype(top, x.dtype, copy=False)
    dual_exponent(norm)
    return xp.astype(_p_norm(xp, at_least_single(xp, x), norm), x.dtype, copy=False)


def dual_norm(g: Array, norm: Norm) -> Array:
    r"""Return :math:`\|g\|_\dagger`: the q-norm of vectors, or the nuclear norm of matrices.

    Examples
    --------
    >>> import numpy as np
    >>> float(dual_norm(np.asarray([3.0, -4.0]), math.inf)), float(dual_norm(np.diag([3.0, -4.0]), "spectral"))
    (7.0, 7.0)
    """
    xp = _namespace(g, norm)
    if isinstance(norm, str):
        return xp.astype(xp.sum(_singular_values(xp, g), axis=-1), g.dtype, copy=False)
    return xp.astype(_p_norm(xp, at_least_single(xp, g), dual_exponent(norm)), g.dtype, copy=False)


def steepest_direction(g: Array, norm: Norm) -> Array:
    r"""Return the :math:`\phi^*` of norm 1 along which g is greatest.

    .. math:: \phi^*_i = \mathrm{sgn}(g_i) \left( |g_i| / \|g\|_q \right)^{q/p}, \qquad \Phi^* = \mathrm{msign}(G)

    Parameters
    ----------
    g : array
    norm : float in [1, inf] or "spectral"

    Returns
    -------
    array
        0 where g is 0. For p = 1 entries that are greatest share the whole, and for p = inf entries that are 0 stay
        so; there, and for matrices without full rank, others are as good.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.asarray([3.0, -4.0])
    >>> steepest_direction(g, 2.0), steepest_direction(g, math.inf), steepest_direction(g, 1.0)
    (array([ 0.6, -0.8]), array([ 1., -1.]), array([ 0., -1.]))
    """
    xp = _namespace(g, norm)
    if isinstance(norm, str):
        return (
            msign(xp, _measured(xp, g)[1])
            if g.dtype == at_least_single(xp, g).dtype
            else xp.astype(msign(xp, _measured(xp, at_least_single(xp, g))[1]), g.dtype)
        )
    dual_exponent(norm)
    _, unit = size_and_unit(xp, at_least_single(xp, g))
    if norm == math.inf:
        return xp.astype(xp.sign(unit), g.dtype, copy=False)
    if norm == 1:
        weight = xp.astype(xp.abs(unit) == 1, unit.dtype)
        length = xp.sum(weight, axis=-1, keepdims=True)
    else:
        weight = xp.abs(unit) ** (1 / (norm - 1))
        length = _p_norm(xp, weight, norm, keepdims=True)
    found = xp.sign(unit) * weight / xp.where(length == 0, xp.ones_like(length), length)
    return xp.astype(found, g.dtype, copy=False)


def steepest_step(g: Array, lr: float, norm: Norm, *, scaled: bool = True) -> Array:
    r"""Return the step :math:`-\eta \|g\|_\dagger \phi^*`, or without the dual norm if not `scaled`.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.asarray([3.0, -4.0])
    >>> steepest_step(g, 0.1, math.inf), steepest_step(g, 0.1, math.inf, scaled=False)
    (array([-0.7,  0.7]), array([-0.1,  0.1]))
    """
    direction = steepest_direction(g, norm)
    if not scaled:
        return -lr * direction
    scalar = dual_norm(g, norm)
    return -lr * (scalar[..., None, None] if isinstance(norm, str) else scalar[..., None]) * direction


def steepest_model(step: Array, g: Array, lr: float, norm: Norm) -> Array:
    r"""Return what `steepest_step` minimises, :math:`\|\Delta\|^2 / (2 \eta) + \langle g, \Delta \rangle`.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.asarray([3.0, -4.0])
    >>> round(float(steepest_model(steepest_step(g, 0.1, 2.0), g, 0.1, 2.0)), 12), float(steepest_value(g, 0.1, 2.0))
    (-1.25, -1.25)
    """
    xp = reals(step=step, g=g)
    size = primal_norm(step, norm)
    return size * (size / (2 * lr)) + xp.sum(g * step, axis=(-2, -1) if isinstance(norm, str) else -1)


def steepest_value(g: Array, lr: float, norm: Norm) -> Array:
    r"""Return the least value of `steepest_model`, :math:`-\tfrac{\eta}{2} \|g\|_\dagger^2`."""
    dual = dual_norm(g, norm)
    return (-lr / 2) * dual * dual


def _namespace(x: Array, norm: Norm) -> Namespace:
    xp = reals(x=x)
    if isinstance(norm, str):
        if norm != "spectral":
            raise OptionError(f'norm: expected a number p in [1, inf], or "spectral", got {norm!r}')
        if x.ndim < 2:
            raise LeafError(f"x: expected matrices in the last two axes, got the shape {tuple(x.shape)}")
    return xp


def _p_norm(xp: Namespace, x: Array, p: float, *, keepdims: bool = False) -> Array:
    top, unit = size_and_unit(xp, x)
    if p != math.inf:
        # of a greatest entry of one; where all are 0 the sum is, too
        top = top * xp.sum(xp.abs(unit) ** p, axis=-1, keepdims=True) ** (1 / p)
    return top if keepdims else xp.squeeze(top, axis=-1)


def _measured(xp: Namespace, x: Array) -> tuple[Array, Array]:
    """Return the greatest entry of every matrix, and the matrices divided by it."""
    if 0 in x.shape[-2:]:
        return xp.sum(x, axis=(-2, -1), keepdims=True), x
    top = xp.max(xp.abs(x), axis=(-2, -1), keepdims=True)
    fine = xp.isfinite(top) & (top > 0)
    return top, xp.where(xp.isinf(x), math.nan, x) / xp.where(fine, top, xp.ones_like(top))


def _singular_values(xp: Namespace, x: Array) -> Array:
    """Return the singular values; NaN for a matrix that is not finite."""
    x = at_least_single(xp, x)
    if 0 in x.shape:
        return xp.sum(x, axis=-1)[..., : min(x.shape[-2:])]
    finite, safe = finite_or_zero(xp, x)
    top, unit = _measured(xp, safe)
    values = xp.linalg.svdvals(unit) * top[..., 0]
    return xp.where(finite[..., 0], values, math.nan)
