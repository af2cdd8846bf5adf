r"""What a kernel is: a symmetric density that tends to Dirac's delta as its scale falls to 0.

Everything is computed from the repeated integrals of the density at the *negative* side, where they are small,

.. math:: H_m(v) = \int_{-\infty}^v \frac{(v - z)^m}{m!} \phi_1(z) \, dz, \qquad v \le 0, \qquad H_m' = H_{m-1},

:math:`\phi_1` of scale 1. H_0 is the distribution function, H_1 the smoothed ReLU. On the other side
:math:`H_m(v) - (-1)^{m+1} H_m(-v)` is a polynomial. So nothing cancels, and what is small is relatively exact.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.core.arguments import positive
from arrayopt.errors import OptionError
from arrayopt.smooth.arguments import enter, within

LARGE = 2.0**27
"""From here on the root of 1 + v^2 is v, in float64."""


@dataclass(frozen=True)
class Kernel(ABC):
    r"""A symmetric density :math:`\phi(x) = \phi_1(x / s) / s`, an approximation of Dirac's delta.

    Parameters
    ----------
    scale : float
        s > 0.
    """

    scale: float = 1.0

    order: ClassVar[float] = math.inf
    """The highest moment that exists, as an absolute one."""

    def __post_init__(self) -> None:
        """Check the scale."""
        object.__setattr__(self, "scale", positive("scale", self.scale))

    # Of scale 1: what a kernel is made of -------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def unit_density(xp: Namespace, v: Array) -> Array:
        """Return the density of scale 1 at v <= 0."""

    @staticmethod
    @abstractmethod
    def tails(xp: Namespace, v: Array, top: int) -> list[Array]:
        """Return H_0, ..., H_top at v <= 0; H of -inf is 0."""

    @staticmethod
    @abstractmethod
    def unit_transform(omega: float) -> float:
        r"""Return :math:`E \cos(\omega z)`, for :math:`\omega \ge 0`."""

    @staticmethod
    @abstractmethod
    def even_moment(k: int) -> float:
        """Return the moment of order 2k of scale 1, over (2k)!."""

    # Of the scale given ---------------------------------------------------------------------------------

    @np.errstate(over="ignore")
    def density(self, x: Any) -> Any:
        r"""Return :math:`\phi(x)`.

        Parameters
        ----------
        x : number or array
            A number gives a float, an array one of its dtype.
        """
        xp, x, back = enter(x)
        scale = within(xp, x, self.scale)
        return back(self.unit_density(xp, -xp.abs(x) / scale) / scale)

    @np.errstate(over="ignore")
    def cdf(self, x: Any) -> Any:
        r"""Return the smoothed step :math:`\Phi(x) = \int_{-\infty}^x \phi`, relatively exact where it is small.

        Parameters
        ----------
        x : number or array
            A number gives a float, an array one of its dtype.
        """
        xp, x, back = enter(x)
        tail = self.tails(xp, -xp.abs(x) / within(xp, x, self.scale), 0)[0]
        return back(xp.where(x > 0, 1.0 - tail, tail))

    def transform(self, frequency: float) -> float:
        r"""Return the Fourier transform :math:`\hat\phi(k) = \int \phi(x) e^{-2 \pi i k x} dx`, a real number.

        Parameters
        ----------
        frequency : float
            k, finite.
        """
        if not math.isfinite(frequency):
            raise OptionError(f"frequency: expected a finite number, got {frequency!r}")
        return self.unit_transform(2 * math.pi * abs(frequency) * self.scale)

    def moment(self, k: int) -> float:
        r"""Return :math:`\int x^k \phi(x) dx`.

        Parameters
        ----------
        k : int
            At least 0.

        Raises
        ------
        OptionError
            If the integral diverges.
        """
        if k < 0 or k > self.order:
            name = type(self).__name__
            raise OptionError(f"k: expected an integer from 0 to {self.order}, got {k}; {name} has no such moment")
        return 0.0 if k % 2 else self.even_moment(k // 2) * math.factorial(k) * self.scale**k


@dataclass(frozen=True)
class HeavyTailed(Kernel):
    """A kernel of finite order, which convolves a bounded piece that it lacks the moments for over its interval."""

    @staticmethod
    @abstractmethod
    def partial_moments(xp: Namespace, x: Array, scale: float, top: int) -> list[Array]:
        """Return antiderivatives of x^k times the density, k = 0, ..., top."""


def units(xp: Namespace, x: Array, scale: float) -> Array:
    """Return x in units of the scale, finite."""
    most = float(xp.finfo(x.dtype).max) / 4
    return xp.clip(x / scale, -most, most)


def root(xp: Namespace, v: Array) -> Array:
    """Return the root of 1 + v^2 without overflow, several times as fast as by hypot."""
    u = xp.abs(v)
    within = xp.minimum(u, LARGE)
    return xp.maximum(u, xp.sqrt(within * within + 1.0))
