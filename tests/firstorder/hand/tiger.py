"""Tiger by hand: archive 9512, with gradient accumulation as printed there, in 50-digit arithmetic.

``python -m tests.firstorder.hand.tiger`` prints the literals of test_tiger.py.
"""

from mpmath import mpf, sign, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

LR, BETA, DECAY = map(mpf, ("0.1", "0.6", "0.25"))


def rms(theta: list[mpf]) -> mpf:
    return sqrt(sum(x**2 for x in theta) / len(theta))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, m, path = list(P0), [mpf(0)] * 3, []
    for g in GRADIENTS:
        m = [BETA * mi + (1 - BETA) * gi for mi, gi in zip(m, g, strict=True)]
        eta = LR * rms(theta)
        theta = [x - eta * (sign(mi) + DECAY * x) for x, mi in zip(theta, m, strict=True)]
        path.append(theta)
    return path


def four_calls() -> list[list[mpf]]:
    """Return theta after each of two accumulations of k = 2 calls, the gradients taken twice in turn."""
    theta, m, path, k = list(P0), [mpf(0)] * 3, [], 2
    for t, g in enumerate(GRADIENTS + GRADIENTS, 1):
        first, last = int((t - 1) % k == 0), int(t % k == 0)
        m = [((BETA - 1) * first + 1) * mi + (1 - BETA) * gi / k for mi, gi in zip(m, g, strict=True)]
        eta = LR * rms(theta)
        theta = [x - last * eta * (sign(mi) + DECAY * x) for x, mi in zip(theta, m, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
    show(four_calls())
