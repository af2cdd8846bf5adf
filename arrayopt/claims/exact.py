"""Matrices of fractions, in which nothing is ever rounded."""

from fractions import Fraction
from typing import Any

import numpy as np


def identity(n: int) -> np.ndarray:
    """Return the identity of Fractions."""
    return exactly(np.eye(n, dtype=int))


def exactly(values: Any) -> np.ndarray:
    """Return integers as Fractions."""
    values = np.asarray(values, dtype=object)
    found = np.empty(values.shape, dtype=object)
    for at, value in np.ndenumerate(values):
        found[at] = Fraction(value)
    return found


def gram(M: np.ndarray) -> np.ndarray:
    """Return M'M + I, positive definite, exactly."""
    return np.asarray(M.T @ M + identity(len(M)))


def inverse(A: np.ndarray) -> np.ndarray:
    """Return the inverse by Gauss and Jordan, exactly."""
    n = len(A)
    rows = np.concatenate([A, identity(n)], axis=1)
    for i in range(n):
        pivot = next(j for j in range(i, n) if rows[j, i] != 0)
        rows[[i, pivot]] = rows[[pivot, i]]
        rows[i] = rows[i] / rows[i, i]
        for j in range(n):
            if j != i:
                rows[j] = rows[j] - rows[j, i] * rows[i]
    return np.asarray(rows[:, n:])


def determinant(A: np.ndarray) -> Any:
    """Return the determinant of a positive definite matrix by elimination, exactly."""
    A, product = A.copy(), Fraction(1)
    for i in range(len(A)):
        product *= A[i, i]
        for j in range(i + 1, len(A)):
            A[j] = A[j] - A[j, i] / A[i, i] * A[i]
    return product
