"""Quasi-Newton methods with a dense model of the inverse Hessian: BFGS, DFP, the Broyden class and SR1 in one text."""

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from arrayopt.backend import Array, fetch, namespace
from arrayopt.core.method import Method, Stop
from arrayopt.core.objective import Objective, Point
from arrayopt.core.options import Tolerance
from arrayopt.errors import OptionError
from arrayopt.secondorder.automatic import AUTOMATIC, no_step, search_or_automatic, steepest
from arrayopt.secondorder.dense import Inverse, given_matrix, identity, inverse_from
from arrayopt.secondorder.line_search import LineSearch
from arrayopt.secondorder.updates import bfgs_inverse, broyden_inverse, dfp_inverse, sr1_inverse

STARTS = ("large", "scaled", "identity")
LARGE = 100.0
GUESS = 2.02
"""SciPy's 1.01 times the factor 2 of the step to the minimum of a parabola that repeats the last decrease."""


@dataclass(frozen=True, kw_only=True)
class QuasiNewton(Method):
    r"""A quasi-Newton method with a dense model H of the inverse Hessian.

    .. math:: d_k = -H_k g_k, \qquad x_{k+1} = x_k + a_k d_k, \qquad H_{k+1} = U(H_k, \; s_k = x_{k+1} - x_k, \;
              y_k = g_{k+1} - g_k)

    A pair is taken up if :math:`s'y > \epsilon \, \|s\| \|y\|`, with the eps of the dtype. When no step is found along
    d, H is dropped and the search goes along -g; when that fails too, the run ends.

    Parameters
    ----------
    line_search : LineSearch or str
        A rule, the name of one in `SEARCHES`, or "auto" (`LineSearches`). The first trial is :math:`1/\|g\|` along -g;
        later the step that would repeat the last decrease if f were quadratic, but at most 1.
    h0 : str or array, shape (n, n)
        :math:`H_0`: "large" is :math:`100 \, (s'y / y'y) I` of the first pair, "scaled" :math:`(s'y / y'y) I`,
        "identity" I, which depends on the scale of f; else a symmetric positive definite matrix.

    Notes
    -----
    An H_0 that is too large is mended by each update along y, and the first trial keeps its steps short; one that is
    too small makes steps too short in all directions that no pair has seen. In evaluations "large" is about as good as
    SciPy's I on functions whose scale suits I, and "scaled" takes more.
    """

    line_search: LineSearch | str = AUTOMATIC
    h0: Any = "large"

    @property
    def member(self) -> float | None:
        """Which phi of the Broyden class the update is; None is SR1."""
        return None

    def __post_init__(self) -> None:
        """Check the start."""
        super().__post_init__()
        if isinstance(self.h0, str) and self.h0 not in STARTS:
            raise OptionError(f"{type(self).__name__}: h0 must be {', '.join(STARTS)} or a matrix, got {self.h0!r}")

    @abstractmethod
    def update(self, H: Array, s: Array, y: Array) -> Array:
        """Return the inverse Hessian updated by a pair: the definition, for arrays of any library."""

    def accepts(self, H: Inverse, s: Array, y: Array, sy: float, size: float, eps: float) -> bool:
        """Tell whether a pair may be taken up; `size` is the product of its lengths."""
        return sy > eps * size

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Search along -H g, and update H."""
        search, point = search_or_automatic(self.line_search, objective), start
        H = None if isinstance(self.h0, str) else self._model(given_matrix(objective, self.h0))
        fell = 0.0
        while True:
            g = point.g
            if H is None:
                d, slope, first = steepest(objective, g)
            else:
                d = -H.times(g)
                slope = objective.dot(g, d)
                first = min(1.0, GUESS * fell / -slope) if fell > 0.0 and slope < 0.0 else 1.0
            new = None
            if slope < 0.0:
                try:
                    new = search(point, d, slope, first)
                except Stop as stop:
                    if H is None or not no_step(stop):
                        raise
            if new is None:
                H = None
                continue
            yield new
            s, y = new.x - point.x, new.g - g
            sy, ss, yy = fetch(objective.xp, s @ y, s @ s, y @ y)
            size = math.sqrt(ss) * math.sqrt(yy)
            if H is None and sy > objective.eps * size:
                H = self._model(identity(objective, self._size(sy / yy)))
            if H is not None and self.accepts(H, s, y, sy, size, objective.eps):
                H.take(s, y)
            fell, point = point.f - new.f, new

    def _size(self, shortest: float) -> float:
        """Return the multiple of I to start from; `shortest` is s'y / y'y."""
        if isinstance(self.h0, str):
            return {"large": LARGE * shortest, "scaled": shortest, "identity": 1.0}[self.h0]
        return shortest

    def _model(self, H: Array) -> Inverse:
        return inverse_from(H, self.update, self.member)


@final
@dataclass(frozen=True, kw_only=True)
class BFGS(QuasiNewton):
    r"""The method of Broyden, Fletcher, Goldfarb and Shanno: `QuasiNewton` with `bfgs_inverse`.

    .. math:: H_+ = (I - \rho s y') H (I - \rho y s') + \rho s s', \qquad \rho = 1 / s'y

    Notes
    -----
    Of all symmetric H_+ that satisfy the secant equation, the nearest to H in a weighted Frobenius norm. It converges
    superlinearly to a minimiser where the Hessian is positive definite and Lipschitz continuous. With exact steps on a
    quadratic its iterates are those of conjugate gradients, and after n steps H is the inverse of the Hessian.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, section 6.1.
    """

    @property
    def member(self) -> float:
        """The phi of BFGS."""
        return 1.0

    def update(self, H: Array, s: Array, y: Array) -> Array:
        """Return `bfgs_inverse`."""
        return bfgs_inverse(H, s, y)


@final
@dataclass(frozen=True, kw_only=True)
class DFP(QuasiNewton):
    r"""The method of Davidon, Fletcher and Powell: `QuasiNewton` with `dfp_inverse`.

    .. math:: H_+ = H - \frac{H y y' H}{y' H y} + \frac{s s'}{s'y}

    Notes
    -----
    The dual of BFGS, which recovers faster from a bad H.

    References
    ----------
    Fletcher and Powell, A rapidly convergent descent method for minimization, 1963.
    """

    @property
    def member(self) -> float:
        """The phi of DFP."""
        return 0.0

    def update(self, H: Array, s: Array, y: Array) -> Array:
        """Return `dfp_inverse`."""
        return dfp_inverse(H, s, y)


@final
@dataclass(frozen=True, kw_only=True)
class Broyden(QuasiNewton):
    r"""A member of the Broyden class: `QuasiNewton` with `broyden_inverse`.

    .. math:: H_+ = (1 - \phi) H_+^{DFP} + \phi H_+^{BFGS}

    Parameters
    ----------
    phi : float
        In [0, inf): 0 is DFP, 1 is BFGS. With exact steps all members have the same iterates (Dixon).

    References
    ----------
    Dixon, Variable metric algorithms: necessary and sufficient conditions for identical behavior of nonquadratic
    functions, 1972.
    """

    phi: Tolerance = 0.5

    @property
    def member(self) -> float:
        """The phi given."""
        return self.phi

    def update(self, H: Array, s: Array, y: Array) -> Array:
        """Return `broyden_inverse`."""
        return broyden_inverse(H, s, y, self.phi)


@final
@dataclass(frozen=True, kw_only=True)
class SR1(QuasiNewton):
    r"""The symmetric update of rank one: `QuasiNewton` with `sr1_inverse`.

    .. math:: H_+ = H + \frac{r r'}{r'y}, \qquad r = s - H y

    A pair is taken up if :math:`|r'y| \ge 10^{-8} \|r\| \|y\|`, whatever its curvature. H may become indefinite; where
    -H g does not descend, H is dropped. Unless `h0` is given it is "scaled", of which SR1 makes more than of "large".

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, section 6.2.
    """

    h0: Any = "scaled"

    def update(self, H: Array, s: Array, y: Array) -> Array:
        """Return `sr1_inverse`."""
        return sr1_inverse(H, s, y)

    def accepts(self, H: Inverse, s: Array, y: Array, sy: float, size: float, eps: float) -> bool:
        """Tell whether the denominator is away from zero."""
        r = s - H.times(y)
        ry, rr, yy = fetch(namespace(s), r @ y, r @ r, y @ y)
        return abs(ry) >= 1e-8 * math.sqrt(rr) * math.sqrt(yy) > 0.0
