r"""Stacks of residual branches, with the norm after the sum (Post-Norm) or in the branch (Pre-Norm), or without.

Of branches of variance :math:`\sigma^2` Post-Norm leaves the shortcut the weight :math:`(1 + \sigma^2)^{-l/2}`; with
Pre-Norm the variance grows linearly instead.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.arguments import reals
from arrayopt.core.orthogonal.precision import at_least_single
from arrayopt.errors import OptionError
from arrayopt.theory.norms import size_and_unit

__all__ = ["post_norm_weights", "pre_norm_variance", "residual_stack", "rms_norm"]


def post_norm_weights(layers: int, variance: float = 1.0) -> tuple[float, np.ndarray]:
    r"""Return the weights of x and of every branch in a Post-Norm stack of independent branches.

    .. math:: x_l = \frac{x_0}{(1 + \sigma^2)^{l/2}} + \sum_{i=0}^{l-1} \frac{F_i}{(1 + \sigma^2)^{(l-i)/2}}

    Parameters
    ----------
    layers : int
        l, at least 0; a layer of a Transformer has two.
    variance : float
        :math:`\sigma^2 \ge 0` of the output of the branches, which is not that of their weights.

    Returns
    -------
    tuple of float and array
        :math:`(1 + \sigma^2)^{-l/2}`, and the weights of :math:`F_0, \dots, F_{l-1}`. The square of the first and the
        squares of the others times :math:`\sigma^2` add up to 1.

    References
    ----------
    kexue.fm/archives/8747.

    Examples
    --------
    >>> shortcut, branches = post_norm_weights(24)
    >>> shortcut == 2**-12, float(branches[-1]) == 0.5**0.5
    (True, True)
    """
    if layers < 0 or not variance >= 0:
        raise OptionError(f"layers, variance: expected numbers >= 0, got {layers!r} and {variance!r}")
    left = layers - np.arange(layers)
    rate = -0.5 * math.log1p(variance)
    return math.pow(1 + variance, -layers / 2), np.exp(rate * left) if variance != 1 else 2.0 ** (-left / 2)


def pre_norm_variance(layers: int, variance: float = 1.0) -> float:
    r"""Return the variance of x after a Pre-Norm stack of independent branches, :math:`1 + l \sigma^2`.

    All branches have the same weight, :math:`x_l = x_0 + \sum_i F_i(\mathrm{Norm}(x_i))`.

    Examples
    --------
    >>> pre_norm_variance(24)
    25.0
    """
    if layers < 0 or not variance >= 0:
        raise OptionError(f"layers, variance: expected numbers >= 0, got {layers!r} and {variance!r}")
    return 1 + layers * variance


def rms_norm(x: Array, *, center: bool = False) -> Array:
    r"""Return vectors divided by their root mean square, less their mean before if `center` (LayerNorm).

    .. math:: x / \sqrt{\overline{x^2}}

    Zero stays zero; the last axis is that of the vectors. Right where squares leave the range of the dtype.

    Examples
    --------
    >>> rms_norm(np.asarray([3e200, -3e200])), rms_norm(np.asarray([4.0, 2.0]), center=True)
    (array([ 1., -1.]), array([ 1., -1.]))
    """
    xp, own = reals(x=x), x.dtype
    if x.shape[-1] == 0:
        return x
    _, u = size_and_unit(xp, at_least_single(xp, x))
    if center:
        u = u - xp.mean(u, axis=-1, keepdims=True)
    root = xp.sqrt(xp.mean(u * u, axis=-1, keepdims=True))
    return xp.astype(u / xp.where(root == 0, xp.ones_like(root), root), own, copy=False)


def residual_stack(
    x: Array,
    branches: Sequence[Callable[[Array], Array]],
    *,
    norm: Literal["post", "pre", "none"] = "post",
    alpha: float = 1.0,
    normalise: Callable[[Array], Array] = rms_norm,
) -> list[Array]:
    r"""Run x through residual branches and return x before the first and after each.

    Parameters
    ----------
    x : array
    branches : sequence of callables
        F, from arrays to arrays of the same shape.
    norm : {"post", "pre", "none"}
        :math:`\mathrm{Norm}(x + \alpha F(x))`, :math:`x + \alpha F(\mathrm{Norm}(x))` or :math:`x + \alpha F(x)`.
    alpha : float
        The factor of the branches: 1; ReZero and SkipInit learn it, from 0 on, where every layer is the identity.
    normalise : callable
        `rms_norm` by default.

    References
    ----------
    arXiv 2003.04887 (ReZero), 2002.10444 (SkipInit).

    Examples
    --------
    >>> residual_stack(np.ones(2), [lambda x: 5 * x] * 3, norm="none", alpha=0.0)[-1]
    array([1., 1.])
    """
    if norm not in ("post", "pre", "none"):
        raise OptionError(f'norm: expected "post", "pre" or "none", got {norm!r}')
    found = [x]
    for F in branches:
        x = x + alpha * F(normalise(x) if norm == "pre" else x)
        x = normalise(x) if norm == "post" else x
        found.append(x)
    return found
