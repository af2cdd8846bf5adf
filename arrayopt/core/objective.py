"""The objective as methods see it: vectors in, points out, every evaluation counted.

The file is long because layout as a vector, bounds, and the shapes that functions may return all stand between a method
and one call of `fun`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree
from array_api_compat import device

from arrayopt.backend import Array, fetch, is_array, namespace, to_numpy
from arrayopt.core import differences, trees
from arrayopt.core.method import Status, Stop
from arrayopt.core.population import Workers, values
from arrayopt.core.trees import Tree
from arrayopt.errors import LeafError, OptionError


class Point:
    """Where a method is: x, the value and gradient there, and scalars of them on the host.

    Attributes
    ----------
    x : array, shape (n,)
    f : float
    g : array, shape (n,)
        Evaluated when it is first asked for, unless it came with f.
    slope : float
        g'd along the direction that the point was evaluated along.
    gmax : float
        The largest modulus in g.
    step : float
        The step length that led here, where there is one; for the trace.
    """

    __slots__ = ("_g", "_gmax", "f", "objective", "slope", "step", "x")

    def __init__(self, objective: "Objective", x: Array, f: float) -> None:
        self.objective, self.x, self.f = objective, x, f
        self._g: Array = None
        self._gmax = math.nan
        self.slope = math.nan
        self.step = math.nan

    @property
    def g(self) -> Array:
        """The gradient."""
        if self._g is None:
            self.objective.differentiate(self)
        return self._g

    @property
    def gmax(self) -> float:
        """The largest modulus in the gradient, NaN if one is NaN."""
        if self._g is None:
            self.objective.differentiate(self)
        return self._gmax

    def set_gradient(self, g: Array, gmax: float, slope: float = math.nan) -> None:
        """Note the gradient and the scalars of it that are known."""
        self._g, self._gmax, self.slope = g, gmax, slope

    @property
    def finite(self) -> bool:
        """Whether f, and the gradient as far as it is known, are finite."""
        return math.isfinite(self.f) and (self._g is None or math.isfinite(self._gmax))


def at_floor(point: Point, gap: float | None = None) -> bool:
    """Tell whether a gradient, or a method's `gap`, is so small that rounding hides what is left to gain."""
    return (point.gmax if gap is None else gap) <= math.sqrt(point.objective.eps) * (1 + abs(point.f))


class Objective:
    """A function with its derivatives, on vectors.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``, a number; with ``jac=True`` the pair of the number and the gradient.
    x0 : tree of arrays, or numbers
        Where the run starts; it fixes structure, dtype, array library and device. Numbers, and lists of them, become
        a float64 array.
    jac : callable, True or None
        The gradient, a tree like `x0`; None takes forward differences, n more evaluations of `fun` each.
    hess, hessp : callable or None
        The Hessian as an (n, n) array, or its product with a vector, of an `x0` that is one array of one axis.
        None takes differences of the gradient.
    maxfun : int or None
        Evaluations of `fun` after which a run stops.

    Attributes
    ----------
    xp, dtype, n
        Array library, dtype and number of elements of vectors.
    x0 : array, shape (n,)
        The start as a vector.
    eps : float
        The distance from 1 to the next number of the dtype.
    nfev, njev, nhev : int
        Evaluations so far, of the value, the gradient and the Hessian (or its product).
    given : frozenset of str
        Which of "jac", "hess" and "hessp" the caller gave.
    box : pair of arrays, shape (n,), or None
        The least and the greatest x that is evaluated; see `confine`.
    remarks : list of str
        What the message of the result says beside how the run ended.
    vectorized : bool
        Whether `fun` is one of whole populations: of one point, too, it is asked as of an array of shape (1, n).
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        x0: Any,
        args: Sequence[Any] = (),
        jac: Callable[..., Any] | bool | None = None,
        hess: Callable[..., Any] | None = None,
        hessp: Callable[..., Any] | None = None,
        maxfun: int | None = None,
    ) -> None:
        if not callable(fun):
            raise OptionError(f"minimize: fun must be callable, got a {type(fun).__name__}")
        if not (jac is None or jac is True or callable(jac)):
            raise OptionError(f"minimize: jac must be a callable, True (fun returns both) or None, got {jac!r}")
        self._fun, self._args, self._jac, self._hess, self._hessp = fun, tuple(args), jac, hess, hessp
        self.maxfun = math.inf if maxfun is None else maxfun
        self.leaves, self.spec = trees.flatten(started(x0), "x0")
        self.xp = trees.common_namespace(x0=self.leaves)
        self._on_numpy = all(isinstance(x, np.ndarray) for x in self.leaves.values())
        trees.check_real(self.leaves, self.xp)
        kinds = {trees.dtype_name(x) for x in self.leaves.values()}
        if len(kinds) > 1:
            raise LeafError(f"x0: leaves have the dtypes {', '.join(sorted(kinds))}; cast them to one")
        first = next(iter(self.leaves.values()))
        self._alone = first if len(self.leaves) == 1 else None
        self.dtype, self.eps = first.dtype, float(self.xp.finfo(first.dtype).eps)
        self.x0 = self.vector(self.leaves)
        self.n = int(self.x0.shape[0])
        self.nfev = self.njev = self.nhev = 0
        named = {"jac": jac, "hess": hess, "hessp": hessp}
        self.given = frozenset(name for name, f in named.items() if f is not None)
        self._curvature: tuple[Point, Array] | None = None
        self.box: tuple[Array, Array] | None = None
        self.remarks: list[str] = []
        self.vectorized = False

    # Vectors and trees --------------------------------------------------------------------------

    def vector(self, leaves: dict[str, Array]) -> Array:
        """Lay leaves out as one vector."""
        parts = [self.xp.reshape(x, (-1,)) for x in leaves.values()]
        return parts[0] if len(parts) == 1 else self.xp.concat(parts)

    def tree(self, x: Array) -> Tree:
        """Return a vector in the structure of x0."""
        if self._alone is not None:
            if self._alone.ndim == 1 and "" in self.leaves:
                return x
            return trees.unflatten(self.spec, {"": self.xp.reshape(x, self._alone.shape)})
        parts, start = {}, 0
        for path, like in self.leaves.items():
            stop = start + math.prod(like.shape)
            parts[path] = self.xp.reshape(x[start:stop], like.shape)
            start = stop
        return trees.unflatten(self.spec, parts)

    def flat(self, tree: Tree) -> Array:
        """Return a tree like x0 as a vector."""
        return self.vector(trees.match(tree, "params", self.leaves, self.spec))

    def dot(self, a: Array, b: Array) -> float:
        """Return the inner product of two vectors, on the host."""
        return fetch(self.xp, a @ b)[0]

    def confine(self, lower: np.ndarray, upper: np.ndarray) -> None:
        """Evaluate within bounds only, whatever x is asked for; x0 moves into them.

        Parameters
        ----------
        lower, upper : array of float64 on the host, shape (n,)
            Rounded inwards to the dtype of x0.
        """
        self.box = self._inwards(lower, math.inf), self._inwards(upper, -math.inf)
        x0 = self.projected(self.x0)
        if np.any(to_numpy(x0 != self.x0)):
            self.remarks.append("x0 was outside the bounds and was moved to the nearest point within them.")
            self.x0 = x0

    def _inwards(self, side: np.ndarray, towards: float) -> Array:
        """Return one side of the box, rounded to the dtype of x0 towards the other side."""
        xp, where = self.xp, device(self.x0)
        rounded = xp.asarray(side, dtype=self.dtype, device=where)
        held = to_numpy(rounded).astype(np.float64)
        outside = xp.asarray(held < side if towards > 0 else held > side, device=where)
        return xp.where(outside, xp.nextafter(rounded, xp.full_like(rounded, towards)), rounded)

    def projected(self, x: Array) -> Array:
        """Return the nearest point to x within the box."""
        return differences.within(self.box, x)

    # Evaluation ---------------------------------------------------------------------------------

    def at(self, x: Array, d: Array = None) -> Point:
        """Evaluate at x: the value; and the gradient too if it comes along, or a slope along `d` is wanted.

        Raises
        ------
        Stop
            If the limit of evaluations is reached.
        """
        if self.box is not None:
            x = self.projected(x)
        f, g = self._value(x)
        if g is None and d is not None:
            g = self._gradient(x, f)
        point = Point(self, x, math.nan)
        if g is None:
            (point.f,) = fetch(self.xp, f)
            return point
        largest = self._largest(g)
        if d is None:
            point.f, gmax = fetch(self.xp, f, largest)
            point.set_gradient(g, gmax)
        else:
            point.f, gmax, slope = fetch(self.xp, f, largest, g @ d)
            point.set_gradient(g, gmax, slope)
        return point

    def population(self, x: Array, vectorized: bool, workers: Workers | None) -> Array:
        """Evaluate the values of a population, shape (n, d); see `arrayopt.core.population.values`.

        Raises
        ------
        Stop
            If there would be more evaluations than the limit allows.
        """
        count = int(x.shape[0])
        if self.nfev + count > self.maxfun:
            raise Stop(Status.MAXFUN)
        self.nfev += count
        if vectorized:
            return values(self._fun, x, *self._args)
        self.njev += count if self._jac is True else 0  # fun takes the gradient whether it is wanted or not
        return values(self._on_tree, x, workers=workers or map)

    def _on_tree(self, x: Array) -> Any:
        out = self._fun(self.tree(x), *self._args)
        return out[0] if self._jac is True else out

    def differentiate(self, point: Point) -> None:
        """Evaluate the gradient at a point that lacks it."""
        g = self._gradient(point.x, point.f)
        point.set_gradient(g, *fetch(self.xp, self._largest(g)))

    def _largest(self, g: Array) -> Array:
        """Return the largest modulus, as an array without axes."""
        if self.n == 0:
            return self.xp.sum(g)
        size = self.xp.abs(g)
        return np.maximum.reduce(size) if self._on_numpy else self.xp.max(size)  # twice as fast as np.max

    def hessian(self, point: Point) -> Array:
        """Return the Hessian at a point: from `hess`, from `hessp`, or by differences of the gradient, symmetric."""
        if self._hessp is None or self._hess is not None:
            self.nhev += 1
        if self._hess is not None:
            h = self.xp.asarray(self._hess(self.tree(point.x), *self._args), dtype=self.dtype)
            if tuple(h.shape) != (self.n, self.n):
                raise LeafError(f"hess: returned shape {tuple(h.shape)}, expected {(self.n, self.n)}")
            return h
        eye = self.xp.eye(self.n, dtype=self.dtype, device=device(self.x0))
        times = self._product_by_difference if self._hessp is None else self.hessian_product
        columns = self.xp.stack([times(point, eye[i, :]) for i in range(self.n)])
        return (columns + columns.T) / 2

    def hessian_product(self, point: Point, v: Array) -> Array:
        """Return the Hessian at a point times v, from `hessp`, `hess` or a difference of gradients."""
        self.nhev += 1
        if self._hessp is not None:
            out = self._hessp(self.tree(point.x), self.tree(v), *self._args)
            return self._checked(out, "hessp")
        if self._hess is not None:
            self.nhev -= 1
            if self._curvature is None or self._curvature[0] is not point:  # products at one point come in a row
                self._curvature = point, self.hessian(point)
            return self._curvature[1] @ v
        return self._product_by_difference(point, v)

    def _product_by_difference(self, point: Point, v: Array) -> Array:
        def gradient(x: Array) -> Array:
            return self._gradient(x, math.nan) if callable(self._jac) else self.at(x).g

        return differences.curvature(gradient, point.x, point.g, v, "jac" in self.given)

    def check_gradient(self) -> None:
        """Compare the gradient at x0 with central differences; see `arrayopt.core.differences.check_gradient`."""
        if "jac" in self.given:
            point = self.at(differences.inside(self.box, self.x0))
            differences.check_gradient(self._host_value, point.x, point.g, self.box)

    def _host_value(self, x: Array) -> float:
        return fetch(self.xp, self._value(x)[0])[0]

    def _value(self, x: Array) -> tuple[Array, Array | None]:
        if self.nfev >= self.maxfun:
            raise Stop(Status.MAXFUN)
        self.nfev += 1
        at = self.xp.reshape(x, (1, -1)) if self.vectorized else self.tree(x)
        out = self._fun(at, *self._args)
        if self._jac is not True:
            return self._number(out), None
        if not isinstance(out, tuple) or len(out) != 2:
            raise LeafError(f"fun: with jac=True expected a pair (value, gradient), got a {type(out).__name__}")
        self.njev += 1
        return self._number(out[0]), self._checked(out[1], "fun's gradient")

    def _number(self, f: Any) -> Array:
        if isinstance(f, (float, int, np.floating, np.integer)):
            return float(f)
        if is_array(f) and math.prod(f.shape) == 1:
            return f if f.shape == () else self.xp.reshape(f, ())
        shape = f"an array of shape {tuple(f.shape)}" if is_array(f) else f"a {type(f).__name__}"
        raise LeafError(f"fun: expected one number, got {shape}")

    def _gradient(self, x: Array, f: Any) -> Array:
        if callable(self._jac):
            self.njev += 1
            return self._checked(self._jac(self.tree(x), *self._args), "jac")
        if self._jac is True:
            raise AssertionError("fun returns both; `at` has them")
        remark = "Gradients are forward differences of fun, for there is no jac."
        if remark not in self.remarks:
            self.remarks.append(remark)
        return differences.forward_gradient(self._host_value, x, fetch(self.xp, f)[0], self.box)

    def _checked(self, g: Tree, what: str) -> Array:
        """Return a gradient as a vector of the dtype of x0."""
        if self._alone is not None and is_array(g) and g.shape == self._alone.shape:
            g = g if g.dtype == self.dtype else self.xp.astype(g, self.dtype)
            return self.xp.reshape(g, (-1,))
        if self._alone is not None and "" in self.leaves and _is_numbers(g):
            g = self.xp.asarray(g, dtype=self.dtype, device=device(self._alone))
        if self._on_numpy:  # whose operators turn arrays without axes into scalars
            g = optree.tree_map(lambda x: np.asarray(x) if isinstance(x, np.generic) else x, g)
        leaves, _ = trees.flatten(g, what)
        if leaves.keys() != self.leaves.keys():
            raise LeafError(f"{what}: expected a tree like x0, with the leaves {', '.join(map(repr, self.leaves))}")
        for path, x in leaves.items():
            if tuple(x.shape) != tuple(self.leaves[path].shape):
                shapes = f"{tuple(x.shape)}, expected {tuple(self.leaves[path].shape)} like x0"
                raise LeafError(f"{what}: {trees.label(path)} has shape {shapes}")
        return self.xp.astype(self.vector(leaves), self.dtype)


def started(x0: Any) -> Tree:
    """Return x0 with numbers, and lists of numbers, as a float64 array."""
    if is_array(x0):
        return x0 if x0.ndim == 0 or "int" not in str(x0.dtype) else namespace(x0).astype(x0, namespace(x0).float64)
    return np.atleast_1d(np.asarray(x0, dtype=np.float64)) if _is_numbers(x0) else x0


def _is_numbers(x: Any) -> bool:
    """Tell whether x is a number, or a sequence of numbers."""
    if isinstance(x, (list, tuple)):
        return bool(x) and all(isinstance(a, (float, int, np.generic)) for a in x)
    return isinstance(x, (float, int, np.generic))
