"""Logistic regression: the running example of the second-order methods, in numerically stable form."""

import copy
import functools
import math
from typing import final

from arrayopt.backend import Array, default, namespace, to_numpy
from arrayopt.errors import LeafError, OptionError
from arrayopt.problems.bundled import two_classes


@final
class LogisticRegression:
    r"""The mean logistic loss of labelled rows, with a quadratic penalty.

    .. math::
        f(w) = \frac1m \sum_i \log(1 + e^{-z_i}) + \frac\lambda2 \|w\|^2, \qquad z_i = t_i\, x_i^T w

        \nabla f = -\frac1m \sum_i \sigma(-z_i)\, t_i x_i + \lambda w, \qquad
        \nabla^2 f = \frac1m \sum_i \sigma(z_i) \sigma(-z_i)\, x_i x_i^T + \lambda I

    The value, the gradient and the Hessian's products take weights of shape (n,), or a batch of them of shape (..., n).

    Parameters
    ----------
    x : array, shape (m, n)
        The rows. A column of ones makes an intercept, which is penalised like all the rest. Everything that is
        computed has its library, device and dtype.
    t : array, shape (m,)
        Labels, 1 and -1, of any dtype of the same library.
    penalty : float
        :math:`\lambda \ge 0`. Without it there may be no minimiser: classes that a plane separates push w to infinity.

    Attributes
    ----------
    start : array, shape (n,)
        Zeros.
    smoothness : float
        L, the least Lipschitz constant of the gradient that holds for all labels:
        :math:`\lambda_{max}(X^T X) / (4m) + \lambda`.
    strong_convexity : float
        :math:`\lambda`, below every eigenvalue of the Hessian.

    Raises
    ------
    LeafError
        If the shapes do not fit.
    OptionError
        If a label is neither 1 nor -1, or the penalty is no number >= 0.

    Notes
    -----
    The minimiser has *no closed form*: some texts say that it does and that descent only spares the inverse, which is
    so of linear least squares. Here each Newton step is a weighted least-squares problem (`irls_step`), whose weights
    :math:`\sigma(z_i) \sigma(-z_i)` depend on where the step starts, so that there have to be several.

    The loss of a row is `logaddexp(0, -z)` and :math:`\sigma(-z)` is `exp(-logaddexp(0, z))`: neither overflows, and
    both keep their relative precision for z of any size and sign.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.problems import LogisticRegression
    >>> loss = LogisticRegression(np.asarray([[1.0, 1.0], [2.0, 1.0], [0.0, 1.0]]), np.asarray([1, 1, -1]), 0.1)
    >>> float(loss.value(loss.start))
    0.6931471805599453
    >>> loss.gradient(loss.start)
    array([-0.5    , -0.1666...])
    """

    def __init__(self, x: Array, t: Array, penalty: float) -> None:
        xp = namespace(x, t)
        if x.ndim != 2 or 0 in x.shape:
            raise LeafError(f"x: expected rows, an array of shape (m, n), got shape {tuple(x.shape)}")
        if not xp.isdtype(x.dtype, "real floating"):
            raise LeafError(f"x: expected a real floating dtype, got {x.dtype}")
        if tuple(t.shape) != tuple(x.shape[:1]):
            raise LeafError(f"t: expected one label a row, shape {tuple(x.shape[:1])}, got {tuple(t.shape)}")
        labels = xp.astype(t, x.dtype)
        if not bool(xp.all(xp.abs(labels) == 1)):
            raise OptionError("t: labels must be 1 and -1")
        if not 0 <= penalty < math.inf:
            raise OptionError(f"penalty must be a finite number >= 0, got {penalty!r}")
        self.x, self.t, self.penalty = x, labels, float(penalty)
        self._xp = xp

    def __repr__(self) -> str:
        return f"LogisticRegression({self.m} rows, {self.n} weights, penalty={self.penalty:g}, {self.x.dtype})"

    @property
    def m(self) -> int:
        """The number of rows."""
        return int(self.x.shape[0])

    @property
    def n(self) -> int:
        """The number of weights."""
        return int(self.x.shape[1])

    @property
    def start(self) -> Array:
        """Zeros."""
        return self._xp.zeros_like(self.x[0, :])

    @functools.cached_property
    def smoothness(self) -> float:
        """L, from the largest singular value of x."""
        largest = float(to_numpy(self._xp.max(self._xp.linalg.svdvals(self.x))))
        return largest * largest / (4 * self.m) + self.penalty

    @property
    def strong_convexity(self) -> float:
        """The penalty."""
        return self.penalty

    def on(self, rows: Array) -> "LogisticRegression":
        """Return the same loss on some of the rows, for stochastic gradients.

        Parameters
        ----------
        rows : array of integers, shape (k,)
            Indices; one may come several times. The mean is over these k rows and the penalty stays whole, so that
            over uniformly drawn indices the expectation of the gradient is the gradient on all rows.
        """
        if rows.ndim != 1 or not rows.shape[0]:
            raise LeafError(f"rows: expected indices, an array of shape (k,), got shape {tuple(rows.shape)}")
        part = copy.copy(self)
        part.__dict__.pop("smoothness", None)  # a cached value of all rows
        part.x, part.t = self._xp.take(self.x, rows, axis=0), self._xp.take(self.t, rows)
        return part

    def margins(self, w: Array) -> Array:
        """Return z, shape (..., m): positive where a row is on the side of its label."""
        return (w @ self.x.T) * self.t

    def value(self, w: Array) -> Array:
        """Return f, a 0-d array."""
        return self._value(w, self.margins(w))

    def gradient(self, w: Array) -> Array:
        """Return the gradient, shape (..., n)."""
        return self._gradient(w, self.margins(w))

    def value_and_gradient(self, w: Array) -> tuple[Array, Array]:
        """Return both, from one product with the rows."""
        z = self.margins(w)
        return self._value(w, z), self._gradient(w, z)

    def curvatures(self, w: Array) -> Array:
        r"""Return :math:`\sigma(z)\sigma(-z)`, shape (..., m): the weights of the least-squares problem at w."""
        return self._curvatures(self.margins(w))

    def hessian(self, w: Array) -> Array:
        """Return the Hessian, shape (n, n), at weights of shape (n,)."""
        weighted = self.x * self.curvatures(w)[:, None]
        return (weighted.T @ self.x) / self.m + self.penalty * self._xp.eye(self.n, dtype=self.x.dtype)

    def hessian_product(self, w: Array, v: Array) -> Array:
        """Return the Hessian at w times v, shape (..., n), without forming the Hessian."""
        return ((self.curvatures(w) * (v @ self.x.T)) @ self.x) / self.m + self.penalty * v

    def irls_step(self, w: Array) -> Array:
        r"""Return the next weights of iteratively reweighted least squares: those that Newton's pure step gives.

        .. math:: \min_{w_+} \frac1m \sum_i c_i (\zeta_i - x_i^T w_+)^2 + \lambda \|w_+\|^2, \qquad
            \zeta_i = x_i^T w + t_i \sigma(-z_i) / c_i, \qquad c_i = \sigma(z_i)\sigma(-z_i)

        By the normal equations, in which no :math:`c_i` divides.
        """
        z = self.margins(w)
        response = self._curvatures(z) * z + self._share(z)  # c zeta t, for t t = 1
        return self._xp.linalg.solve(self.hessian(w), (response * self.t) @ self.x / self.m)

    def _value(self, w: Array, z: Array) -> Array:
        xp = self._xp
        return xp.mean(xp.logaddexp(xp.zeros_like(z), -z), axis=-1) + 0.5 * self.penalty * xp.sum(w * w, axis=-1)

    def _gradient(self, w: Array, z: Array) -> Array:
        return self.penalty * w - ((self._share(z) * self.t) @ self.x) / self.m

    def _share(self, z: Array) -> Array:
        """Return sigma(-z)."""
        xp = self._xp
        return xp.exp(-xp.logaddexp(xp.zeros_like(z), z))

    def _curvatures(self, z: Array) -> Array:
        xp = self._xp
        size = xp.abs(z)  # an even function
        return xp.exp(-size - 2 * xp.logaddexp(xp.zeros_like(z), -size))


def logistic_on(data: str, penalty: float | None = None, dtype: str = "float64") -> LogisticRegression:
    """Return logistic regression on a data set that scikit-learn brings along.

    Parameters
    ----------
    data : str
        A name in `arrayopt.problems.bundled.TWO_CLASSES`: "breast_cancer", or "digits" (five and more against less).
    penalty : float, optional
        By default 1/m, which weighs the whole penalty like one row.
    dtype : str
        "float64" or "float32". The arrays are of the library that `arrayopt.use` names, by default NumPy.

    Raises
    ------
    OptionError
        If there is no such data set or dtype.
    MissingPeerError
        If scikit-learn is not installed.

    Examples
    --------
    >>> from arrayopt.problems import logistic_on
    >>> loss = logistic_on("breast_cancer")
    >>> loss
    LogisticRegression(569 rows, 31 weights, penalty=0.00175747, float64)
    >>> round(loss.smoothness, 3)
    3.322
    """
    if dtype not in ("float64", "float32"):
        raise OptionError(f"dtype must be 'float64' or 'float32', got {dtype!r}")
    rows, labels = two_classes(data)
    xp = default()
    x, t = (xp.asarray(a, dtype=getattr(xp, dtype)) for a in (rows, labels))
    return LogisticRegression(x, t, 1 / rows.shape[0] if penalty is None else penalty)
