"""Constraints in SciPy's dictionary form: parsed once, then values, Jacobian and curvature on vectors."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, is_array, to_numpy
from arrayopt.core.objective import Objective
from arrayopt.errors import LeafError, OptionError

KEYS = ("type", "fun", "jac", "hess", "args")


@final
class Given:
    """The constraints of one dictionary."""

    def __init__(self, constraint: Any, where: str, objective: Objective) -> None:
        if not isinstance(constraint, Mapping):
            raise OptionError(
                f"{where}: expected a dictionary like {{'type': 'eq', 'fun': f}}, got a {type(constraint).__name__}"
            )
        if unknown := sorted(set(constraint) - set(KEYS)):
            raise OptionError(f"{where}: unknown key {unknown[0]!r}; there are {', '.join(KEYS)}")
        kind = constraint.get("type")
        if not isinstance(kind, str) or kind.lower() not in ("eq", "ineq"):
            raise OptionError(f"{where}: 'type' must be 'eq' (fun = 0) or 'ineq' (fun >= 0), got {kind!r}")
        for name, needed in (("fun", True), ("jac", False), ("hess", False)):
            f = constraint.get(name)
            if not callable(f) and (needed or f is not None):
                raise OptionError(f"{where}: {name!r} must be a callable, got {f!r}")
        self._fun: Callable[..., Any] = constraint["fun"]
        self._jac: Callable[..., Any] | None = constraint.get("jac")
        self._hess: Callable[..., Any] | None = constraint.get("hess")
        self._args = tuple(constraint.get("args", ()))
        self._where, self._objective = where, objective
        self.equal: Sequence[bool] = ()
        self.equal = [kind.lower() == "eq"] * int(self.values(objective.x0).shape[0])

    def values(self, x: Array) -> Array:
        """Return c(x)."""
        out = self._array(self._fun(self._objective.tree(x), *self._args), "fun")
        if out.ndim > 1:
            raise LeafError(f"{self._where}: fun must return a number or a vector, got shape {tuple(out.shape)}")
        out = self._objective.xp.reshape(out, (-1,))
        if self.equal and int(out.shape[0]) != len(self.equal):
            raise LeafError(f"{self._where}: fun returned {int(out.shape[0])} numbers, but {len(self.equal)} at x0")
        return out

    def jacobian(self, x: Array, c: Array) -> Array:
        """Return the rows; by forward differences if there is no `jac`."""
        objective, k = self._objective, len(self.equal)
        if self._jac is None:
            return self._differences(x, c)
        out = self._array(self._jac(objective.tree(x), *self._args), "jac")
        fits = tuple(out.shape) == (k, objective.n) or (k == 1 and math.prod(out.shape) == objective.n)
        if not fits:
            expected = f"{(k, objective.n)}" + (f" or {(objective.n,)}" if k == 1 else "")
            raise LeafError(f"{self._where}: jac returned shape {tuple(out.shape)}, expected {expected}")
        return objective.xp.reshape(out, (k, objective.n))

    def curved(self, x: Array, weights: Array) -> Array:
        """Return the weighted sum of Hessians; by differences of the weighted Jacobian if there is no `hess`."""
        objective = self._objective
        if self._hess is not None:
            out = self._array(self._hess(objective.tree(x), weights, *self._args), "hess")
            if tuple(out.shape) != (objective.n, objective.n):
                expected = (objective.n, objective.n)
                raise LeafError(f"{self._where}: hess returned shape {tuple(out.shape)}, expected {expected}")
            return out
        # A Jacobian that is itself of differences has errors of sqrt(eps), which a longer step divides.
        power = 0.25 if self._jac is None else 0.5
        here = weights @ self.jacobian(x, self.values(x))
        rows = []
        for moved, h in self._moves(x, power):
            there = weights @ self.jacobian(moved, self.values(moved) if self._jac is None else here)
            rows.append((there - here) / h if h else 0 * here)
        curved = objective.xp.stack(rows)
        return (curved + curved.T) / 2

    def _differences(self, x: Array, c: Array) -> Array:
        columns = [(self.values(moved) - c) / h if h else 0 * c for moved, h in self._moves(x, 0.5)]
        return self._objective.xp.stack(columns, axis=-1)

    def _moves(self, x: Array, power: float) -> Iterator[tuple[Array, float]]:
        """Yield x moved along each axis, and how far the dtype and the bounds let it move."""
        objective, where = self._objective, to_numpy(x)
        axes = np.arange(objective.n)
        room = [(math.inf, math.inf)] * objective.n
        if objective.box is not None:
            below, above = (to_numpy(side) for side in objective.box)
            room = list(zip((where - below).tolist(), (above - where).tolist(), strict=True))
        for i in range(objective.n):
            h = objective.eps**power * max(1.0, abs(float(where[i])))
            down, up = room[i]
            if h > up:
                h = -h if h <= down else max(up, -down, key=abs)
            there = (where[i] + where.dtype.type(h)).item()
            mask = objective.xp.asarray(axes == i, device=device(x))
            yield objective.projected(objective.xp.where(mask, there, x)), there - where[i].item()

    def _array(self, out: Any, what: str) -> Array:
        objective = self._objective
        if is_array(out):
            return out if out.dtype == objective.dtype else objective.xp.astype(out, objective.dtype)
        try:
            if out is None:
                raise TypeError
            return objective.xp.asarray(out, dtype=objective.dtype, device=device(objective.x0))
        except (TypeError, ValueError) as error:
            raise LeafError(f"{self._where}: {what} must return numbers, got a {type(out).__name__}") from error


@final
class Constraints:
    """All the constraints of a problem, in the order in which they were given.

    Parameters
    ----------
    given : dict or sequence of dict
        ``{"type": "eq" | "ineq", "fun": c}`` for c(x) = 0 or c(x) >= 0, a number or a vector. ``"jac"`` is its
        Jacobian, shape (k, n), or (n,) for one number; without it forward differences are taken. ``"hess"``, which
        SciPy's dictionaries lack, is ``(x, v, *args)`` -> the sum of v_i times the Hessian of c_i. ``"args"`` are
        passed on to all three.
    objective : Objective
        Its x0 fixes n, library and dtype; within its box the constraints are evaluated.

    Attributes
    ----------
    k : int
        How many they are.
    equal : array of bool, shape (k,)
        Which are equalities.
    all_equal : bool

    Raises
    ------
    OptionError
        If a dictionary is not of this form, saying which one.
    LeafError
        If a function returns something of another shape.
    """

    def __init__(self, given: Any, objective: Objective) -> None:
        if isinstance(given, Mapping):
            pieces = [Given(given, "constraints", objective)]
        elif isinstance(given, Sequence) and not isinstance(given, str):
            pieces = [Given(c, f"constraints[{i}]", objective) for i, c in enumerate(given)]
        else:
            raise OptionError(
                f"constraints: expected dictionaries like {{'type': 'eq', 'fun': f}}, got a {type(given).__name__}"
            )
        self._pieces = [p for p in pieces if p.equal]
        self._objective, self._xp = objective, objective.xp
        equal = [e for p in self._pieces for e in p.equal]
        self.k = len(equal)
        self.all_equal = all(equal)
        self.equal = self._xp.asarray(np.asarray(equal, dtype=bool), device=device(objective.x0))

    def values(self, x: Array) -> Array:
        """Return c(x), shape (k,)."""
        parts = [p.values(x) for p in self._pieces]
        return self._xp.concat(parts) if parts else x[:0]

    def jacobian(self, x: Array, c: Array) -> Array:
        """Return the gradients of c as rows, shape (k, n), given c(x)."""
        parts = [p.jacobian(x, c[here]) for p, here in self._slices()]
        return self._xp.concat(parts) if parts else x[None, :][:0, :]

    def curved(self, x: Array, weights: Array) -> Array:
        """Return the sum of weights times the Hessians of c, shape (n, n)."""
        total = self._xp.zeros((x.shape[0], x.shape[0]), dtype=x.dtype, device=device(x))
        for p, here in self._slices():
            total = total + p.curved(x, weights[here])
        return total

    def allowed(self, multipliers: Array) -> Array:
        """Return multipliers with those of inequalities raised to zero where they are negative."""
        return self._xp.where(self.equal | (multipliers > 0), multipliers, 0.0)

    def violations(self, c: Array) -> Array:
        """Return c where it is violated and zero elsewhere."""
        return self._xp.where(self.equal | (c < 0), c, 0.0)

    def _slices(self) -> list[tuple[Given, slice]]:
        found, start = [], 0
        for p in self._pieces:
            found.append((p, slice(start, start + len(p.equal))))
            start += len(p.equal)
        return found
