"""Lion by hand: arXiv 2302.06675, algorithm 2, in 50-digit arithmetic.

``python -m tests.firstorder.hand.lion`` prints the literals of test_lion.py.
"""

from mpmath import mpf, sign

from tests.firstorder.hand import GRADIENTS, P0, show

LR, BETA1, BETA2, DECAY = map(mpf, ("0.1", "0.6", "0.8", "0.5"))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, m, path = list(P0), [mpf(0)] * 3, []
    for g in GRADIENTS:
        c = [BETA1 * mi + (1 - BETA1) * gi for mi, gi in zip(m, g, strict=True)]
        theta = [x - LR * (sign(ci) + DECAY * x) for x, ci in zip(theta, c, strict=True)]
        m = [BETA2 * mi + (1 - BETA2) * gi for mi, gi in zip(m, g, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
