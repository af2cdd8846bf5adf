"""LAMB by hand: arXiv 1904.00962, algorithm 2, in 50-digit arithmetic.

``python -m tests.firstorder.hand.lamb`` prints the literals of test_lamb.py.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

LR, BETA1, BETA2, EPS, DECAY = map(mpf, ("0.1", "0.6", "0.8", "0.05", "0.25"))


def norm(x: list[mpf]) -> mpf:
    return sqrt(sum(xi**2 for xi in x))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, m, v, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, []
    for t, g in enumerate(GRADIENTS, 1):
        m = [BETA1 * mi + (1 - BETA1) * gi for mi, gi in zip(m, g, strict=True)]
        v = [BETA2 * vi + (1 - BETA2) * gi**2 for vi, gi in zip(v, g, strict=True)]
        r = [a / (1 - BETA1**t) / (sqrt(b / (1 - BETA2**t)) + EPS) for a, b in zip(m, v, strict=True)]
        u = [a + DECAY * x for a, x in zip(r, theta, strict=True)]
        rate = LR * norm(theta) / norm(u)
        theta = [x - rate * a for x, a in zip(theta, u, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
