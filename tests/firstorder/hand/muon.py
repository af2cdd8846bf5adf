"""Muon by hand: Keller Jordan's algorithm, and the article's with the exact matrix sign, in 50-digit arithmetic.

``python -m tests.firstorder.hand.muon`` prints the literals of test_muon.py: first Keller's on a 3 x 2 matrix, then
the article's on a 2 x 2 matrix, row by row.
"""

from mpmath import matrix, mp, mpf, sqrt

from tests.firstorder.hand import show

LR, MU, EPS, DECAY = map(mpf, ("0.1", "0.6", "0.05", "0.2"))
A, B, C = map(mpf, ("3.4445", "-4.7750", "2.0315"))
TALL = [[mpf("1.5"), mpf("-2")], [mpf("0.25"), mpf("1")], [mpf("-0.5"), mpf("0.75")]]
TALL_GRADIENTS = [
    [[mpf("0.5"), mpf("-1")], [mpf("2"), mpf("0.25")], [mpf("0.125"), mpf("-0.75")]],
    [[mpf("-0.25"), mpf("3")], [mpf("1"), mpf("0.5")], [mpf("-1.5"), mpf("0.25")]],
]
SQUARE = [[mpf("1.5"), mpf("-2")], [mpf("0.25"), mpf("1")]]
SQUARE_GRADIENTS = [
    [[mpf("0.5"), mpf("-1")], [mpf("2"), mpf("0.25")]],
    [[mpf("-0.25"), mpf("3")], [mpf("1"), mpf("0.5")]],
]


def frobenius(x: matrix) -> mpf:
    """Return the root of the sum of squares."""
    return sqrt(sum(e**2 for e in x))


def keller() -> list[list[mpf]]:
    """Return W_1 and W_2 of Muon with Newton-Schulz steps."""
    w, m, path = matrix(TALL), mp.zeros(3, 2), []
    for gradient in map(matrix, TALL_GRADIENTS):
        m = MU * m + (1 - MU) * gradient
        x = (1 - MU) * gradient + MU * m
        x = x / (frobenius(x) + EPS)
        for _ in range(5):
            gram = x * x.T
            x = A * x + B * gram * x + C * gram * gram * x
        w = (1 - LR * DECAY) * w - LR * sqrt(mpf(3) / 2) * x
        path.append(list(w))
    return path


def article() -> list[list[mpf]]:
    """Return W_1 and W_2 of Muon with the matrix sign of a 2 x 2 matrix.

    With singular values s1 and s2, M plus its cofactors times the sign of det M is s1 + s2 times the orthogonal
    factor of M, and (s1 + s2)^2 is the sum of the squares of M plus 2 |det M|.
    """
    w, m, path = matrix(SQUARE), mp.zeros(2, 2), []
    for gradient in map(matrix, SQUARE_GRADIENTS):
        m = MU * m + gradient
        det = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
        cofactors = matrix([[m[1, 1], -m[1, 0]], [-m[0, 1], m[0, 0]]])
        sign = (m + mp.sign(det) * cofactors) / sqrt(frobenius(m) ** 2 + 2 * abs(det))
        w = w - LR * (sign + DECAY * w)
        path.append(list(w))
    return path


if __name__ == "__main__":
    show(keller())
    show(article())
