"""Constrained problems of S2MPJ, with what `minimize` takes and what checks a solution."""

import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from validation.problems.problem import Array
from validation.problems.s2mpj import WANTED, NotLoadedError, folder, silence

INFINITY = 1e20
"""What stands for it in bounds."""


@dataclass(frozen=True)
class Here:
    """What there is at a point: value, gradient, constraints, and their gradients as rows."""

    f: float
    g: Array
    c: Array
    j: Array


class Constrained:
    """A problem with constraints and bounds, in float64.

    Attributes
    ----------
    name : str
    x0 : array, shape (n,)
    lower, upper : array, shape (n,)
    equal : array of bool, shape (k,)
        Which constraints are equalities; the others are inequalities c(x) >= 0.
    published : tuple of float
        Minima that the source names.
    """

    def __init__(self, name: str, made: Any, source: str) -> None:
        self.name, self._made = name, made
        self.x0 = np.asarray(made.x0, dtype=np.float64).ravel()
        lower, upper = (np.asarray(b, dtype=np.float64).ravel() for b in (made.xlower, made.xupper))
        self.lower = np.where(lower <= -INFINITY, -np.inf, lower)
        self.upper = np.where(upper >= INFINITY, np.inf, upper)
        m = int(getattr(made, "m", 0))
        below, above = (np.asarray(getattr(made, b), float).ravel() if m else np.zeros(0) for b in ("clower", "cupper"))
        fixed = below == above
        # Each row of S2MPJ becomes one or two of ours: c - below and above - c.
        self._rows = np.concatenate([
            np.flatnonzero(fixed),
            np.flatnonzero(~fixed & (below > -INFINITY)),
            np.flatnonzero(~fixed & (above < INFINITY)),
        ])  # fmt: skip
        lows = int((fixed | (below > -INFINITY)).sum())
        self._signs = np.where(np.arange(len(self._rows)) < lows, 1.0, -1.0)
        self._shifts = np.concatenate([below[self._rows[:lows]], -above[self._rows[lows:]]])
        self.equal = np.arange(len(self._rows)) < int(fixed.sum())
        found = re.findall(r"LO SOLTN\S*\s+([-+.0-9DEde]+)", source)
        self.published = tuple(float(x.replace("D", "E").replace("d", "e")) for x in found)
        self._at: tuple[bytes, Here] | None = None

    @property
    def n(self) -> int:
        return self.x0.size

    @property
    def k(self) -> int:
        """How many constraints it has, without bounds."""
        return len(self._rows)

    @property
    def bounded(self) -> bool:
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @property
    def bounds(self) -> list[tuple[float, float]] | None:
        """As SciPy takes them."""
        return list(zip(self.lower.tolist(), self.upper.tolist(), strict=True)) if self.bounded else None

    @property
    def constraints(self) -> list[Mapping[str, Any]]:
        """As SciPy takes them, equalities first."""
        kinds = [(kind, np.flatnonzero(rows)) for kind, rows in (("eq", self.equal), ("ineq", ~self.equal))]
        return [
            {"type": kind, "fun": lambda x, r=rows: self.at(x).c[r], "jac": lambda x, r=rows: self.at(x).j[r]}
            for kind, rows in kinds
            if rows.size
        ]

    def value_and_gradient(self, x: Array) -> tuple[float, Array]:
        here = self.at(x)
        return here.f, here.g

    def at(self, x: Array) -> Here:
        """Evaluate; a point is evaluated once. What cannot be computed there is NaN."""
        x = np.asarray(x, dtype=np.float64)
        key = x.tobytes()
        if self._at is None or self._at[0] != key:
            self._at = key, self._evaluated(x)
        return self._at[1]

    def _evaluated(self, x: Array) -> Here:
        try:
            with silence():
                f, g = self._made.fgx(x)
                c, j = self._made.cJx(x) if self.k else (np.zeros(0), np.zeros((0, self.n)))
        except ArithmeticError:
            nothing = np.full(self.n, np.nan)
            return Here(np.nan, nothing, np.full(self.k, np.nan), np.full((self.k, self.n), np.nan))
        c, j = np.asarray(c, dtype=np.float64).ravel(), dense(j)
        rows = self._rows
        signed = self._signs * c[rows] - self._shifts if self.k else c
        jacobian = self._signs[:, None] * j[rows] if self.k else j
        return Here(float(np.asarray(f).item()), np.asarray(g, dtype=np.float64).ravel(), signed, jacobian)

    def hessian_of_lagrangian(self, x: Array, multipliers: Array) -> Array:
        """Return the Hessian of f - multipliers' c, exactly as S2MPJ gives it."""
        with silence():
            h = dense(self._made.fgHx(x)[2])
            if self.k:
                parts = self._made.cJHx(x)[2]
                for row, sign, multiplier in zip(self._rows, self._signs, multipliers, strict=True):
                    h = h - sign * multiplier * dense(parts[row])
        return (h + h.T) / 2


def dense(matrix: Any) -> Array:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64)


def names(belongs: Callable[[str], bool]) -> Sequence[str]:
    """Return the names of problems that `belongs` picks, in the order of the numbers in them."""
    where = folder()
    if where is None:
        raise NotLoadedError(WANTED)
    found = [path.stem for path in (where / "src" / "python_problems").glob("*.py") if belongs(path.stem)]
    return sorted(found, key=lambda name: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", name)])


def load(name: str) -> Constrained:
    """Return a problem in its default size.

    Raises
    ------
    NotLoadedError
        If it does not load, or is not finite at its start.
    """
    where = folder()
    if where is None:
        raise NotLoadedError(WANTED)
    source = where / "src"
    if str(source) not in sys.path:
        sys.path.insert(0, str(source))
    try:
        with silence():
            made = getattr(importlib.import_module(f"python_problems.{name}"), name)()
            text = (source / "python_problems" / f"{name}.py").read_text(encoding="utf-8")
            found = Constrained(name, made, text)
            f = found.at(found.x0).f
    except Exception as error:  # whatever foreign code raises is the reason
        raise NotLoadedError(f"{type(error).__name__}: {error}") from error
    if not np.isfinite(f):
        raise NotLoadedError("the value is not finite at the start")
    return found
