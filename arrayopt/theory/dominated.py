r"""A family of functions on [0, 1] on which dominated convergence can be seen to hold, and to fail.

.. math:: f_n(x) = \frac{n^a x^b}{1 + n^c x^d}, \qquad 0 < a < c, \quad b > -1, \quad d > 0

tends to 0 for every x > 0. By the weighted inequality of the means, with :math:`\theta = a / c`,

.. math:: \sup_{n > 0} f_n(x) = \theta^\theta (1 - \theta)^{1-\theta} \, x^{b - d \theta},

so that there is an integrable dominating function if and only if :math:`b - d \theta > -1`; then the integrals tend to
0. For -1 they tend to :math:`\pi / (d \sin(\pi (b + 1) / d))` instead, and below they diverge.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import elementwise, require
from arrayopt.errors import OptionError

__all__ = ["POWER_FAMILIES", "PowerFamily", "am_gm_split"]

_TERMS = 64
"""Terms of a series whose quotients are at most 1/2."""


@dataclass(frozen=True)
class PowerFamily:
    r"""The functions :math:`f_n(x) = n^a x^b / (1 + n^c x^d)` on [0, 1].

    All methods take and give numbers, or arrays of any library, and compute in float64.

    Parameters
    ----------
    a, b, c, d : float
        :math:`0 < a < c`, :math:`b > -1`, :math:`d > 0`.

    Raises
    ------
    OptionError
        If they are not.

    References
    ----------
    kexue.fm/archives/3194 (three examples; the family is derived here).

    Examples
    --------
    >>> failing = PowerFamily(2, 1, 4, 4)
    >>> failing.exponent, failing.integrable, failing.limit == math.pi / 4
    (-1.0, False, True)
    >>> round(failing.integral(1.0), 9) == round(math.atan(1) / 2, 9)
    True
    """

    a: float
    b: float
    c: float
    d: float

    def __post_init__(self) -> None:
        """Check the exponents."""
        if not (0 < self.a < self.c < math.inf and -1 < self.b < math.inf and 0 < self.d < math.inf):
            raise OptionError(
                f"a, b, c, d: expected 0 < a < c, b > -1 and d > 0, got {self.a}, {self.b}, {self.c} and {self.d}"
            )

    @property
    def exponent(self) -> float:
        """The exponent of the envelope, b - d a / c."""
        return self.b - self.d * self.a / self.c

    @property
    def integrable(self) -> bool:
        """Whether the envelope, which is the least dominating function, is integrable."""
        return self.exponent > -1

    @property
    def limit(self) -> float:
        r"""The limit of the integrals: 0, :math:`\pi / (d \sin(\pi (b + 1) / d))` or infinity."""
        if self.exponent == -1:
            return math.pi / (self.d * math.sin(math.pi * (self.b + 1) / self.d))
        return 0.0 if self.integrable else math.inf

    def __call__(self, n: Any, x: Any) -> Any:
        """Return f_n(x), for real n > 0 and x >= 0; x decides the type of the result."""
        xp, n_, x_, back = _pair(n, x)
        logs = self.a * xp.log(n_) + _log(xp, x_, self.b)
        return back(xp.exp(logs - _softplus(xp, self.c * xp.log(n_) + _log(xp, x_, self.d))))

    def envelope(self, x: Any) -> Any:
        r"""Return :math:`\theta^\theta (1 - \theta)^{1-\theta} x^{b - d \theta}`, the supremum over real n > 0."""
        xp, (x_,), back = elementwise(x=x)
        require("x", "a number >= 0", ~(x_ < 0), xp, x)
        theta = self.a / self.c
        log_factor = theta * math.log(theta) + (1 - theta) * math.log1p(-theta)
        return back(xp.exp(log_factor + _log(xp, x_, self.exponent)))

    def peak(self, x: Any) -> Any:
        r"""Return the n at which the supremum is attained: :math:`n^c x^d = \theta / (1 - \theta)`."""
        xp, (x_,), back = elementwise(x=x)
        require("x", "a number >= 0", ~(x_ < 0), xp, x)
        return back(xp.exp((math.log(self.a / (self.c - self.a)) - _log(xp, x_, self.d)) / self.c))

    def integral(self, n: Any) -> Any:
        r"""Return the integral over [0, 1], exact to rounding, for real n > 0.

        .. math:: \int_0^1 f_n = \frac{n^{a - c s}}{d} \int_0^{n^c} \frac{u^{s-1}}{1 + u} du, \qquad s = \frac{b + 1}{d}

        by a series of positive terms up to u = 1, and by steps :math:`s \to s - 1` beyond.
        """
        xp, (n_,), back = elementwise(n=n)
        require("n", "a number > 0", ~(n_ <= 0), xp, n)
        s, log_n = (self.b + 1) / self.d, xp.log(n_)
        log_u = self.c * log_n
        # up to 1, over u^s
        first = _series(xp, s, xp.exp(xp.minimum(log_u, 0.0))) * xp.exp(self.a * log_n - s * xp.maximum(log_u, 0.0))
        length = xp.maximum(log_u, 0.0)
        rest, scaled = _tail(xp, 1 - s, length)
        rest = rest * xp.exp(self.a * log_n - (1 if scaled else s) * length)
        return back((first + xp.where(log_u > 0, rest, xp.zeros_like(rest))) / self.d)


POWER_FAMILIES: dict[str, Callable[..., PowerFamily]] = {
    "A": lambda: PowerFamily(2, 1, 4, 4),
    "B": lambda: PowerFamily(3, 1, 4, 2),
    "C": lambda s: PowerFamily(s, s, s + 1, s + 1),
}
"""The examples of the article: A fails, B has an integrable envelope, C (an exercise, s > 0) a constant one."""


def am_gm_split(A: Any, theta: float) -> Any:
    r"""Return the lower bound of 1 + A that the weighted inequality of the means gives.

    .. math:: 1 + A \ge \frac{A^\theta}{\theta^\theta (1 - \theta)^{1 - \theta}},
              \qquad \text{equal at } A = \frac{\theta}{1 - \theta}

    Parameters
    ----------
    A : number or array
        At least 0.
    theta : float
        In (0, 1).

    Examples
    --------
    >>> am_gm_split(1.0, 0.5), round(am_gm_split(1.0, 0.75), 4)
    (2.0, 1.7548)
    """
    if not 0 < theta < 1:
        raise OptionError(f"theta: expected a number in (0, 1), got {theta!r}")
    xp, (A_,), back = elementwise(A=A)
    require("A", "a number >= 0", ~(A_ < 0), xp, A)
    return back(A_**theta / (theta**theta * (1 - theta) ** (1 - theta)))


def _pair(n: Any, x: Any) -> tuple[Namespace, Array, Array, Any]:
    xp, (x_, n_), back = elementwise(x=x, n=n)
    require("n", "a number > 0", ~(n_ <= 0), xp, n)
    require("x", "a number >= 0", ~(x_ < 0), xp, x)
    return xp, n_, x_, back


def _log(xp: Namespace, x: Array, power: float) -> Array:
    """Return the log of a power of x, with 0^0 = 1."""
    if power == 0:
        return 0 * x
    zero = x == 0
    found = power * xp.log(xp.where(zero, xp.ones_like(x), x))
    return xp.where(zero, math.copysign(math.inf, -power), found)


def _softplus(xp: Namespace, t: Array) -> Array:
    return xp.maximum(t, 0.0) + xp.log1p(xp.exp(-xp.abs(t)))


def _series(xp: Namespace, s: float, u: Array) -> Array:
    r"""Return :math:`u^{-s} \int_0^u v^{s-1} / (1 + v) dv` for u in [0, 1]: 2F1(1, s; s + 1; -u) / s, after Pfaff."""
    z = u / (1 + u)
    total = xp.ones_like(u)
    for k in reversed(range(1, _TERMS)):
        total = 1 + total * z * (k / (s + k))
    return total / (s * (1 + u))


def _tail(xp: Namespace, r: float, length: Array) -> tuple[Array, bool]:
    r"""Return :math:`H(r) = \int_0^L e^{-rv} / (1 + e^{-v}) dv`, times e^(rL) if r < 0, and whether it is.

    Positive throughout, for H(r) = E(r) - H(r + 1) with E the integral without denominator is at least E(r) / 2.
    """
    steps = max(0, math.ceil(1 - r))
    q = r + steps  # in [1, 2), or r itself
    H = _series(xp, q, xp.ones_like(length)) - xp.exp(-q * length) * _series(xp, q, xp.exp(-length))
    scaled = False
    for i in reversed(range(steps)):
        q = r + i
        if q >= 0:
            E = length if q == 0 else -xp.expm1(-q * length) / q
            H = E - H
        else:
            E = xp.expm1(q * length) / q
            H = E - xp.exp(-length if scaled else q * length) * H
            scaled = True
    return H, scaled
