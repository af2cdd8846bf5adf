r"""How far the squared norm of a random projection strays: exact tails and their bounds, as logarithms.

For a unit vector u and A of shape (n, m) with independent normal entries of variance 1/n, :math:`n \|A u\|^2` is
chi-square with n degrees of freedom, whatever u is. With :math:`a = n/2` and :math:`y = e^v`,

.. math:: P(\|A u\|^2 \ge 1 + \epsilon) = \frac{a^a}{\Gamma(a)} \int_{\log(1 + \epsilon)}^\infty e^{a (v - e^v)} dv,

and the lower tail likewise, from :math:`-\infty` to :math:`\log(1 - \epsilon)`. Taken out of the integral, its
integrand at the end is Chernoff's bound; what is left is a number that quadrature gives to rounding, for any n. No
incomplete gamma function is needed, and nothing underflows.
"""

import functools
import math
from typing import Any, Literal, get_args

from array_api_compat import device

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import elementwise, require
from arrayopt.errors import OptionError

__all__ = ["norm_log_bound", "norm_log_tail"]

Side = Literal["both", "upper", "lower"]
Bound = Literal["article", "dasgupta_gupta", "chernoff"]

HUGE = 1e150
"""A square of it is finite in float64."""
STEP = 1 / 20
"""Of the double exponential rule w = exp(t - exp(-t)): its error is below 1e-16 for these integrands."""
NODES = (-72, 82)
BLOCK = 1 << 14
"""Numbers in memory at a time, but for arrays that have more."""
SHIFT = 10
"""By how much the argument of the gamma function is raised for Stirling's series."""
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


def norm_log_tail(n: Any, eps: Any, side: Side = "both") -> Any:
    r"""Return the log of the probability that the squared norm of a projected unit vector is off by eps or more.

    .. math:: \log P(|\, \|A u\|^2 - 1| \ge \epsilon), \qquad n \|A u\|^2 \sim \chi^2_n

    Parameters
    ----------
    n : number or array
        Rows of A, at least 1; integers or not.
    eps : number or array
        :math:`\epsilon \ge 0`, of a shape that broadcasts with that of n.
    side : {"both", "upper", "lower"}
        "upper": :math:`\|A u\|^2 \ge 1 + \epsilon`. "lower": :math:`\|A u\|^2 \le 1 - \epsilon`, which has probability
        0 from :math:`\epsilon = 1` on.

    Returns
    -------
    float or array
        A float for numbers, else an array of their dtype. NaN gives NaN.

    Raises
    ------
    OptionError
        If an n is below 1, or an eps below 0.

    Notes
    -----
    Computed in float64: the log is right to 1e-14, absolutely below 1 and relatively above.

    References
    ----------
    kexue.fm/archives/8679.

    Examples
    --------
    >>> round(norm_log_tail(2, 0.5, "upper") - (-1.5), 12)  # chi-square of 2 degrees is exponential
    0.0
    >>> round(norm_log_tail(100, 2.0), 2), round(norm_log_tail(1_000_000, 0.1), 1)
    (-48.65, -2350.1)
    """
    _check_side(side)
    xp, (n_, eps_), back = elementwise(n=n, eps=eps)
    _check(xp, n, n_, eps, eps_)
    if side == "both":
        found = _either(xp, _log_tail(xp, n_, eps_, 1), _log_tail(xp, n_, eps_, -1))
        return back(xp.where(found > 0, xp.zeros_like(found), found))
    return back(_log_tail(xp, n_, eps_, 1 if side == "upper" else -1))


def norm_log_bound(n: Any, eps: Any, bound: Bound = "article", side: Side = "both") -> Any:
    r"""Return the log of a bound of the probability of `norm_log_tail`.

    Each tail has the factor :math:`e^{-n r(\epsilon)}`, and both together the sum:

    .. math:: r = \frac{\epsilon^2}{8} \text{ (article)}, \qquad
              r = \frac{\epsilon^2}{4} - \frac{\epsilon^3}{6} \text{ (Dasgupta and Gupta)}, \qquad
              r = \frac{\pm \epsilon - \log(1 \pm \epsilon)}{2} \text{ (Chernoff: + upper, - lower)}

    Parameters
    ----------
    n, eps
        As for `norm_log_tail`.
    bound : {"article", "dasgupta_gupta", "chernoff"}
        The first two hold for eps in (0, 1), "chernoff", which is the best exponent, for all. "article" is given
        beyond that, too: its upper tail holds up to 1.62377, and is false above for large n.
    side : {"both", "upper", "lower"}
        As for `norm_log_tail`.

    Raises
    ------
    OptionError
        If an n is below 1, an eps below 0, or, for "dasgupta_gupta", above 1.

    References
    ----------
    kexue.fm/archives/8679. Dasgupta and Gupta, An elementary proof of a theorem of Johnson and Lindenstrauss, 2003.

    Examples
    --------
    >>> norm_log_bound(100, 2.0, side="upper") < norm_log_tail(100, 2.0, side="upper")  # eps = 2 is too large
    True
    >>> norm_log_bound(100, 2.0, "chernoff", side="upper") < norm_log_tail(100, 2.0, side="upper")
    False
    """
    _check_side(side)
    if bound not in get_args(Bound):
        raise OptionError(f"bound: expected one of {', '.join(map(repr, get_args(Bound)))}, got {bound!r}")
    xp, (n_, eps_), back = elementwise(n=n, eps=eps)
    _check(xp, n, n_, eps, eps_)
    if bound == "chernoff":
        upper, lower = (_chernoff(xp, n_, eps_, s) for s in (1, -1))
        return back({"upper": upper, "lower": lower, "both": _either(xp, upper, lower)}[side])
    if bound == "dasgupta_gupta":
        require("eps", "a number in [0, 1] for this bound", xp.isnan(eps_) | (eps_ <= 1), xp, eps)
        found = -n_ * (eps_ * eps_) * (0.25 - eps_ / 6)
    else:
        root = xp.sqrt(n_) * xp.where(eps_ > HUGE, HUGE * xp.ones_like(eps_), eps_)
        large = (root > HUGE) | (eps_ > HUGE)
        root = xp.where(large, xp.zeros_like(root), root)
        found = xp.where(large, -math.inf * xp.ones_like(root), -0.125 * root * root)
    return back(found + math.log(2) if side == "both" else found)


# Arguments -----------------------------------------------------------------------------------------


def _check_side(side: str) -> None:
    if side not in get_args(Side):
        raise OptionError(f"side: expected one of {', '.join(map(repr, get_args(Side)))}, got {side!r}")


def _check(xp: Namespace, n: Any, n_: Array, eps: Any, eps_: Array) -> None:
    require("n", f"a number of rows in [1, {HUGE:g}]", (n_ >= 1) & (n_ <= HUGE), xp, n)
    require("eps", "a number >= 0", ~(eps_ < 0), xp, eps)


# Chernoff's bound and what is left -----------------------------------------------------------------


def _either(xp: Namespace, upper: Array, lower: Array) -> Array:
    """Return the log of the sum of two probabilities; NumPy's own warns of NaN."""
    unknown = xp.isnan(upper)
    found = xp.logaddexp(*(xp.where(unknown, xp.zeros_like(x), x) for x in (upper, lower)))
    return xp.where(unknown, upper, found)


def log1p_less(xp: Namespace, x: Array) -> Array:
    r"""Return :math:`\log(1 + x) - x` for x > -1, without cancellation at small x.

    With :math:`r = x / (2 + x)`, :math:`\log(1 + x) = 2 \operatorname{artanh} r` and :math:`2 r - x = -x r`.
    """
    near = xp.abs(x) <= 0.5
    small = xp.where(near, x, xp.zeros_like(x))
    r = small / (2 + small)
    series = xp.zeros_like(x)
    for k in reversed(range(1, 18)):
        series = series * (r * r) + 2 / (2 * k + 1)
    far = xp.where(near, xp.ones_like(x), x)
    return xp.where(near, (series * (r * r) - small) * r, xp.log1p(far) - far)


def expm1_less(xp: Namespace, x: Array) -> Array:
    r"""Return :math:`e^x - 1 - x` without cancellation at small x."""
    near = xp.abs(x) < 0.03
    small = xp.where(near, x, xp.zeros_like(x))
    series = xp.ones_like(x)
    for k in range(8, 2, -1):
        series = 1 + series * small / k
    return xp.where(near, 0.5 * small * small * series, xp.expm1(x) - x)


def _chernoff(xp: Namespace, n: Array, eps: Array, sign: int) -> Array:
    """Return (n / 2) (log(1 + sign eps) - sign eps), which is -inf where the tail is empty or it overflows."""
    # beyond these numbers the tail is empty, or its log below -1e300
    out = (sign < 0) & (eps >= 1) if sign < 0 else eps > 1e300 / n
    x = sign * xp.where(out, xp.zeros_like(eps), eps)
    found = 0.5 * n * log1p_less(xp, x)
    return xp.where(out, xp.full_like(found, -math.inf), found)


def _log_tail(xp: Namespace, n: Array, eps: Array, sign: int) -> Array:
    """Return the log of one tail: Chernoff's bound, the gamma function's factor, and the integral."""
    bound = _chernoff(xp, n, eps, sign)
    none = bound == -math.inf
    eps = xp.where(none, xp.zeros_like(eps), eps)
    a = 0.5 * n
    end = 1.0 + sign * eps
    slope, bend = a * eps, a * end
    scale = 1.0 / (slope + xp.sqrt(bend))
    # many nodes at a time for few numbers, one at a time for many
    nodes, weights = (xp.asarray(x, dtype=a.dtype, device=device(a)) for x in _nodes())
    total, at_once = xp.zeros_like(scale), max(1, BLOCK // max(1, math.prod(scale.shape)))
    for k in range(0, len(_nodes()[0]), at_once):
        node, weight = (
            xp.reshape(x[k : min(k + at_once, x.shape[0])], (-1, *(1,) * scale.ndim)) for x in (nodes, weights)
        )
        w = xp.minimum(node * scale, xp.full_like(scale, 700.0))  # from 50 on, f of the upper tail is 0
        total = total + xp.sum(weight * xp.exp(-slope * w - bend * expm1_less(xp, sign * w)), axis=0)
    found = bound + xp.log(scale * total) + 0.5 * xp.log(a / (2 * math.pi)) - _stirling_remainder(xp, a)
    return xp.where(none, bound, found)


@functools.cache
def _nodes() -> tuple[list[float], list[float]]:
    """Return nodes w and weights for the integral of f(w) from 0 to infinity, where f falls like an exponential."""
    ts = [k * STEP for k in range(NODES[0], NODES[1] + 1)]
    nodes = [math.exp(t - math.exp(-t)) for t in ts]
    return nodes, [w * STEP * (1 + math.exp(-t)) for w, t in zip(nodes, ts, strict=True)]


def _stirling_remainder(xp: Namespace, a: Array) -> Array:
    r"""Return :math:`\log \Gamma(a) - (a - \tfrac12) \log a + a - \tfrac12 \log 2 \pi` for a > 0."""
    found = xp.zeros_like(a)
    for j in range(SHIFT):
        found = found + ((a + (j + 0.5)) * xp.log1p(1 / (a + j)) - 1)
    b = 1 / (a + SHIFT)
    series = xp.zeros_like(a)
    for c in reversed(STIRLING):
        series = series * (b * b) + c
    return found + series * b
