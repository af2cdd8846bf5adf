"""Adagrad by hand: Duchi, Hazan, Singer 2011, figure 1 (diagonal), in 50-digit arithmetic.

``python -m tests.firstorder.hand.adagrad`` prints the literals of test_adagrad.py.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

LR, EPS = map(mpf, ("0.1", "0.05"))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, path = list(P0), []
    for t in range(1, len(GRADIENTS) + 1):
        norms = [sqrt(sum(g[i] ** 2 for g in GRADIENTS[:t])) for i in range(3)]
        theta = [x - LR * g / (EPS + n) for x, g, n in zip(theta, GRADIENTS[t - 1], norms, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
