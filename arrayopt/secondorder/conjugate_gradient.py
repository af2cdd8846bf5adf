"""Nonlinear conjugate gradients: along the gradient and a share of the last direction."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.backend import Array, fetch
from arrayopt.core.method import Method, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.core.options import Positive, Tolerance
from arrayopt.secondorder.automatic import no_step, search_or_automatic, steepest
from arrayopt.secondorder.line_search import LineSearch, MoreThuente

NEARLY_EXACT = MoreThuente(c2=0.1)
POWELL = 0.2
MOST_GROWTH = 10.0
"""Of the first trial over the last step."""
PSI0, PSI1, PSI2 = 0.01, 0.1, 2.0
"""Hager and Zhang's constants of first trials."""


@dataclass(slots=True)
class Turn:
    r"""What a share :math:`\beta` is computed from, on the host: g and d of the last iteration, the new gradient g+.

    Attributes
    ----------
    gg, new_gg, dd : float
        g'g, g+'g+ and d'd.
    gd, new_gd : float
        g'd and g+'d.
    new_gy, yy : float
        g+'y and y'y, for y = g+ - g; the second for "hz" only.
    """

    gg: float
    gd: float
    dd: float
    new_gg: float
    new_gd: float
    new_gy: float
    yy: float = math.nan

    @property
    def dy(self) -> float:
        """d'y, which Wolfe's conditions make positive."""
        return self.new_gd - self.gd


def fletcher_reeves(t: Turn) -> float:
    """Return g+'g+ / g'g."""
    return t.new_gg / t.gg


def polak_ribiere(t: Turn) -> float:
    """Return g+'y / g'g, or 0 if that is negative."""
    return max(0.0, t.new_gy / t.gg)


def hestenes_stiefel(t: Turn) -> float:
    """Return g+'y / d'y, or 0 if that is negative."""
    dy = t.dy
    return max(0.0, t.new_gy / dy) if dy > 0 else 0.0


def dai_yuan(t: Turn) -> float:
    """Return g+'g+ / d'y."""
    dy = t.dy
    return t.new_gg / dy if dy > 0 else 0.0


def hager_zhang(t: Turn) -> float:
    """Return (y - 2 d y'y / d'y)'g+ / d'y: with it g+'d+ <= -7/8 g+'g+ whatever the step."""
    dy = t.dy
    return (t.new_gy - 2 * t.yy * (t.new_gd / dy)) / dy if dy > 0 else 0.0


def hybrid(t: Turn) -> float:
    """Return Polak and Ribiere's share, within that of Fletcher and Reeves and its negative."""
    bound = t.new_gg / t.gg
    return min(max(t.new_gy / t.gg, -bound), bound)


SHARES: Mapping[str, Callable[[Turn], float]] = {
    "fr": fletcher_reeves,
    "pr+": polak_ribiere,
    "hs+": hestenes_stiefel,
    "dy": dai_yuan,
    "hz": hager_zhang,
    "pr-fr": hybrid,
}
"""The formulas by name; where d'y > 0 does not hold, which no Wolfe step does, those that divide by it are 0."""


@final
@dataclass(frozen=True, kw_only=True)
class ConjugateGradient(Method):
    r"""Nonlinear conjugate gradients.

    .. math:: x_{k+1} = x_k + a_k d_k, \qquad d_{k+1} = -g_{k+1} + \beta_k d_k, \qquad d_0 = -g_0

    With :math:`y_k = g_{k+1} - g_k` and g, d, y without an index being of iteration k,

    ======= ==================================================================================================
    "fr"    :math:`\beta = g_+^\top g_+ / g^\top g`, Fletcher and Reeves; wants c2 < 1/2, and is prone to jam
    "pr+"   :math:`\max(0, g_+^\top y / g^\top g)`, Polak and Ribière
    "hs+"   :math:`\max(0, g_+^\top y / d^\top y)`, Hestenes and Stiefel
    "dy"    :math:`g_+^\top g_+ / d^\top y`, Dai and Yuan: a weak Wolfe step makes :math:`g_+^\top d_+ < 0`
    "hz"    :math:`(y - 2 d \, y^\top y / d^\top y)^\top g_+ / d^\top y`, Hager and Zhang, and at least
            :math:`\eta \, g^\top d / d^\top d`; without this floor :math:`g_+^\top d_+ \le -\tfrac78 g_+^\top g_+`
    "pr-fr" the share of Polak and Ribière, within plus and minus that of Fletcher and Reeves
    ======= ==================================================================================================

    On a quadratic with exact steps all are the same, and are linear conjugate gradients.

    Parameters
    ----------
    beta : str
        The formula.
    line_search : LineSearch or str
        How :math:`a_k` is found: a rule, or the name of one in `SEARCHES`. Directions stay conjugate only if steps are
        nearly exact, hence a c2 of 0.1.
    first : {"slope", "hager_zhang"}
        The first trial. With "slope" that the change :math:`a \, g^\top d` be the one of the last iteration, but at
        most ten times the last step. With "hager_zhang" the minimiser of the parabola through the value and the slope
        at 0 and the value at a tenth of the last step, which is one more evaluation; or twice the last step.
    descent : float
        Restart along -g unless :math:`g^\top d \le -` `descent` :math:`g^\top g`; >= 0.
    restart : float
        Restart after this many times n iterations; > 0.
    powell : bool
        Restart also when :math:`|g_+^\top g| \ge 0.2 \, g_+^\top g_+`.
    eta : float
        Of the floor of "hz", > 0.

    Notes
    -----
    An evaluation is one transfer from the device, and an iteration another one: slopes and norms of directions follow
    on the host from inner products of gradients.

    References
    ----------
    Fletcher and Reeves 1964; Polak and Ribière 1969; Hestenes and Stiefel 1952; Dai and Yuan 1999; Gilbert and
    Nocedal 1992 for "+" and the hybrid; Hager and Zhang 2005 and 2013 (its floor), and their survey of 2006.
    """

    beta: Literal["fr", "pr+", "hs+", "dy", "hz", "pr-fr"] = "hs+"
    line_search: LineSearch | str = NEARLY_EXACT
    first: Literal["slope", "hager_zhang"] = "slope"
    descent: Tolerance = 0.01
    restart: Positive = 6.0
    powell: bool = False
    eta: Positive = 0.4

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Search along d, and turn it."""
        search, point = search_or_automatic(self.line_search, objective, self.gap), start
        share, floored, most = SHARES[self.beta], self.beta == "hz", math.ceil(self.restart * objective.n)
        d, slope, first = steepest(objective, point.g)
        if self.first == "hager_zhang":
            first = _first_of_all(objective, point, -slope)
        t, turns = Turn(-slope, slope, -slope, math.nan, math.nan, math.nan), 0
        while True:
            try:
                new = search(point, d, slope, first)
            except Stop as stop:
                if turns == 0 or not no_step(stop):
                    raise
                d, slope, first = steepest(objective, point.g)
                t.gg, t.gd, t.dd, turns = -slope, slope, -slope, 0
                continue
            yield new
            g = new.g
            _measure(objective, t, new, point.g, d, floored)
            beta = share(t)
            if floored:
                beta = max(beta, self.eta * t.gd / t.dd)
            slope = beta * t.new_gd - t.new_gg
            turns += 1
            far = self.powell and abs(t.new_gg - t.new_gy) >= POWELL * t.new_gg
            if slope <= -self.descent * t.new_gg and slope < 0.0 and turns < most and not far:
                d = beta * d - g
                t.dd = t.new_gg - 2 * beta * t.new_gd + beta * beta * t.dd
            else:
                d, slope, turns = -g, -t.new_gg, 0
                t.dd = t.new_gg
            if self.first == "slope":
                first = new.step * min(MOST_GROWTH, t.gd / slope)
            else:
                first = _parabola(objective, new, d, slope)
            t.gg, t.gd, point = t.new_gg, slope, new


def _measure(objective: Objective, t: Turn, new: Point, g: Array, d: Array, floored: bool) -> None:
    """Fetch the inner products with the new gradient, in one transfer."""
    new_g = new.g
    products = [new_g @ new_g]
    if floored:
        y = new_g - g
        products += [new_g @ y, y @ y]
    else:
        products.append(new_g @ g)
    if math.isnan(new.slope):  # the line search does without
        products.append(new_g @ d)
    t.new_gg, second, *rest = fetch(objective.xp, *products)
    t.new_gd = rest.pop() if math.isnan(new.slope) else new.slope
    if floored:
        t.new_gy, t.yy = second, rest[0]
    else:
        t.new_gy = t.new_gg - second
    if t.new_gg == 0.0:
        # Only its square: the run goes on as long as the gradient itself is above gtol.
        steepest(objective, new_g)


def _first_of_all(objective: Objective, point: Point, gg: float) -> float:
    """Return the first trial of a run by the size of x, or of f where x is 0."""
    (size,) = fetch(objective.xp, objective.xp.max(objective.xp.abs(point.x)))
    if size > 0.0:
        return PSI0 * size / point.gmax
    return PSI0 * abs(point.f) / gg if point.f else 1 / math.sqrt(gg)


def _parabola(objective: Objective, point: Point, d: Array, slope: float) -> float:
    """Return the minimiser of a parabola through one more value along d, or twice the last step."""
    a = PSI1 * point.step
    fell = point.f - objective.at(point.x + a * d).f
    curvature = 2 * (-fell - a * slope) / (a * a)
    # Rounding errors alone make no parabola.
    if fell > 100 * objective.eps * abs(point.f) and curvature > 0.0:
        return -slope / curvature
    return PSI2 * point.step
