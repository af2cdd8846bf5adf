"""What gradient statistics tell of the Hessian: Adam's view, AdaBelief's, and Gauss and Newton's."""

import numpy as np

from arrayopt.claims.claim import agreement, claim, slack
from arrayopt.claims.domain import Element, Integer, Numbers, Real, Symmetric
from arrayopt.theory import (
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


def _design(n: int) -> np.ndarray:
    """Return points with mean 0 and covariance I exactly: plus and minus root n along each axis."""
    return np.asarray(np.sqrt(n) * np.concatenate([np.eye(n), -np.eye(n)]))


@claim(SOURCE, H, kind="equality", tolerance=1e-12, portable=False)
def second_moment(n: int, H: np.ndarray, sigma: float) -> float:
    r"""$E[g g'] = \sigma^2 H H'$ for $g = H(\theta - \theta^*)$ with covariance $\sigma^2 I$ (on an exact design)."""
    g = sigma * _design(n) @ H.T
    return agreement(np.asarray(gradient_second_moment(g)), sigma**2 * H @ H.T, max(1.0, sigma**2 * 9))


@claim(SOURCE, {**H, "mean": Numbers(("n",))}, kind="equality", tolerance=1e-11, portable=False)
def covariance(n: int, H: np.ndarray, sigma: float, mean: np.ndarray) -> float:
    r"""Around any point $\mathrm{Cov}(g) = \sigma^2 H H'$: AdaBelief's view."""
    g = (mean + sigma * _design(n)) @ H.T
    size = max(1.0, 9 * sigma**2, float(mean @ mean) * 9)
    return agreement(np.asarray(gradient_covariance(g)), sigma**2 * H @ H.T, size)


@claim(SOURCE, H, infimum=0.0, tolerance=1e-12, portable=False)
def rows(n: int, H: np.ndarray, sigma: float) -> float:
    r"""$\sqrt{E[g_i^2]} / \sigma = \|H_{i,:}\| \ge |H_{ii}|$, equal where the rest of the row is zero."""
    seen = np.asarray(adam_view(sigma * _design(n) @ H.T, sigma))
    exact = agreement(seen, np.asarray(row_norms(H)), 3.0)
    return min(float(np.min(seen - np.abs(np.diag(H)))) / 3.0, exact + 1e-12)


@claim(
    SOURCE, H, kind="equality", tolerance=1e-3, portable=False, expect="refuted", instead="hessian_view.rows",
    witness={"n": 2, "H": np.array([[1.0, 1.0], [1.0, 1.0]]), "sigma": 1.0},
)  # fmt: skip
def diagonal(n: int, H: np.ndarray, sigma: float) -> float:
    r"""$\sqrt{E[g_i^2]} / \sigma$ is the diagonal of the Hessian: neither its off-diagonal part nor its sign shows."""
    return agreement(np.asarray(adam_view(sigma * _design(n) @ H.T, sigma)), np.diag(H), 3.0)


@claim(SOURCE, H, kind="equality", tolerance=1e-7, portable=False)
def magnitude(H: np.ndarray, sigma: float) -> float:
    r"""The root of $\sigma^2 H^2$ over $\sigma$ is $|H|$: eigenvalues without their signs."""
    values, q = np.linalg.eigh(H)
    return agreement(np.asarray(hessian_magnitude(sigma**2 * H @ H, sigma)), (q * np.abs(values)) @ q.T, 3.0)


@claim(
    SOURCE, {"n": Integer(1, 3), "J": Numbers((4, "n"), low=-2.0, high=2.0), "sigma": Real(0.1, 3.0)}, kind="equality",
    tolerance=1e-12, portable=False,
)  # fmt: skip
def fisher(n: int, J: np.ndarray, sigma: float) -> float:
    r"""$E[g_i g_i'] = \sigma^2 E[J J']$ for the gradients of single samples with residuals of variance $\sigma^2$."""
    jacobians = np.concatenate([J, J])[:, :, None]
    residuals = sigma * np.concatenate([np.ones(4), -np.ones(4)])[:, None]  # independent of J, mean 0
    g = per_sample_gradients(jacobians, residuals)
    size = max(1.0, 4 * sigma**2)
    return agreement(np.asarray(empirical_fisher(g)), sigma**2 * np.asarray(gauss_newton(jacobians)), size)


@claim(
    SOURCE, {"n": Integer(1, 3), "J": Numbers((4, "n"), low=-2.0, high=2.0)}, kind="equality", tolerance=1e-3,
    portable=False, expect="refuted", instead="hessian_view.fisher", witness={"n": 1, "J": np.ones((4, 1))},
)  # fmt: skip
def fisher_of_batches(n: int, J: np.ndarray) -> float:
    """The gradient of the whole batch will do in place of those of its samples: it is 0 where residuals cancel."""
    jacobians = np.concatenate([J, J])[:, :, None]
    g = np.asarray(per_sample_gradients(jacobians, np.concatenate([np.ones(4), -np.ones(4)])[:, None])).mean(axis=0)
    return agreement(np.outer(g, g), np.asarray(gauss_newton(jacobians)), 4.0)


@claim(SOURCE, {"n": Integer(1, 4), "H": Symmetric("n", 0.1, 5.0), "x": Numbers(("n",))}, kind="equality",
       tolerance=1e-11, portable=False)  # fmt: skip
def newton(H: np.ndarray, x: np.ndarray) -> float:
    """On a quadratic one step of Newton's method ends at the minimiser."""
    after = x - np.linalg.solve(H, H @ x)
    return slack(float(np.linalg.norm(after)), 0.0, max(1.0, 50 * float(np.linalg.norm(x))))
