"""What gradient statistics tell of the Hessian: Adam's view, AdaBelief's, and Gauss and Newton's."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Element, Integer, Numbers, Real, Symmetric
from arrayopt.claims.margins import agreement, largest, same, ulps
from arrayopt.claims.walks import LR, WALK, slot, states, updates
from arrayopt.firstorder import SGD, Adam
from arrayopt.theory import (
    adabelief_view,
    adam_hessian,
    adam_view,
    empirical_fisher,
    gauss_newton,
    gradient_covariance,
    gradient_second_moment,
    hessian_magnitude,
    per_sample_gradients,
    row_norms,
)

SOURCE = "archive 10588, arXiv 2304.09871 (section 6)"
H: dict[str, Element] = {"n": Integer(1, 4), "H": Symmetric("n", -3.0, 3.0), "sigma": Real(0.1, 3.0)}


def _gradients(H: Array, sigma: float, mean: float | Array = 0.0) -> Array:
    """Return H(theta - theta*) at points of this mean and covariance sigma^2 I: along each axis, one on either side."""
    xp, n = namespace(H), H.shape[0]
    axes = math.sqrt(n) * xp.eye(n, dtype=H.dtype)
    return (mean + sigma * xp.concat([axes, -axes])) @ H  # which is symmetric


def _residuals(J: Array, sigma: float) -> tuple[Array, Array]:
    """Return each Jacobian twice, with residuals of either sign: independent of it, of mean 0 and variance sigma^2."""
    xp = namespace(J)
    one = xp.full((J.shape[0], 1), sigma, dtype=J.dtype)
    return xp.concat([J, J])[:, :, None], xp.concat([one, -one])


@claim(SOURCE, H, kind="equality", tolerance=1e-12)
def second_moment(H: Array, sigma: float) -> float:
    r"""$E[g g'] = \sigma^2 H H'$ for $g = H(\theta - \theta^*)$ with covariance $\sigma^2 I$ (on an exact design)."""
    found = gradient_second_moment(_gradients(H, sigma))
    return agreement(found, sigma**2 * H @ H, max(1.0, sigma**2 * 9))


@claim(SOURCE, {**H, "mean": Numbers(("n",))}, kind="equality", tolerance=1e-11)
def covariance(H: Array, sigma: float, mean: Array) -> float:
    r"""Around any point $\mathrm{Cov}(g) = \sigma^2 H H'$: AdaBelief sees norms of rows there, too."""
    size, g = 9 * max(1.0, sigma, largest(mean)) ** 2, _gradients(H, sigma, mean)
    seen = agreement(adabelief_view(g, sigma), row_norms(H), size / sigma)
    return min(agreement(gradient_covariance(g), sigma**2 * H @ H, size), seen)


@claim(SOURCE, H, kind="equality", tolerance=1e-12)
def mean_gradient(H: Array, sigma: float) -> float:
    r"""Their mean is 0, so that a first mean is not to be as long as a second one: $\beta_1 < \beta_2$."""
    g = _gradients(H, sigma)
    return agreement(namespace(g).sum(g, axis=0), 0 * g[0, :], max(1.0, 3 * sigma))


@claim(SOURCE, H, infimum=0.0, tolerance=1e-12)
def rows(H: Array, sigma: float) -> float:
    r"""$\sqrt{E[g_i^2]} / \sigma = \|H_{i,:}\| \ge |H_{ii}|$, equal where the rest of the row is zero."""
    seen, xp = adam_view(_gradients(H, sigma), sigma), namespace(H)
    exact = agreement(seen, row_norms(H), 3.0)
    return min(float(xp.min(seen - xp.abs(xp.linalg.diagonal(H)))) / 3.0, exact + 1e-12)


@claim(
    SOURCE, H, kind="equality", tolerance=1e-3, expect="refuted", instead="hessian_view.rows",
    witness={"n": 2, "H": np.array([[1.0, 1.0], [1.0, 1.0]]), "sigma": 1.0},
)  # fmt: skip
def diagonal(H: Array, sigma: float) -> float:
    r"""$\sqrt{E[g_i^2]} / \sigma$ is the diagonal of the Hessian: neither its off-diagonal part nor its sign shows."""
    return agreement(adam_view(_gradients(H, sigma), sigma), namespace(H).linalg.diagonal(H), 3.0)


@claim(SOURCE, H, kind="equality", tolerance=1e-7)
def magnitude(H: Array, sigma: float) -> float:
    r"""The root of $\sigma^2 H^2$ over $\sigma$ is $|H|$: eigenvalues without their signs."""
    xp = namespace(H)
    values, q = xp.linalg.eigh(H)
    size = (q * xp.abs(values)[None, :]) @ xp.matrix_transpose(q)
    return agreement(hessian_magnitude(sigma**2 * H @ H, sigma), size, 3.0)


@claim(
    SOURCE, {"n": Integer(1, 3), "J": Numbers((4, "n"), low=-2.0, high=2.0), "sigma": Real(0.1, 3.0)}, kind="equality",
    tolerance=1e-12,
)  # fmt: skip
def fisher(J: Array, sigma: float) -> float:
    r"""$E[g_i g_i'] = \sigma^2 E[J J']$ for the gradients of single samples with residuals of variance $\sigma^2$."""
    jacobians, residuals = _residuals(J, sigma)
    found = empirical_fisher(per_sample_gradients(jacobians, residuals))
    return agreement(found, sigma**2 * gauss_newton(jacobians), max(1.0, 4 * sigma**2))


@claim(
    SOURCE, {"n": Integer(1, 3), "J": Numbers((4, "n"), low=-2.0, high=2.0)}, kind="equality", tolerance=1e-3,
    expect="refuted", instead="hessian_view.fisher", witness={"n": 1, "J": np.ones((4, 1))},
)  # fmt: skip
def fisher_of_batches(J: Array) -> float:
    """The gradient of the whole batch will do in place of those of its samples: it is 0 where residuals cancel."""
    xp, (jacobians, residuals) = namespace(J), _residuals(J, 1.0)
    g = xp.mean(per_sample_gradients(jacobians, residuals), axis=0)
    return agreement(g[:, None] * g[None, :], gauss_newton(jacobians), 4.0)


@claim(SOURCE, {"n": Integer(1, 4), "H": Symmetric("n", 0.1, 5.0), "x": Numbers(("n",))}, kind="equality",
       tolerance=1e-11)  # fmt: skip
def newton(H: Array, x: Array) -> float:
    """On a quadratic one step of Newton's method ends at the minimiser."""
    after = x - namespace(H).linalg.solve(H, H @ x)
    return agreement(after, 0 * x, 50 * largest(x))


@claim(SOURCE, {**WALK, "lr": LR, "eps": Real(1e-8, 1.0, log=True)}, kind="equality", tolerance=ulps(64))
def adam(p: Array, g: Array, lr: float, eps: float) -> float:
    r"""Adam's step is Newton's, $H^{-1} \hat m$ for $H = \mathrm{diag}(\sqrt{\hat v} + \epsilon) / \eta$."""
    rule, t = Adam(lr=lr, eps=eps), g.shape[0]
    state = states(rule, g)[-1]
    m, v = slot(state, "m") / (1 - rule.beta1**t), slot(state, "v") / (1 - rule.beta2**t)
    return agreement(updates(rule, g)[-1], m / adam_hessian(v, lr, eps), lr)


@claim(SOURCE, {**WALK, "lr": LR}, kind="equality", tolerance=ulps(4))
def gradient_descent(p: Array, g: Array, lr: float) -> float:
    r"""That of gradient descent is Newton's for the Hessian $I / \eta$."""
    size = lr * largest(g)
    return same(updates(SGD(lr=lr), g), [g[t, :] / adam_hessian(0 * g[t, :], lr, 1.0) for t in range(g.shape[0])], size)
