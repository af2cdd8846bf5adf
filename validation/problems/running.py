"""How a solver is run, and how its ending is told: in a few words that are the same for all of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from validation.problems.counting import Counter, Spent
from validation.problems.solvers import UNLIMITED, Solver

CONVERGED, BUDGET, TIME, RAISED, FALSE = "converged", "evaluations", "time", "raised", "false success"
LINE_SEARCH, FLOOR, STILL, KILLED = "line search", "precision floor", "no progress", "killed"
SCIPY_ENDINGS = {
    "ABNORMAL": LINE_SEARCH,
    "precision loss": LINE_SEARCH,
    "Line search failed": LINE_SEARCH,
    "line search": LINE_SEARCH,
    "NORM OF PROJECTED GRADIENT": CONVERGED,
    "NaN": "not finite",
    "bad approximation": STILL,
    "linalg error": "singular",
}
"""Words in SciPy's messages, and what is made of them."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: in one word or two, and in the solver's own."""

    ending: str
    said: str
    x: Any
    success: bool


def run(solver: Solver, counter: Counter, x0: Any, gtol: float) -> Ended:
    """Run a solver until it ends or a limit is reached; whatever it raises is an ending."""
    try:
        ended = (_run_ours if solver.ours else _run_scipy)(solver, counter, x0, gtol)
    except Spent as spent:
        return Ended(str(spent), "", counter.best, False)
    except Exception as error:  # a solver that raises is what the table has to tell
        return Ended(RAISED, f"{type(error).__name__}: {error}", counter.best, False)
    if ended.success and not _gradient(counter, ended.x) <= gtol:
        return Ended(FALSE if solver.bounded else STILL, ended.said, ended.x, solver.bounded)
    return ended


def _gradient(counter: Counter, x: Any) -> float:
    """Return the largest component of the gradient where a solver says it is done."""
    size = float(np.max(np.abs(counter.look(x)[1])))
    return size if math.isfinite(size) else math.inf


def _run_ours(solver: Solver, counter: Counter, x0: Any, gtol: float) -> Ended:
    from arrayopt.core.method import Status
    from arrayopt.solve import minimize

    limits = {"gtol": gtol, "maxiter": UNLIMITED, "maxfun": counter.cap}
    result = minimize(
        counter, x0, method=solver.method, jac=True, hess=_hessian(solver, counter),
        options={**solver.options, **limits},
    )  # fmt: skip
    words = {Status.MAXFUN: BUDGET, Status.LINE_SEARCH: LINE_SEARCH, Status.PRECISION_FLOOR: FLOOR}
    said = words.get(result.status, result.status.name.lower().replace("_", " "))
    return Ended(said, result.message, result.x, bool(result.success))


def _run_scipy(solver: Solver, counter: Counter, x0: Any, gtol: float) -> Ended:
    from scipy import optimize

    limits = {"maxiter": UNLIMITED, **({"gtol": gtol} if solver.bounded else {})}
    result = optimize.minimize(
        counter, x0, method=solver.method, jac=True, hess=_hessian(solver, counter),
        options={**solver.options, **limits},
    )  # fmt: skip
    said = str(result.message)
    if result.success:
        return Ended(CONVERGED, said, result.x, True)
    words = next((short for part, short in SCIPY_ENDINGS.items() if part in said), said)
    return Ended(words, said, result.x, False)


def _hessian(solver: Solver, counter: Counter) -> Callable[[Any], Any] | None:
    return counter.hessian if solver.second else None
