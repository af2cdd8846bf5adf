"""L-BFGS-B: L-BFGS within bounds on the variables."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from arrayopt.backend import Array, fetch
from arrayopt.core.bounds import projected_gradient, read_bounds
from arrayopt.core.method import Method, Status, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.core.options import Count
from arrayopt.secondorder.automatic import AUTOMATIC, no_step, search_or_automatic
from arrayopt.secondorder.cauchy import CauchyPoint, cauchy_point
from arrayopt.secondorder.lbfgs import LBFGS
from arrayopt.secondorder.limited_hessian import LimitedHessian
from arrayopt.secondorder.line_search import LineSearch


@final
@dataclass(frozen=True, kw_only=True)
class LBFGSB(Method):
    r"""L-BFGS-B: minimise within :math:`l \le x \le u`.

    .. math:: x_{k+1} = x_k + a_k (\bar x_k - x_k)

    An iteration minimises the model :math:`m(x) = g'(x - x_k) + (x - x_k)' B (x - x_k) / 2` along the projected
    gradient, to the generalized Cauchy point; then over the variables that are not at a bound there, without regard of
    bounds; projects the minimiser on them, which is :math:`\bar x_k`; and searches the line to it, and beyond as far
    as the bounds are. Where :math:`\bar x_k` is not downhill, the step from the Cauchy point is cut at the first bound
    instead. All points that are evaluated satisfy the bounds.

    Parameters
    ----------
    bounds : scipy.optimize.Bounds or sequence of pairs
        None in a pair, or an infinity, is no bound. An x0 outside is moved to the nearest point within, and the
        message says so. Without any bound it is `LBFGS`.
    line_search : LineSearch or str
        A rule, the name of one in `SEARCHES`, or "auto".
    history : int
        How many pairs are kept.

    Notes
    -----
    The tolerance `gtol` bounds the projected gradient :math:`\|P(x - g) - x\|_\infty`.

    References
    ----------
    Byrd, Lu, Nocedal and Zhu, A limited memory algorithm for bound constrained optimization, 1995; Morales and Nocedal,
    Remark on Algorithm 778, 2011.
    """

    bounds: Any = None
    line_search: LineSearch | str = AUTOMATIC
    history: Count = 10

    honours: ClassVar[tuple[str, ...]] = ("bounds",)

    def prepare(self, objective: Objective) -> None:
        """Confine the objective to the bounds, if there are any."""
        if self.bounds is not None:
            lower, upper = read_bounds(self.bounds, objective.n)
            if np.any(lower > -math.inf) or np.any(upper < math.inf):
                objective.confine(lower, upper)

    def gap(self, point: Point) -> float:
        """Return the largest component of the projected gradient."""
        box, xp = point.objective.box, point.objective.xp
        if box is None:
            return point.gmax
        return fetch(xp, xp.max(xp.abs(projected_gradient(box, point.x, point.g))))[0]

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Minimise the model within the bounds, search the line, take up the pair."""
        if objective.box is None:
            yield from LBFGS(line_search=self.line_search, history=self.history).iterates(objective, start)
            return
        search, point = search_or_automatic(self.line_search, objective, self.gap), start
        model = LimitedHessian(objective, self.history)
        while True:
            new = None
            try:
                d, slope, longest = self._direction(objective, point, model)
                if slope < 0.0:
                    new = search(point, d, slope, 1.0, longest)
            except np.linalg.LinAlgError:
                pass
            except Stop as stop:
                if math.isnan(model.theta) or not no_step(stop):
                    raise
            if new is None:
                if math.isnan(model.theta):
                    raise Stop(Status.NO_PROGRESS, "Rounding errors leave no way down within the bounds.")
                model.clear()
                continue
            yield new
            try:
                model.follow(point, new)
            except np.linalg.LinAlgError:
                model.clear()
            point = new

    def _direction(self, objective: Objective, point: Point, model: LimitedHessian) -> tuple[Array, float, float]:
        """Return the direction, its slope, and the longest step along it within the bounds."""
        cauchy = cauchy_point(objective, point, model)
        if math.isnan(model.theta):
            return _towards(objective, point, cauchy.x)
        step = free_step(objective, point, model, cauchy)
        d, slope, longest = _towards(objective, point, objective.projected(cauchy.x + step))
        if not slope < 0.0:
            (share,) = fetch(objective.xp, longest_step(objective, cauchy.x, step))
            d, slope, longest = _towards(objective, point, cauchy.x + min(1.0, share) * step)
        return d, slope, longest


def free_step(objective: Objective, point: Point, model: LimitedHessian, cauchy: CauchyPoint) -> Array:
    r"""Return the step from the Cauchy point to the model's minimiser over the variables that are free there.

    .. math:: -B_F^{-1} r_F, \qquad B_F^{-1} = I / \theta + W_F' (K - W_F W_F' / \theta)^{-1} W_F / \theta^2, \qquad
              r = g + \theta (x_c - x) - W' M c

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix to invert is singular.
    """
    xp, theta, box, x = objective.xp, model.theta, objective.box, cauchy.x
    assert box is not None
    free = xp.logical_and(x > box[0], x < box[1])
    zero = xp.zeros_like(x)
    r = xp.where(free, point.g + theta * (x - point.x) - model.back(model.M @ cauchy.c), zero)
    with_r, (bound,) = model.fetch(model.rows @ r, xp.max(xp.where(free, zero, xp.ones_like(x)))[None])
    reduced = model.gram
    if bound:
        columns = xp.where(free, model.rows, zero)
        (flat,) = model.fetch(xp.reshape(columns @ model.rows.T, (-1,)))
        reduced = np.reshape(flat, reduced.shape)
    return xp.where(free, -r / theta - model.back(model.solve(reduced, with_r)) / theta**2, zero)


def longest_step(objective: Objective, x: Array, d: Array) -> Array:
    """Return how far d can be followed from x within the bounds, as a 0-d array."""
    xp, box = objective.xp, objective.box
    assert box is not None
    rest = d == 0.0
    with np.errstate(over="ignore"):
        steps = (xp.where(d < 0.0, box[0], box[1]) - x) / xp.where(rest, xp.ones_like(d), d)
    return xp.min(xp.where(rest, xp.full_like(d, math.inf), steps))


def _towards(objective: Objective, point: Point, target: Array) -> tuple[Array, float, float]:
    """Return the direction from a point to a target, its slope, and the longest step along it within the bounds."""
    d = target - point.x
    slope, longest = fetch(objective.xp, point.g @ d, longest_step(objective, point.x, d))
    return d, slope, max(1.0, longest)
