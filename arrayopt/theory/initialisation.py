"""Random initial weights: the standard deviations that schemes ask for, whatever the distribution."""

import math
from typing import Any, Literal

import numpy as np

from arrayopt.backend import Array
from arrayopt.core.arguments import create, positive
from arrayopt.core.random import generator
from arrayopt.errors import OptionError
from arrayopt.theory.truncation import truncated_normal

__all__ = [
    "fans",
    "initial_weights",
    "orthogonal_weights",
    "scheme_std",
    "uniform_limit",
]

Scheme = Literal["xavier", "he", "lecun", "ntk"]
Distribution = Literal["normal", "uniform", "truncated_normal"]


def fans(shape: tuple[int, ...], layout: Literal["in_out", "out_in"] = "in_out") -> tuple[int, int]:
    """Return the number of inputs and of outputs of a kernel.

    Parameters
    ----------
    shape : tuple of int
        At least two axes.
    layout : {"in_out", "out_in"}
        Kernels (..., in, out), as in Keras and JAX, or (out, in, ...), as in PyTorch; the other axes are places, of
        which each counts.

    Examples
    --------
    >>> fans((3, 3, 16, 32)), fans((32, 16, 3, 3), "out_in")
    ((144, 288), (144, 288))
    """
    if len(shape) < 2:
        raise OptionError(f"shape: expected a kernel of at least two axes, got {shape}")
    if layout not in ("in_out", "out_in"):
        raise OptionError(f'layout: expected "in_out" or "out_in", got {layout!r}')
    inputs, outputs = shape[-2:] if layout == "in_out" else (shape[1], shape[0])
    places = math.prod(shape) // (inputs * outputs) if inputs * outputs else 0
    return inputs * places, outputs * places


def scheme_std(scheme: Scheme, fan_in: int, fan_out: int | None = None) -> float:
    r"""Return the real standard deviation of the entries of a kernel.

    Parameters
    ----------
    scheme : {"xavier", "he", "lecun", "ntk"}
        Variances :math:`2 / (n_{in} + n_{out})`, :math:`2 / n_{in}` (ReLU halves the second moment),
        :math:`1 / n_{in}`, and 1, the output being divided by :math:`\sqrt{n_{in}}` instead.
    fan_in, fan_out : int
        At least 1; only "xavier" needs the latter.

    Examples
    --------
    >>> from arrayopt.theory.truncation import truncated_normal_std
    >>> round(scheme_std("lecun", 768), 7), round(truncated_normal_std(0.02) / scheme_std("xavier", 768, 768), 5)
    (0.0360844, 0.48754)
    """
    if fan_in < 1 or (fan_out is not None and fan_out < 1):
        raise OptionError(f"fan_in, fan_out: expected at least 1, got {fan_in} and {fan_out}")
    if scheme == "xavier":
        if fan_out is None:
            raise OptionError('fan_out: expected a number of outputs, which the scheme "xavier" needs, got None')
        return math.sqrt(2 / (fan_in + fan_out))
    variances = {"he": 2 / fan_in, "lecun": 1 / fan_in, "ntk": 1.0}
    if scheme not in variances:
        raise OptionError(f'scheme: expected "xavier", "he", "lecun" or "ntk", got {scheme!r}')
    return math.sqrt(variances[scheme])


def uniform_limit(std: float) -> float:
    r"""Return the a of the uniform distribution on [-a, a] of a standard deviation, :math:`\sqrt3 \sigma`.

    Examples
    --------
    >>> round(uniform_limit(1.0), 6)
    1.732051
    """
    return math.sqrt(3) * positive("std", std, zero=True)


def initial_weights(
    shape: tuple[int, ...],
    scheme: Scheme,
    *,
    distribution: Distribution = "normal",
    layout: Literal["in_out", "out_in"] = "in_out",
    dtype: str = "float64",
    rng: Any = None,
) -> Array:
    """Draw a kernel whose real standard deviation is that of a scheme, whatever the distribution.

    Parameters
    ----------
    shape, layout
        As for `fans`.
    scheme
        As for `scheme_std`.
    distribution : {"normal", "uniform", "truncated_normal"}
        The last is cut at two nominal standard deviations, the real one being that of the scheme.
    dtype : str
    rng : seed or Generator, optional

    Examples
    --------
    >>> W = initial_weights((400, 300), "he", distribution="truncated_normal", rng=0)
    >>> round(float(W.std()) * 200**0.5, 2)
    1.0
    """
    std = scheme_std(scheme, *fans(shape, layout))
    if distribution == "truncated_normal":
        return truncated_normal(shape, std=std, dtype=dtype, rng=rng)
    if distribution == "uniform":
        return create(generator(rng).uniform(-uniform_limit(std), uniform_limit(std), shape), dtype)
    if distribution == "normal":
        return create(std * generator(rng).standard_normal(shape), dtype)
    raise OptionError(f'distribution: expected "normal", "uniform" or "truncated_normal", got {distribution!r}')


def orthogonal_weights(shape: tuple[int, int], *, gain: float = 1.0, dtype: str = "float64", rng: Any = None) -> Array:
    """Draw a matrix with orthonormal rows or columns, whichever are fewer, times a gain; uniformly (Haar).

    Parameters
    ----------
    shape : (int, int)
    gain : float
    dtype : str
    rng : seed or Generator, optional

    References
    ----------
    Mezzadri, How to generate random matrices from the classical compact groups, 2007 (the signs).

    Examples
    --------
    >>> Q = orthogonal_weights((5, 3), rng=0)
    >>> bool(np.allclose(Q.T @ Q, np.eye(3)))
    True
    """
    rows, columns = shape
    q, r = np.linalg.qr(generator(rng).standard_normal((max(shape), min(shape))))
    q = gain * q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return create(q if rows >= columns else q.T, dtype)
