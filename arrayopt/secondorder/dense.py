"""A dense model of the inverse Hessian: the updates as they are written, and in place on one triangle with BLAS."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array
from arrayopt.core.objective import Objective
from arrayopt.errors import OptionError
from arrayopt.secondorder.updates import coefficients

Update = Callable[[Array, Array, Array], Array]


class Inverse(Protocol):
    """A symmetric matrix H that is multiplied by vectors and updated by pairs."""

    def times(self, v: Array) -> Array:
        """Return H v."""

    def take(self, s: Array, y: Array) -> None:
        """Update H by a pair."""


class Whole:
    """H as an array of any library, updated by a pure function.

    Parameters
    ----------
    H : array, shape (n, n)
    update : callable
        From H, s and y to the next H.
    """

    def __init__(self, H: Array, update: Update) -> None:
        self.H, self._update = H, update

    def times(self, v: Array) -> Array:
        """Return H v."""
        return self.H @ v

    def take(self, s: Array, y: Array) -> None:
        """Update H by a pair."""
        self.H = self._update(self.H, s, y)


class Triangle:
    """The lower triangle of H in NumPy, float32 or float64, updated in place: half the memory traffic, no temporaries.

    Parameters
    ----------
    H : array, shape (n, n)
        Copied.
    member : number or None
        phi of the Broyden class; None is SR1.
    """

    def __init__(self, H: np.ndarray, member: Any) -> None:
        from scipy.linalg.blas import get_blas_funcs

        self.H, self._member = np.array(H, order="F"), member
        self._symv, self._syr, self._syr2 = get_blas_funcs(("symv", "syr", "syr2"), (self.H,))

    def times(self, v: np.ndarray) -> np.ndarray:
        """Return H v."""
        product: np.ndarray = self._symv(1.0, self.H, v, lower=1)
        return product

    def take(self, s: np.ndarray, y: np.ndarray) -> None:
        """Update H by a pair: by a matrix of rank two, and one of rank one if BFGS it is not; or SR1's, of rank one."""
        Hy = self.times(y)
        if self._member is None:
            r = s - Hy
            self.H = self._syr(1.0 / float(r @ y), r, lower=1, a=self.H, overwrite_a=1)
            return
        a, b, c = coefficients(self._member, float(s @ y), float(y @ Hy))
        self.H = self._syr2(1.0, s, (a / 2) * s + b * Hy, lower=1, a=self.H, overwrite_a=1)
        if c:
            self.H = self._syr(c, Hy, lower=1, a=self.H, overwrite_a=1)


def inverse_from(H: Array, update: Update, member: Any) -> Inverse:
    """Return a model that starts at H, in the fastest form that there is for its library and dtype."""
    if isinstance(H, np.ndarray) and H.dtype in (np.float32, np.float64):
        return Triangle(H, member)
    return Whole(H, update)


def identity(objective: Objective, size: float) -> Array:
    """Return size times I, in the library, dtype and device of an objective's vectors."""
    return size * objective.xp.eye(objective.n, dtype=objective.dtype, device=device(objective.x0))


def given_matrix(objective: Objective, H: Any) -> Array:
    """Return a matrix in the library, dtype and device of an objective's vectors.

    Raises
    ------
    OptionError
        If it does not have n rows and n columns.
    """
    H = objective.xp.asarray(H, dtype=objective.dtype, device=device(objective.x0))
    if tuple(H.shape) != (objective.n, objective.n):
        raise OptionError(f"h0: expected the shape {(objective.n, objective.n)}, got {tuple(H.shape)}")
    return H
