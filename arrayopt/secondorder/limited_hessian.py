r"""The limited-memory BFGS model of the Hessian, for minimising it within bounds."""

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, to_numpy
from arrayopt.core.objective import Objective, Point
from arrayopt.secondorder.limited import enough_curvature


class LimitedHessian:
    r"""What BFGS makes of :math:`\theta I` by the pairs that are kept, :math:`\theta = y'y / s'y` of the latest.

    .. math:: B = \theta I - W' M W, \qquad M^{-1} = K = \begin{bmatrix} S'S/\theta & L/\theta \\ L'/\theta & -D
              \end{bmatrix}

    W holds s and y of each pair as rows, L is the strictly lower triangle of S'Y, D its diagonal. The small matrices
    are on the host, in float64. The pairs stand in a ring of rows, one of which is for a pair that is not taken up
    yet; for it M is zero.

    Parameters
    ----------
    objective : Objective
    history : int
        How many pairs are kept.

    Attributes
    ----------
    theta : float
        NaN while there are no pairs.
    rows : array, shape (2 * used, n)
        W.
    M : array, shape (2 * used, 2 * used)
    gram : array, shape (2 * used, 2 * used)
        W W'.

    References
    ----------
    Byrd, Lu, Nocedal and Zhu, A limited memory algorithm for bound constrained optimization, 1995, section 3; there
    M belongs to [Y, theta S].
    """

    def __init__(self, objective: Objective, history: int) -> None:
        xp, slots = objective.xp, history + 1
        self._objective, self._slots = objective, slots
        self._rows = xp.zeros((2 * slots, objective.n), dtype=objective.dtype, device=device(objective.x0))
        self._gram = np.zeros((2 * slots, 2 * slots))
        self.clear()

    def clear(self) -> None:
        """Drop all pairs."""
        self._order: list[int] = []
        self._free = 0
        self._derive()

    def follow(self, before: Point, after: Point) -> None:
        """Take up the pair of two points, unless it lacks curvature."""
        j, s, y = self._free, after.x - before.x, after.g - before.g
        if hasattr(self._rows, "at"):  # jax, whose arrays do not change
            self._rows = self._rows.at[2 * j].set(s).at[2 * j + 1].set(y)
        else:
            self._rows[2 * j, :] = s
            self._rows[2 * j + 1, :] = y
        used = max(self.rows.shape[0], 2 * j + 2)
        rows = self._rows[:used, :]
        with_s, with_y = self.fetch(rows @ s, rows @ y)
        ss, sy, yy = float(with_s[2 * j]), float(with_s[2 * j + 1]), float(with_y[2 * j + 1])
        if not enough_curvature(sy, ss, yy, self._objective.eps):
            return
        self._gram[:used, 2 * j] = self._gram[2 * j, :used] = with_s
        self._gram[:used, 2 * j + 1] = self._gram[2 * j + 1, :used] = with_y
        if len(self._order) == self._slots - 1:
            self._free = self._order.pop(0)
        else:
            self._free = j + 1
        self._order.append(j)
        self._derive()

    def solve(self, reduced: np.ndarray, v: np.ndarray) -> np.ndarray:
        r"""Return :math:`(K - F F'/\theta)^{-1} v`, given F F' for some of the columns F of W."""
        out, sizes, active = np.zeros(len(v)), self._sizes, self._active
        lengths = np.sqrt(sizes.diagonal())
        A = self._kernel - reduced[active] / self.theta / sizes
        out[active[1]] = np.linalg.solve(A, v[active[1]] / lengths) / lengths
        return out

    def back(self, v: np.ndarray) -> Array:
        """Return W'v for a v on the host."""
        xp, rows = self._objective.xp, self.rows
        return xp.asarray(v, dtype=rows.dtype, device=device(rows)) @ rows

    def fetch(self, *vectors: Array) -> list[np.ndarray]:
        """Bring vectors to the host in float64, in one transfer."""
        if isinstance(vectors[0], np.ndarray):
            return [np.asarray(v, dtype=np.float64) for v in vectors]
        ends = np.cumsum([v.shape[0] for v in vectors])
        held = to_numpy(self._objective.xp.concat(list(vectors))).astype(np.float64)
        return np.split(held, ends[:-1])

    def _derive(self) -> None:
        """Compute what depends on the set of pairs.

        Raises
        ------
        numpy.linalg.LinAlgError
            If K is singular.
        """
        order = self._order
        used = 2 * min(len(order) + 1, self._slots) if order else 0
        self.rows, self.gram, self.M = self._rows[:used, :], self._gram[:used, :used], np.zeros((used, used))
        self.theta = float("nan")
        if not order:
            return
        k, s = len(order), 2 * np.asarray(order)
        ss, sy = self._gram[s[:, None], s], self._gram[s[:, None], s + 1]
        curvatures, lengths = sy.diagonal(), np.sqrt(ss.diagonal())
        self.theta = theta = float(self._gram[s[-1] + 1, s[-1] + 1] / curvatures[-1])
        L = np.tril(sy, -1) / theta
        kernel = np.empty((2 * k, 2 * k))
        kernel[:k, :k], kernel[:k, k:], kernel[k:, :k] = ss / theta, L, L.T
        kernel[k:, k:] = -np.diag(curvatures)
        # With these sizes of its rows and columns all entries are of the order of 1 / theta.
        sizes = np.concatenate([lengths, theta * lengths])
        self._sizes = sizes[:, None] * sizes
        self._kernel, active = kernel / self._sizes, np.concatenate([s, s + 1])
        self._active = active[:, None], active
        self.M[self._active] = np.linalg.inv(self._kernel) / self._sizes
