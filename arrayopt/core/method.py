"""What every iterative method shares: points, how a run may end, and the shape of a method.

A method is a frozen dataclass of options whose `iterates` is a generator: it evaluates an `Objective`, and yields the
point at the end of each iteration. Who runs it (`arrayopt.solve`) tests convergence, counts, calls back and keeps the
last point. A method that cannot go on raises `Stop`.
"""

import enum
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from arrayopt.core.options import Checked

if TYPE_CHECKING:
    from arrayopt.core.objective import Objective, Point


class Status(enum.IntEnum):
    """How a run ended; only `CONVERGED` is a success."""

    CONVERGED = 0
    MAXITER = 1
    MAXFUN = 2
    PRECISION_FLOOR = 3
    LINE_SEARCH = 4
    NOT_FINITE = 5
    UNBOUNDED = 6
    NEGATIVE_CURVATURE = 7
    SINGULAR = 8
    NO_PROGRESS = 9
    INFEASIBLE = 10
    CALLBACK = 99
    INTERRUPTED = 130

    @property
    def sentence(self) -> str:
        """What this says to a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.CONVERGED: "A stopping tolerance was met.",
    Status.MAXITER: "The limit of iterations was reached (option maxiter).",
    Status.MAXFUN: "The limit of evaluations was reached (option maxfun).",
    Status.PRECISION_FLOOR: "The objective's rounding errors hide any further decrease; the gradient is small.",
    Status.LINE_SEARCH: "The line search found no acceptable step along a descent direction; is the gradient right?",
    Status.NOT_FINITE: "The objective or its derivatives are not finite where the method has to go.",
    Status.UNBOUNDED: "The objective falls without bound along a direction.",
    Status.NEGATIVE_CURVATURE: "The matrix is not positive definite, which the method needs.",
    Status.SINGULAR: "A linear system of the method is singular.",
    Status.NO_PROGRESS: "The iterates do not move any more, and no tolerance is met.",
    Status.INFEASIBLE: "No point was found that satisfies the constraints.",
    Status.CALLBACK: "The callback raised StopIteration.",
    Status.INTERRUPTED: "Interrupted from the keyboard; this is the result so far.",
}


class Stop(Exception):
    """Ends a run with a status, and says more where there is more to say."""

    def __init__(self, status: Status, detail: str = "") -> None:
        super().__init__(status.sentence + (f" {detail}" if detail else ""))
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Method(Checked):
    """An iterative method: options, and a generator of iterates.

    Attributes
    ----------
    needs : tuple of str
        Second derivatives that it asks the objective for: "hess" or "hessp".
    honours : tuple of str
        Arguments of `minimize` beyond the objective that it honours: "bounds", "constraints".
    derivative_free : bool
        It never asks for a gradient: `gtol` says nothing to it, and it ends by a `Stop` of its own.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    honours: ClassVar[tuple[str, ...]] = ()
    derivative_free: ClassVar[bool] = False

    def prepare(self, objective: "Objective") -> None:
        """Tell an objective what it has to respect, before its first evaluation: nothing, by default."""
        return

    @abstractmethod
    def iterates(self, objective: "Objective", start: "Point") -> Iterator["Point"]:
        """Yield the point at the end of each iteration, from `start` on.

        Raises
        ------
        Stop
            When the method cannot go on.
        """

    def gap(self, point: "Point") -> float:
        """Return what `gtol` bounds: the largest component of the gradient, unless a method knows better."""
        return math.inf if self.derivative_free else point.gmax

    def may_rest(self, before: "Point", new: "Point") -> bool:
        """Tell whether a run may end because f and x have come to rest: not while something else still moves."""
        return True

    def extras(self, point: "Point") -> Mapping[str, Any]:
        """Return what the result holds beside SciPy's fields, such as multipliers."""
        return {}
