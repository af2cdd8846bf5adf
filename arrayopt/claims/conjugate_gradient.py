"""Conjugate gradients: how many steps, how fast, which errors fall, and when the nonlinear formulas descend."""

import itertools
import math
from fractions import Fraction

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Exact, Integer, Numbers, Orthogonal, Real, Symmetric
from arrayopt.claims.exact import gram, identity
from arrayopt.claims.margins import host, identical, norm, slack
from arrayopt.claims.runs import apart, iterates, quadratic, quadratics
from arrayopt.claims.sources import LITERATURE, second_order
from arrayopt.secondorder import ConjugateGradient
from arrayopt.secondorder.conjugate_gradient import SHARES, Turn
from arrayopt.secondorder.linear_conjugate_gradient import conjugate_gradients, linear_cg

RATIONAL: dict[str, Element] = {"n": Integer(1, 4), "M": Exact(("n", "n"), most=3), "b": Exact(("n",), most=5)}
TURN: dict[str, Element] = {"n": Integer(1, 4), "g": Numbers(("n",)), "d": Numbers(("n",)), "new": Numbers(("n",))}
SPREAD: dict[str, Element] = {"n": Integer(1, 5), "j": Integer(1, 4), "kappa": Real(1.3, 1e4, log=True)}


@claim(second_order(2), RATIONAL, kind="equality", tolerance=0.0, smooth=False)
def finite(n: int, M: Array, b: Array) -> float:
    """In exact arithmetic conjugate gradients end after at most n steps, with a residual of zero."""
    result = linear_cg(gram(M), b, rtol=0.0)
    return min(slack(result.iterations, n), identical((result.residual, 0 * b), (gram(M) @ result.x, b)))


@claim(
    second_order(1),
    {"n": Integer(1, 5), "k": Integer(1, 5), "v": Exact(("n",), most=4), "b": Exact(("n",), most=5)},
    tolerance=0.0, smooth=False, infimum=0.0,
)  # fmt: skip
def distinct(n: int, k: int, v: Array, b: Array) -> float:
    """In exact arithmetic they take at most as many steps as A has distinct eigenvalues, and in general as many."""
    if not np.any(v != 0):
        v = v + 1
    Q = identity(n) - Fraction(2) / (v @ v) * np.outer(v, v)  # orthogonal, and its own inverse
    eigenvalues = [1 + i % k for i in range(n)]
    result = linear_cg((Q * np.asarray(eigenvalues, dtype=object)) @ Q, b, rtol=0.0)
    return min(slack(result.iterations, len(set(eigenvalues))), identical((result.residual, 0 * b)))


def _left(A: Array, b: Array, steps: int) -> float:
    """Return the residual after some steps over b, the true one."""
    if not float(b @ b) > 0:
        return 0.0
    x = b
    for at in itertools.islice(conjugate_gradients(A, b, 0 * b), steps + 1):
        x = at.x
    return norm(b - A @ x) / norm(b)


def _diagonal(values: Array) -> Array:
    xp = namespace(values)
    return values[:, None] * xp.eye(values.shape[0], dtype=values.dtype)


@claim(
    second_order(1),
    {"k": Integer(1, 8), "n": Integer(8, 12), "kappa": Real(1.0, 100.0), "Q": Orthogonal("n"), "b": Numbers(("n",))},
    kind="limit", tolerance=1e-11,
)  # fmt: skip
def evenly_spaced(k: int, n: int, kappa: float, Q: Array, b: Array) -> float:
    r"""In float64 k evenly spaced eigenvalues in $[1, \kappa]$ take k steps to a relative residual of $10^{-11}$.

    For $k \le 8$ and $\kappa \le 100$.
    """
    xp = namespace(Q)
    values = xp.asarray([1 + (kappa - 1) * (i % k) / max(k - 1, 1) for i in range(n)])
    A = (Q * values) @ Q.T
    return -_left((A + A.T) / 2, b, k)


@claim(
    second_order(1), {"k": Integer(6, 8), "values": Numbers(("k",), low=0.0, high=2.0), "b": Numbers(("k",))},
    kind="limit", tolerance=1e-11, expect="refuted", instead="conjugate_gradient.evenly_spaced",
    witness={"k": 8, "values": np.linspace(0.0, 2.0, 8), "b": np.ones(8)},
)  # fmt: skip
def unevenly_spaced(k: int, values: Array, b: Array) -> float:
    r"""In float64 any $k \le 8$ eigenvalues in $[1, 100]$ take k steps to a relative residual of $10^{-11}$."""
    return -_left(_diagonal(10.0**values), b, k)


@claim(second_order(2), quadratics(10.0, 5), kind="limit", tolerance=1e-12)
def n_steps(n: int, A: Array, c: Array) -> float:
    r"""In float64 n steps give a relative residual of $10^{-12}$ for $n \le 5$ and $\kappa \le 10$."""
    return -_left(A, c, n)


@claim(
    second_order(2),
    {"n": Integer(5, 20), "values": Numbers(("n",), low=0.0, high=4.0), "b": Numbers(("n",))},
    kind="limit", tolerance=1e-12, expect="refuted", instead="conjugate_gradient.n_steps",
    witness={"n": 20, "values": np.linspace(0.0, 4.0, 20), "b": np.ones(20)},
)  # fmt: skip
def n_steps_whatever_the_condition(n: int, values: Array, b: Array) -> float:
    r"""In float64 n steps give a relative residual of $10^{-12}$ for $\kappa$ up to $10^4$ too."""
    return -_left(_diagonal(10.0**values), b, n)


def _energies(kappa: float, shares: Array, e: Array, steps: int) -> tuple[float, float]:
    """Return the energies of the error before and after some steps, for eigenvalues spread over [1, kappa]."""
    values = kappa**shares
    x = 0 * e
    for at in itertools.islice(conjugate_gradients(_diagonal(values), values * e, x), steps + 1):
        x = at.x
    return math.sqrt(float(e @ (values * e))), math.sqrt(float((e - x) @ (values * (e - x))))


CHEBYSHEV: dict[str, Element] = {**SPREAD, "shares": Numbers(("n",), low=0.0, high=1.0), "e": Numbers(("n",))}


@claim(second_order(3), CHEBYSHEV, tolerance=1e-9, infimum=0.0)
def chebyshev(j: int, kappa: float, shares: Array, e: Array) -> float:
    r"""$\|e_j\|_A \le 2 q^j \|e_0\|_A$, $q = (\sqrt\kappa - 1) / (\sqrt\kappa + 1)$."""
    before, after = _energies(kappa, shares, e, j)
    q = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    return 1 - after / (2 * q**j * before) if before > 0 else 1.0


@claim(second_order(3), CHEBYSHEV, tolerance=1e-9, infimum=0.0)
def chebyshev_sharp(j: int, kappa: float, shares: Array, e: Array) -> float:
    r"""$\|e_j\|_A \le \frac{2 q^j}{1 + q^{2j}} \|e_0\|_A$: attained for eigenvalues at the extrema of $T_j$."""
    before, after = _energies(kappa, shares, e, j)
    q = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    return 1 - after * (1 + q ** (2 * j)) / (2 * q**j * before) if before > 0 else 1.0


DIAGONAL: dict[str, Element] = {"n": Integer(1, 4), "values": Exact(("n",), most=499), "c": Exact(("n",), most=99)}


def _falls(values: Array, c: Array, weighted: bool) -> float:
    """Return the least relative fall of an error of the solution c, exactly, for eigenvalues from 1 to 999."""
    values = values + 500
    A = np.diag(values) if len(values) > 1 else values[:, None]
    errors = [(at.x - c) @ ((A @ (at.x - c)) if weighted else at.x - c) for at in conjugate_gradients(A, A @ c, 0 * c)]
    return float(min((1 - b / a for a, b in itertools.pairwise(errors)), default=1))


@claim(second_order(4), DIAGONAL, tolerance=0.0, smooth=False, infimum=0.0)
def energy_falls(values: Array, c: Array) -> float:
    r"""Energy, $\|x_k - x^*\|_A$, falls at every step, in exact arithmetic."""
    return _falls(values, c, True)


@claim(second_order(4), DIAGONAL, tolerance=0.0, smooth=False, infimum=0.0)
def error_falls(values: Array, c: Array) -> float:
    r"""So does $\|x_k - x^*\|$, which no step minimises."""
    return _falls(values, c, False)


@claim(
    second_order(4), {"n": Integer(1, 4), "A": Symmetric("n", 1.0, 100.0), "b": Numbers(("n",))},
    tolerance=1e-6, expect="refuted", instead="conjugate_gradient.error_falls",
    witness={"n": 2, "A": np.diag([1.0, 100.0]), "b": np.array([1.0, 0.1])},
)  # fmt: skip
def residual_falls(A: Array, b: Array) -> float:
    r"""And so does the residual $\|b - A x_k\|$: no, its square may grow more than twentyfold."""
    sizes = [float(at.rr) for at in itertools.islice(conjugate_gradients(A, b, 0 * b), 2)]
    return min((slack(y, x, x) for x, y in itertools.pairwise(sizes)), default=1.0)


@claim(
    second_order(9), {"beta": Choice(tuple(SHARES)), **quadratics(10.0, 5)}, kind="equivalence", tolerance=1e-10
)  # fmt: skip
def formulas(beta: str, n: int, A: Array, c: Array) -> float:
    r"""All formulas of nonlinear conjugate gradients are the linear ones on quadratics with exact steps.

    In floats for $\kappa \le 10$ and $n \le 5$.
    """
    if not float(c @ c) > 0:
        return 0.0
    f = quadratic(A, c)
    linear = [at.x for at in itertools.islice(conjugate_gradients(A, A @ c, 0 * c), n + 1)]
    run = iterates(ConjugateGradient(beta=beta, line_search="exact"), f, 0 * c, n, hessian=True)  # type: ignore[arg-type]
    return apart(run, linear, norm(c))


def _turn(g: Array, d: Array, new: Array) -> Turn:
    y = new - g
    products = [g @ g, g @ d, d @ d, new @ new, new @ d, new @ y, y @ y]
    return Turn(*(float(x) for x in products))


@claim(second_order(16), TURN, tolerance=1e-10, infimum=0.0)
def hager_zhang(g: Array, d: Array, new: Array) -> float:
    r"""Hager and Zhang's direction has $g_+'d_+ \le -\frac78 \|g_+\|^2$, whatever the step, if $d'y \ne 0$."""
    t = _turn(g, d, new)
    if t.dy < 0:
        t = _turn(g, -d, new)
    change = SHARES["hz"](t) * t.new_gd
    return slack(change - t.new_gg, -7 / 8 * t.new_gg, t.new_gg + abs(change)) if t.new_gg > 0 else 1.0


def _wolfe(g: Array, d: Array, new: Array, c2: float) -> tuple[Turn, float]:
    """Return a turn at which d descends and the new slope meets the weak Wolfe condition, and its new slope."""
    d = -d if float(d @ g) > 0 else d
    short = c2 * float(d @ g) - float(d @ new)
    if short > 0:
        new = new + (short / float(d @ d)) * (1 + 1e-12) * d
    t = _turn(g, d, new)
    return t, SHARES["dy"](t) * t.new_gd - t.new_gg


@claim(second_order(17), {**TURN, "c2": Real(0.0, 0.99)}, infimum=0.0)
def dai_yuan(g: Array, d: Array, new: Array, c2: float) -> float:
    r"""Dai and Yuan's direction descends after a weak Wolfe step: $g_+'d_+ < 0$."""
    t, slope = _wolfe(g, d, new, c2)
    scale = t.new_gg + abs(SHARES["dy"](t) * t.new_gd)
    return slack(slope, 0.0, scale) if t.new_gg > 0 and t.gd < 0 else 1.0


@claim(second_order(17), {**TURN, "c2": Real(0.0, 0.99)}, kind="equality", tolerance=1e-12)
def dai_yuan_identity(g: Array, d: Array, new: Array, c2: float) -> float:
    r"""Dai and Yuan's $\beta = g_+'d_+ / g'd$."""
    t, slope = _wolfe(g, d, new, c2)
    if not (t.new_gg > 0 and t.gd < 0 and t.dy > 0):
        return 0.0
    beta = SHARES["dy"](t)
    scale = (t.new_gg + abs(beta * t.new_gd)) * max(1.0, (abs(t.new_gd) + abs(t.gd)) / t.dy)
    return -abs(beta * t.gd - slope) / scale


def _fletcher_reeves(slopes: Array, sizes: Array, c2: float) -> float:
    """Follow g'd / g'g of Fletcher and Reeves through steps with |g+'d| = share c2 |g'd|; return the least descent."""
    ratio, gg, least = -1.0, 1.0, 1.0
    for share, size in zip(host(slopes), host(sizes), strict=True):
        t = Turn(gg, ratio * gg, math.nan, size * gg, float(share) * c2 * ratio * gg, math.nan)
        ratio = (SHARES["fr"](t) * t.new_gd - t.new_gg) / t.new_gg
        gg, least = t.new_gg, min(least, -ratio)
    return least


STEPS: dict[str, Element] = {
    "k": Integer(1, 6),
    "slopes": Numbers(("k",), low=-1.0, high=1.0),
    "sizes": Numbers(("k",), low=0.1, high=10.0),
}


@claim(LITERATURE[18], {**STEPS, "c2": Real(0.01, 0.5)}, infimum=0.0)
def fletcher_reeves(slopes: Array, sizes: Array, c2: float) -> float:
    r"""Fletcher and Reeves descend after strong Wolfe steps with $c_2 \le \frac12$.

    By $g'd \le -\frac{1 - 2 c_2}{1 - c_2} g'g$.
    """
    return _fletcher_reeves(slopes, sizes, c2) - (1 - 2 * c2) / (1 - c2)


@claim(
    LITERATURE[18], {**STEPS, "c2": Real(0.51, 0.9)}, expect="refuted",
    instead="conjugate_gradient.fletcher_reeves",
    witness={"k": 3, "slopes": np.array([1.0, -1.0, -1.0]), "sizes": np.ones(3), "c2": 0.9},
)  # fmt: skip
def fletcher_reeves_whatever_the_step(slopes: Array, sizes: Array, c2: float) -> float:
    r"""Fletcher and Reeves descend after strong Wolfe steps with larger $c_2$ too."""
    return _fletcher_reeves(slopes, sizes, c2)
