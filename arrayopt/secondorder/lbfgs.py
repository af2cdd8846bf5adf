"""L-BFGS: BFGS with the pairs of the last few iterations in place of a matrix."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, final

from arrayopt.backend import Array
from arrayopt.core.method import Method, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.core.options import Count
from arrayopt.secondorder.automatic import AUTOMATIC, no_step, search_or_automatic, steepest
from arrayopt.secondorder.limited import Direction, Gram, Memory, Pairs, compact, two_loop
from arrayopt.secondorder.line_search import LineSearch


@final
@dataclass(frozen=True, kw_only=True)
class LBFGS(Method):
    r"""L-BFGS, the limited-memory method of Broyden, Fletcher, Goldfarb and Shanno.

    .. math:: d_k = -H_k g_k, \qquad x_{k+1} = x_k + a_k d_k

    where :math:`H_k` is :math:`\gamma_k I` updated by BFGS with the last pairs :math:`s_i = x_{i+1} - x_i, \; y_i =
    g_{i+1} - g_i`. A pair is taken up if :math:`s'y > \epsilon \, \|s\| \|y\|`, with the eps of the dtype. When no step
    is found along d, all pairs are dropped and the search goes along -g; when that fails too, the run ends.

    Parameters
    ----------
    line_search : LineSearch or str
        A rule, the name of one in `SEARCHES`, or "auto" (`LineSearches`). The first trial is :math:`1/\|g\|` along -g,
        and 1 later.
    history : int
        How many pairs are kept.
    form : str
        How :math:`H g` is computed: "gram", "two_loop" or "compact"; see `arrayopt.secondorder.limited`. They differ
        in rounding and in speed.
    gamma : str
        "latest" is :math:`\gamma_k = s'y / y'y` of the latest pair, "one" is 1.

    Notes
    -----
    With "gram" an evaluation and an iteration each take one transfer from the device.

    References
    ----------
    Nocedal, Updating quasi-Newton matrices with limited storage, 1980; Liu and Nocedal, On the limited memory BFGS
    method for large scale optimization, 1989.
    """

    line_search: LineSearch | str = AUTOMATIC
    history: Count = 10
    form: Literal["gram", "two_loop", "compact"] = "gram"
    gamma: Literal["latest", "one"] = "latest"

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Search along -H g, and take up the pair."""
        search, memory, point = search_or_automatic(self.line_search, objective), self._memory(objective), start
        direction: Direction | None = None
        while True:
            first = 1.0
            if direction is None:
                d, slope, first = steepest(objective, point.g)
            else:
                d, slope = direction
            new = None
            if slope < 0.0:
                try:
                    new = search(point, d, slope, first)
                except Stop as stop:
                    if direction is None or not no_step(stop):
                        raise
            if new is None:
                memory.clear()
                direction = None
                continue
            yield new
            direction, point = memory.follow(point, new), new

    def _memory(self, objective: Objective) -> Memory:
        scaled = self.gamma == "latest"
        if self.form == "gram":
            return Gram(objective, self.history, scaled)
        if self.form == "two_loop":
            return Pairs(two_loop, self.history, scaled)

        def product(pairs: Sequence[tuple[Array, Array]], gamma: float, g: Array) -> Array:
            xp = objective.xp
            return compact(xp, xp.stack([s for s, _ in pairs]), xp.stack([y for _, y in pairs]), gamma, g)

        return Pairs(product, self.history, scaled)
