"""Convex test functions."""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.core.options import check_count
from arrayopt.core.random import generator
from arrayopt.errors import OptionError
from arrayopt.problems.problem import Problem, like, symmetric


def quadratic(condition: float = 10.0, n: int = 2, rng: Any = None) -> Problem:
    r"""Return a convex quadratic of given condition.

    .. math:: f(x) = \tfrac12 x^T A x, \qquad \lambda_i(A) = \kappa^{i/(n-1)}, \quad i = 0, \dots, n-1

    Parameters
    ----------
    condition : float
        :math:`\kappa \ge 1`.
    n : int
        At least 2.
    rng : int or Generator, optional
        If given, the axes are turned at random; else A is diagonal.

    Notes
    -----
    The start is :math:`x_i = \kappa / \lambda_i`, for n = 2 the one from which steepest descent with exact steps is
    slowest: each multiplies f by :math:`((\kappa-1)/(\kappa+1))^2`.
    """
    check_count("quadratic", "n", n, 2)
    if not 1 <= condition < math.inf:
        raise OptionError(f"quadratic: condition must be a number >= 1, got {condition!r}")
    eigenvalues = np.asarray([float(condition) ** (i / (n - 1)) for i in range(n)])
    begin = condition / eigenvalues
    if rng is None:
        a = np.diag(eigenvalues)
    else:
        q, _ = np.linalg.qr(generator(rng).standard_normal((n, n)))
        a, begin = (q * eigenvalues) @ q.T, q @ begin
        a = (a + a.T) / 2

    def gradient(x: Array) -> Array:
        return x @ like(x, a)

    def value(x: Array) -> Array:
        return 0.5 * namespace(x).sum(x * gradient(x), axis=-1)

    return Problem(
        name=f"quadratic of condition {condition:g}",
        value=value,
        gradient=gradient,
        hessian=lambda x: namespace(x).zeros_like(x)[..., None] + like(x, a),
        begin=begin.tolist(),
        minimum=0.0,
        points=[[0.0] * n],
        convex=True,
        smoothness=float(condition),
    )


def huber(delta: float = 1.0, n: int = 1, curvature: float = 1.0) -> Problem:
    r"""Return Huber's function, which is quadratic near zero, linear beyond.

    .. math:: f(x) = L \sum_i \begin{cases} x_i^2/2 & |x_i| \le \delta \\ \delta |x_i| - \delta^2/2 \end{cases}

    Parameters
    ----------
    delta : float
        :math:`\delta > 0`.
    n : int
        At least 1.
    curvature : float
        L > 0.

    Notes
    -----
    The gradient is Lipschitz but has kinks at :math:`\pm\delta`, where the Hessian is taken from inside. From a start
    at distance R with :math:`\delta = R / (2N + 1)`, N steps of gradient descent with 1/L leave
    :math:`f = L R^2 / (4N + 2)`, the most that they leave of any such function.

    References
    ----------
    Drori and Teboulle, Performance of first-order methods for smooth convex minimization, 2014, arXiv:1206.3209.
    """
    check_count("huber", "n", n)
    for name, given in (("delta", delta), ("curvature", curvature)):
        if not 0 < given < math.inf:
            raise OptionError(f"huber: {name} must be a number > 0, got {given!r}")
    delta, curvature = float(delta), float(curvature)

    def value(x: Array) -> Array:
        xp = namespace(x)
        size = xp.abs(x)
        near = xp.minimum(size, delta + xp.zeros_like(x))
        return curvature * xp.sum(near * (size - 0.5 * near), axis=-1)

    def gradient(x: Array) -> Array:
        return curvature * namespace(x).clip(x, -delta, delta)

    def hessian(x: Array) -> Array:
        xp = namespace(x)
        inside = xp.astype(xp.abs(x) <= delta, x.dtype)
        return curvature * inside[..., :, None] * like(x, np.eye(n))

    return Problem(
        name=f"Huber's function, delta {delta:g}",
        value=value,
        gradient=gradient,
        hessian=hessian,
        begin=[3 * delta] * n,
        minimum=0.0,
        points=[[0.0] * n],
        convex=True,
        smoothness=curvature,
    )


def powell_singular() -> Problem:
    r"""Return Powell's singular function: its Hessian at the minimiser has rank 2, so that Newton is only linear.

    .. math:: f(x) = (x_1 + 10 x_2)^2 + 5 (x_3 - x_4)^2 + (x_2 - 2 x_3)^4 + 10 (x_1 - x_4)^4

    References
    ----------
    More, Garbow and Hillstrom, Testing unconstrained optimization software, 1981, problem 13.
    """

    def parts(x: Array) -> tuple[Array, ...]:
        a, b, c, d = (x[..., i] for i in range(4))
        return a + 10 * b, c - d, b - 2 * c, a - d

    def value(x: Array) -> Array:
        p, q, r, s = parts(x)
        return p * p + 5 * q * q + r * r * r * r + 10 * s * s * s * s

    def gradient(x: Array) -> Array:
        p, q, r, s = parts(x)
        r3, s3 = 4 * r * r * r, 40 * s * s * s
        return namespace(x).stack([2 * p + s3, 20 * p + r3, 10 * q - 2 * r3, -10 * q - s3], axis=-1)

    def hessian(x: Array) -> Array:
        _, _, r, s = parts(x)
        r2, s2 = 12 * r * r, 120 * s * s
        none = 0 * r
        return symmetric(
            [2 + s2], [20 + none, 200 + r2], [none, -2 * r2, 10 + 4 * r2], [-s2, none, -10 + none, 10 + s2]
        )

    return Problem(
        name="Powell's singular function",
        value=value,
        gradient=gradient,
        hessian=hessian,
        begin=[3.0, -1.0, 0.0, 1.0],
        minimum=0.0,
        points=[[0.0] * 4],
        convex=True,
    )
