"""AdamW by hand: arXiv 1711.05101, algorithm 2, in 50-digit arithmetic.

``python -m tests.firstorder.hand.adamw`` prints the literals of test_adamw.py.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

ALPHA, BETA1, BETA2, EPS, DECAY = map(mpf, ("0.1", "0.6", "0.8", "0.05", "0.2"))
MULTIPLIERS = [mpf(1), mpf("0.5")]


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2; the schedule multiplier is 1, then 1/2."""
    theta, m, v, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, []
    for t, (g, eta) in enumerate(zip(GRADIENTS, MULTIPLIERS, strict=True), 1):
        m = [BETA1 * mi + (1 - BETA1) * gi for mi, gi in zip(m, g, strict=True)]
        v = [BETA2 * vi + (1 - BETA2) * gi**2 for vi, gi in zip(v, g, strict=True)]
        m_hat = [mi / (1 - BETA1**t) for mi in m]
        v_hat = [vi / (1 - BETA2**t) for vi in v]
        theta = [
            x - eta * (ALPHA * a / (sqrt(b) + EPS) + DECAY * x) for x, a, b in zip(theta, m_hat, v_hat, strict=True)
        ]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
