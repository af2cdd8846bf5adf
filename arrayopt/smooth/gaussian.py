"""The Gaussian kernel: its scale is the standard deviation."""

import math

from arrayopt.backend import Array, Namespace
from arrayopt.core.special import special
from arrayopt.smooth.kernel import Kernel

PEAK = 1 / math.sqrt(2 * math.pi)
HALF = 1 / math.sqrt(2)
FURTHEST = 64.0
"""In standard deviations: beyond 39 the density is 0 in float64."""


class Gaussian(Kernel):
    r"""The normal density, :math:`\phi(x) = e^{-x^2 / 2 \sigma^2} / \sqrt{2 \pi} \sigma`; the scale is :math:`\sigma`.

    Notes
    -----
    The distribution function takes erfcx from SciPy, CuPy, PyTorch or JAX; other libraries have none. The further
    integrals follow :math:`m H_m = v H_{m-1} + H_{m-2}`, upwards near 0 and by its continued fraction further out,
    where upwards would cancel: relative error 2e-15 in H_1, 1e-14 up to H_8.

    References
    ----------
    kexue.fm/archives/8718. Gautschi, Computational aspects of three-term recurrence relations, 1967. DLMF 7.18.

    Examples
    --------
    >>> Gaussian(2.0).cdf(-4.0)
    0.02275013194817...
    """

    @staticmethod
    def unit_density(xp: Namespace, v: Array) -> Array:
        """Return the density."""
        return PEAK * _bell(xp, v)

    @staticmethod
    def tails(xp: Namespace, v: Array, top: int) -> list[Array]:
        """Return the repeated integrals."""
        bell = _bell(xp, v)
        found = [0.5 * bell * special("erfcx", -HALF * v)]  # erfc would magnify the rounding of its argument
        if top == 0:
            return found
        density = PEAK * bell
        begin, steps = (2.0, 80) if top == 1 else (1.0, 300)
        if xp.finfo(v.dtype).eps > 1e-10:  # float32
            steps = steps // 2
        u = xp.minimum(-v, FURTHEST)
        far = u > begin
        near, u = xp.where(far, 0.0, u), xp.maximum(u, begin)
        # r_m = H_m / H_{m-1}, from where it changes slowly with m
        ratio, ratios = 2.0 / (u + xp.sqrt(u * u + 4.0 * (steps + top))), []
        for m in reversed(range(1, steps + top + 1)):
            ratio = 1.0 / (u + m * ratio)
            if m <= top + 1:
                ratios.append(ratio)
        before, beyond = density, density * ratios.pop()
        for m in range(1, top + 1):
            beyond = beyond * ratios.pop()
            before, last = found[-1], (before - near * found[-1]) / m
            found.append(xp.where(far, beyond, last))
        return found

    @staticmethod
    def unit_transform(omega: float) -> float:
        """Return exp(-w^2 / 2)."""
        return math.exp(-0.5 * min(omega, FURTHEST) ** 2)

    @staticmethod
    def even_moment(k: int) -> float:
        """Return (2k - 1)!! / (2k)!."""
        return 1 / (float(2**k) * math.factorial(k))


def _bell(xp: Namespace, v: Array) -> Array:
    """Return exp(-v^2 / 2); v^2 is split so that its rounding does not grow in the exponential."""
    v = xp.maximum(v, -FURTHEST)
    near = xp.ceil(v * 16.0) / 16.0
    return xp.exp(-0.5 * near * near) * xp.exp(-0.5 * (v - near) * (v + near))
