"""SignSGD by hand: arXiv 1802.04434, algorithm 1, in 50-digit arithmetic.

``python -m tests.firstorder.hand.signsgd`` prints the literals of test_signsgd.py.
"""

from mpmath import mpf, sign

from tests.firstorder.hand import GRADIENTS, P0, show

LR = mpf("0.1")


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, path = list(P0), []
    for g in GRADIENTS:
        theta = [x - LR * sign(gi) for x, gi in zip(theta, g, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
