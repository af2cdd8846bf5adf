"""Momentum by hand: Sutskever and others 2013, equations 1 and 2, in 50-digit arithmetic.

``python -m tests.firstorder.hand.momentum`` prints the literals of test_momentum.py.
"""

from mpmath import mpf

from tests.firstorder.hand import GRADIENTS, P0, show

LR, MU = map(mpf, ("0.1", "0.6"))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2; the velocity points downhill and holds the rate, as in the paper."""
    theta, v, path = list(P0), [mpf(0)] * 3, []
    for g in GRADIENTS:
        v = [MU * vi - LR * gi for vi, gi in zip(v, g, strict=True)]
        theta = [x + vi for x, vi in zip(theta, v, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
