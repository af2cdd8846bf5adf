r"""How many dimensions keep all pairwise distances of some points (Johnson and Lindenstrauss).

A projection A, drawn without a look at the points, keeps a distance to :math:`\epsilon` where

.. math:: (1 - \epsilon) \|v_i - v_j\|^2 \le \|A v_i - A v_j\|^2 \le (1 + \epsilon) \|v_i - v_j\|^2.

The probability that it does not is that of `norm_log_tail`, the same for every pair; the sum over the pairs bounds the
probability that some distance is not kept. The bounds differ in what they take for the tail and
for the number of pairs.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

from arrayopt.core.arguments import check_number, check_size
from arrayopt.errors import OptionError
from arrayopt.sketch.norm_tails import norm_log_bound, norm_log_tail

__all__ = ["jl_dimension", "jl_log_failure"]

Bound = Literal["article", "dasgupta_gupta", "chi2"]

LEAST = 1e-6
"""The least eps: below it a dimension would not be an integer that a float64 holds."""


def jl_log_failure(n: int, n_points: int, eps: float, bound: Bound = "article") -> float:
    r"""Return the log of a bound of the probability that n dimensions do not keep all distances of N points.

    .. math:: N^2 e^{-n \epsilon^2 / 8} \text{ (article)}, \qquad
              N^2 e^{-n (\epsilon^2 / 4 - \epsilon^3 / 6)} \text{ (Dasgupta and Gupta)}, \qquad
              \tbinom N2 P(|\chi^2_n / n - 1| \ge \epsilon) \text{ (chi2)}

    Parameters
    ----------
    n, n_points, eps, bound
        As for `jl_dimension`, which returns the least n at which this is at most :math:`\log \delta`.

    Examples
    --------
    >>> jl_log_failure(4597, 100, 0.1, "chi2") <= math.log(1 / 100) < jl_log_failure(4596, 100, 0.1, "chi2")
    True
    """
    _check(n_points, eps, bound)
    check_size("n", n)
    if n_points == 1:
        return -math.inf
    if bound == "chi2":
        return _log_pairs(n_points) + float(norm_log_tail(n, eps))
    return 2 * math.log(n_points) + float(norm_log_bound(n, eps, bound, side="upper"))


def jl_dimension(n_points: int, eps: float, delta: float | None = None, bound: Bound = "article") -> int:
    r"""Return how many dimensions keep all pairwise distances of points, but for a probability of failure.

    .. math:: n > \frac{8 \log(N^2 / \delta)}{\epsilon^2} \text{ (article)}, \qquad
              n \ge \frac{\log(N^2 / \delta)}{\epsilon^2 / 4 - \epsilon^3 / 6} \text{ (Dasgupta and Gupta)},

    or the least n with :math:`\tfrac12 N (N - 1) P(|\chi^2_n / n - 1| \ge \epsilon) \le \delta` (chi2).

    Parameters
    ----------
    n_points : int
        N, at least 1.
    eps : float
        :math:`\epsilon`, the relative error of squared distances: in (0, 1), and for "chi2" any number > 0.
    delta : float, optional
        :math:`\delta`, the probability of failure, in (0, 1]; :math:`1/N` by default.
    bound : {"article", "dasgupta_gupta", "chi2"}
        "chi2" is the exact law of a Gaussian projection, so that only the sum over the pairs is loose; it asks for
        less than half of what the article does. All hold for a Gaussian projection; "dasgupta_gupta" also for that of
        Achlioptas.

    Returns
    -------
    int
        The smallest that the bound allows, at least 1. It does not depend on how many dimensions the points have.

    Raises
    ------
    OptionError
        If an argument is out of range.

    Notes
    -----
    By default the article's is :math:`24 \log N / \epsilon^2`. At :math:`\delta = 1`, where a projection is only known
    to exist, it is :math:`16 \log N / \epsilon^2`, and that of Dasgupta and Gupta their theorem's
    :math:`4 \log N / (\epsilon^2 / 2 - \epsilon^3 / 3)`.

    References
    ----------
    kexue.fm/archives/8679. Dasgupta and Gupta, An elementary proof of a theorem of Johnson and Lindenstrauss, 2003.
    Achlioptas, Database-friendly random projections, 2003.

    Examples
    --------
    >>> [jl_dimension(100, 0.1, bound=b) for b in ("article", "dasgupta_gupta", "chi2")]
    [11053, 5921, 4597]
    """
    _check(n_points, eps, bound)
    delta = 1 / n_points if delta is None else delta
    delta = check_number("delta", delta, "a probability of failure in (0, 1]", lambda d: 0 < d <= 1)
    if n_points == 1:
        return 1
    if bound == "article":
        return math.floor(8 * (2 * math.log(n_points) - math.log(delta)) / eps / eps) + 1
    if bound == "dasgupta_gupta":
        return max(1, math.ceil((2 * math.log(n_points) - math.log(delta)) / eps / eps / (0.25 - eps / 6)))
    wanted = math.log(delta) - _log_pairs(n_points)
    return _least(lambda n: float(norm_log_tail(n, eps)) - wanted)


def _least(excess: Callable[[int], float]) -> int:
    """Return the least n >= 1 at which a function that falls with n is not above 0."""
    low, high, above, below = 0, 1, 0.0, excess(1)
    while below > 0:
        low, high, above = high, 4 * high, below
        below = excess(high)
    turn = 0
    while high - low > 1:
        turn, middle = turn + 1, (low + high) // 2
        if turn % 3 and low:  # it is nearly a line, so that two points of it tell where it crosses 0
            middle = min(max(low + int((high - low) * (above / (above - below))), low + 1), high - 1)
        here = excess(middle)
        low, high, above, below = (middle, high, here, below) if here > 0 else (low, middle, above, here)
    return high


def _log_pairs(n_points: int) -> float:
    return math.log(n_points) + math.log(n_points - 1) - math.log(2)


def _check(n_points: Any, eps: Any, bound: str) -> None:
    check_size("n_points", n_points)
    if bound not in get_args(Bound):
        raise OptionError(f"bound: expected one of {', '.join(map(repr, get_args(Bound)))}, got {bound!r}")
    top, limits = (math.inf, "finite") if bound == "chi2" else (1.0, "below 1")
    expected = f"a number of at least {LEAST:g}, and {limits} for the bound {bound!r}"
    check_number("eps", eps, expected, lambda e: LEAST <= e < top)
