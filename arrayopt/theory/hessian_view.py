r"""What statistics of gradients say about the Hessian: the view of Adam, AdaBelief and Gauss-Newton.

Near a minimum, with :math:`\theta - \theta^* \sim N(\mu, \sigma^2 I)` and :math:`g = H (\theta - \theta^*)`,

.. math:: \mathrm{Cov}(g) = \sigma^2 H H', \qquad \sqrt{\mathrm{Var}(g_i)} = \sigma \|H_{i,:}\| \ge \sigma |H_{ii}|

so a running mean of squares, whose root Adam divides by, estimates the norms of rows: the diagonal only where H is
diagonal, and never its sign. Samples are rows: gradients have the shape (n, d).
"""

from typing import Any

from arrayopt.backend import Array
from arrayopt.core.arguments import reals
from arrayopt.core.orthogonal.precision import at_least_single, finite_or_zero
from arrayopt.core.random import generator
from arrayopt.errors import LeafError, OptionError
from arrayopt.theory.norms import vector_norm

__all__ = [
    "adabelief_view",
    "adam_hessian",
    "adam_view",
    "empirical_fisher",
    "gauss_newton",
    "gradient_covariance",
    "gradient_second_moment",
    "hessian_magnitude",
    "per_sample_gradients",
    "quadratic_gradients",
    "row_norms",
]


def _samples(name: str, x: Array, ndim: int) -> Any:
    xp = reals(**{name: x})
    if x.ndim != ndim or x.shape[0] < 1:
        shape = "(n, d)" if ndim == 2 else "(n, d, k)"
        raise LeafError(f"{name}: expected samples in the shape {shape}, n >= 1, got {tuple(x.shape)}")
    return xp


def _sigma(sigma: float) -> float:
    if not sigma > 0:
        raise OptionError(f"sigma: expected a number > 0, got {sigma!r}")
    return sigma


def gradient_second_moment(gradients: Array) -> Array:
    r"""Return :math:`E[g g']` over samples: :math:`\sigma^2 H H'` where the mean of theta is the minimiser.

    Parameters
    ----------
    gradients : array, shape (n, d)

    Examples
    --------
    >>> import numpy as np
    >>> gradient_second_moment(np.asarray([[1.0, 2.0], [1.0, -2.0]]))
    array([[1., 0.],
           [0., 4.]])
    """
    xp = _samples("gradients", gradients, 2)
    return (xp.matrix_transpose(gradients) @ gradients) / gradients.shape[0]


def gradient_covariance(gradients: Array) -> Array:
    r"""Return the covariance of gradients: :math:`\sigma^2 H H'` around any point.

    Parameters
    ----------
    gradients : array, shape (n, d)

    Examples
    --------
    >>> import numpy as np
    >>> gradient_covariance(np.asarray([[1.0, 2.0], [1.0, -2.0]]))
    array([[0., 0.],
           [0., 4.]])
    """
    xp = _samples("gradients", gradients, 2)
    return gradient_second_moment(gradients - xp.mean(gradients, axis=0, keepdims=True))


def adam_view(gradients: Array, sigma: float = 1.0) -> Array:
    r"""Return what Adam takes for the Hessian: :math:`\sqrt{E[g_i^2]} / \sigma`, which estimates norms of rows.

    Parameters
    ----------
    gradients : array, shape (n, d)
    sigma : float
        The standard deviation of each parameter, above 0.

    Returns
    -------
    array, shape (d,)
        Right where squares leave the range of the dtype.

    References
    ----------
    arXiv 2304.09871; kexue.fm/archives/10588.

    Examples
    --------
    >>> import numpy as np
    >>> adam_view(np.asarray([[3.0, 1e200], [-4.0, 1e200]])) / np.asarray([12.5**0.5, 1e200])
    array([1., 1.])
    """
    xp = _samples("gradients", gradients, 2)
    return vector_norm(xp, gradients, axis=0) / (gradients.shape[0] ** 0.5 * _sigma(sigma))


def adabelief_view(gradients: Array, sigma: float = 1.0) -> Array:
    r"""Return what AdaBelief takes for the Hessian: :math:`\sqrt{\mathrm{Var}(g_i)} / \sigma`, around any point.

    Parameters
    ----------
    gradients, sigma
        As for `adam_view`.

    Examples
    --------
    >>> import numpy as np
    >>> adabelief_view(np.asarray([[4.0, 1.0], [2.0, 1.0]]))
    array([1., 0.])
    """
    xp = _samples("gradients", gradients, 2)
    return adam_view(gradients - xp.mean(gradients, axis=0, keepdims=True), sigma)


def adam_hessian(v: Array, lr: float, eps: float = 0.0) -> Array:
    r"""Return the diagonal of the Hessian for which Newton's step is Adam's, :math:`(\sqrt{\hat v} + \epsilon) / \eta`.

    Gradient descent is :math:`1 / \eta` throughout.

    Examples
    --------
    >>> import numpy as np
    >>> adam_hessian(np.asarray([4.0, 9.0]), lr=0.5)
    array([4., 6.])
    """
    xp = reals(v=v)
    return (xp.sqrt(v) + eps) / lr


def row_norms(H: Array) -> Array:
    r"""Return :math:`\|H_{i,:}\|`, at least :math:`|H_{ii}|`, and equal where the rest of the row is zero.

    Examples
    --------
    >>> import numpy as np
    >>> row_norms(np.asarray([[3.0, 4.0], [0.0, -2.0]]))
    array([5., 2.])
    """
    return vector_norm(reals(H=H), H)


def hessian_magnitude(moment: Array, sigma: float = 1.0) -> Array:
    r"""Return :math:`|H| = (H^2)^{1/2}` of a symmetric H from :math:`\sigma^2 H^2`: its magnitude, without its signs.

    Parameters
    ----------
    moment : array, shape (..., d, d)
        A `gradient_second_moment` or `gradient_covariance`; symmetric, positive semidefinite. NaN if not finite.
    sigma : float
        Above 0.

    Examples
    --------
    >>> import numpy as np
    >>> H = np.asarray([[1.0, 2.0], [2.0, 1.0]])  # eigenvalues 3 and -1
    >>> hessian_magnitude(H @ H).round(12)
    array([[2., 1.],
           [1., 2.]])
    """
    xp, own = reals(moment=moment), moment.dtype
    if 0 in moment.shape:
        return moment
    finite, safe = finite_or_zero(xp, at_least_single(xp, moment))
    w, v = xp.linalg.eigh(safe)
    found = (v * xp.sqrt(xp.maximum(w, 0.0))[..., None, :]) @ xp.matrix_transpose(v)
    return xp.astype(xp.where(finite, found / _sigma(sigma), xp.nan), own, copy=False)


def per_sample_gradients(jacobians: Array, residuals: Array) -> Array:
    r"""Return the gradient of each sample, :math:`g_i = -J_i r_i`, of :math:`\tfrac12 \|y - f_\theta(x)\|^2`.

    Parameters
    ----------
    jacobians : array, shape (n, d, k)
        :math:`J_i = \partial f / \partial \theta`, a column for each output.
    residuals : array, shape (n, k)
        :math:`r = y - f`.

    Examples
    --------
    >>> import numpy as np
    >>> per_sample_gradients(np.asarray([[[1.0], [2.0]]]), np.asarray([[3.0]]))
    array([[-3., -6.]])
    """
    xp = _samples("jacobians", jacobians, 3)
    return -xp.sum(jacobians * residuals[:, None, :], axis=-1)


def gauss_newton(jacobians: Array) -> Array:
    r"""Return :math:`E[J J']`, what Gauss and Newton take for the Hessian of half the mean square of residuals.

    Parameters
    ----------
    jacobians : array, shape (n, d, k)

    Examples
    --------
    >>> import numpy as np
    >>> gauss_newton(np.asarray([[[1.0], [2.0]]]))
    array([[1., 2.],
           [2., 4.]])
    """
    xp = _samples("jacobians", jacobians, 3)
    return xp.mean(jacobians @ xp.matrix_transpose(jacobians), axis=0)


def empirical_fisher(gradients: Array) -> Array:
    r"""Return :math:`E[g_i g_i']` of the gradients of single samples: :math:`\sigma^2 E[J J']` at the true parameters.

    It takes the gradient of every sample: that of the whole batch is 0 at an optimum, and its square says nothing.

    Parameters
    ----------
    gradients : array, shape (n, d)
        As from `per_sample_gradients`.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.asarray([[1.0], [-1.0]])
    >>> empirical_fisher(g), np.mean(g, axis=0) ** 2
    (array([[1.]]), array([0.]))
    """
    return gradient_second_moment(gradients)


def quadratic_gradients(
    H: Array, samples: int, sigma: float = 1.0, *, offset: Array | None = None, rng: Any = None
) -> Array:
    r"""Draw gradients of a quadratic at random points, :math:`g = H (\mu + \sigma z)`, z standard normal.

    Parameters
    ----------
    H : array, shape (d, d)
    samples : int
        At least 1.
    sigma : float
        Above 0.
    offset : array, shape (d,), optional
        :math:`\mu = E[\theta] - \theta^*`, 0 by default.
    rng : seed or Generator, optional

    Returns
    -------
    array, shape (samples, d)

    Examples
    --------
    >>> import numpy as np
    >>> g = quadratic_gradients(np.diag([1.0, 10.0]), 10_000, 0.1, rng=0)
    >>> adam_view(g, 0.1).round(1)
    array([ 1., 10.])
    """
    xp = reals(H=H)
    z = xp.asarray(generator(rng).standard_normal((samples, H.shape[1])), dtype=H.dtype, device=H.device)
    points = _sigma(sigma) * z if offset is None else offset + _sigma(sigma) * z
    return points @ xp.matrix_transpose(H)
