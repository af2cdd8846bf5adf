"""Random numbers that are keyed by what they are for, so that any step replays alone.

A counter-based generator (Philox) needs no state: the numbers of step 700 of a run are a function of
(seed, step, stream). They are drawn by NumPy on the host and are the same for every array library that
receives them. NumPy's global generator is never touched.
"""

from __future__ import annotations  # naming numpy.random in a signature would import it

from typing import Any

import numpy as np

from arrayopt.errors import OptionError

_WORD = 1 << 64


def generator(rng: Any = None) -> np.random.Generator:
    """Return the generator that an ``rng=`` argument stands for (SPEC 7 of Scientific Python).

    Parameters
    ----------
    rng : None, int, sequence of int, SeedSequence, BitGenerator or Generator
        A Generator is returned as it is, and advances as it is drawn from. None takes fresh entropy from
        the operating system.

    Raises
    ------
    OptionError
        If `rng` is none of these; a RandomState is refused, for it may be NumPy's global one.

    Examples
    --------
    >>> generator(0).integers(10, size=3)
    array([8, 6, 5])
    """
    if isinstance(rng, (bool, np.random.RandomState)):
        raise _no_generator(rng)
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise _no_generator(rng) from error


def _no_generator(rng: object) -> OptionError:
    return OptionError(f"rng: expected None, a non-negative integer or a numpy.random.Generator, got {rng!r}")


def stream(name: str) -> int:
    """Return the number of the stream `name`, such as the path of a leaf: a hash, the same on every machine.

    It has 53 bits, so that a float64 holds it.
    """
    import hashlib

    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 11


def keyed(seed: int, step: int, stream: int) -> np.random.Generator:
    """Return the generator of one step of one stream of one seed.

    Parameters
    ----------
    seed, step, stream : int
        Each in [0, 2^64). Seed and stream are the key, step the highest word of the counter, below
        which there is room for 2^192 draws.
    """
    _check_words(seed, step, stream)
    key = np.array([seed, stream], dtype=np.uint64)
    counter = np.array([0, 0, 0, step], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def _check_words(seed: int, step: int, stream: int) -> None:
    for name, value in {"seed": seed, "step": step, "stream": stream}.items():
        if not 0 <= value < _WORD:
            raise OptionError(f"{name}: expected an integer in [0, 2^64), got {value!r}")


def normal(seed: int, step: int, stream: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal numbers, float64, of one step of one stream.

    Examples
    --------
    >>> bool((normal(0, 7, 1, (2,)) == normal(0, 7, 1, (3,))[:2]).all())
    True
    """
    return keyed(seed, step, stream).standard_normal(shape)


def uniform(seed: int, step: int, stream: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform numbers in [0, 1), float64, of one step of one stream."""
    return keyed(seed, step, stream).random(shape)


NORMAL_BLOCK = 1 << 16
"""Numbers that `fill_normal` draws from one generator."""


def fill_normal(out: np.ndarray, seed: int, step: int, stream: int, blocks: range | None = None) -> None:
    r"""Fill an array with standard normal numbers, in a fraction of the time that `normal` takes.

    .. math:: z_1 = \sqrt{-2 \log u_1} \cos(2 \pi u_2), \qquad z_2 = \sqrt{-2 \log u_1} \sin(2 \pi u_2)

    Each block of `NORMAL_BLOCK` numbers has a generator of its own, so that the numbers do not depend on how the blocks
    are shared among threads.

    Parameters
    ----------
    out : array
        Contiguous, float32 or float64. In float32 u has 24 bits, so that no number is beyond 5.77.
    seed, step, stream : int
        As for `normal`, each in [0, 2^64); the numbers are others than those.
    blocks : range, optional
        Which blocks to fill, all by default: block k is that of the elements from ``k * NORMAL_BLOCK``.

    Raises
    ------
    OptionError
        If `out` cannot be filled, or a number is out of range.

    Notes
    -----
    NumPy does not promise the bits of its logarithm, sine and cosine: they may differ between machines.

    References
    ----------
    Box and Muller, A note on the generation of random normal deviates (1958).

    Examples
    --------
    >>> x = np.empty(100_000, np.float32)
    >>> fill_normal(x, seed=0, step=7, stream=1)
    >>> bool(abs(x.mean()) < 0.01), bool(abs(x.std() - 1) < 0.01)
    (True, True)
    """
    if out.dtype not in (np.float32, np.float64) or not out.flags.c_contiguous or not out.flags.writeable:
        raise OptionError("out: expected a contiguous array of float32 or float64 that may be written")
    _check_words(seed, step, stream)
    key = [word >> shift & 0xFFFFFFFF for word in (seed, step, stream) for shift in (0, 32)]
    flat = out.reshape(-1)
    for k in range(-(-flat.size // NORMAL_BLOCK)) if blocks is None else blocks:
        part = flat[k * NORMAL_BLOCK : (k + 1) * NORMAL_BLOCK]
        half = -(-part.size // 2)
        rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([*key, k])))
        radius, angle = rng.random((2, half), dtype=out.dtype)
        np.log(np.subtract(1, radius, out=radius), out=radius)  # of a number in (0, 1]
        np.sqrt(np.multiply(radius, -2, out=radius), out=radius)
        np.multiply(angle, 2 * np.pi, out=angle)
        np.multiply(radius, np.cos(angle), out=part[:half])
        rest = part.size - half
        np.multiply(radius[:rest], np.sin(angle[:rest]), out=part[half:])
