"""Quasi-Newton methods: the secant equation, duality, what the updates keep, and which methods are the same."""

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from arrayopt.backend import Array
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Choice, Element, Exact, Integer, Real, Symmetric
from arrayopt.claims.exact import gram, identity, inverse
from arrayopt.claims.margins import identical, norm
from arrayopt.claims.runs import apart, iterates, quadratic, quadratics, smooth, softplus
from arrayopt.claims.sources import second_order
from arrayopt.secondorder import BFGS, DFP, Broyden, Newton
from arrayopt.secondorder.limited import two_loop
from arrayopt.secondorder.linear_conjugate_gradient import conjugate_gradients
from arrayopt.secondorder.updates import (
    bfgs_inverse,
    broyden_inverse,
)

MEMBERS = Choice((Fraction(0), Fraction(1, 2), Fraction(1), Fraction(2)))
RATIONAL: dict[str, Element] = {
    "phi": MEMBERS, "n": Integer(1, 4), "M": Exact(("n", "n"), most=3), "b": Exact(("n",), most=5),
}  # fmt: skip


def _along(update: Callable[..., Array], A: Array, b: Array, H: Array) -> tuple[list[Array], Array]:
    """Return the iterates from 0 along -H g with exact steps, until g is zero, and the last H."""
    x, g, found = 0 * b, -b, [0 * b]
    while np.any(g != 0):
        d = -(H @ g)
        s = (-(g @ d) / (d @ (A @ d))) * d
        x, y = x + s, A @ s
        g, H = g + y, update(H, s, y)
        found.append(x)
    return found, H


def _member(phi: Any) -> Callable[..., Array]:
    return lambda H, s, y: broyden_inverse(H, s, y, phi)


@claim(second_order(5), RATIONAL, kind="equivalence", tolerance=0.0, smooth=False)
def conjugate(phi: Fraction, n: int, M: Array, b: Array) -> float:
    """With exact steps from I the Broyden class has the iterates of conjugate gradients: in exact arithmetic, equal."""
    A = gram(M)
    run, _ = _along(_member(phi), A, b, identity(n))
    other = [at.x for at in conjugate_gradients(A, b, 0 * b)]
    return identical((np.stack(run), np.stack(other)))


@claim(second_order(5), RATIONAL, kind="equality", tolerance=0.0, smooth=False)
def inverse_hessian(phi: Fraction, n: int, M: Array, b: Array) -> float:
    """After n independent steps H is the inverse of the Hessian, in exact arithmetic."""
    A = gram(M)
    run, H = _along(_member(phi), A, b, identity(n))
    if len(run) <= n:
        raise Outside("fewer steps")
    return identical((H, inverse(A)))


METHODS = {"bfgs": BFGS, "dfp": DFP, "broyden": Broyden}


@claim(
    second_order(5), {"method": Choice(tuple(METHODS)), **quadratics(10.0, 5)}, kind="equivalence", tolerance=1e-11
)  # fmt: skip
def conjugate_in_floats(method: str, n: int, A: Array, c: Array) -> float:
    r"""In floats too for $\kappa \le 10$ and $n \le 5$, to $10^{-11} \|x_0 - x^*\|$."""
    if not float(c @ c) > 0:
        return 0.0
    run = iterates(METHODS[method](line_search="exact", h0="identity"), quadratic(A, c), 0 * c, n)
    other = [at.x for at in itertools.islice(conjugate_gradients(A, A @ c, 0 * c), n + 1)]
    return apart(run, other, norm(c))


@claim(
    second_order(6), {**{k: v for k, v in RATIONAL.items() if k != "phi"}, "P": Exact(("n", "n"), most=2)},
    kind="equivalence", tolerance=0.0, smooth=False,
)  # fmt: skip
def preconditioned(M: Array, b: Array, P: Array) -> float:
    """BFGS from a matrix has the iterates of conjugate gradients preconditioned by it: in exact arithmetic, equal."""
    run, _ = _along(bfgs_inverse, gram(M), b, gram(P))
    other = [at.x for at in conjugate_gradients(gram(M), b, 0 * b, gram(P))]
    return identical((np.stack(run), np.stack(other)))


TO_PRECONDITION = {"P": Symmetric("n", 1.0, 5.0, log=True)}


@claim(second_order(6), {**quadratics(10.0, 3), **TO_PRECONDITION}, kind="equivalence", tolerance=1e-11)
def preconditioned_in_floats(n: int, A: Array, c: Array, P: Array) -> float:
    r"""In floats too for $\kappa(A) \le 10$, $\kappa(P) \le 5$ and $n \le 3$, to $10^{-11} \|x_0 - x^*\|$."""
    if not float(c @ c) > 0:
        return 0.0
    run = iterates(BFGS(line_search="exact", h0=P), quadratic(A, c), 0 * c, n)
    other = [at.x for at in itertools.islice(conjugate_gradients(A, A @ c, 0 * c, P), n + 1)]
    return apart(run, other, norm(c))


@claim(
    second_order(6), {**quadratics(100.0, 5, least=5), **TO_PRECONDITION}, kind="equivalence", tolerance=1e-11,
    expect="refuted", instead="quasi_newton.preconditioned_in_floats",
    witness={
        "n": 5, "c": np.array([2.0, 2.0, -3.0, 0.0, 1.0]),
        "A": np.array([[28.0, 9, -15, 10, 3], [9, 23, -20, 9, 16], [-15, -20, 29, -14, -20], [10, 9, -14, 16, 12],
                       [3, 16, -20, 12, 20]]),
        "P": np.array([[6.0, 0, -1, 1, 1], [0, 5, -1, 1, 1], [-1, -1, 6, -3, 0], [1, 1, -3, 6, 1],
                       [1, 1, 0, 1, 4]]) / 2,
    },
)  # fmt: skip
def preconditioned_in_floats_whatever_the_condition(n: int, A: Array, c: Array, P: Array) -> float:
    r"""In floats too for $\kappa(A) \le 100$ and $n = 5$; an attack finds $2 \cdot 10^{-9}$ for $\kappa(A) \le 10$."""
    return float(preconditioned_in_floats.margin(n, A, c, P))


@claim(
    second_order(7), {"phi": Choice((0.0, 0.5, 2.0)), **smooth(2)}, kind="equivalence", tolerance=1e-12
)  # fmt: skip
def dixon(phi: float, W: Array, b: Array, x: Array) -> float:
    """Dixon: with exact line searches the Broyden class has the same iterates on any smooth function."""
    f = softplus(W, b)
    run, other = (
        iterates(method, f, x, 3)
        for method in (
            Broyden(phi=phi, line_search="bisection", h0="identity"),
            BFGS(line_search="bisection", h0="identity"),
        )
    )
    return apart(run, other, 1 + norm(x))


@claim(
    second_order(8),
    {"n": Integer(2, 4), "g": Exact(("n",)), "e": Exact(("n",)), "new": Exact(("n",)), "a": Real(0.1, 10.0)},
    kind="equivalence", tolerance=0.0, smooth=False,
)  # fmt: skip
def one_pair(g: Array, e: Array, new: Array, a: float) -> float:
    r"""L-BFGS with one pair and $\gamma = 1$ has after exact steps the direction of Hestenes and Stiefel.

    And of Polak and Ribière: in exact arithmetic, equal.
    """
    if not np.any(g != 0):
        raise Outside("the run has ended")
    d = (e - (e @ g) / (g @ g) * g) - g  # the last step was exact too: g'd = -g'g
    new = new - (new @ d) / (d @ d) * d
    y = new - g
    shares = (new @ y) / (d @ y), (new @ y) / (g @ g)
    quasi = -two_loop([(Fraction(a) * d, y)], 1, new)
    return identical(*((quasi, beta * d - new) for beta in shares))


def _ratios(W: Array, b: Array, x: Array) -> list[float]:
    """Return the last five ratios of errors of BFGS before 1e-9, none of a run that is shorter."""
    f = softplus(W, b)
    best = iterates(Newton(), f, x, 30, hessian=True)[-1]
    errors = [e for e in (norm(z - best) for z in iterates(BFGS(), f, x, 40)) if e > 1e-9]
    return [after / before for before, after in itertools.pairwise(errors)][-5:] if len(errors) > 5 else []


@claim(second_order(22), smooth(), kind="limit", tolerance=0.0)
def superlinear(W: Array, b: Array, x: Array) -> float:
    r"""BFGS converges superlinearly where f is strongly convex and smooth: of the last ratios one is below 0.3.

    Of the last five $e_{k+1} / e_k$ before $10^{-9}$, in runs that have so many.
    """
    return 0.3 - min(_ratios(W, b, x), default=0.0)


@claim(
    second_order(22), smooth(), kind="limit", tolerance=0.0, expect="refuted", instead="quasi_newton.superlinear",
    witness={"n": 1, "W": np.full((3, 1), -2.0), "b": np.full(3, -2.0), "x": np.array([-3.0])},
)  # fmt: skip
def ratios_fall(W: Array, b: Array, x: Array) -> float:
    r"""Those ratios fall from one to the next."""
    return -max((after - before for before, after in itertools.pairwise(_ratios(W, b, x))), default=-1.0)
