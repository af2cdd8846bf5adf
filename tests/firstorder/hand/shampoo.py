"""Shampoo by hand: arXiv 1802.09568, algorithm 1, on a 2 x 2 matrix in 50-digit arithmetic.

``python -m tests.firstorder.hand.shampoo`` prints the literals of test_shampoo.py, row by row.
"""

from mpmath import inverse, matrix, mp, mpf, sqrt

from tests.firstorder.hand import show
from tests.firstorder.hand.muon import SQUARE, SQUARE_GRADIENTS

LR, EPS = map(mpf, ("0.1", "0.05"))


def root(a: matrix) -> matrix:
    """Return the square root of a positive definite 2 x 2 matrix, after Cayley and Hamilton."""
    s = sqrt(a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0])
    return (a + s * mp.eye(2)) / sqrt(a[0, 0] + a[1, 1] + 2 * s)


def two_steps() -> list[list[mpf]]:
    """Return W_1 and W_2."""
    w, left, right, path = matrix(SQUARE), EPS * mp.eye(2), EPS * mp.eye(2), []
    for g in map(matrix, SQUARE_GRADIENTS):
        left, right = left + g * g.T, right + g.T * g
        w = w - LR * inverse(root(root(left))) * g * inverse(root(root(right)))
        path.append(list(w))
    return path


if __name__ == "__main__":
    show(two_steps())
