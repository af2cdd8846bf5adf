"""Finite sets of directions with equal weights, over which sums are expectations, exactly; and rules with weights."""

import functools
import itertools
from collections.abc import Sequence

import numpy as np


def gaussian_design(d: int) -> np.ndarray:
    """6^d directions with the moments of a standard normal up to degree 5: the Gauss-Hermite rule, nodes repeated."""
    return _product([-np.sqrt(3), 0, 0, 0, 0, np.sqrt(3)], d)


def rademacher_design(d: int) -> np.ndarray:
    """All 2^d of them: the distribution itself."""
    return _product([-1.0, 1.0], d)


def skewed_design(d: int) -> np.ndarray:
    """Mean 0 and variance 1, but a third moment of 1.5, and a fourth of 3.25."""
    return _product([2.0, -0.5, -0.5, -0.5, -0.5], d)


def sphere_design(d: int) -> np.ndarray:
    """The moments of the sphere of radius sqrt(d) up to degree 5: a regular hexagon, an icosahedron."""
    if d == 2:
        angle = np.arange(6) * np.pi / 3 + 0.1
        return np.asarray(np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    golden = (1 + np.sqrt(5)) / 2
    corners = [np.roll([0, a, b * golden], k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
    return np.asarray(np.array(corners) * np.sqrt(3 / (1 + golden**2)))


DESIGNS = {
    "gaussian": gaussian_design,
    "rademacher": rademacher_design,
    "sphere": sphere_design,
    "skewed": skewed_design,
}


def samples(design: np.ndarray, n: int) -> np.ndarray:
    """Every sample of n directions: shape (m^n, n, d)."""
    return np.asarray(design[every(len(design), n)])


@functools.cache
def every(m: int, n: int) -> np.ndarray:
    """Every sample of n from m, by number: shape (m^n, n)."""
    return np.array(list(itertools.product(range(m), repeat=n)))


@functools.cache
def normal_rule(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n^d directions and weights with sum 1, exact for a standard normal and polynomials up to degree 2n - 1."""
    x, w = np.polynomial.hermite_e.hermegauss(n)
    weights = np.prod(_product(list(w / w.sum()), d), axis=1)
    return _product(list(x), d), weights


def _product(values: Sequence[float], d: int) -> np.ndarray:
    return np.array(list(itertools.product(values, repeat=d)))
