"""The loop that runs a method: it tests convergence, counts, calls back, and says at the end how it was."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from arrayopt.backend import fetch
from arrayopt.core.method import Method, Status, Stop
from arrayopt.core.objective import Objective, Point, at_floor


class Record(NamedTuple):
    """A line of a run's trace: where the run is after an iteration, and the evaluations that it took so far."""

    nit: int
    nfev: int
    njev: int
    fun: float
    gap: float
    step: float


class Trace(list[Record]):
    """The records of a run, from x0 on; shown by their number, for a result is printed whole."""

    def __repr__(self) -> str:
        return f"<{len(self)} records>"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When to stop; see `minimize`."""

    gtol: float
    ftol: float = 0.0
    xtol: float = 0.0
    maxiter: int


class Run:
    """A run of a method on an objective."""

    def __init__(
        self, objective: Objective, method: Method, limits: Limits, callback: Callable[..., Any] | None = None
    ) -> None:
        self.objective, self.method, self.limits = objective, method, limits
        method.prepare(objective)
        self._call = _caller(callback)
        self.trace = Trace()
        self.point = Point(objective, objective.x0, math.nan)

    def result(self) -> Any:
        """Run until a tolerance is met or the method has to stop; return SciPy's `OptimizeResult`."""
        try:
            self._run()
        except Stop as stop:
            return self._report(stop.status, str(stop))
        except KeyboardInterrupt:
            return self._report(Status.INTERRUPTED, Status.INTERRUPTED.sentence)
        raise AssertionError("a run ends by Stop")

    def _run(self) -> None:
        objective, limits = self.objective, self.limits
        self.point = objective.at(objective.x0)
        gap = self._note(self.point)
        if math.isnan(gap):
            raise Stop(Status.NOT_FINITE, "It is so at x0 already.")
        iterates = self.method.iterates(objective, self.point)
        while gap > limits.gtol:
            if len(self.trace) > limits.maxiter:
                raise Stop(Status.MAXITER)
            new = next(iterates, None)
            if new is None:
                raise Stop(Status.NO_PROGRESS)
            gap = self._note(new)
            if math.isnan(gap):
                raise Stop(Status.UNBOUNDED if new.f == -math.inf else Status.NOT_FINITE)
            before, self.point = self.point, new
            if self._call is not None:
                self._call(lambda: self._report(None, "The run goes on."))
            if gap > limits.gtol and self.method.may_rest(before, new):
                _check_still(before, new, limits, gap)
        raise Stop(Status.CONVERGED, f"The gradient is within gtol = {limits.gtol:g}.")

    def _note(self, new: Point) -> float:
        gap = self.method.gap(new) if new.finite or self.method.derivative_free else math.nan
        if not (math.isfinite(gap) or self.method.derivative_free):  # the gradient may have been evaluated just now
            gap = math.nan
        objective = self.objective
        self.trace.append(Record(len(self.trace), objective.nfev, objective.njev, new.f, gap, new.step))
        return gap

    def _report(self, status: Status | None, message: str) -> Any:
        from scipy.optimize import OptimizeResult

        objective, point = self.objective, self.point
        return OptimizeResult(
            x=objective.tree(point.x),
            fun=point.f,
            jac=None if not self.trace or self.method.derivative_free else objective.tree(point.g),
            nit=max(0, len(self.trace) - 1),
            nfev=objective.nfev,
            njev=objective.njev,
            nhev=objective.nhev,
            success=status is Status.CONVERGED,
            status=status,
            message=" ".join([message, *objective.remarks]),
            trace=self.trace,
            **self.method.extras(point),
        )


def _check_still(before: Point, new: Point, limits: Limits, gap: float) -> None:
    """Raise Stop if the values, or the iterates, have come to rest within their tolerances, or cannot move any more."""
    fell, xp = before.f - new.f, new.objective.xp
    if fell == 0 and new is not before and not bool(xp.any(new.x != before.x)):
        raise Stop(Status.PRECISION_FLOOR if at_floor(new, gap) else Status.NO_PROGRESS)
    if limits.ftol > 0 and 0 <= fell <= limits.ftol * max(abs(before.f), abs(new.f), 1.0):
        raise Stop(Status.CONVERGED, f"The decrease is within ftol = {limits.ftol:g}.")
    if limits.xtol > 0:
        moved, size = fetch(xp, xp.max(xp.abs(new.x - before.x)), xp.max(xp.abs(new.x)))
        if moved <= limits.xtol * (limits.xtol + size):
            raise Stop(Status.CONVERGED, f"The step is within xtol = {limits.xtol:g}.")


def _caller(callback: Callable[..., Any] | None) -> Callable[[Callable[[], Any]], None] | None:
    """Return what calls back as SciPy does: with `intermediate_result=` where the callback names it, else with x."""
    if callback is None:
        return None
    named = "intermediate_result" in inspect.signature(callback).parameters

    def call(report: Callable[[], Any]) -> None:
        result = report()
        try:
            if named:
                callback(intermediate_result=result)
            else:
                callback(result.x)
        except StopIteration:
            raise Stop(Status.CALLBACK) from None

    return call
