"""The Student kernel with two degrees of freedom, of which SquarePlus is the smoothed ReLU."""

from typing import Any, ClassVar

from arrayopt.backend import Array, Namespace
from arrayopt.smooth.kernel import HeavyTailed, root, units


class StudentT2(HeavyTailed):
    r"""The density :math:`\phi(x) = b / 2 (x^2 + b)^{3/2}`; the scale is :math:`\sqrt b`.

    Notes
    -----
    It has a first moment and no second one: :math:`H_0(v) = 1 / 2 h (h + |v|)`, :math:`H_1(v) = 1 / 2 (h + |v|)` with
    :math:`h = \sqrt{1 + v^2}`.

    References
    ----------
    kexue.fm/archives/8833.

    Examples
    --------
    >>> StudentT2(3.0).cdf(4.0)
    0.9
    """

    order: ClassVar[float] = 1

    @staticmethod
    def unit_density(xp: Namespace, v: Array) -> Array:
        """Return the density."""
        h = root(xp, v)
        return 0.5 / h / h / h

    @staticmethod
    def tails(xp: Namespace, v: Array, top: int) -> list[Array]:
        """Return H_0 and H_1, the only ones there are."""
        h = root(xp, v)
        ramp = 0.25 / (0.5 * h - 0.5 * v)  # halves, for their sum is finite
        return [ramp / h, ramp]

    @staticmethod
    def unit_transform(omega: float) -> float:
        """Return w K_1(w)."""
        from scipy.special import k1

        return float(omega * k1(omega)) if omega > 1e-160 else 1.0

    @staticmethod
    def even_moment(k: int) -> float:
        """Return the moment of order 0, the only even one there is."""
        return 1.0 if k == 0 else float("inf")

    @staticmethod
    def partial_moments(xp: Namespace, x: Array, scale: float, top: int) -> list[Array]:
        r"""Return antiderivatives by :math:`I_k = b (J_{k-2} / 2 - I_{k-2})`, with J those of :math:`x^k / l`.

        With :math:`l = \sqrt{x^2 + b}`.
        """
        z, b = units(xp, x, scale), scale * scale
        h = root(xp, z)
        length = xp.maximum(xp.abs(x), scale * h)
        found: list[Any] = [0.5 * z / h, -0.5 * scale / h]
        plain: list[Any] = [xp.asinh(z), length]
        power = x
        for k in range(2, top + 1):
            found.append(b * (0.5 * plain[k - 2] - found[k - 2]))
            plain.append((power * length - (k - 1) * b * plain[k - 2]) / k)
            power = power * x
        return found
