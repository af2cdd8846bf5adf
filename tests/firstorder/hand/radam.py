"""RAdam by hand: arXiv 1908.03265, algorithm 2, with Adam's epsilon, in 50-digit arithmetic.

``python -m tests.firstorder.hand.radam`` prints the literals of test_radam.py. The two gradients are
repeated: with beta2 = 0.8 only the fifth and sixth step are rectified.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

ALPHA, BETA1, BETA2, EPS = map(mpf, ("0.1", "0.6", "0.8", "0.05"))
RHO_INF = 2 / (1 - BETA2) - 1


def six_steps() -> list[list[mpf]]:
    """Return theta_1 to theta_6."""
    theta, m, v, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, []
    for t, g in enumerate(GRADIENTS * 3, 1):
        v = [BETA2 * vi + (1 - BETA2) * gi**2 for vi, gi in zip(v, g, strict=True)]
        m = [BETA1 * mi + (1 - BETA1) * gi for mi, gi in zip(m, g, strict=True)]
        m_hat = [mi / (1 - BETA1**t) for mi in m]
        rho = RHO_INF - 2 * t * BETA2**t / (1 - BETA2**t)
        if rho > 4:
            r = sqrt((rho - 4) * (rho - 2) * RHO_INF / ((RHO_INF - 4) * (RHO_INF - 2) * rho))
            steps = [r * a / (sqrt(vi / (1 - BETA2**t)) + EPS) for a, vi in zip(m_hat, v, strict=True)]
        else:
            steps = m_hat
        theta = [x - ALPHA * step for x, step in zip(theta, steps, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(six_steps())
