"""Quadratics over the rationals: arrays of Fraction, on which updates and conjugate gradients are exact."""

from fractions import Fraction

import numpy as np


def fractions(values):
    """Return an object array of Fractions."""
    values = np.asarray(values, dtype=object)
    return np.vectorize(Fraction, otypes=[object])(values)


def identity(n):
    return fractions(np.eye(n, dtype=int).tolist())


def inverse(A):
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
    return rows[:, n:]


def gradients_of_cg(A, b):
    """Return the iterates of conjugate gradients from 0, by the textbook, until the residual is 0."""
    x, r = 0 * b, b
    p, iterates = r, []
    while r @ r != 0:
        Ap = A @ p
        a = (r @ r) / (p @ Ap)
        x = x + a * p
        r, before = r - a * Ap, r
        p = r + (r @ r) / (before @ before) * p
        iterates.append(x)
    return iterates
