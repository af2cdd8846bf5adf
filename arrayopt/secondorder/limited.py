r"""The limited-memory BFGS matrix: its product with a vector, in three forms, and the pairs that it is made of.

H is what `bfgs_inverse` makes of :math:`\gamma I` by the pairs (s, y) that are kept, the oldest first. No form sets H
up.

- `two_loop`: the recursion through the pairs, which needs their inner products with a vector one after the other.
- `compact`: :math:`H = \gamma I + [S \; \gamma Y] \, M \, [S \; \gamma Y]'` with a small matrix M.
- `Gram`: the latter with all inner products of the pairs kept on the host, so that an iteration multiplies all pairs
  by two vectors at once, fetches the products in one transfer, and combines all pairs and g at once.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace, fetch, to_numpy
from arrayopt.core.objective import Objective, Point

Direction = tuple[Array, float]
"""A direction and the slope along it."""


def two_loop(pairs: Sequence[tuple[Array, Array]], gamma: Any, g: Array) -> Array:
    r"""Return H g by the recursion of two loops, in 4 m n multiplications for m pairs.

    .. math:: q \leftarrow q - \alpha_i y_i, \quad \alpha_i = \rho_i s_i'q, \quad i = m, \dots, 1; \qquad
              r = \gamma q; \qquad r \leftarrow r + (\alpha_i - \rho_i y_i'r) \, s_i, \quad i = 1, \dots, m

    Parameters
    ----------
    pairs : sequence of pairs of arrays, shape (n,)
        (s, y), the oldest first, with s'y > 0.
    gamma : number
    g : array, shape (n,)

    References
    ----------
    Nocedal, Updating quasi-Newton matrices with limited storage, 1980.

    Examples
    --------
    >>> import numpy as np
    >>> two_loop([(np.array([1.0, 0.0]), np.array([2.0, 1.0]))], 1.0, np.array([2.0, 1.0]))
    array([1., 0.])
    """
    q, shares = g, []
    for s, y in reversed(pairs):
        rho = 1 / (s @ y)
        share = rho * (s @ q)
        q = q - share * y
        shares.append((rho, share))
    r = gamma * q
    for (s, y), (rho, share) in zip(pairs, reversed(shares), strict=True):
        r = r + (share - rho * (y @ r)) * s
    return r


def compact(xp: Namespace, S: Array, Y: Array, gamma: float, g: Array) -> Array:
    r"""Return H g by the compact representation.

    .. math:: H = \gamma I + [S \; \gamma Y] \begin{bmatrix} R^{-\top} (D + \gamma Y'Y) R^{-1} & -R^{-\top} \\
              -R^{-1} & 0 \end{bmatrix} [S \; \gamma Y]'

    R is the upper triangle of S'Y, D its diagonal.

    Parameters
    ----------
    S, Y : array, shape (m, n)
        A pair per row, the oldest first.
    gamma : float
    g : array, shape (n,)

    References
    ----------
    Byrd, Nocedal and Schnabel, Representations of quasi-Newton matrices and their use in limited memory methods, 1994,
    theorem 2.2.
    """
    products = S @ Y.T
    R = xp.triu(products)
    middle = xp.linalg.diagonal(products)[:, None] * xp.eye(S.shape[0], dtype=g.dtype, device=device(g))
    p = xp.linalg.solve(R, S @ g)
    w = xp.linalg.solve(R.T, (middle + gamma * (Y @ Y.T)) @ p - gamma * (Y @ g))
    return gamma * g + w @ S - gamma * (p @ Y)


def enough_curvature(sy: float, ss: float, yy: float, eps: float) -> bool:
    """Tell whether s'y > eps |s| |y|, which keeps H positive definite and does not depend on any scale."""
    return sy > eps * math.sqrt(ss) * math.sqrt(yy)


class Memory(Protocol):
    """The pairs of a run."""

    def follow(self, before: Point, after: Point) -> Direction | None:
        """Take up the pair of two points, unless it lacks curvature; return -H g at the latter, None without pairs."""

    def clear(self) -> None:
        """Drop all pairs."""


class Pairs:
    """Pairs as they are, for a form that is a function of them.

    Parameters
    ----------
    product : callable
        From the pairs, gamma and g to H g.
    history : int
        How many pairs are kept.
    scaled : bool
        Whether gamma is s'y / y'y of the latest pair, else 1.
    """

    def __init__(
        self, product: Callable[[Sequence[tuple[Array, Array]], float, Array], Array], history: int, scaled: bool
    ) -> None:
        self._product, self._scaled = product, scaled
        self._pairs: deque[tuple[Array, Array]] = deque(maxlen=history)
        self._gamma = 1.0

    def follow(self, before: Point, after: Point) -> Direction | None:
        """Take up the pair, and multiply."""
        objective = after.objective
        s, y = after.x - before.x, after.g - before.g
        sy, ss, yy = fetch(objective.xp, s @ y, s @ s, y @ y)
        if enough_curvature(sy, ss, yy, objective.eps):
            self._pairs.append((s, y))
            if self._scaled:
                self._gamma = sy / yy
        if not self._pairs:
            return None
        d = -self._product(self._pairs, self._gamma, after.g)
        return d, objective.dot(after.g, d)

    def clear(self) -> None:
        """Drop all pairs."""
        self._pairs.clear()


class Gram:
    r"""Pairs as rows of one matrix, and what their inner products say on the host, in float64.

    With :math:`p = R^{-1} S'g` and :math:`w = R^{-\top} (D p + \gamma (Y'Y p - Y'g))`

    .. math:: -H g = -\gamma g - S w + \gamma Y p, \qquad
              -g'Hg = -\gamma \|g - Y p\|^2 - p'D p

    so that slopes need no further product. A new pair adds a column to R, and to its inverse :math:`-R^{-1} S'y / s'y`
    above :math:`1 / s'y`; the pair that leaves takes its row and column with it. The pairs may stand in any order, and
    one that is not there is a row and column of zeros: a ring of rows needs no sorting.

    Parameters
    ----------
    objective : Objective
    history : int
        How many pairs are kept; one more is in hand until it is known whether it is taken up.
    scaled : bool
        Whether gamma is s'y / y'y of the latest pair, else 1.

    References
    ----------
    Byrd, Nocedal and Schnabel 1994, section 3; Chen, Wang and Zhou, Large-scale L-BFGS using MapReduce, 2014.
    """

    def __init__(self, objective: Objective, history: int, scaled: bool) -> None:
        xp, slots = objective.xp, history + 1
        self._xp, self._slots, self._scaled, self._eps = xp, slots, scaled, objective.eps
        self._rows = xp.zeros((2 * slots, objective.n), dtype=objective.dtype, device=device(objective.x0))
        self._plain = isinstance(self._rows, np.ndarray) and self._rows.dtype == np.float64
        self._inverse, self._yy = np.zeros((slots, slots)), np.zeros((slots, slots))
        self._diagonal, self._weights = np.zeros(slots), np.zeros(2 * slots)
        self.clear()

    def clear(self) -> None:
        """Drop all pairs."""
        self._inverse[:] = 0.0
        self._diagonal[:] = 0.0
        self._free, self._kept, self._gamma = 0, 0, 1.0

    def follow(self, before: Point, after: Point) -> Direction | None:
        """Take up the pair, and multiply."""
        g, j = after.g, self._free
        s, y = after.x - before.x, g - before.g
        rows = self._put(j, s, y)
        with_y, with_g, (ss, gg) = self._fetch(rows @ y, rows @ g, s @ s, g @ g)
        sy, yy = float(with_y[2 * j]), float(with_y[2 * j + 1])
        if enough_curvature(sy, ss, yy, self._eps):
            self._take(with_y, sy, yy)
        if self._kept == 0:
            return None
        gamma, inverse, used = self._gamma, self._inverse, with_g.shape[0] // 2
        s_g, y_g = with_g[::2], with_g[1::2]
        p = inverse[:used, :used] @ s_g
        yy_p = self._yy[:used, :used] @ p
        diagonal_p = self._diagonal[:used] * p
        weights = self._weights[: 2 * used]
        weights[::2] = (gamma * (y_g - yy_p) - diagonal_p) @ inverse[:used, :used]
        weights[1::2] = gamma * p
        # |g - Y p|^2 is not negative but for rounding errors.
        slope = -gamma * max(0.0, gg + float(p @ (yy_p - 2 * y_g))) - float(p @ diagonal_p)
        back = weights if self._plain else self._xp.asarray(weights, dtype=g.dtype, device=device(g))
        return back @ rows - gamma * g, slope

    def _take(self, with_y: np.ndarray, sy: float, yy: float) -> None:
        """Add the pair in hand; the oldest one leaves if all rows are in use."""
        j, inverse = self._free, self._inverse
        used = with_y.shape[0] // 2
        leaves = (j + 1) % self._slots
        inverse[leaves, :] = 0.0
        inverse[:, leaves] = 0.0
        inverse[:used, j] = inverse[:used, :used] @ (with_y[::2] / -sy)
        inverse[j, j] = 1.0 / sy
        self._diagonal[j] = sy
        self._yy[j, :used] = self._yy[:used, j] = with_y[1::2]
        self._free, self._kept = leaves, self._kept + 1
        if self._scaled:
            self._gamma = sy / yy

    def _put(self, j: int, s: Array, y: Array) -> Array:
        """Write a pair into its two rows; return all rows that are in use."""
        if hasattr(self._rows, "at"):  # jax, whose arrays do not change
            self._rows = self._rows.at[2 * j].set(s).at[2 * j + 1].set(y)
        else:
            self._rows[2 * j, :] = s
            self._rows[2 * j + 1, :] = y
        used = min(self._kept + 1, self._slots)
        return self._rows if used == self._slots else self._rows[: 2 * used, :]

    def _fetch(self, *products: Array) -> tuple[np.ndarray, np.ndarray, list[float]]:
        """Bring the products of all rows with two vectors, and numbers, to the host in one transfer."""
        a, b, *numbers = products
        if isinstance(a, np.ndarray):
            return np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64), [float(x) for x in numbers]
        size, xp = a.shape[0], self._xp
        held = to_numpy(xp.concat([a, b, xp.stack(numbers)])).astype(np.float64)
        return held[:size], held[size : 2 * size], held[2 * size :].tolist()
