"""The Cauchy kernel, whose tails are so heavy that it has no mean."""

import math
from typing import ClassVar

from arrayopt.backend import Array, Namespace
from arrayopt.smooth.kernel import HeavyTailed, root, units


class Cauchy(HeavyTailed):
    r"""The density :math:`\phi(x) = a / \pi (x^2 + a^2)`; the scale is a.

    Notes
    -----
    There is no first moment: it smooths bounded functions alone. The smoothed step is
    :math:`\frac12 + \arctan(x / a) / \pi`.

    References
    ----------
    kexue.fm/archives/8718.

    Examples
    --------
    >>> Cauchy(2.0).cdf(2.0)
    0.75
    """

    order: ClassVar[float] = 0

    @staticmethod
    def unit_density(xp: Namespace, v: Array) -> Array:
        """Return the density."""
        h = root(xp, v)
        return (1 / math.pi) / h / h

    @staticmethod
    def tails(xp: Namespace, v: Array, top: int) -> list[Array]:
        """Return H_0, the only one there is."""
        return [xp.atan2(xp.ones_like(v), -v) / math.pi]

    @staticmethod
    def unit_transform(omega: float) -> float:
        """Return exp(-w)."""
        return math.exp(-omega)

    @staticmethod
    def even_moment(k: int) -> float:
        """Return the moment of order 0, the only one there is."""
        return 1.0 if k == 0 else math.inf

    @staticmethod
    def partial_moments(xp: Namespace, x: Array, scale: float, top: int) -> list[Array]:
        r"""Return antiderivatives by :math:`I_k = a x^{k-1} / \pi (k - 1) - a^2 I_{k-2}`."""
        z = units(xp, x, scale)
        found = [xp.atan(z) / math.pi, scale * xp.log(root(xp, z)) / math.pi]
        power = x
        for k in range(2, top + 1):
            found.append(scale * power / (math.pi * (k - 1)) - scale * scale * found[k - 2])
            power = power * x
        return found
