"""sep-CMA-ES: CMA-ES with a diagonal covariance matrix, in time and memory O(n)."""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace
from arrayopt.sampling.cma_constants import Constants, tutorial_constants
from arrayopt.sampling.gaussian_search import GaussianSearch, SearchState, by_rank


class Model(NamedTuple):
    r"""The distribution of sep-CMA-ES; axes in front are independent runs.

    Attributes
    ----------
    sigma : array, shape (..., 1)
    c : array, shape (..., n)
        The diagonal of C.
    p_sigma, p_c : array, shape (..., n)
        Evolution paths.
    """

    sigma: Array
    c: Array
    p_sigma: Array
    p_c: Array


@final
@dataclass(frozen=True, kw_only=True)
class SepCMA(GaussianSearch):
    r"""sep-CMA-ES: of C only the diagonal, which is learnt (n + 2) / 3 times as fast.

    The update is the one of `CMAES` without negative weights, with the products of vectors taken elementwise and

    .. math:: c_1 \leftarrow \min(1, \tfrac{n + 2}{3} c_1), \qquad
              c_\mu \leftarrow \min(1 - c_1, \tfrac{n + 2}{3} c_\mu)

    Parameters
    ----------
    sigma, popsize, tolfun, tolfunhist, tolx, tolstagnation, tolxstagnation, tolfacupx, tolupsigma, tolconditioncov
        See `GaussianSearch`, as for `tolflatfitness`.

    Notes
    -----
    It learns the scales of coordinates, and no dependence between them: rotating space changes what it does.

    References
    ----------
    Ros and Hansen, A simple modification in CMA-ES achieving linear time and space complexity, PPSN 2008.

    Examples
    --------
    >>> method = SepCMA(sigma=1.0)
    >>> state = method.init(np.ones(4), seed=3)
    >>> while not method.stopped(state):
    ...     x = method.ask(state)
    ...     state = method.tell(state, x, (x**2 * 10.0 ** np.arange(4)).sum(axis=-1))
    >>> bool(state.best_f < 1e-10)
    True
    """

    def settled(self, n: int) -> Constants:
        """Return the constants in n dimensions."""
        k = tutorial_constants(n, self.size(n), active=False)
        c_1 = min(1.0, (n + 2) / 3 * k.c_1)
        return k.replace(c_1=c_1, c_mu=min(1 - c_1, (n + 2) / 3 * k.c_mu))

    def started(self, xp: Namespace, x0: Array) -> Model:
        """C = I, and no paths."""
        sigma = xp.full((*x0.shape[:-1], 1), self.sigma, dtype=x0.dtype, device=device(x0))
        return Model(sigma, xp.ones_like(x0), xp.zeros_like(x0), xp.zeros_like(x0))

    def displaced(self, xp: Namespace, model: Model, z: Array) -> Array:
        """Return sigma sqrt(c) z."""
        return z * (model.sigma * xp.sqrt(model.c))[..., None, :]

    def adapted(self, xp: Namespace, state: SearchState, d: Array, ranks: np.ndarray) -> tuple[Array, Model]:
        """Ros and Hansen, section 3."""
        sigma, c, p_sigma, p_c = state.model
        n, t = int(d.shape[-1]), state.t + 1
        k = _settled(self, n)
        (plus,) = by_rank(k.tables[:1], ranks, d)
        plus = plus[..., None, :]
        y = d / sigma[..., None]
        step, square = (plus @ y)[..., 0, :], (plus @ (y * y))[..., 0, :]
        mean = state.mean + (k.c_m * sigma) * step
        turned = step / xp.sqrt(c)
        p_sigma = (1 - k.c_sigma) * p_sigma + (k.c_sigma * (2 - k.c_sigma) * k.mu_eff) ** 0.5 * turned
        length = xp.sqrt((p_sigma[..., None, :] @ p_sigma[..., :, None])[..., 0])
        bound = (1.4 + 2 / (n + 1)) * k.chi_n * (1 - (1 - k.c_sigma) ** (2 * t)) ** 0.5
        h = xp.astype(length < bound, d.dtype)
        p_c = (1 - k.c_c) * p_c + h * ((k.c_c * (2 - k.c_c) * k.mu_eff) ** 0.5 * step)
        keep = (1 - k.c_1 - k.c_mu) + (k.c_1 * k.c_c * (2 - k.c_c)) * (1 - h)
        c = keep * c + k.c_1 * (p_c * p_c) + k.c_mu * square
        tiny = float(xp.finfo(d.dtype).smallest_normal)
        c = xp.maximum(c, xp.full_like(c, tiny))  # a learning rate of 1 leaves nothing of a coordinate without steps
        sigma = sigma * xp.exp((k.c_sigma / k.d_sigma) * (length / k.chi_n - 1))
        return mean, Model(sigma, c, p_sigma, p_c)

    def shaped(self, xp: Namespace, model: Model, t: int) -> Any:
        """Return sigma sqrt(c), and so on; the axes are those of the coordinates."""
        root = xp.sqrt(model.c)
        most, least = xp.max(root, axis=-1, keepdims=True), xp.min(root, axis=-1, keepdims=True)
        return model.sigma * root, model.sigma / most, model.sigma * model.p_c, None, (most / least) ** 2


@functools.lru_cache(maxsize=64)
def _settled(method: SepCMA, n: int) -> Constants:
    return method.settled(n)
