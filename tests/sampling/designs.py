"""Finite sets of directions with equal weights, over which sums are expectations, exactly."""

import itertools

import numpy as np


def gaussian_design(d):
    """6^d directions with the moments of a standard normal up to degree 5: the Gauss-Hermite rule, nodes repeated."""
    return _product([-np.sqrt(3), 0, 0, 0, 0, np.sqrt(3)], d)


def rademacher_design(d):
    """All 2^d of them: the distribution itself."""
    return _product([-1.0, 1.0], d)


def skewed_design(d):
    """Mean 0 and variance 1, but a third moment of 1.5."""
    return _product([2.0, -0.5, -0.5, -0.5, -0.5], d)


def sphere_design(d):
    """The moments of the sphere of radius sqrt(d) up to degree 5: a regular hexagon, an icosahedron."""
    if d == 2:
        angle = np.arange(6) * np.pi / 3 + 0.1
        return np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    golden = (1 + np.sqrt(5)) / 2
    corners = [np.roll([0, a, b * golden], k) for k in range(3) for a in (-1, 1) for b in (-1, 1)]
    return np.array(corners) * np.sqrt(3 / (1 + golden**2))


def samples(design, n):
    """Every sample of n directions: shape (m^n, n, d)."""
    m = len(design)
    return design[np.array(list(itertools.product(range(m), repeat=n)))]


def _product(values, d):
    return np.array(list(itertools.product(values, repeat=d)))
