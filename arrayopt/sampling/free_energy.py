r"""The free energy :math:`F = -\alpha \log E_q e^{-l / \alpha}`: between the least value and the mean, by temperature.

:math:`F(\alpha)` increases from the infimum of l on the support of q, as :math:`\alpha \to 0`, to its mean under q, as
:math:`\alpha \to \infty`. Closed forms for linear and quadratic l, where l is the change of the loss by a step d.
"""

import math
from typing import Any

from arrayopt.backend import Array, namespace, to_numpy
from arrayopt.core.arguments import positive
from arrayopt.core.logsumexp import logsumexp
from arrayopt.errors import OptionError
from arrayopt.sampling.bessel import Domain, ball_log_mean
from arrayopt.sampling.gaussian import refused


def empirical_free_energy(f: Array, alpha: float, weights: Array | None = None) -> Array:
    r"""Return the free energy of values under a discrete q.

    .. math:: F = -\alpha \log \sum_i q_i e^{-f_i / \alpha}

    Parameters
    ----------
    f : array, shape (..., n)
        Values; +inf are allowed, NaN gives NaN.
    alpha : float
        The temperature, in [0, inf]: at 0 it is the least value that has a weight, at inf the mean.
    weights : array, shape (..., n), optional
        :math:`q_i`, with sum 1; 1/n by default.

    Examples
    --------
    >>> import numpy as np
    >>> f = np.array([1.0, 2.0, 6.0])
    >>> [round(float(empirical_free_energy(f, a)), 6) for a in (0.0, 1e-3, 1.0, 1e6, math.inf)]
    [1.0, 1.001099, 1.780..., 2.999998, 3.0]
    """
    if not alpha >= 0:
        raise OptionError(f"alpha: expected a temperature >= 0, got {alpha!r}")
    xp = namespace(f) if weights is None else namespace(f, weights)
    q = xp.full_like(f, 1 / f.shape[-1]) if weights is None else xp.astype(weights, f.dtype, copy=False)
    f = xp.where(q > 0, f, xp.zeros_like(f))
    if alpha == math.inf:
        return xp.sum(xp.where(q > 0, q * f, xp.zeros_like(f)), axis=-1)
    if alpha == 0:
        return xp.min(xp.where(q > 0, f, xp.full_like(f, math.inf)), axis=-1)
    # -alpha log E e^{-f/alpha} = least - alpha log1p(E expm1((least - f) / alpha)): no digit lost at high alpha
    least = xp.min(xp.where(q > 0, f, xp.full_like(f, math.inf)), axis=-1, keepdims=True)
    finite = xp.isfinite(least)
    drop = xp.where(finite, xp.where(finite, least, xp.zeros_like(least)) - f, xp.zeros_like(f)) / alpha
    mean = xp.sum(q * xp.expm1(drop), axis=-1)
    near = mean > -0.5
    log = xp.where(near, xp.log1p(xp.where(near, mean, xp.zeros_like(mean))), logsumexp(drop, weights=q))
    return least[..., 0] - alpha * log


def linear_on_ball(g: Array, alpha: float, radius: float, domain: Domain = "ball") -> Array:
    r"""Return the free energy of :math:`\langle g, d \rangle` for d uniform on the ball (or sphere).

    .. math:: F = -\alpha \log\left[\Gamma(\tfrac n2 + 1) (2/k)^{n/2} I_{n/2}(k)\right],
        \qquad k = \epsilon \|g\| / \alpha

    It is :math:`-\epsilon \|g\|` as :math:`\alpha \to 0` and 0 as :math:`\alpha \to \infty`; its slope along g is the
    step of `BallStep`.

    Parameters
    ----------
    g : array, shape (..., d)
    alpha, radius : float
        > 0.
    domain : {"ball", "sphere"}

    Examples
    --------
    >>> import numpy as np
    >>> [round(float(linear_on_ball(np.array([3.0, 4.0]), a, radius=2.0)), 3) for a in (1e-6, 1.0, 1e6)]
    [-10.0, -6.281, -0.0]
    """
    _check(alpha=alpha, radius=radius)
    xp = namespace(g)
    norm = xp.linalg.vector_norm(g, axis=-1)
    return -alpha * ball_log_mean(g.shape[-1], norm * (radius / alpha), domain)


def linear_under_gaussian(g: Array, alpha: float, sigma: float) -> Array:
    r"""Return the free energy of :math:`\langle g, d \rangle` for :math:`d \sim N(0, \sigma^2 I)`.

    .. math:: F = -\sigma^2 \|g\|^2 / (2 \alpha)

    It has no lower bound as :math:`\alpha \to 0`, as l has none.

    Examples
    --------
    >>> import numpy as np
    >>> float(linear_under_gaussian(np.array([3.0, 4.0]), alpha=0.5, sigma=0.2))
    -1.0
    """
    _check(alpha=alpha, sigma=sigma)
    xp = namespace(g)
    return -(sigma**2 / (2 * alpha)) * xp.sum(g * g, axis=-1)


def quadratic_under_gaussian(g: Array, H: Array, alpha: float, sigma: float) -> Array:
    r"""Return the free energy of :math:`\langle g, d \rangle + \tfrac12 d'Hd` for :math:`d \sim N(0, \sigma^2 I)`.

    .. math::

        F = \tfrac{\alpha}{2} \log \det\left(I + \tfrac{\sigma^2}{\alpha} H\right)
            - \tfrac12 g' \left(H + \tfrac{\alpha}{\sigma^2} I\right)^{-1} g

    It is :math:`-\tfrac12 g' H^{-1} g` as :math:`\alpha \to 0`, for H positive definite, and
    :math:`\tfrac12 \sigma^2 \operatorname{tr} H` as :math:`\alpha \to \infty`.

    Parameters
    ----------
    g : array, shape (d,)
    H : array, shape (d, d)
        Symmetric, with :math:`H + (\alpha / \sigma^2) I` positive definite.
    alpha, sigma : float
        > 0.

    Raises
    ------
    OptionError
        If the mean is infinite, since that matrix is not positive definite.
    """
    _check(alpha=alpha, sigma=sigma)
    xp, along, w = _along(g, H, alpha / sigma**2)
    logs = xp.sum(xp.log1p((sigma**2 / alpha) * w))
    return 0.5 * alpha * logs - 0.5 * xp.sum(along * along / (w + alpha / sigma**2))


def quadratic_log_partition(g: Array, H: Array, alpha: float) -> Array:
    r"""Return the log of :math:`Z = \int e^{-(\langle g, d \rangle + d'Hd / 2) / \alpha} \mathrm{d}d`, over all d.

    .. math:: \log Z = \tfrac{n}{2} \log(2 \pi \alpha) - \tfrac12 \log \det H + \tfrac{1}{2 \alpha} g' H^{-1} g

    Parameters
    ----------
    g : array, shape (d,)
    H : array, shape (d, d)
        Positive definite.
    alpha : float
        > 0.

    Raises
    ------
    OptionError
        If H is not positive definite: the integral is infinite.
    """
    _check(alpha=alpha)
    xp, along, w = _along(g, H, 0.0)
    volume = 0.5 * g.shape[0] * math.log(2 * math.pi * alpha)
    return volume - 0.5 * xp.sum(xp.log(w)) + xp.sum(along * along / w) / (2 * alpha)


def _along(g: Array, H: Array, damping: float) -> tuple[Any, Array, Array]:
    """Return the namespace, g along the eigenvectors of H, and its eigenvalues."""
    xp = namespace(g, H)
    w, Q = xp.linalg.eigh(H)
    lowest, highest = (float(x) for x in to_numpy(xp.stack([w[0], w[-1]])))
    if reason := refused(lowest, highest, damping, float(xp.finfo(H.dtype).eps) * g.shape[0]):
        raise OptionError(f"H: {reason}")
    return xp, xp.sum(Q * g[:, None], axis=0), w


def _check(**numbers: float) -> None:
    for name, x in numbers.items():
        positive(name, x)
