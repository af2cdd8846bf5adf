r"""Importance sampling: weights of samples from q that make them stand for p, in log space throughout.

All members of the family (importance sampling, cross-entropy, MPPI, consensus, ranks) turn the values of a population
into `Weights`; what they do with them is a weighted mean.
"""

import math
from typing import Any, NamedTuple

from arrayopt.backend import Array, Namespace, namespace
from arrayopt.core.logsumexp import logsumexp, softmax
from arrayopt.errors import LeafError, OptionError


class Weights(NamedTuple):
    r"""Weights of populations.

    Attributes
    ----------
    weights : array, shape (..., n)
        At least 0, with sum 1; all 0 where no sample has a weight, since all values are infinite or NaN.
    ess : array, shape (...)
        The effective sample size :math:`1 / \sum_i w_i^2`, in [1, n]; 0 where all are 0.
    log_mean : array, shape (...)
        The log of the mean of the weights before they were normalised: of exp(-f / alpha) under q, say; NaN where that
        has no meaning.
    """

    weights: Array
    ess: Array
    log_mean: Array


class Estimate(NamedTuple):
    """A mean under p, estimated from samples of q.

    Attributes
    ----------
    mean : array, shape (..., *shape of one value)
    weights : array, shape (..., n)
        p / q: their mean tends to 1 if both are normalised and q is positive wherever p is.
    mean_weight : array, shape (...)
        That mean; far from 1, the estimate is not to be trusted.
    ess : array, shape (...)
        (sum of weights)^2 / sum of squares.
    variance : array, of the shape of mean
        Of the estimate, estimated from the samples.
    """

    mean: Array
    weights: Array
    mean_weight: Array
    ess: Array
    variance: Array


def tempered_weights(f: Array, alpha: float, log_q: Array | None = None, log_p: Array | None = None) -> Weights:
    r"""Weight samples of q so that they stand for :math:`p(x) e^{-f(x) / \alpha}`, normalised by themselves.

    .. math:: w_i \propto p(x_i) e^{-f(x_i) / \alpha} / q(x_i)

    Parameters
    ----------
    f : array, shape (..., n)
        Values. +inf and NaN have the weight 0; those of -inf share the whole.
    alpha : float
        The temperature :math:`\alpha > 0`; its reciprocal is the beta of other texts.
    log_q : array, shape (..., n), optional
        Logs of the density that the samples were drawn from, up to a constant. Without, the mean is that of
        :math:`q e^{-f / \alpha}`: MPPI's and consensus-based optimisation's.
    log_p : array, shape (..., n), optional
        Logs of a density that stands beside the exponential, up to a constant: a prior.

    Raises
    ------
    OptionError
        If alpha is not positive.

    Notes
    -----
    Constants added to f, log_q and log_p do not change the weights. Means with them are biased, in O(1/n).

    Examples
    --------
    >>> import numpy as np
    >>> tempered_weights(np.array([1.0, 1.0 + math.log(3.0), np.nan]), alpha=1.0).weights
    array([0.75, 0.25, 0.  ])
    """
    if not (alpha > 0 and math.isfinite(alpha)):
        raise OptionError(f"alpha: expected a finite temperature > 0, got {alpha!r}")
    xp = namespace(*(x for x in (f, log_q, log_p) if x is not None))
    least = xp.min(xp.where(xp.isfinite(f), f, xp.full_like(f, math.inf)), axis=-1, keepdims=True)
    least = xp.where(xp.isfinite(least), least, xp.zeros_like(least))  # so that f / alpha keeps its digits
    with_sign = xp.where(xp.isnan(f), xp.full_like(f, math.inf), f)
    log_w = (least - with_sign) / alpha
    if log_p is not None:
        log_w = log_w + log_p
    if log_q is not None:
        log_w = log_w - log_q
    found = normalised_weights(log_w)
    return found._replace(log_mean=found.log_mean - least[..., 0] / alpha)


def normalised_weights(log_w: Array) -> Weights:
    """Normalise weights that are given by their logs, shape (..., n); NaN counts as no weight.

    Examples
    --------
    >>> import numpy as np
    >>> w = normalised_weights(np.log(np.array([2.0, 1.0, 1.0])))
    >>> w.weights, float(w.ess), round(float(np.exp(w.log_mean)), 12)
    (array([0.5 , 0.25, 0.25]), 2.66666..., 1.333333333333)
    """
    xp, n = namespace(log_w), log_w.shape[-1]
    log_w = xp.where(xp.isnan(log_w), xp.full_like(log_w, -math.inf), log_w)
    return weights_of(softmax(log_w), logsumexp(log_w) - math.log(max(n, 1)))


def weights_of(w: Array, log_mean: Array | None = None) -> Weights:
    """Return normalised weights, shape (..., n), with their effective sample size."""
    xp = namespace(w)
    squares = xp.sum(w * w, axis=-1)
    ess = xp.where(squares > 0, 1 / xp.where(squares > 0, squares, xp.ones_like(squares)), xp.zeros_like(squares))
    return Weights(w, ess, xp.full_like(ess, math.nan) if log_mean is None else log_mean)


def weighted_mean(w: Array, x: Array) -> Array:
    """Return the sum of w_i x_i, for w of shape (..., n) and x of shape (..., n, d); where w_i is 0, x_i has no part.

    Examples
    --------
    >>> import numpy as np
    >>> weighted_mean(np.array([0.75, 0.25, 0.0]), np.array([[0.0, 4.0], [4.0, 0.0], [np.nan, np.inf]]))
    array([1., 3.])
    """
    xp = namespace(w, x)
    w = xp.astype(w, x.dtype, copy=False)[..., None]
    return xp.sum(w * xp.where(w > 0, x, xp.zeros_like(x)), axis=-2)


def importance_mean(f: Array, log_p: Array, log_q: Array) -> Estimate:
    r"""Estimate the mean of f under a normalised p from samples of a normalised q, without bias.

    .. math:: E_p f = E_q \frac{p}{q} f \approx \frac1n \sum_i \frac{p(x_i)}{q(x_i)} f(x_i)

    Parameters
    ----------
    f : array, shape (..., n)
    log_p, log_q : array, shape (..., n)
        Logs of both densities, with their constants.

    Returns
    -------
    Estimate

    Notes
    -----
    The variance is 0 for :math:`q \propto |f| p` with f of one sign. Weights may overflow to inf if q is far too small
    somewhere: their mean shows it.

    Examples
    --------
    Samples of a fair die that stand for a loaded one:

    >>> import numpy as np
    >>> face, log_q = np.arange(1.0, 7.0), np.full(6, np.log(1 / 6))
    >>> log_p = np.log(np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.5]))
    >>> estimate = importance_mean(face, log_p, log_q)
    >>> round(float(estimate.mean), 12), round(float(estimate.mean_weight), 12)
    (4.5, 1.0)
    """
    xp = namespace(f, log_p, log_q)
    w, n = _ratios(xp, log_p, log_q), f.shape[-1]
    mean = xp.mean(w * f, axis=-1)
    spread = xp.sum((w * f - mean[..., None]) ** 2, axis=-1)
    total, squares = xp.sum(w, axis=-1), xp.sum(w * w, axis=-1)
    ess = total * total / xp.where(squares > 0, squares, xp.ones_like(squares))
    return Estimate(mean, w, total / n, ess, spread / (n * max(n - 1, 1)))


def importance_gradient(f: Array, score: Array, log_p: Array, log_q: Array, baseline: Any = 0.0) -> Array:
    r"""Estimate the gradient of a mean under p by the parameters of p, from samples of a fixed q, without bias.

    .. math:: \nabla_\theta E_{p_\theta} f = E_q \frac{p_\theta}{q} (f - b) \nabla_\theta \log p_\theta

    Parameters
    ----------
    f : array, shape (..., n)
        Values; if f itself depends on the parameters, add ``importance_mean`` of its gradient.
    score : array, shape (..., n, d)
        :math:`\nabla_\theta \log p_\theta(x_i)`.
    log_p, log_q : array, shape (..., n)
        Logs of the densities, with their constants.
    baseline : number or array that broadcasts to f
        b, which must not depend on the samples: then it changes the variance alone.

    Notes
    -----
    The weights depend on the parameters: a gradient that takes p / q for a constant is not the gradient of anything.
    With q = p it is REINFORCE.
    """
    xp = namespace(f, score, log_p, log_q)
    part = _ratios(xp, log_p, log_q) * (f - baseline)
    return xp.mean(part[..., None] * score, axis=-2)


def self_normalised_mean(x: Array, log_w: Array) -> tuple[Array, Weights]:
    r"""Estimate a mean under a p that is known up to its constant: the weights are normalised to the sum 1.

    .. math:: E_p x \approx \sum_i w_i x_i \Big/ \sum_i w_i

    Parameters
    ----------
    x : array, shape (..., n, d)
        Samples, or what is to be averaged.
    log_w : array, shape (..., n)
        Logs of p / q, up to a constant.

    Returns
    -------
    mean : array, shape (..., d)
        In the convex hull of the x; 0 where no sample has a weight.
    weights : Weights

    Notes
    -----
    Biased, in O(1/n).
    """
    if tuple(x.shape[:-1]) != tuple(log_w.shape):
        raise LeafError(f"log_w: expected the shape {tuple(x.shape[:-1])} of the samples, got {tuple(log_w.shape)}")
    found = normalised_weights(log_w)
    return weighted_mean(found.weights, x), found


def _ratios(xp: Namespace, log_p: Array, log_q: Array) -> Array:
    """Return p / q; where p is 0 there is nothing, whatever q."""
    nothing = log_p == -math.inf
    gap = xp.where(nothing, xp.zeros_like(log_p), log_p) - xp.where(nothing, xp.zeros_like(log_q), log_q)
    return xp.where(nothing, xp.zeros_like(gap), xp.exp(gap))
