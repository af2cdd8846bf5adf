r"""The normal distribution that is cut, with it said of every standard deviation whether it is nominal or real.

Cut at two nominal standard deviations it has a real one of 0.8796 times that: nominally 0.02 is really 0.0176.
"""

import math
from typing import Any

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.arguments import create, positive
from arrayopt.core.random import generator
from arrayopt.errors import OptionError

__all__ = ["truncated_normal", "truncated_normal_nominal", "truncated_normal_std", "truncated_normal_variance"]


def truncated_normal_variance(cut: float = 2.0) -> float:
    r"""Return the variance of a standard normal number that is cut to [-cut, cut].

    .. math:: \gamma = \frac{\int_{-k}^{k} x^2 e^{-x^2/2} dx}{\int_{-k}^{k} e^{-x^2/2} dx}
              = 1 - \frac{2 k \phi(k)}{\mathrm{erf}(k / \sqrt 2)}

    Parameters
    ----------
    cut : float
        k > 0; inf for none.

    Notes
    -----
    For small k by the series :math:`1 - 1 / \sum_i k^{2i} / (3 \cdot 5 \cdots (2i + 1))`, for the two would cancel.

    Examples
    --------
    >>> round(truncated_normal_variance(), 10), round(truncated_normal_variance(1e-3) * 3e6, 6)
    (0.7737413035, 1.0)
    """
    if not cut > 0:
        raise OptionError(f"cut: expected a number > 0, got {cut!r}")
    if cut > 3:
        density = math.exp(-0.5 * cut * cut) / math.sqrt(2 * math.pi) if cut < 40 else 0.0
        return 1 - 2 * cut * density / math.erf(cut / math.sqrt(2)) if density else 1.0
    term, rest = 1.0, 0.0
    for i in range(1, 80):
        term *= cut * cut / (2 * i + 1)
        rest += term
    return rest / (1 + rest)


def truncated_normal_std(nominal: float, cut: float = 2.0) -> float:
    r"""Return the real standard deviation of a normal number of a nominal one that is cut at `cut` nominal ones.

    .. math:: \sigma_{\text{real}} = \sqrt\gamma \, \sigma_{\text{nominal}}

    Parameters
    ----------
    nominal : float
        That of the normal distribution before it is cut, at least 0.
    cut : float
        In nominal standard deviations, above 0.

    References
    ----------
    kexue.fm/archives/8747.

    Examples
    --------
    >>> round(truncated_normal_std(0.02), 7)
    0.0175925
    """
    return positive("nominal", nominal, zero=True) * math.sqrt(truncated_normal_variance(cut))


def truncated_normal_nominal(std: float, cut: float = 2.0) -> float:
    r"""Return the nominal standard deviation to ask for, to get a real one: the inverse of `truncated_normal_std`.

    Examples
    --------
    >>> round(truncated_normal_nominal(1.0), 7)
    1.1368472
    """
    return positive("std", std, zero=True) / math.sqrt(truncated_normal_variance(cut))


def truncated_normal(
    shape: int | tuple[int, ...],
    *,
    nominal: float | None = None,
    std: float | None = None,
    mean: float = 0.0,
    cut: float = 2.0,
    dtype: str = "float64",
    rng: Any = None,
) -> Array:
    r"""Draw normal numbers that are cut, of a standard deviation that is said to be nominal, or real.

    Parameters
    ----------
    shape : int or tuple of int
    nominal : float, optional
        The standard deviation before the cut. TensorFlow's and PyTorch's ``truncated_normal`` take this one.
    std : float, optional
        That of the numbers. Either this or `nominal` has to be given, and not both.
    mean : float
    cut : float
        Where to cut, in nominal standard deviations from the mean, above 0.
    dtype : str
        Name of a real floating-point dtype.
    rng : seed or Generator, optional

    Returns
    -------
    array
        Of the library that `arrayopt.use` says, the same numbers for each.

    Raises
    ------
    OptionError
        If it is not said which standard deviation is meant.

    Notes
    -----
    By rejection, from the normal distribution, or for cuts below 1 from the uniform one.

    Examples
    --------
    >>> x = truncated_normal(100_000, nominal=0.02, rng=0)
    >>> round(float(x.std()), 4), bool(abs(x).max() <= 0.04)
    (0.0176, True)
    >>> round(float(truncated_normal(100_000, std=0.02, rng=0).std()), 4)
    0.02
    """
    if (nominal is None) == (std is None):
        raise OptionError(
            "nominal, std: expected one of the two: nominal is the standard deviation before the cut, std the real one"
        )
    scale = (
        positive("nominal", nominal, zero=True) if nominal is not None else truncated_normal_nominal(std or 0.0, cut)
    )
    if not cut > 0:
        raise OptionError(f"cut: expected a number > 0, got {cut!r}")
    source = generator(rng)
    size = math.prod(shape) if isinstance(shape, tuple) else shape
    parts, left = [np.empty(0)], size
    while left:
        if cut < 1:
            x = source.uniform(-cut, cut, left)
            x = x[source.random(left) < np.exp(-0.5 * x * x)]
        else:
            x = source.standard_normal(left)
            x = x[np.abs(x) <= cut]
        parts.append(x)
        left -= x.size
    return create(mean + scale * np.concatenate(parts).reshape(shape), dtype)
