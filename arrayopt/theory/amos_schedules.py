r"""Schedules of learning rate and weight decay that follow from how a distance to the optimum would shrink (Amos).

For :math:`\theta_{t+1} = \theta_t - (\alpha_t u_t + \rho_t \theta_t)` with a cosine :math:`p_t` between the update and
:math:`\varepsilon_t = \theta_t - \theta^*`, both kept in proportion to :math:`\|\varepsilon_t\| = \|\varepsilon_0\|
e^{-S_t}`,

.. math:: \alpha_t = \frac{\alpha_0 \|\varepsilon_0\|}{\|u_t\|} e^{-2 S_t}, \qquad
          \rho_t = \frac{\alpha_0^2}{2 q} e^{-2 S_t}, \qquad e^{-S_t} = \frac{1}{1 + \alpha_0 \int p}

and for the cosine, by name: "constant", :math:`e^{-2 S_t} = 1 / (\alpha_0 p t + 1)^2` (R1); "decaying",
:math:`p_t = p_0 e^{-S_t}`, :math:`e^{-2 S_t} = 1 / (2 \alpha_0 p_0 t + 1)` (R2).
"""

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.arguments import elementwise, positive, reals, require
from arrayopt.core.random import generator
from arrayopt.errors import OptionError
from arrayopt.theory.norms import vector_norm

__all__ = [
    "AmosSchedule",
    "aligned_direction",
    "amos_decay",
    "amos_rate_for_half_life",
    "amos_rates",
    "amos_recursion",
    "decay_alignment",
    "expected_scale",
    "sign_schedule",
    "simulate_amos",
]

Cosine = Literal["constant", "decaying"]


class AmosSchedule(NamedTuple):
    """The learning rate and the weight decay of steps."""

    lr: Any
    decay: Any


def _kind(cosine: str) -> bool:
    if cosine not in ("constant", "decaying"):
        raise OptionError(f'cosine: expected "constant" or "decaying", got {cosine!r}')
    return cosine == "constant"


def _positive(**values: float) -> None:
    for name, value in values.items():
        positive(name, value)


def amos_decay(t: Any, alpha0: float, p: float, cosine: Cosine = "constant") -> Any:
    r"""Return :math:`e^{-2 S_t}`, by which both schedules and the square of the distance fall.

    Parameters
    ----------
    t : number or array
        The step, at least 0.
    alpha0 : float
        The relative step :math:`\alpha_0 > 0`, about 1e-3.
    p : float
        The cosine p, or :math:`p_0`, in (0, 1].
    cosine : {"constant", "decaying"}

    Examples
    --------
    >>> amos_decay(1000, 1e-2, 0.1), round(amos_decay(1000, 1e-2, 0.1, "decaying"), 6)
    (0.25, 0.333333)
    """
    _positive(alpha0=alpha0, p=p)
    xp, (t_,), back = elementwise(t=t)
    require("t", "a step >= 0", ~(t_ < 0), xp, t)
    rate = alpha0 * p
    far = t_ > 1e300 / rate
    way = xp.where(far, math.inf, rate * xp.where(far, xp.zeros_like(t_), t_))
    if _kind(cosine):
        root = 1 / (1 + way)
        return back(root * root)
    return back(1 / (1 + 2 * way))


def amos_rates(
    t: Any,
    alpha0: float,
    p: float,
    cosine: Cosine = "constant",
    *,
    scale: float = 1.0,
    update_norm: Any = 1.0,
    q: float = 1.0,
) -> AmosSchedule:
    r"""Return :math:`\alpha_t` and :math:`\rho_t` of steps.

    Parameters
    ----------
    t, alpha0, p, cosine
        As for `amos_decay`.
    scale : float
        :math:`\|\varepsilon_0\|`, about `expected_scale`.
    update_norm : float
        :math:`\|u_t\|`: the length of a step is :math:`\alpha_0 \|\varepsilon_0\| e^{-2 S_t}` whatever it is.
    q : float
        :math:`\langle \theta_t, \varepsilon_t \rangle / \|\varepsilon_t\|^2`, taken for constant and positive. See
        `decay_alignment` for what it is.

    References
    ----------
    arXiv 2210.11693; kexue.fm/archives/9344.

    Examples
    --------
    >>> amos_rates(1000, 1e-2, 0.1, scale=4.0)
    AmosSchedule(lr=0.01, decay=1.25e-05)
    """
    _positive(q=q)
    decay = amos_decay(t, alpha0, p, cosine)
    return AmosSchedule(alpha0 * scale / update_norm * decay, alpha0 * alpha0 / (2 * q) * decay)


def amos_recursion(steps: int, alpha0: float, p: float, cosine: Cosine = "constant") -> np.ndarray:
    r"""Return :math:`e^{-2 S_t}` of the recursion before it is approximated by an ODE, for t = 0 to `steps`.

    .. math:: S_{t+1} = S_t + \alpha_0 p_t e^{-S_t}, \qquad S_0 = 0

    Never above `amos_decay`, and close to it.

    Examples
    --------
    >>> [round(float(amos_recursion(1000, 1e-2, 0.1, kind)[-1]), 6) for kind in ("constant", "decaying")]
    [0.249913, 0.333211]
    """
    _positive(alpha0=alpha0, p=p)
    constant, S, found = _kind(cosine), 0.0, [1.0]
    for _ in range(steps):
        S += alpha0 * p * math.exp(-S if constant else -2 * S)
        found.append(math.exp(-2 * S))
    return np.asarray(found)


def amos_rate_for_half_life(half_life: float, p: float, cosine: Cosine = "constant") -> float:
    r"""Return the :math:`\alpha_0` for which rate and decay halve at a step.

    .. math:: \alpha_0 p = (\sqrt2 - 1) / T, \qquad \alpha_0 p_0 = 1 / (2 T)

    Examples
    --------
    >>> round(amos_decay(500, amos_rate_for_half_life(500, 0.1), 0.1), 12)
    0.5
    """
    _positive(half_life=half_life, p=p)
    return ((math.sqrt(2) - 1) if _kind(cosine) else 0.5) / (half_life * p)


def expected_scale(size: int, sigma: float) -> float:
    r"""Return the expected length of k entries of standard deviation :math:`\sigma`, about :math:`\sqrt k \sigma`.

    Parameters
    ----------
    size : int
        k; not a factor k, as one survey misprints.
    sigma : float
        That of the initialisation for kernels, 0.5 for biases and the gains and offsets of norms.

    Examples
    --------
    >>> expected_scale(768, 0.5) == 768**0.5 / 2
    True
    """
    return math.sqrt(size) * sigma


def sign_schedule(t: Any, alpha0: float, sigma: float, kappa: float) -> tuple[Any, Any, float]:
    r"""Return the learning rate, the decay and their quotient for updates by signs, as of Lion and Tiger.

    .. math:: \alpha_t = \frac{\alpha_0 \sigma}{\kappa t + 1}, \qquad \rho_t = \frac{\alpha_0^2}{2 (\kappa t + 1)},
              \qquad \lambda = \frac{\rho_t}{\alpha_t} = \frac{\alpha_0}{2 \sigma}

    since :math:`\|u\| = \sqrt k`, :math:`\|\varepsilon_0\| = \sqrt k \sigma`. Decoupled decay takes :math:`\lambda`.

    Parameters
    ----------
    t : number or array
        The step, at least 0.
    alpha0 : float
        The relative step.
    sigma : float
        The standard deviation of the entries.
    kappa : float
        :math:`2 \alpha_0 p_0`.

    References
    ----------
    kexue.fm/archives/9473.

    Examples
    --------
    >>> lr, _, decay = sign_schedule(0, 1.11e-3, 768**-0.5, 1e-3)
    >>> round(lr * 1e5, 3), round(decay, 5)
    (4.005, 0.01538)
    """
    _positive(sigma=sigma, kappa=kappa)
    schedule = amos_rates(t, alpha0, kappa / (2 * alpha0), "decaying", scale=sigma)
    return schedule.lr, schedule.decay, alpha0 / (2 * sigma)


def aligned_direction(epsilon: Array, cosine: float, *, rng: Any = None) -> Array:
    r"""Draw a unit vector of a given cosine to a vector, and of a random direction otherwise.

    .. math:: u = p \, \hat\varepsilon + \sqrt{1 - p^2} \, \hat z_\perp

    Parameters
    ----------
    epsilon : array, shape (k,)
        Not 0; k at least 2.
    cosine : float
        p in [-1, 1].
    rng : seed or Generator, optional

    Examples
    --------
    >>> u = aligned_direction(np.asarray([3.0, 4.0]), 0.5, rng=0)
    >>> round(float(u @ u), 12), round(float(u @ np.asarray([0.6, 0.8])), 12)
    (1.0, 0.5)
    """
    xp = reals(epsilon=epsilon)
    if not -1 <= cosine <= 1:
        raise OptionError(f"cosine: expected a number in [-1, 1], got {cosine!r}")
    z = xp.asarray(generator(rng).standard_normal(epsilon.shape), dtype=epsilon.dtype, device=epsilon.device)
    along = epsilon / vector_norm(xp, epsilon)
    for _ in range(2):  # twice is enough
        z = z - xp.sum(along * z) * along
    return cosine * along + math.sqrt((1 - cosine) * (1 + cosine)) * (z / vector_norm(xp, z))


def decay_alignment(theta: Array, optimum: Array) -> Array:
    r"""Return the q that weight decay depends on, :math:`\langle \theta, \varepsilon \rangle / \|\varepsilon\|^2`.

    It is 1 for an optimum of 0. For independent theta and optimum of the same length it is 1/2, and if only the length
    of :math:`\varepsilon` shrinks, by a factor r, it is :math:`1 - 1 / (2 r)`: below 0 for the second half of the
    way, where decay leads away from the optimum.

    Examples
    --------
    >>> float(decay_alignment(np.asarray([1.0, 0.0]), np.asarray([0.0, 1.0])))
    0.5
    """
    xp = reals(theta=theta, optimum=optimum)
    epsilon = theta - optimum
    length = vector_norm(xp, epsilon, keepdims=True)
    return xp.sum((theta / length) * (epsilon / length), axis=-1)


def simulate_amos(
    theta: Array, optimum: Array, alpha0: float, p: float, steps: int, cosine: Cosine = "constant", *, rng: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Run the update with directions of exactly the cosine that the schedule assumes, and watch what happens.

    Parameters
    ----------
    theta, optimum : array, shape (k,)
        :math:`\theta_0, \theta^*`; the optimum 0 makes q = 1.
    alpha0, p, cosine
        As for `amos_rates`, which is given the true :math:`\|\varepsilon_0\|`.
    steps : int
    rng : seed or Generator, optional

    Returns
    -------
    squares : array, shape (steps + 1,)
        :math:`\|\varepsilon_t\|^2 / \|\varepsilon_0\|^2`, which `amos_decay` predicts.
    alignments : array, shape (steps + 1,)
        `decay_alignment`, which the schedule takes for 1.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal(500)
    >>> squares, q = simulate_amos(x, 0 * x, 0.02, 0.1, 500, rng=1)
    >>> bool(abs(squares[-1] / amos_decay(500, 0.02, 0.1) - 1) < 0.1), round(float(q[0]), 12)
    (True, 1.0)
    """
    xp, source = reals(theta=theta, optimum=optimum), generator(rng)
    start = float(vector_norm(xp, theta - optimum))
    constant = _kind(cosine)
    squares, alignments = [], []
    for t in range(steps + 1):
        epsilon = theta - optimum
        shrunk = float(vector_norm(xp, epsilon)) / start
        squares.append(shrunk * shrunk)
        alignments.append(float(decay_alignment(theta, optimum)))
        lr, rho = amos_rates(t, alpha0, p, cosine, scale=start)
        here = p if constant else p * math.sqrt(amos_decay(t, alpha0, p, cosine))
        theta = theta - (lr * aligned_direction(epsilon, here, rng=source) + rho * theta)
    return np.asarray(squares), np.asarray(alignments)
