r"""The constants of CMA-ES: recombination weights and learning rates, as functions of dimension and population size."""

import functools
import math
from dataclasses import dataclass
from typing import Annotated, Literal, final

import numpy as np

from arrayopt.core.options import JUST_ABOVE_ONE, Checked, Count, Interval, Positive, check_count

Edition = Literal["2016", "2023"]
"""Of the tutorial: they differ in a quarter in the numerator of c_mu."""
Fraction = Annotated[float, Interval(0.0, JUST_ABOVE_ONE)]
"""A constant in [0, 1]."""
ALPHA_COV = 2.0


@final
@dataclass(frozen=True, kw_only=True)
class Constants(Checked):
    r"""What the update of CMA-ES is made with, in the symbols of the tutorial.

    Parameters
    ----------
    n : int
        Dimension.
    mu : int
        Points with a positive weight.
    weights : tuple of float
        One for each point, from the best on: the positive ones sum to 1, the others are <= 0.
    mu_eff : float
        :math:`1 / \sum_{i \le \mu} w_i^2`.
    c_m : float
        Learning rate of the mean.
    c_sigma, d_sigma : float
        Of the path of the step-size in [0, 1], and the damping of the step-size.
    c_c, c_1, c_mu : float
        Of the path of C, and of the updates of rank one and of rank mu, in [0, 1].
    chi_n : float
        The expected length of a standard normal vector, approximately.

    Raises
    ------
    OptionError
        If a constant is out of its range.
    """

    n: Count
    mu: Count
    weights: tuple[float, ...]
    mu_eff: Positive
    c_m: Positive = 1.0
    c_sigma: Fraction
    d_sigma: Positive
    c_c: Fraction
    c_1: Fraction
    c_mu: Fraction
    chi_n: Positive

    @property
    def popsize(self) -> int:
        """The number of points, lambda."""
        return len(self.weights)

    @functools.cached_property
    def sum(self) -> float:
        """The sum of the weights."""
        return math.fsum(self.weights)

    @functools.cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """The positive weights, 0 for the other points, and all weights: from the best point on."""
        signed = np.array(self.weights)
        return np.where(np.arange(self.popsize) < self.mu, signed, 0.0), signed

    @functools.cached_property
    def gap(self) -> float:
        """Generations between decompositions of C, which then cost O(n^2) each."""
        return 1.0 / max((self.c_1 + self.c_mu) * 10.0 * self.n, 1e-12)


def default_popsize(n: int) -> int:
    r"""Return the population size :math:`\lambda = 4 + \lfloor 3 \ln n \rfloor`.

    Examples
    --------
    >>> [default_popsize(n) for n in (1, 10, 40, 100)]
    [4, 10, 15, 17]
    """
    return 4 + math.floor(3.0 * math.log(n))


@functools.lru_cache(maxsize=256)
def tutorial_constants(n: int, popsize: int, active: bool = True, edition: Edition = "2016") -> Constants:
    r"""Return the default constants of CMA-ES.

    .. math::

        w'_i &= \ln \frac{\lambda + 1}{2} - \ln i, \quad
        \mu = \lfloor \lambda / 2 \rfloor, \quad
        \mu_{eff} = \frac{(\sum_{i \le \mu} w'_i)^2}{\sum_{i \le \mu} w_i'^2} \\
        c_\sigma &= \frac{\mu_{eff} + 2}{n + \mu_{eff} + 5}, \quad
        d_\sigma = 1 + 2 \max\Bigl(0, \sqrt{\tfrac{\mu_{eff} - 1}{n + 1}} - 1\Bigr) + c_\sigma \\
        c_c &= \frac{4 + \mu_{eff} / n}{n + 4 + 2 \mu_{eff} / n}, \quad
        c_1 = \frac{2}{(n + 1.3)^2 + \mu_{eff}}, \quad
        c_\mu = \min\Bigl(1 - c_1, 2 \frac{\mu_{eff} - 2 + 1 / \mu_{eff}}{(n + 2)^2 + \mu_{eff}}\Bigr)

    Positive weights are scaled to the sum 1, negative ones to the sum
    :math:`-\min(1 + c_1 / c_\mu, 1 + 2 \mu^-_{eff} / (\mu_{eff} + 2), (1 - c_1 - c_\mu) / (n c_\mu))`, which keeps C
    positive definite.

    Parameters
    ----------
    n : int
        Dimension, >= 1.
    popsize : int
        Points a generation, >= 2.
    active : bool
        Give the worse half negative weights; else they have none.
    edition : {"2016", "2023"}
        "2023" adds 1/4 to the numerator of :math:`c_\mu`, as pycma does.

    Raises
    ------
    OptionError
        If there are too few dimensions or points.

    References
    ----------
    Hansen, The CMA evolution strategy: a tutorial, arXiv 1604.00772, table 1 and equations 49 to 58.

    Examples
    --------
    >>> k = tutorial_constants(10, 10)
    >>> round(k.mu_eff, 4), round(k.c_1, 5), round(sum(k.weights[:5]), 12)
    (3.1673, 0.01528, 1.0)
    """
    check_count("CMAES", "n", n)
    check_count("CMAES", "popsize", popsize, 2)
    raw = [math.log((popsize + 1) / 2) - math.log(i) for i in range(1, popsize + 1)]
    mu = popsize // 2
    plus, minus = math.fsum(raw[:mu]), -math.fsum(raw[mu:])
    mu_eff = plus**2 / math.fsum(w * w for w in raw[:mu])
    mu_minus = minus**2 / math.fsum(w * w for w in raw[mu:])
    c_sigma = (mu_eff + 2) / (n + mu_eff + 5)
    c_1 = ALPHA_COV / ((n + 1.3) ** 2 + mu_eff)
    quarter = 0.25 if edition == "2023" else 0.0
    share = ALPHA_COV * (quarter + mu_eff - 2 + 1 / mu_eff) / ((n + 2) ** 2 + ALPHA_COV * mu_eff / 2)
    c_mu = min(1 - c_1, max(share, 0.0))  # of rounding, where mu_eff = 1
    alpha = 1 + 2 * mu_minus / (mu_eff + 2)
    if c_mu > 0:
        alpha = min(alpha, 1 + c_1 / c_mu, (1 - c_1 - c_mu) / (n * c_mu))
    down = alpha / minus if active else 0.0
    return Constants(
        n=n,
        mu=mu,
        weights=tuple(w / plus if i < mu else w * down for i, w in enumerate(raw)),
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma,
        c_c=(4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n),
        c_1=c_1,
        c_mu=c_mu,
        chi_n=math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n)),
    )
