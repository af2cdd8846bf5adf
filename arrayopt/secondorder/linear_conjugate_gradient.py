"""Conjugate gradients for linear systems, with a preconditioner, on arrays of any library and on exact numbers."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from arrayopt.backend import Array, fetch, is_array, namespace
from arrayopt.core.method import Status
from arrayopt.core.options import check_count
from arrayopt.errors import LeafError, OptionError

Operator = Array | Callable[[Array], Array]

REPLACE = 50
"""Iterations after which the residual of the recurrence, which drifts, is replaced by b - Ax."""


NEAR = 100
"""Squared ratio of the residual to that drift below which rounding errors shape it, and directions start anew."""


@dataclass(frozen=True, kw_only=True)
class LinearResult:
    """What `linear_cg` found.

    Attributes
    ----------
    x : array, shape (n,)
    status : Status
        CONVERGED; MAXITER; PRECISION_FLOOR when rounding errors keep b - Ax above the tolerances; NEGATIVE_CURVATURE
        when A or M is not positive definite; NOT_FINITE.
    iterations : int
    products : int
        Of A with a vector.
    residual : array, shape (n,)
        b - Ax, computed from x.
    direction : array, shape (n,), or None
        Where A, or M, was seen not to be positive definite.
    """

    x: Array
    status: Status
    iterations: int
    products: int
    residual: Array
    direction: Array | None = None

    @property
    def success(self) -> bool:
        """Whether the tolerances are met."""
        return self.status is Status.CONVERGED


class Iterate(NamedTuple):
    """Where linear conjugate gradients are.

    Attributes
    ----------
    x, r : array, shape (n,)
        The iterate and its residual.
    rr : float or exact number
        r'r, on the host.
    drift : float or exact number
        The squared distance of b - Ax from the residual of the recurrence that it replaced; 0 where it did not.
    """

    x: Array
    r: Array
    rr: Any
    drift: Any = 0


class NotPositiveDefiniteError(Exception):
    """Raised where p'Ap <= 0, or r'Mr <= 0 for r other than 0; carries p."""

    def __init__(self, p: Array) -> None:
        super().__init__(Status.NEGATIVE_CURVATURE.sentence)
        self.p = p


def conjugate_gradients(
    A: Operator, b: Array, x: Array, M: Operator | None = None, replace: int = 0
) -> Iterator[Iterate]:
    r"""Yield the iterates of conjugate gradients on A x = b, from the start x on, until the residual is zero.

    .. math::
        a = \frac{r^\top z}{p^\top A p}, \qquad x_+ = x + a p, \qquad r_+ = r - a A p, \qquad z_+ = M r_+, \qquad
        p_+ = z_+ + \frac{r_+^\top z_+}{r^\top z} p

    Only +, -, * and / are used, so that object arrays of `fractions.Fraction` are exact.

    Parameters
    ----------
    A : array, shape (n, n), or callable
        Symmetric and positive definite; a callable returns A v.
    b, x : array, shape (n,)
    M : array, shape (n, n), or callable, optional
        The preconditioner, close to the inverse of A; symmetric and positive definite.
    replace : int
        Iterations after which the residual of the recurrence is replaced by b - Ax; 0 is never.

    Raises
    ------
    NotPositiveDefiniteError
        When A or M is seen not to be positive definite.

    References
    ----------
    Hestenes and Stiefel, Methods of conjugate gradients for solving linear systems, 1952.
    """
    times, better = product_with(A), None if M is None else product_with(M)
    r = b - times(x)
    z = r if better is None else better(r)
    (rr, rz), p, k = _inner(b, (r, r), (r, z)), z, 0
    yield Iterate(x, r, rr)
    while rr != 0:
        if rz <= 0:
            raise NotPositiveDefiniteError(z)
        q = times(p)
        (curvature,) = _inner(b, (p, q))
        if curvature <= 0:
            raise NotPositiveDefiniteError(p)
        k += 1
        a = rz / curvature
        x = x + a * p
        r, apart = r - a * q, None
        if replace and k % replace == 0:
            true = b - times(x)
            r, apart = true, true - r
        z = r if better is None else better(r)
        before = rz
        rr, rz, *drift = _inner(b, (r, r), (r, z), *(((apart, apart),) if apart is not None else ()))
        yield Iterate(x, r, rr, *drift)
        p = z + (rz / before) * p


def linear_cg(
    A: Operator, b: Array, x0: Array | None = None, M: Operator | None = None,
    rtol: float = 1e-5, atol: float = 0.0, maxiter: int | None = None,
) -> LinearResult:  # fmt: skip
    r"""Solve A x = b by conjugate gradients.

    It ends when :math:`\|b - Ax\| \le \max(\text{rtol} \|b\|, \text{atol})`, for the residual that is computed from x.
    The residual of the recurrence is replaced by that one every 50 iterations, and whenever it says that the end is
    reached; the directions start anew when the two then disagree.

    Parameters
    ----------
    A : array, shape (n, n), or callable
        Symmetric and positive definite; a callable returns A v.
    b : array, shape (n,)
        Of any array library and floating dtype, which are kept; or an object array of exact numbers, such as
        `fractions.Fraction`, for which A and M are such arrays too.
    x0 : array, shape (n,), optional
        Where to start; 0.
    M : array, shape (n, n), or callable, optional
        The preconditioner, close to the inverse of A; symmetric and positive definite.
    rtol, atol : float
        >= 0.
    maxiter : int, optional
        10 n.

    Returns
    -------
    LinearResult

    Raises
    ------
    OptionError
        If a tolerance is negative or `maxiter` no count.
    LeafError
        If shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from fractions import Fraction
    >>> A = np.array([[Fraction(4), Fraction(1)], [Fraction(1), Fraction(3)]])
    >>> result = linear_cg(A, np.array([Fraction(1), Fraction(2)]), rtol=0)
    >>> result.x, result.iterations
    (array([Fraction(1, 11), Fraction(7, 11)], dtype=object), 2)
    """
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if isinstance(tolerance, bool) or not 0 <= tolerance < math.inf:
            raise OptionError(f"linear_cg: {name} must be a finite number >= 0, got {tolerance!r}")
    if not is_array(b) or b.ndim != 1:
        raise LeafError(f"linear_cg: b must be an array of one axis, got {_described(b)}")
    if not (_exact(b) or namespace(b).isdtype(b.dtype, "real floating")):
        raise LeafError(f"linear_cg: b must hold real floating numbers, or exact ones as objects, got {b.dtype}")
    n = int(b.shape[0])
    for name, matrix in (("A", A), ("M", M)):
        if not (matrix is None or callable(matrix) or (is_array(matrix) and tuple(matrix.shape) == (n, n))):
            raise LeafError(f"linear_cg: {name} must be a callable or of shape {(n, n)}, got {_described(matrix)}")
    x = x0 if x0 is not None else b - b if _exact(b) else namespace(b).zeros_like(b)
    if not (is_array(x) and tuple(x.shape) == (n,) and x.dtype == b.dtype):
        raise LeafError(f"linear_cg: x0 must be of shape {(n,)} and {b.dtype} like b, got {_described(x)}")
    most = 10 * n if maxiter is None else maxiter
    check_count("linear_cg", "maxiter", most, 0)
    return _Solving(A, b, M, rtol, atol, most).result(x)


class _Solving:
    """A system that is being solved."""

    def __init__(self, A: Operator, b: Array, M: Operator | None, rtol: float, atol: float, most: int) -> None:
        self.b, self.M, self.most = b, M, most
        self._product = product_with(A)
        (bb,) = _inner(b, (b, b))
        self.bound = max(rtol * rtol * bb, atol * atol)
        # A recurrence goes on to fall when b - Ax, whose rounding errors are above eps ||b||, does not.
        self.fallen = max(self.bound, (_eps(b) / 8) ** 2 * bb)
        self.iterations = self.products = 0

    def times(self, v: Array) -> Array:
        """Multiply by A, and count."""
        self.products += 1
        return self._product(v)

    def result(self, x: Array) -> LinearResult:
        """Run rounds, each from a residual computed from x, until that is small, or no round makes it smaller."""
        before: Any = math.inf
        while True:
            iterates, fresh = conjugate_gradients(self.times, self.b, x, self.M, REPLACE), True
            try:
                for at in iterates:
                    x, r, rr = at.x, at.r, at.rr
                    if rr - rr != 0:
                        return self._found(x, Status.NOT_FINITE, r)
                    if fresh:
                        fresh = False
                        if rr <= self.bound:
                            return self._found(x, Status.CONVERGED, r)
                        if self.iterations >= self.most:
                            return self._found(x, Status.MAXITER, r)
                        if not rr < before / 4:
                            return self._found(x, Status.PRECISION_FLOOR, r)
                        before = rr
                        continue
                    self.iterations += 1
                    if rr <= max(self.fallen, NEAR * at.drift) or self.iterations >= self.most:
                        break  # the next round looks at b - Ax
            except NotPositiveDefiniteError as found:
                return self._found(x, Status.NEGATIVE_CURVATURE, self.b - self.times(x), found.p)

    def _found(self, x: Array, status: Status, r: Array, p: Array | None = None) -> LinearResult:
        return LinearResult(
            x=x, status=status, iterations=self.iterations, products=self.products, residual=r, direction=p
        )


def product_with(matrix: Operator) -> Callable[[Array], Array]:
    """Return what multiplies by a matrix, given as an array or a callable."""
    return matrix if callable(matrix) else lambda v: matrix @ v


def _inner(like: Array, *pairs: tuple[Array, Array]) -> list[Any]:
    """Return inner products on the host, in one transfer; exact numbers as they are."""
    products = [u @ v for u, v in pairs]
    return products if _exact(like) else list(fetch(namespace(like), *products))


def _exact(b: Array) -> bool:
    return str(b.dtype) == "object"


def _eps(b: Array) -> float:
    return 0.0 if _exact(b) else float(namespace(b).finfo(b.dtype).eps)


def _described(given: Any) -> str:
    return (
        f"an array of shape {tuple(given.shape)} and {given.dtype}" if is_array(given) else f"a {type(given).__name__}"
    )
