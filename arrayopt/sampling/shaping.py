"""What stands for the values of a population: themselves, standardised, or something that their ranks alone decide.

All shaped values are losses: the lower the better, so that they take the values' place in an estimator of a gradient.
"""

import math
from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, namespace, to_numpy
from arrayopt.core.options import check_count
from arrayopt.core.population import ranked
from arrayopt.errors import OptionError

Shaping = Literal["none", "standard", "centred", "nes"]


def shape_values(f: Array, shaping: Shaping = "none") -> Array:
    r"""Shape the values of populations, along the last axis.

    Parameters
    ----------
    f : array, shape (..., n)
    shaping : {"none", "standard", "centred", "nes"}
        "none": f. "standard": :math:`(f_i - \bar f) / s`, with the standard deviation s of the n values, 0 if that
        is 0 (augmented random search; with antithetic pairs the mean cancels). "centred": ranks evenly from -1/2, the
        best, to 1/2 (OpenAI-ES). "nes": the negative utilities of natural evolution strategies, see `utilities`.

    Returns
    -------
    array, shape (..., n)
        Finite. Values that are tied share the mean of what they would have; the ranks of NaN come after that of +inf.
        Without ranks, +inf and NaN count as the greatest finite value, -inf as the least; all are 0 if none is
        finite.

    Raises
    ------
    OptionError
        If the shaping is unknown.

    Notes
    -----
    "centred" and "nes" do not change, bit for bit, if a strictly increasing function is put on top of f; that takes
    one that is strictly increasing in floats, too: exp(f) makes ties of values near to each other.

    References
    ----------
    Salimans and others, arXiv 1703.03864, section 2.1 (centred); Wierstra and others, Natural evolution strategies,
    JMLR 15 (2014), section 3.1 (nes); Mania, Guy and Recht, arXiv 1803.07055, section 3.1 (standard).

    Examples
    --------
    >>> shape_values(np.array([3.0, np.nan, 1.0, 3.0, np.inf]), "centred")
    array([-0.125,  0.5  , -0.5  , -0.125,  0.25 ])
    """
    if shaping not in get_args(Shaping):
        known = ", ".join(map(repr, get_args(Shaping)))
        raise OptionError(f"shape_values: shaping must be one of {known}, got {shaping!r}")
    xp = namespace(f)
    if shaping in ("none", "standard"):
        f = finite_values(f)
        return f if shaping == "none" else _standard(xp, f)
    host = to_numpy(f)
    n = host.shape[-1]
    table = np.linspace(-0.5, 0.5, n) if shaping == "centred" else -utilities(n)
    if n == 1:
        table = np.zeros(1)
    return xp.asarray(_by_rank(host, table), dtype=f.dtype, device=device(f))


def utilities(n: int) -> np.ndarray:
    r"""Return the utilities of n values from the best to the worst: they favour the better half, and sum to 0.

    .. math:: u_i = \frac{\max(0, \log(n/2 + 1) - \log i)}{\sum_j \max(0, \log(n/2 + 1) - \log j)} - \frac{1}{n}

    Parameters
    ----------
    n : int
        At least 1.

    References
    ----------
    Wierstra and others, Natural evolution strategies, JMLR 15 (2014), section 3.1.

    Examples
    --------
    >>> utilities(4).round(4)
    array([ 0.4804,  0.0196, -0.25  , -0.25  ])
    """
    check_count("utilities", "n", n)
    raw = np.maximum(0.0, math.log(n / 2 + 1) - np.log(np.arange(1, n + 1)))
    shares: np.ndarray = raw / raw.sum()
    return shares - 1 / n


def finite_values(f: Array) -> Array:
    """Return values, shape (..., n), with +inf and NaN as the greatest finite one, -inf as the least; 0 if none is."""
    xp, inf = namespace(f), math.inf
    ok = xp.isfinite(f)
    least = xp.min(xp.where(ok, f, xp.full_like(f, inf)), axis=-1, keepdims=True)
    most = xp.max(xp.where(ok, f, xp.full_like(f, -inf)), axis=-1, keepdims=True)
    held = xp.where(ok, f, xp.where(f == -inf, least, most))
    return xp.where(xp.isfinite(least), held, xp.zeros_like(f))


def _standard(xp: Any, f: Array) -> Array:
    f = f / 2 - xp.min(f, axis=-1, keepdims=True) / 2  # the same values give 0, and halves do not overflow
    size = xp.max(f, axis=-1, keepdims=True)
    f = f / xp.where(size > 0, size, xp.ones_like(size))
    f = f - xp.mean(f, axis=-1, keepdims=True)
    s = xp.sqrt(xp.mean(f * f, axis=-1, keepdims=True))
    return f / xp.where(s > 0, s, xp.ones_like(s))


def _by_rank(f: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the table's entries by rank along the last axis, the same for what is tied."""
    order = ranked(f)
    s = np.take_along_axis(f, order, axis=-1)
    new = np.ones(s.shape, dtype=bool)
    new[..., 1:] = (s[..., 1:] != s[..., :-1]) & ~(np.isnan(s[..., 1:]) & np.isnan(s[..., :-1]))
    entries = np.broadcast_to(table, s.shape)
    if not new.all():
        group = np.cumsum(new.ravel()) - 1
        size = np.bincount(group)
        mean = np.bincount(group, weights=entries.ravel()) / size
        mean[size == f.shape[-1]] = 0.0  # nothing is better than anything: not even by a rounding error
        entries = np.where(size[group] > 1, mean[group], entries.ravel()).reshape(s.shape)
    out = np.empty(s.shape)
    np.put_along_axis(out, order, entries, axis=-1)
    return out
