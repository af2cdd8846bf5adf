r"""Derivatives of a smoothed function from values alone.

.. math:: f_\sigma(x) = E f(x + \sigma u), \qquad \nabla f_\sigma(x) = E[f(x + \sigma u) u] / \sigma

The second is Stein's identity: it holds for Gaussian u and any f, were it a step; for other directions with
:math:`E uu' = I` it holds in the limit of small sigma, and for linear f. As a policy gradient it is REINFORCE for the
policy N(x, sigma^2 I), whose score is u / sigma; see `arrayopt.sampling.policy`.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from array_api_compat import device

from arrayopt.backend import Array, namespace
from arrayopt.core.options import Checked, Count, check_count
from arrayopt.errors import OptionError
from arrayopt.sampling.directions import Kind
from arrayopt.sampling.selecting import rows
from arrayopt.sampling.shaping import Shaping, finite_values, shape_values

Baseline = Literal["none", "mean", "optimal", "leave_one_out"]


def score_gradient(f: Array, u: Array, sigma: Any, baseline: Baseline = "none") -> Array:
    r"""Estimate the gradient of the smoothed function from values at x + sigma u: the score-function estimator.

    .. math:: \hat g = \frac{1}{n \sigma} \sum_i (f(x + \sigma u_i) - b_i) u_i

    Parameters
    ----------
    f : array, shape (..., n)
        Values. Less f(x), they make the forward differences.
    u : array, shape (..., n, d)
        Directions.
    sigma : number > 0, or array, shape (..., d)
        How far x was moved along them.
    baseline : {"none", "mean", "optimal", "leave_one_out"}
        See `above_baseline`.

    Returns
    -------
    array, shape (..., d)

    References
    ----------
    Nesterov and Spokoiny, Random gradient-free minimization of convex functions (2017); Salimans and others,
    arXiv 1703.03864; archive 7737.

    Examples
    --------
    >>> import numpy as np
    >>> u = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> score_gradient(0.1 * u @ np.array([3.0, 4.0]), u, 0.1)
    array([3., 4.])
    """
    return mean_along(above_baseline(f, baseline, u), u) / sigma


def antithetic_gradient(above: Array, below: Array, u: Array, sigma: Any) -> Array:
    r"""Estimate the gradient of the smoothed function from values at x + sigma u and x - sigma u.

    .. math:: \hat g = \frac{1}{2 n \sigma} \sum_i (f(x + \sigma u_i) - f(x - \sigma u_i)) u_i

    On a quadratic it is :math:`\frac1n \sum_i u_i u_i' \nabla f(x)`, whatever sigma and the curvature.

    Parameters
    ----------
    above, below : array, shape (..., n)
        The values.
    u, sigma
        As for `score_gradient`.

    Returns
    -------
    array, shape (..., d)
    """
    return mean_along((above - below) / 2, u) / sigma


def stein_hessian(f: Array, u: Array, sigma: float, baseline: Baseline = "none") -> Array:
    r"""Estimate the Hessian of the smoothed function from values at x + sigma u, with u Gaussian.

    .. math:: \hat H = \frac{1}{n \sigma^2} \sum_i (f(x + \sigma u_i) - b_i) (u_i u_i' - I)

    Parameters
    ----------
    f, u, sigma, baseline
        As for `score_gradient`. Directions of another distribution will not do: Rademacher ones have
        :math:`u_j^2 = 1`, so that the diagonal would be 0.

    Returns
    -------
    array, shape (..., d, d)

    References
    ----------
    Stein, Estimation of the mean of a multivariate normal distribution (1981).
    """
    xp = namespace(f, u)
    w = above_baseline(f, baseline, u)
    eye = xp.eye(u.shape[-1], dtype=u.dtype, device=device(u))
    products = xp.matmul(xp.matrix_transpose(u), w[..., None] * u) / u.shape[-2]
    return (products - xp.mean(w, axis=-1)[..., None, None] * eye) / sigma**2


def above_baseline(f: Array, baseline: Baseline, u: Array) -> Array:
    r"""Return what values, shape (..., n), are above a baseline.

    Parameters
    ----------
    f : array, shape (..., n)
    baseline : {"none", "mean", "optimal", "leave_one_out"}
        "none": 0. "mean": the mean of the n. "optimal": :math:`\sum f_i |u_i|^2 / \sum |u_i|^2`, which estimates the
        constant with which the estimator's variance is least. "leave_one_out": of each the mean of the others.
    u : array, shape (..., n, d)
        Directions, or scores of any scale.

    Raises
    ------
    OptionError
        If the baseline is unknown, or n = 1 leaves no others.

    Notes
    -----
    A baseline that knows the sample it is subtracted from leaves a bias: with "mean" the expectation is (n-1)/n times
    the gradient; with "leave_one_out", which is n/(n-1) times "mean", there is none. The mean can increase the
    variance, the best constant never.

    References
    ----------
    Greensmith, Bartlett and Baxter, Variance reduction techniques for gradient estimates in reinforcement learning
    (2004); Kool, van Hoof and Welling, Buy 4 REINFORCE samples, get a baseline for free (2019); archive 7737.
    """
    if baseline not in get_args(Baseline):
        known = ", ".join(map(repr, get_args(Baseline)))
        raise OptionError(f"baseline must be one of {known}, got {baseline!r}")
    if baseline == "none":
        return f
    xp, n = namespace(f, u), int(f.shape[-1])
    if baseline == "optimal":
        weight = xp.sum(u * u, axis=-1)
        total = xp.sum(weight, axis=-1, keepdims=True)
        some = xp.where(total > 0, total, xp.ones_like(total))
        return f - xp.sum(f * weight, axis=-1, keepdims=True) / some
    if baseline == "leave_one_out" and n == 1:
        raise OptionError("baseline: 'leave_one_out' is the mean of the others, expected n >= 2 samples, got 1")
    over = f - xp.mean(f, axis=-1, keepdims=True)
    return over if baseline == "mean" else over * (n / (n - 1))


def mean_along(w: Array, u: Array) -> Array:
    """Return the mean of w_i u_i: by a sum rather than a product of matrices, so that of many runs each is as alone."""
    return namespace(w, u).sum(w[..., None] * u, axis=-2) / u.shape[-2]


@dataclass(frozen=True, kw_only=True)
class Smoothing(Checked):
    """How a gradient is estimated from values: where they are taken, and what becomes of them.

    Parameters
    ----------
    n : int
        Directions, at least 1.
    directions : {"gaussian", "rademacher", "sphere", "orthogonal"}
        See `draw_directions`.
    form : {"antithetic", "forward", "score"}
        "antithetic": values at x + sigma u and x - sigma u, 2n in all. "forward": at x and x + sigma u, n + 1: the
        baseline is f(x). "score": at x + sigma u only, n.
    baseline : {"none", "mean", "optimal", "leave_one_out"}
        Of "score", see `above_baseline`.
    shaping : {"none", "standard", "centred", "nes"}
        See `shape_values`; it shapes all values of a population together.
    top : int, optional
        Of "antithetic": only so many of the n directions are used, those with the least of their two values.
        With ``shaping="standard"`` it makes augmented random search (arXiv 1803.07055, algorithm 2, V1-t).
    """

    n: Count = 8
    directions: Kind = "gaussian"
    form: Literal["antithetic", "forward", "score"] = "antithetic"
    baseline: Baseline = "none"
    shaping: Shaping = "none"
    top: int | None = None

    def __post_init__(self) -> None:
        """Check that the options go together."""
        super().__post_init__()
        owner = type(self).__name__
        if self.top is not None:
            check_count(owner, "top", self.top)
            if self.form != "antithetic" or self.top > self.n:
                raise OptionError(f"{owner}: top must be at most n = {self.n} and goes with form='antithetic'")
        if self.baseline != "none" and self.form != "score":
            raise OptionError(f"{owner}: baseline={self.baseline!r} goes with form='score', got form={self.form!r}")
        if self.baseline == "leave_one_out" and self.n == 1:
            raise OptionError(f"{owner}: baseline='leave_one_out' needs n >= 2, got n = 1")

    def points_around(self, x: Array, u: Array, sigma: Any) -> Array:
        """Return the points, shape (..., m, d), whose values the estimate takes; x has the shape (..., d)."""
        xp, centre = namespace(x, u), x[..., None, :]
        moved = sigma * u
        if self.form == "antithetic":
            return xp.concat([centre + moved, centre - moved], axis=-2)
        return xp.concat([centre, centre + moved], axis=-2) if self.form == "forward" else centre + moved

    def estimate(self, f: Array, u: Array, sigma: Any) -> Array:
        """Return the estimate, shape (..., d), from the values, shape (..., m), of `points_around`.

        It is finite for finite u, see `shape_values`.
        """
        xp, n = namespace(f, u), self.n
        if self.form == "antithetic":
            above, below = f[..., :n], f[..., n:]
            if self.top is not None:
                above, below, u = _best(xp, above, below, u, self.top)
            shaped = shape_values(xp.concat([above, below], axis=-1), self.shaping)
            n = int(above.shape[-1])
            return antithetic_gradient(shaped[..., :n], shaped[..., n:], u, sigma)
        f = shape_values(f, self.shaping)
        if self.form == "forward":
            return score_gradient(f[..., 1:] - f[..., :1], u, sigma)
        return score_gradient(f, u, sigma, self.baseline)


def _best(xp: Any, above: Array, below: Array, u: Array, top: int) -> tuple[Array, Array, Array]:
    """Return the values and directions with the least of two values."""
    n = int(above.shape[-1])
    held = finite_values(xp.concat([above, below], axis=-1))
    least = xp.minimum(held[..., :n], held[..., n:])
    index = xp.argsort(least, axis=-1, stable=True)[..., :top]
    return (
        rows(above[..., None], index)[..., 0],
        rows(below[..., None], index)[..., 0],
        rows(u, index),
    )
