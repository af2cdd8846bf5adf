"""The sampling view to second order: on a quadratic, p is a Gaussian, whose mean is Newton's step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

from arrayopt.backend import Array, namespace, to_numpy
from arrayopt.core.method import Method, Status, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.core.options import Positive
from arrayopt.errors import LeafError, OptionError


class GaussianStep(NamedTuple):
    """The distribution of a step: its mean, shape (d,), and its covariance, shape (d, d)."""

    mean: Array
    covariance: Array


def gaussian_step(
    g: Array, H: Array, alpha: float, sigma: float = math.inf, centre: Array | None = None
) -> GaussianStep:
    r"""Return the Gaussian :math:`p(d) \propto e^{-(\langle g, d \rangle + d'Hd / 2) / \alpha} N(d; \mu, \sigma^2 I)`.

    .. math::

        E d = \left(H + \tfrac{\alpha}{\sigma^2} I\right)^{-1} \left(\tfrac{\alpha}{\sigma^2} \mu - g\right), \qquad
        \operatorname{cov} d = \alpha \left(H + \tfrac{\alpha}{\sigma^2} I\right)^{-1}

    Without a prior the mean is Newton's step :math:`-H^{-1} g`, at every temperature; with one around 0 it is that of
    Levenberg and Marquardt, whose damping is :math:`\alpha / \sigma^2`.

    Parameters
    ----------
    g : array, shape (d,)
        Gradient.
    H : array, shape (d, d)
        Hessian, symmetric.
    alpha : float
        The temperature, > 0.
    sigma : float
        The standard deviation of the prior, > 0; inf for none.
    centre : array, shape (d,), optional
        :math:`\mu`, 0 by default; of no effect without a prior.

    Returns
    -------
    GaussianStep

    Raises
    ------
    OptionError
        If :math:`H + (\alpha / \sigma^2) I` is not positive definite: p cannot be normalised.

    Notes
    -----
    Completing the square leaves :math:`\tfrac12 g'H^{-1}g`; the article has H for its inverse there, and omits
    :math:`\alpha` in the covariance.

    References
    ----------
    archive 7521. Levenberg 1944; Marquardt 1963.

    Examples
    --------
    >>> import numpy as np
    >>> step = gaussian_step(np.array([2.0, -3.0]), np.diag([4.0, 1.0]), alpha=0.1)
    >>> step.mean, step.covariance.diagonal()
    (array([-0.5,  3. ]), array([0.025, 0.1  ]))
    """
    for name, x in (("alpha", alpha), ("sigma", sigma)):
        if not x > 0 or (name == "alpha" and not math.isfinite(x)):
            raise OptionError(f"{name}: expected a number > 0, got {x!r}")
    xp = namespace(g, H)
    if g.ndim != 1 or tuple(H.shape) != (g.shape[0], g.shape[0]):
        raise LeafError(f"H: expected the shape (d, d) for g of shape (d,), got {tuple(H.shape)} and {tuple(g.shape)}")
    damping = float(alpha) / float(sigma) ** 2
    w, Q = xp.linalg.eigh(H)
    lowest, highest = (float(x) for x in to_numpy(xp.stack([w[0], w[-1]])))
    if reason := refused(lowest, highest, damping, float(xp.finfo(H.dtype).eps) * g.shape[0]):
        raise OptionError(f"H: {reason}")
    pull = -g if centre is None else damping * centre - g
    inverse = 1 / (w + damping)
    along = xp.sum(Q * pull[:, None], axis=0) * inverse
    return GaussianStep(xp.sum(Q * along[None, :], axis=1), alpha * ((Q * inverse[None, :]) @ Q.T))


def refused(lowest: float, highest: float, damping: float, rounding: float) -> str:
    """Return why p cannot be normalised with these extreme eigenvalues, or nothing."""
    if not math.isfinite(lowest + highest):
        return "it is not finite"
    if lowest + damping > rounding * max(abs(lowest), abs(highest)):
        return ""
    needed = "a prior of sigma < sqrt(alpha / -lowest)" if lowest < 0 else "a prior (a finite sigma)"
    if damping:
        needed = "a narrower prior (a smaller sigma) or a higher alpha"
    return (
        f"the lowest eigenvalue is {lowest:.3g}, and {lowest + damping:.3g} with the prior's {damping:.3g}: along its "
        f"eigenvector exp(-l / alpha) does not fall, so that p cannot be normalised; give {needed}"
    )


@final
@dataclass(frozen=True, kw_only=True)
class SampledNewton(Method):
    r"""Steps by the mean of the sampling view to second order, see `gaussian_step`.

    .. math:: x_{k+1} = x_k - \left(H_k + \tfrac{\alpha}{\sigma^2} I\right)^{-1} g_k

    Parameters
    ----------
    alpha : float
        The temperature, > 0. Without a prior it has no effect on the mean.
    sigma : float
        The standard deviation of the Gaussian prior of a step, > 0; inf, the default, is Newton's pure method, finite
        it is that of Levenberg and Marquardt with the constant damping :math:`\alpha / \sigma^2`.

    Notes
    -----
    A run ends as `NEGATIVE_CURVATURE`, with the lowest eigenvalue, where p cannot be normalised. Steps are not
    searched along: `Newton` of `arrayopt.secondorder` does so.

    References
    ----------
    archive 7521.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import minimize
    >>> A, b = np.diag([1.0, 10.0]), np.array([1.0, -5.0])
    >>> result = minimize(lambda x: x @ A @ x / 2 - b @ x, np.zeros(2), jac=lambda x: A @ x - b, hess=lambda x: A,
    ...                   method="sampled_newton")
    >>> result.x, result.nit
    (array([ 1. , -0.5]), 1)
    """

    alpha: Positive = 1.0
    sigma: Any = math.inf

    needs: ClassVar[tuple[str, ...]] = ("hess",)

    def __post_init__(self) -> None:
        """Check the prior, too."""
        super().__post_init__()
        if isinstance(self.sigma, bool) or not isinstance(self.sigma, (int, float)) or not self.sigma > 0:
            raise OptionError(f"SampledNewton: sigma must be a number > 0 or inf, got {self.sigma!r}")

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Step by the mean."""
        point = start
        while True:
            try:
                step = gaussian_step(point.g, objective.hessian(point), self.alpha, self.sigma)
            except OptionError as error:
                raise Stop(Status.NEGATIVE_CURVATURE, f"The Hessian: {str(error).removeprefix('H: ')}.") from error
            point = objective.at(point.x + step.mean)
            yield point
