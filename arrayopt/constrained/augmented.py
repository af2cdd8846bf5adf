"""The method of multipliers: unconstrained minimisations of the augmented Lagrangian, and updates between them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, final

from arrayopt.backend import Array, fetch
from arrayopt.constrained.augmented_objective import Augmented
from arrayopt.constrained.lagrangian import KKTPoint, Lagrangian
from arrayopt.core.bounds import projected_gradient, read_bounds
from arrayopt.core.method import Method, Status, Stop
from arrayopt.core.objective import Objective, Point, at_floor
from arrayopt.core.options import Count, Positive, Share
from arrayopt.errors import OptionError


@final
@dataclass(frozen=True, kw_only=True)
class AugmentedLagrangian(Lagrangian):
    r"""The method of multipliers, for equalities, inequalities and bounds.

    .. math::
        x_{t+1} \approx \arg\min_x L_\rho(x; \lambda_t), \qquad
        \lambda_{t+1} = \left[\lambda_t - \rho\, c(x_{t+1})\right]_+

    with :math:`L_\rho` of `Augmented`. The penalties grow by the factor `growth` after an iteration in which the
    violation (of constraints and of complementarity) did not fall to the share `share`, for the second time in a row.

    Parameters
    ----------
    inner : Method
        Minimises :math:`L_\rho`, within the bounds. In `minimize` it is L-BFGS-B unless an option says otherwise.
    penalty : float
        The first penalties, > 0, in units in which the curvature that a penalty adds along its constraint's gradient
        is that of f: :math:`\rho_i = \mathrm{penalty} \cdot \|g_0\| / (\max(1, \|x_0\|) \|\nabla c_i\|^2)`.
    growth : float
        > 1.
    share : float
        In (0, 1).
    accuracy : float
        In (0, 1): an inner run ends when what its own `gtol` would bound is below this share of what it was at first.
    inner_iterations : int
        The most in an inner run.
    bounds : Bounds or sequence of pairs, optional
        For an inner method that honours them. All points that are evaluated are within.
    constraints : dict or sequence of dict
    multipliers : array or sequence of float, optional
        Where they start; zeros by default.

    Notes
    -----
    An iteration is a whole inner run. If there are bounds, the result also has `bound_multipliers`, a tree like x0,
    positive at lower bounds and negative at upper ones: :math:`\nabla f` is :math:`J^T \lambda` plus these. A run ends
    INFEASIBLE where nothing near violates the constraints less, though the penalties have grown.

    References
    ----------
    Hestenes, Multiplier and gradient methods, 1969; Powell, A method for nonlinear constraints in minimization
    problems, 1969; Rockafellar, Augmented Lagrange multiplier functions and duality in nonconvex programming, 1974;
    Birgin and Martínez, Practical Augmented Lagrangian Methods for Constrained Optimization, 2014.
    """

    inner: Method
    penalty: Positive = 10.0
    growth: Positive = 10.0
    share: Share = 0.25
    accuracy: Share = 0.03
    inner_iterations: Count = 1000
    bounds: Any = None

    honours: ClassVar[tuple[str, ...]] = ("constraints", "bounds")

    PATIENCE = 8
    """Iterations without a lower KKT residual (half as many where rounding ends inner runs) after which a run ends, at
    the point where it was least."""
    GROWTHS = 16
    """Times that the penalties may grow before growth stops counting as progress."""
    ABYSS = 1e10
    """How far an inner run may fall, in units of f and of its first slope, before it is taken to have no minimum."""

    def __post_init__(self) -> None:
        """Check the fields."""
        super().__post_init__()
        if not isinstance(self.inner, Method):
            raise OptionError(f"AugmentedLagrangian: inner must be a Method, got a {type(self.inner).__name__}")
        if self.bounds is not None and "bounds" not in self.inner.honours:
            raise OptionError(f"AugmentedLagrangian: its inner method {type(self.inner).__name__} takes no bounds")
        if not self.growth > 1:
            raise OptionError(f"AugmentedLagrangian: growth must be > 1, got {self.growth!r}")

    def prepare(self, objective: Objective) -> None:
        """Confine the objective to the bounds."""
        if self.bounds is not None:
            objective.confine(*read_bounds(self.bounds, objective.n))

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Minimise, then update multipliers and penalties."""
        xp, point = objective.xp, self.located(start)
        constraints = point.constraints
        slope, length = _scales(point)
        penalties = self._first_penalties(point, slope, length)
        weights = xp.sqrt(penalties / xp.max(penalties)) if constraints.k else penalties
        best, least, before = point, point.gap, math.inf
        waited = growths = high = stuck = 0
        ended: Stop | None = None
        while waited <= self.PATIENCE:
            new, ended = self._minimised(point, penalties, slope * length)
            if new is None:  # the augmented Lagrangian falls without bound, or is not finite
                waited += 1
                if waited > self.PATIENCE or not constraints.k:
                    raise ended or Stop(Status.UNBOUNDED)
                penalties = self.growth * penalties
                continue
            best = new if new.gap < best.gap else best
            if ended is not None and ended.status is Status.MAXFUN:
                yield best
                raise ended
            yield new
            short = self._short(new, point.multipliers / penalties, weights)
            high = high + 1 if short > self.share * before else 0
            grows = high > 1 and ended is None  # where rounding ended an inner run, higher penalties do not help
            stuck = stuck + grows if high and new.least_violation(weights) else 0
            if stuck > 2:
                raise Stop(Status.INFEASIBLE, "No near point violates them less.")
            waited = 0 if new.gap < least else waited + 1 + (ended is not None)
            least, point, before = min(least, new.gap), new, short
            if grows:
                penalties, growths = self.growth * penalties, growths + 1
                if growths < self.GROWTHS:  # a problem of its own, whose residual may be higher at first
                    waited, least = 0, new.gap
        if best is not point:
            yield best
        raise self._given_up(best, weights, ended)

    def may_rest(self, before: Point, new: Point) -> bool:
        """Tell whether f has come to rest; where x has to the last bit, `iterates` knows better when to end."""
        return bool(new.objective.xp.any(new.x != before.x)) and super().may_rest(before, new)

    def extras(self, point: Point) -> dict[str, Any]:
        """Return the multipliers and the largest violation."""
        found = dict(super().extras(point))
        if self.bounds is not None and found:
            here = self.located(point)
            left = here.residual - projected_gradient(here.objective.box, here.x, here.residual)
            found["bound_multipliers"] = here.objective.tree(left)
        return found

    def first_multipliers(self, point: KKTPoint) -> Array:
        """Return zeros."""
        return point.multipliers

    def _first_penalties(self, point: KKTPoint, slope: float, length: float) -> Array:
        xp, j = point.objective.xp, point.jacobian
        slopes = xp.maximum(xp.sum(j * j, axis=-1), (point.c / length) * (point.c / length))
        return self.penalty * slope / length / xp.where(slopes > 0, slopes, 1.0)

    def _minimised(self, point: KKTPoint, penalties: Array, scale: float) -> tuple[KKTPoint | None, Stop | None]:
        """Return where an inner run from a point ends, and with what if not by its tolerance."""
        augmented = Augmented(point, penalties)
        here, ended = augmented.at(point.x), None
        goal = self.accuracy * self.inner.gap(here)
        least = here.f - self.ABYSS * (abs(here.f) + scale)
        inner = self.inner.iterates(augmented, here)
        try:
            for _ in range(self.inner_iterations):
                if self.inner.gap(here) <= goal:
                    break
                here = next(inner)
                augmented.forget_others(here)
                if here.f < least:
                    return None, Stop(Status.UNBOUNDED)
        except Stop as stop:
            ended = stop
        except StopIteration:
            ended = Stop(Status.NO_PROGRESS)
        if not here.finite or (ended is not None and ended.status in (Status.UNBOUNDED, Status.NOT_FINITE)):
            return None, ended
        return augmented.beneath(here), ended

    def _short(self, point: KKTPoint, most: Array, weights: Array) -> float:
        """Return the largest violation of constraints and complementarity, weighted."""
        if not point.constraints.k:
            return 0.0
        xp = point.objective.xp
        short = xp.where(point.constraints.equal, point.c, xp.minimum(point.c, most))
        return fetch(xp, xp.max(xp.abs(weights * short)))[0]

    def _given_up(self, point: KKTPoint, weights: Array, ended: Stop | None) -> Stop:
        if point.least_violation(weights):
            return Stop(Status.INFEASIBLE, "No near point violates them less.")
        if at_floor(point, point.gap):
            return Stop(Status.PRECISION_FLOOR)
        return ended or Stop(Status.NO_PROGRESS)


def _scales(point: KKTPoint) -> tuple[float, float]:
    """Return how steep the objective is at a point, and how long a step is that changes x by all of it."""
    of_g, of_x = fetch(point.objective.xp, point.g @ point.g, point.x @ point.x)
    length = max(1.0, math.sqrt(of_x))
    return max(math.sqrt(of_g), abs(point.f) / length) or 1.0, length
