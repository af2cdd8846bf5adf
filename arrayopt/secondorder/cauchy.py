"""The generalized Cauchy point: the first minimiser of a quadratic model along the projected gradient."""

import math
from typing import NamedTuple

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.objective import Objective, Point
from arrayopt.secondorder.limited_hessian import LimitedHessian

CHUNK = 64
"""How many breakpoints are looked at at first; twice as many each further time."""


class CauchyPoint(NamedTuple):
    """Where the path ends.

    Attributes
    ----------
    x : array, shape (n,)
    c : array, shape (2 * used,)
        W times the way from the start to x, on the host.
    theta : float
        Of the model; without pairs it makes the path as long as 1.
    """

    x: Array
    c: np.ndarray
    theta: float


def cauchy_point(objective: Objective, point: Point, model: LimitedHessian) -> CauchyPoint:
    r"""Follow :math:`P(x - t g)` through its breakpoints, to the first local minimiser of the model.

    Between two breakpoints the path is straight, with the direction d: -g where the bound is not reached yet, else 0.
    With :math:`p = W d` and :math:`q = W z_0`, where :math:`z_0` is the way of the variables that have stopped,

    .. math:: m'(t) = -d'd - p'M q + t \, m'', \qquad m'' = \theta d'd - p'M p

    Breakpoints are sorted, and brought to the host in chunks, whose segments are computed together.

    Raises
    ------
    numpy.linalg.LinAlgError
        If rounding errors have left the model without positive curvature along -g.

    References
    ----------
    Byrd, Lu, Nocedal and Zhu 1995, section 4; the sums here are those of its algorithm CP, not updated but summed.
    """
    xp, x, g = objective.xp, point.x, point.g
    box = objective.box
    assert box is not None
    bound = xp.where(g < 0.0, box[1], box[0])
    still = g == 0.0
    with np.errstate(over="ignore"):
        t = (bound - x) / xp.where(still, xp.ones_like(g), -g)
    held = xp.logical_or(still, t <= 0.0)
    d = xp.where(held, xp.zeros_like(g), -g)
    t = xp.where(held, xp.full_like(t, math.inf), t)
    forever = xp.where(t == math.inf, d, xp.zeros_like(d))
    p, numbers = model.fetch(model.rows @ d, xp.stack([d @ d, forever @ forever, xp.min(t)]))
    dd, dd_forever, nearest = numbers.tolist()
    theta = math.sqrt(dd) if math.isnan(model.theta) else model.theta
    M = model.M
    if dd == 0.0:  # at its end already
        return CauchyPoint(x, p, theta)
    curvature = theta * dd - float(p @ M @ p)
    if not curvature > 0.0:
        raise np.linalg.LinAlgError("the model has no positive curvature along -g")
    end, c = dd / curvature, dd / curvature * p
    if end > nearest:
        path = _Path(theta, M, dd, dd_forever, p, floor=objective.eps * theta * dd)
        order, start, size, found = xp.argsort(t), 0, CHUNK, None
        while found is None:
            index = order[start : min(start + size, objective.n)]
            columns = xp.reshape(xp.take(model.rows, index, axis=1), (-1,))
            times, along, flat = model.fetch(xp.take(t, index), xp.take(d, index), columns)
            k = int(np.count_nonzero(times < math.inf))
            found = path.follow(times[:k], along[:k], np.reshape(flat, (len(p), len(times)))[:, :k], k < size)
            start, size = start + size, 2 * size
        end, c = found
    reached = xp.where(t <= end, bound, x + end * d)
    return CauchyPoint(objective.projected(reached), c, theta)


class _Path:
    """The path up to a breakpoint, and how the model runs along it, in float64 on the host."""

    def __init__(self, theta: float, M: np.ndarray, dd: float, dd_forever: float, p: np.ndarray, floor: float) -> None:
        self.theta, self.M, self.floor = theta, M, floor
        self.dd, self.dd_forever, self.p, self.q, self.low = dd, dd_forever, p, np.zeros_like(p), 0.0

    def follow(
        self, times: np.ndarray, along: np.ndarray, columns: np.ndarray, to_the_end: bool
    ) -> tuple[float, np.ndarray] | None:
        """Pass breakpoints; return t and c of the first minimiser, None if it lies beyond.

        Parameters
        ----------
        times, along : array, shape (k,)
            The breakpoints, and the components of d that stop there.
        columns : array, shape (2 * used, k)
            Of W.
        to_the_end : bool
            Whether there are no more breakpoints.
        """
        moved = along * columns
        p, q = _before(self.p, -moved), _before(self.q, times * moved)
        dd = _before(np.array([self.dd]), -(along * along)[None, :])[0]
        if to_the_end:
            dd[-1] = self.dd_forever  # which the differences may have lost
        Mp = self.M @ p
        curvature = np.maximum(self.theta * dd - np.sum(p * Mp, axis=0), self.floor)
        stationary = (dd + np.sum(q * Mp, axis=0)) / curvature
        begins, ends = np.append(self.low, times), np.append(times, math.inf)
        inside = stationary <= ends
        if to_the_end and self.dd_forever == 0.0:
            stationary[-1] = self.low  # all have stopped: it ends where the last one did
        inside[-1] = to_the_end
        j = int(np.argmax(inside))
        if not inside[j]:
            self.p, self.q, self.dd, self.low = p[:, -1], q[:, -1], float(dd[-1]), float(begins[-1])
            return None
        t = float(max(stationary[j], begins[j]))
        return t, t * p[:, j] + q[:, j]


def _before(start: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return start, and start plus the first steps, in columns."""
    sums: np.ndarray = np.cumsum(np.concatenate([start[:, None], steps], axis=1), axis=1)
    return sums
