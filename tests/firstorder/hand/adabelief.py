"""AdaBelief by hand: arXiv 2010.07468, algorithm 2, in 50-digit arithmetic.

``python -m tests.firstorder.hand.adabelief`` prints the literals of test_adabelief.py.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

ALPHA, BETA1, BETA2, EPS = map(mpf, ("0.1", "0.6", "0.8", "0.05"))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, m, s, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, []
    for t, g in enumerate(GRADIENTS, 1):
        m = [BETA1 * mi + (1 - BETA1) * gi for mi, gi in zip(m, g, strict=True)]
        s = [BETA2 * si + (1 - BETA2) * (gi - mi) ** 2 + EPS for si, gi, mi in zip(s, g, m, strict=True)]
        m_hat = [mi / (1 - BETA1**t) for mi in m]
        s_hat = [si / (1 - BETA2**t) for si in s]
        theta = [x - ALPHA * a / (sqrt(b) + EPS) for x, a, b in zip(theta, m_hat, s_hat, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
