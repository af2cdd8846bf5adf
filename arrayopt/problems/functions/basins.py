"""Test functions of several minimisers."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.core.options import check_count
from arrayopt.errors import OptionError
from arrayopt.problems.problem import Problem, like, symmetric


def himmelblau() -> Problem:
    r"""Return Himmelblau's function, which has four minimisers of the same value.

    .. math:: f(x, y) = (x^2 + y - 11)^2 + (x + y^2 - 7)^2

    References
    ----------
    Himmelblau, Applied nonlinear programming, 1972.
    """

    def residuals(x: Array) -> tuple[Array, Array, Array, Array]:
        u, y = x[..., 0], x[..., 1]
        return u, y, u * u + y - 11, u + y * y - 7

    def value(x: Array) -> Array:
        _, _, a, b = residuals(x)
        return a * a + b * b

    def gradient(x: Array) -> Array:
        u, y, a, b = residuals(x)
        return namespace(x).stack([4 * u * a + 2 * b, 2 * a + 4 * y * b], axis=-1)

    def hessian(x: Array) -> Array:
        u, y, a, b = residuals(x)
        return symmetric([8 * u * u + 4 * a + 2], [4 * u + 4 * y, 8 * y * y + 4 * b + 2])

    return Problem(
        name="Himmelblau's function",
        value=value,
        gradient=gradient,
        hessian=hessian,
        begin=[0.0, 0.0],
        minimum=0.0,
        points=[
            [3.0, 2.0],
            [-2.805118086952745, 3.131312518250573],
            [-3.779310253377747, -3.283185991286170],
            [3.584428340330492, -1.848126526964404],
        ],
    )


def two_basins(tilt: float = 0.1, n: int = 2) -> Problem:
    r"""Return a double well, tilted so that one of the two minima is better.

    .. math:: f(x) = \tfrac14 (x_1^2 - 1)^2 + \tau x_1 + \tfrac12 \sum_{i>1} x_i^2

    Parameters
    ----------
    tilt : float
        :math:`\tau \in (0, 2/\sqrt{27})`; from the upper end on there is one basin only. The better minimum is at
        :math:`x_1 < 0`, and a start at :math:`x_1 > r` ends in the worse one under gradient flow, r the middle root
        of :math:`x^3 - x + \tau`.
    n : int
        At least 1.
    """
    check_count("two_basins", "n", n)
    if not 0 < tilt < 2 / math.sqrt(27):
        raise OptionError(f"two_basins: tilt must be a number in (0, {2 / math.sqrt(27):.4g}), got {tilt!r}")
    tilt = float(tilt)
    angle = math.acos(-tilt * math.sqrt(27) / 2) / 3
    worse, better = (2 / math.sqrt(3) * math.cos(angle - 2 * math.pi * k / 3) for k in (0, 2))

    def value(x: Array) -> Array:
        u, rest = x[..., 0], x[..., 1:]
        well = u * u - 1
        return 0.25 * well * well + tilt * u + 0.5 * namespace(x).sum(rest * rest, axis=-1)

    def gradient(x: Array) -> Array:
        u, rest = x[..., :1], x[..., 1:]
        return namespace(x).concat([u * u * u - u + tilt, rest], axis=-1)

    def hessian(x: Array) -> Array:
        xp, u = namespace(x), x[..., :1]
        diagonal = xp.concat([3 * u * u - 1, xp.ones_like(x[..., 1:])], axis=-1)
        return diagonal[..., :, None] * like(x, np.eye(n))

    return Problem(
        name=f"two basins, tilt {tilt:g}",
        value=value,
        gradient=gradient,
        hessian=hessian,
        begin=[1.5] + [1.0] * (n - 1),
        minimum=0.25 * (better * better - 1) ** 2 + tilt * better,
        points=[[better] + [0.0] * (n - 1)],
        local=[[worse] + [0.0] * (n - 1)],
    )
