"""CMA-ES: evolution strategy with an adapted covariance matrix."""

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace, namespace, to_numpy
from arrayopt.core.options import Positive
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling.cma_constants import Constants, Edition, tutorial_constants
from arrayopt.sampling.gaussian_search import GaussianSearch, SearchState, by_rank


class Model(NamedTuple):
    r"""The distribution of CMA-ES; axes in front are independent runs.

    Attributes
    ----------
    sigma : array, shape (..., 1)
    C : array, shape (..., n, n)
    B, D : array, shape (..., n, n) and (..., n)
        Eigenvectors of C, in columns, and roots of its eigenvalues, as of generation `decomposed`.
    p_sigma, p_c : array, shape (..., n)
        Evolution paths.
    decomposed : int
    """

    sigma: Array
    C: Array
    B: Array
    D: Array
    p_sigma: Array
    p_c: Array
    decomposed: int


@final
@dataclass(frozen=True, kw_only=True)
class CMAES(GaussianSearch):
    r"""CMA-ES with weighted recombination, cumulative step-size adaptation and an active update of C.

    .. math::

        x_i &= m + \sigma y_i, \quad y_i = B D z_i, \quad z_i \sim N(0, I), \quad C = B D^2 B' \\
        \langle y \rangle &= \sum_{i \le \mu} w_i y_{i:\lambda}, \quad m \leftarrow m + c_m \sigma \langle y \rangle \\
        p_\sigma &\leftarrow (1 - c_\sigma) p_\sigma
            + \sqrt{c_\sigma (2 - c_\sigma) \mu_{eff}} \, C^{-1/2} \langle y \rangle \\
        \sigma &\leftarrow \sigma \exp\Bigl(\frac{c_\sigma}{d_\sigma}
            \Bigl(\frac{\|p_\sigma\|}{\chi_n} - 1\Bigr)\Bigr) \\
        p_c &\leftarrow (1 - c_c) p_c + h_\sigma \sqrt{c_c (2 - c_c) \mu_{eff}} \, \langle y \rangle \\
        C &\leftarrow \bigl(1 + c_1 (1 - h_\sigma) c_c (2 - c_c) - c_1 - c_\mu \textstyle\sum_j w_j\bigr) C
            + c_1 p_c p_c' + c_\mu \sum_i w_i^\circ y_{i:\lambda} y_{i:\lambda}'

    with :math:`w_i^\circ = w_i` for :math:`w_i \ge 0`, else :math:`w_i n / \|C^{-1/2} y_{i:\lambda}\|^2`, and
    :math:`h_\sigma = 1` while :math:`\|p_\sigma\| < (1.4 + 2 / (n + 1)) \chi_n \sqrt{1 - (1 - c_\sigma)^{2 (t + 1)}}`,
    else 0. C is decomposed every :math:`l / (10 n (c_1 + c_\mu))` generations.

    Parameters
    ----------
    sigma, popsize, tolfun, tolfunhist, tolx, tolstagnation, tolxstagnation, tolfacupx, tolupsigma, tolconditioncov
        See `GaussianSearch`, as for `tolflatfitness`.
    active : bool
        Shrink C along the steps of the worse half.
    edition : {"2016", "2023"}
        Of the tutorial; see `tutorial_constants`.
    lazy : float
        l > 0: 1 as in the tutorial, 5 as in pycma's purecma. From n = 40 on the decompositions are most of the time.
    constants : Constants, optional
        In place of those of the tutorial.

    Notes
    -----
    Nothing but the ranks of values matters. Rotating or scaling space and start changes nothing. Other linear maps do,
    even with C mapped along: the symmetric root of C turns the path :math:`p_\sigma` by another angle each generation.

    References
    ----------
    Hansen, The CMA evolution strategy: a tutorial, arXiv 1604.00772, figure 6 and table 1.

    Examples
    --------
    >>> method, state = CMAES(sigma=0.5), CMAES(sigma=0.5).init(np.ones(3), seed=1)
    >>> while not (stop := method.stopped(state)):
    ...     x = method.ask(state)
    ...     state = method.tell(state, x, (x**2).sum(axis=-1))
    >>> bool(state.best_f < 1e-11), stop.status.name
    (True, 'CONVERGED')
    """

    active: bool = True
    edition: Edition = "2016"
    lazy: Positive = 1.0
    constants: Constants | None = None

    def settled(self, n: int) -> Constants:
        """Return the constants in n dimensions."""
        if self.constants is None:
            return tutorial_constants(n, self.size(n), self.active, self.edition)
        if (self.constants.n, self.constants.popsize) != (n, self.size(n)):
            k, wanted = self.constants, f"n = {n} and popsize = {self.size(n)}"
            raise OptionError(f"CMAES: constants: made for n = {k.n} and popsize = {k.popsize}, expected {wanted}")
        return self.constants

    def init(self, x0: Array, seed: int = 0, C: Array = None) -> SearchState:
        """Return the state of runs that start at `x0`, with the covariance matrix sigma^2 C; C = I by default.

        Raises
        ------
        LeafError
            If C is not symmetric and positive definite, or of another shape than (..., n, n).
        """
        state = super().init(x0, seed)
        if C is None:
            return state
        return self._with(state, C)

    def _with(self, state: SearchState, C: Array) -> SearchState:
        xp, shape = namespace(state.mean), tuple(state.mean.shape)
        if tuple(C.shape)[-2:] != (shape[-1], shape[-1]) or not xp.isdtype(C.dtype, "real floating"):
            raise LeafError(f"C: expected a real matrix of shape {(*shape, shape[-1])}, got {tuple(C.shape)}")
        host = to_numpy(C)
        if not np.allclose(host, np.swapaxes(host, -1, -2), atol=0) or not np.all(np.linalg.eigvalsh(host) > 0):
            raise LeafError("C: expected a symmetric positive definite matrix")
        C = xp.asarray(xp.broadcast_to(C, (*shape, shape[-1])), dtype=state.mean.dtype, copy=True)
        C, B, D = decomposed(xp, C)
        model = state.model._replace(C=C, B=B, D=D)
        std = to_numpy(self.shaped(xp, model, 0)[0]).reshape(-1, shape[-1])
        return state._replace(model=model, record=state.record._replace(std0=std))

    def started(self, xp: Namespace, x0: Array) -> Model:
        """C = I, and no paths."""
        n, where = int(x0.shape[-1]), device(x0)
        self.settled(n)
        eye = xp.broadcast_to(xp.eye(n, dtype=x0.dtype, device=where), (*x0.shape, n))
        sigma = xp.full((*x0.shape[:-1], 1), self.sigma, dtype=x0.dtype, device=where)
        zero = xp.zeros_like(x0)
        return Model(sigma, eye, eye, xp.ones_like(x0), zero, zero, 0)

    def displaced(self, xp: Namespace, model: Model, z: Array) -> Array:
        """Return sigma B D z."""
        return (z * (model.sigma * model.D)[..., None, :]) @ model.B.mT

    def adapted(self, xp: Namespace, state: SearchState, d: Array, ranks: np.ndarray) -> tuple[Array, Model]:
        """Hansen, figure 6."""
        sigma, C, B, D, p_sigma, p_c, last = state.model
        n, t = int(d.shape[-1]), state.t + 1
        k = self.settled(n)
        plus, signed = by_rank(k.tables, ranks, d)
        y = d / sigma[..., None]
        iso = (y @ B) / D[..., None, :]  # of C^(-1/2) y in the basis B
        plus = plus[..., None, :]
        step = (plus @ y)[..., 0, :]
        turned = (plus @ iso @ B.mT)[..., 0, :]
        mean = state.mean + (k.c_m * sigma) * step
        p_sigma = (1 - k.c_sigma) * p_sigma + (k.c_sigma * (2 - k.c_sigma) * k.mu_eff) ** 0.5 * turned
        length = xp.sqrt((p_sigma[..., None, :] @ p_sigma[..., :, None])[..., 0])
        bound = (1.4 + 2 / (n + 1)) * k.chi_n * (1 - (1 - k.c_sigma) ** (2 * t)) ** 0.5
        h = xp.astype(length <= bound, d.dtype)  # with c_sigma = 0 both are 0
        p_c = (1 - k.c_c) * p_c + h * ((k.c_c * (2 - k.c_c) * k.mu_eff) ** 0.5 * step)
        sigma = sigma * xp.exp((k.c_sigma / k.d_sigma) * (length / k.chi_n - 1))
        if k.c_1 + k.c_mu > 0:
            squares = (iso[..., None, :] @ iso[..., :, None])[..., 0, 0]
            tiny = float(xp.finfo(d.dtype).smallest_normal)
            scaled = xp.where(signed < 0, signed * (n / (squares + tiny)), signed)
            keep = (1 - k.c_1 - k.c_mu * k.sum) + (k.c_1 * k.c_c * (2 - k.c_c)) * (1 - h)
            C = keep[..., None] * C + (y * (k.c_mu * scaled)[..., None]).mT @ y
            C = C + (k.c_1 * p_c)[..., :, None] * p_c[..., None, :]
            if t - last >= self.lazy * k.gap:
                C, B, D = decomposed(xp, C)
                last = t
        return mean, Model(sigma, C, B, D, p_sigma, p_c, last)

    def shaped(self, xp: Namespace, model: Model, t: int) -> Any:
        """Return sigma sqrt(diag C), ..., and the axis of this generation."""
        n, D = int(model.D.shape[-1]), model.D
        std = model.sigma * xp.sqrt(xp.linalg.diagonal(model.C))
        most, least = xp.max(D, axis=-1, keepdims=True), xp.min(D, axis=-1, keepdims=True)
        i = t % n
        axis = (model.sigma * D)[..., i : i + 1] * model.B[..., :, i]
        return std, model.sigma / most, model.sigma * model.p_c, axis, (most / least) ** 2


def decomposed(xp: Namespace, C: Array) -> tuple[Array, Array, Array]:
    """Return C made symmetric, its eigenvectors in columns, and the roots of its eigenvalues.

    An eigenvalue below what rounding of the greatest leaves is replaced by that; the condition number then ends the
    run.
    """
    C = (C + C.mT) / 2
    values, B = xp.linalg.eigh(C)
    floor = float(xp.finfo(C.dtype).eps) * values[..., -1:]
    return C, B, xp.sqrt(xp.maximum(values, floor))
