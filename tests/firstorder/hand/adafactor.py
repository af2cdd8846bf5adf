"""Adafactor by hand: arXiv 1804.04235, algorithms 4 (matrices, with sums) and 5 (vectors), in 50-digit arithmetic.

``python -m tests.firstorder.hand.adafactor`` prints the literals of test_adafactor.py, matrices row by row.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

LR, POWER, EPS1, EPS2, D = map(mpf, ("0.8", "0.6", "0.05", "0.001", "0.5"))

MATRIX = [P0, [mpf("0.5"), mpf("1"), mpf("-1")]]
MATRIX_GRADIENTS = [
    [GRADIENTS[0], [mpf("1"), mpf("0.25"), mpf("-0.5")]],
    [GRADIENTS[1], [mpf("-2"), mpf("0"), mpf("0.75")]],
]


def rms(x: list[mpf]) -> mpf:
    return sqrt(sum(xi**2 for xi in x) / len(x))


def moved(theta: list[mpf], u: list[mpf], t: int) -> list[mpf]:
    """Clip the update and subtract it at the relative rate."""
    alpha = max(EPS2, rms(theta)) * min(LR, 1 / sqrt(mpf(t)))
    clip = max(mpf(1), rms(u) / D)
    return [x - alpha * ui / clip for x, ui in zip(theta, u, strict=True)]


def matrix_steps() -> list[list[mpf]]:
    """Return X_1 and X_2, each as one row."""
    x, r, c, path = [y for row in MATRIX for y in row], [mpf(0)] * 2, [mpf(0)] * 3, []
    for t, g in enumerate(MATRIX_GRADIENTS, 1):
        beta2 = 1 - mpf(t) ** -POWER
        square = [[y**2 + EPS1 for y in row] for row in g]
        r = [beta2 * r[i] + (1 - beta2) * sum(square[i]) for i in range(2)]
        c = [beta2 * c[j] + (1 - beta2) * (square[0][j] + square[1][j]) for j in range(3)]
        v = [[r[i] * c[j] / sum(r) for j in range(3)] for i in range(2)]
        x = moved(x, [g[i][j] / sqrt(v[i][j]) for i in range(2) for j in range(3)], t)
        path.append(x)
    return path


def vector_steps() -> list[list[mpf]]:
    """Return x_1 and x_2."""
    x, v, path = list(P0), [mpf(0)] * 3, []
    for t, g in enumerate(GRADIENTS, 1):
        beta2 = 1 - mpf(t) ** -POWER
        v = [beta2 * vi + (1 - beta2) * (gi**2 + EPS1) for vi, gi in zip(v, g, strict=True)]
        x = moved(x, [gi / sqrt(vi) for gi, vi in zip(g, v, strict=True)], t)
        path.append(x)
    return path


if __name__ == "__main__":
    show(matrix_steps())
    show(vector_steps())
