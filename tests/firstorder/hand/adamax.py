"""AdaMax by hand: arXiv 1412.6980, algorithm 2, in exact fractions.

``python -m tests.firstorder.hand.adamax`` prints the literals of test_adamax.py.
"""

from fractions import Fraction

from mpmath import mpf

from tests.firstorder.hand import GRADIENTS, P0, show

ALPHA, BETA1, BETA2 = map(Fraction, ("0.1", "0.6", "0.8"))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, m, u, path = [Fraction(str(x)) for x in P0], [Fraction(0)] * 3, [Fraction(0)] * 3, []
    for t, gradient in enumerate(GRADIENTS, 1):
        g = [Fraction(str(x)) for x in gradient]
        m = [BETA1 * mi + (1 - BETA1) * gi for mi, gi in zip(m, g, strict=True)]
        u = [max(BETA2 * ui, abs(gi)) for ui, gi in zip(u, g, strict=True)]
        theta = [x - ALPHA / (1 - BETA1**t) * mi / ui for x, mi, ui in zip(theta, m, u, strict=True)]
        path.append([mpf(x.numerator) / x.denominator for x in theta])
    return path


if __name__ == "__main__":
    show(two_steps())
