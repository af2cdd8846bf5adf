"""Signum by hand: arXiv 1802.04434, algorithm 2, in 50-digit arithmetic.

``python -m tests.firstorder.hand.signum`` prints the literals of test_signum.py.
"""

from mpmath import mpf, sign

from tests.firstorder.hand import GRADIENTS, P0, show

LR, MU = map(mpf, ("0.1", "0.6"))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, m, path = list(P0), [mpf(0)] * 3, []
    for g in GRADIENTS:
        m = [MU * mi + (1 - MU) * gi for mi, gi in zip(m, g, strict=True)]
        theta = [x - LR * sign(mi) for x, mi in zip(theta, m, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
