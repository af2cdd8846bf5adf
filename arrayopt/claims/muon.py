"""Muon and the matrix sign: identities and extremal properties, exact signs throughout."""

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Choice, Element, Integer, Numbers, Orthogonal, Real
from arrayopt.claims.margins import agreement, largest, norm, same, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away, follow, whole
from arrayopt.core.orthogonal import inverse_root, msign
from arrayopt.firstorder import Muon, Shampoo, Signum, Tiger
from arrayopt.theory import dual_norm, steepest_step

MUON = article(7)
LINKS = "archives 9512 and 10592 (links between articles)"
TRAP = f"{MUON}, trap"
ROUNDING = ulps(256)
"""Singular values are 0 or within a factor of 5: a sign loses that factor, and an operation on 3 x 3 a few units."""
SQUARED = ulps(8192)
"""By way of a Gram matrix it is the square of the factor, and as much again for the root of what it leaves."""
SIZES: dict[str, Element] = {"n": Integer(1, 3), "m": Integer(1, 3)}
SVD: dict[str, Element] = {**SIZES, "u": Orthogonal("n"), "v": Orthogonal("m"), "s": Numbers((3,), low=0.0, high=2.5)}
"""A matrix of any rank; singular values under 0.5 count as 0."""
FREE: dict[str, Element] = {**SIZES, "x": Numbers(("n", "m"), low=-1.0, high=1.0)}


def spectrum(s: Array, k: int) -> Array:
    """Return the first k singular values, those under 0.5 as 0."""
    xp = namespace(s)
    return xp.where(s < 0.5, 0 * s, s)[:k]


def product(u: Array, s: Array, v: Array) -> Array:
    """Return the matrix of these singular vectors and values."""
    k = min(u.shape[0], v.shape[0])
    return (u[:, :k] * s[None, :k]) @ namespace(u).matrix_transpose(v[:, :k])


def matrix(u: Array, s: Array, v: Array) -> Array:
    """Return the matrix of an instance of `SVD`."""
    return product(u, spectrum(s, 3), v)


def _msign(x: Array) -> Array:
    return msign(namespace(x), x)


def _dot(x: Array, y: Array) -> float:
    return float(namespace(x).sum(x * y))


def _spectral(x: Array) -> float:
    return float(namespace(x).linalg.matrix_norm(x, ord=2))


def _exact(**fields: float) -> Muon:
    return Muon.preset("paper", **{"lr": 1.0, "momentum": 0.0, **fields})


def _step(rule: Muon | Shampoo, g: Array) -> Array:
    return -follow(rule, 0 * g, [g])[0]


@claim(MUON, SVD, kind="equality", tolerance=ROUNDING)
def definition(u: Array, s: Array, v: Array) -> float:
    r"""$\mathrm{msign}(M) = U_r V_r^T$ of the singular vectors with $\sigma > 0$, at any rank; of 0 it is 0."""
    xp = namespace(u)
    return agreement(_msign(matrix(u, s, v)), product(u, xp.sign(spectrum(s, 3)), v), scale=1.0)


@claim(MUON, SVD, kind="equality", tolerance=SQUARED)
def roots(u: Array, s: Array, v: Array) -> float:
    r"""$\mathrm{msign}(M) = (M M^T)^{-1/2} M = M (M^T M)^{-1/2}$, with powers on the non-zero spectrum."""
    x, xp = matrix(u, s, v), namespace(u)
    t = xp.matrix_transpose(x)
    left, right = inverse_root(xp, x @ t, order=2) @ x, x @ inverse_root(xp, t @ x, order=2)
    return same([left, right], [_msign(x)] * 2, 1.0)


@claim(MUON, SVD, kind="equivalence", tolerance=SQUARED)
def shampoo(u: Array, s: Array, v: Array) -> float:
    r"""Shampoo without memory, $(G G^T)^{-1/4} G (G^T G)^{-1/4}$, steps by $\mathrm{msign}(G)$, as Muon does."""
    g = matrix(u, s, v)
    return same([_step(Shampoo(lr=1.0, beta=0.0, eps=0.0), g), _step(_exact(), g)], [_msign(g)] * 2, 1.0)


@claim(MUON, {**SVD, "c": Real(1e-3, 1e3, log=True)}, kind="equality", tolerance=ROUNDING)
def scale_free(u: Array, s: Array, v: Array, c: float) -> float:
    r"""$\mathrm{msign}(c M) = \mathrm{msign}(M)$ for $c > 0$, and $-\mathrm{msign}(M)$ for $-c$."""
    x = matrix(u, s, v)
    return same([_msign(c * x), _msign(-c * x)], [_msign(x), -_msign(x)], 1.0)


@claim(MUON, {**SVD, "q": Orthogonal("n"), "p": Orthogonal("m")}, kind="equality", tolerance=ROUNDING)
def turns(u: Array, s: Array, v: Array, q: Array, p: Array) -> float:
    r"""$\mathrm{msign}(Q M P) = Q \, \mathrm{msign}(M) P$ for orthogonal Q and P."""
    x = matrix(u, s, v)
    return agreement(_msign(q @ x @ p), q @ _msign(x) @ p, scale=1.0)


@claim(MUON, SVD, kind="equality", tolerance=ROUNDING)
def transposes(u: Array, s: Array, v: Array) -> float:
    r"""$\mathrm{msign}(M^T) = \mathrm{msign}(M)^T$."""
    x, transpose = matrix(u, s, v), namespace(u).matrix_transpose
    return agreement(_msign(transpose(x)), transpose(_msign(x)), scale=1.0)


@claim(MUON, SVD, kind="equality", tolerance=ROUNDING)
def partial_isometry(u: Array, s: Array, v: Array) -> float:
    r"""$O O^T O = O$ for $O = \mathrm{msign}(M)$, and $\|O\|_F^2$ is the rank of M."""
    o = _msign(matrix(u, s, v))
    rank = float(namespace(s).sum(namespace(s).sign(spectrum(s, min(o.shape)))))
    return min(
        agreement(o @ namespace(o).matrix_transpose(o) @ o, o, scale=1.0), agreement(_dot(o, o), rank, scale=1.0)
    )


@claim(
    MUON, SVD, kind="equality", tolerance=1e-3, expect="refuted", instead="muon.partial_isometry",
    witness={"n": 1, "m": 1, "u": np.eye(1), "v": np.eye(1), "s": np.zeros(3)},
)  # fmt: skip
def orthogonal(u: Array, s: Array, v: Array) -> float:
    r"""$O = \mathrm{msign}(M)$ is orthogonal, $O O^T = I$ for the smaller side; but only at full rank."""
    o, xp = _msign(matrix(u, s, v)), namespace(u)
    o = xp.matrix_transpose(o) if o.shape[0] > o.shape[1] else o
    return agreement(o @ xp.matrix_transpose(o), xp.eye(o.shape[0], dtype=o.dtype), scale=1.0)


DIAGONAL: dict[str, Element] = {
    "n": Integer(1, 4), "steps": Integer(1, 3), "g": Numbers(("steps", "n")), "p": Numbers(("n",)),
    "decay": Real(0.0, 0.5),
}  # fmt: skip


def _diagonal(x: Array) -> Array:
    xp = namespace(x)
    return xp.eye(x.shape[0], dtype=x.dtype) * x[None, :]


@claim(f"{MUON}; {LINKS}", DIAGONAL, kind="equivalence", tolerance=ulps(64))
def diagonal(g: Array, p: Array, decay: float) -> float:
    """On diagonal matrices Muon is Signum, and Tiger without its scale."""
    g = whole(g)  # no rounding decides a sign
    matrices = [_diagonal(g[t, :]) for t in range(g.shape[0])]
    matrix = follow(_exact(momentum=0.5, lr=0.1, weight_decay=decay), _diagonal(p), matrices)
    signum = follow(Signum(momentum=0.5, lr=0.1, weight_decay=decay), p, g)
    tiger = follow(Tiger(beta=0.5, scale="none", lr=0.1, weight_decay=decay), p, g)
    return min(same(matrix, [_diagonal(x) for x in path], largest(p)) for path in (signum, tiger))


@claim(
    f"{MUON}; {LINKS}", FREE, kind="equivalence", tolerance=0.05, expect="refuted", instead="muon.diagonal",
    witness={"n": 2, "m": 2, "x": np.asarray([[3.0, 1.0], [0.0, 2.0]])},
)  # fmt: skip
def any_matrix(x: Array) -> float:
    """On any matrix Muon is Tiger without its scale."""
    return agreement(_step(_exact(), away(x)), follow(Tiger(lr=1.0, scale="none"), 0 * x, [-away(x)])[0], scale=1.0)


@claim(f"{MUON}; {LINKS}", {"n": Integer(1, 5), "steps": Integer(1, 3), "g": Numbers(("steps", "n")),
                            "mu": Real(0.0, 0.5)}, kind="equivalence", tolerance=ulps(256))  # fmt: skip
def column(g: Array, mu: float) -> float:
    r"""On a column Muon is momentum over its length, $m / \|m\|_2$; on a number the sign."""
    g = away(abs(g))  # of one sign, so that no momentum cancels
    t = g.shape[0]
    m = sum((mu ** (t - 1 - s) * g[s, :] for s in range(1, t)), mu ** (t - 1) * g[0, :])
    path = follow(_exact(momentum=mu), 0 * g[0, :, None], [g[s, :, None] for s in range(t)])
    before = path[-2] if t > 1 else 0 * path[-1]
    return agreement((before - path[-1])[:, 0], m / norm(m), scale=float(t))


@claim(MUON, {"steps": Integer(1, 3), **SVD, "mu": Real(0.0, 0.9)}, kind="equivalence", tolerance=ROUNDING)
def ball_is_mean(u: Array, s: Array, v: Array, steps: int, mu: float) -> float:
    r"""With an exact sign the momentum needs no factor $1 - \beta$: heavy ball and running mean step alike."""
    x = matrix(u, s, v)
    ball = _exact(momentum=mu)
    return same(follow(ball, 0 * x, [x] * steps), follow(ball.replace(form="ema"), 0 * x, [x] * steps), float(steps))


@claim(MUON, {"steps": Integer(1, 3), **FREE, "g": Numbers(("steps", "n", "m")), "mu": Real(0.0, 0.9)},
       kind="equivalence", tolerance=1e-9)  # fmt: skip
def nesterov(x: Array, g: Array, mu: float) -> float:
    r"""Nesterov's form steps by $\mathrm{msign}(\beta M_t + G_t)$ with $M_t = \beta M_{t-1} + G_t$."""
    m, p, path = 0 * x, x, []
    for t in range(g.shape[0]):
        m = mu * m + g[t, :, :]
        ahead = mu * m + g[t, :, :]
        if float(namespace(x).min(namespace(x).linalg.svdvals(ahead))) < 1e-3:
            raise Outside  # a sign of what rounding leaves
        p = p - _msign(ahead)
        path.append(p)
    rule = _exact(momentum=mu).replace(nesterov="heavy")
    return same(follow(rule, x, [g[t, :, :] for t in range(g.shape[0])]), path, largest(x, p))


@claim(MUON, SVD, kind="equality", tolerance=ROUNDING)
def nuclear(u: Array, s: Array, v: Array) -> float:
    r"""$\langle M, \mathrm{msign}(M) \rangle = \|M\|_*$, the dual of the spectral norm."""
    x = matrix(u, s, v)
    total = float(namespace(s).sum(spectrum(s, min(x.shape))))
    return agreement([_dot(x, _msign(x)), float(dual_norm(x, "spectral"))], [total] * 2, scale=1 + total)


@claim(MUON, {**SVD, "x": Numbers(("n", "m"), low=-1.0, high=1.0)}, tolerance=ROUNDING, infimum=0.0)
def steepest(u: Array, s: Array, v: Array, x: Array) -> float:
    r"""Of all $\|\Phi\|_2 \le 1$ $\mathrm{msign}(M)$ has the largest $\langle M, \Phi \rangle$: $\|M\|_*$."""
    m = matrix(u, s, v)
    best = _dot(m, _msign(m))
    return slack(_dot(m, x / max(1.0, _spectral(x))), best) if best > 0 else 1.0


RANKS: dict[str, Element] = {**SVD, "t": Real(0.1, 1.0)}


def _with_null(u: Array, s: Array, v: Array, t: float) -> tuple[Array, Array, float]:
    """Return M, a Phi that adds t to the last singular value that is 0 of its sign, and how far it is from that."""
    xp = namespace(u)
    signs = xp.sign(spectrum(s, 3))
    return (
        matrix(u, s, v),
        product(u, signs + t * (1 - signs), v),
        float(xp.max((1 - signs)[: min(u.shape[0], v.shape[0])])) * t,
    )


@claim(TRAP, RANKS, kind="equality", tolerance=ROUNDING)
def other_maximisers(u: Array, s: Array, v: Array, t: float) -> float:
    r"""$\mathrm{msign}(M) + N$ is as good for N on the null spaces of M with $\|N\|_2 \le 1$."""
    m, phi, _ = _with_null(u, s, v, t)
    best = _dot(m, _msign(m))
    return min(agreement(_dot(m, phi), best, scale=1 + best), min(0.0, 1 - _spectral(phi)))


@claim(
    TRAP, RANKS, expect="refuted", instead="muon.other_maximisers",
    witness={"n": 1, "m": 1, "u": np.eye(1), "v": np.eye(1), "s": np.zeros(3), "t": 0.5},
)  # fmt: skip
def unique_maximiser(u: Array, s: Array, v: Array, t: float) -> float:
    r"""No other $\|\Phi\|_2 \le 1$ has $\langle M, \Phi\rangle$ as large as $\mathrm{msign}(M)$; but only at full rank.

    It is less by $10^{-6}$ of the distance, say.
    """
    m, phi, far = _with_null(u, s, v, t)
    return _dot(m, _msign(m) - phi) - 1e-6 * far


@claim(MUON, {"n": Integer(1, 3), "x": Numbers(("n", "n"), low=-1.0, high=1.0), "o": Orthogonal("n")},
       tolerance=ROUNDING, infimum=0.0)  # fmt: skip
def nearest(x: Array, o: Array) -> float:
    r"""Of all orthogonal matrices none is nearer to a square M than $\mathrm{msign}(M)$, in the Frobenius norm."""
    return slack(norm(_msign(x) - x), norm(o - x))


@claim(TRAP, SVD, kind="equality", tolerance=ROUNDING)
def steepest_descent(u: Array, s: Array, v: Array) -> float:
    r"""Steepest descent under the spectral norm is Muon's step times the scalar $\|G\|_*$."""
    g = matrix(u, s, v)
    total = float(namespace(s).sum(spectrum(s, min(g.shape))))
    return agreement(steepest_step(g, 1.0, "spectral"), -total * _step(_exact(), g), scale=1 + total)


@claim(
    TRAP, SVD, kind="equality", tolerance=1e-3, expect="refuted", instead="muon.steepest_descent",
    witness={"n": 1, "m": 1, "u": np.eye(1), "v": np.eye(1), "s": np.full(3, 2.0)},
)  # fmt: skip
def steepest_descent_itself(u: Array, s: Array, v: Array) -> float:
    """Steepest descent under the spectral norm is Muon's step; but that drops the scalar into the rate."""
    g = matrix(u, s, v)
    return agreement(steepest_step(g, 1.0, "spectral"), -_step(_exact(), g))


@claim(MUON, {"rule": Choice((Muon(eps=0.0), Muon.preset("paper"), Muon.preset("torch", weight_decay=0.0))), **FREE},
       kind="equality", tolerance=0.0)  # fmt: skip
def zero_gradient(rule: Muon, x: Array) -> float:
    """Without a gradient Muon leaves a matrix where it is, though a sign has no size."""
    return agreement(follow(rule, x, [0 * x])[0], x)
