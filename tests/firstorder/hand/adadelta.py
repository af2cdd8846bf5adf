"""Adadelta by hand: arXiv 1212.5701, algorithm 1, in 50-digit arithmetic.

``python -m tests.firstorder.hand.adadelta`` prints the literals of test_adadelta.py.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

RHO, EPS = map(mpf, ("0.8", "0.05"))


def rms(mean_square: mpf) -> mpf:
    """Return the paper's RMS[x]."""
    return sqrt(mean_square + EPS)


def two_steps() -> list[list[mpf]]:
    """Return x_1 and x_2; the paper has no learning rate."""
    x, g2, dx2, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, []
    for g in GRADIENTS:
        g2 = [RHO * a + (1 - RHO) * gi**2 for a, gi in zip(g2, g, strict=True)]
        dx = [-rms(b) / rms(a) * gi for a, b, gi in zip(g2, dx2, g, strict=True)]
        dx2 = [RHO * b + (1 - RHO) * d**2 for b, d in zip(dx2, dx, strict=True)]
        x = [xi + d for xi, d in zip(x, dx, strict=True)]
        path.append(x)
    return path


if __name__ == "__main__":
    show(two_steps())
