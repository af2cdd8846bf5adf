"""Updates of quasi-Newton models: the secant equation, duality, what they keep, and limited-memory forms."""

from fractions import Fraction
from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import DTYPES, Choice, Element, Exact, Integer, Numbers, Real, Symmetric
from arrayopt.claims.exact import determinant, exactly, gram, identity, inverse
from arrayopt.claims.margins import agreement, host, identical, norm, ulps
from arrayopt.claims.sources import LITERATURE, second_order
from arrayopt.secondorder.limited import compact, two_loop
from arrayopt.secondorder.updates import (
    bfgs_direct,
    bfgs_inverse,
    broyden_inverse,
    dfp_direct,
    dfp_inverse,
    powell_damped,
    sr1_direct,
    sr1_inverse,
)

MEMBERS = Choice((Fraction(0), Fraction(1, 2), Fraction(1), Fraction(2)))
PAIR: dict[str, Element] = {
    "phi": MEMBERS, "n": Integer(1, 4), "M": Exact(("n", "n"), most=3), "s": Exact(("n",), most=5),
    "y": Exact(("n",), most=5),
}  # fmt: skip
FLOATS: dict[str, Element] = {
    "phi": Choice((0.0, 0.5, 1.0, 2.0)), "n": Integer(1, 5), "H": Symmetric("n", 1.0, 1e4, log=True),
    "s": Numbers(("n",)), "y": Numbers(("n",)),
}  # fmt: skip


def _curved(s: Array, y: Array) -> Array:
    """Return y or -y, so that s'y > 0."""
    if s @ y == 0:
        raise Outside("a pair without curvature")
    return y if s @ y > 0 else -y


PAIRS: dict[str, Element] = {
    "count": Integer(1, 3), "n": Integer(1, 3), "S": Exact(("count", "n"), most=4), "Y": Exact(("count", "n"), most=4),
    "g": Exact(("n",), most=4),
}  # fmt: skip


def _two_ways(S: Array, Y: Array, g: Array, latest: bool) -> float:
    """Compare the two loops with BFGS from a fixed matrix."""
    pairs = [(s, _curved(s, y)) for s, y in zip(S, Y, strict=True)]
    H = first = Fraction(2, 3) * identity(len(g))
    for s, y in pairs:
        H = bfgs_inverse(H, s, y)
    s, y = pairs[-1]
    return identical((two_loop(pairs, (s @ y) / (y @ y) if latest else first[0, 0], g), H @ g))


@claim(second_order(10), PAIRS, kind="equivalence", tolerance=0.0, smooth=False)
def two_loops(S: Array, Y: Array, g: Array) -> float:
    """Two loops over all pairs, from a fixed multiple of I, are BFGS from there: in exact arithmetic, equal."""
    return _two_ways(S, Y, g, latest=False)


@claim(
    second_order(10), PAIRS, kind="equivalence", tolerance=0.0, smooth=False, expect="refuted",
    instead="updates.two_loops",
    witness={"count": 1, "n": 2, "S": exactly([[1, 0]]), "Y": exactly([[1, 0]]), "g": exactly([1, 1])},
)  # fmt: skip
def two_loops_rescaled(S: Array, Y: Array, g: Array) -> float:
    r"""L-BFGS that keeps all pairs is BFGS, with the $\gamma = s'y / y'y$ of the latest pair too."""
    return _two_ways(S, Y, g, latest=True)


@claim(
    second_order(11),
    {"dtype": DTYPES, "count": Integer(1, 4), "n": Integer(1, 5), "S": Numbers(("count", "n"), dtype="dtype"),
     "Y": Numbers(("count", "n"), dtype="dtype"), "g": Numbers(("n",), dtype="dtype"),
     "gamma": Real(0.1, 10.0, log=True)},
    kind="equivalence", tolerance=ulps(64),
)  # fmt: skip
def compact_form(S: Array, Y: Array, g: Array, gamma: float) -> float:
    r"""Compactly represented, H is that of the two loops, to rounding of $\|H\|$ times the growth of the chain.

    The growth is the product of $\|s_i\| \|y_i\| / s_i'y_i$, for cosines of at least 0.05.
    """
    rows: list[tuple[Array, Array]] = []
    growth = 1.0
    for i in range(S.shape[0]):
        s, y = S[i, :], Y[i, :]
        size = norm(s) * norm(y)
        if not float(s @ y) ** 2 >= (0.05 * size) ** 2 > 0:
            raise Outside("a pair with too little curvature")
        y = y if float(s @ y) > 0 else -y
        growth *= size / float(s @ y)
        rows.append((s / norm(s), y / norm(y)))
    xp, H = namespace(S), np.eye(S.shape[1]) * gamma
    for s, y in rows:
        H = bfgs_inverse(H, host(s), host(y))
    S, Y = xp.stack([s for s, _ in rows]), xp.stack([y for _, y in rows])
    scale = float(np.linalg.norm(H, 2)) * norm(g) * growth
    return agreement(compact(xp, S, Y, gamma, g), two_loop(rows, gamma, g), scale=scale) if norm(g) > 0 else 0.0


@claim(second_order(12), PAIR, kind="equality", tolerance=0.0, smooth=False)
def secant(phi: Fraction, M: Array, s: Array, y: Array) -> float:
    r"""Every update meets the secant equation: $H_+ y = s$ and $B_+ s = y$."""
    A, y = gram(M), _curved(s, y)
    rank_one = [(sr1_direct(A, s, y) @ s, y)] if (y - A @ s) @ s != 0 else []
    return identical(
        *rank_one,
        (broyden_inverse(A, s, y, phi) @ y, s), (bfgs_inverse(A, s, y) @ y, s), (dfp_inverse(A, s, y) @ y, s),
        (bfgs_direct(A, s, y) @ s, y), (dfp_direct(A, s, y) @ s, y),
    )  # fmt: skip


def _size(A: Array) -> float:
    return norm(namespace(A).reshape(A, (-1,)))


def _terms(H: Array, s: Array, y: Array) -> float:
    """Return the size of the terms that H+ is the sum of."""
    sy = float(s @ y)
    return _size(H) * (norm(s) * norm(y) / sy) ** 2 + float(s @ s) / sy


def _secant(phi: float, H: Array, s: Array, y: Array) -> tuple[float, float, float]:
    """Return the error of the secant equation over |y|, the norm of H+, and that of the terms that it is the sum of."""
    y = _floats(s, y)
    new = broyden_inverse(H, s, y, phi)
    return norm(new @ y - s) / norm(y), _size(new), _terms(H, s, y)


@claim(second_order(12), FLOATS, kind="equality", tolerance=ulps(32))
def secant_in_floats(phi: float, H: Array, s: Array, y: Array) -> float:
    r"""In floats up to rounding of $\|H\| (\frac{\|s\| \|y\|}{s'y})^2 + \frac{\|s\|^2}{s'y}$, times $\|y\|$."""
    error, _, terms = _secant(phi, H, s, y)
    return -error / terms


@claim(
    second_order(12), FLOATS, kind="equality", tolerance=1e-13, expect="refuted",
    instead="updates.secant_in_floats",
    witness={"phi": 0.0, "n": 1, "H": np.array([[3628.0]]), "s": np.array([0.08]), "y": np.array([1.2])},
)  # fmt: skip
def secant_in_floats_over_the_new(phi: float, H: Array, s: Array, y: Array) -> float:
    r"""$\|H_+ y - s\| \le 10^{-13} \, \|H_+\| \|y\|$ if $s'y \ge 10^{-3} \|s\| \|y\|$ and $\kappa(H) \le 10^4$."""
    error, new, _ = _secant(phi, H, s, y)
    return -error / new


def _floats(s: Array, y: Array) -> Array:
    """Return y or -y, so that the cosine is at least 1e-3."""
    if not abs(float(s @ y)) >= 1e-3 * norm(s) * norm(y) > 0:
        raise Outside("too little curvature")
    return y if float(s @ y) > 0 else -y


@claim(second_order(13), PAIR, kind="equality", tolerance=0.0, smooth=False)
def dual(n: int, M: Array, s: Array, y: Array) -> float:
    r"""DFP is BFGS with s and y in each other's place, and $H_+ B_+ = I$ after $H B = I$."""
    B, y = gram(M), _curved(s, y)
    H = inverse(B)
    textbook = B - np.outer(B @ s, B @ s) / (s @ (B @ s)) + np.outer(y, y) / (s @ y)
    return identical(
        (bfgs_direct(B, s, y) @ bfgs_inverse(H, s, y), identity(n)), (bfgs_direct(B, s, y), textbook),
        (dfp_direct(B, s, y) @ dfp_inverse(H, s, y), identity(n)), (dfp_inverse(H, y, s), bfgs_direct(H, s, y)),
    )  # fmt: skip


@claim(
    second_order(13), {k: v for k, v in FLOATS.items() if k != "phi"}, kind="equality", tolerance=ulps(64),
)  # fmt: skip
def dual_in_floats(H: Array, s: Array, y: Array) -> float:
    r"""In floats $B_+ H_+ = I$ up to rounding of the terms that both are sums of."""
    xp, y = namespace(s), _floats(s, y)
    B = xp.linalg.inv(H)
    new, back = bfgs_inverse(H, s, y), bfgs_direct((B + B.T) / 2, s, y)
    cond = _size(H) * _size(B)  # of the inverse that is compared with
    size = _terms(H, s, y) * _size(back) + cond * _terms(B, y, s) * _size(new)
    return -_size(new @ back - xp.eye(s.shape[0], dtype=s.dtype)) / size


@claim(second_order(14), PAIR, kind="equality", tolerance=0.0, smooth=False)
def determinant_and_trace(M: Array, s: Array, y: Array) -> float:
    r"""BFGS has $\det B_+ = \det B \, \frac{s'y}{s'Bs}$.

    And $\mathrm{tr} B_+ = \mathrm{tr} B - \frac{\|Bs\|^2}{s'Bs} + \frac{\|y\|^2}{s'y}$.
    """
    B, y = gram(M), _curved(s, y)
    new, Bs = bfgs_direct(B, s, y), B @ s
    return identical(
        (determinant(new), determinant(B) * (s @ y) / (s @ Bs)),
        (np.trace(new), np.trace(B) - (Bs @ Bs) / (s @ Bs) + (y @ y) / (s @ y)),
    )


@claim(second_order(14), PAIR, tolerance=0.0, smooth=False, infimum=0.0)
def stays_positive_definite(phi: Fraction, M: Array, s: Array, y: Array) -> float:
    r"""With $\phi \ge 0$ the Broyden class keeps H positive definite if $s'y > 0$."""
    new = broyden_inverse(gram(M), s, _curved(s, y), phi)
    return float(min(_pivots(new)) / np.trace(new))


@claim(
    second_order(14), PAIR, tolerance=0.0, smooth=False, expect="refuted",
    instead="updates.stays_positive_definite",
    witness={"phi": Fraction(1), "n": 1, "M": exactly([[0]]), "s": exactly([1]), "y": exactly([-1])},
)  # fmt: skip
def stays_positive_definite_whatever_the_pair(phi: Fraction, M: Array, s: Array, y: Array) -> float:
    r"""Whatever the sign of $s'y$ it does so."""
    _curved(s, y)
    new = broyden_inverse(gram(M), s, y, phi)
    return float(min(_pivots(new)))


def _pivots(A: Array) -> list[Any]:
    """Return the pivots of elimination, up to the first that is not positive."""
    A, found = A.copy(), []
    for i in range(len(A)):
        found.append(A[i, i])
        if not A[i, i] > 0:
            break
        for j in range(i + 1, len(A)):
            A[j] = A[j] - A[j, i] / A[i, i] * A[i]
    return found


@claim(second_order(15), PAIR, tolerance=0.0, smooth=False, infimum=0.0)
def damped(M: Array, s: Array, y: Array) -> float:
    r"""Powell's damping has $s'r \ge \frac15 s'Bs$ and $B_+$ positive definite, for every y."""
    if not np.any(s != 0):
        raise Outside("no step")
    B = gram(M)
    r, sBs = powell_damped(B, s, y), s @ (B @ s)
    definite = min(_pivots(bfgs_direct(B, s, r))) > 0
    return float((s @ r) / sBs - Fraction(1, 5)) if definite else -1.0


@claim(second_order(15), {k: v for k, v in FLOATS.items() if k != "phi"}, tolerance=1e-13, infimum=0.0)
def damped_in_floats(H: Array, s: Array, y: Array) -> float:
    r"""In floats $s'r \ge \frac15 s'Bs$ up to $10^{-13}$ of $s'Bs$, $\|s\| \|Bs\|$ and $\|s\| \|y\|$, for every y."""
    sBs = float(s @ (H @ s))
    if not sBs > 0:
        raise Outside("no step")
    size = max(sBs, norm(s) * norm(y), norm(s) * norm(H @ s))
    return (float(s @ powell_damped(H, s, y)) - sBs / 5) / size


@claim(
    LITERATURE[12], {"n": Integer(1, 4), "M": Exact(("n", "n"), most=3)},
    kind="equality", tolerance=0.0, smooth=False,
)  # fmt: skip
def sr1_inverse_hessian(n: int, M: Array) -> float:
    """After n independent steps of any length SR1 has the inverse of the Hessian, where its denominators allow."""
    A, H = gram(M), identity(n)
    for s in identity(n):
        y = A @ s
        if (s - H @ y) @ y == 0:
            if np.any(s != H @ y):
                raise Outside("a denominator of zero")
            continue  # the model is right along this step
        H = sr1_inverse(H, s, y)
    return identical((H, inverse(A)))
