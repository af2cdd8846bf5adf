r"""The average loss of projected stochastic gradient descent, with both sides of every inequality of its proof.

For convex losses on a convex set of diameter D, gradients of norm at most G, and positive rates that never grow,

.. math:: \frac1T \sum_{t=1}^T L_t(\theta_t) - \frac1T \sum_{t=1}^T L_t(\theta^*) \le \frac{D^2}{2 T \eta_T}
          + \frac{1}{2T} \sum_t \eta_t \|g_t\|^2 \le \frac{D^2}{2 T \eta_T} + \frac{G^2}{2T} \sum_t \eta_t

for every :math:`\theta^*` in the set, on every path, without an expectation. The bounds are formulas: they are computed
for whatever rates are given, and are bounds only under these assumptions. They speak of the average loss, neither of
the last iterate nor of its distance.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arrayopt.backend import Array, fetch, namespace, to_numpy
from arrayopt.core.orthogonal.precision import widest
from arrayopt.errors import OptionError
from arrayopt.theory.norms import vector_norm

__all__ = [
    "RegretLedger",
    "abel_bound",
    "abel_sum",
    "best_constant_rate",
    "best_inverse_sqrt_rate",
    "inverse_sqrt_sum",
    "projected_sgd",
    "regret_bound",
]


def _rates(rates: Any) -> list[float]:
    values = [float(r) for r in (to_numpy(rates) if hasattr(rates, "dtype") else rates)]
    if not values or not all(0 < r < math.inf for r in values):
        raise OptionError(f"rates: expected at least one rate, all finite and > 0, got {values[:5]}")
    return values


def regret_bound(rates: Any, diameter: float, steepness: Any) -> float:
    r"""Return the right side of the bound of the average regret.

    .. math:: \frac{D^2}{2 T \eta_T} + \frac{1}{2T} \sum_t \eta_t G_t^2

    Parameters
    ----------
    rates : sequence of float
        :math:`\eta_1, \dots, \eta_T`, positive.
    diameter : float
        :math:`D \ge 0`.
    steepness : float, or sequence of T floats
        :math:`G_t`: one bound of all gradients, or the norm of each, which is finer.

    Examples
    --------
    >>> regret_bound([0.5] * 16, diameter=2.0, steepness=1.0)  # the best constant rate, D G / sqrt(T)
    0.5
    """
    r = _rates(rates)
    T = len(r)
    each = [float(steepness)] * T if np.ndim(steepness) == 0 else [float(s) for s in steepness]
    if len(each) != T:
        raise OptionError(f"steepness: expected one number or {T} of them, as there are rates, got {len(each)}")
    return diameter * (diameter / (2 * T * r[-1])) + sum(e * (g * g) for e, g in zip(r, each, strict=True)) / (2 * T)


def abel_sum(squares: Sequence[float], rates: Any) -> float:
    r"""Return the sum that the proof telescopes.

    .. math:: \sum_{t=1}^T \frac{a_t - a_{t+1}}{2 \eta_t}

    Parameters
    ----------
    squares : sequence of T + 1 floats
        :math:`a_t = \|\theta_t - \theta^*\|^2`.
    rates : sequence of T floats
        :math:`\eta_t`, positive.

    Examples
    --------
    >>> abel_sum([1.0, 0.5, 0.25], [0.5, 0.25])
    1.0
    """
    r = _rates(rates)
    if len(squares) != len(r) + 1:
        raise OptionError(f"squares: expected one more than there are rates, {len(r) + 1}, got {len(squares)}")
    return math.fsum((float(squares[t]) - float(squares[t + 1])) / (2 * r[t]) for t in range(len(r)))


def abel_bound(diameter: float, rates: Any) -> float:
    r"""Return :math:`D^2 / (2 \eta_T)`, which bounds `abel_sum` for a_t in [0, D^2] and rates that never grow.

    Examples
    --------
    >>> abel_bound(1.0, [0.5, 0.25])
    2.0
    """
    return diameter * (diameter / (2 * _rates(rates)[-1]))


def best_constant_rate(diameter: float, steepness: float, steps: int) -> tuple[float, float]:
    r"""Return the constant rate of the smallest bound, and that bound.

    .. math:: \eta = \frac{D}{G \sqrt T}, \qquad \frac{D G}{\sqrt T}

    Examples
    --------
    >>> best_constant_rate(2.0, 1.0, 16)
    (0.5, 0.5)
    """
    return diameter / steepness / math.sqrt(steps), diameter * steepness / math.sqrt(steps)


def best_inverse_sqrt_rate(diameter: float, steepness: float, steps: int) -> tuple[float, float]:
    r"""Return the best :math:`\alpha` of :math:`\eta_t = \alpha / \sqrt t`, which needs no T, and the bound it gives.

    .. math:: \alpha = \frac{D}{\sqrt2 G}, \qquad \frac{D^2}{2 \alpha \sqrt T} + \frac{G^2 \alpha}{\sqrt T}
              = \frac{\sqrt2 D G}{\sqrt T}

    Examples
    --------
    >>> [round(x, 6) for x in best_inverse_sqrt_rate(2.0, 1.0, 16)]
    [1.414214, 0.707107]
    """
    return diameter / steepness / math.sqrt(2), math.sqrt(2) * diameter * steepness / math.sqrt(steps)


def inverse_sqrt_sum(steps: int) -> float:
    r"""Return :math:`\sum_{t=1}^T t^{-1/2}`, which is at most :math:`2 \sqrt T - 1`, with equality at T = 1 only.

    Examples
    --------
    >>> inverse_sqrt_sum(1), round(inverse_sqrt_sum(4), 6)
    (1.0, 2.784457)
    """
    return math.fsum(1 / math.sqrt(t) for t in range(1, steps + 1))


@dataclass(frozen=True)
class RegretLedger:
    r"""What a run of projected SGD owes to its proof, as host arrays of float64.

    Parameters
    ----------
    rates, losses, comparator_losses, gradient_norms : array, shape (T,)
        :math:`\eta_t, L_t(\theta_t), L_t(\theta^*), \|g_t\|`.
    products : array, shape (T,)
        :math:`\langle \theta_t - \theta^*, g_t \rangle`, at least the regret of the step where the loss is convex.
    distances : array, shape (T + 1,)
        :math:`\|\theta_t - \theta^*\|`.
    x : array
        :math:`\theta_{T+1}`.
    """

    rates: np.ndarray
    losses: np.ndarray
    comparator_losses: np.ndarray
    gradient_norms: np.ndarray
    products: np.ndarray
    distances: np.ndarray
    x: Array

    @property
    def regret(self) -> float:
        """The average loss less that of the comparator: the left side."""
        return math.fsum(self.losses - self.comparator_losses) / len(self.losses)

    @property
    def diameter(self) -> float:
        """The greatest distance from the comparator before a step: the D of the bound a posteriori."""
        return float(np.max(self.distances[:-1]))

    def bound(self, diameter: float | None = None, steepness: float | None = None) -> float:
        """Return the right side, with the D and G of the run unless others are given."""
        d = self.diameter if diameter is None else diameter
        return regret_bound(self.rates, d, float(np.max(self.gradient_norms)) if steepness is None else steepness)

    def finer_bound(self, diameter: float | None = None) -> float:
        """Return the right side with the norm of each gradient."""
        return regret_bound(self.rates, self.diameter if diameter is None else diameter, self.gradient_norms)

    @property
    def step_slack(self) -> np.ndarray:
        r"""How far each step came closer to the comparator than without its projection; 0 without one.

        .. math:: \|\theta_t - \theta^*\|^2 - 2 \eta_t \langle \theta_t - \theta^*, g_t \rangle
                  + \eta_t^2 \|g_t\|^2 - \|\theta_{t+1} - \theta^*\|^2
        """
        squares, moved = self.distances**2, self.rates * self.gradient_norms
        slack: np.ndarray = squares[:-1] - 2 * self.rates * self.products + moved * moved - squares[1:]
        return slack

    @property
    def abel(self) -> tuple[float, float]:
        """Both sides of the telescoping step, with the D of the run."""
        return abel_sum((self.distances**2).tolist(), self.rates), abel_bound(self.diameter, self.rates)


def projected_sgd(
    fun: Callable[[int, Array], tuple[Any, Array]],
    x0: Array,
    rates: Any,
    comparator: Array,
    project: Callable[[Array], Array] | None = None,
) -> RegretLedger:
    r"""Run projected stochastic gradient descent and keep the books.

    .. math:: \theta_{t+1} = \Pi(\theta_t - \eta_t g_t), \qquad g_t = \nabla L_t(\theta_t), \qquad t = 1, \dots, T

    Parameters
    ----------
    fun : callable
        ``fun(t, x)`` gives the loss and its gradient of step t, from 1.
    x0 : array, shape (d,)
        :math:`\theta_1`.
    rates : sequence of T floats
        Positive.
    comparator : array, shape (d,)
        :math:`\theta^*`.
    project : callable, optional
        One of `arrayopt.theory.projections`; none by default.

    References
    ----------
    Zinkevich, Online convex programming and generalized infinitesimal gradient ascent, 2003. kexue.fm/archives/9902.

    Examples
    --------
    >>> import numpy as np
    >>> ledger = projected_sgd(lambda t, x: (abs(x[0]), np.sign(x)), np.asarray([1.0]), [0.25] * 16, np.asarray([0.0]))
    >>> ledger.regret <= ledger.finer_bound() <= ledger.bound()
    True
    """
    r = _rates(rates)
    xp, x = namespace(x0, comparator), x0
    rows = []
    far = widest(xp, x) - widest(xp, comparator)
    away = [vector_norm(xp, far)]
    for t, rate in enumerate(r, 1):
        loss, g = fun(t, x)
        other, _ = fun(t, comparator)
        wide = widest(xp, g)
        loss, other = (z if hasattr(z, "dtype") else float(z) for z in (loss, other))
        rows.append(fetch(xp, loss, other, vector_norm(xp, wide), xp.sum(far * wide)))
        x = x - rate * g
        x = x if project is None else project(x)
        far = widest(xp, x) - widest(xp, comparator)
        away.append(vector_norm(xp, far))
    losses, others, norms, products = np.asarray(rows).T
    distances = np.asarray([float(a) for a in away])
    return RegretLedger(np.asarray(r), losses, others, norms, products, distances, x)
