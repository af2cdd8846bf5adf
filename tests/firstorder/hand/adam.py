"""Adam by hand: arXiv 1412.6980, algorithm 1, in 50-digit arithmetic.

``python -m tests.firstorder.hand.adam`` prints the literals of test_adam.py.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

LR, BETA1, BETA2, EPS = map(mpf, ("0.1", "0.6", "0.8", "0.05"))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, m, v, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, []
    for t, g in enumerate(GRADIENTS, 1):
        m = [BETA1 * mi + (1 - BETA1) * gi for mi, gi in zip(m, g, strict=True)]
        v = [BETA2 * vi + (1 - BETA2) * gi**2 for vi, gi in zip(v, g, strict=True)]
        m_hat = [mi / (1 - BETA1**t) for mi in m]
        v_hat = [vi / (1 - BETA2**t) for vi in v]
        theta = [x - LR * a / (sqrt(b) + EPS) for x, a, b in zip(theta, m_hat, v_hat, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
