"""Amos by hand: arXiv 2210.11693, as archive 9344 writes it, in 50-digit arithmetic.

``python -m tests.firstorder.hand.amos`` prints the literals of test_amos.py.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

XI, ETA, BETA, ZETA = map(mpf, ("0.5", "0.75", "0.8", "0.6"))


def two_steps(reduced: bool) -> list[list[mpf]]:
    """Return theta_1 and theta_2, with squares averaged over the whole vector or each on its own."""
    theta, v, b, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, []
    for t, g in enumerate(GRADIENTS, 1):
        square = [sum(x**2 for x in g) / 3] * 3 if reduced else [x**2 for x in g]
        v = [BETA * vi + (1 - BETA) * s for vi, s in zip(v, square, strict=True)]
        new = []
        for i in range(3):
            r = (1 - BETA**t) / v[i]
            c = 1 / sqrt(1 + ZETA * sqrt(XI) * b[i])
            d = 1 / (1 + ZETA * sqrt(XI * ETA) * b[i])
            gamma = c * XI**2 * r * square[i]
            new.append(theta[i] - d * (XI * ETA * sqrt(r) * g[i] + gamma * theta[i] / 2))
            b[i] = b[i] + gamma * (1 + b[i])
        theta = new
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps(False))
    show(two_steps(True))
