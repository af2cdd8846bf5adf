"""Problems of Hock and Schittkowski with multipliers: `python -m validation.problems.hock_schittkowski [NAME ...]`.

The problems are those of S2MPJ that have constraints or bounds. Ours is the method of multipliers with its defaults.
The reference is independent of this package: SciPy's SLSQP from the same start (or, where it fails or finds another
minimum, SLSQP or trust-constr from near our solution), the active set read off there, then Newton on the equations of
the active set with the exact second derivatives of S2MPJ. A problem counts as solved if

- the run says success,
- f, and every multiplier of constraints and bounds, is that of the reference, to 1e-6 relative to the largest, and
- the KKT residual, computed here from S2MPJ's own functions, is within 1e-6 of the largest modulus in the gradient;

and its multipliers are unique: the gradients of the active constraints are independent. Other verdicts say what is
missing: "exact, at the floor" is all of this but the word success, for rounding hides progress before gtol.

The exit status is 0 if at least 25 with an active constraint or bound (or all of fewer named ones) are solved, and no
run says success falsely; it is 2 without the problems.
"""

import argparse
import re
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arrayopt.cli.tables import table
from arrayopt.core.results import write_json
from arrayopt.solve import minimize
from validation.problems.constrained import Constrained, load, names
from validation.problems.problem import Array
from validation.problems.s2mpj import NotLoadedError, release

TOLERANCE = 1e-6
WANTED = 25
GTOL, MAXFUN = 1e-8, 5000
ACTIVE = 1e-5
"""Relative to how large x is, how near to zero a constraint of the reference is active."""
ORIGINAL = re.compile(r"HS\d{1,3}")


@dataclass(frozen=True)
class Solution:
    """A point with multipliers of the constraints and of the bounds."""

    x: Array
    f: float
    multipliers: Array
    bound_multipliers: Array
    unique: bool = True

    @property
    def all_multipliers(self) -> Array:
        return np.concatenate([self.multipliers, self.bound_multipliers])


@dataclass(frozen=True)
class Outcome:
    """A line of the table; errors are relative to the largest modulus, NaN where there is nothing to compare with."""

    name: str
    n: int
    constraints: int
    active: int
    status: str
    verdict: str
    nit: int
    nfev: int
    f: float
    f_error: float
    multiplier_error: float
    residual: float
    reference: str
    published: tuple[float, ...]
    seconds: float


def residual(problem: Constrained, x: Array, multipliers: Array, bound_multipliers: Array) -> float:
    """Return the largest violation of the KKT conditions, signs of multipliers among them; stationarity is relative."""
    here = problem.at(x)
    stationary = here.g - here.j.T @ multipliers - bound_multipliers
    below, above = x - problem.lower, problem.upper - x
    inequalities = np.minimum(here.c, multipliers)[~problem.equal]
    bounds = [np.minimum(below, np.maximum(bound_multipliers, 0)), np.minimum(above, np.maximum(-bound_multipliers, 0))]
    parts = [stationary / max(1.0, np.abs(here.g).max()), here.c[problem.equal], inequalities, *bounds]
    return float(max(np.abs(part).max(initial=0.0) for part in parts))


def polished(problem: Constrained, x: Array) -> Solution | None:
    """Return the solution of the equations of the constraints that are active at x, by Newton; None if it has none."""
    here, near = problem.at(x), ACTIVE * (1 + np.abs(x).max())
    slopes = np.maximum(1.0, np.abs(here.j).max(axis=1, initial=0.0))
    rows = np.flatnonzero(problem.equal | (here.c <= near * slopes))
    low = np.flatnonzero(x - problem.lower <= near)
    high = np.setdiff1d(np.flatnonzero(problem.upper - x <= near), low)
    held = np.concatenate([low, high])
    at_bounds = np.eye(problem.n)[held]
    values = np.concatenate([problem.lower[low], problem.upper[high]])
    multipliers, bound_multipliers, unique = np.zeros(problem.k), np.zeros(problem.n), True
    for step in range(12):
        here = problem.at(x)
        j = np.concatenate([here.j[rows], at_bounds])
        unique = np.linalg.matrix_rank(j / np.maximum(np.linalg.norm(j, axis=1, keepdims=True), 1e-300), 1e-8) == len(j)
        if step == 0:
            found = np.linalg.lstsq(j.T, here.g, rcond=None)[0] if len(j) else np.zeros(0)
        else:
            w = problem.hessian_of_lagrangian(x, multipliers)
            zero = np.zeros((len(j), len(j)))
            right = -np.concatenate([here.g, here.c[rows], x[held] - values])
            out = np.linalg.lstsq(np.block([[w, j.T], [j, zero]]), right, rcond=None)[0]
            x, found = x + out[: problem.n], -out[problem.n :]
        if not (np.isfinite(x).all() and np.isfinite(found).all()):
            return None
        multipliers, bound_multipliers = np.zeros(problem.k), np.zeros(problem.n)
        multipliers[rows], bound_multipliers[held] = found[: len(rows)], found[len(rows) :]
    x = np.clip(x, problem.lower, problem.upper)
    solution = Solution(x, problem.at(x).f, multipliers, bound_multipliers, bool(unique))
    return solution if residual(problem, x, multipliers, bound_multipliers) <= 1e-9 else None


def reference(problem: Constrained, near: Array, f: float) -> tuple[Solution | None, str]:
    """Return an independent solution and what found it: of the minimum with value f, if one can be found."""
    from scipy import optimize

    shaken = near + 1e-3 * (1 + np.abs(near)) * np.cos(np.arange(1, problem.n + 1))
    starts = {"x0": problem.x0, "near ours": np.clip(shaken, problem.lower, problem.upper)}
    settings: dict[str, dict[str, Any]] = {
        "SLSQP": {"ftol": 1e-15, "maxiter": 500},
        "trust-constr": {"gtol": 1e-10, "xtol": 1e-12, "maxiter": 1000},
    }
    other: Solution | None = None
    for where, method in (("x0", "SLSQP"), ("near ours", "SLSQP"), ("near ours", "trust-constr")):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = optimize.minimize(
                    problem.value_and_gradient, starts[where], jac=True, method=method, bounds=problem.bounds,
                    constraints=problem.constraints, options=settings[method],
                )  # fmt: skip
            solution = polished(problem, np.asarray(found.x, dtype=np.float64))
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            continue
        if solution is not None and abs(solution.f - f) <= 1e-5 * max(1.0, abs(f)):
            return solution, f"{method}, {where}"
        other = other or solution
    return other, "another minimum" if other is not None else "none"


def outcome(problem: Constrained) -> Outcome:
    """Solve a problem with the method of multipliers, and compare."""
    began = time.perf_counter()
    with np.errstate(all="ignore"):
        ours = minimize(
            problem.value_and_gradient, problem.x0, jac=True, method="augmented_lagrangian", bounds=problem.bounds,
            constraints=problem.constraints, options={"gtol": GTOL, "maxfun": MAXFUN},
        )  # fmt: skip
    seconds = time.perf_counter() - began
    multipliers = np.asarray(ours.get("multipliers", np.zeros(problem.k)))
    bound_multipliers = np.asarray(ours.get("bound_multipliers", np.zeros(problem.n)))
    left = residual(problem, ours.x, multipliers, bound_multipliers)
    theirs, by = reference(problem, ours.x, ours.fun)
    f_error = multiplier_error = np.nan
    active = -1
    if theirs is not None:
        f_error = abs(ours.fun - theirs.f) / max(1.0, abs(theirs.f))
        expected = theirs.all_multipliers
        mine = np.concatenate([multipliers, bound_multipliers])
        multiplier_error = float(np.abs(mine - expected).max() / max(1.0, np.abs(expected).max()))
        bent = np.concatenate([theirs.multipliers[~problem.equal], theirs.bound_multipliers])
        active = int(problem.equal.sum() + np.count_nonzero(bent))
    verdict = judged(ours.status.name, left, theirs, by, f_error, multiplier_error)
    return Outcome(
        problem.name, problem.n, problem.k, active, ours.status.name, verdict, ours.nit, ours.nfev, ours.fun, f_error,
        multiplier_error, left, by, problem.published, seconds,
    )  # fmt: skip


def judged(status: str, left: float, theirs: Solution | None, by: str, f_error: float, multiplier_error: float) -> str:
    """Return the verdict of a run."""
    exact = f_error <= TOLERANCE and multiplier_error <= TOLERANCE and left <= TOLERANCE
    if status != "CONVERGED":
        return "exact, at the floor" if exact and status == "PRECISION_FLOOR" else "not converged"
    if not left <= TOLERANCE:
        return "FALSE SUCCESS"
    if theirs is None:
        return "no reference"
    if by == "another minimum":
        return by
    if not theirs.unique:
        return "not unique"
    return "solved" if exact else "inexact"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m validation.problems.hock_schittkowski", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="problems, such as HS71; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes to this file")
    options = parser.parse_args(arguments)
    try:
        chosen = options.names or names(lambda name: ORIGINAL.fullmatch(name) is not None)
    except NotLoadedError as error:
        print(error, file=sys.stderr)
        return 2
    outcomes, left_out = [], []
    for name in chosen:
        try:
            problem = load(name)
        except NotLoadedError as error:
            left_out.append(f"{name}: {error}")
            continue
        if not problem.k and not problem.bounded:
            continue
        outcomes.append(outcome(problem))
        print(f"{name}: {outcomes[-1].verdict}", file=sys.stderr, flush=True)
    show(outcomes, left_out)
    if options.json is not None:
        write_json(options.json, {"problems": release(), "outcomes": outcomes, "left out": left_out})
    solved = sum(o.verdict == "solved" and o.active > 0 for o in outcomes)
    false = sum(o.verdict == "FALSE SUCCESS" for o in outcomes)
    return 0 if solved >= min(WANTED, len(chosen)) and not false else 1


def show(outcomes: Sequence[Outcome], left_out: Sequence[str]) -> None:
    """Print the table and the counts."""
    header = ("problem", "n", "constraints", "status", "verdict", "nit", "nfev", "f", "error of f",
              "of multipliers", "KKT residual", "reference", "published f")  # fmt: skip
    rows = [
        (
            o.name, str(o.n), str(o.constraints), o.status, o.verdict, str(o.nit), str(o.nfev), f"{o.f:.9g}",
            f"{o.f_error:.0e}", f"{o.multiplier_error:.0e}", f"{o.residual:.0e}", o.reference,
            " ".join(f"{f:.9g}" for f in o.published[:2]),
        )
        for o in outcomes
    ]  # fmt: skip
    table(header, rows)
    verdicts = sorted({o.verdict for o in outcomes}, key=lambda v: (v != "solved", v))
    counts = ", ".join(f"{sum(o.verdict == v for o in outcomes)} {v}" for v in verdicts)
    print(f"\n{len(outcomes)} problems: {counts}")
    solved = [o for o in outcomes if o.verdict == "solved"]
    held = sum(o.active > 0 for o in solved)
    print(
        f"solved with multipliers to {TOLERANCE:g}: {len(solved)}, of which {held} with an active constraint or bound"
    )
    for line in left_out:
        print(f"left out, {line}")


if __name__ == "__main__":
    sys.exit(main())
