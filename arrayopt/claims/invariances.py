"""What changes nothing: linear changes of variables, multiples of f, the order and the origin of variables."""

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Orthogonal
from arrayopt.claims.margins import identical, norm
from arrayopt.claims.runs import Function, apart, iterates, smooth, softplus
from arrayopt.claims.sources import second_order
from arrayopt.core.method import Method
from arrayopt.problems import rosenbrock
from arrayopt.secondorder import (
    BFGS,
    DFP,
    LBFGS,
    LBFGSB,
    SR1,
    Broyden,
    ConjugateGradient,
    Newton,
    NewtonCG,
    SteepestDescent,
    TrustRegion,
)
from arrayopt.secondorder.conjugate_gradient import SHARES

SCALED: dict[str, Method] = {
    **{f"steepest_{s}": SteepestDescent(line_search=s) for s in ("armijo", "weak_wolfe", "hager_zhang")},
    **{f"cg_{b}": ConjugateGradient(beta=b) for b in SHARES},  # type: ignore[arg-type]
    "cg_parabola": ConjugateGradient(beta="hz", first="hager_zhang"),
    "newton": Newton(), "newton_pure": Newton(damping="none", modification="none"),
    "newton_gmw": Newton(modification="gmw"), "newton_eigenvalues": Newton(modification="eigenvalues"),
    "newton_cg": NewtonCG(),
    **{f"trust_{s}": TrustRegion(subproblem=s) for s in ("exact", "dogleg", "steihaug")},
    "bfgs": BFGS(), "dfp": DFP(), "broyden": Broyden(), "sr1": SR1(), "bfgs_slopes": BFGS(line_search="hager_zhang"),
    **{f"lbfgs_{f}": LBFGS(form=f) for f in ("gram", "two_loop", "compact")},
    "lbfgsb": LBFGSB(bounds=[(-2.5, 0.5), (None, None)]),
}  # fmt: skip


def _rosenbrock(unit: float) -> Function:
    """Return a multiple of a function of two variables that is not convex."""
    f = rosenbrock(2)
    return Function(lambda x: unit * f.value(x), lambda x: unit * f.gradient(x), lambda x: unit * f.hessian(x))


@claim(
    second_order(25),
    {"method": Choice(tuple(SCALED)), "k": Integer(-100, 100), "x": Numbers((2,), low=-2.0, high=2.0)},
    kind="equivalence", tolerance=0.0,
)  # fmt: skip
def multiples(method: str, k: int, x: Array) -> float:
    r"""Bit for bit, $2^k f$ has the iterates of f: for each method here, whose thresholds are free of scale."""
    run, other = (iterates(SCALED[method], _rosenbrock(unit), x, 8, hessian=True) for unit in (1.0, 2.0**k))
    return identical((len(run), len(other)), *zip(run, other, strict=False))


@claim(
    second_order(25),
    {"method": Choice(("bfgs", "sgd")), "k": Integer(-100, 100), "x": Numbers((2,), low=-2.0, high=2.0)},
    kind="equivalence", tolerance=0.0, expect="refuted", instead="invariances.multiples",
    witness={"method": "bfgs", "k": 5, "x": np.array([-1.2, 1.0])},
)  # fmt: skip
def multiples_anyway(method: str, k: int, x: Array) -> float:
    r"""Any method has them: not with a fixed rate, nor BFGS from $H_0 = I$."""
    if method == "sgd":
        steps = [x - 1e-3 * _rosenbrock(unit).gradient(x) for unit in (1.0, 2.0**k)]
        return identical((steps[0], steps[1]))
    run, other = (iterates(BFGS(h0="identity"), _rosenbrock(unit), x, 4) for unit in (1.0, 2.0**k))
    return identical((len(run), len(other)), *zip(run, other, strict=False))


def _with(**more: Element) -> dict[str, Element]:
    """Return the domain of smooth functions, and a linear map of condition at most 10 and a shift."""
    return {
        **smooth(), "U": Orthogonal("n"), "V": Orthogonal("n"), "scale": Numbers(("n",), low=0.0, high=1.0),
        "shift": Numbers(("n",), low=-1.0, high=1.0), **more,
    }  # fmt: skip


def _mapped(f: Function, A: Array, c: Array) -> Function:
    """Return f(A y + c) as a function of y."""
    return Function(
        lambda y: f.value(A @ y + c), lambda y: A.T @ f.gradient(A @ y + c), lambda y: A.T @ f.hessian(A @ y + c) @ A
    )


def _covariant(
    method: Method, other: Method, W: Array, b: Array, x: Array, A: Array, back: Array, c: Array, steps: int
) -> float:
    """Compare runs, until the gradient is so small that values hide how they should go on."""
    f = softplus(W, b)
    run = iterates(method, f, x, steps, hessian=True)
    seen = [k for k, z in enumerate(run) if norm(f.gradient(z)) < 1e-3]
    run = run[: seen[0] + 1] if seen else run
    mapped = [A @ y + c for y in iterates(other, _mapped(f, A, c), back @ (x - c), steps, hessian=True)]
    return apart(run, mapped, 1 + norm(x) + norm(c))


def _map(U: Array, V: Array, scale: Array) -> tuple[Array, Array]:
    """Return a matrix with singular values from 1 to 10, and its inverse."""
    values = 10.0**scale
    return (U * values) @ V, (V.T / values) @ U.T


NEWTON = {
    "pure": Newton(damping="none", modification="none"), "more_thuente": Newton(),
    "armijo": Newton(line_search="armijo"), "hager_zhang": Newton(line_search="hager_zhang"),
}  # fmt: skip


@claim(second_order(24), {"method": Choice(tuple(NEWTON)), **_with()}, kind="equivalence", tolerance=1e-8)
def newton(method: str, W: Array, b: Array, x: Array, U: Array, V: Array, scale: Array, shift: Array) -> float:
    r"""Newton's iterates on $f(A y + c)$ are the images of those on f, for convex f and $\kappa(A) \le 10$."""
    A, back = _map(U, V, scale)
    return _covariant(NEWTON[method], NEWTON[method], W, b, x, A, back, shift, 3)


@claim(second_order(24), _with(), kind="equivalence", tolerance=1e-8)
def bfgs(W: Array, b: Array, x: Array, U: Array, V: Array, scale: Array, shift: Array) -> float:
    r"""Those of BFGS are if it starts from $A^{-1} H_0 A^{-T}$."""
    A, back = _map(U, V, scale)
    H, eye = back @ back.T, namespace(W).eye(x.shape[0], dtype=W.dtype)
    return _covariant(BFGS(h0=eye), BFGS(h0=(H + H.T) / 2), W, b, x, A, back, shift, 5)


@claim(
    second_order(24), {"method": Choice(("bfgs", "cg")), **_with()}, kind="equivalence", tolerance=1e-8,
    expect="refuted", instead="invariances.bfgs",
    witness={"method": "cg", "n": 2, "W": np.zeros((3, 2)), "b": np.zeros(3), "x": np.ones(2), "U": np.eye(2),
             "V": np.eye(2), "scale": np.array([0.0, 1.0]), "shift": np.zeros(2)},
)  # fmt: skip
def gradients_alone(method: str, W: Array, b: Array, x: Array, U: Array, V: Array, scale: Array, shift: Array) -> float:
    """Those of BFGS from the same start, and of conjugate gradients, do not depend on coordinates either."""
    A, back = _map(U, V, scale)
    m: Method = BFGS(h0="identity") if method == "bfgs" else ConjugateGradient()
    return _covariant(m, m, W, b, x, A, back, shift, 3)


TURNED: dict[str, Method] = {
    "steepest": SteepestDescent(), **{f"cg_{b}": ConjugateGradient(beta=b) for b in SHARES},  # type: ignore[arg-type]
    "bfgs": BFGS(), "lbfgs": LBFGS(), "newton": Newton(), "trust": TrustRegion(),
}  # fmt: skip


@claim(
    second_order(26), {"method": Choice(tuple(TURNED)), **smooth(), "shift": Numbers(("n",), low=-4.0, high=4.0)},
    kind="equivalence", tolerance=1e-12,
)  # fmt: skip
def order_and_origin(method: str, n: int, W: Array, b: Array, x: Array, shift: Array) -> float:
    r"""Another order or origin of the variables changes nothing but rounding, over five iterations.

    And until $\|g\| < 10^{-3}$: where differences of values are lost in rounding, searches may accept another step.
    """
    xp, m = namespace(W), TURNED[method]
    last_first = xp.astype(xp.arange(n)[:, None] == (xp.arange(n)[None, :] + 1) % n, W.dtype)
    nothing = 0 * shift
    return min(
        _covariant(m, m, W, b, x, last_first, last_first.T, nothing, 5),
        _covariant(m, m, W, b, x, xp.eye(n, dtype=W.dtype), xp.eye(n, dtype=W.dtype), shift, 5),
    )
