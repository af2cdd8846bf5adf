"""RMSProp by hand: Hinton, lecture 6e, with the usual epsilon, in 50-digit arithmetic.

``python -m tests.firstorder.hand.rmsprop`` prints the literals of test_rmsprop.py: the plain rule, and
the centered one with momentum of arXiv 1308.0850, equations 38 to 41.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

LR, RHO, EPS, MOMENTUM = map(mpf, ("0.1", "0.8", "0.05", "0.6"))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2 of the plain rule."""
    theta, mean_square, path = list(P0), [mpf(0)] * 3, []
    for g in GRADIENTS:
        mean_square = [RHO * s + (1 - RHO) * gi**2 for s, gi in zip(mean_square, g, strict=True)]
        theta = [x - LR * gi / (sqrt(s) + EPS) for x, gi, s in zip(theta, g, mean_square, strict=True)]
        path.append(theta)
    return path


def two_steps_of_graves() -> list[list[mpf]]:
    """Return theta_1 and theta_2 of the centered rule with momentum."""
    theta, n, mean, delta, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, [mpf(0)] * 3, []
    for g in GRADIENTS:
        n = [RHO * a + (1 - RHO) * e**2 for a, e in zip(n, g, strict=True)]
        mean = [RHO * a + (1 - RHO) * e for a, e in zip(mean, g, strict=True)]
        roots = [sqrt(a - b**2 + EPS) for a, b in zip(n, mean, strict=True)]
        delta = [MOMENTUM * d - LR * e / r for d, e, r in zip(delta, g, roots, strict=True)]
        theta = [x + d for x, d in zip(theta, delta, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
    show(two_steps_of_graves())
