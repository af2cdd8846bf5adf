"""Random directions that see the whole space alike: mean 0 and E uu' = I, so that E uu'g = g."""

from __future__ import annotations  # naming numpy.random in a signature would import it

import math
from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, namespace
from arrayopt.core.options import check_count
from arrayopt.core.random import generator, keyed, stream
from arrayopt.errors import OptionError

Kind = Literal["gaussian", "rademacher", "sphere", "orthogonal"]
_STREAM = stream("directions")


def draw_directions(n: int, d: int, kind: Kind = "gaussian", rng: Any = None, draws: int | None = None) -> np.ndarray:
    r"""Draw n directions in d dimensions, with :math:`E u = 0` and :math:`E u u' = I`.

    Parameters
    ----------
    n : int
        At least 1.
    d : int
        At least 1.
    kind : {"gaussian", "rademacher", "sphere", "orthogonal"}
        "gaussian": standard normal. "rademacher": every component -1 or 1. "sphere": uniform on the sphere of radius
        :math:`\sqrt d`. "orthogonal": such that any d in a row, from a multiple of d on, are orthogonal, each uniform
        on that sphere; fewer than d are uniform on the frames of n.
    rng : None, int, Generator, ...
        See `arrayopt.core.random.generator`.
    draws : int, optional
        How many times to draw n directions; the numbers are those of as many calls.

    Returns
    -------
    array of float64, shape (n, d) or (draws, n, d)

    Raises
    ------
    OptionError
        If a count is not positive, or the kind is unknown.

    Notes
    -----
    For g fixed, the mean of :math:`u_i u_i' g` has the relative mean square error (d+1)/n, and for "rademacher" and
    "sphere" (d-1)/n. With "orthogonal" and n <= d it is (d-n)/n: none at all for n = d. All are exact; see
    `arrayopt.sampling.smoothing`. But for "orthogonal" n rows are also the rows of n calls with one.

    References
    ----------
    Choromanski and others, Structured evolution with compact architectures for scalable policy optimization,
    arXiv 1804.02395, section 3 (orthogonal).

    Examples
    --------
    >>> u = draw_directions(2, 2, "orthogonal", rng=0)
    >>> (u @ u.T).round(12) + 0.0
    array([[2., 0.],
           [0., 2.]])
    """
    check_count("draw_directions", "n", n)
    check_count("draw_directions", "d", d)
    if kind not in get_args(Kind):
        raise OptionError(f"draw_directions: kind must be one of {', '.join(map(repr, get_args(Kind)))}, got {kind!r}")
    rng = generator(rng)
    if draws is None:
        return _drawn(rng, n, d, kind)
    check_count("draw_directions", "draws", draws)
    return np.stack([_drawn(rng, n, d, kind) for _ in range(draws)])


def _drawn(rng: np.random.Generator, n: int, d: int, kind: Kind) -> np.ndarray:
    if kind == "rademacher":  # by one double a component: bits would be left over from call to call
        return np.where(rng.random((n, d)) < 0.5, -1.0, 1.0)
    z = rng.standard_normal((n, d))
    if kind == "sphere":
        z *= math.sqrt(d) / np.sqrt((z * z).sum(axis=1, keepdims=True))
    if kind == "orthogonal":
        return np.concatenate([_frame(z[i : i + d]) for i in range(0, n, d)])
    return z


def _frame(z: np.ndarray) -> np.ndarray:
    """Return orthogonal rows of length sqrt(d) from Gaussian ones: uniform, once R's diagonal is positive."""
    q, r = np.linalg.qr(z.T)
    return np.ascontiguousarray((q * (np.where(np.diagonal(r) < 0, -1.0, 1.0) * math.sqrt(z.shape[1]))).T)


def directions_at(x: Array, n: int, kind: Kind, seed: int, t: int) -> Array:
    """Return the directions of generation t, shape (..., n, d), for runs at x, shape (..., d).

    Run r of many has the seed ``run_seed(seed, r)``, so that it can be repeated alone. The numbers are those of every
    array library, in x's dtype.
    """
    xp, (*runs, d) = namespace(x), x.shape
    each = [draw_directions(n, d, kind, keyed(run_seed(seed, r), t, _STREAM)) for r in range(math.prod(runs))]
    u = np.stack(each).reshape(*runs, n, d) if runs else each[0]
    return xp.asarray(u, dtype=x.dtype, device=device(x))


def run_seed(seed: int, run: int) -> int:
    """Return the seed of one of many runs, seed + run in 64 bits: the one with which the run, alone, is the same.

    Raises
    ------
    OptionError
        If the seed is not an integer in [0, 2^64).
    """
    if not (type(seed) is int and 0 <= seed < 2**64):
        raise OptionError(f"seed: expected an integer in [0, 2^64), got {seed!r}")
    return (seed + run) % 2**64
