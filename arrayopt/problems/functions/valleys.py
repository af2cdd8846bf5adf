"""Curved valleys and bad scales: test functions of one minimiser that is far along a way that bends."""

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.core.options import check_count
from arrayopt.problems.problem import Problem, like, symmetric


def rosenbrock(n: int = 2) -> Problem:
    r"""Return Rosenbrock's banana valley in n variables.

    .. math:: f(x) = \sum_{i=1}^{n-1} 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2

    Notes
    -----
    For 4 <= n <= 7 there is one more local minimiser, near (-1, 1, ..., 1); `local` does not hold it.

    References
    ----------
    Rosenbrock, An automatic method for finding the greatest or least value of a function, 1960.
    """
    check_count("rosenbrock", "n", n, 2)

    def value(x: Array) -> Array:
        a, b = x[..., :-1], x[..., 1:]
        return namespace(x).sum(100 * (b - a * a) * (b - a * a) + (1 - a) * (1 - a), axis=-1)

    def gradient(x: Array) -> Array:
        xp, a, b = namespace(x), x[..., :-1], x[..., 1:]
        none = xp.zeros_like(x[..., :1])
        bend = b - a * a
        return xp.concat([-400 * a * bend - 2 * (1 - a), none], axis=-1) + xp.concat([none, 200 * bend], axis=-1)

    def hessian(x: Array) -> Array:
        xp, a, b = namespace(x), x[..., :-1], x[..., 1:]
        none = xp.zeros_like(x[..., :1])
        diagonal = xp.concat([1200 * a * a - 400 * b + 2, none], axis=-1) + xp.concat([none, 200 + 0 * a], axis=-1)
        upper = xp.concat([-400 * a, none], axis=-1)
        up, down = (like(x, np.eye(n, k=k)) for k in (1, -1))
        beside = upper[..., :, None] * up + upper[..., None, :] * down
        return diagonal[..., :, None] * like(x, np.eye(n)) + beside

    return Problem(
        name="Rosenbrock's function",
        value=value,
        gradient=gradient,
        hessian=hessian,
        begin=[(-1.2, 1.0)[i % 2] for i in range(n)],
        minimum=0.0,
        points=[[1.0] * n],
    )


def beale() -> Problem:
    r"""Return Beale's function, which has a flat curved valley between steep walls.

    .. math:: f(x, y) = \sum_{i=1}^{3} (c_i - x (1 - y^i))^2, \qquad c = (1.5, 2.25, 2.625)

    References
    ----------
    More, Garbow and Hillstrom, Testing unconstrained optimization software, 1981, problem 5.
    """
    c = (1.5, 2.25, 2.625)

    def terms(x: Array) -> list[tuple[Array, Array, Array]]:
        """Return of each term the residual r, its derivative in x, and its derivative in y over x."""
        u, y = x[..., 0], x[..., 1]
        powers = [1 + 0 * y, y, y * y, y * y * y]
        return [(c[i - 1] - u * (1 - powers[i]), powers[i] - 1, i * powers[i - 1]) for i in (1, 2, 3)]

    def value(x: Array) -> Array:
        return sum(r * r for r, _, _ in terms(x))

    def gradient(x: Array) -> Array:
        by_x = sum(2 * r * p for r, p, _ in terms(x))
        by_y = sum(2 * r * q for r, _, q in terms(x))
        return namespace(x).stack([by_x, x[..., 0] * by_y], axis=-1)

    def hessian(x: Array) -> Array:
        u, y = x[..., 0], x[..., 1]
        second = (0 * y, 2 + 0 * y, 6 * y)  # of y^i
        xx = sum(2 * p * p for _, p, _ in terms(x))
        xy = sum(2 * (u * q * p + r * q) for r, p, q in terms(x))
        yy = sum(2 * (u * u * q * q + r * u * s) for (r, _, q), s in zip(terms(x), second, strict=True))
        return symmetric([xx], [xy, yy])

    return Problem(
        name="Beale's function",
        value=value,
        gradient=gradient,
        hessian=hessian,
        begin=[1.0, 1.0],
        minimum=0.0,
        points=[[3.0, 0.5]],
    )


def wood() -> Problem:
    r"""Return Wood's function, which has two curved valleys that are coupled, and a saddle on the way.

    .. math::
        f(x) = 100 (x_2 - x_1^2)^2 + (1 - x_1)^2 + 90 (x_4 - x_3^2)^2 + (1 - x_3)^2
        + 10.1 ((x_2 - 1)^2 + (x_4 - 1)^2) + 19.8 (x_2 - 1)(x_4 - 1)

    References
    ----------
    More, Garbow and Hillstrom, Testing unconstrained optimization software, 1981, problem 14, where it has six squares.
    """

    def value(x: Array) -> Array:
        a, b, c, d = (x[..., i] for i in range(4))
        p, q = b - a * a, d - c * c
        valleys = 100 * p * p + (1 - a) * (1 - a) + 90 * q * q + (1 - c) * (1 - c)
        return valleys + 10.1 * ((b - 1) * (b - 1) + (d - 1) * (d - 1)) + 19.8 * (b - 1) * (d - 1)

    def gradient(x: Array) -> Array:
        a, b, c, d = (x[..., i] for i in range(4))
        p, q = b - a * a, d - c * c
        return namespace(x).stack(
            [
                -400 * a * p - 2 * (1 - a),
                200 * p + 20.2 * (b - 1) + 19.8 * (d - 1),
                -360 * c * q - 2 * (1 - c),
                180 * q + 20.2 * (d - 1) + 19.8 * (b - 1),
            ],
            axis=-1,
        )

    def hessian(x: Array) -> Array:
        a, b, c, d = (x[..., i] for i in range(4))
        none = 0 * a
        return symmetric(
            [1200 * a * a - 400 * b + 2],
            [-400 * a, 220.2 + none],
            [none, none, 1080 * c * c - 360 * d + 2],
            [none, 19.8 + none, -360 * c, 200.2 + none],
        )

    return Problem(
        name="Wood's function",
        value=value,
        gradient=gradient,
        hessian=hessian,
        begin=[-3.0, -1.0, -3.0, -1.0],
        minimum=0.0,
        points=[[1.0] * 4],
    )


def brown_badly_scaled() -> Problem:
    r"""Return Brown's badly scaled function: the variables differ by twelve orders at the minimiser.

    .. math:: f(x, y) = (x - 10^6)^2 + (y - 2 \cdot 10^{-6})^2 + (x y - 2)^2

    References
    ----------
    More, Garbow and Hillstrom, Testing unconstrained optimization software, 1981, problem 4.
    """

    def parts(x: Array) -> tuple[Array, ...]:
        u, y = x[..., 0], x[..., 1]
        return u, y, u - 1e6, y - 2e-6, u * y - 2

    def value(x: Array) -> Array:
        _, _, p, q, r = parts(x)
        return p * p + q * q + r * r

    def gradient(x: Array) -> Array:
        u, y, p, q, r = parts(x)
        return namespace(x).stack([2 * p + 2 * y * r, 2 * q + 2 * u * r], axis=-1)

    def hessian(x: Array) -> Array:
        u, y, _, _, r = parts(x)
        return symmetric([2 + 2 * y * y], [2 * u * y + 2 * r, 2 + 2 * u * u])

    return Problem(
        name="Brown's badly scaled function",
        value=value,
        gradient=gradient,
        hessian=hessian,
        begin=[1.0, 1.0],
        minimum=0.0,
        points=[[1e6, 2e-6]],
    )
